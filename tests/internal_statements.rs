//! A caller who may only sign cannot obtain what verifies as one of the vault's own statements: not by a context, not by a
//! payload, not by a digest.

use base64::{Engine, engine::general_purpose::STANDARD};
use composite::{Algorithm, Prehash, PublicKey, Purpose};
use ledger::{CheckpointBody, Party, SUCCESSION_TYPE, Statement};
use serde_json::json;

use crate::{in_process::Vault, own_ledger::verifies};

#[tokio::test]
async fn the_sign_scope_yields_no_internal_statement() {
    let vault = Vault::new().await;
    let made = vault.post("/v1/api-tokens", json!({"name": "n", "scopes": ["sign"]})).await;
    let token = made["token"].as_str().unwrap();
    for algorithm in Algorithm::ALL {
        let key = vault.create_key(algorithm.name()).await;
        let public = vault.get(&format!("/v1/hybrid-keys/{key}")).await["publicKey"].clone();
        let public = PublicKey::from_json(public.as_str().unwrap()).unwrap();
        let root = [7; 32];
        let issued = "2026-01-01T00:00:00.000Z";
        let party = Party::new(&key, &public);
        let succession = Statement {
            org: vault.org.to_string(),
            predecessor: party.clone(),
            rotated_at: issued.into(),
            successor: Party { id: "key_thief".into(), ..party },
            kind: SUCCESSION_TYPE.into(),
        };
        let checkpoint = CheckpointBody { org: vault.org.as_str(), tree_size: 9, root: &root, issued };
        for (purpose, statement) in
            [(Purpose::Checkpoint, checkpoint.to_bytes()), (Purpose::Succession, succession.to_bytes())]
        {
            let prehash = Prehash::derive(algorithm, &statement);
            let messages =
                [("payload", STANDARD.encode(&statement)), ("prehash", STANDARD.encode(prehash.as_bytes()))];
            for (how, message) in messages {
                // By its context, and by every other that begins as the reserved ones do.
                for context in [
                    purpose.context().to_vec(),
                    b"postq-vault".to_vec(),
                    [purpose.context(), b" "].concat(),
                    [b"postq-vault ".as_slice(), &[0; 200]].concat(),
                ] {
                    let request = json!({"keyId": key, how: message, "context": STANDARD.encode(&context)});
                    let (status, answer) = vault.call_as(token, "/v1/sign", Some(&request)).await;
                    assert_eq!((status, &answer["code"]), (400, &json!("reserved_context")), "{answer}");
                    assert!(answer["data"].is_null());
                }
                // By contexts that are allowed, over the statement's own bytes.
                for context in
                    [b"".to_vec(), b"Postq-vault".to_vec(), b"postq".to_vec(), b" postq-vault".to_vec()]
                {
                    let request = json!({"keyId": key, how: message, "context": STANDARD.encode(&context)});
                    let (status, answer) = vault.call_as(token, "/v1/sign", Some(&request)).await;
                    assert_eq!(status, 200, "{answer}");
                    let signature = STANDARD.decode(answer["data"]["signature"].as_str().unwrap()).unwrap();
                    assert!(verifies(&public, &context, &statement, &signature));
                    for other in Purpose::ALL {
                        assert!(!verifies(&public, other.context(), &statement, &signature));
                    }
                }
                // By moving bytes between the context and what follows it: M' holds the context's length.
                let moved = [purpose.context(), &statement].concat();
                let request = json!({"keyId": key, "payload": STANDARD.encode(&moved)});
                let (_, answer) = vault.call_as(token, "/v1/sign", Some(&request)).await;
                let signature = STANDARD.decode(answer["data"]["signature"].as_str().unwrap()).unwrap();
                assert!(!verifies(&public, purpose.context(), &statement, &signature));
            }
        }
    }
    let ledger_key = vault.store.org(&vault.org).await.unwrap().unwrap().ledger_key;
    let request = json!({"keyId": ledger_key, "payload": ""});
    assert_eq!(vault.call_as(token, "/v1/sign", Some(&request)).await.0, 404, "nor by the ledger's key");
    for path in ["", "/rotate", "/lineage", "/audit", "/public-key"] {
        let body = json!({});
        let body = (path == "/rotate").then_some(&body);
        assert_eq!(vault.call(&format!("/v1/hybrid-keys/{ledger_key}{path}"), body).await.0, 404, "{path}");
    }
    assert_eq!(vault.delete(&format!("/v1/hybrid-keys/{ledger_key}")).await.0, 404);
}
