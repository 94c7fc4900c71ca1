//! Organisations: each in a partition of its own, and all of them listed in one.

use async_trait::async_trait;
use vault::{
    id::OrgId,
    store::{NewOrg, OrgRecord, OrgWrites, Orgs, Record, StoreError},
};

use crate::{
    DynamoStore,
    connection::Range,
    item::{self, Corrupt, Item, text, time},
    keys,
    rows::corrupt,
    tables::{Key, Table},
    tokens,
    transaction::Transaction,
};

/// The partition that lists all organisations.
const LIST: &str = "orgs";

#[async_trait]
impl Orgs for DynamoStore {
    async fn org(&self, org: &OrgId) -> Result<Option<OrgRecord>, StoreError> {
        let found = self.get(Table::Orgs, &Key::alone(org.as_str())).await?;
        found.map(|item| parse(&item).map_err(|name| corrupt(None, name))).transpose()
    }

    async fn any_org(&self) -> Result<bool, StoreError> {
        Ok(!self.orgs(None, 1).await?.is_empty())
    }

    async fn orgs(&self, after: Option<&OrgId>, limit: usize) -> Result<Vec<OrgId>, StoreError> {
        let mut listed: Vec<String> = Vec::new();
        let range = Range {
            pk: LIST,
            from: after.map(OrgId::as_str),
            page: Some(limit.saturating_add(1)),
            ..Range::default()
        };
        self.query(Table::Orgs, range, |item| {
            let id =
                Key::of(&item).map(|key| key.sk).filter(|id| Some(id.as_str()) != after.map(OrgId::as_str));
            listed.extend(id);
            listed.len() < limit
        })
        .await?;
        listed.truncate(limit);
        listed.iter().map(|id| id.parse().map_err(|_| corrupt(None, "sk"))).collect()
    }
}

#[async_trait]
impl OrgWrites for DynamoStore {
    async fn create_org(&self, new: NewOrg, record: Record) -> Result<(), StoreError> {
        let mut t = Transaction::new(self);
        let org = &new.org;
        t.make(Table::Orgs, &Key::alone(org.id.as_str()), item_of(org))?;
        t.make(Table::Orgs, &Key::new(LIST, org.id.as_str()), Item::new())?;
        tokens::make(&mut t, &new.token)?;
        keys::make(&mut t, &new.ledger_key, &new.sealed)?;
        t.record(&record)?;
        Ok(t.commit().await??)
    }
}

fn item_of(org: &OrgRecord) -> Item {
    Item::from(
        [
            ("name", text(&org.name)),
            ("environment", text(org.environment.name())),
            ("external_id", text(&org.external_id)),
            ("ledger_key", text(org.ledger_key.as_str())),
            ("created_at", time(org.created_at)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    )
}

fn parse(item: &Item) -> Result<OrgRecord, Corrupt> {
    Ok(OrgRecord {
        id: item::parsed(item, "pk")?,
        name: item::get(item, "name")?.to_owned(),
        environment: item::parsed(item, "environment")?,
        external_id: item::get(item, "external_id")?.to_owned(),
        ledger_key: item::parsed(item, "ledger_key")?,
        created_at: item::moment(item, "created_at")?,
    })
}
