//! A policy that comes and goes, against signing and replays, at the same time, again and again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json::json;

use crate::{
    in_process::Vault,
    policies::{POLICIES, make, policy},
    rounds::rounds,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_signature_leaves_whose_call_began_after_a_policy_that_refuses_it_was_told() {
    race(Vault::new().await, rounds(3_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_over_dynamodb() {
    race(Vault::in_dynamodb().await, rounds(300)).await;
}

async fn race(vault: Vault, races: u64) {
    let vault = Arc::new(vault);
    let clock = Arc::new(AtomicU64::new(0));
    let key = vault.create_key("mldsa44+ed25519").await;
    let sign = json!({"keyId": key, "payload": "aGVsbG8="});
    let (mut released, mut refused) = (0_u64, 0_u64);
    for race in 0..races {
        assert_eq!(vault.once(&format!("kept-{race}"), "/v1/sign", &sign).await.0, 200);
        let told = Arc::new(AtomicU64::new(u64::MAX));
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..4_u64 {
            let (vault, clock, sign) = (vault.clone(), clock.clone(), sign.clone());
            tasks.spawn(async move {
                let mut answers = Vec::new();
                for n in 0..3 {
                    for _ in 0..(race + caller) % 5 {
                        tokio::task::yield_now().await;
                    }
                    let begun = clock.fetch_add(1, Ordering::SeqCst);
                    let status = match caller {
                        0 | 1 => vault.call("/v1/sign", Some(&sign)).await.0,
                        2 => vault.once(&format!("kept-{race}"), "/v1/sign", &sign).await.0,
                        _ => vault.once(&format!("own-{race}-{n}"), "/v1/sign", &sign).await.0,
                    };
                    assert!(status == 200 || status == 403, "{status}");
                    answers.push((begun, status));
                }
                answers
            });
        }
        let (changer, now, when) = (vault.clone(), clock.clone(), told.clone());
        let change = tokio::spawn(async move {
            for _ in 0..race % 7 {
                tokio::task::yield_now().await;
            }
            let rule = json!({"matchOperation": "sign", "minTier": 1});
            let id = make(&changer, policy("race", "enforce", &[], &rule)).await;
            when.store(now.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
            id
        });
        let mut answers = Vec::new();
        while let Some(done) = tasks.join_next().await {
            answers.extend(done.unwrap());
        }
        let id = change.await.unwrap();
        let told = told.load(Ordering::SeqCst);
        for (begun, status) in answers {
            assert!(
                status != 200 || begun < told,
                "race {race}: a call that began after it was told was answered"
            );
            if status == 200 {
                released += 1;
            } else {
                refused += 1;
            }
        }
        assert_eq!(vault.once(&format!("kept-{race}"), "/v1/sign", &sign).await.0, 403);
        assert_eq!(vault.delete(&format!("{POLICIES}/{id}")).await.0, 200);
        assert_eq!(vault.sign(&key).await.0, 200, "its end binds as well");
    }
    eprintln!("{released} left, {refused} did not");
    assert!(released > 0 && refused > 0, "nobody raced");
}
