// For how long halves may stay opened whose data key a cloud wraps: entered once for all accounts, sent with all of them, and told of every key.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bed, bytes, dashboard, makeBed, tokenOf } from "./lib/bed.js";
import { ROLE } from "./lib/kms.js";
import { pretending, READ } from "./lib/settings.js";

makeBed();

const LABEL = "How many seconds halves may stay opened whose data key your cloud wraps";
const ID = "dek-cache-ttl-seconds";
const time = (page) => page.getByRole("spinbutton", { name: LABEL });
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const saved = (page) => page.getByText("Saved.").waitFor();
/** Waits until what is entered is this. */
const entered = (page, value) => page.waitForFunction(([id, value]) => document.getElementById(id)?.value === value, [ID, value]);

describe("for how long opened halves are kept", () => {
  test("is asked beside what it trades, is 0 unless it is set, and is told to be wrong at its field, by the page and by the vault", () =>
    dashboard(
      "/settings",
      async (page) => {
        await time(page).waitFor();
        assert.deepEqual(await time(page).evaluate(({ value, min, max }) => [value, min, max]), ["0", "0", "300"]);
        const described = () => page.evaluate((id) => document.getElementById(id).getAttribute("aria-describedby").split(" ").map((by) => document.getElementById(by).textContent), ID);
        const [hint, ...none] = await described();
        assert.match(hint, /^0 to 300\. At 0 every signature asks your cloud, .* faster and save the call, .* Lowering it binds the next signature\./);
        assert.deepEqual(none, []);

        await page.getByLabel("ARN of the symmetric key").fill(await bed.kms.makeKey());
        await page.getByLabel("ARN of the role").fill(ROLE);
        const sent = [];
        page.on("request", (request) => request.method() !== "GET" && sent.push(request.postDataJSON()));
        const wrong = async (name, sentence) => {
          await press(page, name);
          await page.locator(`#${ID}-wrong`).getByText(sentence).waitFor();
          assert.deepEqual(await page.evaluate(() => [document.activeElement.id, document.activeElement.getAttribute("aria-invalid")]), [ID, "true"]);
          assert.deepEqual(await described(), [hint, sentence]);
        };
        for (const other of ["301", "-1", "1.5", ""]) {
          await time(page).fill(other);
          for (const name of ["Test", "Save"]) await wrong(name, "It is a whole number of seconds, from 0 to 300.");
        }
        assert.deepEqual(sent, []);

        // As if the vault allowed less than the page knows.
        await page.route("**/v1/vault/settings{,/test}", (route) => {
          if (route.request().method() === "GET") return route.continue();
          return route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), dekCacheTtlSeconds: 301 }) });
        });
        await time(page).fill("300");
        for (const name of ["Test", "Save"]) await wrong(name, "It is 0 to 300 seconds.");
        assert.deepEqual(sent.map(({ dekCacheTtlSeconds }) => dekCacheTtlSeconds), [300, 300]);
        assert.equal(await bed.vault.postq.vault.settings.get(), null);
      },
      { expected: /status of 400/ },
    ));

  test("is not shown to whom settings are not", async () =>
    dashboard("/settings", async (page) => {
      await page.getByText("settings", { exact: true }).first().waitFor();
      assert.equal(await time(page).count(), 0);
    }, { token: await tokenOf("keys:read") }));

  test("goes along with every account that is saved, tested or left", () =>
    dashboard("/settings", async (page) => {
      const asked = await pretending(page, READ);
      await entered(page, "60");
      await page.getByLabel("ARN of the role").fill(ROLE);
      await press(page, "Test");
      await page.getByText("answers").waitFor();
      assert.deepEqual([asked.tested.length, asked.tested[0].dekCacheTtlSeconds], [1, 60]);
      await press(page, "Save");
      await saved(page);
      assert.deepEqual([asked.saved[0].aws.roleArn, asked.saved[0].dekCacheTtlSeconds], [ROLE, 60]);
      await entered(page, "60");

      for (const value of ["300", "0", "45"]) {
        await time(page).fill(value);
        await press(page, "Save");
        await page.waitForFunction(() => !document.querySelector(".button[aria-disabled='true']"));
        await saved(page);
        assert.equal(asked.saved.at(-1).dekCacheTtlSeconds, Number(value));
        await entered(page, value);
      }

      // What is entered and not saved is no part of leaving, and is kept.
      await time(page).fill("120");
      await page.getByRole("button", { name: "Disconnect Azure Key Vault" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
      await page.getByRole("dialog").waitFor({ state: "detached" });
      assert.equal(asked.saved.at(-1).dekCacheTtlSeconds, 45);
      await entered(page, "120");
    }));

  test("is forgotten with the last account, which is said before", () =>
    dashboard("/settings", async (page) => {
      const told = page.getByRole("dialog").getByText("It is the last account: for how long opened halves may be kept is forgotten as well, and is 0 again.");
      const disconnect = page.getByRole("button", { name: "Disconnect Azure Key Vault" });
      const asked = await pretending(page, { ...READ, gcp: null });
      await disconnect.click();
      await page.getByRole("dialog").waitFor();
      assert.equal(await told.count(), 0);
      await page.keyboard.press("Escape");
      asked.stored = { ...READ, aws: null, gcp: null };
      await page.reload();
      await entered(page, "60");
      await disconnect.click();
      await told.waitFor();
      await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await entered(page, "0");
      assert.deepEqual([asked.saved, asked.stored], [[], null]);
    }));

  test("is kept as it was entered where somebody else saved meanwhile, and follows what they saved where it was not", () =>
    dashboard("/settings", async (page) => {
      const asked = await pretending(page, READ);
      await entered(page, "60");
      const overtaken = async (dekCacheTtlSeconds, day) => {
        asked.stored = { ...READ, dekCacheTtlSeconds, updatedAt: `2026-01-${day}T00:00:00.000Z` };
        await press(page, "Save");
        await page.getByText("Somebody else saved meanwhile.").waitFor();
        assert.deepEqual(asked.saved, []);
      };
      await overtaken(30, "02");
      await entered(page, "30");
      await time(page).fill("120");
      await overtaken(10, "03");
      await entered(page, "120");
      await press(page, "Save");
      await saved(page);
      assert.deepEqual(asked.saved.map(({ dekCacheTtlSeconds }) => dekCacheTtlSeconds), [120]);
    }));

  test("is told with what a choice of holders comes to", () =>
    dashboard("/keys/new", async (page) => {
      const comes = page.getByRole("status", { name: "What it comes to" });
      const choose = (question, name) => page.getByRole("group", { name: question }).getByLabel(name).check();
      await comes.getByText("Opened halves are kept for up to 300 s.").waitFor();

      const asked = await pretending(page, READ);
      await comes.getByText("Opened halves are kept for up to 60 s.").waitFor();
      await comes.getByText("What was opened may sign for up to 60 s without Google Cloud KMS: a grant that is withdrawn meanwhile bites after that.").waitFor();
      await choose("Who wraps the data key?", /This vault/);
      await comes.getByText("Opened halves are kept for up to 300 s.").waitFor();
      assert.equal(await comes.getByText("What was opened").count(), 0);
      for (const half of ["classical", "ML-DSA"]) await choose(`Who holds the ${half} half?`, /AWS KMS/);
      await comes.getByText("Tier 3").waitFor();
      assert.equal(await comes.getByText(/opened/i).count(), 0);

      asked.stored = { ...READ, dekCacheTtlSeconds: 0 };
      await page.reload();
      await comes.getByText("Opened anew for every signature.").waitFor();
      await comes.getByText("Tier 1").waitFor();
      assert.equal(await comes.getByText("What was opened").count(), 0);
    }));

  test("is not guessed where a token may not read the settings", async () =>
    dashboard("/keys/new", async (page) => {
      const comes = page.getByRole("status", { name: "What it comes to" });
      await comes.getByText("How long opened halves are kept rests on the settings.").waitFor();
    }, { token: await tokenOf("keys:read", "keys:write") }));

  test("is saved by the vault, and shown beside the tier of every key", async () => {
    const [arn, { externalId }] = [await bed.kms.makeKey(), await bed.vault.postq.whoami()];
    await bed.kms.trust(externalId);
    await dashboard("/settings", async (page) => {
      await page.getByLabel("ARN of the symmetric key").fill(arn);
      await page.getByLabel("ARN of the role").fill(ROLE);
      await time(page).fill("60");
      await press(page, "Save");
      await saved(page);
      assert.equal((await bed.vault.postq.vault.settings.get()).dekCacheTtlSeconds, 60);
      await page.reload();
      await entered(page, "60");

      const { hybridKeys } = bed.vault.postq;
      const make = async (name, more) => (await hybridKeys.create({ name, ...more })).id;
      const wrapped = await make("wrapped by AWS", { kekProvider: "aws-kms" });
      const ours = await make("wrapped here", { kekProvider: "env" });
      const theirs = await make("held by AWS", { keyProvider: "aws-kms", pqProvider: "aws-kms" });
      await bed.vault.postq.sign({ keyId: wrapped, payload: bytes("x") });
      const told = async (id, tier, sentence) => {
        await page.goto(`${bed.vault.address}/vault/keys/${id}`);
        const beside = page.locator("p").filter({ hasText: `Tier ${tier}:` });
        await beside.waitFor();
        if (sentence) await beside.getByText(sentence, { exact: true }).waitFor();
        else assert.equal(await page.getByText(/^opened/i).count(), 0);
      };
      await told(wrapped, 1, "Opened halves are kept for up to 60 s");
      await page.getByText("What was opened may sign for up to 60 s without AWS KMS").waitFor();
      await told(ours, 0, "Opened halves are kept for up to 300 s");
      await told(theirs, 3, undefined);

      const row = (name) => page.getByRole("row").filter({ hasText: name }).getByRole("cell").nth(2);
      const listed = async (times) => {
        await page.goto(`${bed.vault.address}/vault/keys`);
        await row("wrapped here").waitFor();
        const cells = await Promise.all(["wrapped by AWS", "wrapped here", "held by AWS"].map((name) => row(name).innerText()));
        assert.deepEqual(cells.map((text) => text.replace(/\s+/g, " ").trim()), times);
      };
      await listed(["Tier 1 kept 60 s", "Tier 0 kept 300 s", "Tier 3"]);

      await page.goto(`${bed.vault.address}/vault/settings`);
      await time(page).fill("0");
      await press(page, "Save");
      await saved(page);
      await told(wrapped, 1, "Opened anew for every signature");
      assert.equal(await page.getByText("What was opened").count(), 0);
      await listed(["Tier 1 opened anew", "Tier 0 kept 300 s", "Tier 3"]);
    });
  });
});
