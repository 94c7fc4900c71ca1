// Every page for everybody: axe's rules in both themes at three widths, and what there is to do by keyboard alone.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { after, before, describe, test } from "node:test";
import { inDashboard, startBrowser, startWithSdk } from "./lib/page.js";
import { open } from "./lib/pages.js";

const AXE = await readFile(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");
const WIDTHS = [320, 900, 3840];

let vault, browser, pages;

before(async () => {
  vault = await startWithSdk();
  browser = await startBrowser();
  pages = await open(vault);
});

after(async () => {
  await browser?.close();
  await vault?.stop();
});

/** What axe finds serious or critical; reflow (WCAG 1.4.10) as well. */
async function findings(page) {
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    const found = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join("; ")}`);
    if (document.documentElement.scrollWidth > innerWidth) found.push(`it is ${document.documentElement.scrollWidth} wide in a window of ${innerWidth}`);
    return found;
  });
}

test("axe finds nothing serious on any page, in either theme, at any width", async (t) => {
  for (const { name, path, token, ready, expected } of pages) {
    await t.test(name, () =>
      inDashboard(browser, { address: vault.address, token, path, expected }, async (page) => {
        await ready(page);
        await page.evaluate(AXE);
        for (const colorScheme of ["light", "dark"]) {
          for (const width of WIDTHS) {
            await page.emulateMedia({ colorScheme });
            await page.setViewportSize({ width, height: 900 });
            assert.deepEqual(await findings(page), [], `${colorScheme}, ${width} pixels wide`);
          }
        }
      }),
    );
  }
});

describe("by keyboard alone", () => {
  const focused = (page) =>
    page.evaluate(() => {
      const at = document.activeElement;
      const label = at?.labels?.[0]?.textContent ?? at?.getAttribute("aria-label") ?? at?.textContent ?? "";
      return label.replace(/\s+/g, " ").trim();
    });

  /** Tabs on until what is focused has this label, and shows that it is. */
  async function tabTo(page, label, key = "Tab") {
    for (let steps = 0; steps < 60; steps += 1) {
      await page.keyboard.press(key);
      const here = await focused(page);
      if (typeof label === "string" ? here === label : label.test(here)) {
        const shown = await page.evaluate(() => {
          const at = document.activeElement;
          const outlined = (element) => element && getComputedStyle(element).outlineStyle !== "none";
          return outlined(at) || outlined(at.closest(".choice"));
        });
        assert.ok(shown, `that ${here} is focused can be seen`);
        return;
      }
    }
    assert.fail(`nothing that is tabbed to is called ${label}`);
  }

  const signedIn = (path, work, more = {}) => inDashboard(browser, { address: vault.address, token: vault.token, path, ...more }, work);

  test("one signs in, makes a key, signs, breaks, rotates and revokes", () =>
    inDashboard(browser, { address: vault.address }, async (page) => {
      await page.getByLabel("API token").waitFor();
      await tabTo(page, "API token");
      await page.keyboard.type(vault.token);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Overview" }).waitFor();
      await page.keyboard.press("g");
      await page.keyboard.press("k");
      await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
      assert.equal(await focused(page), "Keys", "the page is read from its heading");
      await page.keyboard.press("/");
      assert.equal(await focused(page), "Name begins with");
      await tabTo(page, "Create a key", "Shift+Tab");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Create a key" }).waitFor();
      await tabTo(page, "Name");
      await page.keyboard.type("by keyboard");
      await tabTo(page, "Create the key");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "by keyboard" }).waitFor();
      assert.equal(await focused(page), "by keyboard", "the key's page is read from its heading");

      await tabTo(page, "Key");
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("Enter");
      await tabTo(page, "Sign");
      await page.keyboard.press("Enter");
      await page.getByText("3,309 bytes").first().waitFor();
      await tabTo(page, "Break the classical half");
      await page.keyboard.press("Enter");
      await page.getByText("Not valid").nth(1).waitFor();

      await tabTo(page, "Rotate", "Shift+Tab");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").waitFor();
      await tabTo(page, "Rotate");
      await page.keyboard.press("Enter");
      await page.getByText("Every link holds").waitFor();
      await page.getByRole("dialog").waitFor({ state: "detached" });

      await tabTo(page, "Revoke");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await page.waitForFunction(() => document.activeElement?.textContent?.trim() === "Revoke");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").getByText("in the last 30 days").waitFor();
      await tabTo(page, /^Type the key's name/);
      await page.keyboard.type("by keyboard");
      await page.keyboard.press("Enter");
      await page.getByText("This key is revoked").waitFor();
      await page.waitForFunction(() => document.activeElement?.tagName === "H1", undefined);
    }));

  test("⌘K and Ctrl-K find pages and keys from anywhere", () =>
    signedIn("/tokens", async (page) => {
      await page.getByRole("heading", { name: "Tokens" }).waitFor();
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox", { name: "Find" }).and(page.locator(":focus")).waitFor();
      await page.keyboard.type("by keyb");
      await page.getByRole("option", { name: /by keyboard/ }).first().waitFor();
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "by keyboard" }).waitFor();
      await page.keyboard.press("Meta+k");
      await page.getByRole("combobox", { name: "Find" }).and(page.locator(":focus")).waitFor();
      await page.keyboard.type("aud");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Audit" }).waitFor();
      await page.keyboard.press("Control+k");
      await page.getByRole("dialog").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
    }));

  test("single keys are turned off by who types by accident", () =>
    signedIn("", async (page) => {
      await page.getByRole("heading", { name: "Overview" }).waitFor();
      await page.keyboard.press("?");
      await page.getByRole("dialog").waitFor();
      await tabTo(page, /^Single keys are shortcuts/);
      await page.keyboard.press("Space");
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await page.keyboard.press("g");
      await page.keyboard.press("k");
      await page.keyboard.press("?");
      assert.equal(await page.getByRole("dialog").count(), 0);
      assert.ok(page.url().endsWith("/vault"));
    }));

  test("what one types is no shortcut", () =>
    signedIn("/keys", async (page) => {
      await page.getByLabel("Name begins with").fill("");
      await page.getByLabel("Name begins with").pressSequentially("g k / ?");
      assert.equal(await page.getByLabel("Name begins with").inputValue(), "g k / ?");
      assert.equal(await page.getByRole("dialog").count(), 0);
    }));

  test("one verifies, reads an entry, makes a token, and tests settings", () =>
    signedIn("/audit", async (page) => {
      await page.getByRole("link", { name: "Entry 0", exact: true }).waitFor();
      await tabTo(page, "Verify the ledger");
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Pin this checkpoint" }).waitFor();
      await tabTo(page, "Pin this checkpoint");
      await page.keyboard.press("Enter");
      await page.getByText("Pinned at this checkpoint").waitFor();
      assert.match(await focused(page), /entries hold/, "the verdict has the focus that the button had");
      await tabTo(page, /^Entry \d+$/);
      await page.keyboard.press("Enter");
      await page.getByText("In the ledger.").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await page.keyboard.press("g");
      await page.keyboard.press("t");
      await page.getByRole("heading", { name: "Tokens" }).waitFor();
      await tabTo(page, "Make a token");
      await page.keyboard.press("Enter");
      await tabTo(page, "Name");
      await page.keyboard.type("by keyboard");
      await tabTo(page, /^list and show keys/);
      await page.keyboard.press("Space");
      await tabTo(page, "Make the token");
      await page.keyboard.press("Enter");
      await page.getByText("It is shown this once").waitFor();
      for (const key of ["Escape", "Control+k"]) await page.keyboard.press(key);
      await page.getByText("It is shown this once").waitFor();
      assert.equal(await page.getByRole("dialog").count(), 1, "what is shown once is not lost by a key");
      await tabTo(page, "I have it");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await tabTo(page, /^Revoke\s*by keyboard$/);
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").waitFor();
      await tabTo(page, "Revoke it");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await page.keyboard.press("g");
      await page.keyboard.press("s");
      await page.getByRole("heading", { name: "Settings" }).waitFor();
      await tabTo(page, "ARN of the symmetric key");
      await page.keyboard.type("alias/x");
      await tabTo(page, "Test");
      await page.keyboard.press("Enter");
      await page.getByText("no alias").waitFor();
      await tabTo(page, "Sign out", "Shift+Tab");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
    }));

  test("one reads a key's lineage and activity", async () => {
    const key = await vault.postq.hybridKeys.create({ name: "read by keyboard" });
    await signedIn(`/keys/${key.id}`, async (page) => {
      await page.getByRole("tab", { name: "Key" }).waitFor();
      await tabTo(page, "Key");
      for (const [name, shown] of [["Playground", "The same call"], ["Lineage", "The vault shows no rotation"], ["Activity", "create"]]) {
        await page.keyboard.press("ArrowRight");
        assert.equal(await focused(page), name);
        await page.keyboard.press("Enter");
        await page.getByText(shown).first().waitFor();
      }
    });
  });
});

test("by keyboard alone, signed out, one verifies files", () =>
  inDashboard(browser, { address: vault.address, path: "/verify" }, async (page) => {
    // Listened for from the beginning: choosers are handed over only once the browser was told to.
    let opened;
    page.on("filechooser", (chooser) => opened(chooser));
    await page.getByRole("heading", { name: "Verify" }).waitFor();
    for (const [label, name] of [["What was signed", "hello.txt"], ["Receipt", "hello.postq.json"]]) {
      for (let steps = 0; (await page.evaluate(() => document.activeElement?.labels?.[0]?.textContent)) !== label; steps += 1) {
        assert.ok(steps < 30, `${label} is tabbed to`);
        await page.keyboard.press("Tab");
      }
      const chooser = new Promise((resolve) => (opened = resolve));
      await page.keyboard.press("Space");
      const late = page.waitForTimeout(10_000).then(() => assert.fail("no file is asked for"));
      late.catch(() => {});
      await (await Promise.race([chooser, late])).setFiles(fileURLToPath(new URL(`../../examples/receipt/${name}`, import.meta.url)));
    }
    for (let steps = 0; (await page.evaluate(() => document.activeElement?.textContent?.trim())) !== "Verify"; steps += 1) {
      assert.ok(steps < 30, "the button is tabbed to");
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.getByText("Consistent, but by keys you have not pinned").waitFor();
  }));

test("motion stays still for who asked for that", () =>
  inDashboard(browser, { address: vault.address, token: vault.token, path: "/keys", options: { reducedMotion: "reduce" } }, async (page) => {
    await page.locator("h1").waitFor();
    const moving = await page.evaluate(() => {
      const probe = document.createElement("span");
      probe.className = "skeleton";
      document.body.append(probe);
      return getComputedStyle(probe).animationName;
    });
    assert.equal(moving, "none");
  }));
