//! Keys that are to be rotated, in one partition by when: there are few, because each is made on request and waits for a day at the
//! least.

use async_trait::async_trait;
use vault::{
    Timestamp,
    store::{DueRotation, DueRotations, KeyRecord, StoreError},
};

use crate::{
    DynamoStore,
    connection::Range,
    item::{self, Corrupt, Item, set, text, time},
    rows::corrupt,
    tables::{Key, Table, sortable},
    transaction::{Refused, Transaction},
};

#[async_trait]
impl DueRotations for DynamoStore {
    async fn due(
        &self,
        now: Timestamp,
        after: Option<&DueRotation>,
        limit: usize,
    ) -> Result<Vec<DueRotation>, StoreError> {
        let after = after.map(|due| place(due).sk);
        let below = sortable(now.as_millis().saturating_add(1));
        let range = Range { pk: ROTATIONS, from: after.as_deref(), below: Some(&below), ..Range::default() };
        let mut found = Vec::new();
        self.query(Table::Rotations, range, |item| {
            if Key::of(&item).map(|key| key.sk) != after {
                found.push(due(&item));
            }
            found.len() < limit
        })
        .await?;
        found.into_iter().collect::<Result<_, Corrupt>>().map_err(|name| corrupt(None, name))
    }

    async fn settle_rotation(&self, due: &DueRotation) -> Result<(), StoreError> {
        let mut t = Transaction::new(self);
        t.delete(Table::Rotations, &place(due), "", &[], Refused::NotAsExpected)?;
        Ok(t.commit().await??)
    }
}

/// Notes when a key that is made is to be rotated, if that is so. The note outlives the key, until its time comes.
pub(crate) fn note(t: &mut Transaction<'_>, key: &KeyRecord) -> Result<(), StoreError> {
    let Some(at) = key.rotates_at() else { return Ok(()) };
    let due = DueRotation { at, org: key.org.clone(), key: key.id.clone() };
    let mut item = Item::new();
    set(&mut item, "org", text(due.org.as_str()));
    set(&mut item, "key_id", text(due.key.as_str()));
    set(&mut item, "at", time(due.at));
    t.put(Table::Rotations, &place(&due), item)
}

fn place(due: &DueRotation) -> Key {
    Key::new(ROTATIONS, format!("{}#{}#{}", sortable(due.at.as_millis()), due.org, due.key))
}

fn due(item: &Item) -> Result<DueRotation, Corrupt> {
    Ok(DueRotation {
        at: item::moment(item, "at")?,
        org: item::parsed(item, "org")?,
        key: item::parsed(item, "key_id")?,
    })
}

const ROTATIONS: &str = "rotations";
