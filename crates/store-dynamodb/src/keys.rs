//! Hybrid keys, their lines, their sealed halves, and how they end.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use vault::{
    Timestamp,
    id::{KeyId, OrgId},
    record_tag::KekId,
    store::{
        ActiveKey, Change, KeyFilter, KeyKind, KeyRecord, KeyStatus, KeyWrites, Keys, Lines, Orgs, Record,
        Rewrapping, Rotation, SealedHalves, SealedRecord, StoreError, SuccessionRecord, Tombstone,
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
    async fn items_of(&self, places: &[Places]) -> Result<HashMap<(Table, Key), Item>, StoreError> {
        let mut found = self.get_many(&places.iter().flat_map(Places::all).collect::<Vec<_>>()).await?;
        let both: Vec<_> = places.iter().flat_map(|p| [p.state.clone(), p.about.clone()]).collect();
        self.settle_missing(&both, &mut found).await?;
        Ok(found)
    }
}

fn row(found: &HashMap<(Table, Key), Item>, places: &Places) -> Option<Result<KeyRecord, item::Corrupt>> {
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

const TAG_LEN: usize = 41;

/// How many listed keys are read at once at the least: a filter may pass few of them.
const MIN_PAGE: usize = 100;
