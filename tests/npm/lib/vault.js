// The real `postq-vault serve`, on a port of its own, over a data directory of its own; or an organisation of its own in a
// deployment, where POSTQ_TEST_CLOUD names what `cargo xtask cloud-up` wrote down of one.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const binary = (profile) => fileURLToPath(new URL(`../../../target/${profile}/postq-vault`, import.meta.url));

/** The deployment: `{account, address, name, region, …}`, where there is one. */
export const deployment = process.env.POSTQ_TEST_CLOUD && JSON.parse(readFileSync(process.env.POSTQ_TEST_CLOUD, "utf8"));

/** Starts it: `{address, token, log(), stop()}`. */
export async function startVault(environment = {}, profile = "debug") {
  if (deployment) return deployed();
  if (!existsSync(binary(profile))) throw new Error("the server is not built; run `cargo build -p server`, or `cargo xtask test`");
  const data = await mkdtemp(join(tmpdir(), "postq-vault-"));
  const server = spawn(binary(profile), ["serve", "--data", data, "--listen", "127.0.0.1:0"], { env: environment });
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

async function deployed() {
  const { account, address, name, region } = deployment;
  const answer = await fetch(`${account}/2015-03-31/functions/${name}-create-org/invocations`, {
    method: "POST",
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${region}/lambda/aws4_request` },
    body: JSON.stringify({ name: "My organisation", environment: "live" }),
  });
  const { token } = await answer.json();
  if (!token) throw new Error("the deployment makes no organisation");
  return { address, token, log: () => "", async stop() {} };
}
