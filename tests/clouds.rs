//! What is asked of every cloud's keys in the same way.

use serde_json::{Value, json};
use vault::{
    custody::{CloudName, CustodyError},
    id::{KeyId, OrgId},
};

use crate::{emulation::Emulation, in_process::Vault};

/// Status and code of an answer.
pub(crate) fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default())
}

/// The code of a failure, which is this cloud's.
pub(crate) fn fault<T>(cloud: CloudName, outcome: Result<T, CustodyError>) -> &'static str {
    match outcome.err().expect("it succeeded") {
        CustodyError::Cloud { cloud: whose, fault, .. } if whose == cloud => fault.code(),
        error => panic!("{error}"),
    }
}

pub(crate) fn ids() -> (OrgId, KeyId) {
    let now = vault::Timestamp::now();
    (OrgId::generate(now).unwrap(), KeyId::generate(now).unwrap())
}

/// An account with members that are others, and without those that are null.
pub(crate) fn changed(mut account: Value, changes: &Value) -> Value {
    let members = account.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    account
}

/// How many signatures the ledger was told of.
pub(crate) async fn issued(vault: &Vault) -> usize {
    vault.events().await.iter().filter(|event| event.event_type.name() == "signature.issued").count()
}

/// A key for each algorithm, and who wraps and holds what of it.
pub(crate) async fn keys(vault: &Vault, of: &[(&str, &str, &str, &str)]) -> Vec<String> {
    let mut keys = Vec::new();
    for (algorithm, kek, classical, pq) in of {
        let request = json!({
            "name": "k", "algorithm": algorithm, "kekProvider": kek, "keyProvider": classical, "pqProvider": pq,
        });
        let key = vault.post("/v1/hybrid-keys", request).await;
        keys.push(key["id"].as_str().unwrap().to_owned());
    }
    keys
}

/// Each outage is told as it is by every key, and over when it is over.
pub(crate) async fn each_outage(
    cloud: &Emulation,
    (vault, keys): (&Vault, &[String]),
    outages: &[(&str, (u16, &str))],
    says: [&str; 2],
) {
    for (how, expected) in outages {
        cloud.faults(&json!([{"how": how}]));
        for key in keys {
            let refused = vault.sign(key).await;
            assert_eq!(code(&refused), *expected, "{how}: {}", refused.1);
            let error = refused.1["error"].as_str().unwrap();
            assert!(says.iter().all(|said| error.contains(said)), "{error}");
        }
        cloud.faults(&json!([]));
        for key in keys {
            let answer = vault.sign(key).await;
            assert_eq!(answer.0, 200, "{how} is over: {}", answer.1);
        }
    }
}
