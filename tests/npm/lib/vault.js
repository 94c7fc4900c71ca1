// The real `postq-vault serve`, on a port of its own, over a data directory of its own.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BINARY = fileURLToPath(new URL("../../../target/debug/postq-vault", import.meta.url));

/** Starts it: `{address, token, log(), stop()}`. */
export async function startVault(environment = {}) {
  if (!existsSync(BINARY)) throw new Error("the server is not built; run `cargo build -p server`, or `cargo xtask test`");
  const data = await mkdtemp(join(tmpdir(), "postq-vault-"));
  const server = spawn(BINARY, ["serve", "--data", data, "--listen", "127.0.0.1:0"], { env: environment });
  let [said, log] = ["", ""];
  server.stderr.on("data", (chunk) => (log += chunk));
  const ended = new Promise((resolve) => server.on("exit", resolve));
  const found = await new Promise((resolve, reject) => {
    server.on("exit", () => reject(new Error(`the server ended: ${log}`)));
    server.stdout.on("data", (chunk) => {
      said += chunk;
      const [address, token] = [/^address\s+(\S+)$/m, /^token\s+(\S+)$/m].map((line) => line.exec(said)?.[1]);
      if (address && token) resolve({ address, token });
    });
  });
  return {
    ...found,
    log: () => log,
    async stop() {
      server.kill();
      await ended;
      await rm(data, { recursive: true, force: true });
    },
  };
}
