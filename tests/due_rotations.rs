//! Keys that the vault rotates by itself, once their time has come.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vault::{
    Timestamp,
    ops::rotate_due_keys::{Response, rotate_due_keys},
};

use crate::{in_process::Vault, server_process::Server};

async fn make(vault: &Vault, days: u16, more: Value) -> String {
    let mut request = json!({"name": "k", "allowFollow": true, "rotateAfterDays": days});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    vault.post("/v1/hybrid-keys", request).await["id"].as_str().unwrap().to_owned()
}

/// What the schedule does where it is so many days later.
async fn days_later(vault: &Vault, days: u32) -> Response {
    // A millisecond ago: what is made from now on is not due then.
    let now = Timestamp::from_millis(Timestamp::now().as_millis() - 1).unwrap();
    at(vault, now.days_after(days)).await
}

async fn at(vault: &Vault, now: Timestamp) -> Response {
    rotate_due_keys(&server::rotate_due_ports(&vault.store, &vault.custody), now).await.unwrap()
}

async fn key(vault: &Vault, id: &str) -> Value {
    vault.get(&format!("/v1/hybrid-keys/{id}")).await
}

#[tokio::test]
async fn a_key_that_rotates_by_itself_lets_its_callers_follow() {
    let vault = Vault::new().await;
    let (status, body) =
        vault.call("/v1/hybrid-keys", Some(&json!({"name": "k", "rotateAfterDays": 90}))).await;
    assert_eq!((status, &body["code"]), (422, &json!("follow_required")), "{body}");
    assert!(body["error"].as_str().unwrap().contains("`allowFollow: true`"), "{body}");
    for days in [json!(0), json!(3651), json!(-1), json!(1.5), json!("90")] {
        let request = json!({"name": "k", "allowFollow": true, "rotateAfterDays": days});
        let (status, body) = vault.call("/v1/hybrid-keys", Some(&request)).await;
        assert_eq!((status, &body["field"]), (400, &json!("rotateAfterDays")), "{body}");
    }
    for days in [1, 3650] {
        let made = key(&vault, &make(&vault, days, json!({})).await).await;
        assert_eq!(made["rotateAfterDays"], days);
        let made_at: Timestamp = made["createdAt"].as_str().unwrap().parse().unwrap();
        assert_eq!(made["rotatesAt"], made_at.days_after(days.into()).to_string());
    }
    let without = key(&vault, &vault.create_key("mldsa44+ed25519").await).await;
    assert_eq!((&without["rotateAfterDays"], &without["rotatesAt"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn keys_are_rotated_when_their_time_has_come_and_the_ledger_names_the_schedule() {
    lives(Vault::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_so_they_are_over_dynamodb() {
    lives(Vault::in_dynamodb().await).await;
}

async fn lives(vault: Vault) {
    let first = make(&vault, 30, json!({"metadata": {"environment": "prod"}})).await;
    let later = make(&vault, 31, json!({})).await;
    let never = vault.create_key("mldsa44+ed25519").await;
    let revoked = make(&vault, 30, json!({})).await;
    vault.revoke(&revoked).await;
    let by_hand = make(&vault, 30, json!({})).await;
    let by_hand_next = vault.rotate(&by_hand).await;

    assert_eq!(days_later(&vault, 29).await, Response::default());
    let done = days_later(&vault, 30).await;
    let rotated: Vec<_> = done.rotated.iter().map(|(key, _)| key.to_string()).collect();
    // The successor that was made by hand is as old as its line's rotation.
    assert_eq!(rotated.len(), 2, "{rotated:?}");
    assert!(rotated.contains(&first) && rotated.contains(&by_hand_next), "{rotated:?}");
    assert_eq!(done.failed, []);
    let next = done.rotated.iter().find(|(key, _)| key.as_str() == first).unwrap().1.to_string();
    let (old, new) = (key(&vault, &first).await, key(&vault, &next).await);
    assert_eq!((&old["status"], &old["rotatesAt"]), (&json!("superseded"), &Value::Null));
    for inherited in ["name", "algorithm", "metadata", "allowFollow", "rotateAfterDays", "keyProvider"] {
        assert_eq!(old[inherited], new[inherited], "{inherited}");
    }
    assert_eq!(key(&vault, &later).await["status"], "active");
    assert_eq!(key(&vault, &never).await["status"], "active");

    let follows = json!({"keyId": first, "payload": "", "followSuccessor": true});
    assert_eq!(vault.post("/v1/sign", follows).await["keyId"], next, "a caller that follows goes on");
    let (status, body) = vault.call("/v1/sign", Some(&json!({"keyId": first, "payload": ""}))).await;
    assert_eq!((status, &body["successorId"]), (409, &json!(next)));
    let events = vault.events().await;
    let by = |key: &str| {
        let rotated = events
            .iter()
            .find(|e| e.event_type.name() == "key.rotated" && e.subject_id.as_deref() == Some(key));
        rotated.unwrap().actor_id.clone()
    };
    assert_eq!(by(&first), "worker:rotate-due-keys");
    assert!(by(&by_hand).starts_with("apk_"));
    let lineage = vault.get(&format!("/v1/hybrid-keys/{next}/lineage")).await;
    assert_eq!(lineage["successions"].as_array().map(Vec::len), Some(1));

    // What is done is done; and the next time comes.
    assert_eq!(days_later(&vault, 29).await, Response::default());
    let again = days_later(&vault, 31).await;
    assert_eq!(again.rotated.len(), 3, "both successors, and the one of 31 days: {again:?}");
    assert_eq!(days_later(&vault, 29).await, Response::default());
}

#[tokio::test]
async fn what_cannot_be_rotated_is_tried_again_and_keeps_no_other_from_it() {
    let vault = Vault::new().await;
    let mut keys = Vec::new();
    for algorithm in ["mldsa44+ed25519", "mldsa65+ed25519", "mldsa44+ed25519"] {
        keys.push(make(&vault, 1, json!({"algorithm": algorithm})).await);
    }
    let rule = json!({"matchOperation": "key_create", "minPqLevel": 3});
    let policy = vault.post("/v1/policies", json!({"name": "p", "action": "enforce", "rule": rule})).await;
    for _ in 0..2 {
        let done = days_later(&vault, 1).await;
        assert_eq!(done.failed.iter().map(ToString::to_string).collect::<Vec<_>>().len(), 2, "{done:?}");
        assert!(!done.failed.iter().any(|key| key.as_str() == keys[1]));
    }
    assert_eq!(key(&vault, &keys[1]).await["status"], "superseded");
    assert_eq!(vault.sign(&keys[0]).await.0, 200, "a key whose time has come goes on");
    let last = vault.events().await;
    let told = last
        .iter()
        .filter(|e| e.event_type.name() == "policy.violated" && e.actor_id == "worker:rotate-due-keys");
    assert_eq!(told.count(), 4);
    vault.delete(&format!("/v1/policies/{}", policy["id"].as_str().unwrap())).await;
    let rotated: Vec<_> =
        days_later(&vault, 1).await.rotated.into_iter().map(|(key, _)| key.to_string()).collect();
    assert!(rotated.contains(&keys[0]) && rotated.contains(&keys[2]), "{rotated:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn schedules_at_once_make_one_successor() {
    for vault in [Vault::new().await, Vault::in_dynamodb().await] {
        let mut keys = Vec::new();
        for _ in 0..4 {
            keys.push(make(&vault, 1, json!({"algorithm": "mldsa44+ed25519"})).await);
        }
        let now = Timestamp::from_millis(Timestamp::now().as_millis() - 1).unwrap().days_after(1);
        let (a, b, c) = tokio::join!(at(&vault, now), at(&vault, now), at(&vault, now));
        let rotated = [a, b, c].into_iter().flat_map(|done| done.rotated);
        let mut rotated: Vec<_> = rotated.map(|(key, _)| key.to_string()).collect();
        rotated.sort();
        keys.sort();
        assert_eq!(rotated, keys, "each by one of them: who was not first did nothing");
        let listed = vault.get("/v1/hybrid-keys?status=active").await;
        assert_eq!(listed.as_array().unwrap().len(), 4, "{listed}");
    }
}

/// The embedded server has no schedule but its own.
#[test]
fn the_server_rotates_what_is_due_when_it_starts() {
    let data = tempfile::tempdir().unwrap();
    let mut first = Server::start(data.path(), &[]);
    let token = first.token.clone();
    let request = json!({"name": "k", "allowFollow": true, "rotateAfterDays": 7});
    let key = first.call("/v1/hybrid-keys", Some(&request)).body["data"]["id"].as_str().unwrap().to_owned();
    first.stop();
    let database = rusqlite::Connection::open(data.path().join("vault.db")).unwrap();
    let sql = "UPDATE keys SET created_at = created_at - 8 * 86400000 WHERE id = ?1";
    assert_eq!(database.execute(sql, [&key]).unwrap(), 1);
    drop(database);
    let second = Server::start(data.path(), &[]);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let shown = second.call_as(&token, &format!("/v1/hybrid-keys/{key}"), None).body["data"].clone();
        if shown["status"] == "superseded" {
            assert!(shown["successorId"].is_string());
            return;
        }
        assert!(Instant::now() < deadline, "{shown}");
        std::thread::yield_now();
    }
}
