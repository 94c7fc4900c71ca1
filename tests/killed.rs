//! `kill -9` of the real server under load, and of the real Lambdas over DynamoDB, again and again: the ledger verifies, and nothing
//! that was acknowledged is missing.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use ledger::{Bundle, BundleVerifier, Pins};
use serde_json::{Value, json};

use crate::{
    in_process::Vault,
    lambda_process::Lambda,
    rounds::{Dice, rounds, seeds},
    server_process::{Answer, Server, agent},
};

/// What callers were told, over all lives of the server.
#[derive(Default)]
struct Told {
    events: Mutex<BTreeSet<String>>,
    revoked: Mutex<BTreeSet<String>>,
    steps: AtomicU64,
}

#[test]
fn nothing_acknowledged_is_missing_after_kill_9_at_random_moments() {
    let seed = seeds(1)[0];
    eprintln!("POSTQ_TEST_SEED={seed}");
    let mut dice = Dice::new(seed);
    let data = tempfile::tempdir().unwrap();
    let mut token = String::new();
    let told = Arc::new(Told::default());
    for life in 0..rounds(50) {
        let server = Server::start(data.path(), &[("RUST_LOG", "error")]);
        if life == 0 {
            token.clone_from(&server.token);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let (address, token, told) = (server.address.clone(), token.clone(), told.clone());
                let (stop, dice) = (stop.clone(), Dice::new(dice.next()));
                std::thread::spawn(move || call_until_it_dies(&address, &token, &told, &stop, dice))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(150 + dice.roll(500)));
        drop(server); // SIGKILL
        stop.store(true, Ordering::SeqCst);
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    }
    let mut server = Server::start(data.path(), &[("RUST_LOG", "error")]);
    server.token = token;
    judge(&server, &told, seed);
}

fn call_until_it_dies(address: &str, token: &str, told: &Told, stop: &AtomicBool, mut dice: Dice) {
    let call = |method: &str, path: &str, body: &Value| -> Option<Answer> {
        let url = format!("{address}{path}");
        let bearer = format!("Bearer {token}");
        let step = told.steps.fetch_add(1, Ordering::SeqCst).to_string();
        let response = if method == "DELETE" {
            agent().delete(&url).header("Authorization", &bearer).call()
        } else {
            agent()
                .post(&url)
                .header("Authorization", &bearer)
                .header("Idempotency-Key", step)
                .send_json(body)
        };
        // A connection that was cut is what a kill looks like from here: nothing was acknowledged.
        let answer = Answer::try_read(response.ok()?).ok()?;
        (200..300).contains(&answer.status).then_some(answer)
    };
    let mut key: Option<String> = None;
    while !stop.load(Ordering::SeqCst) {
        let current = match &key {
            Some(key) => key.clone(),
            None => {
                let body = json!({"name": "n", "algorithm": "mldsa44+ed25519"});
                let Some(made) = call("POST", "/v1/hybrid-keys", &body) else { continue };
                made.body["data"]["id"].as_str().unwrap().to_owned()
            }
        };
        key = Some(current.clone());
        match dice.roll(12) {
            0 => {
                if call("DELETE", &format!("/v1/hybrid-keys/{current}"), &Value::Null).is_some() {
                    told.revoked.lock().unwrap().insert(current);
                }
                key = None;
            }
            1 => {
                let rotated = call("POST", &format!("/v1/hybrid-keys/{current}/rotate"), &json!({}));
                key = rotated.map(|answer| answer.body["data"]["id"].as_str().unwrap().to_owned());
            }
            2 => {
                if let Some(entry) = call("POST", "/v1/ledger/entries", &json!({"name": "n"})) {
                    told.events.lock().unwrap().insert(entry.body["data"]["id"].as_str().unwrap().to_owned());
                }
            }
            3 => drop(call("POST", "/v1/ledger/seal", &json!({}))),
            _ => {
                let body = json!({"keyId": current, "payload": "aGVsbG8="});
                if let Some(signed) = call("POST", "/v1/sign", &body) {
                    told.events
                        .lock()
                        .unwrap()
                        .insert(signed.body["data"]["eventId"].as_str().unwrap().to_owned());
                }
            }
        }
    }
}

fn judge(server: &Server, told: &Told, seed: u64) {
    let sealed = server.call("/v1/ledger/seal", Some(&json!({})));
    assert_eq!(sealed.status, 200, "{}", sealed.text);
    let mut verifier = BundleVerifier::new(Pins::default());
    let mut found = BTreeSet::new();
    loop {
        let path = format!("/v1/ledger/bundle?since={}&limit=5000", verifier.next());
        let page: Bundle = serde_json::from_value(server.call(&path, None).body["data"].clone()).unwrap();
        if page.entries.is_empty() {
            break;
        }
        found.extend(page.entries.iter().map(|entry| entry.id.clone()));
        verifier.page(&page).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    assert!(verifier.finish().unwrap().complete, "seed {seed}");
    let events = told.events.lock().unwrap();
    assert!(events.len() > 20, "seed {seed}: there was hardly any load");
    let missing: Vec<_> = events.difference(&found).collect();
    assert!(missing.is_empty(), "seed {seed}: acknowledged and missing: {missing:?}");
    for key in told.revoked.lock().unwrap().iter() {
        let answer = server.call("/v1/sign", Some(&json!({"keyId": key, "payload": ""})));
        assert_eq!(answer.body["code"], "key_revoked", "seed {seed}");
    }
    eprintln!("{} acknowledged, {} in the ledger", events.len(), found.len());
}

/// What signs, appends, revokes, sequences and seals, all killed at one moment in each life: wherever they are in their transactions.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_missing_after_kill_9_of_lambdas() {
    let seed = seeds(1)[0];
    eprintln!("POSTQ_TEST_SEED={seed}");
    let mut dice = Dice::new(seed);
    let vault = Arc::new(Vault::in_dynamodb().await);
    let told = Arc::new(Told::default());
    for _ in 0..rounds(50) {
        let (key, doomed) =
            (vault.create_key("mldsa44+ed25519").await, vault.create_key("mldsa44+ed25519").await);
        let mut lambdas = tokio::task::JoinSet::new();
        let signed = (json!({"keyId": key, "payload": "aGVsbG8="}), "/v1/sign", "eventId");
        let appended = (json!({"name": "n"}), "/v1/ledger/entries", "id");
        for (name, (body, path, id)) in
            [("sign", signed.clone()), ("sign", signed), ("append-ledger", appended)]
        {
            let (vault, told) = (vault.clone(), told.clone());
            lambdas.spawn(async move {
                let mut lambda = Lambda::start(name, &vault).await;
                loop {
                    let (status, answer) = lambda.call("POST", path, &vault.token, Some(&body)).await;
                    assert!((200..300).contains(&status), "{name}: {answer}");
                    told.events.lock().unwrap().insert(answer["data"][id].as_str().unwrap().to_owned());
                }
            });
        }
        for (name, event) in
            [("sequence-events", json!({"source": "aws.events"})), ("seal-ledger", json!({"org": vault.org}))]
        {
            let vault = vault.clone();
            lambdas.spawn(async move {
                let mut lambda = Lambda::start(name, &vault).await;
                loop {
                    lambda.invoke(event.clone()).await.unwrap();
                }
            });
        }
        let revoking = (vault.clone(), told.clone(), Duration::from_millis(dice.roll(700)));
        lambdas.spawn(async move {
            let (vault, told, late) = revoking;
            let mut lambda = Lambda::start("revoke-key", &vault).await;
            tokio::time::sleep(late).await;
            let path = format!("/v1/hybrid-keys/{doomed}");
            let (status, answer) = lambda.call("DELETE", &path, &vault.token, None).await;
            assert_eq!(status, 200, "{answer}");
            told.revoked.lock().unwrap().insert(doomed);
        });
        tokio::time::sleep(Duration::from_millis(400 + dice.roll(800))).await;
        // Whoever failed did so before it was killed.
        while let Some(ended) = lambdas.try_join_next() {
            ended.unwrap();
        }
        lambdas.shutdown().await; // SIGKILL
    }
    vault.post("/v1/ledger/seal", json!({})).await;
    let bundle: Bundle = serde_json::from_value(vault.get("/v1/ledger/bundle").await).unwrap();
    assert!(bundle.check(&Pins::default()).unwrap_or_else(|error| panic!("seed {seed}: {error}")).complete);
    let found: BTreeSet<String> = bundle.entries.iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(found.len(), bundle.entries.len(), "seed {seed}: every event once");
    let events = std::mem::take(&mut *told.events.lock().unwrap());
    assert!(events.len() > 20, "seed {seed}: there was hardly any load");
    let missing: Vec<_> = events.difference(&found).collect();
    assert!(missing.is_empty(), "seed {seed}: acknowledged and missing: {missing:?}");
    let revoked = std::mem::take(&mut *told.revoked.lock().unwrap());
    for key in &revoked {
        assert_eq!(vault.sign(key).await.1["code"], "key_revoked", "seed {seed}");
    }
    eprintln!("{} acknowledged, {} in the ledger, {} revoked", events.len(), found.len(), revoked.len());
}
