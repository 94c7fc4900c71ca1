import type { CallOptions, Http } from "./http.js";
import { type List, list } from "./pages.js";
import type { ApiToken, CreateTokenRequest, CreateTokenResponse, RevokedToken } from "./schema.js";

/** API tokens: `postq.tokens`. All of it takes the scope `admin`. */
export class Tokens {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Makes a token. `token` is shown this one time. */
  async create(request: CreateTokenRequest, options?: CallOptions): Promise<CreateTokenResponse> {
    return (await this.#http.call("createApiToken", { body: request }, options)).data;
  }

  /** Tokens, newest first, never with the token itself. */
  list(query: { limit?: number; cursor?: string } = {}, options: CallOptions = {}): List<ApiToken> {
    return list(query, options, (query, options) => this.#http.call("listApiTokens", { query }, options));
  }

  /** Ends a token at once. */
  async revoke(id: string, options?: CallOptions): Promise<RevokedToken> {
    return (await this.#http.call("revokeApiToken", { path: { id } }, options)).data;
  }
}
