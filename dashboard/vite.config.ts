import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** Where `vite` finds the API while the page is worked on: a vault that `cargo xtask up` serves. */
const VAULT = process.env["POSTQ_API_ENDPOINT"] ?? "http://127.0.0.1:8787";

export default defineConfig({
  base: "/vault/",
  plugins: [svelte()],
  build: {
    target: "es2022",
    // `build.mjs` empties it, but for the file that keeps the folder.
    emptyOutDir: false,
    // The policy that the page is served under has no room for data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  worker: { format: "es" },
  server: { host: "127.0.0.1", proxy: { "/v1": VAULT } },
});
