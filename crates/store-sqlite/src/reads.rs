//! The ports that read.

use async_trait::async_trait;
use composite::Algorithm;
use rusqlite::{Connection, Transaction, named_params, params};
use vault::{
    Timestamp,
    id::{KeyId, OrgId, TokenId},
    record_tag::RecordTag,
    store::{
        Issued, IssuedDigest, KeyFilter, KeyRecord, KeyStatus, Keys, Lines, OrgRecord, Orgs, SealedHalves,
        SealedRecord, StoreError, SuccessionRecord, TokenRecord, Tokens, Tombstone,
    },
    token::TokenHash,
};

use crate::{
    SqliteStore,
    connection::unavailable,
    revocations::Known,
    rows::{self, Corrupt, SELECT_KEYS, all, find, get, id},
};

#[async_trait]
impl Orgs for SqliteStore {
    async fn org(&self, org: &OrgId) -> Result<Option<OrgRecord>, StoreError> {
        self.look_up(|t| {
            find(t, "SELECT * FROM orgs WHERE id = ?1", [org.as_str()], rows::org)?
                .transpose()
                .map_err(|c| corrupt(None, c))
        })
    }

    async fn any_org(&self) -> Result<bool, StoreError> {
        self.look_up(|t| Ok(find(t, "SELECT 1 FROM orgs LIMIT 1", [], |_| Ok(()))?.is_some()))
    }

    async fn orgs(&self, after: Option<&OrgId>, limit: usize) -> Result<Vec<OrgId>, StoreError> {
        let (after, limit) = (after.map(ToString::to_string), rows::limit(limit));
        self.read(move |t| {
            let sql = "SELECT id FROM orgs WHERE ?1 IS NULL OR id > ?1 ORDER BY id LIMIT ?2";
            all(t, sql, params![after, limit], |row| id(row, "id").map_err(|c| corrupt(None, c)))?
                .into_iter()
                .collect()
        })
        .await
    }
}

#[async_trait]
impl Tokens for SqliteStore {
    async fn token(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError> {
        self.look_up(|t| {
            find(t, "SELECT * FROM tokens WHERE hash = ?1", [hash.0], rows::token)?
                .transpose()
                .map_err(|c| corrupt(None, c))
        })
    }

    async fn tokens(
        &self,
        org: &OrgId,
        before: Option<&TokenId>,
        limit: usize,
    ) -> Result<Vec<TokenRecord>, StoreError> {
        let (org, before) = (org.to_string(), before.map(ToString::to_string));
        let limit = rows::limit(limit);
        self.read(move |t| {
            let sql =
                "SELECT * FROM tokens WHERE org = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3";
            all(t, sql, params![org, before, limit], |row| rows::token(row).map_err(|c| corrupt(None, c)))?
                .into_iter()
                .collect()
        })
        .await
    }
}

#[async_trait]
impl Keys for SqliteStore {
    async fn key(&self, org: &OrgId, key: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        self.look_up(|t| {
            let sql = format!("{SELECT_KEYS} WHERE k.org = ?1 AND k.id = ?2");
            let record = find(t, &sql, [org.as_str(), key.as_str()], rows::key)?
                .transpose()
                .map_err(|column| corrupt(Some(key), column))?;
            let revoked = self.revocations().known()?.revoked_at(org, key).is_some();
            Ok(record.map(
                |record| {
                    if revoked { KeyRecord { status: KeyStatus::Revoked, ..record } } else { record }
                },
            ))
        })
    }

    async fn status(&self, org: &OrgId, key: &KeyId) -> Result<Option<KeyStatus>, StoreError> {
        // Read after the row: a revocation that was acknowledged before this began is in both.
        self.look_up(|t| {
            let status = status(t, org, key)?;
            let revoked = self.revocations().known()?.revoked_at(org, key).is_some();
            Ok(if revoked { status.map(|_| KeyStatus::Revoked) } else { status })
        })
    }

    async fn list(&self, org: &OrgId, filter: &KeyFilter) -> Result<Vec<KeyRecord>, StoreError> {
        let (org, filter, store) = (org.to_string(), filter.clone(), self.clone());
        self.read(move |t| {
            // A status that is asked for decides alone; without one, revoked keys are left out unless asked for.
            let sql = format!(
                "{SELECT_KEYS} WHERE k.org = :org AND k.kind = 'user'
                 AND (:before IS NULL OR k.id < :before)
                 AND (:algorithm IS NULL OR k.algorithm = :algorithm)
                 AND (CASE WHEN :status IS NULL THEN :revoked OR k.status <> 'revoked' ELSE k.status = :status END)
                 AND (:tier IS NULL OR k.tier = :tier)
                 AND (:prefix IS NULL OR substr(k.name, 1, length(:prefix)) = :prefix)
                 AND (:lines IS NULL OR k.line IN (SELECT value FROM json_each(:lines)))
                 ORDER BY k.id DESC LIMIT :limit"
            );
            let lines = filter.lines.as_ref().map(serde_json::to_string).transpose().map_err(unavailable)?;
            let params = named_params! {
                ":org": org,
                ":before": filter.before.as_ref().map(KeyId::as_str),
                ":algorithm": filter.algorithm.map(Algorithm::name),
                ":status": filter.status.map(KeyStatus::name),
                ":revoked": filter.include_revoked,
                ":tier": filter.tier.map(u8::from),
                ":prefix": filter.name_prefix,
                ":lines": lines,
                ":limit": rows::limit(filter.limit),
            };
            let known = store.revocations().known()?;
            let wanted = |key: &KeyRecord| match filter.status {
                Some(status) => key.status == status,
                None => filter.include_revoked || key.status != KeyStatus::Revoked,
            };
            let found = all(t, &sql, params, key_or_corrupt)?.into_iter();
            let found = found.map(|key| key.map(|key| as_known(key, &known)));
            found.filter(|key| key.as_ref().map_or(true, wanted)).collect()
        })
        .await
    }
}

#[async_trait]
impl Lines for SqliteStore {
    async fn line(&self, org: &OrgId, first: &KeyId) -> Result<Vec<KeyRecord>, StoreError> {
        let (org, first, store) = (org.clone(), first.clone(), self.clone());
        self.read(move |t| {
            let sql = format!("{SELECT_KEYS} WHERE k.org = ?1 AND k.line = ?2");
            let found = all(t, &sql, [org.as_str(), first.as_str()], key_or_corrupt)?;
            let mut found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
            let known = store.revocations().known()?;
            // In the order of their links: ids made within a millisecond of each other sort by chance.
            let mut line: Vec<KeyRecord> = Vec::with_capacity(found.len());
            let mut next = Some(first);
            while let Some(at) = found.iter().position(|key| Some(&key.id) == next.as_ref()) {
                let key = found.swap_remove(at);
                next.clone_from(&key.successor);
                line.push(as_known(key, &known));
            }
            Ok(line)
        })
        .await
    }

    async fn succession(
        &self,
        org: &OrgId,
        predecessor: &KeyId,
    ) -> Result<Option<SuccessionRecord>, StoreError> {
        let (org, predecessor) = (org.clone(), predecessor.clone());
        self.read(move |t| {
            let sql = "SELECT * FROM successions WHERE org = ?1 AND predecessor = ?2";
            find(t, sql, [org.as_str(), predecessor.as_str()], rows::succession)?
                .transpose()
                .map_err(|column| corrupt(Some(&predecessor), column))
        })
        .await
    }
}

#[async_trait]
impl SealedHalves for SqliteStore {
    async fn sealed(&self, org: &OrgId, key: &KeyId) -> Result<SealedRecord, StoreError> {
        self.look_up(|t| {
            let sql = "SELECT half, sealed FROM sealed_halves WHERE org = ?1 AND key_id = ?2";
            // Bytes of another type than BLOB are no seal, which is what a missing one is.
            let half = |row: &rusqlite::Row<'_>| {
                Some((get::<String>(row, "half").ok()?, get::<Vec<u8>>(row, "sealed").ok()?))
            };
            let mut sealed = SealedRecord::default();
            for (half, bytes) in all(t, sql, [org.as_str(), key.as_str()], half)?.into_iter().flatten() {
                match half.as_str() {
                    "pq" => sealed.pq = Some(bytes),
                    "classical" => sealed.classical = Some(bytes),
                    _ => {}
                }
            }
            Ok(sealed)
        })
    }
}

#[async_trait]
impl Issued for SqliteStore {
    async fn is_issued(&self, org: &OrgId, key: &KeyId, digest: &IssuedDigest) -> Result<bool, StoreError> {
        self.look_up(|t| {
            let sql = "SELECT 1 FROM issued WHERE org = ?1 AND key_id = ?2 AND digest = ?3 LIMIT 1";
            Ok(find(t, sql, params![org.as_str(), key.as_str(), digest.0], |_| Ok(()))?.is_some())
        })
    }
}

pub(crate) fn status(t: &Connection, org: &OrgId, key: &KeyId) -> Result<Option<KeyStatus>, StoreError> {
    // A tombstone is the last word on a key, whatever its row says.
    let sql = "SELECT iif(t.key_id IS NULL, k.status, 'revoked') AS status FROM keys AS k
               LEFT JOIN tombstones AS t ON t.org = k.org AND t.key_id = k.id WHERE k.org = ?1 AND k.id = ?2";
    let parse = |row: &rusqlite::Row<'_>| get::<String>(row, "status")?.parse().map_err(|_| "status");
    find(t, sql, [org.as_str(), key.as_str()], parse)?
        .transpose()
        .map_err(|column| corrupt(Some(key), column))
}

/// When a key got its tombstone.
pub(crate) fn buried_at(t: &Connection, org: &OrgId, key: &KeyId) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT revoked_at FROM tombstones WHERE org = ?1 AND key_id = ?2";
    let parse = |row: &rusqlite::Row<'_>| rows::time(row, "revoked_at");
    let found = find(t, sql, [org.as_str(), key.as_str()], parse)?.transpose();
    Ok(found.map_err(|column| corrupt(Some(key), column))?.flatten())
}

/// Every tombstone, oldest first.
pub(crate) fn tombstones(t: &Transaction<'_>) -> Result<Vec<Tombstone>, StoreError> {
    let sql = "SELECT * FROM tombstones ORDER BY revoked_at, org, key_id";
    all(t, sql, [], |row| rows::tombstone(row).map_err(|column| corrupt(None, column)))?.into_iter().collect()
}

/// A revocation that is kept apart is the last word on a key, also in a store that was put back to before it.
fn as_known(record: KeyRecord, known: &Known) -> KeyRecord {
    match known.revoked_at(&record.org, &record.id) {
        Some(at) if record.status != KeyStatus::Revoked => {
            KeyRecord { status: KeyStatus::Revoked, revoked_at: Some(at), ..record }
        }
        _ => record,
    }
}

fn key_or_corrupt(row: &rusqlite::Row<'_>) -> Result<KeyRecord, StoreError> {
    rows::key(row).map_err(|column| corrupt(id(row, "id").ok().as_ref(), column))
}

pub(crate) fn corrupt(key: Option<&KeyId>, column: Corrupt) -> StoreError {
    StoreError::Corrupt { key: key.cloned(), column }
}

/// A stored tag, to compare rows by.
pub(crate) fn tag_bytes(tag: Option<&RecordTag>) -> Option<&[u8]> {
    tag.map(|tag| tag.as_bytes().as_slice())
}
