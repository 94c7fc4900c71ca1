// What is entered of an account, as a request has it. The vault looks closer; this says early what is plainly something else.

import type { AwsSettingsRequest, AzureSettings, AzureSettingsRequest } from "@postq/sdk";

export interface AwsEntered {
  keyArn: string;
  roleArn: string;
}

export interface AzureEntered {
  vaultUrl: string;
  kekName: string;
  tenantId: string;
  clientId: string;
  auth: AzureSettings["auth"];
  /** It is never filled from what was read: the vault does not show it. */
  clientSecret: string;
}

/** That something entered cannot be right. */
export class Wrong {
  constructor(
    /** The id of the field. */
    readonly field: string,
    readonly sentence: string,
  ) {}
}

/** @throws {Wrong} */
export function awsRequest(entered: AwsEntered): AwsSettingsRequest {
  const keyArn = fitting("key-arn", entered.keyArn, ARN, "A key's ARN is complete, and no alias: arn:aws:kms:eu-central-1:123456789012:key/….");
  if (entered.roleArn.trim() === "") return { keyArn };
  return { keyArn, roleArn: fitting("role-arn", entered.roleArn, ROLE, "A role's ARN is arn:aws:iam::123456789012:role/….") };
}

/** @throws {Wrong} */
export function azureRequest(entered: AzureEntered, stored: AzureSettings | null | undefined): AzureSettingsRequest {
  const request: AzureSettingsRequest = {
    vaultUrl: fitting("vault-url", entered.vaultUrl, VAULT, "A key vault's URL is its own address and nothing else: https://NAME.vault.azure.net."),
    kekName: fitting("kek-name", entered.kekName, NAME, "A key's name has letters, digits and hyphens. It is neither its URL nor its version."),
    tenantId: fitting("tenant-id", entered.tenantId, GUID, "A tenant's id is 00000000-0000-0000-0000-000000000000."),
    clientId: fitting("client-id", entered.clientId, GUID, "An application's id is 00000000-0000-0000-0000-000000000000."),
    auth: entered.auth,
  };
  if (entered.auth === "federated") return request;
  const clientSecret = entered.clientSecret.trim();
  // Left out, the stored one stays.
  if (clientSecret === "" && secretStays(entered, stored)) return request;
  return { ...request, clientSecret: fitting("client-secret", clientSecret, SECRET, "Enter the application's secret: its value, and not its id.") };
}

/** Whether the secret that is stored is for the account that is entered. */
export function secretStays(entered: AzureEntered, stored: AzureSettings | null | undefined): boolean {
  const same = (what: "vaultUrl" | "tenantId" | "clientId") => plain(entered[what]) === plain(stored?.[what] ?? "");
  return Boolean(stored?.clientSecretConfigured) && same("vaultUrl") && same("tenantId") && same("clientId");
}

/** An address or an id as the vault stores it. */
function plain(text: string): string {
  return text.trim().toLowerCase().replace(/\/$/, "");
}

function fitting(field: string, entered: string, pattern: RegExp, sentence: string): string {
  const text = entered.trim();
  if (!pattern.test(text)) throw new Wrong(field, sentence);
  return text;
}

const ARN = /^arn:aws[\w-]*:kms:[\w-]+:\d{12}:key\/[\w-]+$/;
const ROLE = /^arn:aws[\w-]*:iam::\d{12}:role\/.+$/;
const VAULT = /^https:\/\/[a-z0-9][a-z0-9-]{1,22}[a-z0-9]\.(vault|managedhsm)\.(azure\.net|azure\.cn|usgovcloudapi\.net)\/?$/i;
const NAME = /^[a-z0-9-]{1,127}$/i;
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const SECRET = /^[!-~]{1,1024}$/;
