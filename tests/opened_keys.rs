//! What is kept opened between signatures: for how long, of which keys, and that it never outlives the right to sign.

use rusqlite::params;
use serde_json::{Value, json};
use vault::Timestamp;

use crate::{clouds::code, in_process::Vault, local_kms::LocalKms};

const SETTINGS: &str = "/v1/vault/settings";

#[tokio::test]
async fn a_key_that_the_vault_wraps_is_opened_once_and_looked_at_every_time() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa65+ed25519").await;
    assert_eq!(vault.get(&format!("/v1/hybrid-keys/{key}")).await["dekCacheTtlSeconds"], 300);
    assert_eq!(vault.sign(&key).await.0, 200);

    // Without its seals it can sign only with what was opened before.
    let seals = vault.database();
    seals.execute("CREATE TABLE aside AS SELECT * FROM sealed_halves WHERE key_id = ?1", [&key]).unwrap();
    seals.execute("DELETE FROM sealed_halves WHERE key_id = ?1", [&key]).unwrap();
    assert_eq!(vault.sign(&key).await.0, 200);

    // The row is read and its tag checked all the same.
    let change = |sql: &str| assert_eq!(seals.execute(sql, [&key]).unwrap(), 1, "{sql}");
    change("UPDATE keys SET key_provider = 'aws-kms' WHERE id = ?1");
    assert_eq!(vault.sign(&key).await.0, 500);
    change("UPDATE keys SET key_provider = 'postq-managed' WHERE id = ?1");
    assert_eq!(vault.sign(&key).await.0, 200);
    change("UPDATE keys SET record_tag = NULL WHERE id = ?1");
    assert_eq!(code(&vault.sign(&key).await), (500, "key_integrity"));

    // What was let go of is opened anew, and there is nothing to open.
    let other = vault.create_key("mldsa44+ecdsa-p256").await;
    assert_eq!(vault.sign(&other).await.0, 200);
    vault.database().execute("DELETE FROM sealed_halves WHERE key_id = ?1", [&other]).unwrap();
    vault.custody.opened.sweep(Timestamp::now());
    assert_eq!(vault.sign(&other).await.0, 200, "its time is not over");
    vault.custody.opened.sweep(Timestamp::now().days_after(1));
    assert_eq!(code(&vault.sign(&other).await), (500, "key_integrity"));
}

#[tokio::test]
async fn an_opened_key_that_ended_does_not_sign_and_is_not_kept() {
    let vault = Vault::new().await;
    for end in ["revoke", "rotate"] {
        let key = vault.create_key("mldsa44+ed25519").await;
        assert_eq!(vault.sign(&key).await.0, 200);
        let row: (String, Vec<u8>, Vec<u8>) = vault
            .database()
            .query_row(
                "SELECT kek_provider, wrapped_dek, record_tag FROM keys WHERE id = ?1",
                [&key],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .unwrap();
        assert_eq!(kept(&vault), 1, "{end}");
        let expected = match end {
            "revoke" => {
                vault.revoke(&key).await;
                assert_eq!(kept(&vault), 0, "whoever revokes lets go of it");
                "key_revoked"
            }
            _ => {
                // Of the successor, which signed that it follows.
                vault.rotate(&key).await;
                assert_eq!(kept(&vault), 1, "whoever rotates lets go of the predecessor");
                "key_superseded"
            }
        };
        assert_eq!(code(&vault.sign(&key).await), (409, expected));
        // Whoever puts the row back as it was finds that the key was let go of, and no seal to open.
        let back = "UPDATE keys SET status = 'active', kek_provider = ?2, wrapped_dek = ?3, record_tag = ?4 WHERE id = ?1";
        assert_eq!(vault.database().execute(back, params![key, row.0, row.1, row.2]).unwrap(), 1);
        let expected = if end == "revoke" { (409, "key_revoked") } else { (500, "key_integrity") };
        assert_eq!(code(&vault.sign(&key).await), expected, "{end}");
    }
}

#[tokio::test]
async fn under_a_customers_key_every_signature_asks_unless_the_settings_say_for_how_long_not() {
    let kms = LocalKms::start();
    let (vault, kek) = kms.vault().await;
    let made = vault.post("/v1/hybrid-keys", json!({"name": "theirs", "kekProvider": "aws-kms"})).await;
    let key = made["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/hybrid-keys/{key}");
    let shown = async |vault: &Vault| {
        let key = vault.get(&path).await["dekCacheTtlSeconds"].clone();
        let list = vault.call("/v1/hybrid-keys", None).await.1;
        assert_eq!(list["data"][0]["dekCacheTtlSeconds"], key, "the list says the same");
        key
    };
    let unwrapped = async |vault: &Vault| {
        kms.control(&json!({"forgetCalls": true}));
        for _ in 0..3 {
            assert_eq!(vault.sign(&key).await.0, 200);
        }
        kms.calls().iter().filter(|call| *call == "Decrypt").count()
    };
    assert_eq!((made["dekCacheTtlSeconds"].clone(), shown(&vault).await), (json!(0), json!(0)));
    assert_eq!(unwrapped(&vault).await, 3);

    let mut settings = vault.get(SETTINGS).await;
    assert_eq!(settings["dekCacheTtlSeconds"], 0);
    for refused in [json!(301), json!(-1), json!(1.5), json!("60"), json!(65_536)] {
        settings["dekCacheTtlSeconds"] = refused;
        let (status, refusal) = vault.put(SETTINGS, &sendable(&settings)).await;
        assert_eq!((status, &refusal["field"]), (400, &json!("dekCacheTtlSeconds")), "{refusal}");
    }
    settings["dekCacheTtlSeconds"] = json!(60);
    let (status, saved) = vault.put(SETTINGS, &sendable(&settings)).await;
    assert_eq!((status, &saved["data"]["dekCacheTtlSeconds"]), (200, &json!(60)), "{saved}");
    let events = vault.events().await;
    let told = events.iter().rfind(|event| event.event_type.name() == "vault.settings_changed").unwrap();
    assert_eq!(told.data.get("dekCacheTtlSeconds").and_then(ledger::Json::as_u64), Some(60));
    assert_eq!(shown(&vault).await, 60);
    let next = vault.post("/v1/hybrid-keys", json!({"name": "next", "kekProvider": "aws-kms"})).await;
    assert_eq!(next["dekCacheTtlSeconds"], 60);
    vault.revoke(next["id"].as_str().unwrap()).await;
    assert_eq!(unwrapped(&vault).await, 1);

    // For so long a grant that is withdrawn does not bite; put back to 0, it does at the next signature.
    kms.faults(&json!([{"action": "Decrypt", "how": "denied"}]));
    assert_eq!(vault.sign(&key).await.0, 200);
    kms.faults(&json!([]));
    settings["dekCacheTtlSeconds"] = json!(0);
    assert_eq!(vault.put(SETTINGS, &sendable(&settings)).await.0, 200);
    kms.faults(&json!([{"action": "Decrypt", "how": "denied"}]));
    assert_eq!(code(&vault.sign(&key).await), (502, "kms_denied"));
    kms.faults(&json!([]));
    assert_eq!(unwrapped(&vault).await, 3, "under {kek}");
}

/// How many keys are kept opened.
fn kept(vault: &Vault) -> usize {
    let told = format!("{:?}", vault.custody.opened);
    told.trim_start_matches("OpenedKeys(").trim_end_matches(')').parse().unwrap()
}

/// Settings as they were read, to be sent back.
fn sendable(settings: &Value) -> Value {
    json!({
        "defaultKekProvider": settings["defaultKekProvider"],
        "dekCacheTtlSeconds": settings["dekCacheTtlSeconds"],
        "aws": settings["aws"],
    })
}
