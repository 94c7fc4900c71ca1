export { PostQ } from "./postq.js";
export type { HybridSignInput, HybridVerifyInput, SignInput, SignStreamInput, VerifyInput, VerifyOutcome, VerifyStreamInput } from "./postq.js";
export type { CallOptions, PostQOptions } from "./http.js";
export type { List, Page } from "./pages.js";
export type { HybridKeys } from "./hybrid-keys.js";
export type { Ledger } from "./ledger.js";
export type { Policies } from "./policies.js";
export type { Tokens } from "./tokens.js";
export type { Settings, Vault } from "./vault.js";
export { OPERATIONS } from "./operations.js";
export {
  PostQAuthenticationError,
  PostQConflictError,
  PostQConnectionError,
  PostQError,
  PostQLedgerError,
  PostQNotFoundError,
  PostQPermissionError,
  PostQRateLimitError,
  PostQRequestError,
  PostQServerError,
} from "./errors.js";
export type {
  Algorithm,
  ApiToken,
  AppendRequest,
  AuditRow,
  AwsSettings,
  AwsSettingsRequest,
  AzureSettings,
  AzureSettingsRequest,
  Bundle,
  ClearSettingsResponse,
  ConsistencyProof,
  CreateKeyRequest,
  CreatePolicyRequest,
  CreateTokenRequest,
  CreateTokenResponse,
  DeletedPolicy,
  GcpSettings,
  GcpSettingsRequest,
  InclusionProof,
  KekProvider,
  Key,
  KeyProvider,
  KeyStatus,
  KeyWithPublicKey,
  LedgerCheckpoint,
  LedgerEntry,
  Lineage,
  Policy,
  PolicyAction,
  PolicyRule,
  PolicyTerms,
  PqProvider,
  ProtectionLevel,
  PutSettingsRequest,
  PutSettingsResponse,
  Receipt,
  RevokeKeyResponse,
  RevokedToken,
  RotateKeyRequest,
  Scope,
  SealResponse,
  SettingsCheck,
  SignResponse,
  SignatureEncoding,
  TestSettingsResponse,
  UpdatePolicyRequest,
  UsageResponse,
  VaultSettings,
  VerifyResponse,
  WhoamiResponse,
} from "./schema.js";
