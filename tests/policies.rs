//! Policies: each rule against each key and operation; what a change binds; and that what cannot be read lets nothing pass.

use std::collections::BTreeSet;

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::{in_process::Vault, local_kms::LocalKms};

pub(crate) const POLICIES: &str = "/v1/policies";

pub(crate) fn policy(name: &str, action: &str, environments: &[&str], rule: &Value) -> Value {
    json!({"name": name, "action": action, "environments": environments, "rule": rule})
}

pub(crate) async fn make(vault: &Vault, body: Value) -> String {
    vault.post(POLICIES, body).await["id"].as_str().unwrap().to_owned()
}

async fn patch(vault: &Vault, id: &str, body: &Value) -> (u16, Value) {
    patch_as(&vault.token, vault, id, body).await
}

async fn patch_as(token: &str, vault: &Vault, id: &str, body: &Value) -> (u16, Value) {
    let request = Request::patch(format!("{POLICIES}/{id}"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    let (status, _, body) = vault.send(request.body(Body::from(body.to_string())).unwrap()).await;
    (status, body)
}

/// The key of one cell, and what the vault is told of it.
struct Key {
    algorithm: &'static str,
    level: u8,
    tier: u8,
    holders: Value,
}

/// A key of every tier and level.
fn keys() -> Vec<Key> {
    let held = |kek: &str, classical: &str, pq: &str| json!({"kekProvider": kek, "keyProvider": classical, "pqProvider": pq});
    let (ours, aws) = ("postq-managed", "aws-kms");
    let tiers =
        [held("env", ours, ours), held(aws, ours, ours), held("env", aws, ours), held("env", aws, aws)];
    let mut keys = Vec::new();
    for (tier, holders) in (0..).zip(tiers) {
        for (algorithm, level) in [("mldsa44+ed25519", 2), ("mldsa65+ecdsa-p256", 3), ("mldsa87+ed25519", 5)]
        {
            keys.push(Key { algorithm, level, tier, holders: holders.clone() });
        }
    }
    keys
}

/// A demand, and whether a key meets it.
type Demand = (Value, fn(&Key) -> bool);

fn demands() -> Vec<Demand> {
    vec![
        (json!({"minTier": 1}), |key| key.tier >= 1),
        (json!({"minTier": 2}), |key| key.tier >= 2),
        (json!({"minTier": 3}), |key| key.tier >= 3),
        (json!({"minPqLevel": 2}), |key| key.level >= 2),
        (json!({"minPqLevel": 3}), |key| key.level >= 3),
        (json!({"minPqLevel": 5}), |key| key.level >= 5),
        (json!({"requireHybrid": true}), |_| true),
        (json!({"algorithmIn": ["mldsa87+ed25519", "mldsa44+ed25519"]}), |key| {
            key.algorithm.ends_with("+ed25519")
        }),
        (json!({"algorithmNotIn": ["mldsa44+ed25519"]}), |key| key.algorithm != "mldsa44+ed25519"),
        (json!({"minTier": 2, "minPqLevel": 5}), |key| key.tier >= 2 && key.level >= 5),
    ]
}

async fn with_account() -> (Vault, LocalKms) {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    (vault, kms)
}

fn with(mut request: Value, more: &Value) -> Value {
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

/// Every demand, of every operation, of every key. Of the keys of each tier, and of each algorithm, every action has some; which,
/// changes from rule to rule.
#[tokio::test(flavor = "multi_thread")]
async fn each_rule_is_held_against_each_key_and_operation() {
    let (vault, _kms) = with_account().await;
    let payload = json!({"payload": "aGVsbG8="});
    let mut made = Vec::new();
    for key in keys() {
        let request = with(json!({"name": "key", "algorithm": key.algorithm}), &key.holders);
        let id = vault.post("/v1/hybrid-keys", request).await["id"].clone();
        let signature =
            vault.post("/v1/sign", with(json!({"keyId": id}), &payload)).await["signature"].clone();
        made.push((key, id, signature));
    }
    let (mut cells, mut kinds) = (0, BTreeSet::new());
    let mut seen = u64::try_from(vault.events().await.len()).unwrap();
    let mut rules = Vec::new();
    for (demand, is_met) in demands() {
        for matched in ["sign", "verify", "key_create", "*"] {
            rules.push((with(json!({"matchOperation": matched}), &demand), matched, is_met));
        }
    }
    for (round, (rule, matched, is_met)) in rules.into_iter().enumerate() {
        for (turn, action) in ["enforce", "warn", "audit"].into_iter().enumerate() {
            let id = make(&vault, policy("the rule", action, &[], &rule)).await;
            seen += 1;
            // Three algorithms stand in each tier.
            let its_turn = |number: usize| (number + number / 3 + round) % 3 == turn;
            let of_turn = made.iter().enumerate().filter(|(number, _)| its_turn(*number));
            for (_, (key, key_id, signature)) in of_turn {
                // Where a cloud makes halves it takes its time: there, keys are made only where that is what the rule is about.
                let creates = key.tier < 2 || matched == "key_create";
                for operation in ["sign", "verify", "key_create"] {
                    let answer = match operation {
                        "sign" => {
                            vault.call("/v1/sign", Some(&with(json!({"keyId": key_id}), &payload))).await
                        }
                        "verify" => {
                            let check = with(json!({"keyId": key_id, "signature": signature}), &payload);
                            vault.call("/v1/verify", Some(&check)).await
                        }
                        _ if !creates => continue,
                        _ => {
                            let request =
                                with(json!({"name": "k", "algorithm": key.algorithm}), &key.holders);
                            vault.call("/v1/hybrid-keys", Some(&request)).await
                        }
                    };
                    let what = format!(
                        "{rule} {action} {operation} {} tier {}: {}",
                        key.algorithm, key.tier, answer.1
                    );
                    let violated = !is_met(key) && (matched == "*" || matched == operation);
                    if violated && action == "enforce" {
                        assert_eq!((answer.0, &answer.1["code"]), (403, &json!("policy_violated")), "{what}");
                        assert_eq!(answer.1["policyId"], id, "{what}");
                        let sentence = answer.1["error"].as_str().unwrap();
                        assert!(sentence.contains("`the rule`") && sentence.contains("it takes"), "{what}");
                    } else {
                        assert!((200..300).contains(&answer.0), "{what}");
                        let done = &answer.1["data"];
                        let complete = match operation {
                            "sign" => done["signature"].is_string(),
                            "verify" => done["ok"] == true,
                            _ => done["id"].is_string() && done["tier"] == key.tier,
                        };
                        assert!(complete, "{what}");
                    }
                    cells += 1;
                    kinds.insert((matched, operation, action, is_met(key)));
                }
                let events = vault.events_from(&vault.org, seen).await;
                seen += u64::try_from(events.len()).unwrap();
                let told: Vec<_> =
                    events.iter().filter(|event| event.event_type.name() == "policy.violated").collect();
                let about = if matched == "*" {
                    if creates { 3 } else { 2 }
                } else {
                    usize::from(matched != "key_create" || creates)
                };
                assert_eq!(told.len(), if is_met(key) { 0 } else { about }, "{rule} {action} {}", key.tier);
                for event in told {
                    let data = serde_json::to_value(&event.data).unwrap();
                    assert_eq!(data["refused"], action == "enforce");
                    assert_eq!(data["policies"].as_array().map(Vec::len), Some(1));
                    assert_eq!(
                        (&data["policies"][0]["id"], &data["policies"][0]["action"]),
                        (&json!(id), &json!(action))
                    );
                    assert!(matched == "*" || data["operation"] == matched, "{data}");
                    assert_eq!(
                        (&data["tier"], &data["algorithm"]),
                        (&json!(key.tier), &json!(key.algorithm))
                    );
                }
                let issued =
                    events.iter().filter(|event| event.event_type.name() == "signature.issued").count();
                let refused = !is_met(key) && action == "enforce" && ["sign", "*"].contains(&matched);
                assert_eq!(issued, usize::from(!refused), "{rule} {action}: what is refused is not signed");
            }
            assert_eq!(vault.delete(&format!("{POLICIES}/{id}")).await.0, 200);
            seen += 1;
        }
    }
    assert!(cells > 1000, "{cells}");
    // What a rule is about, the operation, the action, and whether the key meets it.
    assert_eq!(kinds.len(), 4 * 3 * 3 * 2, "{kinds:?}");
}

#[tokio::test]
async fn an_environment_that_is_not_said_or_not_known_leads_out_of_no_policy() {
    let vault = Vault::new().await;
    let mut keys = Vec::new();
    let metadata = [
        json!({"environment": "prod"}),
        json!({"environment": "dev"}),
        json!({"environment": "prdo"}),
        json!({"environment": "Prod"}),
        json!({"environment": 7}),
        json!({"team": "release"}),
        json!({}),
    ];
    for metadata in metadata {
        keys.push(
            vault.post("/v1/hybrid-keys", json!({"name": "k", "metadata": metadata})).await["id"].clone(),
        );
    }
    let rule = |tier: u8| json!({"matchOperation": "sign", "minTier": tier});
    let prod = make(&vault, policy("prod", "enforce", &["prod", "production"], &rule(2))).await;
    let refused = async || {
        let mut refused = Vec::new();
        for key in &keys {
            let (status, body) = vault.sign(key.as_str().unwrap()).await;
            assert!(status == 200 || status == 403, "{body}");
            refused.push(status == 403);
        }
        refused
    };
    // No policy names `dev` yet, so it may be a slip of the pen as well.
    assert_eq!(refused().await, [true; 7]);
    let (_, body) = vault.sign(keys[2].as_str().unwrap()).await;
    let sentence = body["error"].as_str().unwrap();
    assert!(sentence.contains("`prdo`") && sentence.contains("no policy names"), "{sentence}");
    let (_, body) = vault.sign(keys[6].as_str().unwrap()).await;
    assert!(body["error"].as_str().unwrap().contains("`metadata.environment` is not said"), "{body}");

    let dev = make(&vault, policy("dev", "audit", &["dev"], &rule(1))).await;
    assert_eq!(refused().await, [true, false, true, true, true, true, true]);
    let everywhere = make(&vault, policy("everywhere", "enforce", &[], &rule(1))).await;
    assert_eq!(refused().await, [true; 7]);
    let (status, body) = patch(&vault, &everywhere, &json!({"enabled": false})).await;
    assert_eq!((status, &body["data"]["enabled"]), (200, &json!(false)));
    assert_eq!(refused().await, [true, false, true, true, true, true, true], "it is not in force");
    assert_eq!(patch(&vault, &prod, &json!({"action": "warn"})).await.0, 200);
    assert_eq!(refused().await, [false; 7]);
    assert_eq!(vault.delete(&format!("{POLICIES}/{dev}")).await.0, 200);
    let public_key =
        vault.get(&format!("/v1/hybrid-keys/{}", keys[0].as_str().unwrap())).await["publicKey"].clone();
    make(&vault, policy("verify", "enforce", &[], &json!({"matchOperation": "verify", "minTier": 3}))).await;
    let check = json!({"publicKey": public_key, "payload": "", "signature": ""});
    assert_eq!(vault.call("/v1/verify", Some(&check)).await.0, 200, "a public key alone is under no policy");
}

/// A rotation makes a key: it can lead out of a tier that is too low, and never into one.
#[tokio::test]
async fn a_successor_is_a_new_key() {
    let (vault, _kms) = with_account().await;
    let key = vault.create_key("mldsa65+ed25519").await;
    let rule = json!({"matchOperation": "key_create", "minTier": 2});
    make(&vault, policy("two", "enforce", &[], &rule)).await;
    assert_eq!(vault.sign(&key).await.0, 200, "keys that exist go on");
    let rotate = |key: &str| format!("/v1/hybrid-keys/{key}/rotate");
    let (status, body) = vault.call(&rotate(&key), Some(&json!({}))).await;
    assert_eq!((status, &body["code"]), (403, &json!("policy_violated")), "{body}");
    assert_eq!(vault.sign(&key).await.0, 200, "nothing was done");
    let better = vault.post(&rotate(&key), json!({"keyProvider": "aws-kms"})).await;
    assert_eq!(better["tier"], 2);
    let worse = json!({"keyProvider": "postq-managed"});
    assert_eq!(vault.call(&rotate(better["id"].as_str().unwrap()), Some(&worse)).await.0, 403);
}

#[tokio::test]
async fn policies_are_made_shown_changed_and_deleted_and_the_ledger_tells_it() {
    let vault = Vault::new().await;
    assert_eq!(vault.get(POLICIES).await, json!([]), "none is forced on anybody");
    let offered = vault.get("/v1/policies/offered").await;
    assert_eq!(offered.as_array().unwrap().len(), 2);
    for terms in offered.as_array().unwrap() {
        assert_eq!(terms["rule"]["matchOperation"], "key_create", "taking it up stops no key that there is");
        let made = vault.post(POLICIES, terms.clone()).await;
        assert_eq!(with(made.clone(), terms), made, "it is made as it was offered");
    }
    let body =
        policy("n", "warn", &["a", "b"], &json!({"matchOperation": "*", "algorithmIn": ["mldsa65+ed25519"]}));
    let made = vault.post(POLICIES, body).await;
    let id = made["id"].as_str().unwrap();
    assert_eq!((&made["description"], &made["enabled"]), (&json!(""), &json!(true)));
    assert_eq!(vault.get(&format!("{POLICIES}/{id}")).await, made);
    let (_, changed) =
        patch(&vault, id, &json!({"rule": {"matchOperation": "sign", "minTier": 3}, "description": "d"}))
            .await;
    let changed = changed["data"].clone();
    assert_eq!(
        changed["rule"],
        json!({"matchOperation": "sign", "minTier": 3}),
        "a rule is changed as a whole"
    );
    assert_eq!(
        (&changed["name"], &changed["action"]),
        (&json!("n"), &json!("warn")),
        "what is left out stays"
    );
    assert!(changed["updatedAt"].as_str() > made["updatedAt"].as_str());
    assert_eq!(vault.get(POLICIES).await.as_array().unwrap().len(), 3);
    for (method, foreign) in
        [("GET", json!(null)), ("PATCH", json!({"enabled": false})), ("DELETE", json!(null))]
    {
        let request = Request::builder()
            .method(method)
            .uri(format!("{POLICIES}/{id}"))
            .header("authorization", format!("Bearer {}", vault.other_token))
            .header("content-type", "application/json");
        let body = if foreign.is_null() { Body::empty() } else { Body::from(foreign.to_string()) };
        let (status, _, body) = vault.send(request.body(body).unwrap()).await;
        assert_eq!((status, &body["code"]), (404, &json!("not_found")), "{method}");
    }
    assert_eq!(vault.delete(&format!("{POLICIES}/{id}")).await.0, 200);
    assert_eq!(vault.delete(&format!("{POLICIES}/{id}")).await.0, 404);
    assert_eq!(patch(&vault, id, &json!({"enabled": true})).await.0, 404);

    let events = vault.events().await;
    let told: Vec<Value> = events
        .iter()
        .filter(|event| {
            event.event_type.name() == "policy.changed" && event.subject_id.as_deref() == Some(id)
        })
        .map(|event| serde_json::to_value(&event.data).unwrap())
        .collect();
    let changes: Vec<_> = told.iter().map(|data| data["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["created", "updated", "deleted"]);
    assert_eq!(told[1]["terms"]["rule"]["minTier"], 3);
    assert_eq!(told[2]["terms"], Value::Null);
}

/// No such token can be made; one that an earlier version made may be there.
#[tokio::test]
async fn a_token_for_certain_keys_does_not_govern_by_policies() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa44+ed25519").await;
    let body = policy("p", "enforce", &[], &json!({"matchOperation": "sign", "minTier": 1}));
    let id = make(&vault, body.clone()).await;
    let made = vault.post("/v1/api-tokens", json!({"name": "old", "scopes": ["policies"]})).await;
    let token = made["token"].as_str().unwrap();
    let lines = json!([key]).to_string();
    let sql = "UPDATE tokens SET lines = ?1 WHERE id = ?2";
    assert_eq!(vault.database().execute(sql, [lines.as_str(), made["id"].as_str().unwrap()]).unwrap(), 1);
    let before = vault.events().await.len();
    let delete =
        Request::delete(format!("{POLICIES}/{id}")).header("authorization", format!("Bearer {token}"));
    let (status, _, deleted) = vault.send(delete.body(Body::empty()).unwrap()).await;
    for (status, answer) in [
        vault.call_as(token, POLICIES, Some(&body)).await,
        patch_as(token, &vault, &id, &json!({"enabled": false})).await,
        (status, deleted),
    ] {
        assert_eq!((status, &answer["code"]), (403, &json!("key_not_allowed")), "{answer}");
    }
    assert_eq!(vault.events().await.len(), before, "nothing was done");
    assert_eq!(vault.call_as(token, POLICIES, None).await.0, 200, "it may read what binds its keys");
}

#[tokio::test]
async fn what_is_no_policy_is_refused_with_what_would_be_one() {
    let vault = Vault::new().await;
    let rule = json!({"matchOperation": "sign", "minTier": 2});
    let sound = policy("p", "enforce", &[], &rule);
    let twice = ["mldsa65+ed25519", "mldsa44+ed25519", "mldsa65+ed25519"];
    for (change, field, hint) in [
        (json!({"name": ""}), "name", "1 to 128"),
        (json!({"action": "deny"}), "action", "enforce"),
        (json!({"description": "x".repeat(1025)}), "description", "1024"),
        (json!({"environments": [""]}), "environments", "1 to 64"),
        (json!({"environments": vec!["e"; 21]}), "environments", "at most 20"),
        (json!({"rule": {"matchOperation": "sign"}}), "rule", "demands something"),
        (json!({"rule": {"matchOperation": "sign", "requireHybrid": false}}), "rule", "demands something"),
        (json!({"rule": {"matchOperation": "rotate", "minTier": 2}}), "rule.matchOperation", "key_create"),
        (json!({"rule": {"matchOperation": "sign", "minTier": 0}}), "rule.minTier", "1, 2 or 3"),
        (json!({"rule": {"matchOperation": "sign", "minTier": 4}}), "rule.minTier", "1, 2 or 3"),
        (json!({"rule": {"matchOperation": "sign", "minPqLevel": 1}}), "rule.minPqLevel", "ML-DSA-44"),
        (json!({"rule": {"matchOperation": "sign", "algorithmIn": []}}), "rule", "at least one"),
        (json!({"rule": {"matchOperation": "sign", "algorithmIn": twice}}), "rule", "each once"),
        (json!({"rule": {"matchOperation": "sign", "algorithmNotIn": twice}}), "rule", "each once"),
        (
            json!({"rule": {"matchOperation": "sign", "algorithmNotIn": ["rsa"]}}),
            "rule.algorithmNotIn[0]",
            "mldsa65+ed25519",
        ),
        (json!({"rule": {"minTier": 2}}), "rule.matchOperation", "missing"),
        (json!({"rule": {"matchOperation": "sign", "minTier": 2, "maxTier": 3}}), "rule.maxTier", "unknown"),
        (json!({"priority": 1}), "priority", "unknown"),
    ] {
        let (status, body) = vault.call(POLICIES, Some(&with(sound.clone(), &change))).await;
        assert_eq!((status, &body["code"]), (400, &json!("invalid_request")), "{change}: {body}");
        assert_eq!(body["field"], field, "{body}");
        assert!(body["error"].as_str().unwrap().contains(hint), "{body}");
    }
    assert_eq!(vault.get(POLICIES).await, json!([]));
    for number in 0..100 {
        make(&vault, with(sound.clone(), &json!({"name": number.to_string()}))).await;
    }
    let (status, body) = vault.call(POLICIES, Some(&sound)).await;
    assert_eq!((status, &body["code"]), (409, &json!("too_many_policies")), "{body}");
}

/// A refusal that tells of a hundred policies, and an event that does.
#[tokio::test]
async fn as_many_policies_as_there_may_be_refuse_with_a_sentence_that_can_be_read() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa44+ed25519").await;
    let name = "\u{1f511}".repeat(128);
    for _ in 0..100 {
        make(&vault, policy(&name, "enforce", &["x"], &json!({"matchOperation": "sign", "minTier": 2})))
            .await;
    }
    let (status, body) = vault.sign(&key).await;
    let sentence = body["error"].as_str().unwrap();
    assert_eq!(status, 403);
    assert!(sentence.contains("97 more") && sentence.len() < 4096, "{sentence}");
    let last = vault.events().await.pop().unwrap();
    let data = serde_json::to_value(&last.data).unwrap();
    assert_eq!(data["policies"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_lets_nothing_pass_until_it_is_gone() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa65+ed25519").await;
    let sign = json!({"keyId": key, "payload": ""});
    let signed = vault.post("/v1/sign", sign.clone()).await;
    let kept = vault.once("kept", "/v1/sign", &sign).await;
    assert_eq!(kept.0, 200);
    let check = json!({"keyId": key, "payload": "", "signature": signed["signature"]});
    for (column, value) in [
        ("rule", "{}"),
        ("rule", r#"{"matchOperation":"sign"}"#),
        ("rule", r#"{"matchOperation":"sign","minTier":9}"#),
        ("rule", r#"{"matchOperation":"sign","minTier":1,"unless":true}"#),
        ("rule", ""),
        ("action", "ignore"),
        ("environments", "prod"),
        ("created_at", "-1"),
    ] {
        let id = make(
            &vault,
            policy("p", "audit", &["nowhere"], &json!({"matchOperation": "verify", "minTier": 1})),
        )
        .await;
        let sql = format!("UPDATE policies SET {column} = ?1 WHERE id = ?2");
        assert_eq!(vault.database().execute(&sql, [value, &id]).unwrap(), 1);
        let before = vault.events().await.len();
        for (path, body) in [
            ("/v1/sign", sign.clone()),
            ("/v1/verify", check.clone()),
            ("/v1/hybrid-keys", json!({"name": "n"})),
            (&format!("/v1/hybrid-keys/{key}/rotate"), json!({})),
        ] {
            let (status, answer) = vault.call(path, Some(&body)).await;
            assert_eq!(
                (status, &answer["code"]),
                (500, &json!("policy_unreadable")),
                "{column} {value} {path}"
            );
            assert_eq!(answer["policyId"], id);
            assert!(answer["error"].as_str().unwrap().contains("delete it"), "{answer}");
        }
        let replay = vault.once("kept", "/v1/sign", &sign).await;
        assert_eq!(replay.0, 500, "nor by replay: {}", replay.2);
        for path in [POLICIES.to_owned(), format!("{POLICIES}/{id}")] {
            assert_eq!(vault.call(&path, None).await.1["policyId"], id);
        }
        assert_eq!(patch(&vault, &id, &json!({"enabled": false})).await.1["code"], "policy_unreadable");
        assert_eq!(vault.events().await.len(), before, "nothing was signed, made or checked");
        assert_eq!(vault.delete(&format!("{POLICIES}/{id}")).await.0, 200);
        assert_eq!(vault.sign(&key).await.0, 200);
        assert_eq!(vault.once("kept", "/v1/sign", &sign).await, (200, true, kept.2.clone()));
    }
}

#[tokio::test]
async fn a_replay_is_held_against_the_policies_of_its_own_time() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa65+ed25519").await;
    let sign = json!({"keyId": key, "payload": ""});
    let signed = vault.once("signed", "/v1/sign", &sign).await;
    let signature: Value = serde_json::from_str(&signed.2).unwrap();
    let check = json!({"keyId": key, "payload": "", "signature": signature["data"]["signature"]});
    let checked = vault.once("checked", "/v1/verify", &check).await;
    let id = make(&vault, policy("p", "enforce", &[], &json!({"matchOperation": "*", "minTier": 1}))).await;
    assert_eq!(vault.once("signed", "/v1/sign", &sign).await.0, 403);
    assert_eq!(vault.once("checked", "/v1/verify", &check).await.0, 403);
    assert_eq!(vault.delete(&format!("{POLICIES}/{id}")).await.0, 200);
    assert_eq!(vault.once("signed", "/v1/sign", &sign).await, (200, true, signed.2), "the answer was kept");
    assert_eq!(vault.once("checked", "/v1/verify", &check).await, (200, true, checked.2));
}
