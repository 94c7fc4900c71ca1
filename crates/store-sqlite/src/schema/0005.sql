-- JSON: a vault, a key in it, and the application by which it is entered.
ALTER TABLE settings ADD COLUMN azure TEXT;

-- What organisations handed over to be used at clouds, encrypted.
CREATE TABLE provider_secrets (
    org    TEXT NOT NULL,
    cloud  TEXT NOT NULL,
    secret BLOB NOT NULL,
    PRIMARY KEY (org, cloud)
) STRICT, WITHOUT ROWID;
