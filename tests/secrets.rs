//! A canary: no secret that the vault holds or is handed reaches a line of its log or an answer, at the most talkative
//! setting and on the unhappy paths.

use base64::{Engine, engine::general_purpose::STANDARD};
use custody_local::{EnvKek, Kek};
use serde_json::json;
use store_sqlite::SqliteStore;
use vault::{
    custody::{KeyEncryption, Subject},
    id::{KeyId, OrgId},
    sealed::{HalfName, SealContext, open},
    store::{KeyKind, Keys, SealedHalves},
};

use crate::server_process::Server;

#[tokio::test]
async fn no_secret_reaches_a_log_or_an_answer() {
    let data = tempfile::tempdir().unwrap();
    let kek = Kek::generate().unwrap().expose_base64().to_string();
    let mut server = Server::start(data.path(), &[("POSTQ_SIGNING_KEK", &kek), ("RUST_LOG", "trace")]);
    let mut answers = Vec::new();
    let key = server.create_key("mldsa65+ecdsa-p256");
    let payload = "a payload that is none of the log's business";
    let context = "nor is this context";
    let (payload64, context64) = (STANDARD.encode(payload), STANDARD.encode(context));
    let signed = server
        .call("/v1/sign", Some(&json!({"keyId": key["id"], "payload": payload64, "context": context64})));
    answers.push(signed.text.clone());
    for (path, body) in [
        ("/v1/sign", json!({"keyId": key["id"], "payload": payload64, "surplus": payload64})),
        ("/v1/sign", json!({"keyId": payload64, "payload": payload64})),
        ("/v1/sign", json!({"keyId": key["id"], "prehash": payload64})),
        ("/v1/verify", json!({"keyId": key["id"], "payload": payload64, "signature": payload64})),
        ("/v1/verify", json!({"publicKey": payload64, "payload": payload64, "signature": ""})),
        ("/v1/hybrid-keys", json!({"name": "n", "algorithm": "x"})),
    ] {
        answers.push(server.call(path, Some(&body)).text);
    }
    let wrong_token = "pq_live_a_wrong_token_that_is_long_enough_to_be_looked_at";
    answers.push(server.call_as(wrong_token, "/v1/whoami", None).text);
    answers.push(server.call("/v1/hybrid-keys?namePrefix=a-name-in-a-query", None).text);
    let database = rusqlite::Connection::open(data.path().join("vault.db")).unwrap();
    let org: OrgId = server.call("/v1/whoami", None).body["data"]["org"].as_str().unwrap().parse().unwrap();
    let secrets = secrets_of(data.path(), &kek, &org, key["id"].as_str().unwrap()).await;
    // One that was not opened before.
    let damaged = server.create_key("mldsa65+ecdsa-p256");
    database.execute("UPDATE sealed_halves SET sealed = zeroblob(61)", []).unwrap();
    answers.push(server.call("/v1/sign", Some(&json!({"keyId": damaged["id"], "payload": payload64}))).text);
    let token = server.token.clone();
    let (_, log) = server.stop();

    assert!(log.contains("the sealed classical half does not open"), "the operator learns the cause: {log}");
    assert!(log.lines().count() >= 12, "a line for every call, at least");
    let hidden_from_all = [
        kek.clone(),
        hex::encode(STANDARD.decode(&kek).unwrap()),
        token.clone(),
        token.strip_prefix("pq_live_").unwrap().to_owned(),
        wrong_token.to_owned(),
    ];
    let hidden_from_the_log =
        [payload, &payload64, context, &context64, "a-name-in-a-query"].map(str::to_owned);
    for secret in hidden_from_all.iter().chain(&secrets) {
        assert!(secret.len() >= 12);
        assert!(!log.contains(secret.as_str()), "a secret is in the log");
        assert!(answers.iter().all(|answer| !answer.contains(secret.as_str())), "a secret is in an answer");
    }
    for secret in hidden_from_the_log {
        assert!(!log.contains(&secret), "`{secret}` is in the log");
    }
}

/// The data key and both halves' secrets, as a log might spell them.
async fn secrets_of(data: &std::path::Path, kek: &str, org: &OrgId, key: &str) -> Vec<String> {
    let store = SqliteStore::open(&data.join("vault.db")).unwrap();
    let key: KeyId = key.parse().unwrap();
    let record = store.key(org, &key).await.unwrap().unwrap();
    let sealed = store.sealed(org, &key).await.unwrap();
    let subject = Subject { org, key: &key };
    let kek = EnvKek::from_variables(Some(kek), None).unwrap();
    let dek = kek.unwrap_dek(subject, &record.kek.as_ref().unwrap().wrapped).await.unwrap();
    let mut secrets = vec![*dek.0];
    for (half, sealed) in [(HalfName::Pq, sealed.pq), (HalfName::Classical, sealed.classical)] {
        let context = SealContext { subject, kind: KeyKind::User, public_key: &record.public_key, half };
        secrets.push(*open(&dek, context, &sealed.unwrap()).unwrap().0);
    }
    let debug = |secret: &[u8; 32]| format!("{secret:?}").trim_matches(['[', ']']).to_owned();
    secrets
        .iter()
        .flat_map(|secret| {
            [hex::encode(secret), hex::encode_upper(secret), STANDARD.encode(secret), debug(secret)]
        })
        .collect()
}
