//! Every way in which AWS and Azure together let the three axes be combined, six algorithms each: made, signed with, rotated, revoked, and
//! every signature checked by the published verifier, offline and knowing nothing of where the halves are.

use serde_json::{Value, json};

use crate::{in_process::Vault, local_azure::LocalAzure, local_kms::LocalKms, npm_vectors};

const ALGORITHMS: [&str; 6] = [
    "mldsa44+ed25519",
    "mldsa44+ecdsa-p256",
    "mldsa65+ed25519",
    "mldsa65+ecdsa-p256",
    "mldsa87+ed25519",
    "mldsa87+ecdsa-p256",
];
const KEKS: [&str; 3] = ["env", "aws-kms", "azure-kv"];
const CLASSICAL: [&str; 3] = ["postq-managed", "aws-kms", "azure-kv"];
const PQ: [&str; 2] = ["postq-managed", "aws-kms"];

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
    let (kms, azure) = (LocalKms::start(), LocalAzure::start());
    let (vault, kek) = kms.equip(Vault::new().await).await;
    let cloud = azure.cloud();
    let vault = vault.with_custody(|custody| custody.clouds.push(cloud));
    let both = json!({
        "aws": {"keyArn": kek, "roleArn": crate::local_kms::ROLE}, "azure": crate::local_azure::account(),
    });
    let (status, body) = vault.put("/v1/vault/settings", &both).await;
    assert_eq!(status, 200, "{body}");
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
    assert_eq!((refused, cases.len()), (3 * 3 * 2, 2 * (6 * 18 - 18)));
    let checked = cases.len();
    let outcome = npm_vectors::verify_in_node(&cases);
    assert_eq!((&outcome["wrong"], &outcome["ran"]["signatures"]), (&json!([]), &json!(checked)));
}

/// A key goes from one cloud to another by rotation, and its lineage proves it.
#[tokio::test]
async fn rotation_moves_a_key_between_clouds() {
    let (kms, azure) = (LocalKms::start(), LocalAzure::start());
    let (vault, kek) = kms.equip(Vault::new().await).await;
    let cloud = azure.cloud();
    let vault = vault.with_custody(|custody| custody.clouds.push(cloud));
    let both = json!({
        "aws": {"keyArn": kek, "roleArn": crate::local_kms::ROLE}, "azure": crate::local_azure::account(),
    });
    assert_eq!(vault.put("/v1/vault/settings", &both).await.0, 200);
    let made = vault.post("/v1/hybrid-keys", json!({"name": "k", "algorithm": "mldsa65+ecdsa-p256"})).await;
    let first = made["id"].as_str().unwrap().to_owned();
    let mut id = first.clone();
    let moves = [
        (json!({"kekProvider": "azure-kv", "keyProvider": "aws-kms"}), 2),
        (json!({"kekProvider": "aws-kms", "keyProvider": "azure-kv"}), 2),
        (json!({"pqProvider": "aws-kms"}), 3),
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
