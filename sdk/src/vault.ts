import type { CallOptions, Http } from "./http.js";
import type {
  ClearSettingsResponse,
  PutSettingsRequest,
  PutSettingsResponse,
  TestSettingsResponse,
  VaultSettings,
} from "./schema.js";

/** Which accounts of the organisation's own the vault uses, and for how long it may keep opened what they wrap: `postq.vault.settings`. All of it takes the scope `settings`. */
export class Vault {
  readonly settings: Settings;

  constructor(http: Http) {
    this.settings = new Settings(http);
  }
}

/** The organisation's settings. */
export class Settings {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** What is set; null where nothing is. */
  async get(options?: CallOptions): Promise<VaultSettings | null> {
    return (await this.#http.call("getSettings", {}, options)).data;
  }

  /** Tries settings out and saves them. What is left out is not set any more: an account is left, and `dekCacheTtlSeconds` is 0. */
  async put(request: PutSettingsRequest, options?: CallOptions): Promise<PutSettingsResponse> {
    return (await this.#http.call("putSettings", { body: request }, options)).data;
  }

  /** Takes them away, unless keys rest on them. */
  async clear(options?: CallOptions): Promise<ClearSettingsResponse> {
    return (await this.#http.call("clearSettings", {}, options)).data;
  }

  /** Tries settings out and saves nothing; without any, those that are saved. What does not work is part of the answer. */
  async test(request?: PutSettingsRequest, options?: CallOptions): Promise<TestSettingsResponse> {
    return (await this.#http.call("testSettings", request === undefined ? {} : { body: request }, options)).data;
  }
}
