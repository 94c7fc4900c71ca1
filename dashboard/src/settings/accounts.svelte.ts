// The organisation's accounts as they are entered, and what is done with them. The vault takes settings as a whole, and what is left
// out is not set any more: so every account that is entered goes along with every request.

import { type KekProvider, PostQError, type PutSettingsRequest, type TestSettingsResponse, type VaultSettings } from "@postq/sdk";
import { load } from "../loading.svelte.ts";
import { session } from "../session.svelte.ts";
import { type Cloud, CLOUD_NAMES, cloudOf, providerName } from "../keys/custody.ts";
import { type AwsEntered, awsRequest, type AzureEntered, azureRequest, Wrong } from "./entered.ts";

export class Accounts {
  readonly stored = load(async (signal) => (session.may("settings") ? session.vault.vault.settings.get({ signal }) : null));
  aws = $state<AwsEntered>({ keyArn: "", roleArn: "" });
  azure = $state<AzureEntered>({ vaultUrl: "", kekName: "", tenantId: "", clientId: "", auth: "client-secret", clientSecret: "" });
  preferred = $state<KekProvider>("env");
  /** The account that is asked to be forgotten. */
  leaving = $state<Cloud>();
  busy = $state<"test" | "save" | "leave">();
  error = $state.raw<unknown>();
  wrong = $state.raw<Wrong>();
  checks = $state.raw<TestSettingsResponse["checks"]>();
  saved = $state(false);

  /** As long as the component is there. */
  constructor() {
    $effect(() => {
      if (this.stored.value !== undefined) this.#fill(this.stored.value);
    });
  }

  get externalId(): string {
    return session.who?.externalId ?? "";
  }

  connected(cloud: Cloud): boolean {
    return Boolean(this.stored.value?.[cloud]);
  }

  /** Whether an account is one of those that a request names. One that is stored is left by {@link leave} alone. */
  names(cloud: Cloud): boolean {
    const { vaultUrl, kekName, tenantId, clientId, clientSecret } = this.azure;
    const entered = { aws: [this.aws.keyArn, this.aws.roleArn], azure: [vaultUrl, kekName, tenantId, clientId, clientSecret] };
    return this.connected(cloud) || entered[cloud].some((text) => text.trim() !== "");
  }

  test(): Promise<void> {
    return this.#doing("test", async () => {
      ({ checks: this.checks } = await session.vault.vault.settings.test(this.#request()));
    });
  }

  save(): Promise<void> {
    return this.#doing("save", async () => {
      const request = this.#request();
      await this.#sameAsRead();
      await session.vault.vault.settings.put(request);
      this.azure.clientSecret = "";
      this.saved = true;
      this.stored.reload();
    });
  }

  ask(cloud: Cloud): void {
    [this.leaving, this.error] = [cloud, undefined];
  }

  /** Forgets one account. What is entered and not saved is no part of it. */
  leave(cloud: Cloud): Promise<void> {
    return this.#doing("leave", async () => {
      await this.#sameAsRead();
      const { aws, azure, defaultKekProvider } = this.stored.value ?? {};
      const rest: PutSettingsRequest = {
        ...(cloud !== "aws" && aws && { aws }),
        ...(cloud !== "azure" && azure && { azure }),
        defaultKekProvider: defaultKekProvider && cloudOf(defaultKekProvider) !== cloud ? defaultKekProvider : "env",
      };
      if (rest.aws || rest.azure) await session.vault.vault.settings.put(rest);
      else await session.vault.vault.settings.clear();
      this.leaving = undefined;
      this.stored.reload();
    });
  }

  /** @throws {Wrong} */
  #request(): PutSettingsRequest {
    if (!CLOUD_NAMES.some((cloud) => this.names(cloud))) throw new Wrong("key-arn", "Name an account first: in AWS, in Azure, or in both.");
    const accounts: PutSettingsRequest = {
      ...(this.names("aws") && { aws: awsRequest(this.aws) }),
      ...(this.names("azure") && { azure: azureRequest(this.azure, this.stored.value?.azure) }),
    };
    const wraps = cloudOf(this.preferred);
    if (wraps && !this.names(wraps)) throw new Wrong("preferred", `${providerName(this.preferred)} wraps only where its account is named.`);
    return { defaultKekProvider: this.preferred, ...accounts };
  }

  /** An account that somebody else named since would be left out, and so be forgotten. */
  async #sameAsRead(): Promise<void> {
    const now = await session.vault.vault.settings.get();
    if (now?.updatedAt === this.stored.value?.updatedAt) return;
    this.stored.reload();
    throw new PostQError("the settings were changed meanwhile", { code: "settings_changed" });
  }

  #fill(stored: VaultSettings | null): void {
    const { aws, azure } = stored ?? {};
    this.aws = { keyArn: aws?.keyArn ?? "", roleArn: aws?.roleArn ?? "" };
    this.azure = {
      vaultUrl: azure?.vaultUrl ?? "",
      kekName: azure?.kekName ?? "",
      tenantId: azure?.tenantId ?? "",
      clientId: azure?.clientId ?? "",
      auth: azure?.auth ?? "client-secret",
      clientSecret: "",
    };
    this.preferred = stored?.defaultKekProvider ?? "env";
  }

  async #doing(what: "test" | "save" | "leave", work: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    [this.busy, this.error, this.wrong, this.checks, this.saved] = [what, undefined, undefined, undefined, false];
    try {
      await work();
    } catch (caught) {
      if (caught instanceof Wrong) {
        this.wrong = caught;
        document.getElementById(caught.field)?.focus();
      } else this.error = caught;
    } finally {
      this.busy = undefined;
    }
  }
}
