// How long a click takes until its page is painted, over an organisation of 10,000 keys and 100,000 events: the key list and the timeline.
// Counted from the click's own time stamp to the frame after the first row is there, in the browser.

import { PostQ } from "@postq/sdk";
import { startVault } from "../npm/lib/vault.js";
import { inDashboard, startBrowser } from "./lib/page.js";

const KEYS = Number(process.env.POSTQ_BENCH_KEYS ?? 10_000);
const EVENTS = Number(process.env.POSTQ_BENCH_EVENTS ?? 100_000);
const TIMES = 40;

const vault = await startVault({}, "release");
const browser = await startBrowser();
try {
  const postq = new PostQ({ apiKey: vault.token, baseUrl: vault.address, timeoutMs: 120_000 });
  await filled(postq);
  const rows = [];
  for (const [what, path, from] of [["the key list", "Keys", "/tokens"], ["the timeline", "Audit", "/tokens"], ["the overview", "Overview", "/tokens"]]) {
    rows.push([what, await measured(path, from)]);
  }
  rows.push(["the keys whose names begin with “key 77”", await filtered("/keys", "#name", "key 77")]);
  rows.push(["the timeline of one type", await filtered("/audit", "#type", "key.created")]);
  console.log(`| ${count(KEYS)} keys, ${count(EVENTS)} events; ms from click to paint | median | 95th of 100 | most |`);
  console.log("|---|---:|---:|---:|");
  for (const [what, times] of rows) console.log(`| ${what} | ${[0.5, 0.95, 1].map((part) => at(times, part).toFixed(0)).join(" | ")} |`);
} finally {
  await browser.close();
  await vault.stop();
}

/** Keys by creating them; the rest of the events by appending. */
async function filled(postq) {
  console.log(`making ${count(KEYS)} keys`);
  await many(KEYS, 8, (index) => postq.hybridKeys.create({ name: `key ${index}`, algorithm: "mldsa44+ed25519" }));
  const logged = async () => (await postq.ledger.entries({ order: "newest", limit: 1 })).items[0].seq + 1;
  const left = EVENTS - (await logged());
  console.log(`appending ${count(left)} events`);
  await many(left, 32, (index) => postq.ledger.append({ name: "deploy", message: `build ${index}` }));
  await postq.ledger.seal();
  console.log(`the ledger has ${count(await logged())} entries`);
}

async function many(number, atOnce, work) {
  let next = 0;
  const lane = async () => {
    while (next < number) {
      const index = next++;
      await work(index);
      if (index % 10_000 === 9_999) console.log(`  ${count(index + 1)}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

/** Clicks on a page's link, again and again, each time from another page. The first is left out: it loads the page's code. */
async function measured(name, from) {
  return inDashboard(browser, { address: vault.address, token: vault.token, path: from, options: { viewport: { width: 1280, height: 860 } } }, async (page) => {
    const times = [];
    for (let time = 0; time <= TIMES; time += 1) {
      await page.getByRole("link", { name: "Tokens" }).click();
      await page.getByText("first token").first().waitFor();
      await watch(page, "click", name === "Overview" ? "main meter" : "main tbody tr");
      await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name, exact: true }).click();
      times.push(await painted(page));
    }
    return times.slice(1);
  });
}

/** The same for a filter: from its change to the first row that fits. */
async function filtered(path, field, value) {
  return inDashboard(browser, { address: vault.address, token: vault.token, path, options: { viewport: { width: 1280, height: 860 } } }, async (page) => {
    const times = [];
    for (let time = 0; time <= TIMES; time += 1) {
      await page.locator("tbody tr").first().waitFor();
      // A row that was not there before the change is one that fits.
      await page.evaluate(() => document.querySelectorAll("tbody tr").forEach((row) => (row.dataset.before = "yes")));
      await watch(page, field === "#name" ? "input" : "change", "tbody tr:not([data-before])");
      if (field === "#name") await page.locator(field).fill(value);
      else await page.locator(field).selectOption(value);
      times.push(await painted(page));
      if (field === "#name") await page.locator(field).fill("");
      else await page.locator(field).selectOption("");
      await page.waitForURL((url) => url.search === "");
      await page.waitForLoadState("networkidle");
    }
    return times.slice(1);
  });
}

/** Has the page note when an event of this kind comes, and when what fits is painted. */
async function watch(page, kind, selector) {
  await page.evaluate(
    ([kind, selector]) => {
      globalThis.painted = new Promise((resolve) => {
        let begun;
        const seen = () => {
          if (begun === undefined || !document.querySelector(selector)) return;
          observer.disconnect();
          // The frame that has it, and then the task after that frame.
          requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun), 0));
        };
        const observer = new MutationObserver(seen);
        observer.observe(document.documentElement, { childList: true, subtree: true });
        addEventListener(kind, ({ timeStamp }) => (begun ??= timeStamp), { capture: true, once: true });
      });
    },
    [kind, selector],
  );
}

function painted(page) {
  return page.evaluate(() => globalThis.painted);
}

function at(times, part) {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}

function count(number) {
  return number.toLocaleString("en");
}
