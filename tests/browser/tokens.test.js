// Tokens, which are shown once.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bed, dashboard, makeBed } from "./lib/bed.js";

makeBed();

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
      const whoami = async () => (await fetch(`${bed.vault.address}/v1/whoami`, { headers: { authorization: `Bearer ${token}` } })).status;
      assert.equal(await whoami(), 200);
      await page.getByRole("button", { name: "Revoke from the page" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Revoke it" }).click();
      await page.getByRole("button", { name: "Revoke from the page" }).waitFor({ state: "detached" });
      assert.equal(await whoami(), 401);
    }));
});
