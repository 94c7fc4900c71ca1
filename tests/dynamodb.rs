//! The store over DynamoDB: the suite that every store passes, and what only DynamoDB can do to it.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use ledger::{Event, EventType, Json};
use store_dynamodb::{DynamoStore, Table};
use vault::{
    Timestamp,
    id::{EventId, OrgId},
    store::{EventWrites, Intake, Reconciling, Record, Recovery, SealedHalves, SealedRecord, StoreError},
};

use crate::{
    local_dynamodb::{FAULTS, Faults, LocalDynamoDb},
    rounds::{rounds, seeds},
};

#[tokio::test(flavor = "multi_thread")]
async fn it_remembers_as_every_store_must() {
    let local = LocalDynamoDb::start();
    conformance::store::all(&local.store("a-").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_for_another_client() {
    let local = LocalDynamoDb::start();
    local.store("a-").await;
    conformance::store::survives_reopening(|| DynamoStore::new(&local.config(), "a-")).await;
}

pub(crate) fn events(org: &OrgId, count: usize) -> Vec<Event> {
    let event = |_| Event {
        id: EventId::generate(Timestamp::now()).unwrap().to_string(),
        org: org.to_string(),
        event_type: EventType::Custom,
        actor_id: "apk_1".into(),
        subject_id: None,
        issued_at: Timestamp::now().to_string(),
        data: Json::object([]),
    };
    (0..count).map(event).collect()
}

/// Conflicts, throttling, errors and answers that are lost before and after the commit, at one call in three: what is
/// acknowledged is there once, and what an attempt left undecided is told by the next one.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_on_the_way_loses_nothing_and_doubles_nothing() {
    let local = LocalDynamoDb::start();
    let clean = local.store("a-").await;
    for seed in seeds(rounds(20)) {
        let faults = Faults::new(seed, 3);
        let store = DynamoStore::new(&local.config_over(faults.clone()), "a-");
        let org = OrgId::generate(Timestamp::now()).unwrap();
        let mut acknowledged = Vec::new();
        for event in events(&org, 40) {
            match store.append(Record::from(event.clone())).await {
                Ok(()) => acknowledged.push(event.id),
                Err(StoreError::Unavailable(_)) => {}
                Err(other) => panic!("seed {seed}: {other}"),
            }
        }
        let kept: Vec<String> =
            clean.unplaced(&org, 1000).await.unwrap().into_iter().map(|event| event.id).collect();
        for id in &acknowledged {
            assert_eq!(kept.iter().filter(|kept| *kept == id).count(), 1, "seed {seed}: {id}");
        }
        assert!(acknowledged.len() > 20, "seed {seed}: attempts are repeated where that is safe");
        let seen = faults.seen.lock().unwrap();
        for fault in FAULTS {
            assert!(seen.contains(&fault), "seed {seed}: {fault} never happened");
        }
    }
}

/// Two tables that were put back to before the end of a key, beside others that were not: one forgot what is to be deleted at a
/// cloud, and one has sealed halves again. An intent that nobody can read is in the way of nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_ended_ends_again_when_the_store_has_recovered() {
    let local = LocalDynamoDb::start();
    let before = local.store("a-").await;
    let (org, key) = conformance::store::ended_key(&before).await;
    let left = before.outbox(None, 10).await.unwrap();
    assert_eq!(left.len(), 2);

    let client = local.client();
    client.delete_table().table_name(before.table_name(Table::Outbox)).send().await.unwrap();
    let after = local.store("a-").await;
    let text = |value: &str| AttributeValue::S(value.to_owned());
    for (table, pk, sk) in
        [(Table::SealedHalves, format!("{org}#{key}"), "-"), (Table::Intents, "intents".into(), "unreadable")]
    {
        let put = client.put_item().table_name(after.table_name(table)).item("pk", text(&pk));
        let put = put.item("sk", text(sk)).item("pq", AttributeValue::B(vec![1].into()));
        put.send().await.unwrap();
    }
    assert_ne!(after.sealed(&org, &key).await.unwrap(), SealedRecord::default());
    assert!(after.is_restored().await.unwrap());
    assert_eq!(after.lost_tombstones().await.unwrap(), []);
    after.declare_recovered().await.unwrap();
    assert_eq!(after.sealed(&org, &key).await.unwrap(), SealedRecord::default());
    assert_eq!(after.outbox(None, 10).await.unwrap(), left);
    assert_eq!(after.intents(10).await.unwrap(), []);
}

/// DynamoDB puts a table back by making a new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_put_back_is_noticed_and_not_written_until_it_has_recovered() {
    let local = LocalDynamoDb::start();
    let before = Arc::new(local.store("a-").await);
    let org = OrgId::generate(Timestamp::now()).unwrap();
    let append =
        async |store: &DynamoStore| store.append(Record { events: events(&org, 1), reply: None }).await;
    append(&before).await.unwrap();
    assert!(!before.is_restored().await.unwrap());

    let table = before.table_name(Table::Keys);
    local.client().delete_table().table_name(&table).send().await.unwrap();
    let after = local.store("a-").await;
    assert!(after.is_restored().await.unwrap());
    assert!(!after.is_foreign().await.unwrap(), "the rest is what it was");
    assert!(matches!(append(&after).await, Err(StoreError::Restored)));
    after.declare_recovered().await.unwrap();
    append(&after).await.unwrap();

    // A table that came with a newer version is one that nobody wrote down.
    let forget = local.client().update_item().table_name(after.table_name(Table::Tombstones));
    let key = ["pk", "sk"]
        .map(|name| (name.to_owned(), AttributeValue::S(if name == "pk" { "store" } else { "-" }.into())));
    let forget = forget.set_key(Some(key.into())).update_expression("REMOVE outbox");
    forget.send().await.unwrap();
    let newer = DynamoStore::new(&local.config(), "a-");
    append(&newer).await.unwrap();
    assert!(!newer.is_restored().await.unwrap());

    // The list of organisations of one deployment beside the tombstones of another.
    let table = after.table_name(Table::Tombstones);
    local.client().delete_table().table_name(&table).send().await.unwrap();
    let stranger = local.store("a-").await;
    assert!(stranger.is_restored().await.unwrap(), "tombstones are missing that were there");
    assert!(matches!(append(&stranger).await, Err(StoreError::Restored)));
}
