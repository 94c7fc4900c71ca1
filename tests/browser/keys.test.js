// The life of a key by hand, done once, and what others wrote about it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bed, bytes, dashboard, makeBed } from "./lib/bed.js";
import { downloaded, inDashboard, startWithSdk } from "./lib/page.js";

makeBed();

describe("keys", () => {
  test("without any, the page has the exact command that makes the first", async () => {
    const other = await startWithSdk();
    try {
      await inDashboard(bed.browser, { address: other.address, token: other.token, path: "/keys" }, async (page) => {
        await page.getByText('postq keys create "release signing"').waitFor();
        await page.getByRole("button", { name: "Copy the command" }).click();
        assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'postq keys create "release signing"');
        await page.goto(`${other.address}/vault`);
        await page.getByText("No keys yet").waitFor();
      });
    } finally {
      await other.stop();
    }
  });

  test("one is made, with what it comes to said before", () =>
    dashboard("/keys/new", async (page) => {
      await page.getByRole("button", { name: "Create the key" }).click();
      await page.getByText("A key has a name").waitFor();
      await page.getByLabel("Name", { exact: true }).fill("made by hand");
      await page.getByLabel("Algorithm", { exact: true }).selectOption("mldsa87+ecdsa-p256");
      await page.getByText("no standard names this combination").waitFor();
      await page.getByLabel(/^Environment/).fill("production");
      await page.getByText("Tier 0: all in this vault").waitFor();
      await page.getByText("Opened halves are kept for up to 300 s.").waitFor();
      assert.ok(await page.getByRole("group", { name: "Who holds the ML-DSA half?" }).getByLabel(/AWS CloudHSM/).isDisabled());
      await page.getByRole("button", { name: "Create the key" }).click();
      await page.getByRole("heading", { name: "made by hand" }).waitFor();
      const [made] = (await bed.vault.postq.hybridKeys.list({ namePrefix: "made by hand" })).items;
      assert.deepEqual([made.algorithm, made.tier, made.metadata], ["mldsa87+ecdsa-p256", 0, { environment: "production" }]);
      assert.equal(await page.getByRole("button", { name: "PEM" }).count(), 0);
    }));

  test("are found by the beginning of a name, and filters stand in the address", async () => {
    const key = await bed.vault.postq.hybridKeys.create({ name: "needle in the hay", algorithm: "mldsa44+ed25519" });
    await bed.vault.postq.hybridKeys.create({ name: "hay" });
    await dashboard("/keys", async (page) => {
      const rows = page.getByRole("table", { name: "Keys" }).locator("tbody tr");
      await rows.first().waitFor();
      await page.getByLabel("Name begins with").fill("needle");
      await page.getByText("needle in the hay").waitFor();
      await rows.first().getByRole("cell", { name: "Tier 0 kept 300 s" }).waitFor();
      await page.waitForURL(/name=needle/);
      await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
      await page.getByLabel("Status").selectOption("revoked");
      await page.getByText("No key fits").waitFor();
      assert.match(page.url(), /name=needle&status=revoked|status=revoked&name=needle/);
      await page.reload();
      await page.getByText("No key fits").waitFor();
      assert.equal(await page.getByLabel("Name begins with").inputValue(), "needle");
      await page.getByRole("button", { name: "Show all keys" }).click();
      await page.getByLabel("Algorithm").selectOption("mldsa44+ed25519");
      await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
      await page.getByRole("link", { name: "needle in the hay" }).click();
      await page.waitForURL(`**/vault/keys/${key.id}`);
      await page.goBack();
      await page.waitForURL(/algorithm=mldsa44/);
    });
  });

  test("more than a page of them is read page by page", async () => {
    for (let at = 0; at < 55; at += 1) await bed.vault.postq.hybridKeys.create({ name: `many ${at}`, algorithm: "mldsa44+ed25519" });
    await dashboard("/keys?name=many", async (page) => {
      await page.getByRole("link", { name: "many 54", exact: true }).waitFor();
      assert.equal(await page.locator("tbody tr").count(), 50);
      await page.getByRole("button", { name: "Show more" }).click();
      await page.getByRole("link", { name: "many 0", exact: true }).waitFor();
      assert.equal(await page.locator("tbody tr").count(), 55);
      assert.equal(await page.getByRole("button", { name: "Show more" }).count(), 0);
      await page.getByText("That is all.").and(page.locator(":focus")).waitFor();
      await page.getByLabel("Name begins with").press("End");
      await page.getByLabel("Name begins with").pressSequentially(" 5", { delay: 150 });
      await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 6);
      assert.equal(await page.getByLabel("Name begins with").inputValue(), "many 5", "the field keeps the focus while its list is read");
    });
  });

  test("one shows what it is, and gives its public key as it is", async () => {
    const key = await bed.vault.postq.hybridKeys.create({ name: "shown", metadata: { team: "release" } });
    await dashboard(`/keys/${key.id}`, async (page) => {
      await page.getByText(key.fingerprint).waitFor();
      const beside = page.locator("p").filter({ hasText: "Tier 0: all in this vault" });
      await beside.getByText("Opened halves are kept for up to 300 s", { exact: true }).waitFor();
      const json = await downloaded(page, () => page.getByRole("button", { name: "JSON" }).click());
      assert.deepEqual(json, { name: `${key.id}.json`, text: key.publicKey });
      const pem = await downloaded(page, () => page.getByRole("button", { name: "PEM" }).click());
      assert.equal(pem.text, await bed.vault.postq.hybridKeys.publicKey(key.id, { format: "pem" }));
      await page.getByRole("button", { name: "Copy the fingerprint" }).click();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key.fingerprint);
    });
  });

  test("one that there is not is told with the request's id", () =>
    dashboard("/keys/key_00000000000000000000000000", async (page) => {
      const alert = page.getByRole("alert");
      await alert.waitFor();
      assert.match(await alert.textContent(), /not_found.*req_/s);
    }, { expected: /status of 404/ }));

  test("one is rotated by one click, and its line is checked in the browser", async () => {
    const key = await bed.vault.postq.hybridKeys.create({ name: "to be rotated" });
    await dashboard(`/keys/${key.id}`, async (page) => {
      await page.getByRole("button", { name: "Rotate" }).click();
      await page.getByText("signs no more").waitFor();
      await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
      await page.getByText("Every link holds: 1 rotation").waitFor();
      const line = page.getByRole("list", { name: "Keys, oldest first" }).getByRole("listitem");
      assert.equal(await line.count(), 2);
      await page.goto(`${bed.vault.address}/vault/keys/${key.id}`);
      await page.getByRole("link", { name: "Its successor" }).click();
      await page.getByRole("heading", { name: "to be rotated" }).waitFor();
    });
    assert.equal((await bed.vault.postq.hybridKeys.get(key.id)).status, "superseded");
  });

  test("one is revoked only by typing its name, and then signs no more", async () => {
    const first = await bed.vault.postq.hybridKeys.create({ name: "to be revoked" });
    const key = await bed.vault.postq.hybridKeys.rotate(first.id);
    await bed.vault.postq.sign({ keyId: key.id, payload: bytes("x") });
    await bed.vault.postq.tokens.create({ name: "bound to it", scopes: ["sign"], keyIds: [key.id] });
    await dashboard(`/keys/${key.id}`, async (page) => {
      await page.getByRole("button", { name: "Revoke" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("This is for ever").waitFor();
      await dialog.getByText("1 signature in the last 30 days, by 1 token").waitFor();
      await dialog.getByText("bound to it").waitFor();
      const revoke = dialog.getByRole("button", { name: "Revoke for ever" });
      assert.ok(await revoke.isDisabled());
      await dialog.getByLabel(/Type the key's name/).fill("to be revoke");
      assert.ok(await revoke.isDisabled());
      await dialog.getByLabel(/Type the key's name/).fill("to be revoked");
      await revoke.click();
      await page.getByText("This key is revoked, for ever").waitFor();
      assert.equal(await page.getByText("Opened halves").count(), 0, "there is nothing left to be opened");
      assert.equal(await page.getByRole("button", { name: "Revoke" }).count(), 0);
      await page.getByRole("tab", { name: "Playground" }).click();
      await page.getByRole("button", { name: "Sign", exact: true }).click();
      assert.match(await page.getByRole("alert").textContent(), /key_revoked/);
      await page.getByRole("tab", { name: "Activity" }).click();
      await page.getByRole("cell", { name: "revoke", exact: true }).waitFor();
    }, { expected: /status of 409/ });
  });
});

describe("what was asked for once", () => {
  test("is done once, though its answer was lost and the person tried again", () =>
    dashboard("/keys/new", async (page) => {
      let lose = true;
      await page.route("**/v1/hybrid-keys", async (route) => {
        if (route.request().method() !== "POST" || !lose) return route.continue();
        await route.fetch();
        await route.abort("connectionreset");
      });
      await page.getByLabel("Name", { exact: true }).fill("asked for once");
      await page.getByRole("button", { name: "Create the key" }).click();
      await page.getByText("connection_failed").waitFor();
      lose = false;
      await page.getByRole("button", { name: "Create the key" }).click();
      await page.getByRole("heading", { name: "asked for once" }).waitFor();
      assert.equal((await bed.vault.postq.hybridKeys.list({ namePrefix: "asked for once" })).items.length, 1);
    }, { expected: /ERR_CONNECTION_RESET/ }));

  test("a token of which the answer was lost is not shown by a second one", () =>
    dashboard("/tokens", async (page) => {
      let lose = true;
      await page.route("**/v1/api-tokens", async (route) => {
        if (route.request().method() !== "POST" || !lose) return route.continue();
        await route.fetch();
        await route.abort("connectionreset");
      });
      await page.getByRole("button", { name: "Make a token" }).click();
      await page.getByRole("textbox", { name: "Name" }).fill("lost");
      await page.getByRole("checkbox", { name: /^verify/ }).check();
      await page.getByRole("button", { name: "Make the token" }).click();
      await page.getByText("connection_failed").waitFor();
      lose = false;
      await page.getByRole("button", { name: "Make the token" }).click();
      await page.getByText("already_created").waitFor();
      await page.getByText("revoke what was made").waitFor();
    }, { expected: /ERR_CONNECTION_RESET|status of 409/ }));
});

describe("what others wrote", () => {
  test("is text, whatever it looks like", async () => {
    const hostile = `"><img src=x onerror="window.owned=1"><script>window.owned=1</script>{{7*7}}\${7*7}`;
    const key = await bed.vault.postq.hybridKeys.create({ name: hostile, metadata: { environment: hostile, "<b>": hostile } });
    const rtl = await bed.vault.postq.hybridKeys.create({ name: "\u202egnisrever\u202c ".padEnd(128, "W") });
    await bed.vault.postq.ledger.append({ name: hostile.slice(0, 100), message: hostile, data: { [hostile]: hostile } });
    await bed.vault.postq.tokens.create({ name: hostile, scopes: ["verify"] });
    const [entry] = (await bed.vault.postq.ledger.entries({ order: "newest", eventType: "custom.event", limit: 1 })).items;
    for (const path of ["/keys", `/keys/${key.id}`, `/keys/${key.id}?tab=playground`, `/keys/${rtl.id}`, "/audit", `/audit?entry=${entry.id}`, "/tokens", ""]) {
      await dashboard(path, async (page) => {
        await page.locator("h1").waitFor();
        await page.waitForLoadState("networkidle");
        assert.equal(await page.evaluate(() => window.owned), undefined, path);
        assert.equal(await page.locator("main img, main script, main b").count(), 0, path);
        if (path === `/keys/${key.id}`) {
          assert.equal(await page.locator("h1").textContent(), hostile);
          await page.getByRole("button", { name: "Revoke" }).click();
          await page.getByRole("dialog").getByText(hostile).first().waitFor();
        }
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} is no wider than the window`);
      });
    }
  });
});
