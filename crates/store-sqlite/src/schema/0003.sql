CREATE TABLE settings (
    org         TEXT PRIMARY KEY,
    default_kek TEXT NOT NULL,
    -- JSON: the key and the role of an AWS account.
    aws         TEXT,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Creations that a cloud has a part in and that are not finished.
CREATE TABLE intents (
    org       TEXT NOT NULL,
    key_id    TEXT NOT NULL,
    -- JSON: the clouds' names.
    clouds    TEXT NOT NULL,
    since     INTEGER NOT NULL,
    -- It cannot be finished any more.
    abandoned INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (org, key_id)
) STRICT, WITHOUT ROWID;

-- Halves that are to be deleted at a cloud.
CREATE TABLE outbox (
    org    TEXT NOT NULL,
    key_id TEXT NOT NULL,
    cloud  TEXT NOT NULL,
    half   TEXT NOT NULL,
    PRIMARY KEY (org, key_id, half)
) STRICT, WITHOUT ROWID;
