//! The suite for what stores keep of policies.

use futures::future::join_all;
use vault::{
    Timestamp,
    id::{OrgId, PolicyId},
    policies::{Action, PolicyRecord, Terms},
    store::{MAX_POLICIES, Making, Store},
};

use crate::store::{ALL, make_org, record};

pub(crate) async fn all(store: &dyn Store) {
    a_policy_reads_back_changes_and_goes(store).await;
    there_are_never_more_than_so_many(store).await;
    a_change_replaces_only_what_was_read(store).await;
}

fn policy(org: &OrgId, name: &str) -> PolicyRecord {
    let now = Timestamp::now();
    let [terms, _] = Terms::offered();
    PolicyRecord {
        org: org.clone(),
        id: PolicyId::generate(now).unwrap(),
        terms: Terms { name: name.to_owned(), ..terms },
        created_at: now,
        updated_at: now,
    }
}

async fn stored(store: &dyn Store, org: &OrgId) -> Vec<PolicyRecord> {
    let stored = store.policies(org).await.unwrap();
    stored.into_iter().map(|policy| policy.row.unwrap()).collect()
}

async fn a_policy_reads_back_changes_and_goes(store: &dyn Store) {
    let (org, other) = (make_org(store).await.org.id, make_org(store).await.org.id);
    assert_eq!(stored(store, &org).await, []);
    let [_, elsewhere] = Terms::offered();
    let policies =
        [policy(&org, "one"), PolicyRecord { terms: elsewhere, ..policy(&org, "") }, policy(&org, "“drei”")];
    let before = store.unplaced(&org, ALL).await.unwrap().len();
    for policy in &policies {
        assert_eq!(store.create_policy(policy, record(&org, 1)).await.unwrap(), Making::Done);
    }
    let mut expected = policies.to_vec();
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(stored(store, &org).await, expected);
    assert_eq!(stored(store, &other).await, [], "they are one organisation's");

    let [first, second, _] = &policies;
    let mut changed = first.clone();
    changed.terms.action = Action::Audit;
    changed.terms.enabled = false;
    changed.updated_at = first.updated_at.next();
    let foreign = PolicyRecord { org: other.clone(), ..changed.clone() };
    assert!(!store.replace_policy(&foreign, first.updated_at, record(&other, 1)).await.unwrap());
    assert!(store.replace_policy(&changed, first.updated_at, record(&org, 1)).await.unwrap());
    assert!(!store.replace_policy(&changed, first.updated_at, record(&org, 1)).await.unwrap(), "it is newer");
    assert!(stored(store, &org).await.contains(&changed));

    assert!(!store.delete_policy(&other, &second.id, record(&other, 1)).await.unwrap());
    assert!(store.delete_policy(&org, &second.id, record(&org, 1)).await.unwrap());
    assert!(!store.delete_policy(&org, &second.id, record(&org, 1)).await.unwrap());
    assert!(!store.replace_policy(second, second.updated_at, record(&org, 1)).await.unwrap());
    assert_eq!(stored(store, &org).await.len(), 2);
    let events = store.unplaced(&org, ALL).await.unwrap().len() - before;
    assert_eq!(events, 5, "three made, one changed, one gone; what was not done is not written");
}

async fn there_are_never_more_than_so_many(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    for number in 0..MAX_POLICIES - 1 {
        let made = store.create_policy(&policy(&org, &number.to_string()), record(&org, 0)).await.unwrap();
        assert_eq!(made, Making::Done, "{number}");
    }
    let last: Vec<_> = (0..4).map(|n| policy(&org, &format!("last {n}"))).collect();
    let made = join_all(last.iter().map(|policy| store.create_policy(policy, record(&org, 0)))).await;
    assert_eq!(made.iter().filter(|made| matches!(made, Ok(Making::Done))).count(), 1, "{made:?}");
    let first = stored(store, &org).await.remove(0);
    assert_eq!(stored(store, &org).await.len(), MAX_POLICIES);
    assert!(store.delete_policy(&org, &first.id, record(&org, 0)).await.unwrap());
    assert_eq!(
        store.create_policy(&first, record(&org, 0)).await.unwrap(),
        Making::Done,
        "there is room again"
    );
}

async fn a_change_replaces_only_what_was_read(store: &dyn Store) {
    let org = make_org(store).await.org.id;
    let first = policy(&org, "first");
    store.create_policy(&first, record(&org, 1)).await.unwrap();
    let changes: Vec<_> = (0..6)
        .map(|number| {
            let mut changed = first.clone();
            changed.terms.name = format!("{number}");
            changed.updated_at = first.updated_at.next();
            changed
        })
        .collect();
    let done =
        join_all(changes.iter().map(|to| store.replace_policy(to, first.updated_at, record(&org, 1)))).await;
    let done: Vec<_> = done.into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
    let winner = done.iter().position(|done| *done).unwrap();
    assert_eq!(stored(store, &org).await, [changes[winner].clone()]);
}
