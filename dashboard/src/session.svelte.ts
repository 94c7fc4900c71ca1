// Who is signed in: by an API token, which stays in this tab's memory, or in its sessionStorage if the person asks.

import { PostQ, PostQAuthenticationError, PostQError, type Scope, type WhoamiResponse } from "@postq/sdk";

const NAME = "postq-vault token";

class Session {
  /** The organisation, the token's id and its scopes; none while nobody is signed in. */
  who = $state.raw<WhoamiResponse>();
  /** Whether a token that was kept is being tried. */
  resuming = $state(false);
  /** Why the session before ended, if the vault ended it. */
  ended = $state(false);
  #client: PostQ | undefined;
  #token = "";

  /** The vault, as whoever is signed in. */
  get vault(): PostQ {
    if (!this.#client) throw new PostQError("nobody is signed in", { code: "signed_out" });
    return this.#client;
  }

  /** What a Worker needs to call the vault itself. */
  get credentials(): { apiKey: string; baseUrl: string } {
    return { apiKey: this.#token, baseUrl: location.origin };
  }

  may(scope: Scope): boolean {
    return this.who?.scopes.includes(scope) ?? false;
  }

  /** @throws {PostQError} where the token is none, or the vault does not know it. */
  async signIn(token: string, keep: boolean): Promise<void> {
    const client = new PostQ({ apiKey: token, baseUrl: location.origin, fetch: (input, init) => this.#watched(input, init) });
    this.who = await client.whoami();
    this.#client = client;
    this.#token = token;
    this.ended = false;
    if (keep) sessionStorage.setItem(NAME, token);
    else sessionStorage.removeItem(NAME);
  }

  /** Takes up the session that this tab had before it was loaded anew. */
  async resume(): Promise<void> {
    const token = sessionStorage.getItem(NAME);
    if (token === null) return;
    this.resuming = true;
    try {
      await this.signIn(token, true);
    } catch (error) {
      if (error instanceof PostQAuthenticationError) this.#end(true);
    } finally {
      this.resuming = false;
    }
  }

  signOut(): void {
    this.#end(false);
  }

  #end(byVault: boolean): void {
    this.who = undefined;
    this.#client = undefined;
    this.#token = "";
    this.ended = byVault;
    sessionStorage.removeItem(NAME);
  }

  /** A token that was revoked meanwhile ends the session, whichever call learns of it. */
  async #watched(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const response = await fetch(input, init);
    if (response.status === 401 && this.#client) this.#end(true);
    return response;
  }
}

export const session = new Session();
