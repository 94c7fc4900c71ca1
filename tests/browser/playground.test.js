// Signing, verifying and breaking, and a KMS that refuses.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bed, dashboard, makeBed, tokenOf } from "./lib/bed.js";
import { ROLE } from "./lib/kms.js";
import { downloaded, file } from "./lib/page.js";

makeBed();

describe("the playground", () => {
  test("signs a text, verifies it twice, and shows which half notices what is broken", async () => {
    const key = await bed.vault.postq.hybridKeys.create({ name: "playground" });
    await dashboard(`/keys/${key.id}?tab=playground`, async (page) => {
      await page.getByRole("textbox", { name: "Text" }).fill("Grüße ✓");
      await page.getByRole("button", { name: "Sign", exact: true }).click();
      await page.getByText("3,309 bytes").first().waitFor();
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      const verdicts = page.locator("[role=status]").filter({ hasText: /holds|fails/ });
      const shown = async () => {
        await page.getByText("in this browser", { exact: true }).waitFor();
        await page.getByRole("button", { name: "Verify", exact: true }).waitFor();
        return (await verdicts.allTextContents()).map((text) => ({ by: /by the API|in this browser/.exec(text)?.[0], valid: text.includes("Valid"), pq: /quantum\) holds/.test(text), classical: /\(classical\) holds/.test(text) }));
      };
      const both = (valid, pq, classical) => ["by the API", "in this browser"].map((by) => ({ by, valid, pq, classical }));
      assert.deepEqual(await shown(), both(true, true, true));
      await page.getByRole("button", { name: "Break the ML-DSA half" }).click();
      await page.getByText("One bit of the ML-DSA half is flipped").waitFor();
      assert.deepEqual(await shown(), both(false, false, true));
      await page.getByRole("button", { name: "Break the classical half" }).click();
      await page.getByText("One bit of the classical half is flipped").waitFor();
      assert.deepEqual(await shown(), both(false, true, false));
      await page.getByRole("button", { name: "Break the message" }).click();
      await page.getByText("One bit of the message is flipped").waitFor();
      assert.deepEqual(await shown(), both(false, false, false));
      await page.getByRole("button", { name: "Mend it" }).click();
      await page.getByText("is flipped").waitFor({ state: "detached" });
      assert.deepEqual(await shown(), both(true, true, true));

      const { text } = await downloaded(page, () => page.getByRole("button", { name: "Signature", exact: true }).click());
      assert.ok((await bed.vault.postq.hybridVerify({ keyId: key.id, payloadBase64: btoa(unescape(encodeURIComponent("Grüße ✓"))), signatureBase64: text.trim() })).ok);
      const receipt = await downloaded(page, () => page.getByRole("button", { name: "Receipt" }).click());
      assert.equal(JSON.parse(receipt.text).signatureBase64, text.trim());
      for (const [name, has] of [["TypeScript", "postq.sign({ keyId, payload })"], ["Python", "vault.sign(key_id=key_id"], ["CLI", `postq sign --key ${key.id}`]]) {
        await page.getByRole("tab", { name }).click();
        await page.getByRole("tabpanel", { name }).getByText(has).waitFor();
        await page.getByRole("button", { name: `Copy the ${name} code` }).click();
        assert.ok((await page.evaluate(() => navigator.clipboard.readText())).includes(has));
      }
    });
  });

  test("hashes a large file in the browser and sends its digest alone", async () => {
    const key = await bed.vault.postq.hybridKeys.create({ name: "large files", algorithm: "mldsa44+ecdsa-p256" });
    const content = Buffer.alloc(3 * 1024 * 1024, "large ");
    await dashboard(`/keys/${key.id}?tab=playground`, async (page) => {
      const sent = [];
      page.on("request", (request) => request.method() === "POST" && sent.push(request.postData()));
      await page.getByRole("tab", { name: "File" }).click();
      await page.getByRole("button", { name: "Sign", exact: true }).click();
      await page.getByText("Choose a file first").waitFor();
      await page.locator("input[type=file]").setInputFiles(file("large.bin", content));
      await page.getByRole("button", { name: "Sign", exact: true }).click();
      await page.getByText("the file stayed here").waitFor();
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("in this browser", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Break the message" }).click();
      await page.getByText("Not valid").nth(1).waitFor();
      assert.equal(sent.length, 3);
      assert.ok(sent.every((body) => body.length < 10_000 && JSON.parse(body).prehash));
    });
    const rows = await bed.vault.postq.hybridKeys.audit(key.id);
    assert.deepEqual(rows.items.map(({ operation, verified }) => [operation, verified ?? null]).slice(0, 3), [["verify", false], ["verify", true], ["sign", null]]);
  });

  test("a token that may not sign is told so, and one that may not verify verifies here", async () => {
    const key = await bed.vault.postq.hybridKeys.create({ name: "scopes" });
    const reads = await tokenOf("keys:read");
    await dashboard(`/keys/${key.id}?tab=playground`, async (page) => {
      await page.getByText("has not the scope").waitFor();
      assert.equal(await page.getByRole("button", { name: "Sign", exact: true }).getAttribute("aria-disabled"), "true");
      assert.equal(await page.getByRole("button", { name: "Rotate" }).count(), 0);
    }, { token: reads });
    await dashboard(`/keys/${key.id}?tab=playground`, async (page) => {
      await page.getByRole("button", { name: "Sign", exact: true }).click();
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Not by the API").waitFor();
      await page.getByText("in this browser", { exact: true }).waitFor();
    }, { token: await tokenOf("keys:read", "sign") });
  });

  test("without a network what was entered stays, and trying again does it once", async () => {
    const key = await bed.vault.postq.hybridKeys.create({ name: "network" });
    await dashboard(`/keys/${key.id}?tab=playground`, async (page, context) => {
      await page.getByRole("textbox", { name: "Text" }).fill("kept");
      await context.setOffline(true);
      await page.getByText("This browser is offline").waitFor();
      await page.getByRole("button", { name: "Sign", exact: true }).click();
      await page.getByText("connection_failed").waitFor();
      assert.equal(await page.getByRole("textbox", { name: "Text" }).inputValue(), "kept");
      await page.getByRole("link", { name: "Tokens" }).click();
      await page.getByText("This page could not be loaded").waitFor();
      await context.setOffline(false);
      await page.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("heading", { name: "Tokens" }).waitFor();
      await page.goBack();
      await page.getByRole("button", { name: "Sign", exact: true }).click();
      await page.getByText("3,309 bytes").first().waitFor();
    }, { expected: /ERR_INTERNET_DISCONNECTED|Failed to fetch dynamically imported module/ });
    assert.equal((await bed.vault.postq.hybridKeys.audit(key.id)).items.filter(({ operation }) => operation === "sign").length, 1);
  });
});

describe("KMS", () => {
  test("settings are tested, refused with a reason, saved, used, and guarded", async () => {
    const [arn, { externalId }] = [await bed.kms.makeKey(), await bed.vault.postq.whoami()];
    await dashboard("/settings", async (page) => {
      await page.getByText(externalId).first().waitFor();
      await page.getByText("Trust policy of the role").click();
      await page.getByRole("button", { name: "Copy the trust policy" }).click();
      const policy = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
      assert.equal(policy.Statement[0].Condition.StringEquals["sts:ExternalId"], externalId);
      await page.getByLabel("ARN of the symmetric key").fill("alias/mine");
      await page.getByRole("button", { name: "Test" }).click();
      await page.getByText("no alias").waitFor();
      await page.getByLabel("ARN of the symmetric key").fill(arn);
      await page.getByLabel("ARN of the role").fill(ROLE);
      await bed.kms.trust(undefined);
      await page.getByRole("button", { name: "Test" }).click();
      await page.getByText("role_open").waitFor();
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("alert").getByText("role_open").waitFor();
      assert.equal(await bed.vault.postq.vault.settings.get(), null);
      await bed.kms.trust(externalId);
      await page.getByRole("button", { name: "Test" }).click();
      await page.getByText("answers").first().waitFor();
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByText("Saved.").waitFor();
      await page.getByText("connected", { exact: true }).waitFor();

      await page.goto(`${bed.vault.address}/vault/keys/new`);
      await page.getByLabel("Name", { exact: true }).fill("all in KMS");
      for (const half of ["classical", "ML-DSA"]) {
        await page.getByRole("group", { name: `Who holds the ${half} half?` }).getByLabel(/AWS KMS/).check();
      }
      await page.getByText("Tier 3: both halves are yours").waitFor();
      await page.getByText("nothing is sealed, so nothing is wrapped").first().waitFor();
      await page.getByRole("button", { name: "Create the key" }).click();
      await page.getByRole("heading", { name: "all in KMS" }).waitFor();
      await page.getByText("arn:aws:kms:eu-central-1").first().waitFor();

      await page.getByRole("tab", { name: "Playground" }).click();
      await bed.kms.faults([{ action: "Sign", how: "denied" }]);
      await page.getByRole("button", { name: "Sign", exact: true }).click();
      assert.match(await page.getByRole("alert").textContent(), /kms_denied.*req_/s);
      await page.getByText("Settings has a test").waitFor();
      await bed.kms.faults([]);
      await page.getByRole("button", { name: "Sign", exact: true }).click();
      await page.getByText("3,309 bytes").first().waitFor();

      await page.goto(`${bed.vault.address}/vault/settings`);
      await page.getByRole("button", { name: "Disconnect" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
      await page.getByRole("dialog").getByText("settings_in_use").waitFor();
    }, { expected: /status of (409|422|502)/ });
    const [key] = (await bed.vault.postq.hybridKeys.list({ namePrefix: "all in KMS" })).items;
    await bed.vault.postq.hybridKeys.revoke(key.id);
  });
});
