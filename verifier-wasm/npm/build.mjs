// Puts `dist/` together from `src/`, `index.d.ts` and `build/`, where `cargo xtask npm` leaves the module and its glue.
// `--check` only says whether that has been done, so that nothing is packed without it.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));

const MODULE = "build/verifier_wasm_bg.wasm";

// What rustc's wasm32 target emits, and every engine of the last years runs.
const FEATURES = ["bulk-memory", "bulk-memory-opt", "multivalue", "mutable-globals", "nontrapping-float-to-int", "reference-types", "sign-ext"];

if (process.argv.includes("--check")) {
  if (!existsSync("dist/verifier.wasm")) fail("dist is not built; run `cargo xtask npm`");
  process.exit(0);
}
if (!existsSync(MODULE)) fail("the module is not built; run `cargo xtask npm`");

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");

const wasmOpt = createRequire(import.meta.url).resolve("binaryen/bin/wasm-opt");
execFileSync(process.execPath, [
  wasmOpt,
  "-Os",
  ...FEATURES.map((feature) => `--enable-${feature}`),
  "--strip-debug",
  "--strip-producers",
  "--strip-target-features",
  MODULE,
  "-o",
  "dist/verifier.wasm",
], { stdio: ["ignore", "inherit", "inherit"] });

const { build } = await import("esbuild");
const base64 = readFileSync("dist/verifier.wasm").toString("base64");
const inside = {
  name: "inside",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^#glue$/ }, () => ({ path: fileURLToPath(new URL("build/verifier_wasm.js", import.meta.url)) }));
    onResolve({ filter: /^#base64$/ }, () => ({ path: "base64", namespace: "module" }));
    onLoad({ filter: /^base64$/, namespace: "module" }, () => ({ contents: base64, loader: "text" }));
  },
};
const common = { bundle: true, target: "es2022", legalComments: "none", plugins: [inside], logLevel: "warning", minifySyntax: true };

// ES modules share one verifier.js, so that every entry speaks of the same module and the same classes.
await build({ ...common, entryPoints: ["src/verifier.js"], outfile: "dist/verifier.js", format: "esm" });
await build({ ...common, entryPoints: ["src/base64.js"], outfile: "dist/base64.js", format: "esm", external: ["./verifier.js", "./public.js"] });
for (const entry of ["node", "workerd", "browser", "slim", "public"]) cpSync(`src/${entry}.js`, `dist/${entry}.js`);

for (const [entry, name] of [["node.cjs", "node"], ["base64", "base64"], ["slim", "slim"]]) {
  await build({ ...common, entryPoints: [`src/${entry}.js`], outfile: `dist/${name}.cjs`, format: "cjs", platform: "node" });
}

for (const name of ["index", "slim"]) {
  const types = readFileSync(`${name}.d.ts`, "utf8");
  writeFileSync(`dist/${name}.d.ts`, types);
  writeFileSync(`dist/${name}.d.cts`, types.replaceAll('"./index.js"', '"./index.cjs"'));
}

for (const name of ["LICENSE", "CHANGELOG.md"]) cpSync(`../../${name}`, name);

function fail(why) {
  console.error(why);
  process.exit(1);
}
