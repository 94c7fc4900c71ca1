-- JSON: a key that wraps, the key ring that halves are made in, and as whom both are used.
ALTER TABLE settings ADD COLUMN gcp TEXT;
