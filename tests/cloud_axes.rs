//! Every way in which AWS, Azure and Google Cloud together let the three axes be combined, six algorithms each: made, signed with, rotated, revoked, and
//! every signature checked by the published verifier, offline and knowing nothing of where the halves are.

use serde_json::{Value, json};

use crate::{
    in_process::Vault, local_azure::LocalAzure, local_gcp::LocalGcp, local_kms::LocalKms, npm_vectors,
};

const ALGORITHMS: [&str; 6] = [
    "mldsa44+ed25519",
    "mldsa44+ecdsa-p256",
    "mldsa65+ed25519",
    "mldsa65+ecdsa-p256",
    "mldsa87+ed25519",
    "mldsa87+ecdsa-p256",
];
const KEKS: [&str; 4] = ["env", "aws-kms", "azure-kv", "gcp-kms"];
const CLASSICAL: [&str; 4] = ["postq-managed", "aws-kms", "azure-kv", "gcp-kms"];
const PQ: [&str; 3] = ["postq-managed", "aws-kms", "gcp-kms"];

/// The three of them, in one vault.
struct Clouds {
    kms: LocalKms,
    azure: LocalAzure,
    gcp: LocalGcp,
}

impl Clouds {
    fn start() -> Self {
        let clouds = Self { kms: LocalKms::start(), azure: LocalAzure::start(), gcp: LocalGcp::start() };
        // A half is there at once: that one may not be is tried elsewhere.
        clouds.gcp.control(&json!({"pending": 0}));
        clouds
    }

    /// It is called by HTTP.
    async fn vault(&self) -> Vault {
        let (vault, kek) = self.kms.equip(Vault::new().await).await;
        let (azure, gcp) = (self.azure.cloud(), self.gcp.cloud());
        let vault = vault.with_custody(|custody| {
            custody.clouds.push(azure);
            custody.clouds.push(gcp);
        });
        let all = json!({
            "aws": {"keyArn": kek, "roleArn": crate::local_kms::ROLE}, "azure": crate::local_azure::account(),
            "gcp": self.gcp.account(),
        });
        let (status, body) = vault.put("/v1/vault/settings", &all).await;
        assert_eq!(status, 200, "{body}");
        vault.served().await
    }
}

/// A signature over `hello` in the context `context`, as the verifier's cases have them.
async fn signed(vault: &Vault, id: &str, what: &str) -> Value {
    let request = json!({"keyId": id, "payload": "aGVsbG8=", "context": "Y29udGV4dA=="});
    let signed = vault.post("/v1/sign", request).await;
    let key = vault.get(&format!("/v1/hybrid-keys/{id}")).await;
    json!({
        "id": what, "publicKey": key["publicKey"], "payload": "aGVsbG8=", "context": "Y29udGV4dA==",
        "signature": signed["signature"], "expected": 3,
    })
}

#[tokio::test]
async fn keys_of_mixed_custody_live_their_lives_and_verify_offline() {
    let clouds = Clouds::start();
    let vault = clouds.vault().await;
    let mut cases = Vec::new();
    let mut refused = 0;
    for algorithm in ALGORITHMS {
        for (kek, classical, pq) in KEKS
            .iter()
            .flat_map(|kek| CLASSICAL.iter().flat_map(move |classical| PQ.map(|pq| (*kek, *classical, pq))))
        {
            let what = format!("{algorithm} {kek} {classical} {pq}");
            let request = json!({
                "name": "key", "algorithm": algorithm, "kekProvider": kek, "keyProvider": classical, "pqProvider": pq,
            });
            let (status, made) = vault.call("/v1/hybrid-keys", Some(&request)).await;
            if classical == "azure-kv" && algorithm.ends_with("ed25519") {
                assert_eq!(
                    (status, &made["code"]),
                    (422, &json!("unsupported_combination")),
                    "{what}: {made}"
                );
                assert!(made["error"].as_str().unwrap().contains("ecdsa-p256"), "{what}: {made}");
                refused += 1;
                continue;
            }
            assert_eq!(status, 201, "{what}: {made}");
            let key = &made["data"];
            let remote = usize::from(classical != "postq-managed") + usize::from(pq != "postq-managed");
            let tier = if remote > 0 { 1 + remote } else { usize::from(kek != "env") };
            assert_eq!(key["tier"], tier, "{what}");
            let id = key["id"].as_str().unwrap();
            cases.push(signed(&vault, id, &what).await);
            let successor = vault.rotate(id).await;
            cases.push(signed(&vault, &successor, &format!("{what}, rotated")).await);
            vault.revoke(&successor).await;
            let (status, ended) = vault.sign(&successor).await;
            assert_eq!((status, &ended["code"]), (409, &json!("key_revoked")), "{what}");
        }
    }
    let combinations = KEKS.len() * CLASSICAL.len() * PQ.len() * ALGORITHMS.len();
    assert_eq!((combinations, refused, cases.len()), (288, 3 * 4 * 3, 2 * (288 - 36)));
    let checked = cases.len();
    let outcome = npm_vectors::verify_in_node(&cases);
    assert_eq!((&outcome["wrong"], &outcome["ran"]["signatures"]), (&json!([]), &json!(checked)));
}

/// A key goes from one cloud to another by rotation, and its lineage proves it.
#[tokio::test]
async fn rotation_moves_a_key_between_clouds() {
    let clouds = Clouds::start();
    let vault = clouds.vault().await;
    let made = vault.post("/v1/hybrid-keys", json!({"name": "k", "algorithm": "mldsa65+ecdsa-p256"})).await;
    let first = made["id"].as_str().unwrap().to_owned();
    let mut id = first.clone();
    let moves = [
        (json!({"kekProvider": "azure-kv", "keyProvider": "aws-kms"}), 2),
        (json!({"kekProvider": "aws-kms", "keyProvider": "azure-kv"}), 2),
        (json!({"pqProvider": "aws-kms"}), 3),
        (json!({"kekProvider": "gcp-kms", "keyProvider": "gcp-kms"}), 3),
        (json!({"keyProvider": "azure-kv", "pqProvider": "gcp-kms"}), 3),
        (json!({"kekProvider": "env", "keyProvider": "postq-managed", "pqProvider": "postq-managed"}), 0),
    ];
    for (to, tier) in &moves {
        let successor = vault.post(&format!("/v1/hybrid-keys/{id}/rotate"), to.clone()).await;
        assert_eq!(&successor["tier"], tier, "{to}");
        id = successor["id"].as_str().unwrap().to_owned();
        assert_eq!(vault.sign(&id).await.0, 200, "{to}");
    }
    let lineage = vault.get(&format!("/v1/hybrid-keys/{first}/lineage")).await;
    assert_eq!(lineage["keys"].as_array().map(Vec::len), Some(moves.len() + 1), "{lineage}");
}
