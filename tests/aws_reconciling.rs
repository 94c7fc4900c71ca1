//! What is left at a cloud: deleted where it is certainly this deployment's and nobody's any more, and never else.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use serde_json::{Value, json};
use vault::{
    Timestamp,
    custody::Custody,
    ops::reconcile_keys::{Request, Response, reconcile_keys},
    store::{Store, StoreError},
};

use crate::{
    in_process::Vault,
    interposed::{Interposed, Interposer, down},
    local_kms::{LocalKms, ROLE},
};

const HOUR: u64 = 60 * 60 * 1000;

/// Cleans up, so many milliseconds from now.
async fn reconcile(store: &Arc<dyn Store>, custody: &Arc<Custody>, later: u64) -> Response {
    let now = Timestamp::from_millis(Timestamp::now().as_millis() + later).unwrap();
    reconcile_keys(&server::reconcile_ports(store, custody), Request { now, survey: true, give_up: None })
        .await
        .unwrap()
}

/// The same without looking for what nothing here knows of.
async fn clean_up(vault: &Vault, later: u64) -> Response {
    let now = Timestamp::from_millis(Timestamp::now().as_millis() + later).unwrap();
    let ports = server::reconcile_ports(&vault.store, &vault.custody);
    reconcile_keys(&ports, Request { now, survey: false, give_up: None }).await.unwrap()
}

fn tier_3() -> Value {
    json!({"name": "remote", "keyProvider": "aws-kms", "pqProvider": "aws-kms"})
}

/// The keys of ours that KMS goes on holding.
fn held(kms: &LocalKms) -> BTreeSet<String> {
    kms.marked().into_iter().filter(|(_, state)| state == "Enabled").map(|(arn, _)| arn).collect()
}

#[tokio::test]
async fn what_ended_keys_leave_is_deleted_and_what_lives_is_not() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    let revoked = vault.post("/v1/hybrid-keys", tier_3()).await["id"].as_str().unwrap().to_owned();
    let before = held(&kms);
    vault.revoke(&revoked).await;
    assert_eq!(held(&kms), before, "the deletion follows the revocation");
    let done = reconcile(&vault.store, &vault.custody, 0).await;
    assert_eq!((done.deleted.len(), done.failed), (2, 0));
    assert_eq!(held(&kms), [].into());

    let rotated = vault.post("/v1/hybrid-keys", tier_3()).await["id"].as_str().unwrap().to_owned();
    let old = held(&kms);
    let successor = vault.rotate(&rotated).await;
    reconcile(&vault.store, &vault.custody, 2 * HOUR).await;
    assert_eq!(held(&kms).len(), 2);
    assert!(held(&kms).is_disjoint(&old));
    assert_eq!(vault.sign(&successor).await.0, 200);
    assert_eq!(
        reconcile(&vault.store, &vault.custody, 2 * HOUR).await,
        Response::default(),
        "nothing is left to do"
    );
}

#[tokio::test]
async fn a_deletion_that_fails_is_tried_until_it_succeeds() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    let key = vault.post("/v1/hybrid-keys", tier_3()).await["id"].as_str().unwrap().to_owned();
    vault.revoke(&key).await;
    for how in ["denied", "internal"] {
        kms.faults(&json!([{"action": "ScheduleKeyDeletion", "how": how}]));
        let done = reconcile(&vault.store, &vault.custody, 0).await;
        assert_eq!((done.deleted.len(), done.failed), (0, 2), "{how}");
    }
    // Settings stay while a deletion rests on them.
    assert_eq!(vault.delete("/v1/vault/settings").await.1["code"], "settings_in_use");
    kms.faults(&json!([{"action": "ScheduleKeyDeletion", "how": "lost", "times": 1}]));
    let done = reconcile(&vault.store, &vault.custody, 0).await;
    assert_eq!(held(&kms), [].into());
    assert_eq!(done.failed, 0, "an answer that was lost is asked for again: {done:?}");
    assert_eq!(vault.delete("/v1/vault/settings").await.0, 200);
}

/// A creation that fails after a half was made leaves it to be deleted at once, and keeps nobody from changing settings for long.
#[tokio::test]
async fn what_a_failed_creation_made_is_deleted_soon() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    let wrapped_there = json!({"name": "remote", "kekProvider": "aws-kms", "keyProvider": "aws-kms"});
    for (fault, request, made) in [
        (json!({"action": "GetPublicKey", "how": "denied"}), tier_3(), 2),
        (json!({"action": "GetPublicKey", "how": "garbage", "times": 1}), tier_3(), 2),
        (json!({"action": "CreateKey", "how": "quota", "times": 1}), tier_3(), 1),
        (json!({"action": "GenerateDataKey", "how": "denied"}), wrapped_there, 1),
    ] {
        kms.faults(&json!([fault]));
        let refused = vault.call("/v1/hybrid-keys", Some(&request)).await;
        assert_eq!(refused.0, 502, "{fault}: {}", refused.1);
        assert_eq!(held(&kms).len(), made, "{fault}");
        let leaving = vault.delete("/v1/vault/settings").await.1;
        assert_eq!(leaving["code"], "settings_in_use");
        assert!(leaving["error"].as_str().unwrap().contains("still to be deleted"), "{leaving}");
        kms.faults(&json!([]));
        assert_eq!(clean_up(&vault, 0).await.deleted.len(), made, "{fault}");
        assert_eq!(held(&kms), [].into(), "{fault}");
        assert_eq!(vault.store.intents(10).await.unwrap(), []);
    }
    // Nobody knows what an answer that was lost would have said.
    kms.faults(&json!([{"action": "CreateKey", "how": "lost"}]));
    assert_eq!(vault.call("/v1/hybrid-keys", Some(&tier_3())).await.0, 503);
    kms.faults(&json!([]));
    assert_eq!(clean_up(&vault, 0).await, Response::default());
    let making = vault.delete("/v1/vault/settings").await.1;
    assert!(making["error"].as_str().unwrap().contains("is being made"), "{making}");
    assert_eq!(clean_up(&vault, 2 * HOUR).await.deleted.len(), 2);
    assert_eq!(vault.delete("/v1/vault/settings").await.0, 200);
}

/// A successor is made only for a key that can vouch for it.
#[tokio::test]
async fn a_rotation_that_cannot_succeed_makes_nothing() {
    let kms = LocalKms::start();
    let (vault, kek) = kms.vault().await;
    let wrapped = json!({"name": "wrapped", "kekProvider": "aws-kms"});
    for (request, withheld) in [(tier_3(), "Sign"), (wrapped, "Decrypt")] {
        let key = vault.post("/v1/hybrid-keys", request).await["id"].as_str().unwrap().to_owned();
        let before = held(&kms);
        kms.faults(&json!([{"action": withheld, "how": "denied"}]));
        let body = json!({"kekProvider": "env", "keyProvider": "aws-kms", "pqProvider": "aws-kms"});
        let refused = vault.call(&format!("/v1/hybrid-keys/{key}/rotate"), Some(&body)).await;
        assert_eq!((refused.0, &refused.1["code"]), (502, &json!("kms_denied")), "{}", refused.1);
        let sentence = refused.1["error"].as_str().unwrap();
        assert!(sentence.contains(&format!("kms:{withheld}")) && !sentence.contains(&kek), "{sentence}");
        kms.faults(&json!([]));
        assert_eq!(held(&kms), before, "{withheld}");
        assert_eq!(vault.store.intents(10).await.unwrap(), []);
        assert_eq!(vault.sign(&key).await.0, 200, "it is as active as before");
    }
}

/// The store dies where a change is to be written, or once it is, and lives again.
struct DyingAt {
    call: &'static str,
    written: bool,
    died: AtomicUsize,
}

impl DyingAt {
    fn die(&self, call: &'static str, written: bool) -> Result<(), StoreError> {
        let here = (call, written) == (self.call, self.written);
        if here && self.died.fetch_add(1, Ordering::SeqCst) == 0 { Err(down()) } else { Ok(()) }
    }
}

#[async_trait]
impl Interposer for DyingAt {
    async fn before(&self, call: &'static str) -> Result<(), StoreError> {
        self.die(call, false)
    }

    async fn after(&self, call: &'static str) -> Result<(), StoreError> {
        self.die(call, true)
    }
}

/// A key that could not be stored leaves no half; one that was, although nobody was told, keeps both.
#[tokio::test]
async fn a_half_is_deleted_only_if_its_key_was_not_stored() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    let key = vault.post("/v1/hybrid-keys", tier_3()).await["id"].as_str().unwrap().to_owned();
    let rotate = format!("/v1/hybrid-keys/{key}/rotate");
    for (call, written, path, body) in [
        ("intend", false, "/v1/hybrid-keys", tier_3()),
        ("intend", true, "/v1/hybrid-keys", tier_3()),
        ("create", false, "/v1/hybrid-keys", tier_3()),
        ("create", true, "/v1/hybrid-keys", tier_3()),
        ("supersede", false, rotate.as_str(), json!({})),
        ("supersede", true, rotate.as_str(), json!({})),
    ] {
        let what = format!("{call}, written: {written}");
        let before = held(&kms);
        let dying = Arc::new(DyingAt { call, written, died: AtomicUsize::new(0) });
        let store = Interposed::over(vault.store.clone(), dying);
        let app = server::app(&store, &vault.custody, &[]);
        let request = axum::http::Request::post(path)
            .header("authorization", format!("Bearer {}", vault.token))
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body.to_string()));
        let answer = tower::ServiceExt::oneshot(app, request.unwrap()).await.unwrap();
        assert_eq!(answer.status().as_u16(), 503, "{what}");
        assert_eq!(vault.store.intents(10).await.unwrap(), [], "{what}");
        clean_up(&vault, 0).await;
        let made = held(&kms).difference(&before).count();
        let stored = written && call != "intend";
        assert_eq!(made, if stored { 2 } else { 0 }, "{what}");
    }
    // The first, which was rotated in the end; the one that was created all the same; the successor.
    let keys = vault.get("/v1/hybrid-keys").await;
    let signing = keys.as_array().unwrap().iter().filter(|key| key["status"] == "active");
    let signing: Vec<&str> = signing.map(|key| key["id"].as_str().unwrap()).collect();
    assert_eq!((keys.as_array().unwrap().len(), signing.len()), (3, 2));
    for key in signing {
        assert_eq!(vault.sign(key).await.0, 200);
    }
    assert_eq!(held(&kms).len(), 4);
}

/// What was just made may not be known everywhere at KMS.
#[tokio::test]
async fn a_half_that_is_not_found_at_first_is_asked_again() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    let key = vault.post("/v1/hybrid-keys", tier_3()).await["id"].as_str().unwrap().to_owned();
    kms.faults(&json!([{"action": "Sign", "how": "missing", "times": 2}]));
    let key = vault.rotate(&key).await;
    vault.revoke(&key).await;
    kms.faults(&json!([{"action": "DescribeKey", "how": "missing"}]));
    let org: vault::id::OrgId = vault.get("/v1/whoami").await["org"].as_str().unwrap().parse().unwrap();
    let request = Request { now: Timestamp::now(), survey: false, give_up: Some(org) };
    let ports = server::reconcile_ports(&vault.store, &vault.custody);
    let done = reconcile_keys(&ports, request).await.unwrap();
    assert_eq!((done.given_up.len(), done.failed), (0, 4), "that is no refusal: {done:?}");
    kms.faults(&json!([]));
    assert_eq!(clean_up(&vault, 0).await.deleted.len(), 4);
}

/// An account that is gone for good keeps its organisation from nothing once its operator has given it up.
#[tokio::test]
async fn what_an_account_that_is_gone_refuses_can_be_given_up() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    let whoami = vault.get("/v1/whoami").await;
    let org: vault::id::OrgId = whoami["org"].as_str().unwrap().parse().unwrap();
    let ports = server::reconcile_ports(&vault.store, &vault.custody);
    let give_up = async |org: &vault::id::OrgId, later: u64| {
        let now = Timestamp::from_millis(Timestamp::now().as_millis() + later).unwrap();
        let request = Request { now, survey: false, give_up: Some(org.clone()) };
        reconcile_keys(&ports, request).await.unwrap()
    };
    let another = vault::id::OrgId::generate(Timestamp::now()).unwrap();

    let key = vault.post("/v1/hybrid-keys", tier_3()).await["id"].as_str().unwrap().to_owned();
    vault.revoke(&key).await;
    let halves = held(&kms);
    kms.faults(&json!([{"action": "DescribeKey", "how": "denied"}]));
    assert_eq!(give_up(&another, 0).await, Response::default(), "it is another organisation's");
    for how in ["throttled", "internal"] {
        kms.faults(&json!([{"action": "DescribeKey", "how": how}]));
        let done = give_up(&org, 0).await;
        assert_eq!((done.given_up.len(), done.failed), (0, 2), "{how}: {done:?}");
    }
    let refused = halves.first().unwrap();
    kms.faults(&json!([{"action": "DescribeKey", "how": "denied", "key": refused}]));
    let done = give_up(&org, 0).await;
    assert_eq!((done.deleted.len(), &done.given_up), (1, &vec![refused.clone()]), "{done:?}");
    assert_eq!(held(&kms), BTreeSet::from([refused.clone()]));

    // Creations that died: of one, a half is refused; then the account lets nobody in.
    kms.faults(&json!([{"action": "CreateKey", "how": "lost"}]));
    assert_eq!(vault.call("/v1/hybrid-keys", Some(&tier_3())).await.0, 503);
    let unfinished: Vec<_> = held(&kms).into_iter().filter(|half| half != refused).collect();
    kms.faults(&json!([{"action": "ScheduleKeyDeletion", "how": "denied", "key": unfinished[0]}]));
    assert_eq!(give_up(&org, 0).await, Response::default(), "it is not overdue");
    let done = give_up(&org, 2 * HOUR).await;
    assert_eq!((&done.deleted, &done.given_up), (&vec![unfinished[1].clone()], &vec![unfinished[0].clone()]));
    kms.faults(&json!([{"action": "CreateKey", "how": "lost"}]));
    assert_eq!(vault.call("/v1/hybrid-keys", Some(&tier_3())).await.0, 503);
    let unfinished = vault.store.intents(10).await.unwrap()[0].key.to_string();
    kms.trust(ROLE, Some("postq-of-somebody-else"));
    let (vault, custody) =
        (&vault, Arc::new(Custody { clouds: vec![kms.cloud()], ..Custody::clone(&vault.custody) }));
    let ports = server::reconcile_ports(&vault.store, &custody);
    let now = Timestamp::from_millis(Timestamp::now().as_millis() + 2 * HOUR).unwrap();
    let request = Request { now, survey: false, give_up: Some(org) };
    let done = reconcile_keys(&ports, request).await.unwrap();
    assert_eq!((done.deleted.len(), done.given_up, done.failed), (0, vec![unfinished], 0));
    assert_eq!(vault.store.intents(10).await.unwrap(), []);
    assert_eq!(vault.delete("/v1/vault/settings").await.0, 200);
}

/// The store dies at its `die_at`th call, before it or after.
struct Dying {
    die_at: usize,
    after: bool,
    calls: AtomicUsize,
    names: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl Interposer for Dying {
    async fn before(&self, call: &'static str) -> Result<(), StoreError> {
        self.names.lock().unwrap().push(call);
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        if number > self.die_at || (number == self.die_at && !self.after) { Err(down()) } else { Ok(()) }
    }

    async fn after(&self, _: &'static str) -> Result<(), StoreError> {
        if self.calls.load(Ordering::SeqCst) > self.die_at { Err(down()) } else { Ok(()) }
    }
}

/// A creation that is killed at any call of the store or of KMS leaves, an hour later, a whole key or nothing.
#[tokio::test]
async fn a_creation_killed_at_any_step_leaves_a_key_or_nothing() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    let create = async |app: &axum::Router| {
        let request = axum::http::Request::post("/v1/hybrid-keys")
            .header("authorization", format!("Bearer {}", vault.token))
            .header("content-type", "application/json")
            .body(axum::body::Body::from(tier_3().to_string()));
        tower::ServiceExt::oneshot(app.clone(), request.unwrap()).await.unwrap().status().as_u16()
    };
    let mut steps = 0;
    let mut finished = false;
    while !finished {
        for after in [false, true] {
            let dying =
                Arc::new(Dying { die_at: steps, after, calls: AtomicUsize::new(0), names: Mutex::default() });
            let store = Interposed::over(vault.store.clone(), dying.clone());
            let status = create(&server::app(&store, &vault.custody, &[])).await;
            finished = status == 201;
            let what = format!("{:?} {after}", dying.names.lock().unwrap());
            let before = held(&kms);
            clean_up(&vault, HOUR - 60_000).await;
            assert_eq!(held(&kms), before, "{what}: nothing is deleted within the hour");
            check_an_hour_later(&kms, &vault, &what).await;
        }
        steps += 1;
        assert!(steps < 50, "it never finished");
    }
    assert!(steps > 4, "token, settings, intent, commit: {steps}");
    for action in ["CreateKey", "GetPublicKey"] {
        for how in ["internal", "denied", "lost", "dropped", "garbage", "empty"] {
            kms.faults(&json!([{"action": action, "how": how}]));
            let status = create(&vault.app).await;
            assert!(status >= 500, "{action} {how}: {status}");
            kms.faults(&json!([]));
            check_an_hour_later(&kms, &vault, &format!("{action} {how}")).await;
        }
    }
}

async fn check_an_hour_later(kms: &LocalKms, vault: &Vault, what: &str) {
    let done = reconcile(&vault.store, &vault.custody, HOUR + 1).await;
    assert_eq!((done.failed, done.strays.len()), (0, 0), "{what}: {done:?}");
    let keys = vault.get("/v1/hybrid-keys?limit=100").await;
    let keys = keys.as_array().unwrap();
    assert_eq!(held(kms).len(), 2 * keys.len(), "{what}: a half of no key is left");
    for key in keys {
        let id = key["id"].as_str().unwrap();
        assert_eq!(vault.sign(id).await.0, 200, "{what}");
        vault.revoke(id).await;
    }
    clean_up(vault, 0).await;
    kms.control(&json!({"forgetDeleted": true}));
}

#[tokio::test]
async fn two_deployments_in_one_account_delete_nothing_of_each_other() {
    let kms = LocalKms::start();
    let (first, _) = kms.vault().await;
    first.post("/v1/hybrid-keys", tier_3()).await;
    // Another store, whose organisation is let in by the same account under a role of its own.
    let second = Vault::new().await;
    let cloud = kms.cloud();
    let second = second.with_custody(|custody| custody.clouds.push(cloud));
    let role = "arn:aws:iam::123456789012:role/second";
    kms.trust(role, second.get("/v1/whoami").await["externalId"].as_str());
    let settings = json!({"aws": {"keyArn": kms.make_kek().await, "roleArn": role}});
    assert_eq!(second.put("/v1/vault/settings", &settings).await.0, 200);
    let key = second.post("/v1/hybrid-keys", tier_3()).await["id"].as_str().unwrap().to_owned();
    let all = held(&kms);
    assert_eq!(all.len(), 4);
    for vault in [&first, &second] {
        let done = reconcile(&vault.store, &vault.custody, 10 * HOUR).await;
        assert_eq!((done.deleted.len(), done.strays.len(), done.failed), (0, 0, 0), "{done:?}");
    }
    assert_eq!(held(&kms), all);
    second.revoke(&key).await;
    reconcile(&first.store, &first.custody, 10 * HOUR).await;
    assert_eq!(held(&kms), all, "the first empties its own outbox alone");
    reconcile(&second.store, &second.custody, 0).await;
    assert_eq!(held(&kms).len(), 2);
}

/// A half whose key the store does not know may be that of an hour that the store was put back from.
#[tokio::test]
async fn a_half_that_nothing_here_knows_of_is_told_of_and_stays() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    let key = vault.post("/v1/hybrid-keys", tier_3()).await["id"].as_str().unwrap().to_owned();
    let all = held(&kms);
    let row = vault.database();
    row.execute("DELETE FROM keys WHERE id = ?1", [&key]).unwrap();
    for _ in 0..2 {
        let done = reconcile(&vault.store, &vault.custody, 10 * HOUR).await;
        assert_eq!(done.strays.into_iter().collect::<BTreeSet<_>>(), all);
        assert_eq!(done.deleted.len(), 0);
    }
    assert_eq!(held(&kms), all);
}

/// Put back to the moment between an intent and the commit, the store has an intent that was finished since.
#[tokio::test]
async fn a_store_put_back_to_the_midst_of_a_creation_deletes_nothing_of_it() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    vault.post("/v1/hybrid-keys", tier_3()).await;
    let all = held(&kms);
    let row = vault.database();
    // What it looked like then: the intent is there, and the key is not.
    row.execute(
        "INSERT INTO intents (org, key_id, clouds, since) SELECT org, id, '[\"aws\"]', created_at FROM keys WHERE tier = 3",
        [],
    )
    .unwrap();
    row.execute("DELETE FROM keys WHERE tier = 3", []).unwrap();
    for _ in 0..2 {
        let done = reconcile(&vault.store, &vault.custody, 10 * HOUR).await;
        assert_eq!(done.deleted.len(), 0, "{done:?}");
    }
    assert_eq!(held(&kms), all);
    assert_eq!(reconcile(&vault.store, &vault.custody, 10 * HOUR).await.strays.len(), 2);
}
