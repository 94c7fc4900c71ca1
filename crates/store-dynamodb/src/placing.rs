//! A batch of events gets its place: one transaction, on condition that the ledger ends where it did.

use std::collections::BTreeMap;

use async_trait::async_trait;
use vault::{
    Timestamp,
    id::{KeyId, OrgId},
    store::{Batch, Head, Placed, Placing, StoreError, Usage},
};

use crate::{
    DynamoStore, intake,
    item::{Item, bytes, number, set, text, time},
    ledger_tables::{about_key, about_subject, about_type, entry_of, head_of, place_of, tile_of, use_of},
    tables::{Key, Table, sortable},
    transaction::{NOT_THERE, Refused, Transaction},
};

/// A transaction has at most 100 writes. An event is at most five of them (its entry, its place, its end in the intake, what
/// it is about, and its key's use), and one rotation more; a batch has some twenty more: each of ten types, a day or two,
/// tiles at up to five levels, and the head.
///
/// It may grow and never shrink: whoever looks for a place reads from so many before it, where the batch that holds it began.
pub(crate) const MAX_BATCH: usize = 14;

#[async_trait]
impl Placing for DynamoStore {
    fn max_batch(&self) -> usize {
        MAX_BATCH
    }

    async fn append_batch(&self, org: &OrgId, from: &Head, batch: &Batch) -> Result<bool, StoreError> {
        let mut t = Transaction::new(self);
        let ends = [
            ("old_size", number(from.size)),
            ("old_hash", bytes(&from.hash)),
            ("size", number(batch.head.size)),
            ("hash", bytes(&batch.head.hash)),
        ];
        // The first ledger ends before its first entry, where nothing is kept.
        let (condition, values) = if from.size == 0 {
            ("attribute_not_exists(pk)", ends.get(2..).unwrap_or_default())
        } else {
            ("#size = :old_size AND #hash = :old_hash", ends.as_slice())
        };
        let change = "SET #size = :size, #hash = :hash";
        t.update(Table::Ledger, &head_of(org), change, condition, values, Refused::NotAsExpected)?;
        let mut about: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut days: BTreeMap<&str, u64> = BTreeMap::new();
        let mut used: BTreeMap<&KeyId, Timestamp> = BTreeMap::new();
        for placed in &batch.entries {
            let (entry, seq) = (&placed.entry, placed.entry.seq);
            t.make(Table::Ledger, &entry_of(org, seq), item_of(placed)?)?;
            let place = Item::from([("seq".to_owned(), number(seq))]);
            t.replace(Table::Ledger, &place_of(org, &entry.id), place, NOT_THERE, &[], Refused::Placed)?;
            t.delete(
                Table::Intake,
                &intake::place(org.as_str(), &entry.id),
                "",
                &[],
                Refused::NotAsExpected,
            )?;
            about.entry(about_type(org, placed.event_type.name())).or_default().push(seq);
            let subject = placed.subject.as_deref().map(|subject| about_subject(org, subject));
            let keys = placed.keys.iter().map(|key| about_key(org, key));
            for pk in subject.into_iter().chain(keys) {
                let seqs = about.entry(pk).or_default();
                if seqs.last() != Some(&seq) {
                    seqs.push(seq);
                }
            }
            if let Some((day, key, at)) = &placed.signed {
                *days.entry(day).or_default() += 1;
                let last = used.entry(key).or_insert(*at);
                *last = (*last).max(*at);
            }
        }
        for (pk, seqs) in about {
            let first = seqs.first().copied().unwrap_or_default();
            let seqs = seqs.into_iter().map(number).collect();
            let item = Item::from([("seqs".to_owned(), aws_sdk_dynamodb::types::AttributeValue::L(seqs))]);
            t.make(Table::Ledger, &Key::new(pk, sortable(first)), item)?;
        }
        for (id, hashes) in &batch.tiles {
            let tile = Item::from([("hashes".to_owned(), bytes(hashes))]);
            t.put(Table::Ledger, &tile_of(org, *id), tile)?;
        }
        for (day, count) in days {
            let key = Key::new(org.as_str(), day);
            let count = [("count", number(count))];
            t.update(Table::Usage, &key, "ADD #signatures :count", "", &count, Refused::NotAsExpected)?;
        }
        // Who appends is alone with what the ledger ended at, so what is read here is what there is.
        let keys: Vec<KeyId> = used.keys().map(|key| (*key).clone()).collect();
        let known = self.last_used(org, &keys).await?;
        for ((key, at), known) in used.into_iter().zip(known) {
            let latest =
                Item::from([("last_used_at".to_owned(), time(known.map_or(at, |known| known.max(at))))]);
            t.put(Table::Usage, &use_of(org, key), latest)?;
        }
        match t.commit().await? {
            Ok(()) => Ok(true),
            Err(Refused::NotAsExpected) => Ok(false),
            Err(Refused::Placed) => {
                self.leave_intake(org, &batch.entries).await?;
                Ok(false)
            }
            Err(refused) => Err(refused.into()),
        }
    }
}

impl DynamoStore {
    /// Takes out of the intake what has its place: the batch that gave it was still under way when the intake was read, or the
    /// tables were put back to different moments.
    async fn leave_intake(&self, org: &OrgId, entries: &[Placed]) -> Result<(), StoreError> {
        let ids: Vec<&str> = entries.iter().map(|placed| placed.entry.id.as_str()).collect();
        let places: Vec<_> = ids.iter().map(|id| (Table::Ledger, place_of(org, id))).collect();
        let found = self.get_many_settled(&places).await?;
        let mut t = Transaction::new(self);
        for (id, _) in ids.iter().zip(&places).filter(|(_, place)| found.contains_key(place)) {
            t.delete(Table::Intake, &intake::place(org.as_str(), id), "", &[], Refused::NotAsExpected)?;
        }
        Ok(t.commit().await??)
    }
}

fn item_of(placed: &Placed) -> Result<Item, StoreError> {
    let entry = &placed.entry;
    let hash = |hex: &str| hex::decode(hex).map(|hash| bytes(&hash)).map_err(crate::connection::unavailable);
    let mut item = Item::new();
    set(&mut item, "event_id", text(&entry.id));
    set(&mut item, "seq", number(entry.seq));
    set(&mut item, "prev_hash", hash(&entry.prev_hash_hex)?);
    set(&mut item, "hash", hash(&entry.entry_hash_hex)?);
    set(&mut item, "payload", text(entry.payload.as_json().to_canonical()));
    set(&mut item, "created_at", text(&entry.created_at));
    Ok(item)
}
