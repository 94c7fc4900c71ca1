-- After so many days it is rotated by the vault.
ALTER TABLE keys ADD COLUMN rotate_after_days INTEGER;

-- Where the next rotations are found.
CREATE INDEX keys_that_rotate ON keys (created_at + rotate_after_days * 86400000)
    WHERE rotate_after_days IS NOT NULL AND status = 'active';

CREATE TABLE policies (
    org          TEXT NOT NULL,
    id           TEXT NOT NULL,
    name         TEXT NOT NULL,
    description  TEXT NOT NULL,
    action       TEXT NOT NULL,
    enabled      INTEGER NOT NULL,
    -- JSON: a list of names.
    environments TEXT NOT NULL,
    -- JSON, as the API has it.
    rule         TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (org, id)
) STRICT, WITHOUT ROWID;
