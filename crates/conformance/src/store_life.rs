//! The suite for stores, continued: how keys and tokens end, and the answers that are kept.

use futures::future::join_all;
use ledger::{Party, SUCCESSION_TYPE, Statement};
use vault::{
    Timestamp,
    id::{EventId, OrgId, TokenId},
    store::{
        Attempt, Begin, Change, Commit, KEPT_MILLIS, KeyFilter, KeyKind, KeyRecord, KeyStatus, LEASE_MILLIS,
        Lease, Record, Reply, Rotation, SealedRecord, Slot, Store, StoreError, StoredAnswer,
        SuccessionRecord, TokenRecord, Tombstone,
    },
    token::TokenHash,
};

use crate::store::{ALL, issued, key, make_org, record, sealed};

pub(crate) async fn all(store: &dyn Store) {
    a_key_is_followed_once_and_erased(store).await;
    a_ledger_key_is_followed_in_its_organisation(store).await;
    a_revoked_key_stays_revoked_and_erased(store).await;
    one_change_of_a_key_wins(store).await;
    revocations_at_once_are_all_kept(store).await;
    a_token_ends_once(store).await;
    a_list_can_be_confined_to_lines(store).await;
    one_call_of_a_slot_runs(store).await;
    an_answer_is_kept_with_its_effect_or_neither_is(store).await;
    an_answer_is_withheld_unless_it_may_have_left(store).await;
    what_has_expired_never_was(store).await;
}

async fn a_key_is_followed_once_and_erased(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let old = key(&org, KeyKind::User, "old");
    store.create(&old, &sealed(1), record(&org, 1)).await.unwrap();
    let events = store.unplaced(&org, ALL).await.unwrap().len();
    let rotation = rotation(&old, KeyKind::User);
    assert_eq!(store.supersede(&rotation, record(&org, 1)).await.unwrap(), Change::Done);

    let after = store.key(&org, &old.id).await.unwrap().unwrap();
    let erased = KeyRecord {
        status: KeyStatus::Superseded,
        successor: Some(rotation.successor.id.clone()),
        kek: None,
        tag: None,
        ..old.clone()
    };
    assert_eq!(after, erased, "everything that it signed with is gone, and its tier is still told");
    assert_eq!(store.sealed(&org, &old.id).await.unwrap(), SealedRecord::default());
    assert_eq!(store.key(&org, &rotation.successor.id).await.unwrap(), Some(rotation.successor.clone()));
    assert_eq!(store.sealed(&org, &rotation.successor.id).await.unwrap(), rotation.sealed);
    assert_eq!(store.line(&org, &old.id).await.unwrap(), [after, rotation.successor.clone()]);
    let kept = store.succession(&org, &old.id).await.unwrap();
    assert_eq!(kept.as_ref(), Some(&rotation.succession));
    assert_eq!(store.unplaced(&org, ALL).await.unwrap().len(), events + 1);

    let second = self::rotation(&old, KeyKind::User);
    assert_eq!(store.supersede(&second, record(&org, 1)).await.unwrap(), Change::NotActive);
    assert_eq!(store.key(&org, &second.successor.id).await.unwrap(), None);
    assert_eq!(store.succession(&org, &old.id).await.unwrap(), kept);
    assert_eq!(store.unplaced(&org, ALL).await.unwrap().len(), events + 1, "a refused change left an event");
    assert_eq!(store.record(&issued(&old), record(&org, 1)).await.unwrap(), Commit::Done);
}

async fn a_ledger_key_is_followed_in_its_organisation(store: &dyn Store) {
    let new = make_org(store).await;
    let rotation = rotation(&new.ledger_key, KeyKind::Ledger);
    store.supersede(&rotation, record(&new.org.id, 1)).await.unwrap();
    let org = store.org(&new.org.id).await.unwrap().unwrap();
    assert_eq!(org.ledger_key, rotation.successor.id);
}

async fn a_revoked_key_stays_revoked_and_erased(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let (active, superseded) = (key(&org, KeyKind::User, "active"), key(&org, KeyKind::User, "superseded"));
    for key in [&active, &superseded] {
        store.create(key, &sealed(1), record(&org, 1)).await.unwrap();
    }
    store.supersede(&rotation(&superseded, KeyKind::User), record(&org, 1)).await.unwrap();
    for key in [&active, &superseded] {
        let tombstone = tombstone(key, 1_000);
        let at = store.revoke(&tombstone, record(&org, 1)).await.unwrap();
        assert_eq!(at, tombstone.revoked_at);
        let after = store.key(&org, &key.id).await.unwrap().unwrap();
        assert_eq!((after.status, after.revoked_at), (KeyStatus::Revoked, Some(at)));
        assert_eq!((after.kek, after.tag), (None, None));
        assert_eq!(store.status(&org, &key.id).await.unwrap(), Some(KeyStatus::Revoked));
        assert_eq!(store.sealed(&org, &key.id).await.unwrap(), SealedRecord::default());

        let events = store.unplaced(&org, ALL).await.unwrap().len();
        let again = store.revoke(&self::tombstone(key, 2_000), record(&org, 1)).await.unwrap();
        assert_eq!(again, at, "a second time answers the same");
        assert_eq!(store.unplaced(&org, ALL).await.unwrap().len(), events);
    }
    let after = store.supersede(&rotation(&active, KeyKind::User), record(&org, 1)).await.unwrap();
    assert_eq!(after, Change::NotActive, "a revoked key has no successor");
}

async fn one_change_of_a_key_wins(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let old = key(&org, KeyKind::User, "old");
    store.create(&old, &sealed(1), record(&org, 1)).await.unwrap();
    let rotations: Vec<Rotation> = (0..8).map(|_| rotation(&old, KeyKind::User)).collect();
    let changes = join_all(rotations.iter().map(|rotation| store.supersede(rotation, record(&org, 1)))).await;
    let done = changes.into_iter().filter(|change| matches!(change, Ok(Change::Done))).count();
    assert_eq!(done, 1);
    assert_eq!(store.line(&org, &old.id).await.unwrap().len(), 2);
}

async fn revocations_at_once_are_all_kept(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let keys: Vec<KeyRecord> = (0..32).map(|n| key(&org, KeyKind::User, &n.to_string())).collect();
    for key in &keys {
        store.create(key, &sealed(1), record(&org, 1)).await.unwrap();
    }
    let tombstones: Vec<Tombstone> = keys.iter().map(|key| tombstone(key, 1_000)).collect();
    let revoked = join_all(tombstones.iter().map(|tombstone| store.revoke(tombstone, record(&org, 1)))).await;
    assert!(revoked.into_iter().all(|at| at.unwrap() == moment(1_000)));
    assert!(!store.is_restored().await.unwrap(), "what is kept apart is what is kept here");
    assert!(store.lost_tombstones().await.unwrap().is_empty());
    for key in &keys {
        assert_eq!(store.status(&org, &key.id).await.unwrap(), Some(KeyStatus::Revoked));
    }
}

async fn a_token_ends_once(store: &dyn Store) {
    let new = make_org(store).await;
    let org = &new.org.id;
    let token = TokenRecord {
        id: TokenId::generate(Timestamp::now()).unwrap(),
        hash: TokenHash(vault::random::generate().unwrap()),
        name: "second".into(),
        lines: Some(vec![new.ledger_key.id.clone()]),
        ..new.token.clone()
    };
    store.create_token(&token, record(org, 1)).await.unwrap();
    assert_eq!(store.token(&token.hash).await.unwrap(), Some(token.clone()));
    let mut both = vec![token.clone(), new.token.clone()];
    both.sort_by(|a, b| b.id.cmp(&a.id));
    assert_eq!(store.tokens(org, None, ALL).await.unwrap(), both);
    assert_eq!(store.tokens(org, Some(&both[0].id), ALL).await.unwrap(), both[1..]);

    let (first, second) = (moment(1_000), moment(2_000));
    assert_eq!(store.revoke_token(org, &token.id, first, record(org, 1)).await.unwrap(), Some(first));
    let events = store.unplaced(org, ALL).await.unwrap().len();
    assert_eq!(store.revoke_token(org, &token.id, second, record(org, 1)).await.unwrap(), Some(first));
    assert_eq!(store.unplaced(org, ALL).await.unwrap().len(), events, "a second time writes nothing");
    assert_eq!(store.token(&token.hash).await.unwrap().unwrap().revoked_at, Some(first));
    let stranger = make_org(store).await.org.id;
    assert_eq!(
        store.revoke_token(&stranger, &new.token.id, first, record(&stranger, 1)).await.unwrap(),
        None
    );
    assert_eq!(store.token(&new.token.hash).await.unwrap().unwrap().revoked_at, None);
}

async fn a_list_can_be_confined_to_lines(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let (mine, other) = (key(&org, KeyKind::User, "mine"), key(&org, KeyKind::User, "other"));
    for key in [&mine, &other] {
        store.create(key, &sealed(1), record(&org, 1)).await.unwrap();
    }
    let rotation = rotation(&mine, KeyKind::User);
    store.supersede(&rotation, record(&org, 1)).await.unwrap();
    let filter = KeyFilter { limit: 10, lines: Some(vec![mine.id.clone()]), ..KeyFilter::default() };
    let mut ids: Vec<_> = store.list(&org, &filter).await.unwrap().into_iter().map(|key| key.id).collect();
    ids.sort();
    let mut expected = vec![mine.id, rotation.successor.id];
    expected.sort();
    assert_eq!(ids, expected);
}

async fn one_call_of_a_slot_runs(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let attempt = attempt(&org, "one");
    let now = Timestamp::now();
    let begun = join_all((0..8).map(|_| store.begin(&attempt, now))).await;
    let leases: Vec<Lease> = begun
        .into_iter()
        .filter_map(|begin| match begin.unwrap() {
            Begin::Run(lease) => Some(lease),
            Begin::InProgress => None,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(leases.len(), 1);
    let other = Attempt { body: [9; 32], ..attempt.clone() };
    assert_eq!(store.begin(&other, now).await.unwrap(), Begin::OtherBody);
    let elsewhere =
        Attempt { slot: Slot { path: "/other".into(), ..attempt.slot.clone() }, ..attempt.clone() };
    assert!(matches!(store.begin(&elsewhere, now).await.unwrap(), Begin::Run(_)));

    store.release(&leases[0]).await.unwrap();
    assert!(matches!(store.begin(&attempt, now).await.unwrap(), Begin::Run(_)), "a freed lease is free");

    // Who comes after the lease is over takes it, and the first commits nothing more.
    let later = moment(now.as_millis() + LEASE_MILLIS);
    let Begin::Run(taken) = store.begin(&attempt, later).await.unwrap() else { panic!("not taken over") };
    let key = key(&org, KeyKind::User, "late");
    let late = Record { reply: Some(reply(&leases[0])), ..record(&org, 1) };
    let outcome = store.create(&key, &sealed(1), late).await;
    assert!(matches!(outcome, Err(StoreError::LeaseLost)), "{outcome:?}");
    assert_eq!(store.key(&org, &key.id).await.unwrap(), None);
    store.release(&leases[0]).await.unwrap();
    assert_eq!(store.begin(&attempt, later).await.unwrap(), Begin::InProgress, "it was not its to release");
    let kept = Record { reply: Some(reply(&taken)), ..record(&org, 1) };
    store.create(&key, &sealed(1), kept).await.unwrap();
}

async fn an_answer_is_kept_with_its_effect_or_neither_is(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let attempt = attempt(&org, "kept");
    let now = Timestamp::now();
    let Begin::Run(lease) = store.begin(&attempt, now).await.unwrap() else { panic!("no lease") };
    let new = key(&org, KeyKind::User, "new");
    let taken = record(&org, 1);
    store.append(taken.clone()).await.unwrap();
    // The event's id is taken, so the effect fails, and with it the answer.
    let failed = Record { reply: Some(reply(&lease)), ..taken };
    assert!(store.create(&new, &sealed(1), failed).await.is_err());
    assert_eq!(store.begin(&attempt, now).await.unwrap(), Begin::InProgress);

    let kept = Record { reply: Some(reply(&lease)), ..record(&org, 1) };
    store.create(&new, &sealed(1), kept).await.unwrap();
    store.release(&lease).await.unwrap();
    let answered = Begin::Answered(reply(&lease).answer);
    assert_eq!(store.begin(&attempt, now).await.unwrap(), answered, "an answer is not released");
    let again = Record { reply: Some(reply(&lease)), ..record(&org, 1) };
    assert!(matches!(store.append(again).await, Err(StoreError::LeaseLost)), "one effect");

    let secret = self::attempt(&org, "secret");
    let Begin::Run(lease) = store.begin(&secret, now).await.unwrap() else { panic!("no lease") };
    let answer = StoredAnswer::Secret { id: "apk_1".into() };
    let kept = Record { reply: Some(Reply { lease, answer: answer.clone() }), ..record(&org, 1) };
    store.append(kept).await.unwrap();
    assert_eq!(store.begin(&secret, now).await.unwrap(), Begin::Answered(answer));
}

async fn an_answer_is_withheld_unless_it_may_have_left(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let key = key(&org, KeyKind::User, "key");
    store.create(&key, &sealed(1), record(&org, 1)).await.unwrap();
    for replayed in [false, true] {
        let attempt = attempt(&org, if replayed { "replayed" } else { "not" });
        let Begin::Run(lease) = store.begin(&attempt, Timestamp::now()).await.unwrap() else {
            panic!("no lease")
        };
        assert!(!store.mark_replayed(&attempt.slot).await.unwrap(), "there is no answer yet");
        let row = issued(&key);
        let kept = Record { reply: Some(reply(&lease)), ..record(&org, 1) };
        store.record(&row, kept).await.unwrap();
        assert!(!replayed || store.mark_replayed(&attempt.slot).await.unwrap());
        let events = store.unplaced(&org, ALL).await.unwrap().len();
        store.withhold(&row, Some(&attempt.slot), record(&org, 1)).await.unwrap();
        let written = store.unplaced(&org, ALL).await.unwrap().len() - events;
        let still = store.is_issued(&org, &key.id, &row.digest).await.unwrap();
        assert_eq!((written, still), if replayed { (0, true) } else { (1, false) });
        assert_eq!(store.mark_replayed(&attempt.slot).await.unwrap(), replayed);
        store.forget(&attempt.slot).await.unwrap();
        assert!(!store.mark_replayed(&attempt.slot).await.unwrap());
    }
}

async fn what_has_expired_never_was(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let attempt = attempt(&org, "old");
    let now = Timestamp::now();
    let Begin::Run(lease) = store.begin(&attempt, now).await.unwrap() else { panic!("no lease") };
    store.append(Record { reply: Some(reply(&lease)), ..record(&org, 1) }).await.unwrap();
    let soon = moment(now.as_millis() + KEPT_MILLIS - 1);
    assert!(matches!(store.begin(&attempt, soon).await.unwrap(), Begin::Answered(_)));
    let later = moment(now.as_millis() + KEPT_MILLIS);
    let other = Attempt { body: [9; 32], ..attempt };
    assert!(matches!(store.begin(&other, later).await.unwrap(), Begin::Run(_)));
}

fn rotation(old: &KeyRecord, kind: KeyKind) -> Rotation {
    let new = key(&old.org, kind, "new");
    let successor = KeyRecord { predecessor: Some(old.id.clone()), line: old.line.clone(), ..new };
    let statement = Statement {
        org: old.org.to_string(),
        predecessor: Party::new(old.id.as_str(), &old.public_key),
        rotated_at: Timestamp::now().to_string(),
        successor: Party::new(successor.id.as_str(), &successor.public_key),
        kind: SUCCESSION_TYPE.into(),
    };
    let succession = SuccessionRecord {
        org: old.org.clone(),
        predecessor: old.id.clone(),
        statement,
        predecessor_signature: vec![1; 100],
        successor_signature: vec![2; 100],
        event: EventId::generate(Timestamp::now()).unwrap(),
    };
    Rotation { successor, sealed: sealed(5), succession }
}

pub(crate) fn tombstone(key: &KeyRecord, millis: u64) -> Tombstone {
    let fingerprint = key.public_key.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
    Tombstone { org: key.org.clone(), key: key.id.clone(), fingerprint, revoked_at: moment(millis) }
}

fn attempt(org: &OrgId, key: &str) -> Attempt {
    let slot = Slot {
        org: org.clone(),
        token: TokenId::generate(moment(1)).unwrap(),
        method: "POST".into(),
        path: "/v1/sign".into(),
        key: key.into(),
    };
    Attempt { slot, body: [7; 32] }
}

fn reply(lease: &Lease) -> Reply {
    let answer = StoredAnswer::Data { json: br#"{"a":1}"#.to_vec(), signer: None };
    Reply { lease: lease.clone(), answer }
}

fn moment(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}
