// An account in Azure: what is wrong is told where it is, and the secret goes into the body of a call and nowhere else.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bed, dashboard, makeBed } from "./lib/bed.js";

makeBed();

const ID = "11111111-2222-3333-4444-555555555555";
const SECRET = "zYx8Q~not-to-be-seen";

describe("an account in Azure", () => {
  test("is told to be wrong at its field, and sends its secret once and only where it is meant to", async () => {
    const { externalId } = await bed.vault.postq.whoami();
    const addresses = [];
    await dashboard(
      "/settings",
      async (page) => {
        page.on("request", (request) => addresses.push(request.url()));
        // No Azure is at hand: what would be asked is looked at, and the call does not arrive.
        const sent = [];
        await page.route("**/v1/vault/settings/test", (route) => {
          sent.push(route.request().postDataJSON());
          return route.abort();
        });
        const test = page.getByRole("button", { name: "Test" });
        await page.getByLabel("URL of the key vault").fill("https://customer.example");
        await test.click();
        await page.locator("#vault-url-wrong").waitFor();
        await page.getByLabel("URL of the key vault").fill("https://customer.vault.azure.net");
        await page.getByLabel("Name of the RSA key").fill("kek");
        for (const label of ["Tenant id", "Client id"]) await page.getByLabel(label).fill(ID);
        await test.click();
        await page.locator("#client-secret-wrong").waitFor();
        assert.deepEqual(sent, []);

        const secret = page.getByRole("textbox", { name: "Client secret" });
        assert.equal(await secret.getAttribute("type"), "password");
        await secret.fill(SECRET);
        await test.click();
        await page.getByRole("alert").first().waitFor();
        const account = { vaultUrl: "https://customer.vault.azure.net", kekName: "kek", tenantId: ID, clientId: ID };
        assert.deepEqual(sent.pop().azure, { ...account, auth: "client-secret", clientSecret: SECRET });

        await page.getByRole("region", { name: "Azure Key Vault" }).getByRole("radio", { name: /^Federated/ }).check();
        await secret.waitFor({ state: "detached" });
        await page.getByText("Federated credential of the application").click();
        await page.getByText(externalId).first().waitFor();
        await test.click();
        await page.waitForFunction(() => !document.querySelector(".button[aria-disabled='true']"));
        assert.deepEqual(sent.pop().azure, { ...account, auth: "federated" });
        assert.equal(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage })).then((kept) => kept.includes(SECRET)), false);
      },
      { expected: /ERR_FAILED/ },
    );
    assert.ok(addresses.length > 0 && addresses.every((address) => !address.includes("not-to-be-seen")));
    assert.equal(await bed.vault.postq.vault.settings.get(), null);
  });
});
