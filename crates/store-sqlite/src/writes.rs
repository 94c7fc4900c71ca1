//! The ports that write: one method, one transaction.

use async_trait::async_trait;
use rusqlite::{
    Transaction,
    ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE},
    params,
};
use vault::{
    Timestamp,
    id::{KeyId, OrgId},
    record_tag::KekId,
    store::{
        ActiveKey, Commit, EventWrites, IssuedRecord, KeyRecord, KeyStatus, KeyWrites, NewOrg, OrgRecord,
        OrgWrites, Record, Rewrapping, SealedRecord, SignatureWrites, StoreError, TokenRecord,
    },
};

use crate::{SqliteStore, connection::unavailable, reads};

#[async_trait]
impl OrgWrites for SqliteStore {
    async fn create_org(&self, new: NewOrg, record: Record) -> Result<(), StoreError> {
        self.write(move |t| {
            insert_org(t, &new.org)?;
            insert_token(t, &new.token)?;
            insert_key(t, &new.ledger_key)?;
            insert_sealed(t, &new.ledger_key, &new.sealed)?;
            insert_events(t, &record)
        })
        .await
    }
}

#[async_trait]
impl KeyWrites for SqliteStore {
    async fn create(&self, key: &KeyRecord, sealed: &SealedRecord, record: Record) -> Result<(), StoreError> {
        let (key, sealed) = (key.clone(), sealed.clone());
        self.write(move |t| {
            insert_key(t, &key)?;
            insert_sealed(t, &key, &sealed)?;
            insert_events(t, &record)
        })
        .await
    }
}

#[async_trait]
impl SignatureWrites for SqliteStore {
    async fn record(&self, issued: &IssuedRecord, record: Record) -> Result<Commit, StoreError> {
        let issued = issued.clone();
        self.write(move |t| {
            match reads::status(t, &issued.org, &issued.key)? {
                Some(KeyStatus::Active | KeyStatus::Superseded) => {}
                Some(KeyStatus::Revoked) | None => return Ok(Commit::KeyRevoked),
            }
            execute(
                t,
                "INSERT INTO issued (org, key_id, digest, event_id) VALUES (?1, ?2, ?3, ?4)",
                params![issued.org.as_str(), issued.key.as_str(), issued.digest.0, issued.event.as_str()],
            )?;
            insert_events(t, &record)?;
            Ok(Commit::Done)
        })
        .await
    }

    async fn withhold(&self, issued: &IssuedRecord, record: Record) -> Result<(), StoreError> {
        let issued = issued.clone();
        self.write(move |t| {
            execute(
                t,
                "DELETE FROM issued WHERE org = ?1 AND key_id = ?2 AND digest = ?3 AND event_id = ?4",
                params![issued.org.as_str(), issued.key.as_str(), issued.digest.0, issued.event.as_str()],
            )?;
            insert_events(t, &record)
        })
        .await
    }
}

#[async_trait]
impl EventWrites for SqliteStore {
    async fn append(&self, record: Record) -> Result<(), StoreError> {
        self.write(move |t| insert_events(t, &record)).await
    }
}

#[async_trait]
impl Rewrapping for SqliteStore {
    async fn active_keys(
        &self,
        after: Option<(&OrgId, &KeyId)>,
        limit: usize,
    ) -> Result<Vec<ActiveKey>, StoreError> {
        let after = after.map(|(org, key)| (org.clone(), key.clone()));
        self.read(move |t| reads::active_keys(t, after.as_ref(), limit)).await
    }

    async fn kek_use(&self) -> Result<Vec<(KekId, u64)>, StoreError> {
        self.read(reads::kek_use).await
    }

    async fn rewrap(&self, from: &KeyRecord, to: &KeyRecord) -> Result<bool, StoreError> {
        let (from, to) = (from.clone(), to.clone());
        self.write(move |t| {
            let wrapped = |key: &KeyRecord| key.kek.as_ref().map(|kek| kek.wrapped.clone());
            let (old, new) = (wrapped(&from), wrapped(&to));
            let changed = execute(
                t,
                "UPDATE keys SET record_tag = ?1, wrapped_dek = ?2, kek_key_id = ?3
                 WHERE org = ?4 AND id = ?5 AND status = 'active' AND record_tag IS ?6 AND wrapped_dek IS ?7",
                params![
                    reads::tag_bytes(to.tag.as_ref()),
                    new.as_ref().map(|w| w.bytes.as_slice()),
                    new.as_ref().and_then(|w| w.kek_key_id.as_deref()),
                    from.org.as_str(),
                    from.id.as_str(),
                    reads::tag_bytes(from.tag.as_ref()),
                    old.as_ref().map(|w| w.bytes.as_slice()),
                ],
            )?;
            Ok(changed == 1)
        })
        .await
    }
}

fn insert_org(t: &Transaction<'_>, org: &OrgRecord) -> Result<(), StoreError> {
    execute(
        t,
        "INSERT INTO orgs (id, name, environment, external_id, ledger_key, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            org.id.as_str(),
            org.name,
            org.environment.name(),
            org.external_id,
            org.ledger_key.as_str(),
            millis(org.created_at),
        ],
    )
    .map(drop)
}

fn insert_token(t: &Transaction<'_>, token: &TokenRecord) -> Result<(), StoreError> {
    execute(
        t,
        "INSERT INTO tokens (hash, id, org, name, scopes, created_at, revoked_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            token.hash.0,
            token.id.as_str(),
            token.org.as_str(),
            token.name,
            serde_json::to_string(&token.scopes).map_err(unavailable)?,
            millis(token.created_at),
            token.revoked_at.map(millis),
        ],
    )
    .map(drop)
}

fn insert_key(t: &Transaction<'_>, key: &KeyRecord) -> Result<(), StoreError> {
    let kek = key.kek.as_ref();
    execute(
        t,
        "INSERT INTO keys (org, id, kind, name, metadata, status, algorithm, public_key, fingerprint, tier,
                           kek_provider, kek_key_id, wrapped_dek, key_provider, classical_key_id, pq_provider,
                           pq_key_id, record_tag, created_at, revoked_at, predecessor, successor)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
        params![
            key.org.as_str(),
            key.id.as_str(),
            key.kind.name(),
            key.name,
            key.metadata.to_value().to_string(),
            key.status.name(),
            key.public_key.algorithm().name(),
            key.public_key.to_json(),
            key.public_key.fingerprint(),
            u8::from(key.tier()),
            kek.map(|kek| kek.provider.name()),
            kek.and_then(|kek| kek.wrapped.kek_key_id.as_deref()),
            kek.map(|kek| kek.wrapped.bytes.as_slice()),
            key.classical.provider.name(),
            key.classical.key_id,
            key.pq.provider.name(),
            key.pq.key_id,
            reads::tag_bytes(key.tag.as_ref()),
            millis(key.created_at),
            key.revoked_at.map(millis),
            key.predecessor.as_ref().map(KeyId::as_str),
            key.successor.as_ref().map(KeyId::as_str),
        ],
    )
    .map(drop)
}

fn insert_sealed(t: &Transaction<'_>, key: &KeyRecord, sealed: &SealedRecord) -> Result<(), StoreError> {
    for (half, sealed) in [("pq", &sealed.pq), ("classical", &sealed.classical)] {
        if let Some(sealed) = sealed {
            execute(
                t,
                "INSERT INTO sealed_halves (org, key_id, half, sealed) VALUES (?1, ?2, ?3, ?4)",
                params![key.org.as_str(), key.id.as_str(), half, sealed],
            )?;
        }
    }
    Ok(())
}

fn insert_events(t: &Transaction<'_>, record: &Record) -> Result<(), StoreError> {
    for event in &record.events {
        execute(
            t,
            "INSERT INTO intake (org, event_id, event) VALUES (?1, ?2, ?3)",
            params![event.org, event.id, serde_json::to_string(event).map_err(unavailable)?],
        )?;
    }
    Ok(())
}

fn execute(t: &Transaction<'_>, sql: &str, params: impl rusqlite::Params) -> Result<usize, StoreError> {
    let run = || t.prepare_cached(sql)?.execute(params);
    run().map_err(|error| match error.sqlite_error().map(|error| error.extended_code) {
        Some(SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE) => StoreError::Exists,
        _ => unavailable(error),
    })
}

fn millis(at: Timestamp) -> i64 {
    // A timestamp is never beyond the year 9999.
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}
