// An account in Google Cloud, as it is entered and as a request has it.

import type { GcpSettings, GcpSettingsRequest } from "@postq/sdk";
import { fitting, Wrong } from "./entered.ts";

export interface GcpEntered {
  kekKeyName: string;
  keyRingName: string;
  protectionLevel: GcpSettings["protectionLevel"];
  auth: "service-account-key" | "federated";
  workloadIdentityProvider: string;
  /** Who is impersonated. Whose a key is stands in its file. */
  serviceAccountEmail: string;
  /** A service account's key file, read when it is sent and not before. It is never filled from what was read. */
  keyFile: File | undefined;
}

export function gcpEntered(stored: GcpSettings | null | undefined): GcpEntered {
  const provider = stored?.workloadIdentityProvider ?? "";
  return {
    kekKeyName: stored?.kekKeyName ?? "",
    keyRingName: stored?.keyRingName ?? "",
    protectionLevel: stored?.protectionLevel ?? "software",
    auth: provider === "" ? "service-account-key" : "federated",
    workloadIdentityProvider: provider,
    serviceAccountEmail: provider === "" ? "" : (stored?.serviceAccountEmail ?? ""),
    keyFile: undefined,
  };
}

/** @throws {Wrong} */
export async function gcpRequest(entered: GcpEntered, stored: GcpSettings | null | undefined): Promise<GcpSettingsRequest> {
  const [ring, email] = [entered.keyRingName.trim(), entered.serviceAccountEmail.trim()];
  const request: GcpSettingsRequest = {
    kekKeyName: fitting("kek-key-name", entered.kekKeyName, KEY, "A key's name is complete, and no version's: projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY."),
    ...(ring && { keyRingName: fitting("key-ring-name", ring, RING, "A key ring's name is complete: projects/PROJECT/locations/LOCATION/keyRings/RING.") }),
    protectionLevel: entered.protectionLevel,
  };
  if (entered.auth === "federated") {
    const sentence = "A provider's name is complete, with the project's number: projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER.";
    return {
      ...request,
      workloadIdentityProvider: fitting("workload-identity-provider", entered.workloadIdentityProvider, PROVIDER, sentence),
      ...(email && { serviceAccountEmail: fitting("service-account-email", email, EMAIL, "A service account's address is NAME@PROJECT.iam.gserviceaccount.com.") }),
    };
  }
  // Left out, the stored one stays.
  if (!entered.keyFile && keyStays(entered, stored)) return request;
  return { ...request, serviceAccountKey: await keyOf(entered.keyFile) };
}

/** Whether the service account's key that is stored is for the projects that are entered. */
export function keyStays(entered: GcpEntered, stored: GcpSettings | null | undefined): boolean {
  if (!stored?.serviceAccountKeyConfigured) return false;
  const ring = entered.keyRingName.trim() || entered.kekKeyName;
  return projectOf(entered.kekKeyName) === projectOf(stored.kekKeyName) && projectOf(ring) === projectOf(stored.keyRingName);
}

function projectOf(name: string): string | undefined {
  return name.trim().split("/")[1];
}

async function keyOf(file: File | undefined): Promise<string> {
  const wrong = (sentence: string) => new Wrong("service-account-key", sentence);
  const other = "This is not the JSON file that Google makes for a service account's key.";
  if (!file) throw wrong("Choose the service account's key file.");
  if (file.size > MAX_BYTES) throw wrong(other);
  const text = await file.text().catch(() => {
    throw wrong("The file cannot be read any more. Choose it again.");
  });
  if (!isKeyFile(text)) throw wrong(other);
  return text;
}

function isKeyFile(text: string): boolean {
  try {
    return (JSON.parse(text) as { type?: unknown } | null)?.type === "service_account";
  } catch {
    return false;
  }
}

const KEY = /^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/;
const RING = /^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+$/;
const PROVIDER = /^(\/\/iam\.googleapis\.com\/)?projects\/\d+\/locations\/global\/workloadIdentityPools\/[^/]+\/providers\/[^/]+$/;
const EMAIL = /^[^@\s]+@[^@\s]+\.gserviceaccount\.com$/;

/** As much as the vault takes; Google's own have some 2,400. */
const MAX_BYTES = 16 * 1024;
