// One effect for what a person asks for once: a second try of the same request, after an answer that was lost, is the same call to the vault.

export class Once {
  #request = "";
  #key = "";

  /** The call's options: the same idempotency key until the request is another, or was done. */
  of(request: unknown): { idempotencyKey: string } {
    const text = JSON.stringify(request);
    if (text !== this.#request) {
      this.#request = text;
      this.#key = `page-${Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    }
    return { idempotencyKey: this.#key };
  }

  done(): void {
    this.#request = "";
  }
}
