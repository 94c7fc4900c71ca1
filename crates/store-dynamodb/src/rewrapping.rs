//! Moving keys, and what organisations handed over, from one key-encryption key to another.

use std::collections::BTreeMap;

use async_trait::async_trait;
use vault::{
    custody::{CloudName, SealedSecret},
    id::{KeyId, OrgId},
    record_tag::KekId,
    store::{ActiveKey, KeyRecord, KeyStatus, Orgs, Rewrapping, StoreError},
};

use crate::{
    DynamoStore,
    clouds::{SECRETS, handed_over},
    connection::Range,
    item::{self, Corrupt, Item, bytes, text},
    keys::row,
    rows::{Places, corrupt},
    tables::{Key, Table},
    transaction::{Refused, Transaction},
};

#[async_trait]
impl Rewrapping for DynamoStore {
    async fn active_keys(
        &self,
        after: Option<(&OrgId, &KeyId)>,
        limit: usize,
    ) -> Result<Vec<ActiveKey>, StoreError> {
        let mut keys = Vec::new();
        let (mut org, mut from) = match after {
            Some((org, key)) => (Some(org.clone()), Some(format!("{key}\u{1}"))),
            None => (self.orgs(None, 1).await?.pop(), None),
        };
        while let Some(current) = org {
            let (mut ids, missing): (Vec<KeyId>, _) = (Vec::new(), limit.saturating_sub(keys.len()));
            let range = Range { pk: current.as_str(), from: from.as_deref(), ..Range::default() };
            self.query(Table::Keys, range, |item| {
                let active = item::get(&item, "status") == Ok(KeyStatus::Active.name());
                ids.extend(item::parsed::<KeyId>(&item, "sk").ok().filter(|_| active));
                ids.len() < missing
            })
            .await?;
            // A key that ended meanwhile makes the page shorter, and the organisation no smaller.
            let more = ids.last().filter(|_| ids.len() == missing).map(|last| format!("{last}\u{1}"));
            let places: Vec<_> = ids.iter().map(|id| Places::of(&current, id)).collect();
            let found = self.items_of(&places).await?;
            for (id, places) in ids.into_iter().zip(&places) {
                if let Some(row) = row(&found, places) {
                    let active = row.as_ref().map_or(true, |key| key.status == KeyStatus::Active);
                    if active {
                        keys.push(ActiveKey { org: current.clone(), id, row: row.map(Box::new) });
                    }
                }
            }
            if keys.len() >= limit {
                break;
            }
            org = match &more {
                Some(_) => Some(current),
                None => self.orgs(Some(&current), 1).await?.pop(),
            };
            from = more;
        }
        Ok(keys)
    }

    async fn kek_use(&self) -> Result<Vec<(KekId, u64)>, StoreError> {
        let mut used: BTreeMap<[u8; 8], u64> = BTreeMap::new();
        self.scan(Table::Keys, |item| {
            let active = item::get(&item, "status") == Ok(KeyStatus::Active.name());
            let tag =
                item::blob_or_none(&item, "record_tag").ok().flatten().filter(|tag| tag.len() == TAG_LEN);
            if let (true, Some(tag)) = (active, tag) {
                let of_env = item::get(&item, "kek_provider") == Ok("env");
                let wrapped = item::blob_or_none(&item, "wrapped_dek").ok().flatten().filter(|_| of_env);
                let named = |bytes: &[u8]| bytes.get(1..9).and_then(|id| <[u8; 8]>::try_from(id).ok());
                let (tagged, wrapped) = (named(tag), wrapped.and_then(named));
                for kek in tagged.into_iter().chain(wrapped.filter(|wrapped| Some(*wrapped) != tagged)) {
                    *used.entry(kek).or_default() += 1;
                }
            }
            true
        })
        .await?;
        self.query(Table::ProviderSecrets, Range { pk: SECRETS, ..Range::default() }, |item| {
            let secret = item::blob(&item, "secret").ok().map(|secret| SealedSecret(secret.to_vec()));
            if let Some(KekId(kek)) = secret.and_then(|secret| secret.kek()) {
                *used.entry(kek).or_default() += 1;
            }
            true
        })
        .await?;
        Ok(used.into_iter().map(|(kek, rows)| (KekId(kek), rows)).collect())
    }

    async fn rewrap(&self, from: &KeyRecord, to: &KeyRecord) -> Result<bool, StoreError> {
        let (table, key) = Places::of(&from.org, &from.id).state;
        let mut change = Vec::new();
        let mut condition = vec!["#status = :active".to_owned()];
        let mut values = vec![("active", text(KeyStatus::Active.name()))];
        let tag = |key: &KeyRecord| key.tag.as_ref().map(|tag| bytes(tag.as_bytes()));
        let wrapped = |key: &KeyRecord| key.kek.as_ref().map(|kek| bytes(&kek.wrapped.bytes));
        let named =
            |key: &KeyRecord| key.kek.as_ref().and_then(|kek| kek.wrapped.kek_key_id.as_deref().map(text));
        for (name, old, new, before, after) in [
            ("record_tag", ":old_tag", ":new_tag", tag(from), tag(to)),
            ("wrapped_dek", ":old_dek", ":new_dek", wrapped(from), wrapped(to)),
            ("kek_key_id", ":old_kek", ":new_kek", named(from), named(to)),
        ] {
            match before {
                Some(before) => {
                    condition.push(format!("#{name} = {old}"));
                    values.push((old.trim_start_matches(':'), before));
                }
                None => condition.push(format!("attribute_not_exists(#{name})")),
            }
            match after {
                Some(after) => {
                    change.push(format!("SET #{name} = {new}"));
                    values.push((new.trim_start_matches(':'), after));
                }
                None => change.push(format!("REMOVE #{name}")),
            }
        }
        let set: Vec<&str> = change.iter().filter_map(|c| c.strip_prefix("SET ")).collect();
        let remove: Vec<&str> = change.iter().filter_map(|c| c.strip_prefix("REMOVE ")).collect();
        let mut change = String::new();
        for (word, parts) in [("SET", set), ("REMOVE", remove)] {
            if !parts.is_empty() {
                change.push_str(&format!("{word} {} ", parts.join(", ")));
            }
        }
        let mut t = Transaction::new(self);
        t.update(table, &key, &change, &condition.join(" AND "), &values, Refused::NotAsExpected)?;
        Ok(t.commit().await?.is_ok())
    }

    async fn secrets(
        &self,
        after: Option<(&OrgId, CloudName)>,
        limit: usize,
    ) -> Result<Vec<(OrgId, CloudName, SealedSecret)>, StoreError> {
        let after = after.map(|(org, cloud)| handed_over(org, cloud).sk);
        let range = Range { pk: SECRETS, from: after.as_deref(), ..Range::default() };
        let mut found = Vec::new();
        self.query(Table::ProviderSecrets, range, |item| {
            if Key::of(&item).map(|key| key.sk) != after {
                found.push(secret(&item));
            }
            found.len() < limit
        })
        .await?;
        found.into_iter().collect::<Result<_, Corrupt>>().map_err(|name| corrupt(None, name))
    }

    async fn reseal(
        &self,
        org: &OrgId,
        cloud: CloudName,
        from: &SealedSecret,
        to: &SealedSecret,
    ) -> Result<bool, StoreError> {
        let mut t = Transaction::new(self);
        t.update(
            Table::ProviderSecrets,
            &handed_over(org, cloud),
            "SET #secret = :to",
            "#secret = :from",
            &[("from", bytes(&from.0)), ("to", bytes(&to.0))],
            Refused::NotAsExpected,
        )?;
        t.commit_if_expected().await
    }
}

fn secret(item: &Item) -> Result<(OrgId, CloudName, SealedSecret), Corrupt> {
    let key = Key::of(item).ok_or("sk")?;
    let cloud = key.sk.rsplit('#').next().and_then(CloudName::from_name).ok_or("sk")?;
    Ok((item::parsed(item, "org")?, cloud, SealedSecret(item::blob(item, "secret")?.to_vec())))
}

const TAG_LEN: usize = 41;
