// The outline of `sign` in Node, for the start of the Lambda to be measured beside (`cargo xtask bench-cold-start` bundles it): as many
// calls of DynamoDB, both halves by noble, the AWS SDK for JavaScript, and the loop over the Lambda Runtime API. Nobody's key
// is in it, and it checks nothing: it is what such a handler loads and does, not a vault.

import http from "node:http";
import { createHash, randomBytes } from "node:crypto";
import { DynamoDBClient, GetItemCommand, TransactWriteItemsCommand } from "@aws-sdk/client-dynamodb";
import { KMSClient } from "@aws-sdk/client-kms";
import { ed25519 } from "@noble/curves/ed25519.js";
import { ml_dsa65 } from "@noble/post-quantum/ml-dsa.js";

const RUNTIME = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
const [TOKENS, KEYS, TOMBSTONES, SEALED, ISSUED, INTAKE] = ["tokens", "keys", "tombstones", "sealed-halves", "issued", "intake"].map(
  (table) => process.env.POSTQ_TABLES + table,
);

const agent = new http.Agent({ keepAlive: true });
const dynamodb = new DynamoDBClient({});
// What unwraps a data key where a key-encryption key lies in KMS; here it is in no use, as in the Lambda's measurement.
const kms = new KMSClient({});
const seed = randomBytes(32);
const pq = ml_dsa65.keygen(seed);

serve();

async function serve() {
  for (;;) {
    const { headers, body } = await call("GET", "/next");
    const answer = await handle(JSON.parse(body));
    await call("POST", `/${headers["lambda-runtime-aws-request-id"]}/response`, JSON.stringify(answer));
  }
}

async function handle(event) {
  const text = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : event.body;
  const { keyId, payload } = JSON.parse(text);
  const token = createHash("sha256").update(event.headers.authorization).digest("hex");
  await read(TOKENS, token);
  await read(KEYS, keyId);
  await read(TOMBSTONES, keyId);
  await read(SEALED, keyId);
  const message = createHash("sha512").update(Buffer.from(payload, "base64")).digest();
  const signature = Buffer.concat([ml_dsa65.sign(message, pq.secretKey), ed25519.sign(message, seed)]).toString("base64");
  const id = randomBytes(16).toString("hex");
  const put = (TableName) => ({ Put: { TableName, Item: { pk: { S: keyId }, sk: { S: id }, digest: { B: message } } } });
  await dynamodb.send(new TransactWriteItemsCommand({ TransactItems: [put(ISSUED), put(INTAKE)] }));
  return { statusCode: 200, headers: { "postq-request-id": id }, body: JSON.stringify({ success: true, data: { signature } }) };
}

function read(TableName, pk) {
  return dynamodb.send(new GetItemCommand({ TableName, Key: { pk: { S: pk }, sk: { S: "-" } }, ConsistentRead: true }));
}

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(RUNTIME + path, { method, agent }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ headers: response.headers, body: text });
    });
    request.on("error", reject);
    request.end(body);
  });
}

export { kms };
