/** What is known of a failure. */
export interface ErrorFacts {
  /** A stable name, `snake_case`: the API's, or one of this SDK's. */
  code: string;
  /** The HTTP status; none where no answer came. */
  status?: number | undefined;
  /** The API's name of the request, for asking its operator. */
  requestId?: string | undefined;
  /** How many seconds the API asks to wait. */
  retryAfter?: number | undefined;
  /** What else the API said: `successorId` of a superseded key, say. */
  details?: Record<string, unknown> | undefined;
  cause?: unknown;
}

/** Any failure of this SDK. None holds the API key, a payload or a header. */
export class PostQError extends Error {
  override readonly name: string = "PostQError";
  readonly code: string;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly retryAfter: number | undefined;
  readonly details: Record<string, unknown>;

  constructor(message: string, facts: ErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = facts.code;
    this.status = facts.status;
    this.requestId = facts.requestId;
    this.retryAfter = facts.retryAfter;
    this.details = facts.details ?? {};
  }
}

/** The call itself is wrong (400, 413, 415, 422, or before anything was sent): the same call will fail again. */
export class PostQRequestError extends PostQError {
  override readonly name = "PostQRequestError";
}

/** No token, or one that is not known (401). */
export class PostQAuthenticationError extends PostQError {
  override readonly name = "PostQAuthenticationError";
}

/** The token may not do that (403). */
export class PostQPermissionError extends PostQError {
  override readonly name = "PostQPermissionError";
}

/** There is nothing of that id in this organisation (404). */
export class PostQNotFoundError extends PostQError {
  override readonly name = "PostQNotFoundError";
}

/** The state of things forbids it (409): a revoked or superseded key, an idempotency key that was used otherwise. */
export class PostQConflictError extends PostQError {
  override readonly name = "PostQConflictError";
}

/** Too many calls (429), after all retries. */
export class PostQRateLimitError extends PostQError {
  override readonly name = "PostQRateLimitError";
}

/** The service or a key provider behind it failed (5xx), after all retries. */
export class PostQServerError extends PostQError {
  override readonly name = "PostQServerError";
}

/** No answer came: the network, or a time limit, after all retries. With the same idempotency key the call can be made again. */
export class PostQConnectionError extends PostQError {
  override readonly name = "PostQConnectionError";
}

/** What the ledger shows is not what the vault said. Keep what you have and ask. */
export class PostQLedgerError extends PostQError {
  override readonly name = "PostQLedgerError";
}

export function errorOf(status: number, message: string, facts: ErrorFacts): PostQError {
  const all = { ...facts, status };
  if (status === 401) return new PostQAuthenticationError(message, all);
  if (status === 403) return new PostQPermissionError(message, all);
  if (status === 404) return new PostQNotFoundError(message, all);
  if (status === 409) return new PostQConflictError(message, all);
  if (status === 429) return new PostQRateLimitError(message, all);
  if (status >= 500) return new PostQServerError(message, all);
  return new PostQRequestError(message, all);
}
