// The runtimes that the package is for, each as a function that runs `runCases` there.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const PACKAGE = dirname(fileURLToPath(import.meta.resolve("@postq/verifier/package.json")));
const LIB = dirname(fileURLToPath(import.meta.url));

const MEDIA = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

export const runtimes = {
  async node(cases) {
    const [verifier, { runCases }] = [await import("@postq/verifier"), await import("./cases.js")];
    return runCases(verifier, cases);
  },

  async chromium(cases) {
    const page = `<!doctype html><script type="importmap">{"imports":{"@postq/verifier":"/package/dist/browser.js"}}</script>`;
    return inPage({ "/": page, "/package/": PACKAGE, "/lib/": LIB, "/cases.json": JSON.stringify(cases) }, (tab) =>
      tab.evaluate(async () => {
        const [verifier, { runCases }] = [await import("@postq/verifier"), await import("/lib/cases.js")];
        return runCases(verifier, await (await fetch("/cases.json")).json());
      }),
    );
  },

  async workerd(cases) {
    return inWorker(
      `import * as verifier from "@postq/verifier";
       import { runCases } from "./cases.js";
       export default { fetch: async (request) => Response.json(runCases(verifier, await request.json())) };`,
      { "cases.js": readFileSync(join(LIB, "cases.js"), "utf8") },
      async (call) => (await call(JSON.stringify(cases))).json(),
    );
  },
};

/** Serves files and folders on loopback: `{path: text}`, `{path ending in /: folder}`. */
export async function serve(routes, work) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const folder = Object.keys(routes).find((path) => path !== "/" && path.endsWith("/") && pathname.startsWith(path));
    try {
      const exact = routes[pathname];
      const body = exact ?? readFileSync(join(routes[folder], normalize(`/${pathname.slice(folder.length)}`)));
      const type = exact !== undefined && pathname === "/" ? "text/html" : (MEDIA[extname(pathname)] ?? "text/plain");
      response.writeHead(200, { "content-type": type }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await work(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** A tab of headless Chromium at the root of what is served. */
export async function inPage(routes, work) {
  return serve(routes, (origin) => inTab(origin, work));
}

export async function inTab(origin, work) {
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({
    executablePath: process.env.POSTQ_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
  });
  try {
    const tab = await browser.newPage();
    const failures = [];
    tab.on("pageerror", (error) => failures.push(error.message));
    tab.on("console", (message) => message.type() === "error" && failures.push(message.text()));
    await tab.goto(origin);
    try {
      return await work(tab);
    } catch (error) {
      throw new Error(`${error.message}\n${failures.join("\n")}`, { cause: error });
    }
  } finally {
    await browser.close();
  }
}

/** A worker in workerd, whose modules are the package's own files under its published name. */
export async function inWorker(script, files, work) {
  const { Miniflare } = await import("miniflare");
  const file = (path) => readFileSync(join(PACKAGE, path));
  const worker = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    compatibilityDate: "2026-06-01",
    modules: [
      { type: "ESModule", path: "worker.js", contents: script },
      ...Object.entries(files).map(([path, contents]) => ({ type: "ESModule", path, contents })),
      { type: "ESModule", path: "@postq/verifier", contents: 'export * from "./dist/workerd.js";' },
      ...["workerd", "verifier", "public"].map((name) => ({
        type: "ESModule",
        path: `@postq/dist/${name}.js`,
        contents: file(`dist/${name}.js`).toString(),
      })),
      { type: "CompiledWasm", path: "@postq/dist/verifier.wasm", contents: file("dist/verifier.wasm") },
    ],
  });
  try {
    return await work((body) => worker.dispatchFetch("http://worker/", { method: "POST", body }));
  } finally {
    await worker.dispose();
  }
}
