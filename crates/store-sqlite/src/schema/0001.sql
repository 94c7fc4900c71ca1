-- Times are milliseconds since 1970; ids sort by creation time.

CREATE TABLE orgs (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    environment TEXT NOT NULL,
    external_id TEXT NOT NULL,
    ledger_key  TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    hash       BLOB PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    org        TEXT NOT NULL REFERENCES orgs (id),
    name       TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    org              TEXT NOT NULL REFERENCES orgs (id),
    id               TEXT NOT NULL,
    kind             TEXT NOT NULL,
    name             TEXT NOT NULL,
    metadata         TEXT NOT NULL,
    status           TEXT NOT NULL,
    algorithm        TEXT NOT NULL,
    public_key       TEXT NOT NULL,
    fingerprint      BLOB NOT NULL,
    tier             INTEGER NOT NULL,
    kek_provider     TEXT,
    kek_key_id       TEXT,
    wrapped_dek      BLOB,
    key_provider     TEXT NOT NULL,
    classical_key_id TEXT,
    pq_provider      TEXT NOT NULL,
    pq_key_id        TEXT,
    record_tag       BLOB,
    created_at       INTEGER NOT NULL,
    revoked_at       INTEGER,
    predecessor      TEXT,
    successor        TEXT,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;

-- Apart from the keys, so that what may read a key's row need not be able to read its secrets.
CREATE TABLE sealed_halves (
    org    TEXT NOT NULL,
    key_id TEXT NOT NULL,
    half   TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (org, key_id, half),
    FOREIGN KEY (org, key_id) REFERENCES keys (org, id)
) STRICT, WITHOUT ROWID;

-- Events in the order in which they arrived, until they are given their place in the ledger.
CREATE TABLE intake (
    arrival  INTEGER PRIMARY KEY AUTOINCREMENT,
    org      TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event    TEXT NOT NULL,
    UNIQUE (org, event_id)
) STRICT;

-- What was signed, found by SHA-256(ph || ctx).
CREATE TABLE issued (
    org      TEXT NOT NULL,
    key_id   TEXT NOT NULL,
    digest   BLOB NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (org, key_id, digest, event_id)
) STRICT, WITHOUT ROWID;
