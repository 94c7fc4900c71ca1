// Every operation of the API by its operationId: the method and the path behind each call of this SDK. A test holds the
// table equal to the API's description.

import type { operations } from "./schema.js";

export const OPERATIONS = {
  appendLedgerEntry: ["POST", "/v1/ledger/entries"],
  clearSettings: ["DELETE", "/v1/vault/settings"],
  createApiToken: ["POST", "/v1/api-tokens"],
  createKey: ["POST", "/v1/hybrid-keys"],
  createPolicy: ["POST", "/v1/policies"],
  deletePolicy: ["DELETE", "/v1/policies/{id}"],
  getKey: ["GET", "/v1/hybrid-keys/{id}"],
  getPolicy: ["GET", "/v1/policies/{id}"],
  getSettings: ["GET", "/v1/vault/settings"],
  health: ["GET", "/health"],
  healthV1: ["GET", "/v1/health"],
  keyAudit: ["GET", "/v1/hybrid-keys/{id}/audit"],
  keyLineage: ["GET", "/v1/hybrid-keys/{id}/lineage"],
  latestLedgerCheckpoint: ["GET", "/v1/ledger/checkpoints/latest"],
  ledgerBundle: ["GET", "/v1/ledger/bundle"],
  ledgerCheckpoints: ["GET", "/v1/ledger/checkpoints"],
  ledgerConsistency: ["GET", "/v1/ledger/consistency"],
  ledgerEntries: ["GET", "/v1/ledger/entries"],
  ledgerProof: ["GET", "/v1/ledger/proof/{eventId}"],
  listApiTokens: ["GET", "/v1/api-tokens"],
  listKeys: ["GET", "/v1/hybrid-keys"],
  listOfferedPolicies: ["GET", "/v1/policies/offered"],
  listPolicies: ["GET", "/v1/policies"],
  publicKey: ["GET", "/v1/hybrid-keys/{id}/public-key"],
  putSettings: ["PUT", "/v1/vault/settings"],
  receipt: ["GET", "/v1/receipts/{eventId}"],
  revokeApiToken: ["DELETE", "/v1/api-tokens/{id}"],
  revokeKey: ["DELETE", "/v1/hybrid-keys/{id}"],
  rotateKey: ["POST", "/v1/hybrid-keys/{id}/rotate"],
  sealLedger: ["POST", "/v1/ledger/seal"],
  sign: ["POST", "/v1/sign"],
  testSettings: ["POST", "/v1/vault/settings/test"],
  updatePolicy: ["PATCH", "/v1/policies/{id}"],
  usage: ["GET", "/v1/usage"],
  verify: ["POST", "/v1/verify"],
  whoami: ["GET", "/v1/whoami"],
} as const satisfies Record<keyof operations, readonly ["GET" | "POST" | "PUT" | "PATCH" | "DELETE", string]>;

export type OperationId = keyof operations;

/** The body of an operation's success. */
export type Success<Id extends OperationId> =
  operations[Id]["responses"] extends infer Responses
    ? Responses[Extract<keyof Responses, 200 | 201>] extends { content: { "application/json": infer Body } }
      ? Body
      : never
    : never;

/** What of it callers want: `data`. */
export type Data<Id extends OperationId> = Success<Id> extends { data: infer Found } ? Found : never;

/** The query that an operation takes. */
export type Query<Id extends OperationId> = NonNullable<operations[Id]["parameters"]["query"]>;
