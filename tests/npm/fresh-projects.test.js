// The package as npm would hand it out: packed, installed into projects that know nothing of this one, and used there.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { inTab, serve } from "./lib/runtimes.js";

const run = promisify(execFile);
const here = fileURLToPath(new URL(".", import.meta.url));
const versions = JSON.parse(await readFile(join(here, "package.json"), "utf8")).devDependencies;

let folder;
let tarball;
let signed;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "postq-fresh-"));
  await run("npm", ["pack", "--workspace", "@postq/verifier", "--pack-destination", folder, "--silent"], { cwd: join(here, "../..") });
  tarball = join(folder, (await readdir(folder)).find((name) => name.endsWith(".tgz")));
  const vectors = JSON.parse(await readFile(join(here, "../vectors/composite.json"), "utf8"));
  const vector = vectors.tests.find(({ algorithm }) => algorithm === "mldsa65+ed25519");
  signed = {
    publicKey: { v: 1, alg: vector.algorithm, classical: vector.classical, pq: vector.pq },
    payload: vectors.payload,
    signature: vector.signature,
  };
});

after(() => rm(folder, { recursive: true, force: true }));

const CHECK = `
  const good = verify({ ...signed, payload: fromBase64(signed.payload) });
  const bad = verify({ ...signed, payload: new TextEncoder().encode("another") });
  const outcome = [good.ok, good.pqOk, good.classicalOk, bad.ok, bad.reason];
`;
const EXPECTED = [true, true, true, false, "neither half verifies"];

async function project(name, files, packages = []) {
  const root = join(folder, name);
  await mkdir(root);
  const all = { "package.json": JSON.stringify({ name, private: true }), "signed.json": JSON.stringify(signed), ...files };
  for (const [path, text] of Object.entries(all)) await writeFile(join(root, path), text);
  const pinned = packages.map((name) => `${name}@${versions[name]}`);
  await run("npm", ["install", "--no-fund", "--no-audit", "--silent", "--prefer-offline", tarball, ...pinned], { cwd: root });
  return root;
}

test("Node, as ES modules", async () => {
  const root = await project("node-esm", {
    "main.mjs": `import { readFileSync } from "node:fs";
      import { fromBase64, verify } from "@postq/verifier";
      const signed = JSON.parse(readFileSync("signed.json"));
      ${CHECK}
      console.log(JSON.stringify(outcome));`,
  });
  const { stdout, stderr } = await run("node", ["main.mjs"], { cwd: root });
  assert.deepEqual([JSON.parse(stdout), stderr], [EXPECTED, ""]);
});

test("Node, as CommonJS", async () => {
  const root = await project("node-cjs", {
    "main.cjs": `const { fromBase64, verify } = require("@postq/verifier");
      const signed = require("./signed.json");
      ${CHECK}
      console.log(JSON.stringify(outcome));`,
  });
  const { stdout, stderr } = await run("node", ["main.cjs"], { cwd: root });
  assert.deepEqual([JSON.parse(stdout), stderr], [EXPECTED, ""]);
});

test("a page with no bundler", async () => {
  const root = await project("plain-page", {
    "index.html": `<!doctype html><title>plain</title><script type="module">
      import { fromBase64, verify } from "./node_modules/@postq/verifier/dist/browser.js";
      const signed = await (await fetch("signed.json")).json();
      ${CHECK}
      document.title = JSON.stringify(outcome);
    </script>`,
  });
  const page = await readFile(join(root, "index.html"), "utf8");
  const shown = await serve({ "/": page, "/node_modules/": join(root, "node_modules"), "/signed.json": JSON.stringify(signed) }, title);
  assert.deepEqual(JSON.parse(shown), EXPECTED);
});

test("Vite, as it develops and as it builds", async () => {
  const main = `import { fromBase64, verify } from "@postq/verifier";
    import signed from "./signed.json";
    ${CHECK}
    document.title = JSON.stringify(outcome);`;
  const root = await project(
    "vite",
    { "index.html": `<!doctype html><title>vite</title><script type="module" src="/main.js"></script>`, "main.js": main },
    ["vite"],
  );
  const vite = join(root, "node_modules/.bin/vite");

  const developing = spawn(vite, ["--host", "127.0.0.1", "--port", "0", "--strictPort"], { cwd: root });
  try {
    assert.deepEqual(JSON.parse(await title(await address(developing))), EXPECTED, "as it develops");
  } finally {
    developing.kill();
  }

  await run(vite, ["build", "--logLevel", "error"], { cwd: root });
  const built = join(root, "dist");
  const page = await readFile(join(built, "index.html"), "utf8");
  assert.deepEqual(JSON.parse(await serve({ "/": page, "/assets/": join(built, "assets") }, title)), EXPECTED, "as it builds");
});

test("workerd", async () => {
  const root = await project(
    "worker",
    {
      "worker.mjs": `import { fromBase64, verify } from "@postq/verifier";
        import signed from "./signed.json";
        export default {
          fetch() {
            ${CHECK}
            return Response.json(outcome);
          },
        };`,
      // What wrangler does: bundle for workerd's conditions, and leave modules of WebAssembly to the runtime.
      "main.mjs": `import { readFileSync } from "node:fs";
        import { build } from "esbuild";
        import { Miniflare } from "miniflare";
        await build({
          entryPoints: ["worker.mjs"], outfile: "out/worker.mjs", bundle: true, format: "esm",
          conditions: ["workerd", "worker", "browser"], external: ["*.wasm"], logLevel: "error",
        });
        const wasm = readFileSync("node_modules/@postq/verifier/dist/verifier.wasm");
        const worker = new Miniflare({
          host: "127.0.0.1", port: 0, compatibilityDate: "2026-06-01",
          modules: [
            { type: "ESModule", path: "worker.mjs", contents: readFileSync("out/worker.mjs", "utf8") },
            { type: "CompiledWasm", path: "verifier.wasm", contents: wasm },
          ],
        });
        console.log(await (await worker.dispatchFetch("http://worker/")).text());
        await worker.dispose();`,
    },
    ["esbuild", "miniflare"],
  );
  const { stdout } = await run("node", ["main.mjs"], { cwd: root });
  assert.deepEqual(JSON.parse(stdout), EXPECTED);
});

test("publint and are-the-types-wrong have nothing to say", async () => {
  const bin = (name) => join(here, "../../node_modules/.bin", name);
  const linted = await run(bin("publint"), ["run", tarball, "--strict"]).catch((error) => error);
  assert.match(linted.stdout, /All good!/, linted.stdout + linted.stderr);
  // The raw module is bytes to be fetched: there is nothing in it to have types.
  const types = await run(bin("attw"), [tarball, "--no-color", "--no-emoji", "--exclude-entrypoints", "verifier.wasm"]).catch((error) => error);
  assert.match(types.stdout, /No problems found/, types.stdout + types.stderr);
});

test("the package holds what it says, and nothing else", async () => {
  const { stdout } = await run("tar", ["-tzf", tarball]);
  const dist = ["base64.cjs", "base64.js", "browser.js", "index.d.cts", "index.d.ts", "node.cjs", "node.js", "public.js",
    "slim.cjs", "slim.d.cts", "slim.d.ts", "slim.js", "verifier.js", "verifier.wasm", "workerd.js"];
  const expected = [...dist.map((name) => `package/dist/${name}`),
    ...["CHANGELOG.md", "LICENSE", "README.md", "package.json", "base64/package.json", "slim/package.json"].map((name) => `package/${name}`)];
  assert.deepEqual(stdout.trim().split("\n").sort(), expected.sort());
});

/** The title that a page gives itself once its script has run. */
function title(origin) {
  return inTab(origin, async (tab) => {
    await tab.waitForFunction(() => document.title.startsWith("["));
    return tab.title();
  });
}

/** The address that a development server prints. */
function address(server) {
  return new Promise((resolve, reject) => {
    let said = "";
    const listen = (chunk) => {
      said += chunk;
      // It colours what it prints.
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said.replace(/\u001b\[\d*m/g, ""));
      if (found) resolve(found[0]);
    };
    server.stdout.on("data", listen);
    server.stderr.on("data", listen);
    server.on("exit", () => reject(new Error(`the server ended: ${said}`)));
  });
}
