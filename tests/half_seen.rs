//! Transactions of DynamoDB's that are seen half done: while one commits, whoever reads sees some of its items as they will be
//! and others as they were.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex},
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::byte_stream::ByteStream;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use store_dynamodb::DynamoStore;
use vault::{
    Timestamp,
    id::OrgId,
    store::{EntryFilter, EventWrites, Intake, LedgerReads, Record},
};

use crate::{
    dynamodb::events,
    local_dynamodb::{LocalDynamoDb, answer, http_client},
    rounds::{Dice, rounds, seeds},
};

/// What is not seen yet, by dice: of what another item promises, one in three. Of tiles of leaves their last hash.
struct HalfSeen {
    way: SharedHttpClient,
    dice: Mutex<Dice>,
    /// Kinds of items that were not seen when they were there.
    hidden: Mutex<BTreeSet<&'static str>>,
    /// How often a transaction of reads was turned away, because one of writes had its items.
    turned_away: Mutex<u64>,
}

impl HalfSeen {
    fn roll(&self, sides: u64) -> bool {
        self.dice.lock().unwrap().roll(sides) == 0
    }

    fn hide(&self, kind: &'static str) -> bool {
        // Each kind once, before chance decides.
        self.hidden.lock().unwrap().insert(kind) || self.roll(3)
    }

    /// An answer as it would have been some milliseconds before.
    fn as_it_was(&self, call: &str, table: &str, mut body: Value) -> Value {
        if call == "GetItem" {
            let kind = kind_of(table, &body["Item"]);
            if matches!(kind, Some("succession" | "place")) && self.hide(kind.unwrap()) {
                body.as_object_mut().unwrap().remove("Item");
            }
        }
        for (table, items) in body["Responses"].as_object_mut().into_iter().flatten() {
            items.as_array_mut().unwrap().retain_mut(|item| match kind_of(table, item) {
                Some("tile") if is_of_leaves(item) => {
                    self.shorten(item);
                    true
                }
                Some(kind) => !self.hide(kind),
                None => true,
            });
        }
        body
    }

    fn shorten(&self, tile: &mut Value) {
        if !self.hide("end of a tile") {
            return;
        }
        let mut hashes = STANDARD.decode(tile["hashes"]["B"].as_str().unwrap()).unwrap();
        hashes.truncate(hashes.len() - 32);
        tile["hashes"]["B"] = json!(STANDARD.encode(hashes));
    }
}

/// What other items promise.
fn kind_of(table: &str, item: &Value) -> Option<&'static str> {
    let (pk, sk) = (item["pk"]["S"].as_str()?, item["sk"]["S"].as_str()?);
    match table.split_once('-')?.1 {
        "keys" if sk == "state" => Some("state"),
        "keys" if !sk.starts_with("line#") => Some("description"),
        "tokens" => Some("token"),
        "successions" => Some("succession"),
        "ledger" if pk.contains("#entry#") => Some("entry"),
        "ledger" if pk.contains("#tile#") => Some("tile"),
        "ledger" if pk.contains("#place#") => Some("place"),
        _ => None,
    }
}

fn is_of_leaves(tile: &Value) -> bool {
    tile["pk"]["S"].as_str().unwrap().contains("#tile#0#")
}

#[derive(Clone)]
struct Way(Arc<HalfSeen>);

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HalfSeen")
    }
}

impl HttpClient for Way {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.0.way.http_connector(settings, components);
        SharedHttpConnector::new(Connector { connector, way: self.clone() })
    }
}

#[derive(Debug)]
struct Connector {
    connector: SharedHttpConnector,
    way: Way,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let call = target.rsplit('.').next().unwrap().to_owned();
        let asked: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
        let table = asked["TableName"].as_str().unwrap_or_default().to_owned();
        if call == "TransactGetItems" && self.way.0.roll(3) {
            *self.way.0.turned_away.lock().unwrap() += 1;
            return HttpConnectorFuture::ready(Ok(answer(400, IN_THE_WAY)));
        }
        let (answered, way) = (self.connector.call(request), self.way.0.clone());
        HttpConnectorFuture::new(async move {
            let answered = answered.await?;
            if !matches!(call.as_str(), "GetItem" | "BatchGetItem") || !answered.status().is_success() {
                return Ok(answered);
            }
            let body = ByteStream::new(answered.into_body()).collect().await;
            let body = body.map_err(|error| ConnectorError::io(error.into()))?.to_vec();
            let seen = way.as_it_was(&call, &table, serde_json::from_slice(&body).unwrap());
            Ok(answer(200, seen.to_string()))
        })
    }
}

const IN_THE_WAY: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "Message":"Transaction cancelled","CancellationReasons":[{"Code":"TransactionConflict","Message":"Transaction is ongoing"}]}"#;

fn over(local: &LocalDynamoDb, seed: u64) -> (DynamoStore, Arc<HalfSeen>) {
    let way = Arc::new(HalfSeen {
        way: http_client(),
        dice: Mutex::new(Dice::new(seed)),
        hidden: Mutex::default(),
        turned_away: Mutex::default(),
    });
    let config = local.config().into_builder().http_client(SharedHttpClient::new(Way(way.clone()))).build();
    (DynamoStore::new(&config, "a-"), way)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_transactions_are_seen_half_done_remembers_as_every_store_must() {
    for seed in seeds(rounds(10)) {
        eprintln!("POSTQ_TEST_SEED={seed}");
        let local = LocalDynamoDb::start();
        local.store("a-").await;
        let (store, way) = over(&local, seed);
        conformance::store::all(&store).await;
        let kinds =
            ["description", "end of a tile", "entry", "place", "state", "succession", "tile", "token"];
        assert_eq!(*way.hidden.lock().unwrap(), BTreeSet::from(kinds), "seed {seed}");
        assert!(*way.turned_away.lock().unwrap() > 0, "seed {seed}");
    }
}

/// An event that is in the intake and has its place: its batch was under way when the intake was read, or the two tables were put
/// back to different moments. It keeps its place, has no second one, and is in nobody's way.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_its_place_leaves_the_intake_when_it_comes_back() {
    let local = LocalDynamoDb::start();
    let store = Arc::new(local.store("a-").await);
    let org = OrgId::generate(Timestamp::now()).unwrap();
    let append = async |events: &[ledger::Event]| {
        store.append(Record { events: events.to_vec(), reply: None }).await.unwrap();
    };
    let sequencer = server::sequencer(&(store.clone() as Arc<dyn vault::store::Store>));
    let all = events(&org, 40);
    append(&all[..30]).await;
    let first = sequencer.sequence(&org).await.unwrap();
    assert_eq!(first.size, 30);
    for seed in seeds(5) {
        let mut dice = Dice::new(seed);
        let back: Vec<_> = all[..30].iter().filter(|_| dice.roll(2) == 0).cloned().collect();
        append(&back).await;
        assert_eq!(sequencer.sequence(&org).await.unwrap(), first, "seed {seed}");
        assert_eq!(store.unplaced(&org, 100).await.unwrap(), [], "seed {seed}");
    }
    append(&all[10..]).await;
    let last = sequencer.sequence(&org).await.unwrap();
    assert_eq!(last.size, 40);
    let all_of_it = EntryFilter { limit: usize::MAX, ..EntryFilter::default() };
    let entries = store.entries(&org, &all_of_it).await.unwrap();
    assert_eq!(entries.iter().map(|entry| &entry.id).collect::<BTreeSet<_>>().len(), 40);
    assert_eq!(store.head(&org).await.unwrap(), last);
}
