//! The suite for what stores know of keys that are to be rotated.

use vault::{
    Timestamp,
    id::{KeyId, OrgId},
    store::{DueRotation, KeyKind, KeyRecord, Store},
};

use crate::{
    store::{key, make_org, record, sealed},
    store_life::tombstone,
};

pub(crate) async fn all(store: &dyn Store) {
    a_key_is_due_when_its_time_has_come_and_until_it_ends(store).await;
}

async fn make(store: &dyn Store, org: &OrgId, days: Option<u16>) -> KeyRecord {
    let mut key = key(org, KeyKind::User, "due");
    key.allow_follow = true;
    key.rotate_after_days = days;
    store.create(&key, &sealed(1), record(org, 1)).await.unwrap();
    key
}

/// All that is due of an organisation's at a moment, read page by page.
async fn due(store: &dyn Store, org: &OrgId, now: Timestamp) -> Vec<DueRotation> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.due(now, after.as_ref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last().cloned() else { break };
        assert!(page.iter().all(|due| due.at <= now));
        after = Some(last);
        found.extend(page);
    }
    assert!(found.is_sorted_by_key(|due| due.at), "the longest overdue first");
    found.into_iter().filter(|due| due.org == *org).collect()
}

async fn a_key_is_due_when_its_time_has_come_and_until_it_ends(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let (late, soon, revoked) = (
        make(store, &org, Some(9)).await,
        make(store, &org, Some(2)).await,
        make(store, &org, Some(2)).await,
    );
    let never = make(store, &org, None).await;
    let keys = |due: Vec<DueRotation>| due.into_iter().map(|due| due.key).collect::<Vec<KeyId>>();
    let at = |key: &KeyRecord| key.rotates_at().unwrap();
    assert_eq!(never.rotates_at(), None);

    assert_eq!(due(store, &org, Timestamp::now().days_after(1)).await, []);
    let first = keys(due(store, &org, at(&revoked).max(at(&soon))).await);
    assert!(first.len() == 2 && first.contains(&soon.id) && first.contains(&revoked.id), "{first:?}");
    store.revoke(&tombstone(&revoked, 1), record(&org, 1)).await.unwrap();
    for stale in due(store, &org, at(&late)).await.into_iter().filter(|due| due.key == revoked.id) {
        store.settle_rotation(&stale).await.unwrap();
    }
    let all = due(store, &org, at(&late)).await;
    assert_eq!(all[1], DueRotation { at: at(&late), org: org.clone(), key: late.id.clone() });
    assert_eq!(keys(all), [soon.id.clone(), late.id.clone()]);
    assert_eq!(store.key(&org, &late.id).await.unwrap().unwrap().rotate_after_days, Some(9));
}
