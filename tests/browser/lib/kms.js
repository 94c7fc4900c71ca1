// AWS KMS on this machine, and an organisation's account there.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PYTHON = fileURLToPath(new URL("../../../target/tools/venv/bin/python", import.meta.url));
const SCRIPT = fileURLToPath(new URL("../../python/local_kms.py", import.meta.url));

export const ROLE = "arn:aws:iam::123456789012:role/vault";

/** Starts it: `{environment, makeKey(), trust(externalId), faults(list), stop()}`. */
export async function startKms() {
  if (!existsSync(PYTHON)) throw new Error("the tests' Python packages are missing; `cargo xtask test` sets them up");
  const process = spawn(PYTHON, [SCRIPT], { stdio: ["ignore", "pipe", "inherit"] });
  const [port] = await new Promise((resolve, reject) => {
    process.on("exit", () => reject(new Error("the emulated KMS ended")));
    createInterface(process.stdout).once("line", (line) => resolve([line.trim()]));
  });
  const url = `http://127.0.0.1:${port}`;
  const control = async (change) => {
    const answer = await fetch(`${url}/control`, { method: "POST", body: JSON.stringify(change) });
    if (!answer.ok) throw new Error(`the emulated KMS does not take ${JSON.stringify(change)}`);
  };
  return {
    environment: { AWS_ENDPOINT_URL: url, AWS_REGION: "eu-central-1", AWS_ACCESS_KEY_ID: "any", AWS_SECRET_ACCESS_KEY: "any" },
    async makeKey() {
      const answer = await fetch(url, {
        method: "POST",
        headers: {
          "x-amz-target": "TrentService.CreateKey",
          "content-type": "application/x-amz-json-1.1",
          authorization: "AWS4-HMAC-SHA256 Credential=any/20260101/eu-central-1/kms/aws4_request, SignedHeaders=host, Signature=0",
        },
        body: "{}",
      });
      return (await answer.json()).KeyMetadata.Arn;
    },
    trust: (externalId) => control({ roles: { [ROLE]: externalId ? { demands: externalId } : {} } }),
    faults: (faults) => control({ faults }),
    stop: () => process.kill(),
  };
}
