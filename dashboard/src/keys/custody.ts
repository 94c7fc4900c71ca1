// Who holds what of a key: the three axes, what a choice means, and what it comes to.

import type { Algorithm, KekProvider, KeyProvider, PqProvider, VaultSettings } from "@postq/sdk";

export type Axis = "kekProvider" | "keyProvider" | "pqProvider";

export interface Custody {
  /** Empty: as the organisation's settings say, which this token may not read. */
  kekProvider: KekProvider | "";
  keyProvider: KeyProvider;
  pqProvider: PqProvider;
}

export interface Choice {
  value: string;
  name: string;
  sentence: string;
  /** Why it cannot be chosen; none where it can. */
  not?: string;
}

/** The clouds where an organisation can name an account of its own: whose each is, and what it is called where it wraps and holds. */
export const CLOUDS = {
  aws: { of: "AWS", provider: "aws-kms" },
  azure: { of: "Azure", provider: "azure-kv" },
  gcp: { of: "Google Cloud", provider: "gcp-kms" },
} as const;
export type Cloud = keyof typeof CLOUDS;
export const CLOUD_NAMES = Object.keys(CLOUDS) as Cloud[];

/** Which accounts are named, whether Google's makes halves in HSMs, and for how many seconds what they wrap may stay opened; undefined where this token may not know. */
export type NamedAccounts = (Record<Cloud, boolean> & { inHsms: boolean; keepsOpened: number }) | undefined;

/** For how many seconds the vault keeps halves opened whose data key it wraps itself. */
export const KEPT_BY_VAULT = 300;

/** The three questions, with what can be answered. */
export const AXES: readonly { axis: Axis; question: string; about: string; choices: readonly Choice[] }[] = [
  {
    axis: "kekProvider",
    question: "Who wraps the data key?",
    about: "Halves that the vault keeps lie sealed under a data key. Whoever wraps that key can withhold it.",
    choices: [
      { value: "env", name: "This vault", sentence: "The vault's own key-encryption key. Nothing to set up, and nothing of yours to withdraw." },
      { value: "aws-kms", name: "AWS KMS", sentence: "A key in your account opens the data key. Disable it, and signing stops." },
      { value: "azure-kv", name: "Azure Key Vault", sentence: "An RSA key in your key vault opens the data key. Disable it, and signing stops." },
      { value: "gcp-kms", name: "Google Cloud KMS", sentence: "A key in your project opens the data key. Disable its versions, and signing stops, as a rule within a minute." },
    ],
  },
  {
    axis: "keyProvider",
    question: "Who holds the classical half?",
    about: "Ed25519 or ECDSA P-256: what verifiers have trusted for years.",
    choices: [
      { value: "postq-managed", name: "This vault", sentence: "Sealed under the data key, opened to sign, and erased when the key ends." },
      { value: "aws-kms", name: "AWS KMS", sentence: "A key of its own in your account. It never leaves, and each signature stands in your CloudTrail." },
      { value: "azure-kv", name: "Azure Key Vault", sentence: "A P-256 key of its own in your key vault. It never leaves, and each signature stands in the key vault's log, where you have turned that on." },
      { value: "gcp-kms", name: "Google Cloud KMS", sentence: "A key of its own in your project. It never leaves, and each signature stands in your audit logs, where you have turned those of data access on." },
    ],
  },
  {
    axis: "pqProvider",
    question: "Who holds the ML-DSA half?",
    about: "FIPS 204: what holds when a quantum computer breaks the other half.",
    choices: [
      { value: "postq-managed", name: "This vault", sentence: "Sealed under the data key, opened to sign, and erased when the key ends." },
      { value: "aws-kms", name: "AWS KMS", sentence: "A key of its own in your account. It never leaves, and each signature stands in your CloudTrail." },
      { value: "gcp-kms", name: "Google Cloud KMS", sentence: "A key of its own in your project, held by Google's software. It never leaves, and each signature stands in your audit logs, where you have turned those of data access on." },
      { value: "aws-cloudhsm", name: "AWS CloudHSM", sentence: "A key in your own cluster.", not: "Awaits ML-DSA in CloudHSM." },
      { value: "azure-managed-hsm", name: "Azure Managed HSM", sentence: "A key in your own HSM.", not: "Awaits ML-DSA in Managed HSM." },
    ],
  },
];

/** What is offered where the organisation's settings are not known, or decide. */
export const AS_SET: Choice = { value: "", name: "As the settings say", sentence: "Whoever your organisation chose for keys that do not say." };

/** A choice as it stands with the others: why it cannot be made now, if it cannot. */
export function notChoosable(axis: Axis, choice: Choice, algorithm: Algorithm, custody: Custody, accounts: NamedAccounts): string | undefined {
  if (axis === "keyProvider" && choice.value === "azure-kv" && algorithm.endsWith("ed25519")) {
    return "Azure Key Vault holds P-256 alone: it would take an algorithm with ecdsa-p256.";
  }
  if (choice.not !== undefined) return choice.not;
  if (axis === "kekProvider" && isSealless(custody)) return "Both halves are held elsewhere: nothing is sealed, so nothing is wrapped.";
  const cloud = cloudOf(choice.value);
  if (cloud && accounts?.[cloud] === false) return `Name your ${CLOUDS[cloud].of} account first, in Settings.`;
  if (axis === "pqProvider" && cloud === "gcp" && accounts?.inHsms) return "Your settings have halves made in HSMs, which have no ML-DSA.";
  return undefined;
}

/** The cloud whose account a provider is in; none where it is in no account that can be named. */
export function cloudOf(provider: string): Cloud | undefined {
  return CLOUD_NAMES.find((cloud) => CLOUDS[cloud].provider === provider);
}

/** The accounts that settings name: none of them where nothing is set, which is null. */
export function accountsOf(settings: VaultSettings | null | undefined): NamedAccounts {
  if (settings === undefined) return undefined;
  return {
    aws: Boolean(settings?.aws),
    azure: Boolean(settings?.azure),
    gcp: Boolean(settings?.gcp),
    inHsms: settings?.gcp?.protectionLevel === "hsm",
    keepsOpened: settings?.dekCacheTtlSeconds ?? 0,
  };
}

/** Whether the vault keeps neither half. */
export function isSealless({ keyProvider, pqProvider }: Custody): boolean {
  return keyProvider !== "postq-managed" && pqProvider !== "postq-managed";
}

/** The tier, as the vault derives it; undefined where it rests on settings that are not known. */
export function tierOf(custody: Custody): 0 | 1 | 2 | 3 | undefined {
  const held = [custody.keyProvider, custody.pqProvider].filter((provider) => provider === "postq-managed").length;
  if (held === 0) return 3;
  if (held === 1) return 2;
  if (custody.kekProvider === "") return undefined;
  return custody.kekProvider === "env" ? 0 : 1;
}

/** What each tier comes to, in a few words. */
export const TIERS: Record<0 | 1 | 2 | 3, string> = {
  0: "all in this vault",
  1: "wrapped by you",
  2: "one half is yours",
  3: "both halves are yours",
};

/** For how many seconds the vault may keep halves opened: null where it keeps neither; undefined where it rests on settings that are not known. */
export function keepsOpened(custody: Custody, accounts: NamedAccounts): number | null | undefined {
  if (isSealless(custody)) return null;
  if (custody.kekProvider === "env") return KEPT_BY_VAULT;
  return custody.kekProvider === "" ? undefined : accounts?.keepsOpened;
}

/** The same in a few words; none where there is nothing to keep. */
export function keptFor(seconds: number | null | undefined): string {
  if (seconds === null) return "";
  if (seconds === undefined) return "How long opened halves are kept rests on the settings";
  return seconds === 0 ? "Opened anew for every signature" : `Opened halves are kept for up to ${seconds} s`;
}

/** Who could sign without whom, where what is opened may be kept for so many seconds. */
export function whoCouldSign(custody: Custody, seconds: number | null | undefined): string[] {
  const wrapper = providerName(custody.kekProvider);
  const withheld = `Without a grant of ${wrapper}'s the data key stays shut, so the vault cannot sign without you; ${wrapper} never sees a half, so it cannot sign without the vault.`;
  const meanwhile = seconds ? [`What was opened may sign for up to ${seconds} s without ${wrapper}: a grant that is withdrawn meanwhile bites after that.`] : [];
  switch (tierOf(custody)) {
    case undefined:
      return ["Both halves are sealed here: Tier 0 if the vault wraps their data key, Tier 1 if your own KMS does."];
    case 0:
      return ["Whoever has this vault's store and its key-encryption key could sign without you.", "Nobody else could: both halves are sealed."];
    case 1:
      return [withheld, ...meanwhile, "Who copied the data key while it was open could go on: rotate after a doubt."];
    case 2: {
      const [mine, theirs, holder] =
        custody.keyProvider === "postq-managed"
          ? ["classical", "ML-DSA", custody.pqProvider]
          : ["ML-DSA", "classical", custody.keyProvider];
      const lines = [
        `The vault alone could not sign: the ${theirs} half is held by ${providerName(holder)}.`,
        `${providerName(holder)} alone could not either: the ${mine} half is sealed here.`,
      ];
      return custody.kekProvider === "env" || custody.kekProvider === "" ? lines : [...lines, `The ${mine} half opens only while ${wrapper} unwraps its data key.`, ...meanwhile];
    }
    case 3: {
      const holders = [...new Set([custody.keyProvider, custody.pqProvider])];
      // CloudTrail has what AWS KMS signed without being turned on, and no signature is whole without both halves.
      const trace = holders.includes("aws-kms") ? "though not without a trace in your own logs" : "and leaves a trace only where your logs of the keys' use are turned on";
      return [
        "The vault holds no half. It can ask for signatures while your grant stands, and none without it.",
        `Who administers ${holders.map(providerName).join(" and ")} could sign without the vault, ${trace}.`,
      ];
    }
  }
}

/** A provider's name, for people. */
export function providerName(provider: string | null | undefined): string {
  for (const { choices } of AXES) {
    const found = choices.find(({ value }) => value === provider);
    if (found) return found.value === "env" || found.value === "postq-managed" ? "this vault" : found.name;
  }
  return provider ?? "nobody";
}
