//! Whatever is done to a bundle, a lineage or a receipt is noticed, and named by its place; and what somebody made up whole
//! is never taken for what the verifier knew.

use composite::Algorithm;
use ledger::{
    Anchored, Bundle, BundleError, BundleFault, BundleVerifier, CheckpointPin, Consistency, Entry,
    EntryError, EventType, EvidenceError, LedgerPin, LineError, Lineage, LineageError, LinkError, Part,
    Payload, Pins, ReceiptError, Revocation, Signed, SigningKey, entry_hash, tree,
};
use serde_json::{Value, json};

use crate::own_ledger::{OwnKey, OwnLedger, digest, lineage_key, statement};

/// A thousand entries under two ledger keys and four checkpoints.
fn thousand() -> OwnLedger {
    let mut ledger = OwnLedger::new("org_real");
    while ledger.entries.len() < 500 {
        let n = ledger.entries.len();
        ledger.append(EventType::Custom, None, json!({"data": {"n": n}, "name": "n"}));
    }
    ledger.seal(250);
    ledger.seal(500);
    ledger.rotate("key_second");
    while ledger.entries.len() < 1000 {
        let n = ledger.entries.len();
        ledger.append(EventType::SignatureIssued, Some("key_1"), json!({"n": n}));
    }
    ledger.seal(700);
    ledger.seal(1000);
    ledger
}

fn fails(bundle: &Bundle) -> BundleError {
    bundle.check(&Pins::default()).expect_err("the change was not noticed")
}

/// Changes one entry's payload and mends every hash after it, as far as somebody without the ledger's key can.
fn rewrite(bundle: &mut Bundle, at: usize, change: impl Fn(&mut Value)) {
    let mut payload = bundle.entries[at].payload.as_value().clone();
    change(&mut payload);
    bundle.entries[at].payload = serde_json::from_value(payload).unwrap();
    mend(bundle, at);
}

fn mend(bundle: &mut Bundle, from: usize) {
    let mut previous = match from.checked_sub(1) {
        Some(before) => digest(&bundle.entries[before].entry_hash_hex),
        None => [0; 32],
    };
    for entry in &mut bundle.entries[from..] {
        entry.prev_hash_hex = hex::encode(previous);
        previous = entry_hash(&previous, &entry.payload);
        entry.entry_hash_hex = hex::encode(previous);
    }
}

#[test]
fn every_change_of_an_entry_is_named_by_its_place() {
    let whole = thousand().bundle();
    let verified = whole.check(&Pins::default()).unwrap();
    assert!(verified.complete && verified.entries == 1000 && verified.tree_size == 1000);
    let at = |change: &dyn Fn(&mut Entry)| {
        let mut bundle = whole.clone();
        change(&mut bundle.entries[333]);
        let error = fails(&bundle);
        assert_eq!(error.part, Part::Entry(333), "{error}");
        error.why
    };
    let payload = |change: fn(&mut Value)| {
        move |entry: &mut Entry| {
            let mut payload = entry.payload.as_value().clone();
            change(&mut payload);
            entry.payload = serde_json::from_value(payload).unwrap();
        }
    };
    let entry = BundleFault::Entry;
    for (change, fault) in [
        (payload(|p| p["data"]["data"]["n"] = json!(334)), EntryError::Hash),
        (payload(|p| p["actorId"] = json!("apk_2")), EntryError::Hash),
        (payload(|p| p["eventType"] = json!("key.created")), EntryError::Hash),
        (payload(|p| p["subjectId"] = json!("key_1")), EntryError::Hash),
        (payload(|p| p["org"] = json!("org_other")), EntryError::Org),
        (payload(|p| p["seq"] = json!(334)), EntryError::Field("seq")),
        (payload(|p| p["id"] = json!("evt_2")), EntryError::Field("id")),
        (payload(|p| p["issuedAt"] = json!("2026")), EntryError::Field("createdAt")),
        (payload(|p| p["v"] = json!(2)), EntryError::Payload),
        (payload(|p| p["more"] = json!(1)), EntryError::Payload),
        (payload(|p| p["data"] = json!([])), EntryError::Payload),
    ] {
        assert_eq!(at(&change), entry(fault));
    }
    assert_eq!(at(&|e| e.id = "evt_2".into()), entry(EntryError::Field("id")));
    assert_eq!(at(&|e| e.seq = 334), entry(EntryError::Seq { expected: 333, found: 334 }));
    assert_eq!(at(&|e| e.created_at.push('0')), entry(EntryError::Field("createdAt")));
    assert_eq!(at(&|e| e.entry_hash_hex = "00".repeat(32)), entry(EntryError::Hash));
    assert_eq!(at(&|e| e.prev_hash_hex = "00".repeat(32)), entry(EntryError::Hash));
    assert_eq!(
        at(&|e| e.prev_hash_hex = e.prev_hash_hex.to_uppercase()),
        entry(EntryError::Hex("prevHashHex"))
    );
    assert_eq!(at(&|e| e.entry_hash_hex = "é".into()), entry(EntryError::Hex("entryHashHex")));
    let mut chained = whole.clone();
    let relinked = &mut chained.entries[333];
    relinked.prev_hash_hex = "11".repeat(32);
    relinked.entry_hash_hex = hex::encode(entry_hash(&[0x11; 32], &relinked.payload));
    assert_eq!(fails(&chained), BundleError { part: Part::Entry(333), why: entry(EntryError::Chain) });
}

#[test]
fn entries_deleted_inserted_swapped_or_rewritten_are_noticed() {
    let whole = thousand().bundle();
    let changed = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = whole.clone();
        change(&mut bundle);
        fails(&bundle)
    };
    let counted =
        |expected, found| BundleError { part: Part::Bundle, why: BundleFault::Entries { expected, found } };
    assert_eq!(changed(&|b| drop(b.entries.remove(400))), counted(1000, 999));
    assert_eq!(changed(&|b| b.entries.truncate(900)), counted(1000, 900));
    assert_eq!(changed(&|b| b.entries.insert(400, b.entries[399].clone())), counted(1000, 1001));
    let expected = EntryError::Seq { expected: 400, found: 401 };
    assert_eq!(
        changed(&|b| b.entries.swap(400, 401)),
        BundleError { part: Part::Entry(400), why: expected.into() }
    );
    // Replaced by another, so that the number is right.
    let replaced = changed(&|b| b.entries[400] = b.entries[399].clone());
    assert_eq!(replaced.part, Part::Entry(400));

    // With every hash mended, the first checkpoint over the change no longer fits.
    let root = |size| BundleError { part: Part::Checkpoint(size), why: BundleFault::Root };
    let n = |payload: &mut Value| payload["data"]["n"] = json!("another");
    assert_eq!(changed(&|b| rewrite(b, 100, n)), root(250));
    assert_eq!(changed(&|b| rewrite(b, 499, n)), root(500));
    assert_eq!(changed(&|b| rewrite(b, 600, n)), root(700));
    assert_eq!(changed(&|b| rewrite(b, 999, n)), root(1000));
    let renumbered = changed(&|b| {
        b.entries.remove(100);
        b.entries.push(b.entries[998].clone());
        for (seq, entry) in b.entries.iter_mut().enumerate() {
            let mut payload = entry.payload.as_value().clone();
            payload["seq"] = json!(seq);
            entry.seq = seq as u64;
            entry.payload = serde_json::from_value::<Payload>(payload).unwrap();
        }
        mend(b, 100);
    });
    assert_eq!(renumbered, root(250), "one was cut out and the rest moved up");
    let first = changed(&|b| rewrite(b, 0, |payload| payload["data"]["kind"] = json!("user")));
    assert_eq!(first, BundleError { part: Part::Entry(0), why: BundleFault::FirstEntry });
}

#[test]
fn checkpoints_and_keys_that_were_touched_are_noticed() {
    let ledger = thousand();
    let whole = ledger.bundle();
    let changed = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = whole.clone();
        change(&mut bundle);
        fails(&bundle)
    };
    let evidence = |error: BundleError| match error.why {
        BundleFault::Evidence(why) => (error.part, why),
        other => panic!("{other:?}"),
    };
    let unsigned = |tree_size| move |error: &EvidenceError| matches!(error, EvidenceError::Checkpoint { tree_size: t, .. } if *t == tree_size);
    for (at, size, part) in [(0, 250, Part::Checkpoint(250)), (3, 1000, Part::Bundle)] {
        for change in [
            |c: &mut ledger::Checkpoint| c.created_at = "2026-01-02T00:00:00.001Z".into(),
            |c: &mut ledger::Checkpoint| c.created_at.push('\n'),
            |c: &mut ledger::Checkpoint| c.merkle_root_hex = "00".repeat(32),
            |c: &mut ledger::Checkpoint| c.merkle_root_hex = "0".into(),
            |c: &mut ledger::Checkpoint| c.signature_base64 = "AAAA".into(),
            |c: &mut ledger::Checkpoint| c.signature_base64.replace_range(100..101, "_"),
        ] {
            let (found, why) = evidence(changed(&|b| change(&mut b.checkpoints[at])));
            assert!(found == part && unsigned(size)(&why), "{found}: {why}");
        }
    }
    let swapped = changed(&|b| {
        let signature = b.checkpoints[0].signature_base64.clone();
        b.checkpoints[1].signature_base64 = signature;
    });
    assert!(unsigned(500)(&evidence(swapped).1));
    assert_eq!(changed(&|b| b.checkpoints.swap(0, 1)).why, BundleFault::CheckpointOrder);
    assert_eq!(changed(&|b| b.checkpoints.clear()).why, BundleFault::Checkpoints(0));
    assert_eq!(changed(&|b| b.version = 2).why, BundleFault::Version(2));
    let resized = changed(&|b| b.checkpoints[1].tree_size = 501);
    assert!(matches!(evidence(resized).1, EvidenceError::OutsideReign(501)));

    // Keys: left out, exchanged, doubled, and one that is none.
    let (first, second) = (ledger.keys[0].id.clone(), ledger.keys[1].id.clone());
    assert_eq!(evidence(changed(&|b| drop(b.signing_keys.remove(1)))).1, EvidenceError::UnknownSigner(1000));
    let without_first = evidence(changed(&|b| drop(b.signing_keys.remove(0)))).1;
    let why = LinkError::UnknownKey("predecessor");
    assert_eq!(without_first, EvidenceError::Line(LineError::Link { index: 0, why }));
    let exchanged = evidence(changed(&|b| {
        b.signing_keys[0].id = second.clone();
        b.signing_keys[1].id = first.clone();
    }));
    assert!(unsigned(1000)(&exchanged.1), "{exchanged:?}");
    assert_eq!(
        evidence(changed(&|b| b.signing_keys.push(b.signing_keys[0].clone()))).1,
        EvidenceError::Line(LineError::SameKey)
    );
    let stranger = OwnKey::new("key_stranger", Algorithm::MlDsa65Ed25519);
    let more = evidence(changed(&|b| b.signing_keys.push(SigningKey::new(&stranger.id, &stranger.public))));
    assert_eq!(more.1, EvidenceError::Line(LineError::Disconnected));
    let malformed = evidence(changed(&|b| b.signing_keys[0].public_pq_base64 = "AAAA".into()));
    assert_eq!(malformed.1, EvidenceError::Key(first));
    assert_eq!(evidence(changed(&|b| b.successions.clear())).1, EvidenceError::Line(LineError::Disconnected));

    // A checkpoint by the old key after it was followed, and by the new one before it did: valid signatures both.
    for (key, size) in [(0, 700), (1, 500)] {
        let mut bundle = whole.clone();
        let at = bundle.checkpoints.iter().position(|c| c.tree_size == size).unwrap();
        bundle.checkpoints[at] = ledger.checkpoint_by(&ledger.keys[key], size);
        assert_eq!(evidence(fails(&bundle)), (Part::Checkpoint(size), EvidenceError::OutsideReign(size)));
    }
}

#[test]
fn what_was_cut_off_after_an_older_checkpoint_shows_only_against_a_pin() {
    let mut ledger = thousand();
    let whole = ledger.bundle();
    ledger.checkpoints.pop();
    let cut = ledger.bundle();
    let pin = |checkpoint: Option<(u64, &Bundle)>| Pins {
        signers: Vec::new(),
        ledgers: vec![LedgerPin {
            org: "org_real".into(),
            fingerprint: *ledger.keys[0].public.fingerprint(),
            checkpoint: checkpoint.map(|(tree_size, of)| {
                let found = of.checkpoints.iter().find(|c| c.tree_size == tree_size).unwrap();
                CheckpointPin { tree_size, root: found.root().unwrap() }
            }),
        }],
    };
    // The one exception: by itself a bundle that ends at an older checkpoint is a whole one.
    let verified = cut.check(&pin(None)).unwrap();
    assert!(verified.complete && verified.tree_size == 700 && verified.anchored.ledger);
    let rolled_back = cut.check(&pin(Some((1000, &whole)))).unwrap_err();
    let expected = EvidenceError::RolledBack { pinned: 1000, found: 700 };
    assert_eq!(rolled_back.why, BundleFault::Evidence(expected));
    for size in [250, 500, 700, 1000] {
        let anchored = whole.check(&pin(Some((size, &whole)))).unwrap().anchored;
        assert_eq!(anchored, Anchored { signer: false, ledger: true, checkpoint: Some(size) });
    }

    // A fork by the operator: the same keys, the same sizes, another history.
    let mut fork = OwnLedger::new("org_real");
    while fork.entries.len() < 1000 {
        fork.append(EventType::Custom, None, json!({"rewritten": true}));
    }
    fork.seal(1000);
    let forked = fork.bundle();
    assert!(forked.check(&pin(None)).unwrap().anchored.ledger, "its keys are the real ones");
    for size in [250, 1000] {
        let error = forked.check(&pin(Some((size, &whole)))).unwrap_err();
        assert_eq!(error.why, BundleFault::Evidence(EvidenceError::Forked(size)));
    }
}

#[test]
fn a_second_successor_in_the_ledger_is_a_fork() {
    let mut ledger = thousand();
    let thief = OwnKey::new("key_thief", Algorithm::MlDsa65Ed25519);
    let old = OwnKey::new("key_org_real_ledger", Algorithm::MlDsa65Ed25519);
    assert_eq!(old.public, ledger.keys[0].public);
    ledger.log_succession(&old, &thief);
    ledger.seal(1001);
    let error = fails(&ledger.bundle());
    assert_eq!(error, BundleError { part: Part::Entry(1000), why: BundleFault::Fork });
}

#[test]
fn pages_must_follow_each_other() {
    let ledger = thousand();
    let pages: Vec<Bundle> = [(0, 299), (300, 699), (700, 999)].map(|(a, b)| page(&ledger, a, b)).to_vec();
    let mut verifier = BundleVerifier::new(Pins::default());
    for page in &pages {
        verifier.page(page).unwrap();
    }
    let after = Bundle { entries: Vec::new(), range: None, ..pages[2].clone() };
    verifier.page(&after).unwrap();
    assert!(verifier.finish().unwrap().complete);

    let mut skipping = BundleVerifier::new(Pins::default());
    skipping.page(&pages[0]).unwrap();
    let error = skipping.page(&pages[2]).unwrap_err();
    assert_eq!(error.why, BundleFault::Next { expected: 300, found: 700 });
    skipping.page(&pages[1]).unwrap();
    assert_eq!(skipping.next(), 700, "a page that was refused changed nothing");
    let part = skipping.finish().unwrap();
    assert!(!part.complete && part.entries == 700);

    // A range by itself is checked against its checkpoint, whatever stands around it.
    let alone = pages[1].check(&Pins::default()).unwrap();
    assert_eq!((alone.since, alone.entries, alone.complete), (300, 400, false));
    let changed = |change: &dyn Fn(&mut Bundle)| {
        let mut page = pages[1].clone();
        change(&mut page);
        page.check(&Pins::default()).expect_err("the change was not noticed")
    };
    type Change<'a> = &'a dyn Fn(&mut ledger::Range);
    let range_changes: [Change<'_>; 8] = [
        &|r| r.left_hex[0] = "00".repeat(32),
        &|r| drop(r.left_hex.pop()),
        &|r| r.right_hex[0] = "00".repeat(32),
        &|r| r.right_hex.push("00".repeat(32)),
        &|r| r.prev_hash_hex = "00".repeat(32),
        &|r| r.until = 698,
        &|r| r.since = 301,
        &|r| r.tree_size = 999,
    ];
    for change in range_changes {
        changed(&|page| change(page.range.as_mut().unwrap()));
    }
    changed(&|page| drop(page.entries.pop()));
    changed(&|page| page.checkpoints.push(page.checkpoints[0].clone()));
}

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
    assert_eq!(check(&receipt, Signed::Payload(b"other")), Err(ReceiptError::Field("ph")));
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
        let mut data = lying.entries.pop().unwrap().payload.as_value()["data"].clone();
        data[field] = wrong;
        let seq = lying.append(EventType::SignatureIssued, Some(&key.id), data);
        lying.seal(2);
        let error = check(&lying.receipt(&key, seq, &signature), Signed::Payload(b"hello")).unwrap_err();
        let named = error == ReceiptError::Field(field);
        let context = field == "contextBase64" && matches!(error, ReceiptError::Verdict(_));
        assert!(named || context, "{field}: {error}");
    }
}

#[test]
fn a_whole_vault_that_somebody_made_up_is_never_anchored() {
    let real = thousand();
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
        let seq = ledger.append(EventType::KeyRotated, Some(&old.id), statement.event_data());
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
    let forked = ReceiptError::Ledger(EvidenceError::Forked(2));
    assert_eq!(check([7; 32], Some(&consistency)), Err(forked));
}

fn page(ledger: &OwnLedger, since: u64, until: u64) -> Bundle {
    let tiles = ledger.tiles();
    let (left, right) = tree::around_range(since, until, 1000, &tiles).unwrap();
    let hex = |hashes: Vec<tree::Hash>| hashes.iter().map(hex::encode).collect();
    let whole = ledger.bundle();
    let (first, last) = (usize::try_from(since).unwrap(), usize::try_from(until).unwrap());
    Bundle {
        checkpoints: vec![whole.checkpoints.last().unwrap().clone()],
        range: Some(ledger::Range {
            since,
            until,
            tree_size: 1000,
            prev_hash_hex: whole.entries[first].prev_hash_hex.clone(),
            left_hex: hex(left),
            right_hex: hex(right),
        }),
        entries: whole.entries[first..=last].to_vec(),
        ..whole
    }
}
