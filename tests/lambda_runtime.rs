//! The Lambda binaries really run, over DynamoDB, and answer as a vault in one process does.

use std::{
    net::{SocketAddr, TcpListener},
    process::Command,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{in_process::Vault, lambda_process::Lambda, server_process::binary};

#[tokio::test(flavor = "multi_thread")]
async fn the_lambdas_answer_as_one_process_does() {
    let vault = Vault::in_dynamodb().await;
    let token = vault.token.clone();

    let mut create = Lambda::start("create-key", &vault).await;
    let (status, created) =
        create.call("POST", "/v1/hybrid-keys", &token, Some(&json!({"name": "made by a Lambda"}))).await;
    assert_eq!(status, 201, "{created}");
    let id = created["data"]["id"].as_str().unwrap().to_owned();

    let mut sign = Lambda::start("sign", &vault).await;
    let mut verify = Lambda::start("verify", &vault).await;
    for request in [json!({"keyId": id, "payload": "aGVsbG8="}), json!({"keyId": id, "payload": "aGVsbG8h"})]
    {
        let (status, signed) = sign.call("POST", "/v1/sign", &token, Some(&request)).await;
        assert_eq!(status, 200, "{signed}");
        let (_, in_process) = vault.call("/v1/sign", Some(&request)).await;
        assert_eq!(
            without(&signed, ["signature", "eventId", "eventDigest"]),
            without(&in_process, ["signature", "eventId", "eventDigest"])
        );
        for signature in [&signed["data"]["signature"], &in_process["data"]["signature"]] {
            let check = json!({"keyId": id, "payload": request["payload"], "signature": signature});
            let (status, verdict) = verify.call("POST", "/v1/verify", &token, Some(&check)).await;
            assert_eq!((status, &verdict["data"]["ok"]), (200, &json!(true)), "{verdict}");
            assert_eq!(verdict, vault.call("/v1/verify", Some(&check)).await.1);
        }
    }
    // Refusals are the same too, but for the id of the request.
    for (request, token) in [
        (json!({"keyId": "key_x", "payload": ""}), token.as_str()),
        (json!({"keyId": id}), &token),
        (json!({"keyId": id, "payload": "", "context": STANDARD.encode("postq-vault")}), &token),
        (json!({"keyId": id, "payload": ""}), "not-a-token"),
    ] {
        let (status, refused) = sign.call("POST", "/v1/sign", token, Some(&request)).await;
        let (expected, by_vault) = vault.call_as(token, "/v1/sign", Some(&request)).await;
        assert_eq!((status, without(&refused, ["requestId"])), (expected, without(&by_vault, ["requestId"])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_lambda_has_its_route() {
    let vault = Vault::in_dynamodb().await;
    let id = vault.create_key("mldsa44+ed25519").await;
    for (name, path) in [
        ("health", "/health".to_owned()),
        ("health", "/v1/health".to_owned()),
        ("whoami", "/v1/whoami".to_owned()),
        ("list-keys", "/v1/hybrid-keys?limit=1".to_owned()),
        ("get-key", format!("/v1/hybrid-keys/{id}")),
        ("public-key", format!("/v1/hybrid-keys/{id}/public-key")),
        ("key-audit", format!("/v1/hybrid-keys/{id}/audit")),
        ("key-lineage", format!("/v1/hybrid-keys/{id}/lineage")),
        ("api-tokens", "/v1/api-tokens".to_owned()),
        ("usage", "/v1/usage".to_owned()),
        ("get-settings", "/v1/vault/settings".to_owned()),
        ("read-ledger", "/v1/ledger/entries".to_owned()),
        ("read-ledger", "/v1/ledger/checkpoints/latest".to_owned()),
        ("not-found", "/v1/nothing".to_owned()),
    ] {
        let mut lambda = Lambda::start(name, &vault).await;
        let (status, body) = lambda.call("GET", &path, &vault.token, None).await;
        let (expected, in_process) = vault.call(&path, None).await;
        assert_eq!((status, without(&body, ["requestId"])), (expected, without(&in_process, ["requestId"])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lives_and_ends_in_lambdas_and_the_ledger_tells() {
    let vault = Vault::in_dynamodb().await;
    let token = vault.token.clone();
    let id = vault.create_key("mldsa44+ed25519").await;
    let (_, signed) = vault.sign(&id).await;
    let event = signed["data"]["eventId"].as_str().unwrap();
    let call = async |name: &str, method: &str, path: &str, body: Option<&Value>| {
        let mut lambda = Lambda::start(name, &vault).await;
        let (status, answer) = lambda.call(method, path, &token, body).await;
        assert!((200..300).contains(&status), "{name}: {answer}");
        answer["data"].clone()
    };
    let next = call("rotate-key", "POST", &format!("/v1/hybrid-keys/{id}/rotate"), Some(&json!({}))).await;
    let next = next["id"].as_str().unwrap();
    let revoked = call("revoke-key", "DELETE", &format!("/v1/hybrid-keys/{next}"), None).await;
    let (_, refused) = vault.sign(next).await;
    assert_eq!(refused["code"], "key_revoked", "a revocation by one process binds the other at once");
    assert_eq!(revoked["id"], next);
    let entry = call("append-ledger", "POST", "/v1/ledger/entries", Some(&json!({"name": "n"}))).await;
    let sealed = call("seal-ledger", "POST", "/v1/ledger/seal", Some(&json!({}))).await;
    assert_eq!(sealed["treeSize"], entry["seq"].as_u64().unwrap() + 1);
    let receipt = call("receipt", "GET", &format!("/v1/receipts/{event}"), None).await;
    assert_eq!(receipt["ledger"]["checkpoint"]["treeSize"], sealed["treeSize"]);
    let bundle = call("read-ledger", "GET", "/v1/ledger/bundle", None).await;
    let bundle: ledger::Bundle = serde_json::from_value(bundle).unwrap();
    assert!(bundle.check(&ledger::Pins::default()).unwrap().complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_take_events_from_operators_streams_and_schedules() {
    let vault = Vault::in_dynamodb().await;
    let mut make = Lambda::start("create-org", &vault).await;
    let made = make.invoke(json!({"name": "made by a Lambda", "environment": "test"})).await.unwrap();
    let (org, token) = (made["org"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert!(token.starts_with("pq_test_"));
    let (status, who) = vault.call_as(token, "/v1/whoami", None).await;
    assert_eq!((status, who["data"]["org"].as_str()), (200, Some(org)), "{who}");
    for (event, named) in [
        (json!({"environment": "test"}), "name"),
        (json!({"name": "n", "environment": "prod"}), "live"),
        (json!({"name": "n", "environment": "test", "token": "mine"}), "unknown field `token`"),
    ] {
        let refused = make.invoke(event).await.unwrap_err();
        assert!(refused.contains(named), "{refused}");
    }

    // Its events wait until a record of the stream names it, or a schedule asks for all.
    let org: vault::id::OrgId = org.parse().unwrap();
    let waits = async |org: &vault::id::OrgId| !vault.store.unplaced(org, 10).await.unwrap().is_empty();
    let mut sequence = Lambda::start("sequence-events", &vault).await;
    assert!(waits(&org).await && waits(&vault.org).await);
    let record = json!({"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"S": format!("{org}#3")}, "sk": {"S": "evt_x"}}}});
    let done = sequence.invoke(json!({"Records": [record, record]})).await.unwrap();
    assert_eq!(done, json!({"sequenced": 1}));
    assert!(!waits(&org).await && waits(&vault.org).await);
    sequence.invoke(json!({"source": "aws.events"})).await.unwrap();
    assert!(!waits(&vault.org).await && !waits(&vault.other_org).await);

    let mut rotate = Lambda::start("rotate-ledger-key", &vault).await;
    let rotated = rotate.invoke(json!({"org": vault.org})).await.unwrap();
    let now = vault.store.org(&vault.org).await.unwrap().unwrap().ledger_key;
    assert_eq!(rotated["successor"], now.as_str());
    assert!(rotate.invoke(json!({"org": "org_x"})).await.is_err());

    let key = vault.create_key("mldsa44+ed25519").await;
    let mut rewrap = Lambda::start("rewrap-keys", &vault).await;
    let moved = rewrap.invoke(json!({})).await.unwrap();
    assert_eq!(
        (moved["moved"].as_u64(), moved["refused"].as_array().map(Vec::len)),
        (Some(0), Some(0)),
        "{moved}"
    );
    assert!(moved["current"].as_u64() >= Some(4), "{key} and the ledgers' keys: {moved}");

    let mut recover = Lambda::start("recover", &vault).await;
    assert_eq!(recover.invoke(json!({})).await.unwrap(), json!({"restored": false, "revokedAgain": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_opened_before_the_first_request_and_a_start_fails_for_none() {
    let aws = TcpListener::bind("127.0.0.1:0").unwrap();
    aws.set_nonblocking(true).unwrap();
    let variables = |aws: SocketAddr| {
        [
            ("AWS_ENDPOINT_URL", format!("http://{aws}")),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "any".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "any".to_owned()),
            ("POSTQ_TABLES", "vault-".to_owned()),
            ("POSTQ_SIGNING_KEK_CIPHERTEXT", STANDARD.encode("what KMS wrapped")),
        ]
    };
    // It takes connections and never answers.
    let silent = aws.local_addr().unwrap();
    // One to the tables, and one to KMS where a key-encryption key is opened.
    for (name, opens) in [
        ("sign", 2),
        ("verify", 1),
        ("create-key", 2),
        ("seal-ledger", 2),
        ("put-settings", 1),
        ("sequence-events", 0),
    ] {
        let lambda = Lambda::start_with(name, &variables(silent)).await;
        lambda.polls().await;
        let opened = std::iter::from_fn(|| aws.accept().ok()).count();
        assert_eq!(opened, opens, "{name}");
    }
    drop(aws);
    let lambda = Lambda::start_with("sign", &variables(silent)).await;
    lambda.polls().await;
}

#[test]
fn a_lambda_without_its_environment_says_what_to_set() {
    let told = |variables: &[(&str, &str)]| {
        let output =
            Command::new(binary("sign")).env_clear().envs(variables.iter().copied()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(told(&[]).contains("set POSTQ_TABLES to what the names of the deployment's tables begin with"));
    let tables = ("POSTQ_TABLES", "vault-");
    let region = ("AWS_REGION", "eu-central-1");
    assert!(told(&[tables, region]).contains("set POSTQ_SIGNING_KEK to 32 random bytes in base64"));
    let malformed = told(&[tables, region, ("POSTQ_SIGNING_KEK", "a-malformed-kek")]);
    assert!(malformed.contains("POSTQ_SIGNING_KEK is malformed") && !malformed.contains("a-malformed"));
}

/// The answer without members that differ from call to call.
fn without<const N: usize>(answer: &Value, members: [&str; N]) -> Value {
    let mut answer = answer.clone();
    for member in members {
        if let Some(object) = answer.as_object_mut() {
            object.remove(member);
        }
        if let Some(data) = answer["data"].as_object_mut() {
            data.remove(member);
        }
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sealer_is_reached_by_its_route_by_name_and_by_a_schedule() {
    let vault = Vault::in_dynamodb().await;
    for org in [&vault.org, &vault.other_org] {
        server::sequencer(&vault.store).sequence(org).await.unwrap();
    }
    let mut seal = Lambda::start("seal-ledger", &vault).await;
    assert_eq!(seal.invoke(json!({"org": vault.org})).await.unwrap(), json!({"sealed": 1}));
    let size =
        async |org| vault.store.checkpoints(org, None, 1).await.unwrap().pop().map(|newest| newest.tree_size);
    assert_eq!((size(&vault.org).await, size(&vault.other_org).await), (Some(2), None));
    let schedule = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
    assert_eq!(seal.invoke(schedule.clone()).await.unwrap(), json!({"sealed": 1}));
    assert_eq!(size(&vault.other_org).await, Some(2));
    assert_eq!(seal.invoke(schedule).await.unwrap(), json!({"sealed": 0}), "nothing is new");
    let (status, body) = seal.call("POST", "/v1/ledger/seal", &vault.token, Some(&json!({}))).await;
    assert_eq!((status, &body["data"]["fresh"]), (200, &json!(false)), "{body}");
    assert!(seal.invoke(json!({"org": "org_01h00000000000000000000000"})).await.is_err());
}
