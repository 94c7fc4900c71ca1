//! The suite for what stores keep for the sake of clouds.

use futures::future::join_all;
use vault::{
    Timestamp,
    custody::CloudName,
    id::{KeyId, OrgId},
    providers::{KekProvider, KeyProvider, PqProvider, Tier},
    settings::{AwsAccount, Demand, KmsKeyArn, RoleArn, SettingsRecord},
    store::{
        Clearing, Dependent, Hold, Intent, KeyKind, KeyRecord, Leftover, Saving, SealedRecord, Store,
        StoreError,
    },
};

use crate::{
    store::{ALL, key, make_org, record},
    store_life,
};

pub(crate) async fn all(store: &dyn Store) {
    settings_read_back_and_replace_only_what_was_read(store).await;
    a_creation_begins_only_by_settings_that_stand(store).await;
    an_abandoned_creation_is_not_finished(store).await;
    what_a_failed_creation_made_is_left_to_be_deleted(store).await;
    what_a_key_leaves_at_clouds_waits_until_it_is_settled(store).await;
    settings_that_keys_rest_on_stay(store).await;
    settings_are_not_cleared_under_a_creation(store).await;
    settings_are_not_cleared_under_a_revocation(store).await;
}

/// Saves settings, and tells when.
pub(crate) async fn save(store: &dyn Store, org: &OrgId) -> Timestamp {
    let settings = settings(store, org, Timestamp::now()).await;
    let stored = store.settings(org).await.unwrap().map(|stored| stored.updated_at);
    assert_eq!(store.put_settings(&settings, &[], stored, record(org, 1)).await.unwrap(), Saving::Done);
    settings.updated_at
}

/// Makes it durable that the key is about to be made.
pub(crate) async fn intend(store: &dyn Store, org: &OrgId, key: &KeyId, saved: Timestamp) {
    assert!(store.intend(&intent(org, key), saved).await.unwrap());
}

/// A key whose halves both are in a cloud.
pub(crate) fn remote(org: &OrgId) -> KeyRecord {
    let mut remote = key(org, KeyKind::User, "remote");
    remote.kek = None;
    remote.classical = Hold { provider: KeyProvider::AwsKms, key_id: Some("arn:1".into()) };
    remote.pq = Hold { provider: PqProvider::AwsKms, key_id: Some("arn:2".into()) };
    remote.tier = Tier::try_from(3).unwrap();
    remote
}

async fn settings_read_back_and_replace_only_what_was_read(store: &dyn Store) {
    let org = make_org(store).await.org;
    assert_eq!(store.settings(&org.id).await.unwrap(), None);
    assert_eq!(store.clear_settings(&org.id, record(&org.id, 1)).await.unwrap(), Clearing::NotThere);

    let first = settings(store, &org.id, moment(1)).await;
    assert_eq!(first.external_id, org.external_id);
    assert_eq!(
        store.put_settings(&first, &[], Some(moment(0)), record(&org.id, 1)).await.unwrap(),
        Saving::Changed
    );
    assert_eq!(store.settings(&org.id).await.unwrap(), None);
    assert_eq!(store.put_settings(&first, &[], None, record(&org.id, 1)).await.unwrap(), Saving::Done);
    assert_eq!(store.settings(&org.id).await.unwrap(), Some(first.clone()));

    let mut second = settings(store, &org.id, moment(2)).await;
    (second.default_kek, second.dek_cache_ttl) = (KekProvider::Env, 0);
    second.aws.as_mut().unwrap().role = None;
    for wrong in [None, Some(moment(3))] {
        assert_eq!(
            store.put_settings(&second, &[], wrong, record(&org.id, 1)).await.unwrap(),
            Saving::Changed
        );
    }
    let saving = store.put_settings(&second, &[], Some(moment(1)), record(&org.id, 1)).await.unwrap();
    assert_eq!(saving, Saving::Done);
    assert_eq!(store.settings(&org.id).await.unwrap(), Some(second));
    assert_eq!(store.unplaced(&org.id, ALL).await.unwrap().len(), 4, "two of making it, two of saving");

    assert_eq!(store.clear_settings(&org.id, record(&org.id, 1)).await.unwrap(), Clearing::Done);
    assert_eq!(store.settings(&org.id).await.unwrap(), None);
    assert_eq!(store.unplaced(&org.id, ALL).await.unwrap().len(), 5);
    let deployments = (store.deployment().await.unwrap(), store.deployment().await.unwrap());
    assert_eq!(deployments.0, deployments.1);
}

async fn a_creation_begins_only_by_settings_that_stand(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let key = remote(&org);
    assert!(!store.intend(&intent(&org, &key.id), moment(1)).await.unwrap(), "there are no settings");
    let saved = save(store, &org).await;
    assert!(!store.intend(&intent(&org, &key.id), saved.next()).await.unwrap(), "they are others");

    let refused = store.create(&key, &SealedRecord::default(), record(&org, 1)).await;
    assert!(matches!(refused, Err(StoreError::Abandoned)), "{refused:?}");
    assert_eq!(store.key(&org, &key.id).await.unwrap(), None);

    intend(store, &org, &key.id, saved).await;
    assert!(of(&org, store.intents(ALL).await.unwrap()).contains(&intent(&org, &key.id)));
    store.create(&key, &SealedRecord::default(), record(&org, 1)).await.unwrap();
    assert!(of(&org, store.intents(ALL).await.unwrap()).is_empty(), "it is finished");
    assert!(!store.abandon(&intent(&org, &key.id)).await.unwrap(), "it cannot be abandoned any more");
}

async fn an_abandoned_creation_is_not_finished(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let saved = save(store, &org).await;
    let key = remote(&org);
    intend(store, &org, &key.id, saved).await;
    store.forget_intent(&intent(&org, &key.id)).await.unwrap();
    assert_eq!(of(&org, store.intents(ALL).await.unwrap()).len(), 1, "only what is abandoned is forgotten");
    for _ in 0..2 {
        assert!(store.abandon(&intent(&org, &key.id)).await.unwrap(), "it may be abandoned again");
    }
    let late = store.create(&key, &SealedRecord::default(), record(&org, 1)).await;
    assert!(matches!(late, Err(StoreError::Abandoned)), "{late:?}");
    assert_eq!(store.key(&org, &key.id).await.unwrap(), None);
    store.forget_intent(&intent(&org, &key.id)).await.unwrap();
    assert!(of(&org, store.intents(ALL).await.unwrap()).is_empty());
}

/// What a creation that failed made is left to be deleted, unless it did not fail after all, or somebody looks after it already.
async fn what_a_failed_creation_made_is_left_to_be_deleted(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let saved = save(store, &org).await;
    let key = remote(&org);
    let made = Leftover::of(&org, &key.id, key.classical.clone(), key.pq.clone());
    intend(store, &org, &key.id, saved).await;
    store.withdraw(&org, &key.id, &made).await.unwrap();
    assert!(of(&org, store.intents(ALL).await.unwrap()).is_empty());
    assert_eq!(left(store, &org).await, made);
    let late = store.create(&key, &SealedRecord::default(), record(&org, 1)).await;
    assert!(matches!(late, Err(StoreError::Abandoned)), "{late:?}");
    for leftover in &made {
        store.settle(leftover).await.unwrap();
    }

    store.withdraw(&org, &key.id, &made).await.unwrap();
    assert!(left(store, &org).await.is_empty(), "it was taken back before");
    let another = make_remote(store, &org).await;
    let halves = Leftover::of(&org, &another.id, another.classical.clone(), another.pq.clone());
    store.withdraw(&org, &another.id, &halves).await.unwrap();
    assert!(left(store, &org).await.is_empty(), "it is a key");
    let third = remote(&org);
    let saved = save(store, &org).await;
    intend(store, &org, &third.id, saved).await;
    assert!(store.abandon(&intent(&org, &third.id)).await.unwrap());
    store.withdraw(&org, &third.id, &made).await.unwrap();
    assert!(left(store, &org).await.is_empty(), "it is abandoned");
    assert_eq!(of(&org, store.intents(ALL).await.unwrap()).len(), 1);
}

/// A revoked key of a new organisation's, whose halves are still to be deleted at a cloud.
pub(crate) async fn ended(store: &dyn Store) -> (OrgId, KeyId) {
    let org = make_org(store).await.org.id;
    let key = make_remote(store, &org).await;
    store.revoke(&store_life::tombstone(&key, 9), record(&org, 1)).await.unwrap();
    (org, key.id)
}

async fn make_remote(store: &dyn Store, org: &OrgId) -> KeyRecord {
    let saved = save(store, org).await;
    let key = remote(org);
    intend(store, org, &key.id, saved).await;
    store.create(&key, &SealedRecord::default(), record(org, 1)).await.unwrap();
    key
}

async fn what_a_key_leaves_at_clouds_waits_until_it_is_settled(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let key = make_remote(store, &org).await;
    assert!(left(store, &org).await.is_empty());
    store.revoke(&store_life::tombstone(&key, 9), record(&org, 1)).await.unwrap();
    let expected = ["arn:1", "arn:2"].map(|half| Leftover {
        org: org.clone(),
        key: key.id.clone(),
        cloud: CloudName::Aws,
        key_id: half.into(),
    });
    assert_eq!(left(store, &org).await, expected);
    // Page by page, each once.
    let first = store.outbox(None, 1).await.unwrap();
    let mut walked = first.clone();
    while let Some(next) = store.outbox(walked.last(), 1).await.unwrap().pop() {
        assert!(!walked.contains(&next));
        walked.push(next);
    }
    assert_eq!(walked, store.outbox(None, ALL).await.unwrap());
    for leftover in &expected {
        store.settle(leftover).await.unwrap();
        store.settle(leftover).await.unwrap();
    }
    assert!(left(store, &org).await.is_empty());
}

async fn settings_that_keys_rest_on_stay(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let saved = save(store, &org).await;
    let key = remote(&org);
    let refused = async |by: fn(KeyId) -> Dependent| {
        let by = by(key.id.clone());
        for demand in [Demand::Nothing, Demand::NothingPending] {
            let expected =
                (demand == Demand::Nothing || !matches!(by, Dependent::Active(_))).then(|| by.clone());
            assert_eq!(store.dependent(&org, demand).await.unwrap(), expected);
        }
        assert_eq!(store.clear_settings(&org, record(&org, 1)).await.unwrap(), Clearing::InUse(by));
    };
    intend(store, &org, &key.id, saved).await;
    refused(Dependent::Making).await;
    store.create(&key, &SealedRecord::default(), record(&org, 1)).await.unwrap();
    refused(Dependent::Active).await;
    let mut without = settings(store, &org, saved.next()).await;
    (without.aws, without.default_kek) = (None, KekProvider::Env);
    let saving = store.put_settings(&without, &[], Some(saved), record(&org, 1)).await.unwrap();
    assert_eq!(
        saving,
        Saving::InUse(Dependent::Active(key.id.clone())),
        "an account that is dropped is an account that is cleared"
    );

    store.revoke(&store_life::tombstone(&key, 9), record(&org, 1)).await.unwrap();
    refused(Dependent::Leaving).await;
    // What failed to clear closed nothing.
    let another = remote(&org);
    intend(store, &org, &another.id, saved).await;
    assert!(store.abandon(&intent(&org, &another.id)).await.unwrap());
    store.forget_intent(&intent(&org, &another.id)).await.unwrap();

    for leftover in left(store, &org).await {
        store.settle(&leftover).await.unwrap();
    }
    let saving = store.put_settings(&without, &[], Some(saved), record(&org, 1)).await.unwrap();
    assert_eq!(saving, Saving::Done);
    assert_eq!(store.clear_settings(&org, record(&org, 1)).await.unwrap(), Clearing::Done);
}

/// A key that ends while settings are cleared: either they stay, or nothing of it waits for them.
async fn settings_are_not_cleared_under_a_revocation(store: &dyn Store) {
    for _ in 0..20 {
        let org = make_org(store).await.org.id;
        let saved = save(store, &org).await;
        let key = remote(&org);
        intend(store, &org, &key.id, saved).await;
        store.create(&key, &SealedRecord::default(), record(&org, 1)).await.unwrap();
        let tombstone = store_life::tombstone(&key, 9);
        let revoke = store.revoke(&tombstone, record(&org, 1));
        let (revoked, _) = futures::join!(revoke, store.clear_settings(&org, record(&org, 1)));
        revoked.unwrap();
        let gone = store.settings(&org).await.unwrap().is_none();
        let waiting = left(store, &org).await.len();
        assert!(!gone || waiting == 0, "{waiting} halves wait for settings that are gone");
        for leftover in left(store, &org).await {
            store.settle(&leftover).await.unwrap();
        }
    }
}

/// Whichever is first: never is there a creation without settings.
async fn settings_are_not_cleared_under_a_creation(store: &dyn Store) {
    for _ in 0..20 {
        let org = make_org(store).await.org.id;
        let saved = save(store, &org).await;
        let keys: Vec<_> = (0..4).map(|_| remote(&org)).collect();
        let begin = join_all(keys.iter().map(async |key| store.intend(&intent(&org, &key.id), saved).await));
        let (begun, cleared) = futures::join!(begin, store.clear_settings(&org, record(&org, 1)));
        let begun = begun.into_iter().filter(|begun| matches!(begun, Ok(true))).count();
        let gone = store.settings(&org).await.unwrap().is_none();
        assert_eq!(gone, matches!(cleared, Ok(Clearing::Done)), "{cleared:?}");
        assert!(!gone || begun == 0, "{begun} creations began by settings that are gone");
    }
}

pub(crate) async fn settings(store: &dyn Store, org: &OrgId, at: Timestamp) -> SettingsRecord {
    let key = KmsKeyArn::parse("arn:aws:kms:eu-central-1:123456789012:key/0a1b").unwrap();
    let role = RoleArn::parse("arn:aws:iam::123456789012:role/vault").unwrap();
    SettingsRecord {
        org: org.clone(),
        external_id: store.org(org).await.unwrap().unwrap().external_id,
        deployment: store.deployment().await.unwrap(),
        default_kek: KekProvider::AwsKms,
        dek_cache_ttl: 60,
        aws: Some(AwsAccount::new(key, Some(role)).unwrap()),
        azure: None,
        gcp: None,
        updated_at: at,
    }
}

fn intent(org: &OrgId, key: &KeyId) -> Intent {
    Intent { org: org.clone(), key: key.clone(), clouds: vec![CloudName::Aws], since: moment(5) }
}

fn of(org: &OrgId, intents: Vec<Intent>) -> Vec<Intent> {
    intents.into_iter().filter(|intent| intent.org == *org).collect()
}

async fn left(store: &dyn Store, org: &OrgId) -> Vec<Leftover> {
    let outbox = store.outbox(None, ALL).await.unwrap();
    outbox.into_iter().filter(|leftover| leftover.org == *org).collect()
}

pub(crate) fn moment(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis).unwrap()
}
