//! Whatever is done to a lineage or a receipt is noticed; and what somebody made up whole is never taken for what the verifier
//! knew.

use composite::Algorithm;
use ledger::{
    Anchored, CheckpointPin, Consistency, EventType, EvidenceError, LedgerPin, LineError, Lineage,
    LineageError, LinkError, Pins, ReceiptError, Revocation, Signed, tree,
};
use serde_json::json;

use crate::own_ledger::{OwnKey, OwnLedger, lineage_key, statement};

#[test]
fn a_line_that_is_forked_unlogged_or_changed_is_refused_at_its_link() {
    let mut ledger = OwnLedger::new("org_real");
    let keys: Vec<OwnKey> =
        ["key_a", "key_b", "key_c", "key_d"].map(|id| OwnKey::new(id, Algorithm::MlDsa44EcdsaP256)).into();
    let links = [
        ledger.log_succession(&keys[0], &keys[1]),
        ledger.log_succession(&keys[1], &keys[2]),
        // Whoever stole the second key makes another successor of it, and even gets it into the ledger.
        ledger.log_succession(&keys[1], &keys[3]),
    ];
    ledger.seal(4);
    let whole = Lineage {
        org: "org_real".into(),
        keys: keys[..3].iter().map(lineage_key).collect(),
        successions: links[..2].iter().map(|link| ledger.link(link, 4)).collect(),
        ledger: ledger.evidence(),
    };
    whole.check(&Pins::default(), None).unwrap();
    let refused = |change: &dyn Fn(&mut Lineage)| {
        let mut changed = whole.clone();
        change(&mut changed);
        match changed.check(&Pins::default(), None) {
            Err(LineageError::Line(error)) => error,
            other => panic!("{:?}", other.map(|_| ())),
        }
    };
    let at = |index, why| LineError::Link { index, why };
    assert_eq!(refused(&|l| l.successions[1].proof = None), at(1, LinkError::Unlogged));
    let forked = refused(&|l| {
        l.keys.push(lineage_key(&keys[3]));
        l.successions.push(ledger.link(&links[2], 4));
    });
    assert_eq!(forked, at(2, LinkError::Fork("predecessor")));
    assert_eq!(
        refused(&|l| l.successions[0].statement.org = "org_other".into()),
        at(0, LinkError::Statement)
    );
    assert_eq!(
        refused(&|l| l.successions[1].statement.rotated_at.push('0')),
        at(1, LinkError::Signature("predecessor"))
    );
    let signature = |l: &Lineage| l.successions[0].predecessor_signature_base64.clone();
    assert_eq!(
        refused(&|l| l.successions[1].successor_signature_base64 = signature(l)),
        at(1, LinkError::Signature("successor"))
    );
    assert_eq!(
        refused(&|l| l.successions[1].proof = l.successions[0].proof.clone()),
        at(1, LinkError::OtherEntry)
    );
    assert_eq!(refused(&|l| drop(l.keys.pop())), at(1, LinkError::UnknownKey("successor")));
    assert_eq!(refused(&|l| drop(l.successions.pop())), LineError::Disconnected);
    let broken = refused(&|l| l.successions[1].proof.as_mut().unwrap().proof_hex[0] = "00".repeat(32));
    assert!(matches!(broken, LineError::Link { index: 1, why: LinkError::Entry(_) }));
    let circle = statement("org_real", &keys[2], &keys[0]);
    let sign = |key: &OwnKey| key.sign(&circle.signing_input(key.public.algorithm()));
    let link = (circle.clone(), sign(&keys[2]), sign(&keys[0]), 1);
    assert_eq!(refused(&|l| l.successions.push(ledger.link(&link, 4))), at(2, LinkError::OtherEntry));
}

#[test]
fn a_receipt_is_checked_field_by_field() {
    let mut ledger = OwnLedger::new("org_real");
    let key = OwnKey::new("key_signer", Algorithm::MlDsa44Ed25519);
    let (seq, signature) = ledger.issue(&key, b"hello");
    let revocation =
        json!({"fingerprint": hex::encode(key.public.fingerprint()), "keyId": key.id, "revokedAt": "x"});
    let revoked = ledger.append(EventType::KeyRevoked, Some(&key.id), revocation);
    let (after, late) = ledger.issue(&key, b"hello");
    ledger.seal(4);
    let receipt = ledger.receipt(&key, seq, &signature);
    let check = |receipt: &ledger::Receipt, signed| receipt.check(signed, &Pins::default(), None);
    let verified = check(&receipt, Signed::Payload(b"hello")).unwrap();
    assert_eq!(verified.revocation, Revocation::UnknownAfter(4));
    assert_eq!(verified.revocation.to_string(), "revocation unknown after checkpoint 4");
    assert!(verified.message_checked);
    assert!(!check(&receipt, Signed::Unknown).unwrap().message_checked);
    assert_eq!(check(&receipt, Signed::Payload(b"other")), Err(ReceiptError::Message));
    let prehash = composite::Prehash::derive(Algorithm::MlDsa44Ed25519, b"hello");
    let digests = |payload| Signed::Digests { prehash: prehash.as_bytes(), payload };
    let sha256 = hex::encode(ledger::sha256(b"hello"));
    check(&receipt, digests(None)).unwrap();
    check(&receipt, digests(Some((&sha256, 5)))).unwrap();
    assert_eq!(check(&receipt, digests(Some((&sha256, 6)))), Err(ReceiptError::Field("payloadSize")));

    let mut with_revocation = receipt.clone();
    with_revocation.revoked = Some(ledger.logged(revoked, 4));
    let told = check(&with_revocation, Signed::Unknown).unwrap().revocation;
    assert_eq!((told, told.to_string().as_str()), (Revocation::LoggedBefore, "logged before revocation"));
    let mut too_late = ledger.receipt(&key, after, &late);
    too_late.revoked = Some(ledger.logged(revoked, 4));
    assert_eq!(check(&too_late, Signed::Unknown).unwrap().revocation, Revocation::LoggedAfter);

    let refused = |change: &dyn Fn(&mut ledger::Receipt)| {
        let mut changed = receipt.clone();
        change(&mut changed);
        check(&changed, Signed::Payload(b"hello")).expect_err("the change was not noticed")
    };
    assert_eq!(refused(&|r| r.v = 2), ReceiptError::Version(2));
    assert_eq!(refused(&|r| r.signature_base64 = None), ReceiptError::NoSignature);
    assert_eq!(refused(&|r| r.signature_base64 = Some("AAAA".into())), ReceiptError::Signature);
    assert_eq!(refused(&|r| r.key_id = "key_other".into()), ReceiptError::UnknownKey);
    assert_eq!(refused(&|r| r.revoked = Some(r.issued.clone())), ReceiptError::Field("revoked"));
    assert!(matches!(refused(&|r| r.org = "org_other".into()), ReceiptError::Ledger(_)));
    assert!(matches!(refused(&|r| r.issued.leaf_index = 2), ReceiptError::Entry { what: "issued", .. }));
    assert!(matches!(refused(&|r| r.issued.tree_size = 3), ReceiptError::Entry { .. }));
    assert!(matches!(refused(&|r| r.issued.proof_hex.clear()), ReceiptError::Entry { .. }));
    let other = OwnKey::new("key_signer", Algorithm::MlDsa65Ed25519);
    assert!(matches!(refused(&|r| r.keys = vec![lineage_key(&other)]), ReceiptError::Signature));

    // An operator who logs something else than what was signed: every field of the entry is compared.
    for (field, wrong) in [
        ("algorithm", json!("mldsa65+ed25519")),
        ("contextBase64", json!("AAAA")),
        ("fingerprint", json!("00")),
        ("keyId", json!("key_other")),
        ("payloadSha256", json!("00")),
        ("payloadSize", json!(6)),
        ("ph", json!("00".repeat(64))),
        ("phAlg", json!("sha256")),
        ("signatureSha256", json!("00")),
    ] {
        let mut lying = OwnLedger::new("org_real");
        let (_, signature) = lying.issue(&key, b"hello");
        let mut data = serde_json::to_value(&lying.entries.pop().unwrap().payload).unwrap()["data"].take();
        data[field] = wrong;
        let seq = lying.append(EventType::SignatureIssued, Some(&key.id), data);
        lying.seal(2);
        let error = check(&lying.receipt(&key, seq, &signature), Signed::Payload(b"hello")).unwrap_err();
        let named = error == if field == "ph" { ReceiptError::Message } else { ReceiptError::Field(field) };
        let context = field == "contextBase64" && matches!(error, ReceiptError::Verdict(_));
        assert!(named || context, "{field}: {error}");
    }
}

#[test]
fn a_whole_vault_that_somebody_made_up_is_never_anchored() {
    let mut real = OwnLedger::new("org_real");
    real.rotate("key_second");
    real.seal(2);
    let signer = OwnKey::new("key_signer", Algorithm::MlDsa44Ed25519);
    let pins = Pins {
        signers: vec![*signer.public.fingerprint()],
        ledgers: vec![LedgerPin {
            org: "org_real".into(),
            fingerprint: *real.keys[1].public.fingerprint(),
            checkpoint: None,
        }],
    };
    // The org and the ids are the real ones; the keys are the forger's own.
    let forger = OwnKey::new("key_forger", Algorithm::MlDsa44Ed25519);
    let mut forged = OwnLedger::new("org_real");
    forged.keys[0] = OwnKey::new("key_forged_ledger", Algorithm::MlDsa65Ed25519);
    forged.entries.clear();
    let key = &forged.keys[0];
    let fingerprint = hex::encode(key.public.fingerprint());
    let created = json!({"kind": "ledger", "keyId": key.id, "fingerprint": fingerprint});
    forged.append(EventType::KeyCreated, None, created);
    let (seq, signature) = forged.issue(&forger, b"hello");
    forged.seal(2);
    let bundle = forged.bundle().check(&pins).unwrap();
    assert_eq!(bundle.anchored, Anchored::default());
    let receipt = forged.receipt(&forger, seq, &signature);
    let verified = receipt.check(Signed::Payload(b"hello"), &pins, None).unwrap();
    assert_eq!(verified.anchored, Anchored::default(), "it is consistent, and vouches for itself alone");

    // The pinned keys cannot be woven in: not as an ancestor, not as a successor, not beside.
    for (old, new) in [(&signer, &forger), (&forger, &signer)] {
        let statement = statement("org_real", old, new);
        let by_forger = forger.sign(&statement.signing_input(forger.public.algorithm()));
        let mut ledger = OwnLedger::new("org_forged");
        let seq = ledger.append(EventType::KeyRotated, Some(&old.id), json!(statement.event_data()));
        ledger.seal(2);
        let lineage = Lineage {
            org: "org_real".into(),
            keys: vec![lineage_key(old), lineage_key(new)],
            successions: vec![ledger.link(&(statement, by_forger.clone(), by_forger, seq), 2)],
            ledger: ledger.evidence(),
        };
        assert!(lineage.check(&pins, None).is_err());
    }
    let mut beside = receipt.clone();
    beside.keys.push(lineage_key(&signer));
    assert!(beside.check(Signed::Unknown, &pins, None).is_err());

    // A signer that came later than the pinned key's line allows: a pin of the successor says nothing of what its
    // predecessor signed.
    let (a, b) =
        (OwnKey::new("key_a", Algorithm::MlDsa44Ed25519), OwnKey::new("key_b", Algorithm::MlDsa44Ed25519));
    let mut own = OwnLedger::new("org_real");
    let (seq, signature) = own.issue(&a, b"hello");
    let link = own.log_succession(&a, &b);
    own.seal(3);
    let mut receipt = own.receipt(&a, seq, &signature);
    receipt.keys.push(lineage_key(&b));
    receipt.successions.push(own.link(&link, 3));
    for (pinned, anchored) in [(&a, true), (&b, false)] {
        let pins = Pins { signers: vec![*pinned.public.fingerprint()], ..Pins::default() };
        assert_eq!(receipt.check(Signed::Unknown, &pins, None).unwrap().anchored.signer, anchored);
    }
}

#[test]
fn a_receipt_is_held_against_the_checkpoint_that_was_seen() {
    let mut ledger = OwnLedger::new("org_real");
    let key = OwnKey::new("key_signer", Algorithm::MlDsa44Ed25519);
    ledger.append(EventType::Custom, None, json!({}));
    let seen = ledger.seal(2);
    let (seq, signature) = ledger.issue(&key, b"hello");
    ledger.seal(3);
    let receipt = ledger.receipt(&key, seq, &signature);
    let pins = |root| Pins {
        signers: Vec::new(),
        ledgers: vec![LedgerPin {
            org: "org_real".into(),
            fingerprint: *ledger.keys[0].public.fingerprint(),
            checkpoint: Some(CheckpointPin { tree_size: 2, root }),
        }],
    };
    let proof = tree::consistency_proof(2, 3, &ledger.tiles()).unwrap();
    let proof_hex: Vec<String> = proof.iter().map(hex::encode).collect();
    let consistency = Consistency { from_tree_size: 2, to_tree_size: 3, proof_hex };
    let check = |root, consistency: Option<&Consistency>| {
        receipt.check(Signed::Unknown, &pins(root), consistency).map(|verified| verified.anchored)
    };
    let root = seen.root().unwrap();
    let with = Anchored { signer: false, ledger: true, checkpoint: Some(2) };
    assert_eq!(check(root, Some(&consistency)), Ok(with));
    assert_eq!(check(root, None), Ok(Anchored { checkpoint: None, ..with }), "nothing was compared");
    let forked = EvidenceError::Consistency(tree::ProofError::Root);
    assert_eq!(check([7; 32], Some(&consistency)), Err(ReceiptError::Ledger(forked)));
}
