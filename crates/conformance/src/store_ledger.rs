//! The suite for stores, continued: the ledger.

use futures::future::join_all;
use ledger::{Entry, Event, EventType, NO_ENTRY, TileId, tree::Hash};
use vault::{
    Timestamp,
    id::{CheckpointId, EventId, KeyId, OrgId},
    store::{
        Batch, CheckpointRecord, EntryFilter, Head, KeyKind, KeyStatus, NewOrg, Placed, Sealing, Store,
        Tombstone,
    },
};

use crate::store::{ALL, key, make_org, record, sealed};

pub(crate) async fn all(store: &dyn Store) {
    events_get_their_place_once(store).await;
    a_batch_is_appended_whole_where_the_ledger_ends(store).await;
    entries_are_found_by_what_they_are_about(store).await;
    tiles_read_back_as_they_were_last_written(store).await;
    a_checkpoint_is_newer_and_by_the_active_key(store).await;
    what_is_counted_is_told(store).await;
    organisations_are_walked_in_order(store).await;
}

async fn events_get_their_place_once(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let together = record(&org, 3);
    store.append(together.clone()).await.unwrap();
    assert!(store.waiting(ALL).await.unwrap().contains(&org));
    assert_eq!(store.head(&org).await.unwrap(), Head { size: 0, hash: NO_ENTRY });
    assert_eq!(store.unplaced(&org, 2).await.unwrap().len(), 2, "a limit is kept to");
    let events = store.unplaced(&org, ALL).await.unwrap();
    assert_eq!(events.len(), 5);
    let place = |event: &Event| events.iter().position(|other| other.id == event.id).unwrap();
    assert!(together.events.iter().is_sorted_by_key(place), "what is written together keeps its order");
    let id: EventId = events[0].id.parse().unwrap();
    assert_eq!(store.place(&org, &id).await.unwrap(), None);

    let batch = batch(&Head { size: 0, hash: NO_ENTRY }, &events, &[]);
    assert!(store.append_batch(&org, &Head { size: 0, hash: NO_ENTRY }, &batch).await.unwrap());
    assert!(store.unplaced(&org, ALL).await.unwrap().is_empty());
    assert!(!store.waiting(ALL).await.unwrap().contains(&org));
    assert_eq!(store.head(&org).await.unwrap(), batch.head);
    for (seq, event) in (0..).zip(&events) {
        assert_eq!(store.place(&org, &event.id.parse().unwrap()).await.unwrap(), Some(seq));
    }
    let read = entries(store, &org, EntryFilter { limit: ALL, ..EntryFilter::default() }).await;
    assert_eq!(read, batch.entries.iter().map(|placed| placed.entry.clone()).collect::<Vec<_>>());
}

async fn a_batch_is_appended_whole_where_the_ledger_ends(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let start = Head { size: 0, hash: NO_ENTRY };
    let events = store.unplaced(&org, ALL).await.unwrap();
    let first = batch(&start, &events, &[]);
    let done = join_all((0..8).map(|_| store.append_batch(&org, &start, &first))).await;
    assert_eq!(done.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1, "one of them was first");

    store.append(record(&org, 1)).await.unwrap();
    let more = store.unplaced(&org, ALL).await.unwrap();
    let stale = Head { hash: [1; 32], ..first.head };
    assert!(!store.append_batch(&org, &stale, &batch(&stale, &more, &[])).await.unwrap());
    assert_eq!(store.unplaced(&org, ALL).await.unwrap(), more, "nothing was placed");
    assert!(store.append_batch(&org, &first.head, &batch(&first.head, &more, &[])).await.unwrap());
    assert_eq!(store.head(&org).await.unwrap().size, 3);
}

async fn entries_are_found_by_what_they_are_about(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let subject = KeyId::generate(Timestamp::now()).unwrap();
    let mut new = record(&org, 3);
    for event in &mut new.events {
        event.event_type = EventType::SignatureIssued;
        event.subject_id = Some(subject.to_string());
    }
    store.append(new).await.unwrap();
    let start = Head { size: 0, hash: NO_ENTRY };
    let events = store.unplaced(&org, ALL).await.unwrap();
    let batch = batch(&start, &events, std::slice::from_ref(&subject));
    store.append_batch(&org, &start, &batch).await.unwrap();

    let all = EntryFilter { limit: ALL, ..EntryFilter::default() };
    let by_type = Some(EventType::SignatureIssued);
    let by_subject = Some(subject.to_string());
    for (filter, expected) in [
        (EntryFilter { event_type: by_type, ..all.clone() }, vec![2, 3, 4]),
        (EntryFilter { subject: by_subject.clone(), ..all.clone() }, vec![2, 3, 4]),
        (
            EntryFilter { subject: by_subject.clone(), event_type: by_type, since: 3, ..all.clone() },
            vec![3, 4],
        ),
        (EntryFilter { event_type: Some(EventType::KeyRevoked), ..all.clone() }, vec![]),
        (EntryFilter { since: 1, limit: 2, ..all.clone() }, vec![1, 2]),
        (EntryFilter { since: 5, ..all.clone() }, vec![]),
        (EntryFilter { before: Some(2), ..all.clone() }, vec![0, 1]),
        (EntryFilter { newest_first: true, ..all.clone() }, vec![4, 3, 2, 1, 0]),
        (EntryFilter { newest_first: true, limit: 2, ..all.clone() }, vec![4, 3]),
        (EntryFilter { newest_first: true, before: Some(3), limit: 2, ..all.clone() }, vec![2, 1]),
        (EntryFilter { newest_first: true, since: 3, ..all.clone() }, vec![4, 3]),
        (EntryFilter { newest_first: true, event_type: by_type, limit: 2, ..all.clone() }, vec![4, 3]),
        (EntryFilter { newest_first: true, event_type: by_type, before: Some(4), ..all.clone() }, vec![3, 2]),
        (
            EntryFilter {
                newest_first: true,
                subject: by_subject,
                event_type: by_type,
                before: Some(3),
                ..all.clone()
            },
            vec![2],
        ),
        (EntryFilter { since: 4, before: Some(2), ..all.clone() }, vec![]),
        (
            EntryFilter {
                newest_first: true,
                since: 200,
                before: Some(2),
                event_type: by_type,
                ..all.clone()
            },
            vec![],
        ),
        (EntryFilter { newest_first: true, since: 5, ..all }, vec![]),
    ] {
        let found: Vec<u64> = entries(store, &org, filter.clone()).await.iter().map(|e| e.seq).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    let audit = async |before, limit| -> Vec<u64> {
        let found = store.key_entries(&org, &subject, before, limit).await.unwrap();
        found.iter().map(|entry| entry.seq).collect()
    };
    assert_eq!(audit(None, ALL).await, [4, 3, 2], "newest first");
    assert_eq!(audit(Some(4), 1).await, [3]);
    let stranger = make_org(store).await.org.id;
    assert!(store.key_entries(&stranger, &subject, None, ALL).await.unwrap().is_empty());
}

async fn tiles_read_back_as_they_were_last_written(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let (low, high) = (TileId { level: 0, index: 0 }, TileId { level: 1, index: 0 });
    let mut head = Head { size: 0, hash: NO_ENTRY };
    for round in 1..=2_u8 {
        store.append(record(&org, 1)).await.unwrap();
        let events = store.unplaced(&org, ALL).await.unwrap();
        let mut batch = batch(&head, &events, &[]);
        batch.tiles = vec![(low, vec![round; 32 * usize::from(round)]), (high, vec![9; 8192])];
        assert!(store.append_batch(&org, &head, &batch).await.unwrap());
        head = batch.head;
    }
    let missing = TileId { level: 2, index: 0 };
    let mut read = store.tiles(&org, &[high, missing, low]).await.unwrap();
    read.sort();
    assert_eq!(read, [(low, vec![2; 64]), (high, vec![9; 8192])]);
}

async fn a_checkpoint_is_newer_and_by_the_active_key(store: &dyn Store) {
    let new = make_org(store).await;
    let org = &new.org.id;
    assert!(store.checkpoints(org, None, ALL).await.unwrap().is_empty());
    let sizes = [2, 5, 9];
    for size in sizes {
        let checkpoint = checkpoint(&new, size);
        assert_eq!(store.seal(org, &checkpoint, None).await.unwrap(), Sealing::Done);
        assert_eq!(store.checkpoints(org, None, 1).await.unwrap(), [checkpoint]);
    }
    for size in [1, 9] {
        assert_eq!(store.seal(org, &checkpoint(&new, size), None).await.unwrap(), Sealing::NotNewer);
    }
    let listed = async |below, limit| -> Vec<u64> {
        let found = store.checkpoints(org, below, limit).await.unwrap();
        found.iter().map(|checkpoint| checkpoint.tree_size).collect()
    };
    assert_eq!(listed(None, ALL).await, [9, 5, 2], "newest first");
    assert_eq!(listed(Some(9), 1).await, [5]);

    let gone = Tombstone {
        org: org.clone(),
        key: new.ledger_key.id.clone(),
        fingerprint: String::new(),
        revoked_at: Timestamp::now(),
    };
    store.revoke(&gone, record(org, 1)).await.unwrap();
    assert_eq!(store.seal(org, &checkpoint(&new, 10), None).await.unwrap(), Sealing::KeyNotActive);
}

async fn what_is_counted_is_told(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let (used, unused) = (key(&org, KeyKind::User, "used"), key(&org, KeyKind::User, "unused"));
    for key in [&used, &unused] {
        store.create(key, &sealed(1), record(&org, 1)).await.unwrap();
    }
    let days = [("2026-01-01", 1_000), ("2026-01-02", 3_000), ("2026-01-02", 2_000)];
    store.append(record(&org, days.len())).await.unwrap();
    let start = Head { size: 0, hash: NO_ENTRY };
    let events = store.unplaced(&org, ALL).await.unwrap();
    let mut batch = batch(&start, &events, &[]);
    for (placed, (day, millis)) in batch.entries.iter_mut().zip(days) {
        placed.signed = Some((day.into(), used.id.clone(), Timestamp::from_millis(millis).unwrap()));
    }
    store.append_batch(&org, &start, &batch).await.unwrap();
    let counted = store.usage(&org, "2026-01-01").await.unwrap();
    assert_eq!(counted.signatures, [("2026-01-01".into(), 1), ("2026-01-02".into(), 2)]);
    assert_eq!(counted.keys, [(KeyStatus::Active, used.tier, 2)], "the ledger's key is not counted");
    assert_eq!(store.usage(&org, "2026-01-02").await.unwrap().signatures.len(), 1);
    let last = store.last_used(&org, &[unused.id, used.id]).await.unwrap();
    assert_eq!(last, [None, Timestamp::from_millis(3_000)], "the latest, whatever came last");
}

async fn organisations_are_walked_in_order(store: &dyn Store) {
    for _ in 0..3 {
        make_org(store).await;
    }
    let whole = store.orgs(None, ALL).await.unwrap();
    assert!(whole.is_sorted() && whole.len() >= 3);
    let mut walked: Vec<OrgId> = Vec::new();
    loop {
        let page = store.orgs(walked.last(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        walked.extend(page);
    }
    assert_eq!(walked, whole);
}

async fn entries(store: &dyn Store, org: &OrgId, filter: EntryFilter) -> Vec<Entry> {
    store.entries(org, &filter).await.unwrap()
}

fn batch(from: &Head, events: &[Event], keys: &[KeyId]) -> Batch {
    let mut previous: Hash = from.hash;
    let mut entries = Vec::new();
    for (seq, event) in (from.size..).zip(events) {
        let (entry, hash) = Entry::place(event, seq, &previous);
        previous = hash;
        let subject = event.subject_id.clone();
        let keys = keys.iter().filter(|key| subject.as_deref() == Some(key.as_str())).cloned().collect();
        entries.push(Placed { entry, event_type: event.event_type, subject, keys, signed: None });
    }
    let size = from.size + events.len() as u64;
    Batch { entries, tiles: Vec::new(), head: Head { size, hash: previous } }
}

fn checkpoint(org: &NewOrg, tree_size: u64) -> CheckpointRecord {
    let now = Timestamp::now();
    CheckpointRecord {
        id: CheckpointId::generate(now).unwrap(),
        tree_size,
        root: [3; 32],
        signature: vec![4; 3373],
        key: org.ledger_key.id.clone(),
        created_at: now,
    }
}
