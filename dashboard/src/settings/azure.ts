// An account in Azure, as it is entered and as a request has it.

import type { AzureSettings, AzureSettingsRequest } from "@postq/sdk";
import { fitting } from "./entered.ts";

export interface AzureEntered {
  vaultUrl: string;
  kekName: string;
  tenantId: string;
  clientId: string;
  auth: AzureSettings["auth"];
  /** It is never filled from what was read: the vault does not show it. */
  clientSecret: string;
}

export function azureEntered(stored: AzureSettings | null | undefined): AzureEntered {
  return {
    vaultUrl: stored?.vaultUrl ?? "",
    kekName: stored?.kekName ?? "",
    tenantId: stored?.tenantId ?? "",
    clientId: stored?.clientId ?? "",
    auth: stored?.auth ?? "client-secret",
    clientSecret: "",
  };
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

const VAULT = /^https:\/\/[a-z0-9][a-z0-9-]{1,22}[a-z0-9]\.(vault|managedhsm)\.(azure\.net|azure\.cn|usgovcloudapi\.net)\/?$/i;
const NAME = /^[a-z0-9-]{1,127}$/i;
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const SECRET = /^[!-~]{1,1024}$/;
