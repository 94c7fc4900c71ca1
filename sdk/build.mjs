// Puts `dist/` together: TypeScript's declarations, and one file each for ES modules and CommonJS.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));
if (process.argv.includes("--check")) {
  if (existsSync("dist/offline.cjs")) process.exit(0);
  console.error("dist is not built; run `cargo xtask npm`");
  process.exit(1);
}
rmSync("dist", { recursive: true, force: true });

const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
execFileSync(process.execPath, [tsc, "--project", "."], { stdio: "inherit" });
for (const name of readdirSync("dist")) {
  const types = readFileSync(`dist/${name}`, "utf8");
  writeFileSync(`dist/${name.replace(/\.d\.ts$/, ".d.cts")}`, types.replace(/(["']\.\/[\w-]+)\.js(["'])/g, "$1.cjs$2"));
}

for (const [format, ending] of [["esm", "js"], ["cjs", "cjs"]]) {
  for (const entry of ["index", "offline"]) {
    await build({
      entryPoints: [`src/${entry}.ts`],
      outfile: `dist/${entry}.${ending}`,
      format,
      bundle: true,
      packages: "external",
      platform: "neutral",
      target: "es2022",
      legalComments: "none",
      logLevel: "warning",
    });
  }
}
for (const name of ["LICENSE", "CHANGELOG.md"]) cpSync(`../${name}`, name);
