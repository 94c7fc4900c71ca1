// Builds the page into `dist/`, with a smaller copy (Brotli) beside each file, and holds what the first visit loads to its budget.

import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "vite";

/** What a first visit may load of JavaScript before the module for verification, gzipped: 90 KB. */
const BUDGET = 90_000;

process.chdir(fileURLToPath(new URL(".", import.meta.url)));
mkdirSync("dist", { recursive: true });
for (const name of readdirSync("dist")) if (name !== ".gitignore") rmSync(join("dist", name), { recursive: true });
const { output } = await build({ logLevel: "warn" });

const first = firstLoad(output);
const size = first.reduce((sum, { code }) => sum + gzipSync(code).length, 0);
console.log(`a first visit loads ${size} bytes of JavaScript, gzipped, of ${BUDGET}`);
if (size > BUDGET) {
  // What is not to be shipped is not left lying as if it were.
  rmSync("dist/index.html");
  console.error(`that is too much; it is in ${first.map(({ fileName }) => fileName).join(", ")}`);
  process.exit(1);
}

for (const name of readdirSync("dist", { recursive: true })) {
  const file = join("dist", name);
  if (name === ".gitignore" || statSync(file).isDirectory()) continue;
  const bytes = readFileSync(file);
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  const smaller = brotliCompressSync(bytes, { params });
  if (smaller.length < bytes.length) writeFileSync(`${file}.br`, smaller);
}

/** The entry, the page that it opens on when nobody is signed in and when somebody is, and all that they import. */
function firstLoad(output) {
  const chunks = new Map(output.filter(({ type }) => type === "chunk").map((chunk) => [chunk.fileName, chunk]));
  const [found, roots] = [new Set(), []];
  const add = (name) => {
    if (found.has(name)) return;
    found.add(name);
    chunks.get(name).imports.forEach((imported) => chunks.has(imported) && add(imported));
  };
  for (const chunk of chunks.values()) {
    if (chunk.isEntry || chunk.facadeModuleId?.endsWith("/pages/Overview.svelte")) roots.push(chunk.fileName);
  }
  if (roots.length !== 2) throw new Error(`the entry and the overview are two chunks, and not ${roots}`);
  roots.forEach(add);
  return [...found].map((name) => chunks.get(name));
}
