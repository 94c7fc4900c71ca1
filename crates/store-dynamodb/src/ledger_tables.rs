//! The ledger as it is read. Entries are gapless, so each is a partition of its own that is named by its place; what they are
//! about is kept per batch and names their places.

use async_trait::async_trait;
use ledger::{Entry, TileId};
use vault::{
    Timestamp,
    id::{EventId, KeyId, OrgId},
    store::{
        CheckpointRecord, CheckpointWrites, EntryFilter, Head, KeyKind, KeyStatus, LedgerReads, Reply,
        Sealing, StoreError, Usage, UsageRecord,
    },
};

use crate::{
    DynamoStore,
    connection::Range,
    item::{self, Corrupt, Item, bytes, number, set, text, time},
    placing::MAX_BATCH,
    replies,
    rows::{self, Places, corrupt},
    tables::{Key, Table, sortable},
    transaction::{Refused, Transaction},
};

#[async_trait]
impl LedgerReads for DynamoStore {
    async fn head(&self, org: &OrgId) -> Result<Head, StoreError> {
        let found = self.get(Table::Ledger, &head_of(org)).await?;
        head(found.as_ref()).map_err(|name| corrupt(None, name))
    }

    async fn place(&self, org: &OrgId, event: &EventId) -> Result<Option<u64>, StoreError> {
        let found = self.get_settled(Table::Ledger, &place_of(org, event.as_str())).await?;
        found.map(|item| item::count(&item, "seq").map_err(|name| corrupt(None, name))).transpose()
    }

    async fn entries(&self, org: &OrgId, filter: &EntryFilter) -> Result<Vec<Entry>, StoreError> {
        let kind = filter.event_type.map(ledger::EventType::name);
        let pk = match (&filter.subject, kind) {
            (Some(subject), _) => about_subject(org, subject),
            (None, Some(kind)) => about_type(org, kind),
            (None, None) => {
                let size = self.head(org).await?.size;
                let end = filter.before.map_or(size, |before| size.min(before));
                let limit = u64::try_from(filter.limit).unwrap_or(u64::MAX);
                let seqs: Vec<u64> = if filter.newest_first {
                    (filter.since.max(end.saturating_sub(limit))..end).rev().collect()
                } else {
                    (filter.since..end.min(filter.since.saturating_add(limit))).collect()
                };
                return self.entries_at(org, &seqs).await;
            }
        };
        let mut entries = Vec::new();
        let (mut since, mut before) = (filter.since, filter.before);
        loop {
            let left = filter.limit - entries.len();
            let (seqs, more) =
                self.places(&pk, since..before.unwrap_or(u64::MAX), filter.newest_first, left).await?;
            if filter.newest_first {
                before = seqs.last().copied().or(before);
            } else {
                since = seqs.last().map_or(since, |last| last + 1);
            }
            for entry in self.entries_at(org, &seqs).await? {
                let fields = entry.fields().map_err(|_| corrupt(None, "payload"))?;
                let about = filter.subject.is_none() || filter.subject.as_deref() == fields.subject_id;
                if about && kind.is_none_or(|kind| kind == fields.event_type) {
                    entries.push(entry);
                }
            }
            if !more || entries.len() >= filter.limit {
                return Ok(entries);
            }
        }
    }

    async fn key_entries(
        &self,
        org: &OrgId,
        key: &KeyId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let places = 0..before.unwrap_or(u64::MAX);
        let (seqs, _) = self.places(&about_key(org, key), places, true, limit).await?;
        self.entries_at(org, &seqs).await
    }

    async fn tiles(&self, org: &OrgId, ids: &[TileId]) -> Result<Vec<(TileId, Vec<u8>)>, StoreError> {
        // The head of a batch may be seen before its tiles are, so they must be as long as it says.
        let end = (Table::Ledger, head_of(org));
        let wanted: Vec<_> = ids.iter().map(|id| (Table::Ledger, tile_of(org, *id))).collect();
        let mut found = self.get_many(&[std::slice::from_ref(&end), &wanted].concat()).await?;
        let size = head(found.get(&end)).map_err(|name| corrupt(None, name))?.size;
        for (id, key) in ids.iter().zip(&wanted) {
            let short =
                |item: &Item| item::blob(item, "hashes").is_ok_and(|h| h.len() < 32 * id.width_in(size));
            if found.get(key).is_some_and(short) {
                found.remove(key);
            }
        }
        self.settle_missing(&wanted, &mut found).await?;
        let tiles = ids.iter().zip(&wanted).filter_map(|(id, key)| {
            found.get(key).map(|item| Ok((*id, item::blob(item, "hashes")?.to_vec())))
        });
        tiles.collect::<Result<_, Corrupt>>().map_err(|name| corrupt(None, name))
    }

    async fn checkpoints(
        &self,
        org: &OrgId,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<CheckpointRecord>, StoreError> {
        let below = below.map(sortable);
        let range = Range {
            pk: org.as_str(),
            below: below.as_deref(),
            newest_first: true,
            page: Some(limit.min(1000)),
            ..Range::default()
        };
        let mut found = Vec::new();
        self.query(Table::Checkpoints, range, |item| {
            found.push(checkpoint(&item));
            found.len() < limit
        })
        .await?;
        found.into_iter().collect::<Result<_, _>>().map_err(|name| corrupt(None, name))
    }
}

#[async_trait]
impl CheckpointWrites for DynamoStore {
    async fn seal(
        &self,
        org: &OrgId,
        checkpoint: &CheckpointRecord,
        reply: Option<Reply>,
    ) -> Result<Sealing, StoreError> {
        let mut item = Item::new();
        set(&mut item, "id", text(checkpoint.id.as_str()));
        set(&mut item, "tree_size", number(checkpoint.tree_size));
        set(&mut item, "root", bytes(&checkpoint.root));
        set(&mut item, "signature", bytes(&checkpoint.signature));
        set(&mut item, "key_id", text(checkpoint.key.as_str()));
        set(&mut item, "created_at", time(checkpoint.created_at));
        let mut t = Transaction::new(self);
        t.update(
            Table::Checkpoints,
            &Key::alone(format!("{org}#newest")),
            "SET #tree_size = :size",
            "attribute_not_exists(pk) OR #tree_size < :size",
            &[("size", number(checkpoint.tree_size))],
            Refused::NotAsExpected,
        )?;
        let signer = Places::of(org, &checkpoint.key);
        t.check(
            signer.tombstone.0,
            &signer.tombstone.1,
            "attribute_not_exists(pk)",
            &[],
            Refused::KeyNotActive,
        )?;
        t.check(
            signer.state.0,
            &signer.state.1,
            "#status = :active",
            &[("active", text(KeyStatus::Active.name()))],
            Refused::KeyNotActive,
        )?;
        t.make(Table::Checkpoints, &Key::new(org.as_str(), sortable(checkpoint.tree_size)), item)?;
        if let Some(reply) = &reply {
            replies::keep(&mut t, reply)?;
        }
        match t.commit().await? {
            Ok(()) => Ok(Sealing::Done),
            Err(Refused::NotAsExpected) => Ok(Sealing::NotNewer),
            Err(Refused::KeyNotActive) => Ok(Sealing::KeyNotActive),
            Err(refused) => Err(refused.into()),
        }
    }
}

#[async_trait]
impl Usage for DynamoStore {
    async fn usage(&self, org: &OrgId, since: &str) -> Result<UsageRecord, StoreError> {
        let mut listed = Vec::new();
        let range = Range { pk: org.as_str(), ..Range::default() };
        self.query(Table::Keys, range, |item| {
            listed.push(item);
            true
        })
        .await?;
        let mut keys: Vec<(KeyStatus, vault::providers::Tier, u64)> = Vec::new();
        for item in listed {
            let row = || Ok((item::parsed(&item, "status")?, rows::tier(&item)?, item::get(&item, "kind")?));
            let (status, tier, kind) = row().map_err(|name| corrupt(None, name))?;
            if kind != KeyKind::User.name() {
                continue;
            }
            match keys.iter_mut().find(|(s, t, _)| (*s, *t) == (status, tier)) {
                Some((_, _, count)) => *count += 1,
                None => keys.push((status, tier, 1)),
            }
        }
        keys.sort_by_key(|(status, tier, _)| (status.name(), *tier));

        let mut days = Vec::new();
        let range = Range { pk: org.as_str(), from: Some(since), ..Range::default() };
        self.query(Table::Usage, range, |item| {
            days.push(item);
            true
        })
        .await?;
        let day = |item: &Item| Ok((item::get(item, "sk")?.to_owned(), item::count(item, "signatures")?));
        let signatures = days.iter().map(day).collect::<Result<_, Corrupt>>();
        Ok(UsageRecord { keys, signatures: signatures.map_err(|name| corrupt(None, name))? })
    }

    async fn last_used(&self, org: &OrgId, keys: &[KeyId]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let wanted: Vec<_> = keys.iter().map(|key| (Table::Usage, use_of(org, key))).collect();
        let found = self.get_many(&wanted).await?;
        let used = wanted
            .iter()
            .map(|key| found.get(key).map(|item| item::moment(item, "last_used_at")).transpose());
        used.collect::<Result<_, _>>().map_err(|name| corrupt(None, name))
    }
}

impl DynamoStore {
    /// Entries by their places, in that order.
    async fn entries_at(&self, org: &OrgId, seqs: &[u64]) -> Result<Vec<Entry>, StoreError> {
        let wanted: Vec<_> = seqs.iter().map(|seq| (Table::Ledger, entry_of(org, *seq))).collect();
        let found = self.get_many_settled(&wanted).await?;
        let entries = wanted.iter().map(|key| entry(found.get(key).ok_or("seq")?));
        entries.collect::<Result<_, _>>().map_err(|name| corrupt(None, name))
    }

    /// The places in a range that a partition names, at most `limit`, and whether there may be more.
    async fn places(
        &self,
        pk: &str,
        places: std::ops::Range<u64>,
        newest_first: bool,
        limit: usize,
    ) -> Result<(Vec<u64>, bool), StoreError> {
        if places.is_empty() {
            return Ok((Vec::new(), false));
        }
        // What names a place stands at the first place of its batch.
        let from = sortable(places.start.saturating_sub(MAX_BATCH as u64));
        let below = sortable(places.end);
        let (mut seqs, mut broken, mut more) = (Vec::new(), None, false);
        let page = Some(limit.clamp(1, 1000));
        let range = Range { pk, from: Some(&from), below: Some(&below), newest_first, page };
        self.query(Table::Ledger, range, |item| {
            match item::counts(&item, "seqs") {
                Ok(mut some) => {
                    if newest_first {
                        some.reverse();
                    }
                    seqs.extend(some.into_iter().filter(|seq| places.contains(seq)));
                }
                Err(name) => broken = Some(name),
            }
            more = seqs.len() >= limit;
            !more && broken.is_none()
        })
        .await?;
        seqs.truncate(limit);
        match broken {
            Some(name) => Err(corrupt(None, name)),
            None => Ok((seqs, more)),
        }
    }
}

pub(crate) fn head_of(org: &OrgId) -> Key {
    Key::alone(format!("{org}#head"))
}

pub(crate) fn entry_of(org: &OrgId, seq: u64) -> Key {
    Key::alone(format!("{org}#entry#{seq}"))
}

pub(crate) fn place_of(org: &OrgId, event: &str) -> Key {
    Key::alone(format!("{org}#place#{event}"))
}

pub(crate) fn tile_of(org: &OrgId, id: TileId) -> Key {
    Key::alone(format!("{org}#tile#{}#{}", id.level, id.index))
}

pub(crate) fn about_type(org: &OrgId, kind: &str) -> String {
    format!("{org}#type#{kind}")
}

/// A key's stands with the rest of its audit. Any other may be of any length, and is hashed to fit a partition key.
pub(crate) fn about_subject(org: &OrgId, subject: &str) -> String {
    match subject.parse() {
        Ok(key) => about_key(org, &key),
        Err(_) => format!("{org}#subject#{}", hex::encode(ledger::sha256(subject.as_bytes()))),
    }
}

pub(crate) fn about_key(org: &OrgId, key: &KeyId) -> String {
    format!("{org}#key#{key}")
}

pub(crate) fn use_of(org: &OrgId, key: &KeyId) -> Key {
    Key::alone(format!("{org}#{key}"))
}

fn head(item: Option<&Item>) -> Result<Head, Corrupt> {
    match item {
        Some(item) => Ok(Head { size: item::count(item, "size")?, hash: item::array(item, "hash")? }),
        None => Ok(Head { size: 0, hash: ledger::NO_ENTRY }),
    }
}

fn entry(item: &Item) -> Result<Entry, Corrupt> {
    let hash = |name| Ok::<_, Corrupt>(hex::encode(item::array::<32>(item, name)?));
    Ok(Entry {
        id: item::get(item, "event_id")?.to_owned(),
        seq: item::count(item, "seq")?,
        prev_hash_hex: hash("prev_hash")?,
        entry_hash_hex: hash("hash")?,
        payload: item::json(item, "payload")?,
        created_at: item::get(item, "created_at")?.to_owned(),
    })
}

fn checkpoint(item: &Item) -> Result<CheckpointRecord, Corrupt> {
    Ok(CheckpointRecord {
        id: item::parsed(item, "id")?,
        tree_size: item::count(item, "tree_size")?,
        root: item::array(item, "root")?,
        signature: item::blob(item, "signature")?.to_vec(),
        key: item::parsed(item, "key_id")?,
        created_at: item::moment(item, "created_at")?,
    })
}
