// The dashboard's pages as pictures, in both themes: `node tests/browser/screenshots.js FOLDER`.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inDashboard, startBrowser, startWithSdk } from "./lib/page.js";
import { ROLE, startKms } from "./lib/kms.js";
import { open } from "./lib/pages.js";

const WIDTH = 1280;

/** Those that say something that no other says. */
const SHOWN = ["sign-in", "overview", "keys", "create-key", "key", "playground", "lineage", "activity", "rotate", "revoke", "audit", "entry", "checkpoints", "verify", "verify-signature", "policies", "write-policy", "settings", "tokens", "palette"];

/** What lies over the page is pictured as it is seen, and so is what is longer than anybody looks. */
const SEEN = ["rotate", "revoke", "entry", "write-policy", "palette", "keys", "audit"];

const folder = process.argv[2];
if (!folder) throw new Error("name the folder that the pictures go to");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const kms = await startKms();
const vault = await startWithSdk(kms.environment);
const browser = await startBrowser();
try {
  const { externalId } = await vault.postq.whoami();
  await kms.trust(externalId);
  await vault.postq.vault.settings.put({ aws: { keyArn: await kms.makeKey(), roleArn: ROLE } });
  await vault.postq.hybridKeys.create({ name: "payments", kekProvider: "aws-kms" });
  await vault.postq.hybridKeys.create({ name: "root of trust", keyProvider: "aws-kms", pqProvider: "aws-kms" });
  for (const page of (await open(vault)).filter(({ name }) => SHOWN.includes(name))) {
    for (const colorScheme of ["light", "dark"]) {
      const options = { colorScheme, viewport: { width: WIDTH, height: 860 } };
      await inDashboard(browser, { address: vault.address, ...page, options }, async (tab) => {
        await page.ready(tab);
        await tab.waitForLoadState("networkidle");
        await tab.mouse.move(0, 0);
        await tab.evaluate(() => scrollTo({ top: 0, behavior: "instant" }));
        await tab.screenshot({ path: join(folder, `${page.name}-${colorScheme}.png`), fullPage: !SEEN.includes(page.name) });
      });
    }
    console.log(page.name);
  }
} finally {
  await browser.close();
  await vault.stop();
  kms.stop();
}
