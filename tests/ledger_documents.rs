//! What the vault hands to verifiers: bundles, ranges, proofs, lineages and receipts, checked by the vault's own verifiers and by
//! an implementation in another language that was written from the formats' description.

use base64::{Engine, engine::general_purpose::STANDARD};
use ledger::{
    Anchored, Bundle, BundleVerifier, CheckpointPin, LedgerPin, Lineage, Pins, Receipt, Revocation, Signed,
    tree,
};
use serde_json::{Value, json};

use crate::{in_process::Vault, own_ledger::digest, python};

/// Content of every kind that is accepted, at its limits.
fn accepted_content() -> Vec<Value> {
    let mut deep = json!({"a": 1});
    for _ in 1..8 {
        deep = json!({"a": deep});
    }
    vec![
        json!({}),
        json!({"max": 9_007_199_254_740_991_i64, "min": -9_007_199_254_740_991_i64, "zero": 0, "minus": -1}),
        json!({"null": null, "yes": true, "no": false, "list": [1, [2, []], {}], "empty": ""}),
        json!({"controls": "\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f} \"\\/\u{7f}\u{80}\u{2028}\u{2029}"}),
        json!({"\u{fb33}": 1, "\u{10000}": 2, "\u{e000}": 3, "é": 4, "e\u{301}": 5, "": 6, "\u{ffff}": 7, "\u{10ffff}": 8}),
        json!({"__proto__": 1, "constructor": 2, "seq": 3, "org": "another", "v": 9, "prevHashHex": "00"}),
        deep,
        json!({"large": "x".repeat(16 * 1024 - 12)}),
    ]
}

/// A vault with something of everything in its ledger.
async fn lived_in() -> (Vault, String, Value) {
    let vault = Vault::new().await;
    let first = vault.create_key("mldsa44+ecdsa-p256").await;
    let signed = vault
        .post(
            "/v1/sign",
            json!({"keyId": first, "payload": "aGVsbG8=", "context": "Y3R4", "metadata": {"n": [1]}}),
        )
        .await;
    let check =
        json!({"keyId": first, "payload": "aGVsbG8=", "context": "Y3R4", "signature": signed["signature"]});
    vault.post("/v1/verify", check).await;
    vault.post("/v1/ledger/seal", json!({})).await;
    for data in accepted_content() {
        vault.post("/v1/ledger/entries", json!({"name": "n", "message": "m", "data": data})).await;
    }
    rotate_ledger_key(&vault).await;
    let second = vault.rotate(&first).await;
    vault.sign(&first).await;
    let token = vault.post("/v1/api-tokens", json!({"name": "n", "scopes": ["sign"]})).await;
    vault.delete(&format!("/v1/api-tokens/{}", token["id"].as_str().unwrap())).await;
    vault.revoke(&second).await;
    (vault, first, signed)
}

async fn rotate_ledger_key(vault: &Vault) -> String {
    let ports = server::rotate_ledger_key_ports(&vault.store, &vault.custody);
    vault::ops::rotate_ledger_key::rotate_ledger_key(&ports, &vault.org).await.unwrap().fingerprint
}

async fn bundle(vault: &Vault, query: &str) -> Bundle {
    serde_json::from_value(vault.get(&format!("/v1/ledger/bundle{query}")).await).unwrap()
}

#[tokio::test]
async fn a_bundle_across_a_rotation_of_the_ledger_key_verifies_here_and_in_python() {
    let (vault, _, _) = lived_in().await;
    vault.post("/v1/ledger/seal", json!({})).await;
    let raw = vault.get("/v1/ledger/bundle").await;
    let bundle: Bundle = serde_json::from_value(raw.clone()).unwrap();
    assert_eq!((bundle.checkpoints.len(), bundle.signing_keys.len(), bundle.successions.len()), (2, 2, 1));
    assert_ne!(bundle.checkpoints[0].signing_key_id, bundle.checkpoints[1].signing_key_id);

    // Pinned by its first key and by the first checkpoint, as somebody would who saw it then.
    let first = bundle.signing_keys[0].public_key().unwrap();
    let checkpoint = CheckpointPin {
        tree_size: bundle.checkpoints[0].tree_size,
        root: bundle.checkpoints[0].root().unwrap(),
    };
    let tree_size = checkpoint.tree_size;
    let pin = LedgerPin {
        org: vault.org.to_string(),
        fingerprint: *first.fingerprint(),
        checkpoint: Some(checkpoint),
    };
    let verified = bundle.check(&Pins { signers: Vec::new(), ledgers: vec![pin] }).unwrap();
    assert!(verified.complete);
    assert_eq!(verified.anchored, Anchored { signer: false, ledger: true, checkpoint: Some(tree_size) });

    let told = python::run("verify_ledger.py", &json!({"what": "bundle", "pages": [raw]}));
    assert_eq!(told["ok"], true, "{told}");
    assert_eq!(told["entries"], verified.entries);
    assert_eq!(told["root"], hex::encode(verified.root));
    let types: Vec<_> = vault.events().await.iter().map(|event| event.event_type.name()).collect();
    for name in ["signature.refused", "key.rotated", "key.revoked", "api_key.revoked", "custom.event"] {
        assert!(types.contains(&name), "{name}: {types:?}");
    }
}

#[tokio::test]
async fn a_bundle_page_by_page_is_the_bundle_while_the_ledger_grows() {
    let (vault, _, _) = lived_in().await;
    vault.post("/v1/ledger/seal", json!({})).await;
    let mut pages = Vec::new();
    let mut since = 0;
    loop {
        let page = vault.get(&format!("/v1/ledger/bundle?since={since}&limit=7")).await;
        let until = page["range"]["until"].as_u64();
        pages.push(page);
        let Some(until) = until else { break };
        since = until + 1;
        if since == 14 {
            vault.post("/v1/ledger/entries", json!({"name": "meanwhile"})).await;
            vault.post("/v1/ledger/seal", json!({})).await;
        }
    }
    assert!(pages.len() > 3 && pages.last().unwrap()["entries"] == json!([]));
    let mut verifier = BundleVerifier::new(Pins::default());
    for page in &pages {
        let page: Bundle = serde_json::from_value(page.clone()).unwrap();
        verifier.page(&page).unwrap();
    }
    let verified = verifier.finish().unwrap();
    assert!(verified.complete);
    let told = python::run("verify_ledger.py", &json!({"what": "bundle", "pages": pages}));
    assert_eq!((&told["ok"], &told["entries"]), (&json!(true), &json!(verified.entries)), "{told}");

    // One wrong bit anywhere in a page's hashes or payloads is noticed by both.
    let mut wrong = pages.clone();
    wrong[1]["entries"][3]["payload"]["actorId"] = json!("apk_0000000000000000000000000");
    let told = python::run("verify_ledger.py", &json!({"what": "bundle", "pages": wrong}));
    assert_eq!(told["ok"], false);
}

#[tokio::test]
async fn entries_are_read_from_either_end_page_by_page() {
    let (vault, _, _) = lived_in().await;
    let all = async |query: &str| {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let (status, page) =
                vault.call(&format!("/v1/ledger/entries?limit=7{query}{cursor}"), None).await;
            assert_eq!(status, 200, "{page}");
            let seqs = page["data"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap());
            found.extend(seqs);
            match page["pagination"]["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    };
    for filter in ["", "&since=5", "&eventType=custom.event", "&since=9&eventType=custom.event"] {
        let oldest = all(filter).await;
        let mut newest = all(&format!("{filter}&order=newest")).await;
        assert!(oldest.len() > 1 && newest.is_sorted_by(|a, b| a > b), "{filter}: {newest:?}");
        newest.reverse();
        assert_eq!(newest, oldest, "{filter}");
        assert_eq!(all(&format!("{filter}&order=oldest")).await, oldest, "{filter}");
    }
    let (status, answer) = vault.call("/v1/ledger/entries?order=upwards", None).await;
    assert_eq!((status, &answer["field"]), (400, &json!("order")), "{answer}");
}

#[tokio::test]
async fn a_ledger_too_large_for_one_answer_says_how_to_read_it() {
    let vault = Vault::new().await;
    let large = "x".repeat(16_000);
    for _ in 0..270 {
        let entry = json!({"name": "n", "data": {"large": large}});
        assert_eq!(vault.call("/v1/ledger/entries", Some(&entry)).await.0, 201);
    }
    vault.post("/v1/ledger/seal", json!({})).await;
    let (status, answer) = vault.call("/v1/ledger/bundle", None).await;
    assert_eq!((status, &answer["code"]), (413, &json!("ledger_too_large")));
    let sentence = answer["error"].as_str().unwrap();
    assert!(sentence.contains("since") && sentence.contains("limit"), "{sentence}");
    let page = bundle(&vault, "?limit=5000").await;
    assert!((100..272).contains(&page.entries.len()), "a page also ends at 4 MiB: {}", page.entries.len());
    let mut verifier = BundleVerifier::new(Pins::default());
    let until = page.range.as_ref().unwrap().until;
    verifier.page(&page).unwrap();
    verifier.page(&bundle(&vault, &format!("?since={}&limit=5000", until + 1)).await).unwrap();
    assert!(verifier.finish().unwrap().complete);
    for (query, field) in [("limit=0", "limit"), ("limit=5001", "limit"), ("since=-1", "since")] {
        let (status, answer) = vault.call(&format!("/v1/ledger/bundle?{query}"), None).await;
        assert_eq!((status, &answer["field"]), (400, &json!(field)), "{answer}");
    }
}

#[tokio::test]
async fn a_proof_leads_to_a_checkpoint_and_checkpoints_to_each_other() {
    let (vault, _, signed) = lived_in().await;
    let event = signed["eventId"].as_str().unwrap();
    let early = vault.get(&format!("/v1/ledger/proof/{event}")).await;
    check_proof(&early);
    let late = vault.post("/v1/ledger/entries", json!({"name": "late"})).await;
    let proof = vault.get(&format!("/v1/ledger/proof/{}", late["id"].as_str().unwrap())).await;
    check_proof(&proof);
    assert_eq!(proof["leafIndex"], late["seq"], "it was sealed for the proof");

    let ends = [&early, &proof].map(|proof| {
        let checkpoint = &proof["checkpoint"];
        (checkpoint["treeSize"].as_u64().unwrap(), digest(checkpoint["merkleRootHex"].as_str().unwrap()))
    });
    let [(from, from_root), (to, to_root)] = ends;
    let grown = vault.get(&format!("/v1/ledger/consistency?from={from}&to={to}")).await;
    tree::check_consistency(from, &from_root, to, &to_root, &hashes(&grown["proofHex"])).unwrap();
    for (query, field) in
        [("from=0&to=1", "from"), ("from=2&to=1", "from"), ("from=1&to=99999", "to"), ("from=1", "to")]
    {
        let (status, answer) = vault.call(&format!("/v1/ledger/consistency?{query}"), None).await;
        assert_eq!((status, &answer["field"]), (400, &json!(field)), "{answer}");
    }
    for unknown in ["evt_01h00000000000000000000000", "x"] {
        assert_eq!(vault.call(&format!("/v1/ledger/proof/{unknown}"), None).await.0, 404);
        assert_eq!(vault.call(&format!("/v1/receipts/{unknown}"), None).await.0, 404);
    }
    let (status, _) = vault.call_as(&vault.other_token, &format!("/v1/ledger/proof/{event}"), None).await;
    assert_eq!(status, 404, "another organisation's is unknown");
}

#[tokio::test]
async fn a_receipt_verifies_here_and_in_python_once_its_signature_is_put_in() {
    let (vault, first, signed) = lived_in().await;
    let event = signed["eventId"].as_str().unwrap();
    let mut raw = vault.get(&format!("/v1/receipts/{event}")).await;
    assert_eq!((&raw["signatureBase64"], &raw["revoked"]), (&Value::Null, &Value::Null));
    raw["signatureBase64"] = signed["signature"].clone();
    let receipt: Receipt = serde_json::from_value(raw.clone()).unwrap();
    let key = receipt.keys[0].clone();
    assert_eq!(key.id, first);
    let signer = *composite::PublicKey::from_json(&key.public_key).unwrap().fingerprint();
    let pins = Pins { signers: vec![signer], ledgers: Vec::new() };
    let verified = receipt.check(Signed::Payload(b"hello"), &pins, None).unwrap();
    assert_eq!(verified.anchored, Anchored { signer: true, ledger: false, checkpoint: None });
    assert!(
        matches!(verified.revocation, Revocation::UnknownAfter(_)),
        "the first key is superseded, not revoked"
    );
    let told = python::run(
        "verify_ledger.py",
        &json!({"what": "receipt", "document": raw, "payload": STANDARD.encode("hello")}),
    );
    assert_eq!(
        (&told["ok"], &told["revocation"]),
        (&json!(true), &json!(verified.revocation.to_string())),
        "{told}"
    );

    vault.revoke(&first).await;
    let mut raw = vault.get(&format!("/v1/receipts/{event}")).await;
    raw["signatureBase64"] = signed["signature"].clone();
    let receipt: Receipt = serde_json::from_value(raw.clone()).unwrap();
    let told = receipt.check(Signed::Payload(b"hello"), &pins, None).unwrap();
    assert_eq!(told.revocation, Revocation::LoggedBefore);
    let told = python::run(
        "verify_ledger.py",
        &json!({"what": "receipt", "document": raw, "payload": STANDARD.encode("hello")}),
    );
    assert_eq!(told["revocation"], "logged before revocation", "{told}");
    let entry = vault.get("/v1/ledger/entries?limit=1").await[0]["id"].clone();
    let (status, _) = vault.call(&format!("/v1/receipts/{}", entry.as_str().unwrap()), None).await;
    assert_eq!(status, 404, "only signatures have receipts");
}

#[tokio::test]
async fn a_receipt_is_a_file_where_the_caller_asks_for_one() {
    let (vault, _, signed) = lived_in().await;
    let path = format!("/v1/receipts/{}", signed["eventId"].as_str().unwrap());
    let kind = "application/vnd.postq.receipt+json";
    let request = axum::http::Request::get(&path)
        .header("authorization", format!("Bearer {}", vault.token))
        .header("accept", kind)
        .body(axum::body::Body::empty());
    let (status, headers, body) = vault.send(request.unwrap()).await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, kind));
    assert_eq!((&body["v"], &body["success"]), (&json!(1), &Value::Null), "without the envelope");
}

#[tokio::test]
async fn a_lineage_verifies_in_python_too() {
    let (vault, first, _) = lived_in().await;
    let raw = vault.get(&format!("/v1/hybrid-keys/{first}/lineage")).await;
    let lineage: Lineage = serde_json::from_value(raw.clone()).unwrap();
    let verified = lineage.check(&Pins::default(), None).unwrap();
    assert_eq!(verified.line.keys().count(), 2);
    let told = python::run("verify_ledger.py", &json!({"what": "lineage", "document": raw}));
    assert_eq!((&told["ok"], &told["keys"]), (&json!(true), &json!(2)), "{told}");
    let mut unlogged = raw;
    unlogged["successions"][0]["proof"] = Value::Null;
    let told = python::run("verify_ledger.py", &json!({"what": "lineage", "document": unlogged}));
    assert_eq!(told["ok"], false);
}

#[tokio::test]
async fn hostile_content_is_refused_by_its_field_or_harmless() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa44+ed25519").await;
    let deep = format!("{}1{}", r#"{"a":"#.repeat(9), "}".repeat(9));
    let very_deep = format!("{}1{}", r#"{"a":"#.repeat(50_000), "}".repeat(50_000));
    for hostile in [
        r#"{"n":1152921504606846976}"#,
        r#"{"n":1e400}"#,
        r#"{"n":0.1}"#,
        r#"{"n":1,"n":2}"#,
        r#"{"n":"\ud800"}"#,
        r#"{"\udfff":1}"#,
        r#"[1]"#,
        r#""text""#,
        &deep,
        &very_deep,
        &json!({"large": "x".repeat(16 * 1024)}).to_string(),
    ] {
        for (path, name) in [("/v1/ledger/entries", "data"), ("/v1/sign", "metadata")] {
            let body = if path == "/v1/sign" {
                format!(r#"{{"keyId":"{key}","payload":"","metadata":{hostile}}}"#)
            } else {
                format!(r#"{{"name":"n","data":{hostile}}}"#)
            };
            let request = axum::http::Request::post(path)
                .header("authorization", format!("Bearer {}", vault.token))
                .header("content-type", "application/json")
                .body(axum::body::Body::from(body));
            let (status, _, answer) = vault.send(request.unwrap()).await;
            assert_eq!((status, &answer["code"]), (400, &json!("invalid_request")), "{path}");
            let field = answer["field"].as_str().unwrap();
            assert!(field.starts_with(name) || field == "body", "{field}: {answer}");
        }
    }
    for (body, field) in [
        (json!({"name": "", "data": {}}), "name"),
        (json!({"name": "n", "message": "x".repeat(1025)}), "message"),
        (json!({"name": "n", "subjectId": ""}), "subjectId"),
        (json!({"name": "n", "eventType": "key.created"}), "eventType"),
    ] {
        let (status, answer) = vault.call("/v1/ledger/entries", Some(&body)).await;
        assert_eq!((status, &answer["field"]), (400, &json!(field)), "{answer}");
    }

    // An event that names a key, and says that it was revoked, is in nobody's audit and changes nothing.
    let lie = json!({
        "name": "key.revoked", "subjectId": key, "data": {"keyId": key, "eventType": "key.revoked", "subjectId": key}
    });
    let entry = vault.post("/v1/ledger/entries", lie).await;
    assert_eq!((&entry["eventType"], &entry["subjectId"]), (&json!("custom.event"), &Value::Null));
    let audit = vault.get(&format!("/v1/hybrid-keys/{key}/audit")).await;
    assert_eq!(audit.as_array().unwrap().len(), 1);
    assert_eq!(vault.get(&format!("/v1/ledger/entries?subjectId={key}")).await.as_array().unwrap().len(), 1);
    assert_eq!(vault.sign(&key).await.0, 200);
}

#[tokio::test]
async fn entries_are_read_in_pages_and_by_what_they_are_about() {
    let (vault, first, _) = lived_in().await;
    let all = vault.get("/v1/ledger/entries?limit=1000").await;
    let all = all.as_array().unwrap();
    assert!(all.iter().enumerate().all(|(at, entry)| entry["seq"] == at && entry["payload"]["seq"] == at));
    let mut paged = Vec::new();
    let mut query = "?limit=5".to_owned();
    loop {
        let (_, page) = vault.call(&format!("/v1/ledger/entries{query}"), None).await;
        paged.extend(page["data"].as_array().unwrap().clone());
        let Some(cursor) = page["pagination"]["nextCursor"].as_str() else { break };
        query = format!("?limit=5&cursor={cursor}");
    }
    assert_eq!(paged, *all);
    let about = vault.get(&format!("/v1/ledger/entries?subjectId={first}&eventType=signature.issued")).await;
    assert_eq!(about.as_array().unwrap().len(), 1);
    for wrong in ["limit=0", "limit=1001", "eventType=nothing", "cursor=x", "since=x"] {
        assert_eq!(vault.call(&format!("/v1/ledger/entries?{wrong}"), None).await.0, 400, "{wrong}");
    }
    let theirs = vault.call_as(&vault.other_token, "/v1/ledger/entries", None).await.1;
    assert_eq!(theirs["data"].as_array().unwrap().len(), 2, "an organisation sees its own ledger");
}

#[tokio::test]
async fn sealing_makes_one_checkpoint_a_second_and_none_without_news() {
    let vault = Vault::new().await;
    assert_eq!(vault.get("/v1/ledger/checkpoints/latest").await, Value::Null);
    let first = vault.post("/v1/ledger/seal", json!({})).await;
    assert_eq!(
        (&first["fresh"], &first["treeSize"], &first["publishedTo"]),
        (&json!(true), &json!(2), &json!([]))
    );
    let again = vault.post("/v1/ledger/seal", json!({})).await;
    assert_eq!((&again["fresh"], &again["id"]), (&json!(false), &first["id"]));
    vault.post("/v1/ledger/entries", json!({"name": "n"})).await;
    let seals = (0..8).map(|_| vault.post("/v1/ledger/seal", json!({})));
    let seals: Vec<Value> = futures::future::join_all(seals).await;
    assert_eq!(seals.iter().filter(|seal| seal["fresh"] == true).count(), 1);
    let times = [&first, &seals[0]]
        .map(|seal| seal["createdAt"].as_str().unwrap().parse::<vault::Timestamp>().unwrap().as_millis());
    assert!(times[1] - times[0] >= 1000, "{times:?}");
    assert_eq!(vault.get("/v1/ledger/checkpoints/latest").await["id"], seals[0]["id"]);
    let (_, page) = vault.call("/v1/ledger/checkpoints?limit=1", None).await;
    let cursor = page["pagination"]["nextCursor"].as_str().unwrap();
    let rest = vault.get(&format!("/v1/ledger/checkpoints?cursor={cursor}")).await;
    assert_eq!((rest.as_array().unwrap().len(), &rest[0]["id"]), (1, &first["id"]));
}

#[tokio::test]
async fn documents_have_the_members_that_the_description_says() {
    let (vault, first, signed) = lived_in().await;
    let description = serde_json::to_value(api::routes::openapi()).unwrap();
    let event = signed["eventId"].as_str().unwrap();
    for (name, document) in [
        ("Bundle", vault.get("/v1/ledger/bundle?limit=3").await),
        ("Lineage", vault.get(&format!("/v1/hybrid-keys/{first}/lineage")).await),
        ("Receipt", vault.get(&format!("/v1/receipts/{event}")).await),
        ("LedgerEntry", vault.get("/v1/ledger/entries").await[0].clone()),
        ("AuditRow", vault.get(&format!("/v1/hybrid-keys/{first}/audit")).await[0].clone()),
        ("UsageResponse", vault.get("/v1/usage").await),
    ] {
        described(&description, &json!({"$ref": format!("#/components/schemas/{name}")}), &document, name);
    }
}

/// Every member of the document is described, and every one that is described as required is there.
fn described(description: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = description.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        return described(description, schema, value, at);
    }
    if let Some(options) = schema["oneOf"].as_array() {
        let option = options.iter().find(|option| (option["type"] == "null") == value.is_null()).unwrap();
        return described(description, option, value, at);
    }
    match value {
        Value::Object(members) if schema["properties"].is_object() => {
            for (name, member) in members {
                let property = &schema["properties"][name];
                assert!(property.is_object(), "{at}.{name} is not described");
                described(description, property, member, &format!("{at}.{name}"));
            }
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(name.as_str().unwrap()), "{at} lacks {name}");
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| described(description, &schema["items"], item, at));
        }
        _ => {}
    }
}

fn check_proof(proof: &Value) {
    let number = |name: &str| proof[name].as_u64().unwrap();
    let leaf = digest(proof["leafHashHex"].as_str().unwrap());
    let root = digest(proof["checkpoint"]["merkleRootHex"].as_str().unwrap());
    let size = proof["checkpoint"]["treeSize"].as_u64().unwrap();
    tree::check_inclusion(&leaf, number("leafIndex"), size, &hashes(&proof["proofHex"]), &root).unwrap();
}

fn hashes(proof: &Value) -> Vec<tree::Hash> {
    proof.as_array().unwrap().iter().map(|hash| digest(hash.as_str().unwrap())).collect()
}
