//! Whatever the store does, at whichever of its calls: nothing is released unlogged, nothing acknowledged is lost, no gap, no
//! fork, no double effect, and nothing that was withheld leaves later.
//!
//! Sixteen callers work at once over a store that fails before or after a call, delays it, or never answers again, as a
//! process does that was killed. Every caller retries what it was not answered, with the same idempotency key, as a client
//! does. A seed decides what each caller does and which of its calls fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use http_body_util::BodyExt;
use ledger::{EventType, Json, Pins};
use serde_json::{Value, json};
use tower::ServiceExt;
use vault::store::{SealedRecord, Store, StoreError};

use crate::{
    in_process::Vault,
    interposed::{Interposed, Interposer, down},
    local_dynamodb::Faults,
    rounds::{Dice, rounds, seeds},
};

const CALLERS: u64 = 16;
const KEYS: usize = 4;

tokio::task_local! {
    /// The dice of the caller in whose name the store is called.
    static DICE: Mutex<Dice>;
}

/// What stands between one life of the process and its store.
struct Chaos {
    dead: AtomicBool,
    /// One call in so many goes wrong; none where it is 0.
    odds: u64,
}

impl Chaos {
    async fn strike(&self) -> Result<(), StoreError> {
        if self.dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let Ok((goes_wrong, how)) = DICE.try_with(|dice| {
            (self.odds > 0 && dice.lock().unwrap().roll(self.odds) == 0, dice.lock().unwrap().roll(8))
        }) else {
            return Ok(());
        };
        match how {
            _ if !goes_wrong => Ok(()),
            0 => {
                // Killed: whatever is under way never comes back, for any caller.
                self.dead.store(true, Ordering::SeqCst);
                std::future::pending().await
            }
            1..=3 => {
                for _ in 0..how * 3 {
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            4 => {
                tokio::time::sleep(Duration::from_millis(2)).await;
                Ok(())
            }
            _ => Err(down()),
        }
    }
}

#[async_trait]
impl Interposer for Chaos {
    async fn before(&self, _: &'static str) -> Result<(), StoreError> {
        self.strike().await
    }

    async fn after(&self, _: &'static str) -> Result<(), StoreError> {
        self.strike().await
    }
}

/// What a caller was told.
#[derive(Default)]
struct Told {
    /// Of every signature that was released: the step, when it was asked for, when it came, and the answer's data.
    signatures: Vec<(String, u64, u64, Value)>,
    /// Bodies by idempotency key.
    bodies: BTreeMap<String, BTreeSet<String>>,
    /// Keys whose revocation was acknowledged, and when it was asked for and told.
    revoked: BTreeMap<String, (u64, u64)>,
    /// Events that were acknowledged by their ids.
    events: BTreeSet<String>,
}

/// What a caller wants done, and goes on wanting until it is answered.
#[derive(Clone)]
struct Step {
    name: String,
    method: &'static str,
    path: String,
    body: Value,
}

fn steps(seed: u64, caller: u64, keys: &[String]) -> Vec<Step> {
    let mut dice = Dice::new(seed.wrapping_mul(1000).wrapping_add(caller));
    let count = 4 + dice.roll(3);
    (0..count)
        .map(|n| {
            let name = format!("{caller}-{n}");
            let key = &keys[usize::try_from(dice.roll(keys.len() as u64)).unwrap()];
            let (method, path, body) = match dice.roll(20) {
                0 => ("DELETE", format!("/v1/hybrid-keys/{key}"), Value::Null),
                1 => ("POST", format!("/v1/hybrid-keys/{key}/rotate"), json!({})),
                2 => ("POST", "/v1/ledger/entries".into(), json!({"name": name})),
                3 => ("POST", "/v1/hybrid-keys".into(), json!({"name": name, "algorithm": "mldsa44+ed25519"})),
                4 => ("GET", format!("/v1/hybrid-keys/{key}/audit"), Value::Null),
                5 => ("GET", "/v1/ledger/entries".into(), Value::Null),
                _ => (
                    "POST",
                    "/v1/sign".into(),
                    json!({"keyId": key, "payload": "aGVsbG8=", "metadata": {"step": name}, "followSuccessor": true}),
                ),
            };
            Step { name, method, path, body }
        })
        .collect()
}

struct World {
    vault: Vault,
    clock: AtomicU64,
    told: Mutex<Told>,
}

impl World {
    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Calls once. `true` once there is an answer that settles the step.
    async fn try_once(&self, app: &Router, step: &Step) -> bool {
        let begun = self.now();
        let mut request = Request::builder()
            .method(step.method)
            .uri(&step.path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.vault.token));
        let body = if step.method == "POST" {
            request = request
                .header(header::CONTENT_TYPE, "application/json")
                .header("idempotency-key", format!("step-{}", step.name));
            Body::from(step.body.to_string())
        } else {
            Body::empty()
        };
        let (parts, body) = app.clone().oneshot(request.body(body).unwrap()).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let status = parts.status.as_u16();
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        if !(200..300).contains(&status) {
            assert!(body["data"].is_null(), "a refusal carries nothing: {body}");
            let code = body["code"].as_str().unwrap();
            return match (status, code) {
                (503, "store_unavailable") | (409, "idempotency_in_progress") => false,
                (409, "key_revoked" | "key_superseded") => true,
                other => panic!("{other:?}: {body}"),
            };
        }
        let ended = self.now();
        let mut told = self.told.lock().unwrap();
        if step.method == "POST" {
            told.bodies
                .entry(step.name.clone())
                .or_default()
                .insert(String::from_utf8(bytes.to_vec()).unwrap());
        }
        match (step.method, step.path.as_str()) {
            (_, "/v1/sign") => {
                told.events.insert(body["data"]["eventId"].as_str().unwrap().to_owned());
                told.signatures.push((step.name.clone(), begun, ended, body["data"].clone()));
            }
            ("POST", "/v1/ledger/entries") => {
                told.events.insert(body["data"]["id"].as_str().unwrap().to_owned());
            }
            ("DELETE", _) => {
                let key = body["data"]["id"].as_str().unwrap().to_owned();
                told.revoked.entry(key).or_insert((begun, ended));
            }
            _ => {}
        }
        true
    }
}

/// Lives until every step is settled; a life ends when the store is told to die, and the next one goes on.
async fn run(seed: u64, vault: Vault, way: impl Fn(&Vault, u64) -> Arc<dyn Store>) {
    let mut keys = Vec::new();
    for n in 0..KEYS {
        let body =
            json!({"name": format!("key {n}"), "algorithm": "mldsa44+ed25519", "allowFollow": n % 2 == 0});
        keys.push(vault.post("/v1/hybrid-keys", body).await["id"].as_str().unwrap().to_owned());
    }
    let world = Arc::new(World { vault, clock: AtomicU64::new(0), told: Mutex::default() });
    let mut todo: Vec<Vec<Step>> = (0..CALLERS).map(|caller| steps(seed, caller, &keys)).collect();
    for life in 0_u64.. {
        assert!(life < 20, "seed {seed}: it never comes to its end");
        let odds = if life < 4 { 12 + life * 10 } else { 0 };
        let chaos = Arc::new(Chaos { dead: AtomicBool::new(false), odds });
        let store = Interposed::over(way(&world.vault, odds), chaos.clone());
        let app = server::app(&store, &world.vault.custody, &[]);
        let settled = Arc::new(Mutex::new(vec![0; todo.len()]));
        let mut callers = tokio::task::JoinSet::new();
        for (caller, steps) in todo.iter().cloned().enumerate() {
            let (world, app, settled) = (world.clone(), app.clone(), settled.clone());
            let dice = Dice::new(seed ^ (life << 32) ^ ((caller as u64) << 48));
            callers.spawn(DICE.scope(Mutex::new(dice), async move {
                for step in steps {
                    let mut tries = 0;
                    while !world.try_once(&app, &step).await {
                        tries += 1;
                        if tries > 8 {
                            // A client that has had enough for now asks again in the next life.
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                    settled.lock().unwrap()[caller] += 1;
                }
            }));
        }
        // Either all come to their end, or the process is killed and nothing of it goes on.
        loop {
            tokio::select! {
                done = callers.join_next() => match done {
                    Some(done) => done.unwrap(),
                    None => break,
                },
                () = tokio::time::sleep(Duration::from_millis(5)) => {
                    if chaos.dead.load(Ordering::SeqCst) {
                        callers.shutdown().await;
                        break;
                    }
                }
            }
        }
        for (steps, settled) in todo.iter_mut().zip(settled.lock().unwrap().iter()) {
            steps.drain(..settled);
        }
        if todo.iter().all(Vec::is_empty) {
            break;
        }
        // The leases of the dead end by themselves, in a minute that is not waited for here.
        world.vault.end_leases().await;
    }
    judge(seed, &world).await;
}

async fn judge(seed: u64, world: &World) {
    let vault = &world.vault;
    vault.post("/v1/ledger/seal", json!({})).await;
    let bundle: ledger::Bundle = serde_json::from_value(vault.get("/v1/ledger/bundle").await).unwrap();
    let verified = bundle.check(&Pins::default()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    assert!(verified.complete, "seed {seed}: no gap and no fork");
    let events = vault.events().await;
    let places: BTreeMap<&str, usize> =
        events.iter().enumerate().map(|(at, event)| (event.id.as_str(), at)).collect();
    assert_eq!(places.len(), events.len(), "seed {seed}: every event once");

    let told = std::mem::take(&mut *world.told.lock().unwrap());
    for event in &told.events {
        assert!(places.contains_key(event.as_str()), "seed {seed}: {event} was acknowledged and is lost");
    }
    for (name, bodies) in &told.bodies {
        assert_eq!(bodies.len(), 1, "seed {seed}: {name} was answered in two ways");
    }
    // One effect for each key of a caller's choosing.
    let mut effects: BTreeMap<String, usize> = BTreeMap::new();
    for event in &events {
        let name = match event.event_type {
            EventType::SignatureIssued => event
                .data
                .get("metadata")
                .and_then(|noted| noted.get("step")?.as_str())
                .map(|step| format!("sign {step}")),
            EventType::Custom => {
                event.data.get("name").and_then(Json::as_str).map(|name| format!("append {name}"))
            }
            _ => None,
        };
        if let Some(name) = name {
            *effects.entry(name).or_default() += 1;
        }
    }
    for (name, count) in &effects {
        assert_eq!(*count, 1, "seed {seed}: {name} had {count} effects");
    }
    let named: BTreeSet<String> = vault
        .get("/v1/hybrid-keys?includeRevoked=true&limit=100")
        .await
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["predecessorId"].is_null())
        .map(|key| key["name"].as_str().unwrap().to_owned())
        .collect();
    let created = events.iter().filter(|event| event.event_type == EventType::KeyCreated).count();
    assert_eq!(created, named.len() + 1, "seed {seed}: a key was made twice");

    let withheld: BTreeSet<&str> = events
        .iter()
        .filter(|event| event.event_type == EventType::SignatureWithheld)
        .map(|event| event.data.get("eventId").and_then(Json::as_str).unwrap())
        .collect();
    for (name, begun, ended, data) in &told.signatures {
        let id = data["eventId"].as_str().unwrap();
        let event = &events[places[id]];
        assert_eq!(hex::encode(event.derive_digest()), data["eventDigest"], "seed {seed}: {name}");
        let signature = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            data["signature"].as_str().unwrap(),
        );
        let digest = hex::encode(ledger::sha256(&signature.unwrap()));
        assert_eq!(
            event.data.get("signatureSha256").and_then(Json::as_str),
            Some(digest.as_str()),
            "seed {seed}: {name} was released unlogged"
        );
        assert!(!withheld.contains(id), "seed {seed}: {name} was withheld, and left");
        let key = data["keyId"].as_str().unwrap();
        if let Some((asked, acknowledged)) = told.revoked.get(key) {
            assert!(begun < acknowledged, "seed {seed}: {name} left after the revocation of {key}");
            let end = events
                .iter()
                .position(|e| e.event_type == EventType::KeyRevoked && e.subject_id.as_deref() == Some(key))
                .unwrap();
            assert!(ended > asked || places[id] < end, "seed {seed}: {name} stands after the revocation");
        }
    }
    for key in told.revoked.keys() {
        let id = key.parse().unwrap();
        let record = vault.store.key(&vault.org, &id).await.unwrap().unwrap();
        assert_eq!(record.status, vault::store::KeyStatus::Revoked, "seed {seed}: {key} came back");
        assert_eq!((record.kek, record.tag), (None, None));
        assert_eq!(vault.store.sealed(&vault.org, &id).await.unwrap(), SealedRecord::default());
        let answer = vault.sign(key).await.1;
        assert!(answer["data"].is_null(), "seed {seed}: {key} signs");
        let tombstones = events
            .iter()
            .filter(|e| e.event_type == EventType::KeyRevoked && e.subject_id.as_deref() == Some(key));
        assert_eq!(tombstones.count(), 1, "seed {seed}: {key} was revoked twice");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_invariants_hold_whatever_the_store_does() {
    for seed in seeds(rounds(1_000)) {
        eprintln!("POSTQ_TEST_SEED={seed}");
        run(seed, Vault::new().await, |vault, _| vault.store.clone()).await;
    }
}

/// The same over DynamoDB, where things also go wrong below the store, on the way to its tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_invariants_hold_whatever_dynamodb_does() {
    for seed in seeds(rounds(50)) {
        eprintln!("POSTQ_TEST_SEED={seed}");
        let way = |vault: &Vault, odds: u64| match odds {
            0 => vault.store.clone(),
            odds => vault.store_over(Faults::new(seed ^ odds, odds * 2)),
        };
        run(seed, Vault::in_dynamodb().await, way).await;
    }
}
