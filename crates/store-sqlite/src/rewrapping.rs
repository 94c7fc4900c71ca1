//! Moving keys, and what organisations handed over, from one key-encryption key to another.

use async_trait::async_trait;
use rusqlite::{Row, Transaction, params};
use vault::{
    custody::{CloudName, SealedSecret},
    id::{KeyId, OrgId},
    record_tag::KekId,
    store::{ActiveKey, KeyRecord, Rewrapping, StoreError},
};

use crate::{
    SqliteStore,
    reads::{corrupt, tag_bytes},
    rows::{self, Corrupt, SELECT_KEYS, all, get, id},
    writes::execute,
};

#[async_trait]
impl Rewrapping for SqliteStore {
    async fn active_keys(
        &self,
        after: Option<(&OrgId, &KeyId)>,
        limit: usize,
    ) -> Result<Vec<ActiveKey>, StoreError> {
        let after = after.map(|(org, key)| (org.clone(), key.clone()));
        self.read(move |t| active_keys(t, after.as_ref(), limit)).await
    }

    async fn kek_use(&self) -> Result<Vec<(KekId, u64)>, StoreError> {
        self.read(kek_use).await
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
                    tag_bytes(to.tag.as_ref()),
                    new.as_ref().map(|w| w.bytes.as_slice()),
                    new.as_ref().and_then(|w| w.kek_key_id.as_deref()),
                    from.org.as_str(),
                    from.id.as_str(),
                    tag_bytes(from.tag.as_ref()),
                    old.as_ref().map(|w| w.bytes.as_slice()),
                ],
            )?;
            Ok(changed == 1)
        })
        .await
    }

    async fn secrets(
        &self,
        after: Option<(&OrgId, CloudName)>,
        limit: usize,
    ) -> Result<Vec<(OrgId, CloudName, SealedSecret)>, StoreError> {
        let (org, cloud) = after.map(|(org, cloud)| (org.to_string(), cloud.name())).unwrap_or_default();
        self.read(move |t| {
            let sql =
                "SELECT * FROM provider_secrets WHERE (org, cloud) > (?1, ?2) ORDER BY org, cloud LIMIT ?3";
            let read = |row: &Row<'_>| {
                let cloud = CloudName::from_name(&get::<String>(row, "cloud")?).ok_or("cloud")?;
                Ok((id(row, "org")?, cloud, SealedSecret(get(row, "secret")?)))
            };
            let found = all(t, sql, params![org, cloud, rows::limit(limit)], read)?;
            found.into_iter().collect::<Result<_, Corrupt>>().map_err(|column| corrupt(None, column))
        })
        .await
    }

    async fn reseal(
        &self,
        org: &OrgId,
        cloud: CloudName,
        from: &SealedSecret,
        to: &SealedSecret,
    ) -> Result<bool, StoreError> {
        let (org, from, to) = (org.clone(), from.clone(), to.clone());
        self.write(move |t| {
            let sql = "UPDATE provider_secrets SET secret = ?4 WHERE org = ?1 AND cloud = ?2 AND secret = ?3";
            Ok(execute(t, sql, params![org.as_str(), cloud.name(), from.0, to.0])? == 1)
        })
        .await
    }
}

/// Active keys in the order of (org, id).
fn active_keys(
    t: &Transaction<'_>,
    after: Option<&(OrgId, KeyId)>,
    limit: usize,
) -> Result<Vec<ActiveKey>, StoreError> {
    let sql = format!(
        "{SELECT_KEYS} WHERE k.status = 'active' AND t.key_id IS NULL
         AND (?1 IS NULL OR (k.org, k.id) > (?1, ?2)) ORDER BY k.org, k.id LIMIT ?3"
    );
    let (org, key) = after.map(|(org, key)| (org.as_str(), key.as_str())).unzip();
    let limit = rows::limit(limit);
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
fn kek_use(t: &Transaction<'_>) -> Result<Vec<(KekId, u64)>, StoreError> {
    let sql = "SELECT kek, count(*) AS rows FROM (
                   SELECT org, id, substr(record_tag, 2, 8) AS kek FROM keys
                    WHERE status = 'active' AND length(record_tag) = 41
                   UNION
                   SELECT org, id, substr(wrapped_dek, 2, 8) FROM keys
                    WHERE status = 'active' AND length(record_tag) = 41
                      AND kek_provider = 'env' AND length(wrapped_dek) >= 9
                   UNION
                   SELECT org, cloud, substr(secret, 2, 8) FROM provider_secrets WHERE length(secret) >= 9
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
