//! The ports that write: one method, one transaction.

use async_trait::async_trait;
use rusqlite::{
    Transaction,
    ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE},
    params,
};
use vault::{
    Timestamp,
    id::{KeyId, OrgId, TokenId},
    store::{
        Change, Commit, EventWrites, IssuedRecord, KeyKind, KeyRecord, KeyStatus, KeyWrites, NewOrg,
        OrgRecord, OrgWrites, Record, Recovery, Rotation, SealedRecord, SignatureWrites, Slot, StoreError,
        SuccessionRecord, TokenRecord, TokenWrites, Tombstone,
    },
};

use crate::{
    SqliteStore, clouds,
    connection::{identity, unavailable},
    reads, replies, rows,
};

#[async_trait]
impl OrgWrites for SqliteStore {
    async fn create_org(&self, new: NewOrg, record: Record) -> Result<(), StoreError> {
        self.write(move |t| {
            insert_org(t, &new.org)?;
            insert_token(t, &new.token)?;
            insert_key(t, &new.ledger_key)?;
            insert_sealed(t, &new.ledger_key, &new.sealed)?;
            insert_record(t, &record)
        })
        .await
    }
}

#[async_trait]
impl KeyWrites for SqliteStore {
    async fn create(&self, key: &KeyRecord, sealed: &SealedRecord, record: Record) -> Result<(), StoreError> {
        let (key, sealed, store) = (key.clone(), sealed.clone(), self.clone());
        self.write(move |t| {
            insert_key(t, &key)?;
            insert_sealed(t, &key, &sealed)?;
            insert_record(t, &record)?;
            clouds::finish_creation(t, store.revocations(), &key)
        })
        .await
    }

    async fn supersede(&self, rotation: &Rotation, record: Record) -> Result<Change, StoreError> {
        let (rotation, store) = (rotation.clone(), self.clone());
        let change = self
            .write(move |t| {
                let Rotation { successor, sealed, succession } = &rotation;
                let (org, predecessor) = (&successor.org, &succession.predecessor);
                if reads::status(t, org, predecessor)? != Some(KeyStatus::Active) {
                    return Ok(Change::NotActive);
                }
                clouds::leave(t, org, predecessor)?;
                execute(
                    t,
                    "UPDATE keys SET status = 'superseded', successor = ?3 WHERE org = ?1 AND id = ?2",
                    params![org.as_str(), predecessor.as_str(), successor.id.as_str()],
                )?;
                erase(t, org, predecessor)?;
                insert_key(t, successor)?;
                insert_sealed(t, successor, sealed)?;
                insert_succession(t, succession, &successor.id)?;
                if successor.kind == KeyKind::Ledger {
                    let sql = "UPDATE orgs SET ledger_key = ?2 WHERE id = ?1 AND ledger_key = ?3";
                    execute(t, sql, params![org.as_str(), successor.id.as_str(), predecessor.as_str()])?;
                }
                insert_record(t, &record)?;
                clouds::finish_creation(t, store.revocations(), successor)?;
                Ok(Change::Done)
            })
            .await?;
        self.overwrite().await;
        Ok(change)
    }

    async fn revoke(&self, tombstone: &Tombstone, record: Record) -> Result<Timestamp, StoreError> {
        let (tombstone, store) = (tombstone.clone(), self.clone());
        let (at, number) = self
            .write(move |t| {
                let (_, revocations) = identity(t)?;
                if let Some(at) = reads::buried_at(t, &tombstone.org, &tombstone.key)? {
                    return Ok((at, revocations));
                }
                let number = revocations + 1;
                store.revocations().begin(number, &tombstone)?;
                bury(t, &tombstone)?;
                execute(t, "UPDATE identity SET revocations = ?1", [rows::number(number)])?;
                insert_record(t, &record)?;
                Ok((tombstone.revoked_at, number))
            })
            .await?;
        // The first time and every time: whoever is told that the key is revoked may rely on it.
        self.committed(number).await?;
        self.overwrite().await;
        Ok(at)
    }
}

#[async_trait]
impl TokenWrites for SqliteStore {
    async fn create_token(&self, token: &TokenRecord, record: Record) -> Result<(), StoreError> {
        let token = token.clone();
        self.write(move |t| {
            insert_token(t, &token)?;
            insert_record(t, &record)
        })
        .await
    }

    async fn revoke_token(
        &self,
        org: &OrgId,
        token: &TokenId,
        now: Timestamp,
        record: Record,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (org, token) = (org.to_string(), token.to_string());
        self.write(move |t| {
            let sql = "SELECT revoked_at FROM tokens WHERE org = ?1 AND id = ?2";
            let revoked = rows::find(t, sql, [&org, &token], |row| rows::time(row, "revoked_at"))?
                .transpose()
                .map_err(|column| reads::corrupt(None, column))?;
            match revoked {
                None => Ok(None),
                Some(Some(at)) => Ok(Some(at)),
                Some(None) => {
                    let sql = "UPDATE tokens SET revoked_at = ?3 WHERE org = ?1 AND id = ?2";
                    execute(t, sql, params![org, token, millis(now)])?;
                    insert_record(t, &record)?;
                    Ok(Some(now))
                }
            }
        })
        .await
    }
}

#[async_trait]
impl Recovery for SqliteStore {
    async fn is_restored(&self) -> Result<bool, StoreError> {
        let store = self.clone();
        // Under the lock: a revocation that is under way elsewhere is in both or in neither.
        self.write_unchecked(move |t| {
            let (identity, revocations) = identity(t)?;
            Ok(!store.revocations().known()?.belongs_to(&identity, revocations))
        })
        .await
    }

    async fn is_foreign(&self) -> Result<bool, StoreError> {
        let store = self.clone();
        self.write_unchecked(move |t| {
            let (identity, _) = identity(t)?;
            Ok(store.revocations().known()?.store.as_ref().is_some_and(|theirs| *theirs != identity))
        })
        .await
    }

    async fn lost_tombstones(&self) -> Result<Vec<Tombstone>, StoreError> {
        let store = self.clone();
        self.write_unchecked(move |t| {
            let known = store.revocations().known()?;
            let mut lost = Vec::new();
            for tombstone in known.certain() {
                if reads::buried_at(t, &tombstone.org, &tombstone.key)?.is_none() {
                    lost.push(tombstone.clone());
                }
            }
            Ok(lost)
        })
        .await
    }

    async fn revoke_again(&self, tombstone: &Tombstone, record: Record) -> Result<(), StoreError> {
        let tombstone = tombstone.clone();
        self.write_unchecked(move |t| {
            if reads::buried_at(t, &tombstone.org, &tombstone.key)?.is_some() {
                return Ok(());
            }
            let there = reads::status(t, &tombstone.org, &tombstone.key)?.is_some();
            bury(t, &tombstone)?;
            if there { insert_record(t, &record) } else { Ok(()) }
        })
        .await?;
        self.overwrite().await;
        Ok(())
    }

    async fn declare_recovered(&self) -> Result<(), StoreError> {
        let store = self.clone();
        self.write_unchecked(move |t| {
            let (identity, revocations) = identity(t)?;
            let apart = store.revocations();
            if apart.known()?.belongs_to(&identity, revocations) {
                return Ok(());
            }
            // Everything that the file knew was applied, so the store's own tombstones are all of them: also those that the
            // file lacks, because it is an older one, or lost.
            let count = apart.replace(&identity, &reads::tombstones(t)?)?;
            // Whether those creations were finished is not known any more.
            execute(t, "DELETE FROM intents", [])?;
            execute(t, "UPDATE identity SET revocations = ?1, apart = 1", [rows::number(count)])?;
            Ok(())
        })
        .await
    }
}

impl SqliteStore {
    /// Writes down, apart, that a revocation was committed.
    async fn committed(&self, number: u64) -> Result<(), StoreError> {
        let store = self.clone();
        self.write_unchecked(move |_| store.revocations().commit(number)).await
    }

    /// What was erased is gone for every reader already; that it is gone from the disk as well is tried, and no reason to
    /// fail what was committed.
    async fn overwrite(&self) {
        let _ = self.empty_log_of_writes().await;
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
            insert_record(t, &record)?;
            Ok(Commit::Done)
        })
        .await
    }

    async fn withhold(
        &self,
        issued: &IssuedRecord,
        answer: Option<&Slot>,
        record: Record,
    ) -> Result<(), StoreError> {
        let (issued, answer) = (issued.clone(), answer.cloned());
        self.write(move |t| {
            if let Some(slot) = &answer {
                if replies::is_replayed(t, slot)? {
                    return Ok(());
                }
                replies::delete(t, slot)?;
            }
            execute(
                t,
                "DELETE FROM issued WHERE org = ?1 AND key_id = ?2 AND digest = ?3 AND event_id = ?4",
                params![issued.org.as_str(), issued.key.as_str(), issued.digest.0, issued.event.as_str()],
            )?;
            insert_record(t, &record)
        })
        .await
    }
}

#[async_trait]
impl EventWrites for SqliteStore {
    async fn append(&self, record: Record) -> Result<(), StoreError> {
        self.write(move |t| insert_record(t, &record)).await
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
        "INSERT INTO tokens (hash, id, org, name, scopes, created_at, revoked_at, lines)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            token.hash.0,
            token.id.as_str(),
            token.org.as_str(),
            token.name,
            serde_json::to_string(&token.scopes).map_err(unavailable)?,
            millis(token.created_at),
            token.revoked_at.map(millis),
            token.lines.as_ref().map(serde_json::to_string).transpose().map_err(unavailable)?,
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
                           pq_key_id, record_tag, created_at, revoked_at, predecessor, successor, line, allow_follow,
                           rotate_after_days)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
                 ?23, ?24, ?25)",
        params![
            key.org.as_str(),
            key.id.as_str(),
            key.kind.name(),
            key.name,
            key.metadata.to_json().to_canonical(),
            key.status.name(),
            key.public_key.algorithm().name(),
            key.public_key.to_json(),
            key.public_key.fingerprint(),
            u8::from(key.tier),
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
            key.line.as_str(),
            key.allow_follow,
            key.rotate_after_days,
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

fn insert_succession(
    t: &Transaction<'_>,
    succession: &SuccessionRecord,
    successor: &KeyId,
) -> Result<(), StoreError> {
    execute(
        t,
        "INSERT INTO successions (org, predecessor, successor, statement, predecessor_signature,
                                  successor_signature, event_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            succession.org.as_str(),
            succession.predecessor.as_str(),
            successor.as_str(),
            serde_json::to_string(&succession.statement).map_err(unavailable)?,
            succession.predecessor_signature,
            succession.successor_signature,
            succession.event.as_str(),
        ],
    )
    .map(drop)
}

/// The tombstone and all that follows from it, but for the events.
fn bury(t: &Transaction<'_>, tombstone: &Tombstone) -> Result<(), StoreError> {
    let at = millis(tombstone.revoked_at);
    clouds::leave(t, &tombstone.org, &tombstone.key)?;
    execute(
        t,
        "INSERT INTO tombstones (org, key_id, fingerprint, revoked_at) VALUES (?1, ?2, ?3, ?4)",
        params![tombstone.org.as_str(), tombstone.key.as_str(), tombstone.fingerprint, at],
    )?;
    execute(
        t,
        "UPDATE keys SET status = 'revoked', revoked_at = ?3 WHERE org = ?1 AND id = ?2",
        params![tombstone.org.as_str(), tombstone.key.as_str(), at],
    )?;
    erase(t, &tombstone.org, &tombstone.key)
}

/// Everything here that a key could sign with.
fn erase(t: &Transaction<'_>, org: &OrgId, key: &KeyId) -> Result<(), StoreError> {
    let key = [org.as_str(), key.as_str()];
    execute(t, "DELETE FROM sealed_halves WHERE org = ?1 AND key_id = ?2", key)?;
    let sql = "UPDATE keys SET kek_provider = NULL, kek_key_id = NULL, wrapped_dek = NULL, record_tag = NULL
               WHERE org = ?1 AND id = ?2";
    execute(t, sql, key).map(drop)
}

pub(crate) fn insert_record(t: &Transaction<'_>, record: &Record) -> Result<(), StoreError> {
    for event in &record.events {
        execute(
            t,
            "INSERT INTO intake (org, event_id, event) VALUES (?1, ?2, ?3)",
            params![event.org, event.id, serde_json::to_string(event).map_err(unavailable)?],
        )?;
    }
    match &record.reply {
        Some(reply) => replies::keep(t, reply),
        None => Ok(()),
    }
}

pub(crate) fn execute(
    t: &Transaction<'_>,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<usize, StoreError> {
    let run = || t.prepare_cached(sql)?.execute(params);
    run().map_err(|error| match error.sqlite_error().map(|error| error.extended_code) {
        Some(SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE) => StoreError::Exists,
        _ => unavailable(error),
    })
}

pub(crate) fn millis(at: Timestamp) -> i64 {
    // A timestamp is never beyond the year 9999.
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}
