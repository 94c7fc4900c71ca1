-- Lines: keys that follow each other, by their first.
ALTER TABLE keys ADD COLUMN line TEXT;
ALTER TABLE keys ADD COLUMN allow_follow INTEGER NOT NULL DEFAULT 0;
UPDATE keys SET line = id;
CREATE INDEX keys_by_line ON keys (org, line);

-- JSON: the first keys of the lines that a token is confined to.
ALTER TABLE tokens ADD COLUMN lines TEXT;
CREATE INDEX tokens_by_org ON tokens (org, id);

CREATE INDEX intake_by_org ON intake (org);

CREATE TABLE heads (
    org  TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
    org        TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    event_id   TEXT NOT NULL,
    event_type TEXT NOT NULL,
    subject    TEXT,
    prev_hash  BLOB NOT NULL,
    hash       BLOB NOT NULL,
    created_at TEXT NOT NULL,
    payload    TEXT NOT NULL,
    PRIMARY KEY (org, seq),
    UNIQUE (org, event_id)
) STRICT;
CREATE INDEX entries_by_type ON entries (org, event_type, seq);
CREATE INDEX entries_by_subject ON entries (org, subject, seq);

-- In which keys' audit an entry stands.
CREATE TABLE key_entries (
    org    TEXT NOT NULL,
    key_id TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (org, key_id, seq)
) STRICT, WITHOUT ROWID;

-- 1 to 256 hashes of 32 bytes each.
CREATE TABLE tiles (
    org    TEXT NOT NULL,
    level  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (org, level, number)
) STRICT;

CREATE TABLE checkpoints (
    org        TEXT NOT NULL,
    tree_size  INTEGER NOT NULL,
    id         TEXT NOT NULL,
    root       BLOB NOT NULL,
    signature  BLOB NOT NULL,
    key_id     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org, tree_size)
) STRICT;

CREATE TABLE successions (
    org                   TEXT NOT NULL,
    predecessor           TEXT NOT NULL,
    successor             TEXT NOT NULL,
    statement             TEXT NOT NULL,
    predecessor_signature BLOB NOT NULL,
    successor_signature   BLOB NOT NULL,
    event_id              TEXT NOT NULL,
    PRIMARY KEY (org, predecessor),
    UNIQUE (org, successor)
) STRICT;

CREATE TABLE tombstones (
    org         TEXT NOT NULL,
    key_id      TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    revoked_at  INTEGER NOT NULL,
    PRIMARY KEY (org, key_id)
) STRICT, WITHOUT ROWID;

-- Counted when an event is given its place.
CREATE TABLE signature_days (
    org   TEXT NOT NULL,
    day   TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (org, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE key_use (
    org          TEXT NOT NULL,
    key_id       TEXT NOT NULL,
    last_used_at INTEGER NOT NULL,
    PRIMARY KEY (org, key_id)
) STRICT, WITHOUT ROWID;

-- Kept answers. One without an answer and without the id of something secret is a lease.
CREATE TABLE replies (
    org         TEXT NOT NULL,
    token       TEXT NOT NULL,
    method      TEXT NOT NULL,
    path        TEXT NOT NULL,
    key         TEXT NOT NULL,
    body        BLOB NOT NULL,
    fence       INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    answer      BLOB,
    signer      TEXT,
    secret_id   TEXT,
    replayed    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (org, token, method, path, key)
) STRICT;
CREATE INDEX replies_by_expiry ON replies (expires_at);

-- Which store this is, and how many revocations it knows: compared with the revocations that are kept apart.
CREATE TABLE identity (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    store       TEXT NOT NULL,
    revocations INTEGER NOT NULL,
    apart       INTEGER NOT NULL
) STRICT;
INSERT INTO identity (one, store, revocations, apart) VALUES (1, lower(hex(randomblob(16))), 0, 0);

-- What is written once stays: a fault of the vault's own cannot change it.
CREATE TRIGGER entries_stay BEFORE UPDATE ON entries BEGIN SELECT raise(ABORT, 'entries are written once'); END;
CREATE TRIGGER entries_keep BEFORE DELETE ON entries BEGIN SELECT raise(ABORT, 'entries are written once'); END;
CREATE TRIGGER checkpoints_stay BEFORE UPDATE ON checkpoints BEGIN SELECT raise(ABORT, 'checkpoints are written once'); END;
CREATE TRIGGER checkpoints_keep BEFORE DELETE ON checkpoints BEGIN SELECT raise(ABORT, 'checkpoints are written once'); END;
CREATE TRIGGER successions_stay BEFORE UPDATE ON successions BEGIN SELECT raise(ABORT, 'successions are written once'); END;
CREATE TRIGGER successions_keep BEFORE DELETE ON successions BEGIN SELECT raise(ABORT, 'successions are written once'); END;
CREATE TRIGGER tombstones_stay BEFORE UPDATE ON tombstones BEGIN SELECT raise(ABORT, 'tombstones are written once'); END;
CREATE TRIGGER tombstones_keep BEFORE DELETE ON tombstones BEGIN SELECT raise(ABORT, 'tombstones are written once'); END;
