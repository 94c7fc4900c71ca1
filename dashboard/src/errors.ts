// What an error means to whoever sees it, and what they can do.

import { PostQError } from "@postq/sdk";

export interface Told {
  /** What happened, as the vault says it. */
  sentence: string;
  /** What to do about it; none where the sentence says so already. */
  advice: string | undefined;
  code: string | undefined;
  requestId: string | undefined;
  /** Whether another try may do. */
  passes: boolean;
}

export function told(error: unknown): Told {
  if (!(error instanceof PostQError)) {
    return { sentence: error instanceof Error ? error.message : String(error), advice: undefined, code: undefined, requestId: undefined, passes: true };
  }
  const { message, code, requestId, status } = error;
  return { sentence: sentenceOf(message), advice: ADVICE[code] ?? byStatus(status), code, requestId, passes: status === undefined || status >= 500 || status === 429 };
}

const ADVICE: Record<string, string> = {
  connection_failed: "Check that you are online and that the vault runs, then try again. What you entered is still here.",
  timeout: "The vault is slow or out of reach. Trying the same again is safe: it has its effect once.",
  missing_scope: "Sign in with a token that has this scope, or ask whoever makes your tokens.",
  key_not_allowed: "This token is confined to other keys. Sign in with one that is for this key.",
  key_revoked: "A revoked key never signs again. Use another key.",
  key_superseded: "Sign with its successor, which is linked on this page.",
  policy_unreadable: "Whoever changes policies deletes it, under Policies or by `postq policies delete`, and makes it anew.",
  too_many_policies: "Put what belongs together into one policy.",
  kms_denied: "Whoever runs that account must look at its key and its policies, and at the role, the application or the service account that enters it, whose secret or key may have ended. Settings has a test that names what was refused.",
  kms_quota_exceeded: "Whoever runs that account has its quota of KMS keys raised.",
  kms_throttled: "The account's KMS has too many calls. Try again in a moment.",
  kms_unavailable: "KMS did not answer. Try again in a moment.",
  kms_timeout: "KMS did not answer in time. Nothing was signed; try again.",
  kms_wrong_answer: "KMS gave something else than a signature of this key. Nothing was released; tell the cloud that runs it.",
  settings_missing: "Name the account first, in Settings.",
  secret_unusable: "Enter the application's secret, or choose the service account's key file, anew in Settings, and save.",
  role_open: "The account lets in whoever does not bring your external id. Settings shows what the role's trust policy, the application's federated credential or the pool's provider must demand.",
  role_missing: "Name a role in Settings, with the trust policy that is shown there.",
  credentials_unavailable: "The vault's operator must look at its own credentials.",
  kek_unavailable: "The vault's operator must look at its key-encryption key.",
  store_unavailable: "The vault's store is out of reach. Nothing was released; try again in a moment.",
  store_restored: "The vault's store was put back to an earlier state: its operator runs `postq-vault recover`.",
  key_integrity: "This key's record was not written by this vault. Its operator finds the cause in the log by the request's id.",
  provider_unavailable: "This deployment does not have it. Whoever runs it can: postq-vault is built for AWS KMS with its feature aws, for Azure Key Vault with azure, and for Google Cloud KMS with gcp.",
  invalid_base_url: "Open this page over https, or through a tunnel at 127.0.0.1: over http anybody on the way could read the token.",
  settings_changed: "Somebody saved other settings meanwhile. Look at what is there now, then try again.",
  already_created: "An earlier try was done, though its answer was lost. A secret is shown once: revoke what was made, and make another.",
  verifier_unavailable: "Check that you are online, then try again. If a newer version of this page was deployed meanwhile, load the page anew.",
};

function byStatus(status: number | undefined): string | undefined {
  if (status === 429) return "Too many calls. Wait a moment and try again.";
  if (status !== undefined && status >= 500) return "Tell the vault's operator the request's id.";
  return undefined;
}

/** What the vault says, as a sentence. */
export function sentenceOf(text: string): string {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
