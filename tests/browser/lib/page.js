// The dashboard in a real browser, against the real `postq-vault serve`.

import assert from "node:assert/strict";
import { PostQ } from "@postq/sdk";
import { chromium } from "playwright-core";
import { startVault } from "../../npm/lib/vault.js";

/** Starts a vault: as `startVault` does, with the SDK as its first token. */
export async function startWithSdk(environment = {}) {
  const vault = await startVault(environment);
  return { ...vault, postq: new PostQ({ apiKey: vault.token, baseUrl: vault.address }) };
}

/** Starts the browser. */
export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.POSTQ_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
  });
}

/**
 * A tab of its own at a page of the dashboard, signed in if a token is given; handed to `work`. Whatever the page's policy refused, whatever
 * was thrown and whatever stood in its console as an error fails it, but for what `expected` fits.
 */
export async function inDashboard(browser, { address, token, path = "", options = {}, expected = /^$/ }, work) {
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"], reducedMotion: "reduce", ...options });
  const faults = [];
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    watch(page, faults);
    // As `Keep it in this tab` leaves it; signing in by hand has a test of its own.
    if (token) await page.addInitScript((kept) => sessionStorage.getItem("signed in once") ?? (sessionStorage.setItem("postq-vault token", kept), sessionStorage.setItem("signed in once", "yes")), token);
    await page.goto(`${address}/vault${path}`);
    const result = await work(page, context);
    assert.deepEqual(faults.filter((fault) => !expected.test(fault)), []);
    return result;
  } finally {
    await context.close();
  }
}

/** Everything that a page complains about. Violations of its policy are errors in its console, a Worker's too. */
function watch(page, faults) {
  page.on("pageerror", (error) => faults.push(`thrown: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("crash", () => faults.push("the page crashed"));
}

/** A file as a chooser takes it. */
export function file(name, content, mimeType = "application/octet-stream") {
  return { name, mimeType, buffer: Buffer.from(content) };
}

/** What a click downloads: `{name, text}`. */
export async function downloaded(page, click) {
  const [download] = await Promise.all([page.waitForEvent("download"), click()]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  return { name: download.suggestedFilename(), text: Buffer.concat(chunks).toString() };
}
