// What a person does with the dashboard, and what goes wrong meanwhile.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ROLE, startKms } from "./lib/kms.js";
import { downloaded, file, inDashboard, startBrowser, startWithSdk } from "./lib/page.js";

const RECEIPT = fileURLToPath(new URL("../../examples/receipt/", import.meta.url));

let vault, kms, browser;

before(async () => {
  kms = await startKms();
  vault = await startWithSdk(kms.environment);
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await vault?.stop();
  kms?.stop();
});

const bytes = (text) => new TextEncoder().encode(text);

/** In a tab of its own, signed in with the first token unless told otherwise. */
const dashboard = (path, work, more = {}) => inDashboard(browser, { address: vault.address, token: vault.token, path, ...more }, work);

/** All names in a document, so that each is written, in their order. */
const flat = (value) =>
  Object.entries(value ?? {}).reduce((names, [name, inner]) => ({ ...names, [name]: 1, ...(typeof inner === "object" ? flat(inner) : {}) }), {});

/** A token of these scopes. */
const tokenOf = async (...scopes) => (await vault.postq.tokens.create({ name: scopes.join(" "), scopes })).token;

describe("signing in", () => {
  test("by a token, which stays in memory", () =>
    dashboard("/keys", async (page) => {
      await page.getByLabel("API token").fill(vault.token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
      assert.equal(await page.evaluate(() => sessionStorage.length + localStorage.length), 0);
      assert.ok(!page.url().includes("pq_"));
      await page.reload();
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
    }, { token: undefined }));

  test("it is kept in this tab if the person asks, and forgotten when they sign out", () =>
    dashboard("", async (page) => {
      await page.getByLabel("API token").fill(vault.token);
      await page.getByLabel(/Keep it in this tab/).check();
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "Overview" }).waitFor();
      await page.reload();
      await page.getByRole("heading", { name: "Overview" }).waitFor();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
      assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    }, { token: undefined }));

  test("what is no token, and a token that is not known, are told apart", () =>
    dashboard("", async (page) => {
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("Paste a token").waitFor();
      await page.getByLabel("API token").fill("two words");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("That is no token").waitFor();
      await page.getByLabel("API token").fill(`${vault.token.slice(0, -1)}${vault.token.endsWith("a") ? "b" : "a"}`);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("The vault does not know this token").waitFor();
      assert.equal(await page.getByLabel("API token").getAttribute("aria-invalid"), "true");
    }, { token: undefined, expected: /status of 401/ }));

  test("a session whose token is revoked meanwhile ends, says so, and goes on where it was", async () => {
    const { token, id } = await vault.postq.tokens.create({ name: "short-lived", scopes: ["keys:read", "audit:read"] });
    await dashboard("/keys", async (page) => {
      await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
      await vault.postq.tokens.revoke(id);
      await page.getByRole("link", { name: "Audit" }).click();
      await page.getByText("The session ended").waitFor();
      assert.equal(await page.evaluate(() => sessionStorage.getItem("postq-vault token")), null);
      await page.getByLabel("API token").fill(vault.token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "Audit" }).waitFor();
    }, { token, expected: /status of 401/ });
  });

  test("a token without scopes for a page is told which scope it takes", async () => {
    const token = await tokenOf("verify");
    await dashboard("/keys", async (page) => {
      await page.getByText("keys:read").waitFor();
      for (const [path, scope] of [["/keys/new", "keys:write"], ["/audit", "audit:read"], ["/settings", "settings"], ["/tokens", "admin"], ["", "audit:read"], ["/keys/key_1", "keys:read"]]) {
        await page.goto(`${vault.address}/vault${path}`);
        await page.locator("main").getByText(scope).first().waitFor();
      }
      assert.equal(await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Keys" }).count(), 0);
    }, { token });
  });
});

describe("keys", () => {
  test("without any, the page has the exact command that makes the first", async () => {
    const other = await startWithSdk();
    try {
      await inDashboard(browser, { address: other.address, token: other.token, path: "/keys" }, async (page) => {
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
      assert.ok(await page.getByRole("group", { name: "Who holds the ML-DSA half?" }).getByLabel(/AWS CloudHSM/).isDisabled());
      await page.getByRole("button", { name: "Create the key" }).click();
      await page.getByRole("heading", { name: "made by hand" }).waitFor();
      const [made] = (await vault.postq.hybridKeys.list({ namePrefix: "made by hand" })).items;
      assert.deepEqual([made.algorithm, made.tier, made.metadata], ["mldsa87+ecdsa-p256", 0, { environment: "production" }]);
      assert.equal(await page.getByRole("button", { name: "PEM" }).count(), 0);
    }));

  test("are found by the beginning of a name, and filters stand in the address", async () => {
    const key = await vault.postq.hybridKeys.create({ name: "needle in the hay", algorithm: "mldsa44+ed25519" });
    await vault.postq.hybridKeys.create({ name: "hay" });
    await dashboard("/keys", async (page) => {
      const rows = page.getByRole("table", { name: "Keys" }).locator("tbody tr");
      await rows.first().waitFor();
      await page.getByLabel("Name begins with").fill("needle");
      await page.getByText("needle in the hay").waitFor();
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
    for (let at = 0; at < 55; at += 1) await vault.postq.hybridKeys.create({ name: `many ${at}`, algorithm: "mldsa44+ed25519" });
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
    const key = await vault.postq.hybridKeys.create({ name: "shown", metadata: { team: "release" } });
    await dashboard(`/keys/${key.id}`, async (page) => {
      await page.getByText(key.fingerprint).waitFor();
      const json = await downloaded(page, () => page.getByRole("button", { name: "JSON" }).click());
      assert.deepEqual(json, { name: `${key.id}.json`, text: key.publicKey });
      const pem = await downloaded(page, () => page.getByRole("button", { name: "PEM" }).click());
      assert.equal(pem.text, await vault.postq.hybridKeys.publicKey(key.id, { format: "pem" }));
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
    const key = await vault.postq.hybridKeys.create({ name: "to be rotated" });
    await dashboard(`/keys/${key.id}`, async (page) => {
      await page.getByRole("button", { name: "Rotate" }).click();
      await page.getByText("signs no more").waitFor();
      await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
      await page.getByText("Every link holds: 1 rotation").waitFor();
      const line = page.getByRole("list", { name: "Keys, oldest first" }).getByRole("listitem");
      assert.equal(await line.count(), 2);
      await page.goto(`${vault.address}/vault/keys/${key.id}`);
      await page.getByRole("link", { name: "Its successor" }).click();
      await page.getByRole("heading", { name: "to be rotated" }).waitFor();
    });
    assert.equal((await vault.postq.hybridKeys.get(key.id)).status, "superseded");
  });

  test("one is revoked only by typing its name, and then signs no more", async () => {
    const first = await vault.postq.hybridKeys.create({ name: "to be revoked" });
    const key = await vault.postq.hybridKeys.rotate(first.id);
    await vault.postq.sign({ keyId: key.id, payload: bytes("x") });
    await vault.postq.tokens.create({ name: "bound to it", scopes: ["sign"], keyIds: [key.id] });
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
      assert.equal((await vault.postq.hybridKeys.list({ namePrefix: "asked for once" })).items.length, 1);
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

describe("the playground", () => {
  test("signs a text, verifies it twice, and shows which half notices what is broken", async () => {
    const key = await vault.postq.hybridKeys.create({ name: "playground" });
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
      assert.ok((await vault.postq.hybridVerify({ keyId: key.id, payloadBase64: btoa(unescape(encodeURIComponent("Grüße ✓"))), signatureBase64: text.trim() })).ok);
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
    const key = await vault.postq.hybridKeys.create({ name: "large files", algorithm: "mldsa44+ecdsa-p256" });
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
    const rows = await vault.postq.hybridKeys.audit(key.id);
    assert.deepEqual(rows.items.map(({ operation, verified }) => [operation, verified ?? null]).slice(0, 3), [["verify", false], ["verify", true], ["sign", null]]);
  });

  test("a token that may not sign is told so, and one that may not verify verifies here", async () => {
    const key = await vault.postq.hybridKeys.create({ name: "scopes" });
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
    const key = await vault.postq.hybridKeys.create({ name: "network" });
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
    assert.equal((await vault.postq.hybridKeys.audit(key.id)).items.filter(({ operation }) => operation === "sign").length, 1);
  });
});

describe("KMS", () => {
  test("settings are tested, refused with a reason, saved, used, and guarded", async () => {
    const [arn, { externalId }] = [await kms.makeKey(), await vault.postq.whoami()];
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
      await kms.trust(undefined);
      await page.getByRole("button", { name: "Test" }).click();
      await page.getByText("role_open").waitFor();
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("alert").getByText("role_open").waitFor();
      assert.equal(await vault.postq.vault.settings.get(), null);
      await kms.trust(externalId);
      await page.getByRole("button", { name: "Test" }).click();
      await page.getByText("answers").first().waitFor();
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByText("Saved.").waitFor();
      await page.getByText("connected", { exact: true }).waitFor();

      await page.goto(`${vault.address}/vault/keys/new`);
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
      await kms.faults([{ action: "Sign", how: "denied" }]);
      await page.getByRole("button", { name: "Sign", exact: true }).click();
      assert.match(await page.getByRole("alert").textContent(), /kms_denied.*req_/s);
      await page.getByText("Settings has a test").waitFor();
      await kms.faults([]);
      await page.getByRole("button", { name: "Sign", exact: true }).click();
      await page.getByText("3,309 bytes").first().waitFor();

      await page.goto(`${vault.address}/vault/settings`);
      await page.getByRole("button", { name: "Disconnect" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
      await page.getByRole("dialog").getByText("settings_in_use").waitFor();
    }, { expected: /status of (409|422|502)/ });
    const [key] = (await vault.postq.hybridKeys.list({ namePrefix: "all in KMS" })).items;
    await vault.postq.hybridKeys.revoke(key.id);
  });
});

describe("the ledger", () => {
  test("is a timeline with filters, whose entries are proven in the browser", async () => {
    const key = await vault.postq.hybridKeys.create({ name: "logged" });
    const signed = await vault.postq.sign({ keyId: key.id, payload: bytes("logged") });
    await vault.postq.ledger.append({ name: "deploy", message: "to production" });
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
      await page.goto(`${vault.address}/vault/audit?entry=${signed.eventId}`);
      await drawer.getByText("In the ledger.").waitFor();
    });
  });

  test("is verified whole in the browser, pinned, and found to continue what was pinned", () =>
    dashboard("/audit", async (page) => {
      await page.getByRole("button", { name: "Verify the ledger" }).click();
      await page.getByText("Its key is not pinned").waitFor();
      await page.getByRole("button", { name: "Pin this checkpoint" }).click();
      await page.getByText("Pinned at this checkpoint").waitFor();
      await vault.postq.ledger.append({ name: "later" });
      await page.getByRole("button", { name: "Seal now" }).click();
      await page.getByText("Sealed: a checkpoint over").waitFor();
      await page.getByRole("button", { name: "Verify the ledger" }).click();
      await page.getByText("continues what you saw").waitFor();
      await page.getByRole("link", { name: "Checkpoints" }).click();
      await page.getByText("pinned here").waitFor();
      await page.goto(`${vault.address}/vault`);
      await page.getByText("by the key you pinned").waitFor();
      const [{ checkpoint }] = (await page.evaluate(() => JSON.parse(localStorage.getItem("postq-vault pins")))).ledgers;
      assert.match(checkpoint.merkleRootHex, /^[0-9a-f]{64}$/);
    }));

  test("another ledger than the pinned one is no good", async () => {
    const { org } = await vault.postq.whoami();
    await dashboard("/audit", async (page) => {
      await page.evaluate((org) => localStorage.setItem("postq-vault pins", JSON.stringify({ v: 1, signers: [], ledgers: [{ org, fingerprint: "0".repeat(64) }] })), org);
      await page.reload();
      await page.getByRole("button", { name: "Verify the ledger" }).click();
      await page.getByRole("alert").getByText("Not the ledger that you pinned").waitFor();
      assert.equal(await page.getByRole("button", { name: "Pin this checkpoint" }).count(), 0, "a pin is not replaced by a click");
      await page.goto(`${vault.address}/vault`);
      await page.getByRole("alert").getByText("not the ledger that you pinned").waitFor();
      assert.equal(await page.getByText("Checked here").count(), 0);
      await page.goto(`${vault.address}/vault/audit/checkpoints`);
      await page.getByRole("button", { name: /^Forget the ledger/ }).click();
      await page.goto(`${vault.address}/vault/audit`);
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
      await page.goto(`${vault.address}/vault/verify?by=bundle`);
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Choose a bundle first").waitFor();
      await page.locator("main input[type=file]").first().setInputFiles(file(bundle.name, bundle.text));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("entries hold").waitFor();
      const page1 = JSON.parse(bundle.text.split("\n")[0]);
      page1.entries[7].payload.actorId = "apk_00000000000000000000000000";
      await page.locator("main input[type=file]").first().setInputFiles(file("tampered.json", JSON.stringify(page1)));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      const alert = page.getByRole("alert");
      await alert.waitFor();
      assert.match(await alert.textContent(), /does not hold.*entry 7/s);
      await page.locator("main input[type=file]").first().setInputFiles(file("none.json", "[1, 2"));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("malformed_document").or(page.getByText("does not hold")).first().waitFor();
    }));

  test("an entry under a root that nobody signed is found out", async () => {
    const { id } = await vault.postq.ledger.append({ name: "made up" });
    const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
    await dashboard("/audit", async (page) => {
      // A tree of one entry, whose hashes all fit, beside the ledger's own keys and checkpoint.
      const [entry] = (await vault.postq.ledger.entries({ limit: 1 })).items;
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
      await page.goto(`${vault.address}/vault/audit?entry=${id}`);
      await page.getByText("This entry does not hold").waitFor();
      assert.match(await page.getByRole("alert").textContent(), /signature|checkpoint/);
    });
  });

  test("closing an entry leaves the timeline where it was", async () => {
    for (let at = 0; at < 60; at += 1) await vault.postq.ledger.append({ name: "filler", message: `${at}` });
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
    const key = await vault.postq.hybridKeys.create({ name: "tampered with" });
    const { eventId } = await vault.postq.sign({ keyId: key.id, payload: bytes("x") });
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

describe("verifying, signed out", () => {
  const anonymous = (path, work, more) => dashboard(path, work, { token: undefined, ...more });

  test("by a receipt: good only by what was pinned", () =>
    anonymous("/verify", async (page) => {
      const [text, receipt] = await Promise.all(["hello.txt", "hello.postq.json"].map((name) => readFile(`${RECEIPT}${name}`)));
      const calls = [];
      page.on("request", (request) => request.url().includes("/v1/") && calls.push(request.url()));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Choose the receipt first").waitFor();
      await page.getByLabel("Receipt", { exact: true }).setInputFiles(file("hello.postq.json", receipt));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("no file was checked").waitFor();
      await page.getByLabel("What was signed").setInputFiles(file("hello.txt", text));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Consistent, but by keys you have not pinned").waitFor();
      await page.getByRole("button", { name: "Pin the signer" }).click();
      await page.getByRole("button", { name: "Pin the ledger" }).click();
      await page.getByText("Verified", { exact: true }).waitFor();
      await page.getByLabel("What was signed").setInputFiles(file("hello.txt", "another text"));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Does not verify").waitFor();
      await page.getByLabel("What was signed").setInputFiles(file("hello.txt", text));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Verified", { exact: true }).waitFor();
      await page.getByRole("button", { name: /^Forget the signer/ }).click();
      await page.getByText("Consistent, but by keys you have not pinned").waitFor();
      const { text: pins } = await downloaded(page, () => page.getByRole("button", { name: "Pins", exact: true }).click());
      assert.equal(JSON.parse(pins).ledgers.length, 1);
      assert.deepEqual(calls, [], "nothing was asked of the vault");
    }));

  test("pins that are added later are what the verdict is by, and a contradicting one is", () =>
    anonymous("/verify", async (page) => {
      const [text, receipt, pins] = await Promise.all(["hello.txt", "hello.postq.json", "pins.json"].map((name) => readFile(`${RECEIPT}${name}`)));
      await page.getByLabel("What was signed").setInputFiles(file("hello.txt", text));
      await page.getByLabel("Receipt", { exact: true }).setInputFiles(file("hello.postq.json", receipt));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Consistent, but by keys you have not pinned").waitFor();
      await page.getByLabel("Add pins from a file").setInputFiles(file("pins.json", pins));
      await page.getByText("Verified", { exact: true }).waitFor();
      const { ledgers: [{ org }] } = JSON.parse(pins);
      const other = JSON.stringify({ v: 1, ledgers: [{ org, fingerprint: "1".repeat(64) }] });
      await page.getByLabel("Add pins from a file").setInputFiles(file("other.json", other));
      await page.getByText("pins another key for the ledger").waitFor();
      await page.getByRole("button", { name: /^Forget the ledger/ }).click();
      await page.getByLabel("Add pins from a file").setInputFiles(file("others.json", other));
      await page.getByText("Not by the ledger that you pinned").waitFor();
    }));

  test("by the pins of a file, which must be one", () =>
    anonymous("/verify", async (page) => {
      const [text, receipt, pins] = await Promise.all(["hello.txt", "hello.postq.json", "pins.json"].map((name) => readFile(`${RECEIPT}${name}`)));
      await page.getByLabel("Add pins from a file").setInputFiles(file("pins.json", '{"signers": ["me"]}'));
      await page.getByText("is no file of pins").waitFor();
      await page.getByLabel("Add pins from a file").setInputFiles(file("pins.json", pins));
      await page.getByLabel("Receipt", { exact: true }).setInputFiles(file("hello.postq.json", receipt));
      await page.getByLabel("What was signed").setInputFiles(file("hello.txt", text));
      await page.getByRole("button", { name: "Verify", exact: true }).click();
      await page.getByText("Verified", { exact: true }).waitFor();
      await page.reload();
      await page.getByRole("button", { name: /^Forget the ledger/ }).waitFor();
    }));

  test("by a signature and a public key, in either form", async () => {
    const key = await vault.postq.hybridKeys.create({ name: "given away", algorithm: "mldsa65+ecdsa-p256" });
    const { signature } = await vault.postq.sign({ keyId: key.id, payload: bytes("by hand"), context: bytes("ctx") });
    await anonymous("/verify?by=signature", async (page) => {
      const verify = page.getByRole("button", { name: "Verify", exact: true });
      await page.getByLabel("What was signed").setInputFiles(file("file", "by hand"));
      await page.getByLabel("or the signature, pasted").fill(signature.replace(/(.{64})/g, "$1\n"));
      await page.getByRole("textbox", { name: "Public key" }).fill(key.publicKey);
      await verify.click();
      await page.getByText("Not valid").waitFor();
      await page.getByText("It was signed in a context").click();
      await page.getByLabel("Context, as text").fill("ctx");
      await verify.click();
      await page.getByText("Valid", { exact: true }).waitFor();
      await page.getByText(key.fingerprint).waitFor();
      await page.getByLabel("Signature", { exact: true }).setInputFiles(file("file.sig", Buffer.from(signature, "base64")));
      await verify.click();
      await page.getByText("Valid", { exact: true }).waitFor();
      await page.getByRole("textbox", { name: "Public key" }).fill("{}");
      await verify.click();
      await page.getByText("malformed_public_key").waitFor();
    });
  });
});

test("a verifier that could not be loaded is loaded by the next try", async () => {
  const key = await vault.postq.hybridKeys.create({ name: "without a verifier" });
  const { signature } = await vault.postq.sign({ keyId: key.id, payload: bytes("x") });
  await dashboard("/verify?by=signature", async (page, context) => {
    await context.route("**/*.wasm", (route) => route.abort());
    await page.getByLabel("What was signed").setInputFiles(file("x", "x"));
    await page.getByLabel("or the signature, pasted").fill(signature);
    await page.getByRole("textbox", { name: "Public key" }).fill(key.publicKey);
    const verify = page.getByRole("button", { name: "Verify", exact: true });
    await verify.click();
    await page.getByText("verifier_unavailable").waitFor();
    await context.unroute("**/*.wasm");
    await verify.click();
    await page.getByText("Valid", { exact: true }).waitFor();
  }, { token: undefined, expected: /ERR_FAILED|Failed to fetch/ });
});

test("a check that runs says nothing of what was chosen meanwhile", async () => {
  const [text, receipt, pins] = await Promise.all(["hello.txt", "hello.postq.json", "pins.json"].map((name) => readFile(`${RECEIPT}${name}`)));
  await dashboard("/verify", async (page) => {
    await page.getByLabel("Add pins from a file").setInputFiles(file("pins.json", pins));
    await page.getByText("is pinned here as well").waitFor();
    await page.getByLabel("Receipt", { exact: true }).setInputFiles(file("hello.postq.json", receipt));
    await page.getByLabel("What was signed").setInputFiles(file("large", Buffer.alloc(40 << 20, "x")));
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await page.getByLabel("What was signed").setInputFiles(file("hello.txt", text));
    await page.waitForTimeout(1500);
    assert.equal(await page.getByText(/^(Verified|Does not verify)$/).count(), 0);
    await page.getByRole("button", { name: "Verify", exact: true }).click();
    await page.getByText("Verified", { exact: true }).waitFor();
  }, { token: undefined });
});

describe("tokens", () => {
  test("one is made, shown once, used, and revoked", () =>
    dashboard("/tokens", async (page) => {
      await page.getByRole("button", { name: "Make a token" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Make the token" }).click();
      await dialog.getByText("A token has a name").waitFor();
      await dialog.getByRole("textbox", { name: "Name" }).fill("from the page");
      await dialog.getByRole("button", { name: "Make the token" }).click();
      await dialog.getByText("Choose what it may do").waitFor();
      await dialog.getByLabel(/^sign/).check();
      await dialog.getByRole("button", { name: "Make the token" }).click();
      await dialog.getByText("It is shown this once").waitFor();
      const token = (await dialog.getByText(/^pq_live_/).textContent()).trim();
      await dialog.getByRole("button", { name: "I have it" }).click();
      assert.equal(await page.getByText(token).count(), 0);
      const whoami = async () => (await fetch(`${vault.address}/v1/whoami`, { headers: { authorization: `Bearer ${token}` } })).status;
      assert.equal(await whoami(), 200);
      await page.getByRole("button", { name: "Revoke from the page" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Revoke it" }).click();
      await page.getByRole("button", { name: "Revoke from the page" }).waitFor({ state: "detached" });
      assert.equal(await whoami(), 401);
    }));
});

describe("what others wrote", () => {
  test("is text, whatever it looks like", async () => {
    const hostile = `"><img src=x onerror="window.owned=1"><script>window.owned=1</script>{{7*7}}\${7*7}`;
    const key = await vault.postq.hybridKeys.create({ name: hostile, metadata: { environment: hostile, "<b>": hostile } });
    const rtl = await vault.postq.hybridKeys.create({ name: "\u202egnisrever\u202c ".padEnd(128, "W") });
    await vault.postq.ledger.append({ name: hostile.slice(0, 100), message: hostile, data: { [hostile]: hostile } });
    await vault.postq.tokens.create({ name: hostile, scopes: ["verify"] });
    const [entry] = (await vault.postq.ledger.entries({ order: "newest", eventType: "custom.event", limit: 1 })).items;
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
