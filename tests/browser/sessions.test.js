// Signing in, and what ends a session.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bed, dashboard, makeBed, tokenOf } from "./lib/bed.js";

makeBed();

describe("signing in", () => {
  test("by a token, which stays in memory", () =>
    dashboard("/keys", async (page) => {
      await page.getByLabel("API token").fill(bed.vault.token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
      assert.equal(await page.evaluate(() => sessionStorage.length + localStorage.length), 0);
      assert.ok(!page.url().includes("pq_"));
      await page.reload();
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
    }, { token: undefined }));

  test("it is kept in this tab if the person asks, and forgotten when they sign out", () =>
    dashboard("", async (page) => {
      await page.getByLabel("API token").fill(bed.vault.token);
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
      await page.getByLabel("API token").fill(`${bed.vault.token.slice(0, -1)}${bed.vault.token.endsWith("a") ? "b" : "a"}`);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("The vault does not know this token").waitFor();
      assert.equal(await page.getByLabel("API token").getAttribute("aria-invalid"), "true");
    }, { token: undefined, expected: /status of 401/ }));

  test("a session whose token is revoked meanwhile ends, says so, and goes on where it was", async () => {
    const { token, id } = await bed.vault.postq.tokens.create({ name: "short-lived", scopes: ["keys:read", "audit:read"] });
    await dashboard("/keys", async (page) => {
      await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
      await bed.vault.postq.tokens.revoke(id);
      await page.getByRole("link", { name: "Audit" }).click();
      await page.getByText("The session ended").waitFor();
      assert.equal(await page.evaluate(() => sessionStorage.getItem("postq-vault token")), null);
      await page.getByLabel("API token").fill(bed.vault.token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "Audit" }).waitFor();
    }, { token, expected: /status of 401/ });
  });

  test("a token without scopes for a page is told which scope it takes", async () => {
    const token = await tokenOf("verify");
    await dashboard("/keys", async (page) => {
      await page.getByText("keys:read").waitFor();
      for (const [path, scope] of [["/keys/new", "keys:write"], ["/audit", "audit:read"], ["/settings", "settings"], ["/tokens", "admin"], ["", "audit:read"], ["/keys/key_1", "keys:read"]]) {
        await page.goto(`${bed.vault.address}/vault${path}`);
        await page.locator("main").getByText(scope).first().waitFor();
      }
      assert.equal(await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Keys" }).count(), 0);
    }, { token });
  });
});
