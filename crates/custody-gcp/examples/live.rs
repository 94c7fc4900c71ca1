//! Google Cloud KMS itself, on the suite that every provider passes: `cargo xtask test-live-gcp`. What it makes it has destroyed.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a program that a person runs, and that fails by saying why"
)]

use std::{sync::Arc, time::Duration};

use composite::ClassicalAlgorithm;
use conformance::custody::Binds;
use custody_gcp::GcpCloud;
use outbound::Network;
use vault::{
    Timestamp,
    custody::{Cloud, DeploymentId, NoAssertions, ProviderSecret},
    id::OrgId,
    providers::KekProvider,
    random,
    settings::{CryptoKeyName, GcpAccount, GcpAuth, ProtectionLevel, ServiceAccountKey, SettingsRecord},
};
use zeroize::Zeroizing;

#[tokio::main]
async fn main() {
    let read = |name: &str| match std::env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!(
            "set {name}: POSTQ_LIVE_GCP_KEK is a symmetric key's complete name, in whose key ring halves are made, and _KEY_FILE the path of \
             a service account's key file"
        ),
    };
    let mark: String =
        random::generate::<16>().expect("random bytes").iter().map(|b| format!("{b:02x}")).collect();
    let file = std::fs::read_to_string(read("POSTQ_LIVE_GCP_KEY_FILE")).map(Zeroizing::new);
    let file = file.expect("POSTQ_LIVE_GCP_KEY_FILE can be read");
    let key = ServiceAccountKey::parse(&file).expect("POSTQ_LIVE_GCP_KEY_FILE");
    let kek = CryptoKeyName::parse(&read("POSTQ_LIVE_GCP_KEK")).expect("POSTQ_LIVE_GCP_KEK");
    let now = Timestamp::now();
    let settings = SettingsRecord {
        org: OrgId::generate(now).expect("random bytes"),
        external_id: String::new(),
        deployment: DeploymentId::parse(&mark).expect("32 digits"),
        default_kek: KekProvider::Env,
        dek_cache_ttl: 0,
        aws: None,
        azure: None,
        gcp: Some(GcpAccount {
            ring: kek.ring(),
            kek,
            protection: ProtectionLevel::Software,
            auth: GcpAuth::ServiceAccountKey { account: key.account.clone() },
        }),
        updated_at: now,
    };
    let secret = ProviderSecret(key.into_text());
    // The suite opens some thousands of damaged data keys, which a project may be asked for at its own pace alone.
    let budget = Duration::from_secs(3600);
    let cloud = GcpCloud::with_budget(&Network::public(), Arc::new(NoAssertions), budget)
        .expect("this machine has what TLS needs");
    cloud.test(&settings, Some(&secret)).await.expect("the project is entered, and its key wraps");
    println!("the project is entered, and its key wraps and opens");

    let entered = cloud.enter(&settings, Some(&secret)).await.expect("it was entered a moment ago");
    conformance::custody::classical_signer(entered.classical.as_ref(), &ClassicalAlgorithm::ALL).await;
    println!("P-256 and Ed25519 halves sign what verifies");
    let pq = entered.pq.as_ref().expect("Google Cloud KMS has ML-DSA");
    conformance::custody::pq_signer(pq.as_ref()).await;
    println!("ML-DSA halves of the three sets sign what verifies");
    conformance::custody::key_encryption(entered.kek.as_ref(), Binds::Subject).await;
    println!("data keys are wrapped and opened, and no damaged one opens");

    let made = entered.halves.marked(&settings.deployment).await.expect("the key ring is looked through");
    for half in made {
        let key = half.key.expect("it is marked with its key");
        entered
            .halves
            .schedule_deletion(&half.key_id, &settings.deployment, &key)
            .await
            .expect("it is destroyed");
        println!("{} is to be destroyed", half.key_id);
    }
}
