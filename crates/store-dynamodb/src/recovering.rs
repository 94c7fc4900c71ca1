//! What a store that was put back to an earlier hour is told again before it writes: which keys were revoked, what of ended keys
//! is to be deleted.

use async_trait::async_trait;
use vault::{
    random,
    store::{KeyStatus, Record, Recovery, StoreError, Tombstone},
};

use crate::{
    DynamoStore, clouds,
    connection::unavailable,
    identity::place,
    item::{self, Item},
    rows::{self, Places, corrupt},
    tables::{Key, Table},
    transaction::{Refused, Transaction},
};

#[async_trait]
impl Recovery for DynamoStore {
    async fn is_restored(&self) -> Result<bool, StoreError> {
        if let Some(known) = self.known().await? {
            return self.differs(known).await;
        }
        if self.own_name().await?.is_some() {
            // The store is one that has a table of tombstones, and this is another.
            return Ok(true);
        }
        let name = hex::encode(random::generate::<16>().map_err(unavailable)?);
        match self.declare(&name, true).await? {
            Ok(()) => Ok(false),
            // Somebody else was first.
            Err(_) => match self.known().await? {
                Some(known) => self.differs(known).await,
                None => Ok(true),
            },
        }
    }

    async fn is_foreign(&self) -> Result<bool, StoreError> {
        let (known, own) = (self.known().await?, self.own_name().await?);
        Ok(known.is_some_and(|known| own.is_some_and(|own| own != known.store)))
    }

    async fn lost_tombstones(&self) -> Result<Vec<Tombstone>, StoreError> {
        let mut tombstones = Vec::new();
        self.scan(Table::Tombstones, |item| {
            if Key::of(&item) != Some(place()) {
                tombstones.push(rows::buried(&item));
            }
            true
        })
        .await?;
        let tombstones: Vec<_> =
            tombstones.into_iter().collect::<Result<_, _>>().map_err(|name| corrupt(None, name))?;
        // A key that a restored table has not got needs no revoking: its tombstone stands already.
        let mut lost = Vec::new();
        for some in tombstones.chunks(100) {
            let states: Vec<_> = some.iter().map(|t| Places::of(&t.org, &t.key).state).collect();
            let found = self.get_many(&states).await?;
            for (tombstone, state) in some.iter().zip(&states) {
                let status = found.get(state).map(|state| item::parsed(state, "status"));
                if status.is_some_and(|status| status != Ok(KeyStatus::Revoked)) {
                    lost.push(tombstone.clone());
                }
            }
        }
        lost.sort_by_key(|tombstone| tombstone.revoked_at);
        Ok(lost)
    }

    async fn revoke_again(&self, tombstone: &Tombstone, record: Record) -> Result<(), StoreError> {
        let places = Places::of(&tombstone.org, &tombstone.key);
        let Some(state) = self.get(places.state.0, &places.state.1).await? else { return Ok(()) };
        if item::parsed(&state, "status") == Ok(KeyStatus::Revoked) {
            return Ok(());
        }
        let left = self.leftovers(&tombstone.org, &tombstone.key).await?;
        let mut t = Transaction::new(self);
        self.bury(&mut t, &places, tombstone).await?;
        clouds::leave(&mut t, &left)?;
        t.record(&record)?;
        Ok(t.commit_unchecked().await??)
    }

    async fn declare_recovered(&self) -> Result<(), StoreError> {
        let known = self.known().await?;
        let own = self.own_name().await?;
        let name = match (own, known) {
            (Some(own), _) => own,
            (None, Some(known)) => known.store,
            (None, None) => hex::encode(random::generate::<16>().map_err(unavailable)?),
        };
        self.forget_intents().await?;
        self.end_again().await?;
        self.declare(&name, false).await??;
        self.remember_to_be_the_same(false);
        Ok(())
    }
}

impl DynamoStore {
    /// Tables that were put back to different moments may have brought sealed halves of ended keys back, and have lost what is
    /// to be deleted at clouds. What was deleted there is found so.
    async fn end_again(&self) -> Result<(), StoreError> {
        let mut sealed = Vec::new();
        self.scan(Table::SealedHalves, |item| {
            sealed.extend(Key::of(&item).and_then(|at| Some((rows::key_of(&at.pk)?, at))));
            true
        })
        .await?;
        for some in sealed.chunks(50) {
            let places: Vec<_> = some.iter().map(|((org, key), _)| Places::of(org, key)).collect();
            let wanted: Vec<_> = places.iter().flat_map(|p| [p.state.clone(), p.tombstone.clone()]).collect();
            let found = self.get_many(&wanted).await?;
            for (places, (_, at)) in places.iter().zip(some) {
                if found.get(&places.state).is_some_and(has_ended) || found.contains_key(&places.tombstone) {
                    let mut t = Transaction::new(self);
                    t.delete(Table::SealedHalves, at, "", &[], Refused::NotAsExpected)?;
                    t.commit_unchecked().await??;
                }
            }
        }
        let mut left = Vec::new();
        self.scan(Table::Keys, |item| {
            let at = Key::of(&item).filter(|at| at.sk == "state").and_then(|at| rows::key_of(&at.pk));
            if let (Some((org, key)), true) = (at, has_ended(&item)) {
                left.extend(clouds::left_by(&org, &key, &item));
            }
            true
        })
        .await?;
        for leftover in left {
            // Settings are not cleared while anything is to be deleted by them.
            if self.get(Table::Settings, &Key::alone(leftover.org.as_str())).await?.is_some() {
                let mut t = Transaction::new(self);
                clouds::leave(&mut t, &[leftover])?;
                t.commit_unchecked().await??;
            }
        }
        Ok(())
    }
}

/// Whether a key's state says that it has: one that cannot be read says nothing, and costs nothing that cannot be had back.
fn has_ended(state: &Item) -> bool {
    matches!(item::parsed(state, "status"), Ok(KeyStatus::Superseded | KeyStatus::Revoked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::text;

    #[test]
    fn a_status_that_cannot_be_read_ends_nothing() {
        for (status, ended) in [
            (KeyStatus::Active.name(), false),
            (KeyStatus::Superseded.name(), true),
            (KeyStatus::Revoked.name(), true),
            ("revoked!", false),
        ] {
            assert_eq!(has_ended(&Item::from([("status".to_owned(), text(status))])), ended, "{status}");
        }
        assert!(!has_ended(&Item::new()));
    }
}
