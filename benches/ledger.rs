//! The ledger as it grows from a thousand entries to a million: placing and sealing what is new, proving an entry, and checking a
//! bundle of a hundred thousand entries. `cargo xtask bench-ledger` runs it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a measurement fails by panicking, and prints what it measured"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use custody_local::{EnvKek, Kek};
use ledger::{Bundle, BundleVerifier, Entry, Event, EventType, Json, Pins, TileId};
use serde_json::json;
use store_sqlite::SqliteStore;
use vault::{
    Timestamp,
    caller::{Caller, Environment, Scope},
    custody::Custody,
    id::{EventId, KeyId, OrgId, TokenId},
    ledger_access::{LedgerAccess, Timer},
    ops::{create_org, read_ledger, seal_ledger},
    sequencing::Sequencer,
    store::{CheckpointRecord, EntryFilter, EventWrites, Head, LedgerReads, Record, StoreError},
};

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Events between two checkpoints.
const NEW: usize = 100;
const ROUNDS: usize = 15;
/// Entries of the bundle that is checked.
const BUNDLE: usize = 100_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&dir.path().join("vault.db")).unwrap());
    let kek = Kek::generate().unwrap().expose_base64().to_string();
    let custody = Arc::new(custody_local::custody(EnvKek::from_variables(Some(&kek), None).unwrap()));
    let ports = create_org::Ports { custody: custody.clone(), writes: store.clone() };
    let request = create_org::Request { name: "bench".into(), environment: Environment::Test, token: None };
    let org = create_org::create_org(&ports, request).await.unwrap().org;
    let counted = Arc::new(Counted { store: store.clone(), items: AtomicUsize::new(0) });
    let bench =
        Bench { sealer: sealer(&store, &custody), access: access(&store, &custody, &counted), store, org };

    // For measuring another verifier: the pages of one ledger, one JSON document a line.
    if let Ok(path) = std::env::var("POSTQ_BENCH_PAGES") {
        bench.fill(BUNDLE).await;
        let pages = bench.pages(bench.sealed().await, 1_000).await;
        std::fs::write(path, pages.join(&b'\n')).unwrap();
        return;
    }
    println!("| entries | place {NEW}, ms | seal, ms | proof, ms | items read |\n|---|---|---|---|---|");
    for size in SIZES {
        bench.fill(size).await;
        let (mut place, mut seal, mut proof, mut items) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for round in 0..ROUNDS {
            bench.append(NEW).await;
            place.push(timed(bench.access.sequencer.sequence(&bench.org)).await.1);
            seal.push(timed(seal_ledger::seal_ledger(&bench.sealer, &bench.org, None)).await.1);
            let at = (size as u64).wrapping_mul(round as u64 * 2 + 1) / (2 * ROUNDS as u64);
            let filter = EntryFilter { since: at, limit: 1, ..EntryFilter::default() };
            let id = bench.store.entries(&bench.org, &filter).await.unwrap().pop().unwrap().id;
            counted.items.store(0, Ordering::SeqCst);
            let ports = read_ledger::Ports { access: bench.access.clone() };
            proof.push(timed(read_ledger::proof(&ports, &bench.caller(), &id)).await.1);
            items = items.max(counted.items.load(Ordering::SeqCst));
        }
        println!("| {size} | {} | {} | {} | {items} |", median(place), median(seal), median(proof));
        if size == BUNDLE {
            bench.check_bundle(size).await;
        }
    }
}

struct Bench {
    store: Arc<SqliteStore>,
    org: OrgId,
    sealer: seal_ledger::Ports,
    access: LedgerAccess,
}

impl Bench {
    fn caller(&self) -> Caller {
        let token = TokenId::generate(Timestamp::now()).unwrap();
        Caller { org: self.org.clone(), token, scopes: Scope::ALL.to_vec(), lines: None }
    }

    async fn append(&self, count: usize) {
        let now = Timestamp::now();
        let data: Json = serde_json::from_value(json!({
            "algorithm": "mldsa65+ed25519", "contextBase64": "", "fingerprint": "00".repeat(32),
            "keyId": "key_01h00000000000000000000000", "metadata": {}, "payloadSha256": "11".repeat(32),
            "payloadSize": 5, "ph": "22".repeat(64), "phAlg": "sha512", "signatureSha256": "33".repeat(32),
        }))
        .unwrap();
        let event = |_| Event {
            id: EventId::generate(now).unwrap().to_string(),
            org: self.org.to_string(),
            event_type: EventType::SignatureIssued,
            actor_id: "apk_01h00000000000000000000000".into(),
            subject_id: Some("key_01h00000000000000000000000".into()),
            issued_at: now.to_string(),
            data: data.clone(),
        };
        let record = Record { events: (0..count).map(event).collect(), reply: None };
        self.store.append(record).await.unwrap();
    }

    async fn fill(&self, size: usize) {
        loop {
            let has = self.access.sequencer.sequence(&self.org).await.unwrap().size as usize;
            if has + ROUNDS * NEW >= size {
                break;
            }
            self.append((size - has - ROUNDS * NEW).clamp(1, 5_000)).await;
        }
        seal_ledger::seal_ledger(&self.sealer, &self.org, None).await.unwrap();
    }

    /// Fills up to a bundle's size and seals.
    async fn sealed(&self) -> usize {
        self.append(ROUNDS * NEW).await;
        self.access.sequencer.sequence(&self.org).await.unwrap();
        seal_ledger::seal_ledger(&self.sealer, &self.org, None).await.unwrap();
        BUNDLE
    }

    async fn pages(&self, size: usize, limit: u32) -> Vec<Vec<u8>> {
        let ports = read_ledger::Ports { access: self.access.clone() };
        let mut pages = Vec::new();
        let mut since = 0;
        while since < size as u64 {
            let request = read_ledger::BundleRequest { since: Some(since), limit: Some(limit) };
            let page = read_ledger::bundle(&ports, &self.caller(), &request).await.unwrap();
            since = page.range.as_ref().unwrap().until + 1;
            pages.push(serde_json::to_vec(&page).unwrap());
        }
        pages
    }

    async fn check_bundle(&self, size: usize) {
        let pages = self.pages(size, 5_000).await;
        let bytes: usize = pages.iter().map(Vec::len).sum();
        let mut times = Vec::new();
        for _ in 0..5 {
            let begun = Instant::now();
            let parsed: Vec<Bundle> =
                pages.iter().map(|page| serde_json::from_slice(page).unwrap()).collect();
            let parse = begun.elapsed();
            let begun = Instant::now();
            let mut verifier = BundleVerifier::new(Pins::default());
            for page in &parsed {
                verifier.page(page).unwrap();
            }
            let entries = verifier.finish().unwrap().entries;
            times.push((begun.elapsed(), parse, entries));
        }
        times.sort();
        let (check, parse, entries) = times.get(2).unwrap();
        println!(
            "\n{entries} entries in {} pages of {} MB: checked in {:.2} s, parsed in {:.2} s\n",
            pages.len(),
            bytes / 1_000_000,
            check.as_secs_f64(),
            parse.as_secs_f64()
        );
    }
}

/// Counts the stored items that are read.
struct Counted {
    store: Arc<SqliteStore>,
    items: AtomicUsize,
}

impl Counted {
    fn count(&self, items: usize) {
        self.items.fetch_add(items, Ordering::SeqCst);
    }
}

#[async_trait]
impl LedgerReads for Counted {
    async fn head(&self, org: &OrgId) -> Result<Head, StoreError> {
        self.count(1);
        self.store.head(org).await
    }

    async fn place(&self, org: &OrgId, event: &EventId) -> Result<Option<u64>, StoreError> {
        self.count(1);
        self.store.place(org, event).await
    }

    async fn entries(&self, org: &OrgId, filter: &EntryFilter) -> Result<Vec<Entry>, StoreError> {
        let found = self.store.entries(org, filter).await?;
        self.count(found.len());
        Ok(found)
    }

    async fn key_entries(
        &self,
        org: &OrgId,
        key: &KeyId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let found = self.store.key_entries(org, key, before, limit).await?;
        self.count(found.len());
        Ok(found)
    }

    async fn tiles(&self, org: &OrgId, ids: &[TileId]) -> Result<Vec<(TileId, Vec<u8>)>, StoreError> {
        let found = self.store.tiles(org, ids).await?;
        self.count(found.len());
        Ok(found)
    }

    async fn checkpoints(
        &self,
        org: &OrgId,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<CheckpointRecord>, StoreError> {
        let found = self.store.checkpoints(org, below, limit).await?;
        self.count(found.len());
        Ok(found)
    }
}

fn sealer(store: &Arc<SqliteStore>, custody: &Arc<Custody>) -> seal_ledger::Ports {
    seal_ledger::Ports {
        orgs: store.clone(),
        keys: store.clone(),
        sealed: store.clone(),
        custody: custody.clone(),
        sequencer: Sequencer { intake: store.clone(), ledger: store.clone(), placing: store.clone() },
        checkpoints: store.clone(),
        timer: Arc::new(Impatient),
        replies: store.clone(),
        events: store.clone(),
    }
}

fn access(store: &Arc<SqliteStore>, custody: &Arc<Custody>, counted: &Arc<Counted>) -> LedgerAccess {
    LedgerAccess {
        orgs: store.clone(),
        keys: store.clone(),
        lines: store.clone(),
        sequencer: Sequencer { intake: store.clone(), ledger: counted.clone(), placing: store.clone() },
        sealer: Arc::new(sealer(store, custody)),
    }
}

/// Does not wait for the second between two checkpoints.
struct Impatient;

#[async_trait]
impl Timer for Impatient {
    async fn sleep(&self, _: Duration) {}
}

async fn timed<T, E: std::fmt::Debug>(work: impl Future<Output = Result<T, E>>) -> (T, Duration) {
    let begun = Instant::now();
    (work.await.unwrap(), begun.elapsed())
}

fn median(mut times: Vec<Duration>) -> String {
    times.sort();
    format!("{:.2}", times.get(times.len() / 2).unwrap().as_secs_f64() * 1e3)
}
