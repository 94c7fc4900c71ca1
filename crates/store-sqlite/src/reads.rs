//! The ports that read.

use async_trait::async_trait;
use composite::Algorithm;
use ledger::Event;
use rusqlite::{Transaction, named_params, params};
use vault::{
    id::{KeyId, OrgId},
    record_tag::KekId,
    record_tag::RecordTag,
    store::{
        ActiveKey, Intake, Issued, IssuedDigest, KeyFilter, KeyRecord, KeyStatus, Keys, OrgRecord, Orgs,
        SealedHalves, SealedRecord, StoreError, TokenRecord, Tokens,
    },
    token::TokenHash,
};

use crate::{
    SqliteStore,
    rows::{self, Corrupt, KEY_COLUMNS, all, find, get, id},
};

#[async_trait]
impl Orgs for SqliteStore {
    async fn org(&self, org: &OrgId) -> Result<Option<OrgRecord>, StoreError> {
        let org = org.to_string();
        self.read(move |t| {
            find(t, "SELECT * FROM orgs WHERE id = ?1", [org], rows::org)?
                .transpose()
                .map_err(|c| corrupt(None, c))
        })
        .await
    }

    async fn any_org(&self) -> Result<bool, StoreError> {
        self.read(|t| Ok(find(t, "SELECT 1 FROM orgs LIMIT 1", [], |_| Ok(()))?.is_some())).await
    }
}

#[async_trait]
impl Tokens for SqliteStore {
    async fn token(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError> {
        let hash = hash.0;
        self.read(move |t| {
            find(t, "SELECT * FROM tokens WHERE hash = ?1", [hash], rows::token)?
                .transpose()
                .map_err(|c| corrupt(None, c))
        })
        .await
    }
}

#[async_trait]
impl Keys for SqliteStore {
    async fn key(&self, org: &OrgId, key: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        let (org, key) = (org.clone(), key.clone());
        self.read(move |t| {
            let sql = format!("SELECT {KEY_COLUMNS} FROM keys WHERE org = ?1 AND id = ?2");
            find(t, &sql, [org.as_str(), key.as_str()], rows::key)?
                .transpose()
                .map_err(|column| corrupt(Some(&key), column))
        })
        .await
    }

    async fn status(&self, org: &OrgId, key: &KeyId) -> Result<Option<KeyStatus>, StoreError> {
        let (org, key) = (org.clone(), key.clone());
        self.read(move |t| status(t, &org, &key)).await
    }

    async fn list(&self, org: &OrgId, filter: &KeyFilter) -> Result<Vec<KeyRecord>, StoreError> {
        let (org, filter) = (org.to_string(), filter.clone());
        self.read(move |t| {
            // A status that is asked for decides alone; without one, revoked keys are left out unless asked for.
            let sql = format!(
                "SELECT {KEY_COLUMNS} FROM keys WHERE org = :org AND kind = 'user'
                 AND (:before IS NULL OR id < :before)
                 AND (:algorithm IS NULL OR algorithm = :algorithm)
                 AND (CASE WHEN :status IS NULL THEN :revoked OR status <> 'revoked' ELSE status = :status END)
                 AND (:tier IS NULL OR tier = :tier)
                 AND (:prefix IS NULL OR substr(name, 1, length(:prefix)) = :prefix)
                 ORDER BY id DESC LIMIT :limit"
            );
            let params = named_params! {
                ":org": org,
                ":before": filter.before.as_ref().map(KeyId::as_str),
                ":algorithm": filter.algorithm.map(Algorithm::name),
                ":status": filter.status.map(KeyStatus::name),
                ":revoked": filter.include_revoked,
                ":tier": filter.tier.map(u8::from),
                ":prefix": filter.name_prefix,
                ":limit": i64::try_from(filter.limit).unwrap_or(i64::MAX),
            };
            all(t, &sql, params, key_or_corrupt)?.into_iter().collect()
        })
        .await
    }
}

#[async_trait]
impl SealedHalves for SqliteStore {
    async fn sealed(&self, org: &OrgId, key: &KeyId) -> Result<SealedRecord, StoreError> {
        let (org, key) = (org.to_string(), key.to_string());
        self.read(move |t| {
            let half = |half: &'static str| {
                let sql = "SELECT sealed FROM sealed_halves WHERE org = ?1 AND key_id = ?2 AND half = ?3";
                find(t, sql, params![org, key, half], |row| get::<Vec<u8>>(row, "sealed"))
            };
            // Bytes of another type than BLOB are no seal, which is what a missing one is.
            Ok(SealedRecord {
                pq: half("pq")?.and_then(Result::ok),
                classical: half("classical")?.and_then(Result::ok),
            })
        })
        .await
    }
}

#[async_trait]
impl Issued for SqliteStore {
    async fn is_issued(&self, org: &OrgId, key: &KeyId, digest: &IssuedDigest) -> Result<bool, StoreError> {
        let (org, key, digest) = (org.to_string(), key.to_string(), digest.0);
        self.read(move |t| {
            let sql = "SELECT 1 FROM issued WHERE org = ?1 AND key_id = ?2 AND digest = ?3 LIMIT 1";
            Ok(find(t, sql, params![org, key, digest], |_| Ok(()))?.is_some())
        })
        .await
    }
}

#[async_trait]
impl Intake for SqliteStore {
    async fn events(&self, org: &OrgId) -> Result<Vec<Event>, StoreError> {
        let org = org.to_string();
        self.read(move |t| {
            let sql = "SELECT event FROM intake WHERE org = ?1 ORDER BY arrival";
            all(t, sql, [org], |row| {
                let event = get::<String>(row, "event").map_err(|column| corrupt(None, column))?;
                serde_json::from_str(&event).map_err(|_| corrupt(None, "event"))
            })?
            .into_iter()
            .collect()
        })
        .await
    }
}

/// Active keys in the order of (org, id).
pub(crate) fn active_keys(
    t: &Transaction<'_>,
    after: Option<&(OrgId, KeyId)>,
    limit: usize,
) -> Result<Vec<ActiveKey>, StoreError> {
    let sql = format!(
        "SELECT {KEY_COLUMNS} FROM keys WHERE status = 'active'
         AND (?1 IS NULL OR (org, id) > (?1, ?2)) ORDER BY org, id LIMIT ?3"
    );
    let (org, key) = after.map(|(org, key)| (org.as_str(), key.as_str())).unzip();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    all(t, &sql, params![org, key, limit], |row| {
        let corrupt = |column| corrupt(None, column);
        Ok(ActiveKey {
            org: id(row, "org").map_err(corrupt)?,
            id: id(row, "id").map_err(corrupt)?,
            row: rows::key(row).map(Box::new),
        })
    })?
    .into_iter()
    .collect()
}

/// The key-encryption keys that tags and the vault's own wrappings name, with the number of rows that name each.
pub(crate) fn kek_use(t: &Transaction<'_>) -> Result<Vec<(KekId, u64)>, StoreError> {
    let sql = "SELECT kek, count(*) AS rows FROM (
                   SELECT org, id, substr(record_tag, 2, 8) AS kek FROM keys
                    WHERE status = 'active' AND length(record_tag) = 41
                   UNION
                   SELECT org, id, substr(wrapped_dek, 2, 8) FROM keys
                    WHERE status = 'active' AND length(record_tag) = 41
                      AND kek_provider = 'env' AND length(wrapped_dek) >= 9
               ) GROUP BY kek ORDER BY kek";
    all(t, sql, [], |row| {
        let kek = get::<Vec<u8>>(row, "kek").map_err(|column| corrupt(None, column))?;
        let rows = get::<i64>(row, "rows").map_err(|column| corrupt(None, column))?;
        let kek = kek.try_into().map_err(|_| corrupt(None, "record_tag"))?;
        Ok((KekId(kek), u64::try_from(rows).unwrap_or_default()))
    })?
    .into_iter()
    .collect()
}

pub(crate) fn status(t: &Transaction<'_>, org: &OrgId, key: &KeyId) -> Result<Option<KeyStatus>, StoreError> {
    let sql = "SELECT status FROM keys WHERE org = ?1 AND id = ?2";
    let parse = |row: &rusqlite::Row<'_>| get::<String>(row, "status")?.parse().map_err(|_| "status");
    find(t, sql, [org.as_str(), key.as_str()], parse)?
        .transpose()
        .map_err(|column| corrupt(Some(key), column))
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
