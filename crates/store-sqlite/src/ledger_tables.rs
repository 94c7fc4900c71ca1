//! The tables of the ledger.

use async_trait::async_trait;
use ledger::{Entry, Event, TileId};
use rusqlite::{Connection, Row, Transaction, named_params, params};
use vault::{
    Timestamp,
    id::{EventId, KeyId, OrgId},
    store::{
        Batch, CheckpointRecord, CheckpointWrites, EntryFilter, Head, Intake, KeyStatus, LedgerReads,
        Placing, Reply, Sealing, StoreError, Usage, UsageRecord,
    },
};

use crate::{
    SqliteStore,
    reads::{self, corrupt},
    replies,
    rows::{self, Corrupt, all, count, find, get, id},
    writes::{execute, millis},
};

#[async_trait]
impl Intake for SqliteStore {
    async fn waiting(&self, limit: usize) -> Result<Vec<OrgId>, StoreError> {
        let limit = rows::limit(limit);
        self.read(move |t| {
            collect(t, "SELECT DISTINCT org FROM intake LIMIT ?1", [limit], |row| id(row, "org"))
        })
        .await
    }

    async fn unplaced(&self, org: &OrgId, limit: usize) -> Result<Vec<Event>, StoreError> {
        let (org, limit) = (org.to_string(), rows::limit(limit));
        self.read(move |t| {
            let sql = "SELECT event FROM intake WHERE org = ?1 ORDER BY arrival LIMIT ?2";
            collect(t, sql, params![org, limit], |row| {
                serde_json::from_str(&get::<String>(row, "event")?).map_err(|_| "event")
            })
        })
        .await
    }
}

#[async_trait]
impl LedgerReads for SqliteStore {
    async fn head(&self, org: &OrgId) -> Result<Head, StoreError> {
        self.look_up(|t| head(t, org))
    }

    async fn place(&self, org: &OrgId, event: &EventId) -> Result<Option<u64>, StoreError> {
        self.look_up(|t| {
            let sql = "SELECT seq FROM entries WHERE org = ?1 AND event_id = ?2";
            find(t, sql, [org.as_str(), event.as_str()], |row| count(row, "seq"))?
                .transpose()
                .map_err(|c| corrupt(None, c))
        })
    }

    async fn entries(&self, org: &OrgId, filter: &EntryFilter) -> Result<Vec<Entry>, StoreError> {
        let (org, filter) = (org.to_string(), filter.clone());
        self.read(move |t| {
            // Each filter has an index that ends in the place.
            let about = match (&filter.subject, filter.event_type) {
                (None, None) => "",
                (None, Some(_)) => "AND event_type = :type",
                (Some(_), None) => "AND subject = :subject",
                (Some(_), Some(_)) => "AND subject = :subject AND event_type = :type",
            };
            let order = if filter.newest_first { "DESC" } else { "ASC" };
            let sql = format!(
                "SELECT * FROM entries WHERE org = :org {about} AND seq >= :since AND seq < :before
                 ORDER BY seq {order} LIMIT :limit"
            );
            let (since, limit) = (rows::number(filter.since), rows::limit(filter.limit));
            let before = filter.before.map_or(i64::MAX, rows::number);
            let mut params =
                named_params! { ":org": org, ":since": since, ":before": before, ":limit": limit }.to_vec();
            let kind = filter.event_type.map(ledger::EventType::name);
            if filter.event_type.is_some() {
                params.push((":type", &kind));
            }
            if filter.subject.is_some() {
                params.push((":subject", &filter.subject));
            }
            collect(t, &sql, params.as_slice(), entry)
        })
        .await
    }

    async fn key_entries(
        &self,
        org: &OrgId,
        key: &KeyId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (org, key, before) = (org.to_string(), key.to_string(), before.map(rows::number));
        let limit = rows::limit(limit);
        self.read(move |t| {
            let sql = "SELECT e.* FROM key_entries AS k JOIN entries AS e ON e.org = k.org AND e.seq = k.seq
                       WHERE k.org = ?1 AND k.key_id = ?2 AND (?3 IS NULL OR k.seq < ?3)
                       ORDER BY k.seq DESC LIMIT ?4";
            collect(t, sql, params![org, key, before, limit], entry)
        })
        .await
    }

    async fn tiles(&self, org: &OrgId, ids: &[TileId]) -> Result<Vec<(TileId, Vec<u8>)>, StoreError> {
        let (org, ids) = (org.to_string(), ids.to_vec());
        self.read(move |t| {
            let mut tiles = Vec::with_capacity(ids.len());
            for id in ids {
                let sql = "SELECT hashes FROM tiles WHERE org = ?1 AND level = ?2 AND number = ?3";
                let params = params![org, id.level, rows::number(id.index)];
                if let Some(hashes) = find(t, sql, params, |row| get(row, "hashes"))? {
                    tiles.push((id, hashes.map_err(|column| corrupt(None, column))?));
                }
            }
            Ok(tiles)
        })
        .await
    }

    async fn checkpoints(
        &self,
        org: &OrgId,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<CheckpointRecord>, StoreError> {
        let (org, below, limit) = (org.to_string(), below.map(rows::number), rows::limit(limit));
        self.read(move |t| {
            let sql = "SELECT * FROM checkpoints WHERE org = ?1 AND (?2 IS NULL OR tree_size < ?2)
                       ORDER BY tree_size DESC LIMIT ?3";
            collect(t, sql, params![org, below, limit], checkpoint)
        })
        .await
    }
}

#[async_trait]
impl Placing for SqliteStore {
    fn max_batch(&self) -> usize {
        1000
    }

    async fn append_batch(&self, org: &OrgId, from: &Head, batch: &Batch) -> Result<bool, StoreError> {
        let (org, from, batch) = (org.clone(), *from, batch.clone());
        self.write(move |t| {
            if head(t, &org)? != from {
                return Ok(false);
            }
            for placed in &batch.entries {
                append_entry(t, org.as_str(), placed)?;
            }
            for (id, hashes) in &batch.tiles {
                execute(
                    t,
                    "INSERT INTO tiles (org, level, number, hashes) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET hashes = excluded.hashes",
                    params![org.as_str(), id.level, rows::number(id.index), hashes],
                )?;
            }
            execute(
                t,
                "INSERT INTO heads (org, size, hash) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET size = excluded.size, hash = excluded.hash",
                params![org.as_str(), rows::number(batch.head.size), batch.head.hash],
            )?;
            Ok(true)
        })
        .await
    }
}

#[async_trait]
impl CheckpointWrites for SqliteStore {
    async fn seal(
        &self,
        org: &OrgId,
        checkpoint: &CheckpointRecord,
        reply: Option<Reply>,
    ) -> Result<Sealing, StoreError> {
        let (org, checkpoint) = (org.clone(), checkpoint.clone());
        self.write(move |t| {
            let size = rows::number(checkpoint.tree_size);
            let newer = "SELECT 1 FROM checkpoints WHERE org = ?1 AND tree_size >= ?2 LIMIT 1";
            if find(t, newer, params![org.as_str(), size], |_| Ok(()))?.is_some() {
                return Ok(Sealing::NotNewer);
            }
            if reads::status(t, &org, &checkpoint.key)? != Some(KeyStatus::Active) {
                return Ok(Sealing::KeyNotActive);
            }
            execute(
                t,
                "INSERT INTO checkpoints (org, tree_size, id, root, signature, key_id, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    org.as_str(),
                    size,
                    checkpoint.id.as_str(),
                    checkpoint.root,
                    checkpoint.signature,
                    checkpoint.key.as_str(),
                    millis(checkpoint.created_at),
                ],
            )?;
            if let Some(reply) = &reply {
                replies::keep(t, reply)?;
            }
            Ok(Sealing::Done)
        })
        .await
    }
}

#[async_trait]
impl Usage for SqliteStore {
    async fn usage(&self, org: &OrgId, since: &str) -> Result<UsageRecord, StoreError> {
        let (org, since) = (org.to_string(), since.to_owned());
        self.read(move |t| {
            let keys = "SELECT status, tier, count(*) AS count FROM keys WHERE org = ?1 AND kind = 'user'
                        GROUP BY status, tier ORDER BY status, tier";
            let keys = collect(t, keys, [&org], |row| {
                let tier = get::<u8>(row, "tier")?.try_into().map_err(|_| "tier")?;
                Ok((rows::parsed(row, "status")?, tier, count(row, "count")?))
            })?;
            let days = "SELECT day, count FROM signature_days WHERE org = ?1 AND day >= ?2 ORDER BY day";
            let signatures =
                collect(t, days, [&org, &since], |row| Ok((get(row, "day")?, count(row, "count")?)))?;
            Ok(UsageRecord { keys, signatures })
        })
        .await
    }

    async fn last_used(&self, org: &OrgId, keys: &[KeyId]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let (org, keys) = (org.to_string(), keys.to_vec());
        self.read(move |t| {
            let sql = "SELECT last_used_at FROM key_use WHERE org = ?1 AND key_id = ?2";
            keys.iter()
                .map(|key| {
                    let found =
                        find(t, sql, [org.as_str(), key.as_str()], |row| rows::time(row, "last_used_at"))?;
                    Ok(found.transpose().map_err(|column| corrupt(Some(key), column))?.flatten())
                })
                .collect()
        })
        .await
    }
}

/// One entry with all that is kept of it; its event leaves the intake.
fn append_entry(t: &Transaction<'_>, org: &str, placed: &vault::store::Placed) -> Result<(), StoreError> {
    let entry = &placed.entry;
    execute(
        t,
        "INSERT INTO entries (org, seq, event_id, event_type, subject, prev_hash, hash, created_at, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, unhex(?6), unhex(?7), ?8, ?9)",
        params![
            org,
            rows::number(entry.seq),
            entry.id,
            placed.event_type.name(),
            placed.subject,
            entry.prev_hash_hex,
            entry.entry_hash_hex,
            entry.created_at,
            entry.payload.as_json().to_canonical(),
        ],
    )?;
    execute(t, "DELETE FROM intake WHERE org = ?1 AND event_id = ?2", params![org, entry.id])?;
    for key in &placed.keys {
        let sql = "INSERT INTO key_entries (org, key_id, seq) VALUES (?1, ?2, ?3)";
        execute(t, sql, params![org, key.as_str(), rows::number(entry.seq)])?;
    }
    if let Some((day, key, at)) = &placed.signed {
        execute(
            t,
            "INSERT INTO signature_days (org, day, count) VALUES (?1, ?2, 1)
             ON CONFLICT DO UPDATE SET count = count + 1",
            params![org, day],
        )?;
        execute(
            t,
            "INSERT INTO key_use (org, key_id, last_used_at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET last_used_at = max(last_used_at, excluded.last_used_at)",
            params![org, key.as_str(), millis(*at)],
        )?;
    }
    Ok(())
}

fn head(t: &Connection, org: &OrgId) -> Result<Head, StoreError> {
    let sql = "SELECT size, hash FROM heads WHERE org = ?1";
    let parse = |row: &Row<'_>| Ok(Head { size: count(row, "size")?, hash: get(row, "hash")? });
    let found = find(t, sql, [org.as_str()], parse)?.transpose().map_err(|column| corrupt(None, column))?;
    Ok(found.unwrap_or(Head { size: 0, hash: ledger::NO_ENTRY }))
}

fn entry(row: &Row<'_>) -> Result<Entry, Corrupt> {
    Ok(Entry {
        id: get(row, "event_id")?,
        seq: count(row, "seq")?,
        prev_hash_hex: hex(row, "prev_hash")?,
        entry_hash_hex: hex(row, "hash")?,
        payload: serde_json::from_str(&get::<String>(row, "payload")?).map_err(|_| "payload")?,
        created_at: get(row, "created_at")?,
    })
}

fn checkpoint(row: &Row<'_>) -> Result<CheckpointRecord, Corrupt> {
    Ok(CheckpointRecord {
        id: id(row, "id")?,
        tree_size: count(row, "tree_size")?,
        root: get(row, "root")?,
        signature: get(row, "signature")?,
        key: id(row, "key_id")?,
        created_at: rows::time(row, "created_at")?.ok_or("created_at")?,
    })
}

fn hex(row: &Row<'_>, column: Corrupt) -> Result<String, Corrupt> {
    Ok(hex::encode(get::<[u8; 32]>(row, column)?))
}

fn collect<T>(
    t: &Transaction<'_>,
    sql: &str,
    params: impl rusqlite::Params,
    parse: impl Fn(&Row<'_>) -> Result<T, Corrupt>,
) -> Result<Vec<T>, StoreError> {
    all(t, sql, params, parse)?.into_iter().map(|row| row.map_err(|column| corrupt(None, column))).collect()
}
