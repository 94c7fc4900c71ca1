//! Rows swapped, edited or forged in the database never yield a signature, and what is refused is written down.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use composite::{Algorithm, ClassicalSecret, PqSecret, PublicKey};
use custody_local::{EnvKek, Kek};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use vault::{
    custody::{Custody, HalfSecret, KeyEncryption, Subject},
    id::KeyId,
    record_tag,
    sealed::{HalfName, SealContext, seal},
    store::KeyKind,
};
use zeroize::Zeroizing;

use crate::in_process::Vault;

/// The columns of a key's row that decide what is signed, and with what.
const DECIDING: [&str; 9] = [
    "algorithm",
    "public_key",
    "fingerprint",
    "kind",
    "kek_provider",
    "wrapped_dek",
    "key_provider",
    "pq_provider",
    "record_tag",
];

/// Tries to sign with the key: nothing but a refusal for the record's integrity will do, and the refusal is written down.
async fn refuses(vault: &Vault, key: &str, what: &str) {
    let before = vault.events().await.len();
    let (status, body) = vault.sign(key).await;
    assert!(body["data"]["signature"].is_null(), "{what}: signed");
    assert_eq!((status, &body["code"]), (500, &json!("key_integrity")), "{what}: {body}");
    let events = vault.events().await;
    assert_eq!(events.len(), before + 1, "{what}: not written down");
    assert_eq!(json!(events[before].data), json!({"keyId": key, "reason": "key_integrity"}), "{what}");
}

/// The key is no user key of the organisation, as far as the row says, so it is none at all.
async fn knows_nothing_of(vault: &Vault, key: &str) {
    let (status, body) = vault.sign(key).await;
    assert_eq!((status, &body["code"]), (404, &json!("not_found")), "{body}");
}

#[tokio::test]
async fn a_row_edited_in_any_deciding_column_does_not_sign() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa65+ed25519").await;
    let database = vault.database();
    let (status, _) = vault.sign(&key).await;
    assert_eq!(status, 200);
    let edits: [(&str, &str); 17] = [
        ("algorithm", "'mldsa65+ecdsa-p256'"),
        ("algorithm", "'mldsa44+ed25519'"),
        ("algorithm", "'none'"),
        ("kind", "'root'"),
        ("kek_provider", "'aws-kms'"),
        ("kek_provider", "NULL"),
        ("kek_key_id", "'arn:aws:kms:other'"),
        ("key_provider", "'aws-kms'"),
        ("classical_key_id", "'arn:aws:kms:other'"),
        ("pq_provider", "'aws-kms'"),
        ("pq_key_id", "'arn:aws:kms:other'"),
        ("wrapped_dek", "x'00'"),
        ("wrapped_dek", "NULL"),
        ("record_tag", "NULL"),
        ("record_tag", "x'01'"),
        ("fingerprint", "zeroblob(32)"),
        ("public_key", "'{}'"),
    ];
    for (column, value) in edits {
        edited(&database, &key, column, value, async || {
            refuses(&vault, &key, &format!("{column} = {value}")).await;
        })
        .await;
    }
    edited(&database, &key, "kind", "'ledger'", async || knows_nothing_of(&vault, &key).await).await;
    // Every bit of the wrapped data key and of the tag is looked at.
    for column in ["wrapped_dek", "record_tag"] {
        let bytes: Vec<u8> = column_of(&database, &key, column);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let value = format!("x'{}'", hex::encode(flipped));
            edited(&database, &key, column, &value, async || {
                refuses(&vault, &key, &format!("bit {bit} of {column}")).await;
            })
            .await;
        }
    }
    let (status, body) = vault.sign(&key).await;
    assert_eq!(status, 200, "put back as it was, it signs: {body}");
}

#[tokio::test]
async fn an_edited_public_key_with_its_own_fingerprint_does_not_sign() {
    let vault = Vault::new().await;
    let (key, other) = (vault.create_key("mldsa65+ed25519").await, vault.create_key("mldsa65+ed25519").await);
    let database = vault.database();
    database
        .execute(
            "UPDATE keys SET (public_key, fingerprint) =
                 (SELECT public_key, fingerprint FROM keys WHERE id = ?2) WHERE id = ?1",
            [&key, &other],
        )
        .unwrap();
    refuses(&vault, &key, "another key's public key").await;
}

#[tokio::test]
async fn columns_swapped_between_two_keys_do_not_sign() {
    let vault = Vault::new().await;
    let mine = vault.create_key("mldsa65+ed25519").await;
    let theirs = vault.create_key_as(&vault.other_token, "mldsa65+ed25519").await;
    let sibling = vault.create_key("mldsa65+ecdsa-p256").await;
    let database = vault.database();
    for other in [&theirs, &sibling] {
        for column in DECIDING {
            let value = column_sql(&database, other, column);
            if value == column_sql(&database, &mine, column) {
                continue;
            }
            edited(&database, &mine, column, &value, async || {
                refuses(&vault, &mine, &format!("{column} of {other}")).await;
            })
            .await;
        }
        // The whole row under this key's id.
        let set: Vec<String> = DECIDING
            .iter()
            .map(|column| format!("{column} = {}", column_sql(&database, other, column)))
            .collect();
        let undo: Vec<String> = DECIDING
            .iter()
            .map(|column| format!("{column} = {}", column_sql(&database, &mine, column)))
            .collect();
        update(&database, &mine, &set.join(", "));
        refuses(&vault, &mine, "another key's whole row").await;
        update(&database, &mine, &undo.join(", "));
    }
    assert_eq!(vault.sign(&mine).await.0, 200);
}

#[tokio::test]
async fn sealed_bytes_edited_swapped_or_missing_do_not_sign() {
    let vault = Vault::new().await;
    let mine = vault.create_key("mldsa65+ed25519").await;
    let theirs = vault.create_key_as(&vault.other_token, "mldsa65+ed25519").await;
    let database = vault.database();
    let read = |key: &str, half: &str| -> Vec<u8> {
        database
            .query_row(
                "SELECT sealed FROM sealed_halves WHERE key_id = ?1 AND half = ?2",
                [key, half],
                |row| row.get(0),
            )
            .unwrap()
    };
    let write = |half: &str, sealed: &[u8]| {
        let changed = database
            .execute(
                "UPDATE sealed_halves SET sealed = ?3 WHERE key_id = ?1 AND half = ?2",
                params![mine, half, sealed],
            )
            .unwrap();
        assert_eq!(changed, 1);
    };
    for (half, twin) in [("pq", "classical"), ("classical", "pq")] {
        let original = read(&mine, half);
        assert_eq!(original.len(), vault::sealed::SEALED_LEN);
        for bit in 0..original.len() * 8 {
            let mut flipped = original.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            write(half, &flipped);
            refuses(&vault, &mine, &format!("bit {bit} of the sealed {half} half")).await;
        }
        for (what, sealed) in [
            ("the other half", read(&mine, twin)),
            ("another organisation's", read(&theirs, half)),
            ("nothing", Vec::new()),
            ("half of it", original[..30].to_vec()),
        ] {
            write(half, &sealed);
            refuses(&vault, &mine, &format!("the sealed {half} half is {what}")).await;
        }
        write(half, &original);
        assert_eq!(vault.sign(&mine).await.0, 200);
        // Now it is open, and would sign without its seals.
        vault.custody.opened.sweep(vault::Timestamp::now().days_after(1));
    }
    database.execute("DELETE FROM sealed_halves WHERE key_id = ?1 AND half = 'pq'", [&mine]).unwrap();
    refuses(&vault, &mine, "no sealed half").await;
}

#[tokio::test]
async fn a_row_moved_to_another_organisation_does_not_sign() {
    let vault = Vault::new().await;
    let theirs = vault.create_key_as(&vault.other_token, "mldsa65+ed25519").await;
    let database = vault.database();
    for table in ["keys", "sealed_halves"] {
        let column = if table == "keys" { "id" } else { "key_id" };
        let sql = format!("UPDATE {table} SET org = ?1 WHERE {column} = ?2");
        assert!(database.execute(&sql, [vault.org.as_str(), &theirs]).unwrap() > 0);
    }
    refuses(&vault, &theirs, "a stolen row").await;
    assert_eq!(vault.call_as(&vault.other_token, &format!("/v1/hybrid-keys/{theirs}"), None).await.0, 404);
}

#[tokio::test]
async fn an_organisations_ledger_key_made_a_user_key_does_not_sign() {
    let vault = Vault::new().await;
    let database = vault.database();
    let ledger_key: String = database
        .query_row("SELECT ledger_key FROM orgs WHERE id = ?1", [vault.org.as_str()], |row| row.get(0))
        .unwrap();
    knows_nothing_of(&vault, &ledger_key).await;
    update(&database, &ledger_key, "kind = 'user'");
    refuses(&vault, &ledger_key, "the ledger key under another kind").await;
}

#[tokio::test]
async fn a_whole_key_made_by_someone_without_the_kek_does_not_sign() {
    let vault = Vault::new().await;
    let model = vault.create_key("mldsa65+ed25519").await;
    let model: KeyId = model.parse().unwrap();
    let mut forged = vault.store.key(&vault.org, &model).await.unwrap().unwrap();
    forged.id = KeyId::generate(vault::Timestamp::now()).unwrap();

    // The forger has halves, a data key and a key-encryption key of their own, and this very code.
    let forger: Arc<Custody> = crate::in_process::custody(&Kek::generate().unwrap().expose_base64());
    let kek = EnvKek::new(Kek::generate().unwrap(), None);
    let algorithm = Algorithm::MlDsa65Ed25519;
    let pq = PqSecret::from_bytes(algorithm.pq(), &[1; 32]).unwrap();
    let classical = ClassicalSecret::from_bytes(algorithm.classical(), &[2; 32]).unwrap();
    forged.public_key = PublicKey::from_halves(algorithm, pq.public_key(), classical.public_key()).unwrap();
    let subject = Subject { org: &forged.org, key: &forged.id };
    let dek = kek.generate_dek(subject).await.unwrap();
    let sealed = |half, secret: [u8; 32]| {
        let context = SealContext { subject, kind: KeyKind::User, public_key: &forged.public_key, half };
        seal(&dek.dek, context, &HalfSecret(Zeroizing::new(secret))).unwrap()
    };
    let halves = vault::store::SealedRecord {
        pq: Some(sealed(HalfName::Pq, [1; 32])),
        classical: Some(sealed(HalfName::Classical, [2; 32])),
    };
    forged.kek.as_mut().unwrap().wrapped = dek.wrapped;

    let own_tag = forger.root.tag(&forged.org, &vault::key_material::tagged_bytes(&forged)).await.unwrap();
    let stolen_tag = forged.tag;
    // The tag's key id says that the real key-encryption key made it; only the MAC is the forger's.
    let real = vault.custody.root.current().await.unwrap();
    let renamed = record_tag::RecordTag::assemble(real, own_tag.mac().try_into().unwrap());
    for (what, tag) in [
        ("the forger's own tag", Some(own_tag)),
        ("another key's tag", stolen_tag),
        ("the forger's tag under the real key's id", Some(renamed)),
        ("no tag", None),
    ] {
        forged.tag = tag;
        let mut attempt = forged.clone();
        attempt.id = forged.id.clone();
        vault
            .database()
            .execute_batch(&format!(
                "DELETE FROM sealed_halves WHERE key_id = '{0}'; DELETE FROM keys WHERE id = '{0}';",
                attempt.id
            ))
            .unwrap();
        vault.store.create(&attempt, &halves, vault::store::Record::default()).await.unwrap();
        refuses(&vault, attempt.id.as_str(), what).await;
    }
}

#[tokio::test]
async fn a_status_written_by_hand_binds_and_one_taken_back_does_not_help() {
    let vault = Vault::new().await;
    let (key, successor) =
        (vault.create_key("mldsa65+ed25519").await, vault.create_key("mldsa65+ed25519").await);
    let database = vault.database();
    update(&database, &key, &format!("status = 'superseded', successor = '{successor}'"));
    let (status, body) = vault.sign(&key).await;
    assert_eq!(
        (status, &body["code"], &body["successorId"]),
        (409, &json!("key_superseded"), &json!(successor))
    );
    update(&database, &key, "status = 'revoked', revoked_at = 1000");
    let (status, body) = vault.sign(&key).await;
    assert_eq!((status, &body["code"]), (409, &json!("key_revoked")));
    // Revocation takes the tag away, so that a status put back is not enough.
    update(&database, &key, "status = 'active', revoked_at = NULL, record_tag = NULL");
    refuses(&vault, &key, "a revoked key made active").await;
}

#[tokio::test]
async fn a_revoked_keys_signature_verifies_and_says_whether_it_was_logged() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa65+ed25519").await;
    let (_, signed) = vault.sign(&key).await;
    let signature = &signed["data"]["signature"];
    update(&vault.database(), &key, "status = 'revoked', revoked_at = 1767322800000, record_tag = NULL");
    let check = |payload: &str| json!({"keyId": key, "payload": payload, "signature": signature});
    let (_, verdict) = vault.call("/v1/verify", Some(&check("aGVsbG8="))).await;
    let expected = json!({
        "ok": true, "algorithm": "mldsa65+ed25519", "classicalOk": true, "pqOk": true,
        "keyStatus": "revoked", "revokedAt": "2026-01-02T03:00:00.000Z", "logged": true
    });
    assert_eq!(verdict["data"], expected);
    let (_, verdict) = vault.call("/v1/verify", Some(&check(""))).await;
    assert_eq!((&verdict["data"]["ok"], &verdict["data"]["logged"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn every_effect_and_every_refusal_about_a_key_has_its_event() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa44+ecdsa-p256").await;
    let context = STANDARD.encode("ctx");
    let request = json!({"keyId": key, "payload": "aGVsbG8=", "context": context, "metadata": {"build": 7}});
    let (_, signed) = vault.call("/v1/sign", Some(&request)).await;
    let signed = &signed["data"];
    let check = json!({"keyId": key, "payload": "aGVsbG8=", "signature": signed["signature"]});
    vault.call("/v1/verify", Some(&check)).await;
    update(&vault.database(), &key, "record_tag = NULL");
    vault.sign(&key).await;
    update(&vault.database(), &key, "status = 'revoked', revoked_at = 1000");
    vault.sign(&key).await;

    let events = vault.events().await;
    let types: Vec<Value> = events.iter().map(|event| json!(event.event_type)).collect();
    assert_eq!(
        types,
        [
            "key.created",
            "api_key.created",
            "key.created",
            "signature.issued",
            "signature.verified",
            "signature.refused",
            "signature.refused"
        ]
    );
    assert_eq!(events[0].data.get("kind"), Some(&"ledger".into()));
    let issued = &events[3];
    assert_eq!(signed["eventId"], issued.id);
    assert_eq!(signed["eventDigest"], hex::encode(issued.derive_digest()));
    let public_key = PublicKey::from_json(signed["publicKey"].as_str().unwrap()).unwrap();
    let sha256 = |bytes: &[u8]| hex::encode(ledger::sha256(bytes));
    let expected = json!({
        "algorithm": "mldsa44+ecdsa-p256",
        "contextBase64": context,
        "fingerprint": hex::encode(public_key.fingerprint()),
        "keyId": key,
        "metadata": {"build": 7},
        "payloadSha256": sha256(b"hello"),
        "payloadSize": 5,
        "ph": sha256(b"hello"),
        "phAlg": "sha256",
        "signatureSha256": sha256(&STANDARD.decode(signed["signature"].as_str().unwrap()).unwrap()),
    });
    assert_eq!(json!(issued.data), expected);
    assert_eq!(events[4].data.get("ok"), Some(&false.into()), "the context was left out");
    assert_eq!(json!(events[5].data), json!({"keyId": key, "reason": "key_integrity"}));
    assert_eq!(json!(events[6].data), json!({"keyId": key, "reason": "key_revoked"}));
    assert!(vault.events_of(&vault.other_org).await.len() == 2, "the other organisation saw nothing");
}

async fn edited(database: &Connection, key: &str, column: &str, value: &str, check: impl AsyncFnOnce()) {
    let original = column_sql(database, key, column);
    update(database, key, &format!("{column} = {value}"));
    check().await;
    update(database, key, &format!("{column} = {original}"));
}

fn update(database: &Connection, key: &str, set: &str) {
    let changed = database.execute(&format!("UPDATE keys SET {set} WHERE id = ?1"), [key]).unwrap();
    assert_eq!(changed, 1);
}

fn column_of<T: rusqlite::types::FromSql>(database: &Connection, key: &str, column: &str) -> T {
    let sql = format!("SELECT {column} FROM keys WHERE id = ?1");
    database.query_row(&sql, [key], |row| row.get(0)).unwrap()
}

/// A column's value as SQL writes it.
fn column_sql(database: &Connection, key: &str, column: &str) -> String {
    column_of::<String>(database, key, &format!("quote({column})"))
}
