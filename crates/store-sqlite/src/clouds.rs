//! What is kept for the sake of clouds: settings, intents and the outbox.

use async_trait::async_trait;
use rusqlite::{Connection, Row, Transaction, params};
use serde::{Serialize, de::DeserializeOwned};
use vault::{
    Timestamp,
    custody::{CloudName, DeploymentId, SealedSecret},
    id::{KeyId, OrgId},
    settings::{Demand, SettingsRecord, dek_cache_ttl},
    store::{
        Clearing, Dependent, Hold, Intent, Intents, KeyRecord, Leftover, ProviderSecrets, Reconciling,
        Record, Saving, Settings, SettingsWrites, StoreError,
    },
};

use crate::{
    SqliteStore,
    connection::{identity, unavailable},
    reads::corrupt,
    revocations::Revocations,
    rows::{self, Corrupt},
    writes::{execute, insert_record, millis},
};

#[async_trait]
impl Settings for SqliteStore {
    async fn settings(&self, org: &OrgId) -> Result<Option<SettingsRecord>, StoreError> {
        self.look_up(|t| stored(t, org))
    }

    async fn deployment(&self) -> Result<DeploymentId, StoreError> {
        self.look_up(|t| mark(&identity(t)?.0).map_err(|column| corrupt(None, column)))
    }
}

#[async_trait]
impl ProviderSecrets for SqliteStore {
    async fn provider_secret(
        &self,
        org: &OrgId,
        cloud: CloudName,
    ) -> Result<Option<SealedSecret>, StoreError> {
        self.look_up(|t| {
            let sql = "SELECT secret FROM provider_secrets WHERE org = ?1 AND cloud = ?2";
            let found = rows::find(t, sql, [org.as_str(), cloud.name()], |row| rows::get(row, "secret"))?;
            found.transpose().map(|found| found.map(SealedSecret)).map_err(|column| corrupt(None, column))
        })
    }
}

#[async_trait]
impl SettingsWrites for SqliteStore {
    async fn put_settings(
        &self,
        settings: &SettingsRecord,
        secrets: &[(CloudName, SealedSecret)],
        replaces: Option<Timestamp>,
        record: Record,
    ) -> Result<Saving, StoreError> {
        let (settings, secrets) = (settings.clone(), secrets.to_vec());
        self.write(move |t| {
            let stored = stored(t, &settings.org)?;
            if stored.as_ref().map(|stored| stored.updated_at) != replaces {
                return Ok(Saving::Changed);
            }
            let demand = stored.as_ref().map_or(Demand::None, |stored| settings.demands(stored));
            if let Some(key) = dependent(t, &settings.org, demand)? {
                return Ok(Saving::InUse(key));
            }
            let (org, default_kek) = (settings.org.as_str(), settings.default_kek.name());
            let (aws, azure, gcp) = (json(&settings.aws)?, json(&settings.azure)?, json(&settings.gcp)?);
            execute(
                t,
                "INSERT OR REPLACE INTO settings (org, default_kek, aws, azure, gcp, updated_at, dek_cache_ttl)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    org,
                    default_kek,
                    aws,
                    azure,
                    gcp,
                    millis(settings.updated_at),
                    settings.dek_cache_ttl
                ],
            )?;
            for cloud in CloudName::ALL.into_iter().filter(|cloud| !settings.needs_secret(*cloud)) {
                let sql = "DELETE FROM provider_secrets WHERE org = ?1 AND cloud = ?2";
                execute(t, sql, [settings.org.as_str(), cloud.name()])?;
            }
            for (cloud, secret) in &secrets {
                execute(
                    t,
                    "INSERT OR REPLACE INTO provider_secrets (org, cloud, secret) VALUES (?1, ?2, ?3)",
                    params![settings.org.as_str(), cloud.name(), secret.0],
                )?;
            }
            insert_record(t, &record)?;
            Ok(Saving::Done)
        })
        .await
    }

    async fn clear_settings(&self, org: &OrgId, record: Record) -> Result<Clearing, StoreError> {
        let org = org.clone();
        self.write(move |t| {
            if stored(t, &org)?.is_none() {
                return Ok(Clearing::NotThere);
            }
            if let Some(key) = dependent(t, &org, Demand::Nothing)? {
                return Ok(Clearing::InUse(key));
            }
            execute(t, "DELETE FROM settings WHERE org = ?1", [org.as_str()])?;
            execute(t, "DELETE FROM provider_secrets WHERE org = ?1", [org.as_str()])?;
            insert_record(t, &record)?;
            Ok(Clearing::Done)
        })
        .await
    }

    async fn dependent(&self, org: &OrgId, demand: Demand) -> Result<Option<Dependent>, StoreError> {
        let org = org.clone();
        self.read(move |t| dependent(t, &org, demand)).await
    }
}

#[async_trait]
impl Intents for SqliteStore {
    async fn intend(&self, intent: &Intent, settings: Timestamp) -> Result<bool, StoreError> {
        let intent = intent.clone();
        self.write(move |t| {
            if stored(t, &intent.org)?.is_none_or(|stored| stored.updated_at != settings) {
                return Ok(false);
            }
            let clouds: Vec<_> = intent.clouds.iter().map(|cloud| cloud.name()).collect();
            execute(
                t,
                "INSERT INTO intents (org, key_id, clouds, since) VALUES (?1, ?2, ?3, ?4)",
                params![
                    intent.org.as_str(),
                    intent.key.as_str(),
                    serde_json::to_string(&clouds).map_err(unavailable)?,
                    millis(intent.since),
                ],
            )?;
            Ok(true)
        })
        .await
    }

    async fn withdraw(&self, org: &OrgId, key: &KeyId, left: &[Leftover]) -> Result<(), StoreError> {
        let (key, left) = ([org.to_string(), key.to_string()], left.to_vec());
        self.write(move |t| {
            let sql = "DELETE FROM intents WHERE org = ?1 AND key_id = ?2 AND abandoned = 0";
            if execute(t, sql, key)? == 1 {
                left.iter().try_for_each(|leftover| send(t, leftover))?;
            }
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Reconciling for SqliteStore {
    async fn intents(&self, limit: usize) -> Result<Vec<Intent>, StoreError> {
        self.read(move |t| {
            let sql = "SELECT * FROM intents ORDER BY since LIMIT ?1";
            collect(t, sql, params![i64::try_from(limit).unwrap_or(i64::MAX)], intent)
        })
        .await
    }

    async fn abandon(&self, intent: &Intent) -> Result<bool, StoreError> {
        let (intent, store) = (intent.clone(), self.clone());
        self.write(move |t| {
            let key = [intent.org.as_str(), intent.key.as_str()];
            // A store that was put back to an hour when this creation was under way does not know that it was finished.
            if store.revocations().known()?.is_made(&intent.org, &intent.key) {
                execute(t, "DELETE FROM intents WHERE org = ?1 AND key_id = ?2", key)?;
                return Ok(false);
            }
            let sql = "UPDATE intents SET abandoned = 1 WHERE org = ?1 AND key_id = ?2";
            Ok(execute(t, sql, key)? == 1)
        })
        .await
    }

    async fn forget_intent(&self, intent: &Intent) -> Result<(), StoreError> {
        let key = [intent.org.to_string(), intent.key.to_string()];
        self.write(move |t| {
            execute(t, "DELETE FROM intents WHERE org = ?1 AND key_id = ?2 AND abandoned = 1", key).map(drop)
        })
        .await
    }

    async fn outbox(&self, after: Option<&Leftover>, limit: usize) -> Result<Vec<Leftover>, StoreError> {
        let after = after.cloned();
        self.read(move |t| {
            let part = |of: fn(&Leftover) -> &str| after.as_ref().map(of).unwrap_or_default();
            let (org, key, half) = (part(|l| l.org.as_str()), part(|l| l.key.as_str()), part(|l| &l.key_id));
            let sql = "SELECT * FROM outbox WHERE (org, key_id, half) > (?1, ?2, ?3)
                       ORDER BY org, key_id, half LIMIT ?4";
            collect(t, sql, params![org, key, half, i64::try_from(limit).unwrap_or(i64::MAX)], leftover)
        })
        .await
    }

    async fn settle(&self, leftover: &Leftover) -> Result<(), StoreError> {
        let row = [leftover.org.to_string(), leftover.key.to_string(), leftover.key_id.clone()];
        self.write(move |t| {
            execute(t, "DELETE FROM outbox WHERE org = ?1 AND key_id = ?2 AND half = ?3", row).map(drop)
        })
        .await
    }
}

/// Takes away the intent of a key that is made in this transaction, as its last step. That it was made is written down apart first:
/// so a store that is put back to an earlier hour has nothing of it deleted.
pub(crate) fn finish_creation(
    t: &Transaction<'_>,
    apart: &Revocations,
    key: &KeyRecord,
) -> Result<(), StoreError> {
    if !key.needs_a_cloud() {
        return Ok(());
    }
    let sql = "DELETE FROM intents WHERE org = ?1 AND key_id = ?2 AND abandoned = 0";
    if execute(t, sql, [key.org.as_str(), key.id.as_str()])? == 0 {
        return Err(StoreError::Abandoned);
    }
    apart.note_made(&key.org, &key.id)
}

/// Puts what an active key leaves at clouds when it ends into the outbox; what a superseded one left stood there before. A row that
/// cannot be read can still be revoked; what it leaves is told of by a survey.
pub(crate) fn leave(t: &Transaction<'_>, org: &OrgId, key: &KeyId) -> Result<(), StoreError> {
    let sql = "SELECT * FROM keys WHERE org = ?1 AND id = ?2 AND status = 'active'";
    let held = |row: &Row<'_>| {
        let classical = Hold {
            provider: rows::parsed(row, "key_provider")?,
            key_id: rows::get(row, "classical_key_id")?,
        };
        let pq = Hold { provider: rows::parsed(row, "pq_provider")?, key_id: rows::get(row, "pq_key_id")? };
        Ok::<_, Corrupt>(Leftover::of(org, key, classical, pq))
    };
    let found = rows::find(t, sql, [org.as_str(), key.as_str()], held)?;
    found.and_then(Result::ok).unwrap_or_default().iter().try_for_each(|leftover| send(t, leftover))
}

/// Puts a half into the outbox.
fn send(t: &Transaction<'_>, leftover: &Leftover) -> Result<(), StoreError> {
    execute(
        t,
        "INSERT OR IGNORE INTO outbox (org, key_id, cloud, half) VALUES (?1, ?2, ?3, ?4)",
        [leftover.org.as_str(), leftover.key.as_str(), leftover.cloud.name(), &leftover.key_id],
    )
    .map(drop)
}

/// What the store calls itself is what it marks its own with.
fn mark(store: &str) -> Result<DeploymentId, Corrupt> {
    DeploymentId::parse(store).ok_or("store")
}

fn stored(t: &Connection, org: &OrgId) -> Result<Option<SettingsRecord>, StoreError> {
    let sql = "SELECT s.*, o.external_id, i.store FROM settings AS s JOIN orgs AS o ON o.id = s.org
               JOIN identity AS i WHERE s.org = ?1";
    rows::find(t, sql, [org.as_str()], settings)?.transpose().map_err(|column| corrupt(None, column))
}

fn settings(row: &Row<'_>) -> Result<SettingsRecord, Corrupt> {
    Ok(SettingsRecord {
        org: rows::id(row, "org")?,
        external_id: rows::get(row, "external_id")?,
        deployment: mark(&rows::get::<String>(row, "store")?)?,
        default_kek: rows::parsed(row, "default_kek")?,
        dek_cache_ttl: dek_cache_ttl(rows::count(row, "dek_cache_ttl")?).ok_or("dek_cache_ttl")?,
        aws: account(row, "aws")?,
        azure: account(row, "azure")?,
        gcp: account(row, "gcp")?,
        updated_at: rows::time(row, "updated_at")?.ok_or("updated_at")?,
    })
}

fn account<A: DeserializeOwned>(row: &Row<'_>, column: &'static str) -> Result<Option<A>, Corrupt> {
    let text = rows::get::<Option<String>>(row, column)?;
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| column)
}

fn json<A: Serialize>(account: &Option<A>) -> Result<Option<String>, StoreError> {
    account.as_ref().map(serde_json::to_string).transpose().map_err(unavailable)
}

/// A key that rests on the organisation's settings: in the making, with halves still to be deleted, or, where that counts, active.
fn dependent(t: &Transaction<'_>, org: &OrgId, demand: Demand) -> Result<Option<Dependent>, StoreError> {
    if demand == Demand::None {
        return Ok(None);
    }
    let sql = "SELECT key_id, 'making' AS how FROM intents WHERE org = ?1
               UNION ALL SELECT id, 'active' FROM keys WHERE org = ?1 AND status = 'active' AND tier > 0 AND ?2
               UNION ALL SELECT key_id, 'leaving' FROM outbox WHERE org = ?1 LIMIT 1";
    let active_too = demand == Demand::Nothing;
    let dependent = |row: &Row<'_>| {
        let key = rows::id(row, "key_id")?;
        Ok(match rows::get::<String>(row, "how")?.as_str() {
            "making" => Dependent::Making(key),
            "active" => Dependent::Active(key),
            _ => Dependent::Leaving(key),
        })
    };
    rows::find(t, sql, params![org.as_str(), active_too], dependent)?
        .transpose()
        .map_err(|column| corrupt(None, column))
}

fn intent(row: &Row<'_>) -> Result<Intent, Corrupt> {
    let clouds: Vec<String> =
        serde_json::from_str(&rows::get::<String>(row, "clouds")?).map_err(|_| "clouds")?;
    let clouds = clouds.iter().map(|name| CloudName::from_name(name).ok_or("clouds"));
    Ok(Intent {
        org: rows::id(row, "org")?,
        key: rows::id(row, "key_id")?,
        clouds: clouds.collect::<Result<_, _>>()?,
        since: rows::time(row, "since")?.ok_or("since")?,
    })
}

fn leftover(row: &Row<'_>) -> Result<Leftover, Corrupt> {
    Ok(Leftover {
        org: rows::id(row, "org")?,
        key: rows::id(row, "key_id")?,
        cloud: CloudName::from_name(&rows::get::<String>(row, "cloud")?).ok_or("cloud")?,
        key_id: rows::get(row, "half")?,
    })
}

fn collect<R>(
    t: &Transaction<'_>,
    sql: &str,
    params: impl rusqlite::Params,
    read: fn(&Row<'_>) -> Result<R, Corrupt>,
) -> Result<Vec<R>, StoreError> {
    let mut statement = t.prepare_cached(sql).map_err(unavailable)?;
    let found = statement.query_map(params, |row| Ok(read(row))).map_err(unavailable)?;
    found.map(|row| row.map_err(unavailable)?.map_err(|column| corrupt(None, column))).collect()
}
