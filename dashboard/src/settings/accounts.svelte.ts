// The organisation's accounts as they are entered, and what is done with them. The vault takes settings as a whole, and what is left
// out is not set any more: so every account that is entered goes along with every request.

import { tick, untrack } from "svelte";
import { type KekProvider, PostQError, type PutSettingsRequest, type TestSettingsResponse, type VaultSettings } from "@postq/sdk";
import { load } from "../loading.svelte.ts";
import { session } from "../session.svelte.ts";
import { type Cloud, CLOUD_NAMES, cloudOf, providerName } from "../keys/custody.ts";
import { awsEntered, awsRequest } from "./aws.ts";
import { azureEntered, azureRequest } from "./azure.ts";
import { isEntered, isSame, secondsOf, Wrong, wrongOf } from "./entered.ts";
import { gcpEntered, gcpRequest } from "./gcp.ts";

export class Accounts {
  readonly stored = load(async (signal) => (session.may("settings") ? session.vault.vault.settings.get({ signal }) : null));
  aws = $state(awsEntered(null));
  azure = $state(azureEntered(null));
  gcp = $state(gcpEntered(null));
  preferred = $state<KekProvider>("env");
  /** For how many seconds halves may stay opened whose data key a cloud wraps; null where no number is entered. */
  dekCacheTtlSeconds = $state<number | null>(0);
  /** The account that is asked to be forgotten. */
  leaving = $state<Cloud>();
  busy = $state<"test" | "save" | "leave">();
  error = $state.raw<unknown>();
  wrong = $state.raw<Wrong>();
  checks = $state.raw<TestSettingsResponse["checks"]>();
  saved = $state(false);
  /** What the fields were last filled from. */
  #read: VaultSettings | null = null;

  /** As long as the component is there. */
  constructor() {
    $effect(() => {
      const { value } = this.stored;
      if (value !== undefined) untrack(() => this.#follow(value));
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
    return this.connected(cloud) || isEntered(this[cloud]);
  }

  test(): Promise<void> {
    return this.#doing("test", async () => {
      ({ checks: this.checks } = await session.vault.vault.settings.test(await this.#request()));
    });
  }

  save(): Promise<void> {
    return this.#doing("save", async () => {
      const request = await this.#request();
      await this.#sameAsRead();
      const stored = await session.vault.vault.settings.put(request);
      // Whatever secret was entered is not kept here.
      this.#fill(stored);
      this.stored.value = stored;
      this.saved = true;
      this.stored.reload();
    });
  }

  ask(cloud: Cloud): void {
    [this.leaving, this.error] = [cloud, undefined];
  }

  /** Forgets one account, with what is entered of it. What is entered of the others and not saved is no part of it. */
  leave(cloud: Cloud): Promise<void> {
    return this.#doing("leave", async () => {
      await this.#sameAsRead();
      const { stored } = this;
      const preferred = stored.value?.defaultKekProvider ?? "env";
      const others = CLOUD_NAMES.filter((other) => other !== cloud && this.connected(other));
      const rest: PutSettingsRequest = {
        ...Object.fromEntries(others.map((other) => [other, stored.value?.[other]])),
        defaultKekProvider: cloudOf(preferred) === cloud ? "env" : preferred,
        dekCacheTtlSeconds: stored.value?.dekCacheTtlSeconds ?? 0,
      };
      if (others.length > 0) await session.vault.vault.settings.put(rest);
      else await session.vault.vault.settings.clear();
      this.leaving = undefined;
      this.#empty(cloud);
      this.stored.reload();
    });
  }

  /** @throws {Wrong} */
  async #request(): Promise<PutSettingsRequest> {
    if (!CLOUD_NAMES.some((cloud) => this.names(cloud))) throw new Wrong("key-arn", "Name an account first: in AWS, in Azure or in Google Cloud.");
    const accounts: PutSettingsRequest = {
      ...(this.names("aws") && { aws: awsRequest(this.aws) }),
      ...(this.names("azure") && { azure: azureRequest(this.azure, this.stored.value?.azure) }),
      ...(this.names("gcp") && { gcp: await gcpRequest(this.gcp, this.stored.value?.gcp) }),
    };
    const wraps = cloudOf(this.preferred);
    if (wraps && !this.names(wraps)) throw new Wrong("preferred", `${providerName(this.preferred)} wraps only where its account is named.`);
    return { defaultKekProvider: this.preferred, dekCacheTtlSeconds: secondsOf("dek-cache-ttl-seconds", this.dekCacheTtlSeconds), ...accounts };
  }

  /** An account that somebody else named since would be left out, and so be forgotten. */
  async #sameAsRead(): Promise<void> {
    const now = await session.vault.vault.settings.get();
    if (now?.updatedAt !== this.stored.value?.updatedAt) throw new PostQError("the settings were changed meanwhile", { code: "settings_changed" });
  }

  #fill(stored: VaultSettings | null): void {
    this.aws = awsEntered(stored?.aws);
    this.azure = azureEntered(stored?.azure);
    this.gcp = gcpEntered(stored?.gcp);
    this.preferred = stored?.defaultKekProvider ?? "env";
    this.dekCacheTtlSeconds = stored?.dekCacheTtlSeconds ?? 0;
    this.#read = stored;
  }

  /** Fills in what is stored now, but for what something else was entered of since it was read: that is kept. */
  #follow(stored: VaultSettings | null): void {
    const { aws, azure, gcp, preferred, dekCacheTtlSeconds } = this;
    const read = this.#read;
    this.#fill(stored);
    if (!isSame(aws, awsEntered(read?.aws))) this.aws = aws;
    if (!isSame(azure, azureEntered(read?.azure))) this.azure = azure;
    if (!isSame(gcp, gcpEntered(read?.gcp))) this.gcp = gcp;
    if (preferred !== (read?.defaultKekProvider ?? "env")) this.preferred = preferred;
    if (dekCacheTtlSeconds !== (read?.dekCacheTtlSeconds ?? 0)) this.dekCacheTtlSeconds = dekCacheTtlSeconds;
  }

  /** Lets go of what is entered of one account, as of one that was never stored. */
  #empty(cloud: Cloud): void {
    if (cloud === "aws") this.aws = awsEntered(null);
    if (cloud === "azure") this.azure = azureEntered(null);
    if (cloud === "gcp") this.gcp = gcpEntered(null);
    if (this.#read) this.#read = { ...this.#read, [cloud]: null };
  }

  async #doing(what: "test" | "save" | "leave", work: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    [this.busy, this.error, this.wrong, this.checks, this.saved] = [what, undefined, undefined, undefined, false];
    let wrong: Wrong | undefined;
    try {
      await work();
    } catch (caught) {
      wrong = caught instanceof Wrong ? caught : this.leaving ? undefined : wrongOf(caught);
      this.wrong = wrong;
      if (!wrong) this.error = caught;
      if (caught instanceof PostQError && caught.code === "settings_changed") this.stored.reload();
    } finally {
      this.busy = undefined;
    }
    if (!wrong) return;
    // While it is being saved no field takes the focus.
    await tick();
    document.getElementById(wrong.field)?.focus();
  }
}
