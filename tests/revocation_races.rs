//! Revocations against signing and replays, at the same time, again and again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json::json;

use crate::{in_process::Vault, local_cloud::LocalCloud, rounds::rounds};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_signature_leaves_whose_call_began_after_the_revocation_was_told() {
    // A deployment on this machine is slower by far.
    let races = if LocalCloud::named().is_some() { 300 } else { 10_000 };
    race(Vault::new().await, rounds(races)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_over_dynamodb() {
    race(Vault::in_dynamodb().await, rounds(500)).await;
}

async fn race(vault: Vault, races: u64) {
    let vault = Arc::new(vault);
    let clock = Arc::new(AtomicU64::new(0));
    let (mut released, mut refused) = (0_u64, 0_u64);
    for race in 0..races {
        let key = vault.create_key("mldsa44+ed25519").await;
        let kept = json!({"keyId": key, "payload": "aGVsbG8="});
        assert_eq!(vault.once(&format!("kept-{race}"), "/v1/sign", &kept).await.0, 200);
        let told = Arc::new(AtomicU64::new(u64::MAX));
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..4_u64 {
            let (vault, clock, kept) = (vault.clone(), clock.clone(), kept.clone());
            tasks.spawn(async move {
                // Two sign, one replays what was answered before, one signs with an idempotency key of its own.
                let mut answers = Vec::new();
                for n in 0..2 {
                    for _ in 0..(race + caller) % 5 {
                        tokio::task::yield_now().await;
                    }
                    let begun = clock.fetch_add(1, Ordering::SeqCst);
                    let status = match caller {
                        0 | 1 => vault.call("/v1/sign", Some(&kept)).await.0,
                        2 => vault.once(&format!("kept-{race}"), "/v1/sign", &kept).await.0,
                        _ => vault.once(&format!("own-{race}-{n}"), "/v1/sign", &kept).await.0,
                    };
                    assert!(status == 200 || status == 409, "{status}");
                    answers.push((begun, status));
                }
                answers
            });
        }
        let (revoker, now, when, whose) = (vault.clone(), clock.clone(), told.clone(), key.clone());
        let revocation = tokio::spawn(async move {
            for _ in 0..race % 7 {
                tokio::task::yield_now().await;
            }
            revoker.revoke(&whose).await;
            when.store(now.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
        });
        let mut answers = Vec::new();
        while let Some(done) = tasks.join_next().await {
            answers.extend(done.unwrap());
        }
        revocation.await.unwrap();
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
        assert_eq!(vault.once(&format!("kept-{race}"), "/v1/sign", &kept).await.0, 409);
    }
    eprintln!("{released} left, {refused} did not");
    assert!(released > 0 && refused > 0, "nobody raced");
}
