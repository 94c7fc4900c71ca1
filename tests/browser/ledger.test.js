// The audit ledger as a person reads and checks it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { bed, bytes, dashboard, makeBed } from "./lib/bed.js";
import { downloaded, file } from "./lib/page.js";

makeBed();

/** All names in a document, so that each is written, in their order. */
const flat = (value) =>
  Object.entries(value ?? {}).reduce((names, [name, inner]) => ({ ...names, [name]: 1, ...(typeof inner === "object" ? flat(inner) : {}) }), {});

describe("the ledger", () => {
  test("is a timeline with filters, whose entries are proven in the browser", async () => {
    const key = await bed.vault.postq.hybridKeys.create({ name: "logged" });
    const signed = await bed.vault.postq.sign({ keyId: key.id, payload: bytes("logged") });
    await bed.vault.postq.ledger.append({ name: "deploy", message: "to production" });
    await dashboard("/audit", async (page) => {
      await page.getByText("deploy: to production").first().waitFor();
      const places = async () => (await page.locator("tbody tr td:first-child").allTextContents()).map(Number);
      const all = await places();
      assert.ok(all.every((place, at) => at === 0 || place < all[at - 1]), "newest first");
      await page.getByLabel("Event").selectOption("signature.issued");
      await page.getByText("deploy: to production").first().waitFor({ state: "detached" });
      await page.getByLabel("About a key or token").fill(key.id);
      await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
      await page.locator("tbody a").click();
      const drawer = page.getByRole("dialog");
      await drawer.getByText("In the ledger.").waitFor();
      await drawer.getByText(signed.eventDigest.slice(0, 8)).waitFor();
      const receipt = await downloaded(page, () => drawer.getByRole("button", { name: /Receipt/ }).click());
      assert.equal(JSON.parse(receipt.text).signatureBase64, null);
      await page.keyboard.press("Escape");
      await drawer.waitFor({ state: "detached" });
      assert.ok(!page.url().includes("entry="));
      await page.goto(`${bed.vault.address}/vault/audit?entry=${signed.eventId}`);
      await drawer.getByText("In the ledger.").waitFor();
    });
  });

  test("is verified whole in the browser, pinned, and found to continue what was pinned", () =>
    dashboard("/audit", async (page) => {
      await page.getByRole("button", { name: "Verify the ledger" }).click();
      await page.getByText("Its key is not pinned").waitFor();
      await page.getByRole("button", { name: "Pin this checkpoint" }).click();
      await page.getByText("Pinned at this checkpoint").waitFor();
      await bed.vault.postq.ledger.append({ name: "later" });
      await page.getByRole("button", { name: "Seal now" }).click();
      await page.getByText("Sealed: a checkpoint over").waitFor();
      await page.getByRole("button", { name: "Verify the ledger" }).click();
      await page.getByText("continues what you saw").waitFor();
      await page.getByRole("link", { name: "Checkpoints" }).click();
      await page.getByText("pinned here").waitFor();
      await page.goto(`${bed.vault.address}/vault`);
      await page.getByText("by the key you pinned").waitFor();
      const [{ checkpoint }] = (await page.evaluate(() => JSON.parse(localStorage.getItem("postq-vault pins")))).ledgers;
      assert.match(checkpoint.merkleRootHex, /^[0-9a-f]{64}$/);
    }));

  test("another ledger than the pinned one is no good", async () => {
    const { org } = await bed.vault.postq.whoami();
    await dashboard("/audit", async (page) => {
      await page.evaluate((org) => localStorage.setItem("postq-vault pins", JSON.stringify({ v: 1, signers: [], ledgers: [{ org, fingerprint: "0".repeat(64) }] })), org);
      await page.reload();
      await page.getByRole("button", { name: "Verify the ledger" }).click();
      await page.getByRole("alert").getByText("Not the ledger that you pinned").waitFor();
      assert.equal(await page.getByRole("button", { name: "Pin this checkpoint" }).count(), 0, "a pin is not replaced by a click");
      await page.goto(`${bed.vault.address}/vault`);
      await page.getByRole("alert").getByText("not the ledger that you pinned").waitFor();
      assert.equal(await page.getByText("Checked here").count(), 0);
      await page.goto(`${bed.vault.address}/vault/audit/checkpoints`);
      await page.getByRole("button", { name: /^Forget the ledger/ }).click();
      await page.goto(`${bed.vault.address}/vault/audit`);
      await page.getByRole("button", { name: "Verify the ledger" }).click();
      await page.getByText("Its key is not pinned").waitFor();
    });
  });

  test("a check is called off, and says nothing then", () =>
    dashboard("/audit", async (page) => {
      let release;
      const held = new Promise((resolve) => (release = resolve));
      await page.context().route("**/v1/ledger/bundle**", async (route) => (await held, route.continue().catch(() => {})));
      await page.getByRole("button", { name: "Verify the ledger" }).click();
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByText("Called off").waitFor();
      const answered = page.context().waitForEvent("requestfinished", (request) => request.url().includes("/v1/ledger/bundle")).catch(() => {});
      release();
      await Promise.race([answered, page.waitForTimeout(1000)]);
      // The next check runs, and the one that was called off has left nothing.
      assert.equal(await page.getByText("entries hold").count(), 0);
      await page.getByRole("button", { name: "Verify the ledger" }).click();
      await page.getByText("entries hold").waitFor();
      assert.equal(await page.getByText("Called off").count(), 0);
    }));

  test("a tampered bundle is refused by the entry that is wrong", () =>
    dashboard("/audit", async (page) => {
      const bundle = await downloaded(page, () => page.getByRole("button", { name: "Bundle" }).click());
      assert.match(bundle.name, /^org_.*\.bundle\.jsonl$/);
      await page.goto(`${bed.vault.address}/vault/verify?by=bundle`);
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Choose a bundle first").waitFor();
      await page.locator("main input[type=file]").first().setInputFiles(file(bundle.name, bundle.text));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("entries hold").waitFor();
      const page1 = JSON.parse(bundle.text.split("\n")[0]);
      page1.entries[2].payload.actorId = "apk_00000000000000000000000000";
      await page.locator("main input[type=file]").first().setInputFiles(file("tampered.json", JSON.stringify(page1)));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      const alert = page.getByRole("alert");
      await alert.waitFor();
      assert.match(await alert.textContent(), /does not hold.*entry 2/s);
      await page.locator("main input[type=file]").first().setInputFiles(file("none.json", "[1, 2"));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("malformed_document").or(page.getByText("does not hold")).first().waitFor();
    }));

  test("an entry under a root that nobody signed is found out", async () => {
    const { id } = await bed.vault.postq.ledger.append({ name: "made up" });
    const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
    await dashboard("/audit", async (page) => {
      // A tree of one entry, whose hashes all fit, beside the ledger's own keys and checkpoint.
      const [entry] = (await bed.vault.postq.ledger.entries({ limit: 1 })).items;
      const payload = { ...entry.payload, id, eventType: "key.revoked" };
      const canonical = Buffer.from(JSON.stringify(payload, Object.keys(flat(payload)).sort()));
      const hash = sha256(Buffer.alloc(32), canonical);
      const leaf = sha256(Buffer.from([0]), hash).toString("hex");
      await page.route("**/v1/ledger/entries?since=0**", (route) => route.fulfill({ json: { success: true, pagination: { limit: 1 }, data: [{ ...entry, id, payload, prevHashHex: "0".repeat(64), entryHashHex: hash.toString("hex") }] } }));
      await page.route("**/v1/ledger/proof/**", async (route) => {
        const { data } = await (await route.fetch()).json();
        const checkpoint = { ...data.checkpoint, treeSize: 1, merkleRootHex: leaf };
        await route.fulfill({ json: { success: true, data: { entryId: id, leafIndex: 0, leafHashHex: leaf, proofHex: [], checkpoint } } });
      });
      await page.goto(`${bed.vault.address}/vault/audit?entry=${id}`);
      await page.getByText("This entry does not hold").waitFor();
      assert.match(await page.getByRole("alert").textContent(), /signature|checkpoint/);
    });
  });

  test("closing an entry leaves the timeline where it was", async () => {
    for (let at = 0; at < 60; at += 1) await bed.vault.postq.ledger.append({ name: "filler", message: `${at}` });
    await dashboard("/audit?type=custom.event", async (page) => {
      await page.locator("tbody tr").nth(49).waitFor();
      await page.getByRole("button", { name: "Show more" }).click();
      await page.locator("tbody tr").nth(55).waitFor();
      const [before, link] = [await page.locator("tbody tr").count(), page.locator("tbody a").nth(55)];
      const name = await link.getAttribute("aria-label");
      await link.focus();
      await page.keyboard.press("Enter");
      await page.getByText("In the ledger.").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      assert.equal(await page.locator("tbody tr").count(), before);
      await page.waitForFunction((name) => document.activeElement?.getAttribute("aria-label") === name, name);
      assert.ok(page.url().endsWith("?type=custom.event"));
      await page.getByRole("link", { name: "Tokens" }).click();
      await page.goBack();
      await page.getByRole("heading", { name: "Audit" }).waitFor();
      assert.equal(await page.getByRole("dialog").count(), 0);
    });
  });

  test("a vault that answers with a tampered entry is found out", async () => {
    const key = await bed.vault.postq.hybridKeys.create({ name: "tampered with" });
    const { eventId } = await bed.vault.postq.sign({ keyId: key.id, payload: bytes("x") });
    await dashboard(`/audit?entry=${eventId}`, async (page) => {
      await page.getByText("In the ledger.").waitFor();
      await page.route("**/v1/ledger/entries?**", async (route) => {
        const answer = await (await route.fetch()).json();
        for (const entry of answer.data) entry.payload.data.payloadSize = 2;
        await route.fulfill({ json: answer });
      });
      await page.reload();
      await page.getByText("This entry does not hold").waitFor();
    });
  });
});
