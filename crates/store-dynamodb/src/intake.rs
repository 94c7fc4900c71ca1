//! The intake: events without a place, in lanes that writers spread over.

use async_trait::async_trait;
use futures::future::try_join_all;
use ledger::Event;
use vault::{
    id::OrgId,
    store::{EventWrites, Intake, Record, StoreError},
};

use crate::{
    DynamoStore,
    connection::{Range, unavailable},
    item::{self, Item, set, text},
    ledger_tables::head_of,
    rows::corrupt,
    tables::{Key, LANES, Table},
    transaction::Transaction,
};

#[async_trait]
impl Intake for DynamoStore {
    async fn waiting(&self, limit: usize) -> Result<Vec<OrgId>, StoreError> {
        // What is placed has left the table, so what is scanned is what waits.
        let mut orgs: Vec<OrgId> = Vec::new();
        self.scan(Table::Intake, |item| {
            let org = Key::of(&item).and_then(|key| key.pk.split('#').next()?.parse().ok());
            if let Some(org) = org.filter(|org| !orgs.contains(org)) {
                orgs.push(org);
            }
            orgs.len() < limit
        })
        .await?;
        orgs.truncate(limit);
        Ok(orgs)
    }

    async fn unplaced(&self, org: &OrgId, limit: usize) -> Result<Vec<Event>, StoreError> {
        let lanes = (0..LANES).map(async |lane| {
            let (pk, mut found) = (lane_of(org.as_str(), lane), Vec::new());
            let range = Range { pk: &pk, page: Some(limit.min(MAX_PAGE)), ..Range::default() };
            self.query(Table::Intake, range, |item| {
                found.push(item);
                found.len() < limit
            })
            .await?;
            Ok::<_, StoreError>(found)
        });
        let mut found: Vec<Item> = try_join_all(lanes).await?.into_iter().flatten().collect();
        found.sort_by_cached_key(|item| {
            Some((
                item::get(item, "written").ok()?.to_owned(),
                item::count(item, "number").ok()?,
                Key::of(item)?.sk,
            ))
        });
        found.truncate(limit);
        if found.is_empty() {
            // What has just been placed is gone from here, and may still be on its way to the head.
            self.settle(&[(Table::Ledger, head_of(org))]).await?;
        }
        let events = found.iter().map(|item| item::json(item, "event"));
        events.collect::<Result<_, _>>().map_err(|name| corrupt(None, name))
    }
}

#[async_trait]
impl EventWrites for DynamoStore {
    async fn append(&self, record: Record) -> Result<(), StoreError> {
        let mut t = Transaction::new(self);
        t.record(&record)?;
        Ok(t.commit().await??)
    }
}

/// Where an event waits, and as what: in the order of time, and where several were written together, in theirs.
pub(crate) fn item(event: &Event, number: u64) -> Result<(Key, Item), StoreError> {
    let mut item = Item::new();
    set(&mut item, "event", text(serde_json::to_string(event).map_err(unavailable)?));
    set(&mut item, "written", text(&event.issued_at));
    set(&mut item, "number", item::number(number));
    Ok((place(&event.org, &event.id), item))
}

/// Where an event waits: always in the same lane, and one after another in different ones.
pub(crate) fn place(org: &str, event: &str) -> Key {
    let lane = ledger::sha256(event.as_bytes())[0] % LANES;
    Key::new(lane_of(org, lane), event)
}

fn lane_of(org: &str, lane: u8) -> String {
    format!("{org}#{lane}")
}

const MAX_PAGE: usize = 1000;
