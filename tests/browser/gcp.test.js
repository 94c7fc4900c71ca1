// An account in Google Cloud: what is wrong is told where it is, a key file goes into the body of a call and nowhere else, and the accounts in
// other clouds go along as they were read.

import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, test } from "node:test";
import { bed, dashboard, makeBed } from "./lib/bed.js";
import { file } from "./lib/page.js";
import { ACCOUNT, KEY, pretending, READ, RING } from "./lib/settings.js";

makeBed();

const AXE = await readFile(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");
const PROVIDER = "projects/123456789012/locations/global/workloadIdentityPools/postq/providers/postq-vault";
const NOT_SEEN = randomBytes(20).toString("hex");

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048, privateKeyEncoding: { type: "pkcs8", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } });
const KEY_FILE = JSON.stringify({ type: "service_account", project_id: "my-project", private_key_id: NOT_SEEN, private_key: privateKey, client_email: ACCOUNT, universe_domain: "googleapis.com" }, null, 2);
const chosen = (content = KEY_FILE) => file("my-project-0123456789ab.json", content, "application/json");

const card = (page) => page.getByRole("region", { name: "Google Cloud KMS" });
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const done = (page) => page.waitForFunction(() => !document.querySelector(".button[aria-disabled='true']"));

/** Whether the page has something: in its text, in what is entered, in what is chosen, in its storage, in its address. */
const has = (page, text) =>
  page.evaluate(async (text) => {
    const inputs = [...document.querySelectorAll("input, textarea")];
    const files = await Promise.all(inputs.flatMap(({ files }) => [...(files ?? [])].map((file) => file.text())));
    const all = [document.documentElement.outerHTML, ...inputs.map(({ value }) => value), ...files, JSON.stringify({ ...localStorage, ...sessionStorage }), JSON.stringify(history.state), location.href];
    return all.some((part) => part?.includes(text));
  }, text);

describe("an account in Google Cloud", () => {
  test("is told to be wrong at its field, by the page and by the vault", () =>
    dashboard(
      "/settings",
      async (page) => {
        const [name, ring, key] = ["Name of the symmetric key", "Key ring of the halves", "Key file"].map((label) => card(page).getByLabel(label));
        const wrong = async (field, sentence) => {
          await press(page, "Test");
          await page.locator(`#${field}-wrong`).getByText(sentence).waitFor();
          const focused = await page.evaluate(() => [document.activeElement.id, document.activeElement.getAttribute("aria-invalid")]);
          assert.deepEqual(focused, [field, "true"]);
        };
        await name.fill("kek");
        await wrong("kek-key-name", "A key's name is complete");
        await name.fill(`${KEY}/cryptoKeyVersions/1`);
        await wrong("kek-key-name", "no version's");
        await name.fill(KEY);
        await ring.fill("postq");
        await wrong("key-ring-name", "A key ring's name is complete");
        await ring.fill("");
        await wrong("service-account-key", "Choose the service account's key file.");
        for (const other of ["-----BEGIN PRIVATE KEY-----", JSON.stringify({ type: "authorized_user" }), "", KEY_FILE + " ".repeat(16 * 1024)]) {
          await key.setInputFiles(chosen(other));
          await wrong("service-account-key", "This is not the JSON file");
        }

        await key.setInputFiles(chosen(JSON.stringify({ ...JSON.parse(KEY_FILE), private_key: "none" })));
        await wrong("service-account-key", "It must be the text of the JSON file that Google makes");
        await key.setInputFiles(chosen());
        await name.fill(KEY.replace("my-project", "My-Project"));
        await wrong("kek-key-name", "It must be a key's complete name and no version's");
        await name.fill(KEY);
        await card(page).getByRole("radio", { name: /^Federated/ }).check();
        await page.getByLabel("Name of the provider").fill(PROVIDER.replace("123456789012", "my-project"));
        await wrong("workload-identity-provider", "with the project's number");
        await page.getByLabel("Name of the provider").fill(PROVIDER);
        await page.getByLabel("Service account to impersonate").fill("somebody@example.com");
        await wrong("service-account-email", "A service account's address is");
        await page.getByLabel("Service account to impersonate").fill(ACCOUNT.replace("postq", "Postq"));
        await wrong("service-account-email", "It must be a service account's address");
        assert.equal(await bed.vault.postq.vault.settings.get(), null);
      },
      { expected: /status of 400/ },
    ));

  test("is entered by a chosen key file, which is sent and kept nowhere", async () => {
    const addresses = [];
    await dashboard("/settings", async (page) => {
      page.on("request", (request) => addresses.push(request.url()));
      const asked = await pretending(page, null);
      await card(page).getByLabel("Name of the symmetric key").fill(KEY);
      await card(page).getByLabel("Key file").setInputFiles(chosen());
      await card(page).getByText("my-project-0123456789ab.json").waitFor();
      assert.equal(await page.evaluate((text) => document.documentElement.outerHTML.includes(text), NOT_SEEN), false);
      await press(page, "Test");
      await page.getByText("answers").waitFor();
      const sent = { kekKeyName: KEY, protectionLevel: "software", serviceAccountKey: KEY_FILE };
      assert.deepEqual(asked.tested, [{ defaultKekProvider: "env", dekCacheTtlSeconds: 0, gcp: sent }]);

      await card(page).getByRole("radio", { name: /^HSM/ }).check();
      await press(page, "Save");
      await page.getByText("Saved.").waitFor();
      assert.deepEqual(asked.saved, [{ defaultKekProvider: "env", dekCacheTtlSeconds: 0, gcp: { ...sent, protectionLevel: "hsm" } }]);
      await card(page).getByText(`A key of ${ACCOUNT} is stored`).waitFor();
      await card(page).getByText("delete it from your disk").waitFor();
      for (const text of [NOT_SEEN, "my-project-0123456789ab.json", "BEGIN PRIVATE KEY"]) assert.equal(await has(page, text), false, text);

      // What is stored stays, for the projects that it was handed over for.
      await press(page, "Save");
      await page.getByText("Saved.").waitFor();
      assert.equal(asked.saved.at(-1).gcp.serviceAccountKey, undefined);
      await card(page).getByLabel("Name of the symmetric key").fill(KEY.replace("my-project", "another"));
      await card(page).getByText("is stored, and stays").waitFor({ state: "detached" });
      await press(page, "Save");
      await page.locator("#service-account-key-wrong").waitFor();
      assert.equal(asked.saved.length, 2);
    });
    assert.ok(addresses.length > 0 && addresses.every((address) => !address.includes(NOT_SEEN)));
  });

  test("is entered by a file that can be taken back, and chosen again after it was changed", () =>
    dashboard("/settings", async (page) => {
      const asked = await pretending(page, null);
      const key = card(page).getByLabel("Key file");
      assert.equal(await card(page).locator("input[type=password]").count(), 0);
      await card(page).getByLabel("Name of the symmetric key").fill(KEY);
      await key.setInputFiles(chosen());
      const remove = card(page).getByRole("button", { name: "Remove" });
      await remove.focus();
      await page.keyboard.press("Enter");
      await card(page).getByText("or drop it here").waitFor();
      assert.deepEqual(await page.evaluate(() => [document.activeElement.id, document.activeElement.files.length]), ["service-account-key", 0]);
      await press(page, "Save");
      await page.locator("#service-account-key-wrong").getByText("Choose the service account's key file.").waitFor();
      assert.deepEqual(asked.saved, []);

      // Nothing is lost where the browser's dialog is opened and nothing chosen in it.
      await key.setInputFiles(chosen("{}"));
      const choosing = page.waitForEvent("filechooser");
      await key.click();
      const chooser = await choosing;
      assert.equal(await key.evaluate(({ files }) => files.length), 0);
      await card(page).getByText("my-project-0123456789ab.json").waitFor();
      await chooser.setFiles(chosen());
      await press(page, "Save");
      await page.getByText("Saved.").waitFor();
      assert.equal(asked.saved[0].gcp.serviceAccountKey, KEY_FILE);
    }));

  test("is kept as it was entered where somebody else saved meanwhile, and cannot be changed while it is saved", () =>
    dashboard(
      "/settings",
      async (page) => {
        const asked = await pretending(page, READ);
        await page.getByText("connected", { exact: true }).nth(2).waitFor();
        const ring = `${RING}-halves`;
        await card(page).getByLabel("Key ring of the halves").fill(ring);
        await card(page).getByLabel("Key file").setInputFiles(chosen());
        const others = { ...READ, aws: { ...READ.aws, keyArn: `${READ.aws.keyArn}-now` }, updatedAt: "2026-01-02T00:00:00.000Z" };
        let go;
        const held = new Promise((resolve) => (go = resolve));
        await page.route(
          "**/v1/vault/settings",
          async (route) => {
            if (route.request().method() !== "PUT") return route.fallback();
            await held;
            asked.stored = others;
            return route.fulfill({ status: 409, json: { success: false, error: "the settings were changed meanwhile", code: "settings_changed" } });
          },
          // What is stored is read before it is put.
          { times: 2 },
        );
        const kept = page.getByText("Somebody else saved meanwhile. What you entered is kept: look at what is stored now, then save again.");
        const same = async () => {
          assert.equal(await card(page).getByLabel("Key ring of the halves").inputValue(), ring);
          await card(page).getByText("my-project-0123456789ab.json").waitFor();
          // What nobody entered anything of is as it is stored now.
          await page.waitForFunction((now) => document.getElementById("key-arn")?.value === now, asked.stored.aws.keyArn);
        };
        await press(page, "Save");
        await page.getByRole("button", { name: "Saving…" }).waitFor();
        assert.equal(await card(page).evaluate((section) => section.inert), true);
        go();
        await kept.waitFor();
        assert.equal(await card(page).evaluate((section) => section.inert), false);
        await same();
        assert.deepEqual(asked.saved, []);

        // The same where the page sees it before it sends anything.
        asked.stored = { ...READ, updatedAt: "2026-01-03T00:00:00.000Z" };
        await press(page, "Save");
        await kept.waitFor();
        await same();
        assert.deepEqual(asked.saved, []);

        await press(page, "Save");
        await page.getByText("Saved.").waitFor();
        const [{ aws, gcp }] = asked.saved;
        assert.deepEqual([aws.keyArn, gcp.keyRingName, gcp.serviceAccountKey], [READ.aws.keyArn, ring, KEY_FILE]);
      },
      { expected: /status of 409/ },
    ));

  test("is entered by federation, for which nothing is sent that is secret, and which a vault on a machine by itself has not", async () => {
    const { externalId } = await bed.vault.postq.whoami();
    await dashboard("/settings", async (page) => {
      await card(page).getByLabel("Name of the symmetric key").fill(KEY);
      await card(page).getByLabel("Key file").setInputFiles(chosen());
      await card(page).getByRole("radio", { name: /^Federated/ }).check();
      await card(page).getByLabel("Key file").waitFor({ state: "detached" });
      await card(page).getByText(externalId).first().waitFor();
      await card(page).getByText("Provider of the pool").click();
      await card(page).getByRole("button", { name: "Copy the provider" }).click();
      assert.ok((await page.evaluate(() => navigator.clipboard.readText())).includes(`--allowed-audiences="${externalId}"`));
      const sent = [];
      page.on("request", (request) => request.url().endsWith("/settings/test") && sent.push(request.postDataJSON().gcp));
      await card(page).getByLabel("Name of the provider").fill(PROVIDER);
      await press(page, "Test");
      const check = page.getByRole("listitem").filter({ hasText: "Google Cloud KMS" });
      await check.getByText("credentials_unavailable").waitFor();
      await card(page).getByLabel("Service account to impersonate").fill(ACCOUNT);
      await press(page, "Test");
      await done(page);
      const account = { kekKeyName: KEY, protectionLevel: "software", workloadIdentityProvider: PROVIDER };
      assert.deepEqual(sent, [account, { ...account, serviceAccountEmail: ACCOUNT }]);
    });
  });

  test("goes along with the others as they were read, and is left alone", () =>
    dashboard("/settings", async (page) => {
      const asked = await pretending(page, READ);
      await page.getByText("connected", { exact: true }).nth(2).waitFor();
      await press(page, "Save");
      await page.getByText("Saved.").waitFor();
      const { aws, azure, gcp } = READ;
      const entered = {
        aws: { keyArn: aws.keyArn },
        azure: { vaultUrl: azure.vaultUrl, kekName: azure.kekName, tenantId: azure.tenantId, clientId: azure.clientId, auth: azure.auth },
        gcp: { kekKeyName: gcp.kekKeyName, keyRingName: gcp.keyRingName, protectionLevel: gcp.protectionLevel },
      };
      assert.deepEqual(asked.saved.pop(), { defaultKekProvider: "gcp-kms", dekCacheTtlSeconds: 60, ...entered });

      for (const [name, told, rest] of [
        ["Azure Key Vault", "The vault forgets the account. It refuses", { defaultKekProvider: "gcp-kms", dekCacheTtlSeconds: 60, aws, gcp }],
        ["Google Cloud KMS", "and the service account's key with it", { defaultKekProvider: "env", dekCacheTtlSeconds: 60, aws, azure }],
      ]) {
        asked.stored = READ;
        await page.reload();
        await page.getByRole("button", { name: `Disconnect ${name}` }).click();
        await page.getByRole("dialog").getByText(told).waitFor();
        let go;
        const held = new Promise((resolve) => (go = resolve));
        await page.route("**/v1/vault/settings", async (route) => { await held; return route.fallback(); }, { times: 1 });
        await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
        // It does not look called off while it is under way.
        await page.getByRole("dialog").getByText("Disconnecting…").waitFor();
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").getByRole("button", { name: "Leave it" }).click({ force: true });
        await page.getByRole("dialog").getByText("Disconnecting…").waitFor();
        go();
        await page.getByRole("dialog").waitFor({ state: "detached" });
        assert.deepEqual(JSON.parse(JSON.stringify(asked.saved.pop())), rest);
      }
    }));

  test("wraps and holds what a new key has, once it is named", () =>
    dashboard("/keys/new", async (page) => {
      const offered = (question) => page.getByRole("group", { name: question }).getByLabel(/Google Cloud KMS/);
      const questions = ["Who wraps the data key?", "Who holds the classical half?", "Who holds the ML-DSA half?"];
      await page.getByText("Name your Google Cloud account first, in Settings.").nth(2).waitFor();
      for (const question of questions) assert.equal(await offered(question).isDisabled(), true);

      await pretending(page, READ);
      await offered(questions[0]).and(page.locator(":checked")).waitFor();
      await page.getByText("Without a grant of Google Cloud KMS's the data key stays shut").waitFor();
      for (const algorithm of ["mldsa65+ed25519", "mldsa87+ecdsa-p256"]) {
        await page.getByRole("combobox", { name: "Algorithm" }).selectOption(algorithm);
        for (const question of questions) assert.equal(await offered(question).isDisabled(), false);
      }
      await offered(questions[2]).check();
      await page.getByText("The vault alone could not sign: the ML-DSA half is held by Google Cloud KMS.").waitFor();
      await page.getByText("The classical half opens only while Google Cloud KMS unwraps its data key.").waitFor();
      await offered(questions[1]).check();
      await page.getByText("Who administers Google Cloud KMS could sign without the vault, and leaves a trace only where").waitFor();
      await page.getByRole("group", { name: questions[1] }).getByLabel(/AWS KMS/).check();
      await page.getByText("could sign without the vault, though not without a trace in your own logs.").waitFor();

      // HSMs have no ML-DSA.
      await pretending(page, { ...READ, gcp: { ...READ.gcp, protectionLevel: "hsm" } });
      await page.getByText("Your settings have halves made in HSMs, which have no ML-DSA.").waitFor();
      for (const question of questions) assert.equal(await offered(question).isDisabled(), question === questions[2]);
    }));

  test("is named by keyboard alone", () =>
    dashboard("/settings", async (page) => {
      // Listened for from the beginning: choosers are handed over only once the browser was told to.
      let opened;
      page.on("filechooser", (chooser) => opened(chooser));
      const asked = await pretending(page, null);
      await card(page).waitFor();
      const tabTo = async (label) => {
        const here = () => page.evaluate(() => (document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim());
        for (let steps = 0; !(await here()).startsWith(label); steps += 1) {
          assert.ok(steps < 80, `${label} is tabbed to`);
          await page.keyboard.press("Tab");
        }
      };
      await tabTo("Role in the project");
      await page.keyboard.press("Enter");
      await card(page).getByText("cloudkms.cryptoKeyVersions.useToSign").waitFor();
      await tabTo("Name of the symmetric key");
      await page.keyboard.type(KEY);
      await tabTo("Software");
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("ArrowLeft");
      await tabTo("By a service account's key");
      for (const key of ["ArrowRight", "ArrowLeft"]) await page.keyboard.press(key);
      await tabTo("Key file");
      const chooser = new Promise((resolve) => (opened = resolve));
      await page.keyboard.press("Space");
      const late = page.waitForTimeout(10_000).then(() => assert.fail("no file is asked for"));
      late.catch(() => {});
      await (await Promise.race([chooser, late])).setFiles(chosen());
      await tabTo("Save");
      await page.keyboard.press("Enter");
      await page.getByText("Saved.").waitFor();
      assert.deepEqual(asked.saved, [{ defaultKekProvider: "env", dekCacheTtlSeconds: 0, gcp: { kekKeyName: KEY, protectionLevel: "software", serviceAccountKey: KEY_FILE } }]);
    }));

  test("has nothing that axe finds serious, either way in, in either theme, in a narrow window", () =>
    dashboard("/settings", async (page) => {
      await page.setViewportSize({ width: 320, height: 900 });
      await card(page).getByLabel("Name of the symmetric key").fill(KEY);
      await card(page).getByLabel("Key file").setInputFiles(chosen("{}"));
      await press(page, "Test");
      await page.locator("#service-account-key-wrong").waitFor();
      await page.evaluate(AXE);
      for (const way of [/^By a service account's key/, /^Federated/]) {
        await card(page).getByRole("radio", { name: way }).check();
        for (const summary of await card(page).locator("details:not([open]) summary").all()) await summary.click();
        for (const colorScheme of ["light", "dark"]) {
          await page.emulateMedia({ colorScheme });
          const found = await page.evaluate(async () => {
            const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
            const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
            return [...serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target)}`), ...(document.documentElement.scrollWidth > innerWidth ? ["it scrolls sideways"] : [])];
          });
          assert.deepEqual(found, [], `${way} ${colorScheme}`);
        }
      }
    }));
});
