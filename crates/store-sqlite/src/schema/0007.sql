-- For how many seconds halves may stay opened whose data key a cloud of the organisation's wraps.
ALTER TABLE settings ADD COLUMN dek_cache_ttl INTEGER NOT NULL DEFAULT 0;
