// A vault with its KMS and a browser, for all the tests of a file.

import { after, before } from "node:test";
import { startKms } from "./kms.js";
import { inDashboard, startBrowser, startWithSdk } from "./page.js";

/** What is there once the tests begin: `{vault, kms, browser}`. */
export const bed = {};

/** Has it made before a file's tests, and ended after them. */
export function makeBed() {
  before(async () => {
    bed.kms = await startKms();
    bed.vault = await startWithSdk(bed.kms.environment);
    bed.browser = await startBrowser();
  });
  after(async () => {
    await bed.browser?.close();
    await bed.vault?.stop();
    bed.kms?.stop();
  });
}

export const bytes = (text) => new TextEncoder().encode(text);

/** In a tab of its own, signed in with the first token unless told otherwise. */
export const dashboard = (path, work, more = {}) =>
  inDashboard(bed.browser, { address: bed.vault.address, token: bed.vault.token, path, ...more }, work);

/** A token of these scopes. */
export const tokenOf = async (...scopes) => (await bed.vault.postq.tokens.create({ name: scopes.join(" "), scopes })).token;
