//! Every way that AWS lets the three axes be combined, six algorithms each, through a server over HTTP; and the refusal of
//! every other way, with what would work.

use serde_json::{Value, json};

use crate::{
    local_kms::{LocalKms, ROLE},
    server_process::{Answer, Server, agent},
};

const ALGORITHMS: [&str; 6] = [
    "mldsa44+ed25519",
    "mldsa44+ecdsa-p256",
    "mldsa65+ed25519",
    "mldsa65+ecdsa-p256",
    "mldsa87+ed25519",
    "mldsa87+ecdsa-p256",
];

/// Who wraps, who holds the classical half, who holds the ML-DSA half; who then wraps in truth, and the tier.
const AXES: [(&str, &str, &str, Option<&str>, u64); 8] = [
    ("env", "postq-managed", "postq-managed", Some("env"), 0),
    ("aws-kms", "postq-managed", "postq-managed", Some("aws-kms"), 1),
    ("env", "aws-kms", "postq-managed", Some("env"), 2),
    ("env", "postq-managed", "aws-kms", Some("env"), 2),
    ("aws-kms", "aws-kms", "postq-managed", Some("aws-kms"), 2),
    ("aws-kms", "postq-managed", "aws-kms", Some("aws-kms"), 2),
    ("env", "aws-kms", "aws-kms", None, 3),
    ("aws-kms", "aws-kms", "aws-kms", None, 3),
];

/// A server whose organisation has an account in an emulated KMS.
struct Bed {
    kms: LocalKms,
    server: Server,
    _data: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let kms = LocalKms::start();
        let data = tempfile::tempdir().unwrap();
        let url = kms.url();
        let variables = [
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "any"),
            ("AWS_SECRET_ACCESS_KEY", "any"),
        ];
        let server = Server::start(data.path(), &variables);
        Self { kms, server, _data: data }
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let url = format!("{}{path}", self.server.address);
        let bearer = format!("Bearer {}", self.server.token);
        let answer = match (method, body) {
            ("PUT", Some(body)) => agent().put(&url).header("Authorization", &bearer).send_json(body),
            ("DELETE", _) => agent().delete(&url).header("Authorization", &bearer).call(),
            _ => return self.server.call(path, body),
        };
        Answer::read(answer.unwrap())
    }

    fn done(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = self.call(method, path, body);
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text);
        answer.body["data"].clone()
    }

    async fn open_account(&self) {
        let whoami = self.done("GET", "/v1/whoami", None);
        self.kms.trust(ROLE, whoami["externalId"].as_str());
        let settings = json!({"aws": {"keyArn": self.kms.make_kek().await, "roleArn": ROLE}});
        self.done("PUT", "/v1/vault/settings", Some(&settings));
    }

    fn create(&self, algorithm: &str, kek: &str, classical: &str, pq: &str) -> Answer {
        let request = json!({
            "name": "key", "algorithm": algorithm, "kekProvider": kek, "keyProvider": classical, "pqProvider": pq
        });
        self.call("POST", "/v1/hybrid-keys", Some(&request))
    }
}

#[tokio::test]
async fn every_combination_lives_its_life_over_http() {
    let bed = Bed::new();
    bed.open_account().await;
    for algorithm in ALGORITHMS {
        for (kek, classical, pq, wraps, tier) in AXES {
            let what = format!("{algorithm} {kek} {classical} {pq}");
            let made = bed.create(algorithm, kek, classical, pq);
            assert_eq!(made.status, 201, "{what}: {}", made.text);
            let key = made.body["data"].clone();
            assert_eq!(key["tier"], tier, "{what}");
            assert_eq!(key["kekProvider"], json!(wraps), "{what}");
            let id = key["id"].as_str().unwrap();

            let signs = |id: &str, public_key: &Value| {
                let request = json!({"keyId": id, "payload": "aGVsbG8=", "context": "Y29udGV4dA=="});
                let signature = bed.done("POST", "/v1/sign", Some(&request))["signature"].clone();
                for of in [json!({"keyId": id}), json!({"publicKey": public_key})] {
                    let mut request =
                        json!({"payload": "aGVsbG8=", "context": "Y29udGV4dA==", "signature": signature});
                    request.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
                    let verdict = bed.done("POST", "/v1/verify", Some(&request));
                    assert_eq!(
                        (&verdict["ok"], &verdict["classicalOk"]),
                        (&json!(true), &json!(true)),
                        "{what}"
                    );
                }
            };
            signs(id, &key["publicKey"]);
            let successor = bed.done("POST", &format!("/v1/hybrid-keys/{id}/rotate"), Some(&json!({})));
            assert_eq!(successor["tier"], tier, "{what}: it inherits");
            signs(successor["id"].as_str().unwrap(), &successor["publicKey"]);
            let path = format!("/v1/hybrid-keys/{}", successor["id"].as_str().unwrap());
            bed.done("DELETE", &path, None);
            let refused =
                bed.call("POST", "/v1/sign", Some(&json!({"keyId": successor["id"], "payload": ""})));
            assert_eq!((refused.status, &refused.body["code"]), (409, &json!("key_revoked")), "{what}");
        }
    }
    // Two keys for each remote half: none is left behind without being in the outbox, whose emptying is another test's.
    let halves = 2
        * ALGORITHMS.len()
        * AXES.iter().map(|axes| remote_halves(axes.1) + remote_halves(axes.2)).sum::<usize>();
    assert_eq!(bed.kms.marked().len(), halves);
}

fn remote_halves(provider: &str) -> usize {
    usize::from(provider == "aws-kms")
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_would_work_and_leaves_nothing() {
    let bed = Bed::new();
    let refused = bed.create("mldsa65+ed25519", "aws-kms", "postq-managed", "postq-managed");
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("settings_missing")));
    assert!(refused.body["error"].as_str().unwrap().contains("PUT /v1/vault/settings"), "{}", refused.text);
    bed.open_account().await;
    bed.kms.control(&json!({"forgetCalls": true}));
    for (kek, classical, pq, status, code, says) in [
        (
            "env",
            "postq-managed",
            "aws-cloudhsm",
            501,
            "provider_unavailable",
            "awaiting cloud HSM ML-DSA support",
        ),
        (
            "env",
            "postq-managed",
            "azure-managed-hsm",
            501,
            "provider_unavailable",
            "awaiting cloud HSM ML-DSA support",
        ),
        (
            "aws-kms",
            "aws-kms",
            "aws-cloudhsm",
            501,
            "provider_unavailable",
            "awaiting cloud HSM ML-DSA support",
        ),
        ("env", "azure-kv", "postq-managed", 422, "unsupported_combination", "ecdsa-p256"),
        ("azure-kv", "postq-managed", "postq-managed", 422, "settings_missing", "Azure"),
        ("gcp-kms", "postq-managed", "postq-managed", 422, "settings_missing", "Google Cloud KMS"),
        ("env", "gcp-kms", "postq-managed", 422, "settings_missing", "Google Cloud KMS"),
        ("env", "postq-managed", "gcp-kms", 422, "settings_missing", "Google Cloud KMS"),
        ("aws-kms", "aws-kms", "gcp-kms", 422, "settings_missing", "Google Cloud KMS"),
    ] {
        let answer = bed.create("mldsa65+ed25519", kek, classical, pq);
        let what = format!("{kek} {classical} {pq}: {}", answer.text);
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{what}");
        assert!(answer.body["error"].as_str().unwrap().contains(says), "{what}");
    }
    let answer = bed.create("mldsa65+ecdsa-p256", "env", "azure-kv", "postq-managed");
    assert_eq!((answer.status, &answer.body["code"]), (422, &json!("settings_missing")), "{}", answer.text);
    assert!(bed.kms.calls().iter().all(|call| call == "AssumeRole"), "{:?}", bed.kms.calls());
    assert_eq!(bed.done("GET", "/v1/hybrid-keys", None), json!([]));
}

/// The upgrade path of a key that exists: one axis after the other moves away from the vault, and back.
#[tokio::test]
async fn rotation_moves_a_key_from_tier_to_tier() {
    let bed = Bed::new();
    bed.open_account().await;
    let mut id = bed.server.create_key("mldsa65+ecdsa-p256")["id"].as_str().unwrap().to_owned();
    for (change, tier, kek) in [
        (json!({"kekProvider": "aws-kms"}), 1, json!("aws-kms")),
        (json!({"keyProvider": "aws-kms"}), 2, json!("aws-kms")),
        (json!({"pqProvider": "aws-kms"}), 3, json!(null)),
        (json!({"pqProvider": "postq-managed", "kekProvider": "aws-kms"}), 2, json!("aws-kms")),
        (json!({"keyProvider": "postq-managed", "kekProvider": "env"}), 0, json!("env")),
    ] {
        let successor = bed.done("POST", &format!("/v1/hybrid-keys/{id}/rotate"), Some(&change));
        assert_eq!((&successor["tier"], &successor["kekProvider"]), (&json!(tier), &kek), "{change}");
        id = successor["id"].as_str().unwrap().to_owned();
        let signed = bed.done("POST", "/v1/sign", Some(&json!({"keyId": id, "payload": ""})));
        assert_eq!(signed["keyId"], json!(id));
    }
    let lineage = bed.done("GET", &format!("/v1/hybrid-keys/{id}/lineage"), None);
    assert_eq!(lineage["successions"].as_array().unwrap().len(), 5, "{lineage}");
}
