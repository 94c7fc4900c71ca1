//! The suite for stores.

use composite::{Algorithm, ClassicalSecret, PqSecret, PublicKey};
use futures::future::join_all;
use ledger::{Event, EventType, Json};
use serde_json::json;
use vault::{
    Timestamp,
    caller::{Environment, Scope},
    custody::WrappedDek,
    id::{EventId, KeyId, OrgId, TokenId},
    providers::{KekProvider, KeyProvider, PqProvider, Tier},
    record_tag::{KekId, RecordTag},
    store::{
        Commit, Hold, IssuedDigest, IssuedRecord, KekHold, KeyFilter, KeyKind, KeyRecord, KeyStatus, NewOrg,
        OrgRecord, Record, SealedRecord, Store, StoreError, TokenRecord,
    },
    token::TokenHash,
};

use crate::{store_clouds, store_ledger, store_life, store_policies, store_rotations, store_secrets};

/// More than any test writes.
pub(crate) const ALL: usize = 100_000;

/// Everything but what needs the store to be opened twice.
pub async fn all(store: &dyn Store) {
    what_makes_an_organisation_is_there_at_once(store).await;
    what_exists_is_not_made_again(store).await;
    a_write_that_fails_at_its_end_leaves_nothing_of_its_beginning(store).await;
    a_key_reads_back_as_it_was_written(store).await;
    a_list_is_newest_first_and_filtered(store).await;
    a_signature_and_its_event_are_committed_together(store).await;
    a_signature_withheld_is_no_longer_issued(store).await;
    a_row_is_rewrapped_only_as_it_was_read(store).await;
    active_keys_are_walked_once_each(store).await;
    store_life::all(store).await;
    store_ledger::all(store).await;
    store_clouds::all(store).await;
    store_policies::all(store).await;
    store_rotations::all(store).await;
    store_secrets::all(store).await;
    nothing_of_one_organisation_is_found_in_another(store).await;
    concurrent_writers_lose_nothing(store).await;
}

/// A revoked key of a new organisation's, whose halves are still to be deleted at a cloud.
pub async fn ended_key(store: &dyn Store) -> (OrgId, KeyId) {
    store_clouds::ended(store).await
}

/// What was acknowledged is there when the store is opened again.
pub async fn survives_reopening<S: Store>(open: impl Fn() -> S) {
    let first = open();
    assert!(!first.any_org().await.unwrap(), "a store never used has no organisation");
    let org = make_org(&first).await;
    let key = key(&org.org.id, KeyKind::User, "kept");
    first.create(&key, &sealed(1), record(&org.org.id, 1)).await.unwrap();
    drop(first);

    let second = open();
    assert_eq!(second.key(&key.org, &key.id).await.unwrap(), Some(key.clone()));
    assert_eq!(second.sealed(&key.org, &key.id).await.unwrap(), sealed(1));
    assert_eq!(second.org(&org.org.id).await.unwrap(), Some(org.org.clone()));
    assert_eq!(second.unplaced(&org.org.id, ALL).await.unwrap().len(), 3);
}

async fn what_makes_an_organisation_is_there_at_once(store: &dyn Store) {
    let new = make_org(store).await;
    assert!(store.any_org().await.unwrap());
    assert_eq!(store.org(&new.org.id).await.unwrap(), Some(new.org.clone()));
    assert_eq!(store.token(&new.token.hash).await.unwrap(), Some(new.token.clone()));
    assert_eq!(store.key(&new.org.id, &new.ledger_key.id).await.unwrap(), Some(new.ledger_key.clone()));
    assert_eq!(store.sealed(&new.org.id, &new.ledger_key.id).await.unwrap(), new.sealed);
    assert_eq!(store.unplaced(&new.org.id, ALL).await.unwrap().len(), 2);
    assert_eq!(store.token(&TokenHash([0xee; 32])).await.unwrap(), None);
}

async fn what_exists_is_not_made_again(store: &dyn Store) {
    let new = make_org(store).await;
    let events = store.unplaced(&new.org.id, ALL).await.unwrap();
    let again = store.create_org(new.clone(), record(&new.org.id, 1)).await;
    assert!(matches!(again, Err(StoreError::Exists)), "{again:?}");
    let again = store.create(&new.ledger_key, &sealed(9), record(&new.org.id, 1)).await;
    assert!(matches!(again, Err(StoreError::Exists)), "{again:?}");
    assert_eq!(store.sealed(&new.org.id, &new.ledger_key.id).await.unwrap(), new.sealed);
    assert_eq!(store.unplaced(&new.org.id, ALL).await.unwrap(), events, "a write that failed left an event");
}

async fn a_write_that_fails_at_its_end_leaves_nothing_of_its_beginning(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let known = key(&org, KeyKind::User, "known");
    let used = record(&org, 1);
    store.create(&known, &sealed(1), used.clone()).await.unwrap();
    let events = store.unplaced(&org, ALL).await.unwrap();

    // The event is the last that is written, and its id is taken.
    let new = key(&org, KeyKind::User, "new");
    let failed = store.create(&new, &sealed(1), used.clone()).await;
    assert!(matches!(failed, Err(StoreError::Exists)), "{failed:?}");
    assert_eq!(store.key(&org, &new.id).await.unwrap(), None);
    assert_eq!(store.sealed(&org, &new.id).await.unwrap(), SealedRecord::default());

    let row = issued(&known);
    assert!(store.record(&row, used.clone()).await.is_err());
    assert!(!store.is_issued(&org, &known.id, &row.digest).await.unwrap());

    let fresh = record(&org, 1);
    store.record(&row, fresh).await.unwrap();
    assert!(store.withhold(&row, None, used).await.is_err());
    assert!(store.is_issued(&org, &known.id, &row.digest).await.unwrap(), "it was not withheld");
    assert_eq!(store.unplaced(&org, ALL).await.unwrap().len(), events.len() + 1);
}

async fn a_key_reads_back_as_it_was_written(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let mut plain = key(&org, KeyKind::User, "näme with 'quotes' and \u{1f511}");
    plain.metadata =
        serde_json::from_value(json!({"environment": "prod", "n": [1, null, {"a": "ü"}]})).unwrap();
    let mut remote = store_clouds::remote(&org);
    let saved = store_clouds::save(store, &org).await;
    store_clouds::intend(store, &org, &remote.id, saved).await;
    remote.predecessor = Some(plain.id.clone());
    remote.line = plain.line.clone();
    remote.allow_follow = true;
    remote.rotate_after_days = Some(90);
    for (key, halves) in [(&plain, sealed(3)), (&remote, SealedRecord::default())] {
        store.create(key, &halves, record(&org, 1)).await.unwrap();
        assert_eq!(store.key(&org, &key.id).await.unwrap().as_ref(), Some(key));
        assert_eq!(store.status(&org, &key.id).await.unwrap(), Some(KeyStatus::Active));
        assert_eq!(store.sealed(&org, &key.id).await.unwrap(), halves);
    }
}

async fn a_list_is_newest_first_and_filtered(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let mut keys = Vec::new();
    for name in ["alpha", "alpine", "beta_%", "beta", "Alpha"] {
        let mut key = key(&org, KeyKind::User, name);
        if name == "beta" {
            key.status = KeyStatus::Revoked;
            key.revoked_at = Some(key.created_at);
            key.tag = None;
        }
        store.create(&key, &sealed(1), record(&org, 1)).await.unwrap();
        keys.push(key);
    }
    keys.sort_by(|a, b| b.id.cmp(&a.id));
    let names = async |filter: KeyFilter| -> Vec<String> {
        store.list(&org, &filter).await.unwrap().into_iter().map(|key| key.name).collect()
    };
    let all = KeyFilter { limit: 10, include_revoked: true, ..KeyFilter::default() };
    assert_eq!(
        store.list(&org, &all).await.unwrap(),
        keys,
        "the ledger key is not listed, the others are in order"
    );
    let active = KeyFilter { include_revoked: false, ..all.clone() };
    assert_eq!(names(active.clone()).await.len(), 4);
    let revoked = KeyFilter { status: Some(KeyStatus::Revoked), ..active.clone() };
    assert_eq!(names(revoked).await, ["beta"]);
    let prefixed = |prefix: &str| KeyFilter { name_prefix: Some(prefix.into()), ..all.clone() };
    assert_eq!(names(prefixed("alp")).await.len(), 2);
    assert_eq!(names(prefixed("beta_%")).await, ["beta_%"]);
    assert_eq!(names(prefixed("")).await.len(), 5);
    let other = KeyFilter { algorithm: Some(Algorithm::MlDsa87Ed25519), ..all.clone() };
    assert!(names(other).await.is_empty());
    for (tier, count) in [(0, 5), (1, 0)] {
        let filter = KeyFilter { tier: Some(Tier::try_from(tier).unwrap()), ..all.clone() };
        assert_eq!(names(filter).await.len(), count);
    }

    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let page = store.list(&org, &KeyFilter { limit: 2, before, ..all.clone() }).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id.clone());
        paged.extend(page);
    }
    assert_eq!(paged, keys, "pages put together are the list");
}

async fn a_signature_and_its_event_are_committed_together(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let active = key(&org, KeyKind::User, "active");
    let mut revoked = key(&org, KeyKind::User, "revoked");
    revoked.status = KeyStatus::Revoked;
    revoked.tag = None;
    for key in [&active, &revoked] {
        store.create(key, &sealed(1), record(&org, 1)).await.unwrap();
    }
    let before = store.unplaced(&org, ALL).await.unwrap().len();
    let row = issued(&active);
    assert_eq!(store.record(&row, record(&org, 1)).await.unwrap(), Commit::Done);
    assert!(store.is_issued(&org, &active.id, &row.digest).await.unwrap());
    assert!(!store.is_issued(&org, &active.id, &IssuedDigest([0; 32])).await.unwrap());
    assert_eq!(store.unplaced(&org, ALL).await.unwrap().len(), before + 1);

    // A store need not notice, but what it says is what it did.
    let row = issued(&revoked);
    let done = store.record(&row, record(&org, 1)).await.unwrap() == Commit::Done;
    assert_eq!(store.is_issued(&org, &revoked.id, &row.digest).await.unwrap(), done);
    let events = store.unplaced(&org, ALL).await.unwrap().len();
    assert_eq!(
        events,
        before + 1 + usize::from(done),
        "a refused commit left an event, or one that was done left none"
    );
}

async fn a_signature_withheld_is_no_longer_issued(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let key = key(&org, KeyKind::User, "key");
    store.create(&key, &sealed(1), record(&org, 1)).await.unwrap();
    let (first, second) = (issued(&key), issued(&key));
    assert_eq!(first.digest, second.digest);
    store.record(&first, record(&org, 1)).await.unwrap();
    store.record(&second, record(&org, 1)).await.unwrap();
    store.withhold(&first, None, record(&org, 1)).await.unwrap();
    assert!(store.is_issued(&org, &key.id, &first.digest).await.unwrap(), "the other signature was issued");
    store.withhold(&second, None, record(&org, 1)).await.unwrap();
    assert!(!store.is_issued(&org, &key.id, &first.digest).await.unwrap());
}

async fn a_row_is_rewrapped_only_as_it_was_read(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let from = key(&org, KeyKind::User, "key");
    store.create(&from, &sealed(1), record(&org, 1)).await.unwrap();
    let mut to = from.clone();
    to.tag = Some(RecordTag::assemble(KekId([2; 8]), &[5; 32]));
    to.kek = Some(KekHold {
        provider: KekProvider::Env,
        wrapped: WrappedDek { bytes: [vec![1], vec![2; 8], vec![6; 60]].concat(), kek_key_id: None },
    });
    let stale = KeyRecord { tag: to.tag, ..from.clone() };
    assert!(!store.rewrap(&stale, &to).await.unwrap(), "the tag was not as read");
    assert_eq!(store.key(&org, &from.id).await.unwrap(), Some(from.clone()));
    assert!(store.rewrap(&from, &to).await.unwrap());
    assert_eq!(store.key(&org, &from.id).await.unwrap(), Some(to.clone()));
    assert!(!store.rewrap(&from, &to).await.unwrap(), "it was moved already");
    let in_use = store.kek_use().await.unwrap();
    assert!(in_use.iter().any(|(kek, rows)| *kek == KekId([2; 8]) && *rows == 1), "{in_use:?}");
}

async fn active_keys_are_walked_once_each(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    for i in 0..5 {
        store.create(&key(&org, KeyKind::User, &i.to_string()), &sealed(1), record(&org, 1)).await.unwrap();
    }
    let whole = store.active_keys(None, usize::MAX).await.unwrap();
    let mut walked = Vec::new();
    let mut after = None;
    loop {
        let cursor = after.as_ref().map(|(org, key)| (org, key));
        let page = store.active_keys(cursor, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.org.clone(), last.id.clone()));
        walked.extend(page.into_iter().map(|key| (key.org, key.id)));
    }
    assert_eq!(walked, whole.into_iter().map(|key| (key.org, key.id)).collect::<Vec<_>>());
    assert!(walked.iter().filter(|(of, _)| *of == org).count() == 6, "five keys and the ledger's");
}

async fn nothing_of_one_organisation_is_found_in_another(store: &dyn Store) {
    let (mine, theirs) = (make_org(store).await.org.id, make_org(store).await.org.id);
    let key = key(&theirs, KeyKind::User, "theirs");
    store.create(&key, &sealed(1), record(&theirs, 1)).await.unwrap();
    let row = issued(&key);
    store.record(&row, record(&theirs, 1)).await.unwrap();
    assert_eq!(store.key(&mine, &key.id).await.unwrap(), None);
    assert_eq!(store.status(&mine, &key.id).await.unwrap(), None);
    assert_eq!(store.sealed(&mine, &key.id).await.unwrap(), SealedRecord::default());
    assert!(!store.is_issued(&mine, &key.id, &row.digest).await.unwrap());
    let all = KeyFilter { limit: 10, include_revoked: true, ..KeyFilter::default() };
    assert!(store.list(&mine, &all).await.unwrap().is_empty());
    assert_eq!(store.unplaced(&mine, ALL).await.unwrap().len(), 2);
}

async fn concurrent_writers_lose_nothing(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let writes = (0..32).map(|_| store.append(record(&org, 2)));
    for result in join_all(writes).await {
        result.unwrap();
    }
    let events = store.unplaced(&org, ALL).await.unwrap();
    assert_eq!(events.len(), 2 + 64);
    let mut ids: Vec<_> = events.into_iter().map(|event| event.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2 + 64);
}

pub(crate) async fn make_org(store: &dyn Store) -> NewOrg {
    let now = Timestamp::now();
    let id = OrgId::generate(now).unwrap();
    let ledger_key = key(&id, KeyKind::Ledger, "ledger");
    let new = NewOrg {
        org: OrgRecord {
            id: id.clone(),
            name: "org".into(),
            environment: Environment::Test,
            external_id: "postq-1".into(),
            ledger_key: ledger_key.id.clone(),
            created_at: now,
        },
        ledger_key,
        sealed: sealed(2),
        token: TokenRecord {
            id: TokenId::generate(now).unwrap(),
            org: id.clone(),
            hash: TokenHash(vault::random::generate().unwrap()),
            name: "first".into(),
            scopes: vec![Scope::Sign, Scope::KeysRead],
            lines: None,
            created_at: now,
            revoked_at: None,
        },
    };
    store.create_org(new.clone(), record(&id, 2)).await.unwrap();
    new
}

pub(crate) fn key(org: &OrgId, kind: KeyKind, name: &str) -> KeyRecord {
    let algorithm = Algorithm::MlDsa44Ed25519;
    let pq = PqSecret::from_bytes(algorithm.pq(), &vault::random::generate().unwrap()).unwrap();
    let classical = ClassicalSecret::from_bytes(algorithm.classical(), &vault::random::generate().unwrap());
    let classical = classical.unwrap();
    let now = Timestamp::now();
    let id = KeyId::generate(now).unwrap();
    KeyRecord {
        org: org.clone(),
        line: id.clone(),
        id,
        kind,
        name: name.into(),
        metadata: serde_json::from_value(json!({})).unwrap(),
        status: KeyStatus::Active,
        public_key: PublicKey::from_halves(algorithm, pq.public_key(), classical.public_key()).unwrap(),
        kek: Some(KekHold {
            provider: KekProvider::Env,
            wrapped: WrappedDek { bytes: [vec![1], vec![1; 8], vec![3; 60]].concat(), kek_key_id: None },
        }),
        classical: Hold { provider: KeyProvider::PostqManaged, key_id: None },
        pq: Hold { provider: PqProvider::PostqManaged, key_id: None },
        tier: Tier::try_from(0).unwrap(),
        tag: Some(RecordTag::assemble(KekId([1; 8]), &[4; 32])),
        created_at: now,
        revoked_at: None,
        predecessor: None,
        successor: None,
        allow_follow: false,
        rotate_after_days: None,
    }
}

pub(crate) fn sealed(byte: u8) -> SealedRecord {
    SealedRecord { pq: Some(vec![byte; 61]), classical: Some(vec![byte ^ 0xff; 61]) }
}

pub(crate) fn issued(key: &KeyRecord) -> IssuedRecord {
    IssuedRecord {
        org: key.org.clone(),
        key: key.id.clone(),
        digest: IssuedDigest([8; 32]),
        event: EventId::generate(Timestamp::now()).unwrap(),
    }
}

pub(crate) fn record(org: &OrgId, events: usize) -> Record {
    let event = || Event {
        id: EventId::generate(Timestamp::now()).unwrap().to_string(),
        org: org.to_string(),
        event_type: EventType::KeyCreated,
        actor_id: "apk_1".into(),
        subject_id: None,
        issued_at: Timestamp::now().to_string(),
        data: Json::object([("a", 1.into())]),
    };
    Record { events: (0..events).map(|_| event()).collect(), reply: None }
}
