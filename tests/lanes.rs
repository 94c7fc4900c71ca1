//! The order of the ledger over an intake that is spread over lanes, which are read one after the other: a signature that was
//! released before a revocation began never stands after it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use ledger::{Entry, Event, EventType, Json, NO_ENTRY, TileId};
use vault::{
    id::{EventId, KeyId, OrgId},
    sequencing::Sequencer,
    store::{Batch, CheckpointRecord, EntryFilter, Head, Intake, LedgerReads, Placing, StoreError},
};

use crate::rounds::{Dice, rounds, seeds};

/// A store of one organisation's ledger whose reads of the intake are no moment in time.
struct Lanes {
    lanes: Vec<Mutex<Vec<Event>>>,
    ledger: Mutex<Placed>,
    dice: Mutex<Dice>,
}

struct Placed {
    head: Head,
    entries: Vec<Entry>,
    tiles: BTreeMap<TileId, Vec<u8>>,
    ids: BTreeSet<String>,
}

impl Lanes {
    fn new(dice: Dice) -> Self {
        Self {
            lanes: (0..4).map(|_| Mutex::new(Vec::new())).collect(),
            ledger: Mutex::new(Placed {
                head: Head { size: 0, hash: NO_ENTRY },
                entries: Vec::new(),
                tiles: BTreeMap::new(),
                ids: BTreeSet::new(),
            }),
            dice: Mutex::new(dice),
        }
    }

    /// Lets others go on, for a while that the seed decides.
    async fn pause(&self) {
        let turns = self.dice.lock().unwrap().roll(4);
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    fn commit(&self, event: Event) {
        let lane = self.dice.lock().unwrap().roll(self.lanes.len() as u64);
        self.lanes[usize::try_from(lane).unwrap()].lock().unwrap().push(event);
    }
}

#[async_trait]
impl Intake for Lanes {
    async fn waiting(&self, _: usize) -> Result<Vec<OrgId>, StoreError> {
        unreachable!("nobody looks for organisations here")
    }

    async fn unplaced(&self, _: &OrgId, limit: usize) -> Result<Vec<Event>, StoreError> {
        let placed = self.ledger.lock().unwrap().ids.clone();
        let mut found = Vec::new();
        for lane in &self.lanes {
            found.extend(lane.lock().unwrap().iter().filter(|event| !placed.contains(&event.id)).cloned());
            self.pause().await;
        }
        found.truncate(limit);
        Ok(found)
    }
}

#[async_trait]
impl LedgerReads for Lanes {
    async fn head(&self, _: &OrgId) -> Result<Head, StoreError> {
        self.pause().await;
        Ok(self.ledger.lock().unwrap().head)
    }

    async fn tiles(&self, _: &OrgId, ids: &[TileId]) -> Result<Vec<(TileId, Vec<u8>)>, StoreError> {
        self.pause().await;
        let ledger = self.ledger.lock().unwrap();
        Ok(ids.iter().filter_map(|id| Some((*id, ledger.tiles.get(id)?.clone()))).collect())
    }

    async fn place(&self, _: &OrgId, _: &EventId) -> Result<Option<u64>, StoreError> {
        unreachable!("sequencing asks for no place")
    }

    async fn entries(&self, _: &OrgId, _: &EntryFilter) -> Result<Vec<Entry>, StoreError> {
        unreachable!("sequencing reads no entries")
    }

    async fn key_entries(
        &self,
        _: &OrgId,
        _: &KeyId,
        _: Option<u64>,
        _: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        unreachable!("sequencing reads no audit")
    }

    async fn checkpoints(
        &self,
        _: &OrgId,
        _: Option<u64>,
        _: usize,
    ) -> Result<Vec<CheckpointRecord>, StoreError> {
        unreachable!("sequencing reads no checkpoints")
    }
}

#[async_trait]
impl Placing for Lanes {
    fn max_batch(&self) -> usize {
        5
    }

    async fn append_batch(&self, _: &OrgId, from: &Head, batch: &Batch) -> Result<bool, StoreError> {
        self.pause().await;
        let mut ledger = self.ledger.lock().unwrap();
        if ledger.head != *from {
            return Ok(false);
        }
        for placed in &batch.entries {
            assert!(ledger.ids.insert(placed.entry.id.clone()), "an event was placed twice");
            ledger.entries.push(placed.entry.clone());
        }
        ledger.tiles.extend(batch.tiles.iter().cloned());
        ledger.head = batch.head;
        Ok(true)
    }
}

/// Who gives places: the vault's sequencer, or one that takes what a single read finds, in its order.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    Ours,
    Naive,
}

/// Signers, a revocation and sequencers at once; tells which released signatures stand after the revocation.
async fn run(seed: u64, who: Who) -> usize {
    let org: OrgId = "org_01h00000000000000000000000".parse().unwrap();
    let key = "key_01h00000000000000000000000";
    let mut dice = Dice::new(seed);
    let lanes = Arc::new(Lanes::new(Dice::new(dice.next())));
    let revoked = Arc::new(Mutex::new(false));
    let released = Arc::new(Mutex::new(Vec::new()));
    let event = |n: u64, event_type: EventType| Event {
        id: format!("evt_{n:026}"),
        org: "org_01h00000000000000000000000".into(),
        event_type,
        actor_id: "apk_1".into(),
        subject_id: Some(key.into()),
        issued_at: "2026-01-01T00:00:00.000Z".into(),
        data: Json::object([]),
    };
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..24 {
        let (lanes, revoked, released) = (lanes.clone(), revoked.clone(), released.clone());
        let event = event(n, EventType::SignatureIssued);
        let wait = dice.roll(40);
        tasks.spawn(async move {
            for _ in 0..wait {
                tokio::task::yield_now().await;
            }
            let id = event.id.clone();
            lanes.commit(event);
            lanes.pause().await;
            // The status is read after the commit, and then the signature leaves.
            if !*revoked.lock().unwrap() {
                released.lock().unwrap().push(id);
            }
        });
    }
    let wait = dice.roll(40);
    let (end, lanes_of_revoker) = (event(100, EventType::KeyRevoked), lanes.clone());
    tasks.spawn(async move {
        for _ in 0..wait {
            tokio::task::yield_now().await;
        }
        // One transaction: the status and the event.
        let mut status = revoked.lock().unwrap();
        lanes_of_revoker.commit(end);
        *status = true;
    });
    for _ in 0..3 {
        let (lanes, org) = (lanes.clone(), org.clone());
        tasks.spawn(async move {
            for _ in 0..12 {
                sequence(&lanes, &org, who).await;
                lanes.pause().await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    sequence(&lanes, &org, who).await;

    let ledger = lanes.ledger.lock().unwrap();
    assert_eq!(ledger.entries.len(), 25, "seed {seed}: every event has one place");
    let mut previous = NO_ENTRY;
    for (seq, entry) in (0..).zip(&ledger.entries) {
        previous = entry.check_at(org.as_str(), seq, &previous).unwrap().1;
    }
    let end = ledger.entries.iter().position(|entry| entry.id.ends_with("100")).unwrap();
    let after: BTreeSet<&String> = ledger.entries[end..].iter().map(|entry| &entry.id).collect();
    released.lock().unwrap().iter().filter(|id| after.contains(id)).count()
}

async fn sequence(lanes: &Arc<Lanes>, org: &OrgId, who: Who) {
    let sequencer = Sequencer { intake: lanes.clone(), ledger: lanes.clone(), placing: lanes.clone() };
    if who == Who::Ours {
        sequencer.sequence(org).await.unwrap();
        return;
    }
    loop {
        let head = lanes.head(org).await.unwrap();
        let events = lanes.unplaced(org, usize::MAX).await.unwrap();
        if events.is_empty() {
            return;
        }
        let (mut previous, mut entries) = (head.hash, Vec::new());
        for (seq, event) in (head.size..).zip(&events) {
            let (entry, hash) = Entry::place(event, seq, &previous);
            previous = hash;
            entries.push(vault::store::Placed {
                entry,
                event_type: event.event_type,
                subject: None,
                keys: Vec::new(),
                signed: None,
            });
        }
        let head_after = Head { size: head.size + events.len() as u64, hash: previous };
        let batch = Batch { entries, tiles: Vec::new(), head: head_after };
        lanes.append_batch(org, &head, &batch).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_released_before_a_revocation_never_stands_after_it() {
    let mut naive = 0;
    for seed in seeds(rounds(20_000)) {
        let after = run(seed, Who::Ours).await;
        assert_eq!(after, 0, "POSTQ_TEST_SEED={seed} runs it again");
        naive += run(seed, Who::Naive).await;
    }
    let one_seed = std::env::var("POSTQ_TEST_SEED").is_ok();
    assert!(naive > 0 || one_seed, "the lanes put nobody to the test");
}
