// The code that the playground shows is run as it was copied, and does what it says.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { file, inDashboard, startBrowser, startWithSdk } from "./lib/page.js";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const PYTHON = at("target/tools/venv/bin/python");
const run = promisify(execFile);

/** What a shell, JSON and Python each would like to read otherwise. */
const TEXT = `it's "quoted" \\ $HOME \`id\` %s\n Grüße ✓`;
const CONTENT = Buffer.from(TEXT);

let vault, browser, folder, environment;

before(async () => {
  assert.ok(existsSync(PYTHON), "the tests' Python packages are missing; `cargo xtask test` sets them up");
  vault = await startWithSdk();
  browser = await startBrowser();
  folder = await mkdtemp(join(tmpdir(), "postq-snippets-"));
  await writeFile(join(folder, "it's a file"), CONTENT);
  environment = { PATH: `${at("target/debug")}:${process.env.PATH}`, HOME: folder, POSTQ_API_KEY: vault.token };
});

after(async () => {
  await browser?.close();
  await vault?.stop();
  if (folder) await rm(folder, { recursive: true });
});

/** How each is run, where it was pasted. */
const RUNS = {
  curl: (code) => run("bash", ["-euc", code], { cwd: folder, env: environment }),
  CLI: (code) => run("bash", ["-euc", code], { cwd: folder, env: environment }),
  Python: (code) => run(PYTHON, ["-c", code], { cwd: folder, env: environment }),
  async TypeScript(code) {
    const script = join(folder, "script.mjs");
    // Its import is found where the packages are.
    await build({ stdin: { contents: code, loader: "ts", resolveDir: at("tests/browser") }, bundle: true, platform: "node", format: "esm", outfile: script, logLevel: "error", external: ["@postq/verifier"] });
    await writeFile(script, (await readFile(script, "utf8")).replaceAll('"@postq/verifier"', JSON.stringify(import.meta.resolve("@postq/verifier"))));
    return run(process.execPath, [script], { cwd: folder, env: environment });
  },
};

for (const kind of ["text", "file"]) {
  test(`a ${kind} is signed by each of them`, async () => {
    const key = await vault.postq.hybridKeys.create({ name: kind, algorithm: kind === "file" ? "mldsa44+ecdsa-p256" : "mldsa65+ed25519" });
    const codes = await inDashboard(browser, { address: vault.address, token: vault.token, path: `/keys/${key.id}?tab=playground` }, async (page) => {
      if (kind === "text") await page.getByRole("textbox", { name: "Text" }).fill(TEXT);
      else {
        await page.getByRole("tab", { name: "File" }).click();
        await page.locator("input[type=file]").setInputFiles(file("it's a file", CONTENT));
      }
      const copied = {};
      for (const name of Object.keys(RUNS)) {
        await page.getByRole("tab", { name, exact: true }).click();
        await page.getByRole("button", { name: `Copy the ${name} code` }).click();
        copied[name] = await page.evaluate(() => navigator.clipboard.readText());
      }
      return copied;
    });
    for (const [name, code] of Object.entries(codes)) {
      assert.ok(!code.includes(vault.token), "no secret is in it");
      await RUNS[name](code);
      const { items } = await vault.postq.hybridKeys.audit(key.id, { limit: 100 });
      const signed = items.filter(({ operation }) => operation === "sign");
      const digest = (await vault.postq.ledger.entries({ order: "newest", eventType: "signature.issued", subjectId: key.id, limit: 1 })).items[0].payload.data.ph;
      const expected = createHash(kind === "file" ? "sha256" : "sha512").update(CONTENT).digest("hex");
      assert.equal(digest, expected, `${name} signed just that`);
      assert.equal(signed.length, Object.keys(codes).indexOf(name) + 1, `${name} signed once`);
    }
  });
}
