//! Whatever is done to a bundle is noticed, and named by its place.

use composite::Algorithm;
use ledger::{
    Anchored, Bundle, BundleError, BundleFault, BundleVerifier, CheckpointPin, Entry, EntryError, EventType,
    EvidenceError, LedgerPin, LineError, LinkError, Part, Payload, Pins, SigningKey, entry_hash, tree,
};
use serde_json::{Value, json};

use crate::own_ledger::{OwnKey, OwnLedger, digest};

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
    let mut payload = serde_json::to_value(&bundle.entries[at].payload).unwrap();
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
            let mut payload = serde_json::to_value(&entry.payload).unwrap();
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
            let mut payload = serde_json::to_value(&entry.payload).unwrap();
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
fn a_stolen_old_key_does_not_sign_on_beside_the_entry_that_ended_it() {
    let mut ledger = thousand();
    // The genuine entries, more of the thief's own, and a checkpoint by the key that was followed at entry 500; of the key that
    // followed it, not a word.
    ledger.append(EventType::Custom, None, json!({"forged": true}));
    let mut stolen = ledger.bundle();
    stolen.entries.clone_from(&ledger.entries);
    stolen.checkpoints = vec![ledger.checkpoint_by(&ledger.keys[0], 1001)];
    stolen.signing_keys.truncate(1);
    stolen.successions.clear();
    let error = fails(&stolen);
    assert_eq!(error, BundleError { part: Part::Entry(500), why: BundleFault::FollowedUnseen(500) });

    // The same in pages: the keys of a later one may not forget what the entries before said, nor be others.
    let first = page(&ledger, 0, 699);
    for forget in [0, 1] {
        let mut verifier = BundleVerifier::new(Pins::default());
        verifier.page(&first).unwrap();
        let mut next = page(&ledger, 700, 999);
        if forget == 0 {
            let other = OwnKey::new("key_other", Algorithm::MlDsa65Ed25519);
            next.signing_keys = vec![SigningKey::new(&other.id, &other.public)];
            next.checkpoints = vec![ledger.checkpoint_by(&other, 1000)];
            next.successions.clear();
        } else {
            next.signing_keys.truncate(1);
            next.checkpoints = vec![ledger.checkpoint_by(&ledger.keys[0], 1000)];
            next.successions.clear();
        }
        let error = verifier.page(&next).unwrap_err();
        assert_eq!(error, BundleError { part: Part::Bundle, why: BundleFault::OtherKeys });
    }
}

#[test]
fn a_page_is_held_against_the_checkpoint_that_was_seen_wherever_it_begins() {
    let ledger = thousand();
    let pins = |tree_size, root| Pins {
        signers: Vec::new(),
        ledgers: vec![LedgerPin {
            org: "org_real".into(),
            fingerprint: *ledger.keys[0].public.fingerprint(),
            checkpoint: Some(CheckpointPin { tree_size, root }),
        }],
    };
    let root = |size| tree::root(size, &ledger.tiles()).unwrap();
    // Beginning where the last audit ended; within; and of the newest checkpoint itself, which the page does not reach.
    for (since, until, size) in [(700, 999, 700), (500, 999, 700), (300, 699, 1000)] {
        let page = page(&ledger, since, until);
        let anchored = page.check(&pins(size, root(size))).unwrap().anchored;
        assert_eq!(anchored, Anchored { signer: false, ledger: true, checkpoint: Some(size) });
        let forked = page.check(&pins(size, [7; 32])).unwrap_err();
        assert_eq!(forked.why, BundleFault::Evidence(EvidenceError::Forked(size)));
    }
    // Who continues the public tree by a key of their own is anchored by nothing.
    let stranger = OwnKey::new("key_stranger", Algorithm::MlDsa65Ed25519);
    let mut by_stranger = page(&ledger, 700, 999);
    by_stranger.signing_keys = vec![SigningKey::new(&stranger.id, &stranger.public)];
    by_stranger.successions.clear();
    by_stranger.checkpoints = vec![ledger.checkpoint_by(&stranger, 1000)];
    let anchored = by_stranger.check(&pins(700, root(700))).unwrap().anchored;
    assert_eq!(anchored, Anchored::default());
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
