// Who is signed in: by an API token, which stays in this tab's memory, or in its sessionStorage if the person asks.

import { PostQ, PostQAuthenticationError, PostQError, type Scope, type WhoamiResponse } from "@postq/sdk";

const NAME = "postq-vault token";

class Session {
  /** The organisation, the token's id and its scopes; none while nobody is signed in. */
  who = $state.raw<WhoamiResponse>();
  /** Whether a token that was kept is being tried. */
  resuming = $state(false);
  /** Whether the vault ended the session before. */
  ended = $state(false);
  /** Why a token that was kept could not be tried. */
  unresumed = $state.raw<unknown>();
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
    const client = new PostQ({ apiKey: token, baseUrl: location.origin, fetch: (input, init) => this.#watched(token, input, init) });
    this.who = await client.whoami();
    this.#client = client;
    this.#token = token;
    [this.ended, this.unresumed] = [false, undefined];
    if (keep) sessionStorage.setItem(NAME, token);
    else sessionStorage.removeItem(NAME);
  }

  /** Takes up the session that this tab had before it was loaded anew. */
  async resume(): Promise<void> {
    const token = sessionStorage.getItem(NAME);
    if (token === null) return;
    this.resuming = true;
    this.unresumed = undefined;
    try {
      await this.signIn(token, true);
    } catch (error) {
      if (error instanceof PostQAuthenticationError) this.#end(true);
      else this.unresumed = error;
    } finally {
      this.resuming = false;
    }
  }

  /** Asks whether the token is still accepted, where somebody else than this session's own client was refused. */
  doubt(): void {
    if (this.#client) void this.#client.whoami().catch(() => {});
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
  async #watched(token: string, input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const response = await fetch(input, init);
    // A late answer to whoever was signed in before is no word about who is now.
    if (response.status === 401 && this.#token === token) this.#end(true);
    return response;
  }
}

export const session = new Session();
