//! Hybrid keys, their lines, their sealed halves, and how they end.

use std::collections::HashMap;

use async_trait::async_trait;
use vault::{
    Timestamp,
    id::{KeyId, OrgId},
    store::{
        Change, KeyFilter, KeyKind, KeyRecord, KeyStatus, KeyWrites, Keys, Lines, Record, Rotation,
        SealedHalves, SealedRecord, StoreError, SuccessionRecord, Tombstone,
    },
};

use crate::{
    DynamoStore, clouds,
    connection::Range,
    item::{self, Item, bytes, set, text, time},
    rotations,
    rows::{self, Places, corrupt},
    tables::{Key, Table, of_key},
    transaction::{Refused, Transaction},
};

#[async_trait]
impl Keys for DynamoStore {
    async fn key(&self, org: &OrgId, key: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.keys_of(org, std::slice::from_ref(key)).await?.pop().flatten().transpose()?)
    }

    async fn status(&self, org: &OrgId, key: &KeyId) -> Result<Option<KeyStatus>, StoreError> {
        let Places { state, tombstone, .. } = Places::of(org, key);
        let mut found = self.get_many(&[state.clone(), tombstone.clone()]).await?;
        self.settle_missing(std::slice::from_ref(&state), &mut found).await?;
        let status = found.get(&state).map(|state| rows::status(state, found.get(&tombstone)));
        status.transpose().map_err(|name| corrupt(Some(key), name))
    }

    async fn list(&self, org: &OrgId, filter: &KeyFilter) -> Result<Vec<KeyRecord>, StoreError> {
        let mut keys = Vec::new();
        let mut before = filter.before.as_ref().map(ToString::to_string);
        // What the list says of a status is behind a tombstone that was put back, so what is left out is made up for.
        while keys.len() < filter.limit {
            let missing = filter.limit - keys.len();
            let mut listed: Vec<KeyId> = Vec::new();
            let mut broken = None;
            let range = Range {
                pk: org.as_str(),
                below: before.as_deref(),
                newest_first: true,
                page: Some(missing.clamp(MIN_PAGE, 1000)),
                ..Range::default()
            };
            self.query(Table::Keys, range, |item| {
                match matches(&item, filter) {
                    Ok(Some(id)) => listed.push(id),
                    Ok(None) => {}
                    Err(name) => broken = Some(corrupt(item::parsed(&item, "sk").ok().as_ref(), name)),
                }
                listed.len() < missing && broken.is_none()
            })
            .await?;
            if let Some(broken) = broken {
                return Err(broken);
            }
            let complete = listed.len() < missing;
            before = listed.last().map(ToString::to_string);
            for key in self.keys_of(org, &listed).await?.into_iter().flatten() {
                let key = key?;
                if wanted(filter, key.status) {
                    keys.push(key);
                }
            }
            if complete {
                break;
            }
        }
        Ok(keys)
    }
}

#[async_trait]
impl Lines for DynamoStore {
    async fn line(&self, org: &OrgId, first: &KeyId) -> Result<Vec<KeyRecord>, StoreError> {
        let (pk, mut ids) = (of_key(org, first), Vec::new());
        // Between the two lie the names of the line's members, which begin with `line#`.
        let range = Range { pk: &pk, from: Some("line#"), below: Some("line$"), ..Range::default() };
        self.query(Table::Keys, range, |item| {
            ids.extend(Key::of(&item).and_then(|key| key.sk.strip_prefix("line#")?.parse::<KeyId>().ok()));
            true
        })
        .await?;
        let mut found: HashMap<KeyId, KeyRecord> = HashMap::new();
        for key in self.keys_of(org, &ids).await?.into_iter().flatten() {
            let key = key?;
            found.insert(key.id.clone(), key);
        }
        // In the order of their links: ids made within a millisecond of each other sort by chance.
        let mut line = Vec::with_capacity(found.len());
        let mut next = Some(first.clone());
        while let Some(id) = next {
            let key = match found.remove(&id) {
                Some(key) => Some(key),
                None if line.iter().any(|known: &KeyRecord| known.id == id) => None,
                // It was made after the line was read.
                None => self.key(org, &id).await?,
            };
            let Some(key) = key else { break };
            next = key.successor.clone();
            line.push(key);
        }
        Ok(line)
    }

    async fn succession(
        &self,
        org: &OrgId,
        predecessor: &KeyId,
    ) -> Result<Option<SuccessionRecord>, StoreError> {
        let found = self.get_settled(Table::Successions, &Key::alone(of_key(org, predecessor))).await?;
        found.map(|item| rows::succeeded(&item).map_err(|name| corrupt(Some(predecessor), name))).transpose()
    }
}

#[async_trait]
impl SealedHalves for DynamoStore {
    async fn sealed(&self, org: &OrgId, key: &KeyId) -> Result<SealedRecord, StoreError> {
        let found = self.get(Table::SealedHalves, &Key::alone(of_key(org, key))).await?.unwrap_or_default();
        // An attribute of another type than bytes is no seal, which is what a missing one is.
        let half = |name| item::blob_or_none(&found, name).ok().flatten().map(<[u8]>::to_vec);
        Ok(SealedRecord { pq: half("pq"), classical: half("classical") })
    }
}

#[async_trait]
impl KeyWrites for DynamoStore {
    async fn create(&self, key: &KeyRecord, sealed: &SealedRecord, record: Record) -> Result<(), StoreError> {
        let mut t = Transaction::new(self);
        make(&mut t, key, sealed)?;
        clouds::finish_creation(&mut t, key)?;
        t.record(&record)?;
        Ok(t.commit().await??)
    }

    async fn supersede(&self, rotation: &Rotation, record: Record) -> Result<Change, StoreError> {
        let Rotation { successor, sealed, succession } = rotation;
        let (org, predecessor) = (&successor.org, &succession.predecessor);
        let old = Places::of(org, predecessor);
        let left = self.leftovers(org, predecessor).await?;
        let mut t = Transaction::new(self);
        t.check(old.tombstone.0, &old.tombstone.1, "attribute_not_exists(pk)", &[], Refused::KeyNotActive)?;
        t.update(
            old.state.0,
            &old.state.1,
            "SET #status = :superseded, #successor = :successor REMOVE #kek_provider, #kek_key_id, #wrapped_dek, #record_tag",
            "#status = :active",
            &[
                ("superseded", text(KeyStatus::Superseded.name())),
                ("successor", text(successor.id.as_str())),
                ("active", text(KeyStatus::Active.name())),
            ],
            Refused::KeyNotActive,
        )?;
        say(&mut t, &old, KeyStatus::Superseded)?;
        t.delete(
            Table::SealedHalves,
            &Key::alone(of_key(org, predecessor)),
            "",
            &[],
            Refused::NotAsExpected,
        )?;
        clouds::leave(&mut t, &left)?;
        make(&mut t, successor, sealed)?;
        clouds::finish_creation(&mut t, successor)?;
        let item = rows::succession(succession)?;
        t.make(Table::Successions, &Key::alone(of_key(org, predecessor)), item)?;
        if successor.kind == KeyKind::Ledger {
            t.update(
                Table::Orgs,
                &Key::alone(org.as_str()),
                "SET #ledger_key = :successor",
                "#ledger_key = :predecessor",
                &[("successor", text(successor.id.as_str())), ("predecessor", text(predecessor.as_str()))],
                Refused::KeyNotActive,
            )?;
        }
        t.record(&record)?;
        match t.commit().await? {
            Ok(()) => Ok(Change::Done),
            Err(Refused::KeyNotActive) => Ok(Change::NotActive),
            Err(refused) => Err(refused.into()),
        }
    }

    async fn revoke(&self, tombstone: &Tombstone, record: Record) -> Result<Timestamp, StoreError> {
        // Before what it finds is believed: a table that was put back knows nothing of what came since.
        self.check_identity().await?;
        loop {
            let places = Places::of(&tombstone.org, &tombstone.key);
            if let Some(buried) = self.get(places.tombstone.0, &places.tombstone.1).await? {
                let at = item::moment(&buried, "revoked_at");
                return at.map_err(|name| corrupt(Some(&tombstone.key), name));
            }
            let left = self.leftovers(&tombstone.org, &tombstone.key).await?;
            let mut t = Transaction::new(self);
            t.make(places.tombstone.0, &places.tombstone.1, rows::tombstone(tombstone))?;
            self.bury(&mut t, &places, tombstone).await?;
            clouds::leave(&mut t, &left)?;
            t.record(&record)?;
            match t.commit().await? {
                Ok(()) => return Ok(tombstone.revoked_at),
                // Somebody else was first, if the tombstone is there now; else it was an event that is.
                Err(Refused::Exists)
                    if self.get(places.tombstone.0, &places.tombstone.1).await?.is_some() => {}
                Err(refused) => return Err(refused.into()),
            }
        }
    }
}

impl DynamoStore {
    /// Keys of an organisation, in the order of `ids`.
    async fn keys_of(
        &self,
        org: &OrgId,
        ids: &[KeyId],
    ) -> Result<Vec<Option<Result<KeyRecord, StoreError>>>, StoreError> {
        let places: Vec<_> = ids.iter().map(|id| Places::of(org, id)).collect();
        let found = self.items_of(&places).await?;
        let rows = ids
            .iter()
            .zip(&places)
            .map(|(id, places)| row(&found, places).map(|row| row.map_err(|name| corrupt(Some(id), name))));
        Ok(rows.collect())
    }

    /// All that follows from a tombstone for a key that exists.
    pub(crate) async fn bury(
        &self,
        t: &mut Transaction<'_>,
        places: &Places,
        tombstone: &Tombstone,
    ) -> Result<(), StoreError> {
        t.update(
            places.state.0,
            &places.state.1,
            "SET #status = :revoked, #revoked_at = :at REMOVE #kek_provider, #kek_key_id, #wrapped_dek, #record_tag",
            "attribute_exists(pk)",
            &[("revoked", text(KeyStatus::Revoked.name())), ("at", time(tombstone.revoked_at))],
            Refused::NotAsExpected,
        )?;
        // A key whose description is lost can still be revoked.
        if self.get_settled(places.about.0, &places.about.1).await?.is_some() {
            say(t, places, KeyStatus::Revoked)?;
        }
        let sealed = Key::alone(of_key(&tombstone.org, &tombstone.key));
        t.delete(Table::SealedHalves, &sealed, "", &[], Refused::NotAsExpected)
    }

    /// The items of keys. A key has two or none.
    pub(crate) async fn items_of(
        &self,
        places: &[Places],
    ) -> Result<HashMap<(Table, Key), Item>, StoreError> {
        let mut found = self.get_many(&places.iter().flat_map(Places::all).collect::<Vec<_>>()).await?;
        let both: Vec<_> = places.iter().flat_map(|p| [p.state.clone(), p.about.clone()]).collect();
        self.settle_missing(&both, &mut found).await?;
        Ok(found)
    }
}

pub(crate) fn row(
    found: &HashMap<(Table, Key), Item>,
    places: &Places,
) -> Option<Result<KeyRecord, item::Corrupt>> {
    match (found.get(&places.state), found.get(&places.about)) {
        (None, None) => None,
        (Some(state), Some(about)) => Some(rows::key(state, about, found.get(&places.tombstone))),
        (Some(_), None) => Some(Err("name")),
        (None, Some(_)) => Some(Err("status")),
    }
}

/// What makes a key.
pub(crate) fn make(
    t: &mut Transaction<'_>,
    key: &KeyRecord,
    sealed: &SealedRecord,
) -> Result<(), StoreError> {
    let places = Places::of(&key.org, &key.id);
    t.make(places.state.0, &places.state.1, rows::state(key))?;
    t.make(places.about.0, &places.about.1, rows::about(key))?;
    t.make(Table::Keys, &Key::new(of_key(&key.org, &key.line), format!("line#{}", key.id)), Item::new())?;
    rotations::note(t, key)?;
    let mut halves = Item::new();
    set(&mut halves, "pq", sealed.pq.as_deref().map(bytes));
    set(&mut halves, "classical", sealed.classical.as_deref().map(bytes));
    if halves.is_empty() {
        return Ok(());
    }
    t.make(Table::SealedHalves, &Key::alone(of_key(&key.org, &key.id)), halves)
}

/// The status in what is listed.
fn say(t: &mut Transaction<'_>, places: &Places, status: KeyStatus) -> Result<(), StoreError> {
    t.update(
        places.about.0,
        &places.about.1,
        "SET #status = :status",
        "attribute_exists(pk)",
        &[("status", text(status.name()))],
        Refused::NotAsExpected,
    )
}

/// The id of a listed key that may match.
fn matches(listed: &Item, filter: &KeyFilter) -> Result<Option<KeyId>, item::Corrupt> {
    let line = item::get(listed, "line")?;
    let matches = item::get(listed, "kind")? == KeyKind::User.name()
        && wanted(filter, item::parsed(listed, "status")?)
        && filter.algorithm.is_none_or(|algorithm| item::get(listed, "algorithm") == Ok(algorithm.name()))
        && filter.tier.is_none_or(|tier| rows::tier(listed) == Ok(tier))
        && match &filter.name_prefix {
            Some(prefix) => item::get(listed, "name")?.starts_with(prefix.as_str()),
            None => true,
        }
        && filter.lines.as_ref().is_none_or(|lines| lines.iter().any(|known| known.as_str() == line));
    Ok(if matches { Some(item::parsed(listed, "sk")?) } else { None })
}

/// A status that is asked for decides alone; without one, revoked keys are left out unless asked for.
fn wanted(filter: &KeyFilter, status: KeyStatus) -> bool {
    match filter.status {
        Some(wanted) => status == wanted,
        None => filter.include_revoked || status != KeyStatus::Revoked,
    }
}

/// How many listed keys are read at once at the least: a filter may pass few of them.
const MIN_PAGE: usize = 100;
