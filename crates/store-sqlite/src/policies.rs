//! Policies.

use async_trait::async_trait;
use rusqlite::{Row, Transaction, params};
use vault::{
    Timestamp,
    id::{OrgId, PolicyId},
    policies::{PolicyRecord, Terms},
    store::{MAX_POLICIES, Making, Policies, PolicyWrites, Record, StoreError, StoredPolicy},
};

use crate::{
    SqliteStore,
    connection::unavailable,
    reads::corrupt,
    rows::{self, Corrupt},
    writes::{execute, insert_record, millis},
};

#[async_trait]
impl Policies for SqliteStore {
    async fn policies(&self, org: &OrgId) -> Result<Vec<StoredPolicy>, StoreError> {
        self.look_up(|t| {
            let sql = "SELECT * FROM policies WHERE org = ?1 ORDER BY id";
            let read = |row: &Row<'_>| Ok(StoredPolicy { id: rows::id(row, "id")?, row: policy(row) });
            let stored = rows::all(t, sql, [org.as_str()], read)?;
            stored.into_iter().collect::<Result<_, Corrupt>>().map_err(|column| corrupt(None, column))
        })
    }
}

#[async_trait]
impl PolicyWrites for SqliteStore {
    async fn create_policy(&self, policy: &PolicyRecord, record: Record) -> Result<Making, StoreError> {
        let policy = policy.clone();
        self.write(move |t| {
            let sql = "SELECT count(*) AS count FROM policies WHERE org = ?1";
            let count = rows::find(t, sql, [policy.org.as_str()], |row| rows::count(row, "count"))?;
            let count = count.transpose().map_err(|column| corrupt(None, column))?.unwrap_or_default();
            if count >= MAX_POLICIES as u64 {
                return Ok(Making::TooMany);
            }
            put(t, &policy)?;
            insert_record(t, &record)?;
            Ok(Making::Done)
        })
        .await
    }

    async fn replace_policy(
        &self,
        policy: &PolicyRecord,
        replaces: Timestamp,
        record: Record,
    ) -> Result<bool, StoreError> {
        let policy = policy.clone();
        self.write(move |t| {
            let sql = "DELETE FROM policies WHERE org = ?1 AND id = ?2 AND updated_at = ?3";
            if execute(t, sql, params![policy.org.as_str(), policy.id.as_str(), millis(replaces)])? == 0 {
                return Ok(false);
            }
            put(t, &policy)?;
            insert_record(t, &record)?;
            Ok(true)
        })
        .await
    }

    async fn delete_policy(
        &self,
        org: &OrgId,
        policy: &PolicyId,
        record: Record,
    ) -> Result<bool, StoreError> {
        let row = [org.to_string(), policy.to_string()];
        self.write(move |t| {
            if execute(t, "DELETE FROM policies WHERE org = ?1 AND id = ?2", row)? == 0 {
                return Ok(false);
            }
            insert_record(t, &record)?;
            Ok(true)
        })
        .await
    }
}

fn put(t: &Transaction<'_>, policy: &PolicyRecord) -> Result<(), StoreError> {
    let Terms { name, description, action, enabled, environments, rule } = &policy.terms;
    execute(
        t,
        "INSERT INTO policies (org, id, name, description, action, enabled, environments, rule, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            policy.org.as_str(),
            policy.id.as_str(),
            name,
            description,
            action.name(),
            enabled,
            serde_json::to_string(environments).map_err(unavailable)?,
            serde_json::to_string(rule).map_err(unavailable)?,
            millis(policy.created_at),
            millis(policy.updated_at),
        ],
    )
    .map(drop)
}

fn policy(row: &Row<'_>) -> Result<PolicyRecord, Corrupt> {
    let json = |column: Corrupt| rows::get::<String>(row, column);
    Ok(PolicyRecord {
        org: rows::id(row, "org")?,
        id: rows::id(row, "id")?,
        terms: Terms {
            name: rows::get(row, "name")?,
            description: rows::get(row, "description")?,
            action: rows::parsed(row, "action")?,
            enabled: rows::get(row, "enabled")?,
            environments: serde_json::from_str(&json("environments")?).map_err(|_| "environments")?,
            rule: serde_json::from_str(&json("rule")?).map_err(|_| "rule")?,
        },
        created_at: rows::time(row, "created_at")?.ok_or("created_at")?,
        updated_at: rows::time(row, "updated_at")?.ok_or("updated_at")?,
    })
}
