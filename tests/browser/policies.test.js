// Policies: taken up, written, changed, violated, put out of force and deleted.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bed, dashboard, makeBed, tokenOf } from "./lib/bed.js";

makeBed();

/** What a refusal leaves in the console: the browser names the status of every answer that is none of 2xx. */
const REFUSED = /status of 4(03|09)/;

describe("policies", () => {
  test("one that is offered is taken up, and refuses the very next key", () =>
    dashboard("/policies", async (page) => {
      await page.getByText("There is no policy").waitFor();
      await page.getByRole("button", { name: "Look at it New keys are of level 3 or higher" }).click();
      const dialog = page.getByRole("dialog");
      assert.equal(await dialog.getByLabel("ML-DSA at least").inputValue(), "3");
      await dialog.getByRole("button", { name: "Save the policy" }).click();
      await page.getByText("Making a key takes level 3 or higher, in every environment.").waitFor();
      await assert.rejects(bed.vault.postq.hybridKeys.create({ name: "weak", algorithm: "mldsa44+ed25519" }), (error) => error.code === "policy_violated");
      await page.getByRole("button", { name: /^Look at it New keys/ }).waitFor({ state: "detached" });
      await page.getByRole("button", { name: /^Delete New keys/ }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete it" }).click();
      await page.getByText("There is no policy").waitFor();
      await bed.vault.postq.hybridKeys.create({ name: "weak", algorithm: "mldsa44+ed25519" });
    }));

  test("one is written, found wanting, changed, put out of force and back", () =>
    dashboard("/policies", async (page) => {
      await page.getByRole("button", { name: "Write a policy" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Save the policy" }).click();
      await dialog.getByText("A policy has a name").waitFor();
      await dialog.getByRole("textbox", { name: "Name" }).fill("production <b>signs</b> elsewhere");
      await dialog.getByRole("button", { name: "Save the policy" }).click();
      await dialog.getByText("Choose what it demands").waitFor();
      await dialog.getByLabel("It is about").selectOption("sign");
      await dialog.getByLabel("Tier at least").selectOption("2");
      await dialog.getByLabel("Environments").fill("prod,  production");
      await dialog.getByRole("button", { name: "Save the policy" }).click();
      await page.getByText("Signing takes tier 2 or higher, in prod, production, and").waitFor();
      const [policy] = await bed.vault.postq.policies.list();
      assert.deepEqual(policy.environments, ["prod", "production"]);
      const { id } = await bed.vault.postq.hybridKeys.create({ name: "p", metadata: { environment: "prod" } });
      const signs = () => bed.vault.postq.sign({ keyId: id, payload: new Uint8Array(1) });
      await assert.rejects(signs(), (error) => error.details.policyId === policy.id && error.message.includes("tier 2"));

      await page.getByRole("button", { name: /^Put out of force/ }).click();
      await page.getByText("not in force").waitFor();
      await signs();
      await page.getByRole("button", { name: /^Put in force/ }).click();
      await page.getByText("not in force").waitFor({ state: "detached" });
      await assert.rejects(signs());
      await page.getByRole("button", { name: /^Change production/ }).click();
      assert.equal(await dialog.getByLabel("Environments").inputValue(), "prod, production");
      await dialog.getByRole("radio", { name: /^Warn/ }).check();
      await dialog.getByRole("button", { name: "Save the policy" }).click();
      await page.getByText("Warn", { exact: true }).waitFor();
      await signs();

      await page.getByRole("link", { name: "What violated one" }).click();
      await page.getByText(/^done, sign, production <b>signs<\/b> elsewhere$/).first().waitFor();
      await page.getByText(/^refused, sign, /).first().waitFor();
      await bed.vault.postq.policies.delete(policy.id);
    }));

  test("a refusal is told with what would satisfy the policy, and a schedule is set", () =>
    dashboard("/keys/new", async (page) => {
      const policy = await bed.vault.postq.policies.create({ name: "strong", action: "enforce", rule: { matchOperation: "key_create", minPqLevel: 5 } });
      await page.getByRole("textbox", { name: "Name" }).fill("scheduled");
      await page.getByRole("checkbox", { name: /Callers may follow it/ }).check();
      await page.getByLabel("Rotated by itself").selectOption("90");
      await page.getByRole("button", { name: "Create the key" }).click();
      await page.getByText("Policy `strong` refuses this: it takes an algorithm of level 5").waitFor();
      await page.getByRole("combobox", { name: "Algorithm" }).selectOption("mldsa87+ed25519");
      await page.getByRole("button", { name: "Create the key" }).click();
      await page.getByRole("heading", { name: "scheduled" }).waitFor();
      await page.getByText(/^after 90 days/).waitFor();
      await bed.vault.postq.policies.delete(policy.id);
    }, { expected: REFUSED }));

  test("somebody else's change is shown, and a token without the scope sees none", async () => {
    const policy = await bed.vault.postq.policies.create({ name: "gone soon", action: "audit", rule: { matchOperation: "*", minTier: 1 } });
    await dashboard("/policies", async (page) => {
      await page.getByRole("button", { name: "Put out of force gone soon" }).waitFor();
      await bed.vault.postq.policies.delete(policy.id);
      await page.getByRole("button", { name: "Put out of force gone soon" }).click();
      await page.getByText("There is no policy of that id").waitFor();
    }, { expected: /status of 404/ });
    await dashboard("/policies", async (page) => {
      await page.getByText("This token has not the scope").waitFor();
      assert.equal(await page.getByRole("link", { name: "Policies" }).count(), 0);
    }, { token: await tokenOf("sign") });
  });
});
