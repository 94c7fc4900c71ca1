//! Policies: each organisation's in a partition, with how many they are beside them.

use async_trait::async_trait;
use vault::{
    Timestamp,
    id::{OrgId, PolicyId},
    policies::{PolicyRecord, Terms},
    store::{MAX_POLICIES, Making, Policies, PolicyWrites, Record, StoreError, StoredPolicy},
};

use crate::{
    DynamoStore,
    connection::{Range, unavailable},
    item::{self, Corrupt, Item, flag, number, set, text, time},
    rows::corrupt,
    tables::{Key, Table},
    transaction::{Refused, Transaction},
};

#[async_trait]
impl Policies for DynamoStore {
    async fn policies(&self, org: &OrgId) -> Result<Vec<StoredPolicy>, StoreError> {
        let mut found = Vec::new();
        // What counts them sorts before all ids.
        let range = Range { pk: org.as_str(), from: Some("pol_"), ..Range::default() };
        self.query(Table::Policies, range, |item| {
            found.push(item::parsed(&item, "sk").map(|id| StoredPolicy { id, row: policy(&item) }));
            true
        })
        .await?;
        found.into_iter().collect::<Result<_, Corrupt>>().map_err(|name| corrupt(None, name))
    }
}

#[async_trait]
impl PolicyWrites for DynamoStore {
    async fn create_policy(&self, policy: &PolicyRecord, record: Record) -> Result<Making, StoreError> {
        let mut t = Transaction::new(self);
        t.update(
            Table::Policies,
            &Key::alone(policy.org.as_str()),
            "SET #count = if_not_exists(#count, :none) + :one",
            "attribute_not_exists(#count) OR #count < :most",
            &[("none", number(0)), ("one", number(1)), ("most", number(MAX_POLICIES as u64))],
            Refused::NotAsExpected,
        )?;
        t.make(Table::Policies, &place(&policy.org, &policy.id), item_of(policy)?)?;
        t.record(&record)?;
        Ok(if t.commit_if_expected().await? { Making::Done } else { Making::TooMany })
    }

    async fn replace_policy(
        &self,
        policy: &PolicyRecord,
        replaces: Timestamp,
        record: Record,
    ) -> Result<bool, StoreError> {
        let (key, item) = (place(&policy.org, &policy.id), item_of(policy)?);
        let mut t = Transaction::new(self);
        let values = [("replaces", time(replaces))];
        t.replace(Table::Policies, &key, item, "#updated_at = :replaces", &values, Refused::NotAsExpected)?;
        t.record(&record)?;
        t.commit_if_expected().await
    }

    async fn delete_policy(
        &self,
        org: &OrgId,
        policy: &PolicyId,
        record: Record,
    ) -> Result<bool, StoreError> {
        let mut t = Transaction::new(self);
        t.update(
            Table::Policies,
            &Key::alone(org.as_str()),
            "SET #count = #count - :one",
            "#count > :none",
            &[("one", number(1)), ("none", number(0))],
            Refused::NotAsExpected,
        )?;
        let there = "attribute_exists(pk)";
        t.delete(Table::Policies, &place(org, policy), there, &[], Refused::NotAsExpected)?;
        t.record(&record)?;
        t.commit_if_expected().await
    }
}

fn place(org: &OrgId, policy: &PolicyId) -> Key {
    Key::new(org.as_str(), policy.as_str())
}

fn item_of(policy: &PolicyRecord) -> Result<Item, StoreError> {
    let Terms { name, description, action, enabled, environments, rule } = &policy.terms;
    let mut item = Item::new();
    set(&mut item, "name", text(name));
    set(&mut item, "description", text(description));
    set(&mut item, "action", text(action.name()));
    set(&mut item, "enabled", flag(*enabled));
    set(&mut item, "environments", text(serde_json::to_string(environments).map_err(unavailable)?));
    set(&mut item, "rule", text(serde_json::to_string(rule).map_err(unavailable)?));
    set(&mut item, "created_at", time(policy.created_at));
    set(&mut item, "updated_at", time(policy.updated_at));
    Ok(item)
}

fn policy(item: &Item) -> Result<PolicyRecord, Corrupt> {
    Ok(PolicyRecord {
        org: item::parsed(item, "pk")?,
        id: item::parsed(item, "sk")?,
        terms: Terms {
            name: item::get(item, "name")?.to_owned(),
            description: item::get(item, "description")?.to_owned(),
            action: item::parsed(item, "action")?,
            enabled: item::is(item, "enabled")?,
            environments: item::json(item, "environments")?,
            rule: item::json(item, "rule")?,
        },
        created_at: item::moment(item, "created_at")?,
        updated_at: item::moment(item, "updated_at")?,
    })
}
