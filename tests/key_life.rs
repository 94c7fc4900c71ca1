//! The life of a key: rotation, revocation, and what is told of both.

use ledger::{Lineage, Pins};
use serde_json::{Value, json};

use crate::in_process::Vault;

#[tokio::test]
async fn a_successor_inherits_and_its_predecessor_verifies_and_signs_no_more() {
    let vault = Vault::new().await;
    let create = json!({
        "name": "release", "algorithm": "mldsa44+ecdsa-p256", "metadata": {"environment": "prod", "n": 7}
    });
    let old = vault.post("/v1/hybrid-keys", create).await;
    let id = old["id"].as_str().unwrap();
    let (_, signed) = vault.sign(id).await;

    let (status, answer) = vault.call(&format!("/v1/hybrid-keys/{id}/rotate"), Some(&json!({}))).await;
    assert_eq!(status, 201, "{answer}");
    let new = &answer["data"];
    for inherited in ["algorithm", "metadata", "name", "kekProvider", "keyProvider", "pqProvider", "tier"] {
        assert_eq!(new[inherited], old[inherited], "{inherited}");
    }
    assert_eq!((&new["status"], &new["predecessorId"]), (&json!("active"), &old["id"]));
    assert_ne!(new["fingerprint"], old["fingerprint"]);

    let after = vault.get(&format!("/v1/hybrid-keys/{id}")).await;
    assert_eq!((&after["status"], &after["successorId"]), (&json!("superseded"), &new["id"]));
    assert_eq!((&after["kekProvider"], &after["tier"]), (&Value::Null, &old["tier"]), "nothing is sealed");
    let left: u32 = vault
        .database()
        .query_row("SELECT count(*) FROM sealed_halves WHERE key_id = ?1", [id], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);

    for refused in ["/v1/sign", &format!("/v1/hybrid-keys/{id}/rotate")] {
        let body = if refused == "/v1/sign" { json!({"keyId": id, "payload": ""}) } else { json!({}) };
        let (status, answer) = vault.call(refused, Some(&body)).await;
        assert_eq!((status, &answer["code"]), (409, &json!("key_superseded")), "{answer}");
        assert_eq!(answer["successorId"], new["id"]);
    }
    let check = json!({"keyId": id, "payload": "aGVsbG8=", "signature": signed["data"]["signature"]});
    let verdict = vault.post("/v1/verify", check).await;
    assert_eq!((&verdict["ok"], &verdict["keyStatus"]), (&json!(true), &json!("superseded")));
    assert_eq!(vault.sign(new["id"].as_str().unwrap()).await.0, 200);
}

#[tokio::test]
async fn what_a_rotation_names_is_not_inherited() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa65+ed25519").await;
    let path = format!("/v1/hybrid-keys/{key}/rotate");
    for (body, status, code) in [
        (json!({"name": ""}), 400, "invalid_request"),
        (json!({"algorithm": "mldsa87+ed25519"}), 400, "invalid_request"),
        (json!({"keyProvider": "azure-kv"}), 422, "unsupported_combination"),
        (json!({"keyProvider": "aws-kms"}), 501, "provider_unavailable"),
        (json!({"pqProvider": "aws-cloudhsm"}), 501, "provider_unavailable"),
    ] {
        let (was, answer) = vault.call(&path, Some(&body)).await;
        assert_eq!((was, &answer["code"]), (status, &json!(code)), "{answer}");
    }
    assert_eq!(vault.sign(&key).await.0, 200, "a rotation that was refused changed nothing");
    assert_eq!(vault.post(&path, json!({"name": "second"})).await["name"], "second");
}

#[tokio::test]
async fn a_caller_that_asks_for_it_is_followed_to_the_lines_newest_key() {
    let vault = Vault::new().await;
    let first = vault.post("/v1/hybrid-keys", json!({"name": "n", "allowFollow": true})).await;
    let first = first["id"].as_str().unwrap().to_owned();
    let second = vault.rotate(&first).await;
    let third = vault.rotate(&second).await;
    let follow = json!({"keyId": first, "payload": "aGVsbG8=", "followSuccessor": true});
    let signed = vault.post("/v1/sign", follow.clone()).await;
    assert_eq!(signed["keyId"], json!(third), "the answer says which key signed");
    assert_eq!(vault.sign(&first).await.1["code"], "key_superseded", "only who asks is followed");
    vault.revoke(&third).await;
    let (status, answer) = vault.call("/v1/sign", Some(&follow)).await;
    assert_eq!((status, &answer["code"]), (409, &json!("key_revoked")));
    assert!(answer["error"].as_str().unwrap().contains(&third));

    let plain = vault.create_key("mldsa44+ed25519").await;
    vault.rotate(&plain).await;
    let follow = json!({"keyId": plain, "payload": "", "followSuccessor": true});
    assert_eq!(vault.call("/v1/sign", Some(&follow)).await.1["code"], "key_superseded");
}

#[tokio::test]
async fn a_revocation_is_for_ever_and_says_the_same_every_time() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa44+ed25519").await;
    let (_, signed) = vault.sign(&key).await;
    let path = format!("/v1/hybrid-keys/{key}");
    let (status, revoked) = vault.delete(&path).await;
    assert_eq!((status, &revoked["data"]["id"]), (200, &json!(key)));
    assert_eq!(vault.delete(&path).await, (200, revoked.clone()));
    assert_eq!(vault.sign(&key).await.1["code"], "key_revoked");
    let rotated = vault.call(&format!("{path}/rotate"), Some(&json!({}))).await;
    assert_eq!((rotated.0, &rotated.1["code"]), (409, &json!("key_revoked")));

    let check = json!({"keyId": key, "payload": "aGVsbG8=", "signature": signed["data"]["signature"]});
    let verdict = vault.post("/v1/verify", check).await;
    assert_eq!(verdict["keyStatus"], "revoked");
    assert_eq!((&verdict["ok"], &verdict["logged"]), (&json!(true), &json!(true)));
    assert_eq!(verdict["revokedAt"], revoked["data"]["revokedAt"]);
    let other = json!({"keyId": key, "payload": "AAAA", "signature": signed["data"]["signature"]});
    assert_eq!(vault.post("/v1/verify", other).await["logged"], false);

    let shown = vault.get(&path).await;
    assert_eq!((&shown["status"], &shown["kekProvider"]), (&json!("revoked"), &Value::Null));
    assert_eq!(vault.get("/v1/hybrid-keys").await, json!([]), "not listed unless asked for");
    assert_eq!(vault.get("/v1/hybrid-keys?status=revoked").await.as_array().unwrap().len(), 1);
    assert_eq!(vault.delete("/v1/hybrid-keys/key_01h00000000000000000000000").await.0, 404);

    let superseded = vault.create_key("mldsa44+ed25519").await;
    let successor = vault.rotate(&superseded).await;
    vault.revoke(&superseded).await;
    assert_eq!(vault.sign(&successor).await.0, 200, "a successor lives on");
}

#[tokio::test]
async fn a_tombstone_outweighs_every_row_that_is_put_back() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa44+ed25519").await;
    let database = vault.database();
    database
        .execute_batch(
            "CREATE TEMP TABLE old_keys AS SELECT * FROM keys; CREATE TEMP TABLE old_halves AS SELECT * FROM sealed_halves;",
        )
        .unwrap();
    vault.revoke(&key).await;
    database
        .execute_batch(
            "INSERT OR REPLACE INTO keys SELECT * FROM old_keys; INSERT OR REPLACE INTO sealed_halves SELECT * FROM old_halves;",
        )
        .unwrap();
    assert_eq!(
        vault.sign(&key).await.1["code"],
        "key_revoked",
        "the row says active, the tombstone does not"
    );
    assert_eq!(vault.get(&format!("/v1/hybrid-keys/{key}")).await["status"], "revoked");

    // Even without its tombstone, whose removal the store itself refuses: the revocations are kept apart as well.
    assert!(database.execute("DELETE FROM tombstones", []).is_err());
    database.execute_batch("DROP TRIGGER tombstones_keep; DELETE FROM tombstones;").unwrap();
    assert_eq!(vault.sign(&key).await.1["code"], "key_revoked");
}

#[tokio::test]
async fn a_keys_audit_tells_what_the_vault_did_with_it_newest_first() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa44+ed25519").await;
    let request = json!({"keyId": key, "payload": "aGVsbG8=", "metadata": {"build": 7}});
    let signed = vault.post("/v1/sign", request).await;
    let check = json!({"keyId": key, "payload": "aGVsbG8=", "signature": signed["signature"]});
    vault.post("/v1/verify", check).await;
    vault.post("/v1/ledger/entries", json!({"name": "n", "subjectId": key, "data": {"keyId": key}})).await;
    let successor = vault.rotate(&key).await;
    vault.sign(&key).await;
    vault.revoke(&key).await;

    let rows = vault.get(&format!("/v1/hybrid-keys/{key}/audit")).await;
    let operations: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["operation"].as_str().unwrap()).collect();
    assert_eq!(operations, ["revoke", "refuse", "rotate", "verify", "sign", "create"]);
    let sign = &rows[4];
    assert_eq!((&sign["payloadSize"], &sign["metadata"]), (&json!(5), &json!({"build": 7})));
    assert_eq!((&sign["id"], &sign["eventType"]), (&signed["eventId"], &json!("signature.issued")));
    assert_eq!((&rows[3]["verified"], &sign["verified"]), (&json!(true), &Value::Null));
    assert_eq!((&rows[0]["payloadSha256"], &rows[0]["payloadSize"]), (&json!(""), &json!(0)));
    let theirs = vault.get(&format!("/v1/hybrid-keys/{successor}/audit")).await;
    assert_eq!(theirs[0]["operation"], "rotate", "a rotation stands in both keys' audits");

    let (_, first) = vault.call(&format!("/v1/hybrid-keys/{key}/audit?limit=4"), None).await;
    let cursor = first["pagination"]["nextCursor"].as_str().unwrap();
    let (_, rest) = vault.call(&format!("/v1/hybrid-keys/{key}/audit?limit=4&cursor={cursor}"), None).await;
    assert_eq!(rest["data"], json!([rows[4], rows[5]]));
    assert!(rest["pagination"]["nextCursor"].is_null());
}

#[tokio::test]
async fn use_is_told_once_it_has_its_place() {
    let vault = Vault::new().await;
    let (used, unused) =
        (vault.create_key("mldsa44+ed25519").await, vault.create_key("mldsa44+ed25519").await);
    for _ in 0..3 {
        vault.sign(&used).await;
    }
    vault.revoke(&unused).await;
    let usage = vault.get("/v1/usage?days=1").await;
    assert_eq!(usage["signatures"][0]["count"], 3);
    let keys = json!([
        {"status": "active", "tier": 0, "count": 1}, {"status": "revoked", "tier": 0, "count": 1}
    ]);
    assert_eq!(usage["keys"], keys);
    assert!(vault.get(&format!("/v1/hybrid-keys/{used}")).await["lastUsedAt"].is_string());
    let listed = vault.get("/v1/hybrid-keys?includeRevoked=true").await;
    let told: Vec<bool> =
        listed.as_array().unwrap().iter().map(|key| key["lastUsedAt"].is_string()).collect();
    assert_eq!(told.iter().filter(|told| **told).count(), 1);
    assert_eq!(vault.call("/v1/usage?days=91", None).await.0, 400);
}

#[tokio::test]
async fn a_token_for_certain_keys_reaches_their_lines_and_nothing_else() {
    let vault = Vault::new().await;
    let (mine, other) =
        (vault.create_key("mldsa44+ed25519").await, vault.create_key("mldsa44+ed25519").await);
    let scopes = json!(["keys:read", "keys:write", "sign", "verify", "audit:read"]);
    // It could make itself a wider one, or govern keys that it is not for.
    for scope in ["admin", "policies", "settings"] {
        let mighty = json!({"name": "ci", "scopes": ["sign", scope], "keyIds": [mine]});
        let (status, answer) = vault.call("/v1/api-tokens", Some(&mighty)).await;
        assert_eq!((status, &answer["field"]), (400, &json!("scopes")), "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(&format!("the scope `{scope}`")), "{answer}");
    }
    let request = json!({"name": "ci", "scopes": scopes, "keyIds": [mine]});
    let made = vault.post("/v1/api-tokens", request).await;
    assert_eq!(made["keyIds"], json!([mine]));
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("pq_live_"));

    let rotated = vault.call_as(token, &format!("/v1/hybrid-keys/{mine}/rotate"), Some(&json!({}))).await;
    let successor = rotated.1["data"]["id"].as_str().unwrap().to_owned();
    let signed = vault.call_as(token, "/v1/sign", Some(&json!({"keyId": successor, "payload": ""}))).await;
    assert_eq!(signed.0, 200, "a successor is included");
    let event = vault.sign(&other).await.1["data"]["eventId"].as_str().unwrap().to_owned();
    for (path, body) in [
        ("/v1/sign".to_owned(), Some(json!({"keyId": other, "payload": ""}))),
        ("/v1/verify".to_owned(), Some(json!({"keyId": other, "payload": "", "signature": ""}))),
        (format!("/v1/hybrid-keys/{other}"), None),
        (format!("/v1/hybrid-keys/{other}/public-key"), None),
        (format!("/v1/hybrid-keys/{other}/audit"), None),
        (format!("/v1/hybrid-keys/{other}/lineage"), None),
        (format!("/v1/hybrid-keys/{other}/rotate"), Some(json!({}))),
        (format!("/v1/receipts/{event}"), None),
        ("/v1/hybrid-keys".to_owned(), Some(json!({"name": "a new one"}))),
    ] {
        let (status, answer) = vault.call_as(token, &path, body.as_ref()).await;
        assert_eq!((status, &answer["code"]), (403, &json!("key_not_allowed")), "{path}: {answer}");
    }
    let listed = vault.call_as(token, "/v1/hybrid-keys", None).await.1;
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "its line");
    assert_eq!(vault.sign(&other).await.0, 200);
}

#[tokio::test]
async fn a_revoked_token_is_dead_at_the_next_call() {
    let vault = Vault::new().await;
    let made = vault.post("/v1/api-tokens", json!({"name": "n", "scopes": ["keys:read", "keys:read"]})).await;
    assert_eq!(made["scopes"], json!(["keys:read"]));
    let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert_eq!(vault.call_as(token, "/v1/whoami", None).await.0, 200);
    let (status, revoked) = vault.delete(&format!("/v1/api-tokens/{id}")).await;
    assert_eq!(status, 200);
    assert_eq!(vault.delete(&format!("/v1/api-tokens/{id}")).await, (200, revoked.clone()));
    assert_eq!(vault.call_as(token, "/v1/whoami", None).await.0, 401);
    assert_eq!(vault.delete("/v1/api-tokens/apk_01h00000000000000000000000").await.0, 404);
    let listed = vault.get("/v1/api-tokens").await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let shown = listed.as_array().unwrap().iter().find(|token| token["id"] == id).unwrap();
    assert_eq!(shown["revokedAt"], revoked["data"]["revokedAt"]);
    assert!(shown.get("token").is_none(), "it was shown once");
    for (body, field) in [
        (json!({"name": "n", "scopes": []}), "scopes"),
        (json!({"name": "", "scopes": ["sign"]}), "name"),
        (json!({"name": "n", "scopes": ["sign"], "keyIds": []}), "keyIds"),
        (json!({"name": "n", "scopes": ["sign"], "keyIds": ["key_1"]}), "keyIds"),
    ] {
        let (status, answer) = vault.call("/v1/api-tokens", Some(&body)).await;
        assert_eq!((status, &answer["field"]), (400, &json!(field)), "{answer}");
    }
    let types: Vec<_> = vault.events().await.iter().map(|event| event.event_type.name()).collect();
    let about: Vec<_> = types.iter().filter(|name| name.starts_with("api_key")).collect();
    assert_eq!(about, [&"api_key.created", &"api_key.created", &"api_key.revoked"]);
}

#[tokio::test]
async fn a_lineage_verifies_offline_from_any_of_its_members() {
    let vault = Vault::new().await;
    let first = vault.create_key("mldsa44+ed25519").await;
    let second = vault.rotate(&first).await;
    let third = vault.rotate(&second).await;
    let lineage = lineage(&vault, &first).await;
    for member in [&second, &third] {
        let same = self::lineage(&vault, member).await;
        assert_eq!((&same.keys, &same.successions), (&lineage.keys, &lineage.successions));
    }
    let verified = lineage.check(&Pins::default(), None).unwrap();
    let ids: Vec<_> = verified.line.keys().map(|(id, _)| id.to_owned()).collect();
    assert_eq!(ids, [first, second, third]);
    assert_eq!(verified.anchored, ledger::Anchored::default(), "nothing in the file anchors it");

    let alone = vault.create_key("mldsa44+ed25519").await;
    let alone = self::lineage(&vault, &alone).await;
    assert_eq!((alone.keys.len(), alone.successions.len()), (1, 0));
    alone.check(&Pins::default(), None).unwrap();
}

async fn lineage(vault: &Vault, key: &str) -> Lineage {
    let data = vault.get(&format!("/v1/hybrid-keys/{key}/lineage")).await;
    serde_json::from_value(data).unwrap()
}
