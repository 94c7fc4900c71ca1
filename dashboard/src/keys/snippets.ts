// The same call by other means, ready to be pasted. No secret is in any of them: each reads it where it is kept.

import type { Algorithm } from "@postq/sdk";
import { toBase64 } from "../words.ts";

export interface Snippet {
  name: string;
  code: string;
}

/** Signing a text, and verifying it. */
export function signAndVerify(baseUrl: string, keyId: string, text: string): Snippet[] {
  const payload = toBase64(new TextEncoder().encode(text));
  return [
    {
      name: "curl",
      code: `# POSTQ_API_KEY has the token
curl -sS ${shell(`${baseUrl}/v1/sign`)} \\
  -H "Authorization: Bearer $POSTQ_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -d ${shell(JSON.stringify({ keyId, payload }))}`,
    },
    {
      name: "TypeScript",
      code: `import { PostQ } from "@postq/sdk";

const postq = new PostQ({ apiKey: process.env.POSTQ_API_KEY!, baseUrl: ${JSON.stringify(baseUrl)} });
const keyId = ${JSON.stringify(keyId)};
const payload = new TextEncoder().encode(${JSON.stringify(text)});

const { signature, eventId, eventDigest } = await postq.sign({ keyId, payload });
const { ok } = await postq.verify({ keyId, payload, signature });
await postq.ledger.confirm(eventId, eventDigest);`,
    },
    {
      name: "Python",
      code: `# pip install postq-sdk; POSTQ_API_KEY has the token
from postq import PostQ

vault = PostQ(base_url=${JSON.stringify(baseUrl)})
key_id = ${JSON.stringify(keyId)}
payload = ${JSON.stringify(text)}

signed = vault.sign(key_id=key_id, payload=payload)
print(vault.verify(key_id=key_id, payload=payload, signature=signed.signature))`,
    },
    {
      name: "CLI",
      code: `# POSTQ_API_KEY has the token
export POSTQ_API_ENDPOINT=${shell(baseUrl)}
printf '%s' ${shell(text)} > payload.bin
postq sign --key ${keyId} --in payload.bin --out payload.bin.sig
postq verify --key ${keyId} --in payload.bin --sig payload.bin.sig`,
    },
  ];
}

/** Signing a file: by its digest, so that it stays where it is, but for the published Python client, which sends it. */
export function signFile(baseUrl: string, keyId: string, algorithm: Algorithm, name: string): Snippet[] {
  const hash = algorithm === "mldsa44+ecdsa-p256" ? "sha256" : "sha512";
  return [
    {
      name: "curl",
      code: `# POSTQ_API_KEY has the token
PREHASH=$(openssl dgst -${hash} -binary ${shell(name)} | base64 | tr -d '\\n')
curl -sS ${shell(`${baseUrl}/v1/sign`)} \\
  -H "Authorization: Bearer $POSTQ_API_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '{"keyId":"${keyId}","prehash":"'"$PREHASH"'"}'`,
    },
    {
      name: "TypeScript",
      code: `import { createReadStream } from "node:fs";
import { PostQ } from "@postq/sdk";

const postq = new PostQ({ apiKey: process.env.POSTQ_API_KEY!, baseUrl: ${JSON.stringify(baseUrl)} });
const { signature } = await postq.signStream({ keyId: ${JSON.stringify(keyId)}, payload: createReadStream(${JSON.stringify(name)}) });`,
    },
    {
      name: "Python",
      code: `# pip install postq-sdk; POSTQ_API_KEY has the token; up to 4 MiB
from pathlib import Path

from postq import PostQ

vault = PostQ(base_url=${JSON.stringify(baseUrl)})
signed = vault.sign(key_id=${JSON.stringify(keyId)}, payload=Path(${JSON.stringify(name)}).read_bytes())
print(signed.signature)`,
    },
    {
      name: "CLI",
      code: `# POSTQ_API_KEY has the token
export POSTQ_API_ENDPOINT=${shell(baseUrl)}
postq sign --key ${keyId} --in ${shell(name)} --out ${shell(`${name}.sig`)}`,
    },
  ];
}

/** A word that a shell takes as it is. */
function shell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
