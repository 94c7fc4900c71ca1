//! Azure Key Vault itself, on the suite that every provider passes: `cargo xtask test-live-azure`. What it makes it has deleted.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a program that a person runs, and that fails by saying why"
)]

use std::{sync::Arc, time::Duration};

use composite::ClassicalAlgorithm;
use conformance::custody::Binds;
use custody_azure::AzureCloud;
use outbound::Network;
use vault::{
    Timestamp,
    custody::{Cloud, DeploymentId, NoAssertions, ProviderSecret},
    id::OrgId,
    providers::KekProvider,
    random,
    settings::{AzureAccount, AzureAuth, Guid, SettingsRecord, VaultKeyName, VaultUrl},
};
use zeroize::Zeroizing;

#[tokio::main]
async fn main() {
    let read = |name: &str| match std::env::var(name) {
        Ok(value) if !value.is_empty() => value,
        _ => panic!(
            "set {name}: POSTQ_LIVE_AZURE_VAULT is a vault's address, _KEY an RSA key's name in it, _TENANT and _CLIENT an \
             application's ids, and _SECRET its secret"
        ),
    };
    let mark: String =
        random::generate::<16>().expect("random bytes").iter().map(|b| format!("{b:02x}")).collect();
    let now = Timestamp::now();
    let settings = SettingsRecord {
        org: OrgId::generate(now).expect("random bytes"),
        external_id: String::new(),
        deployment: DeploymentId::parse(&mark).expect("32 digits"),
        default_kek: KekProvider::Env,
        dek_cache_ttl: 0,
        aws: None,
        azure: Some(AzureAccount {
            vault: VaultUrl::parse(&read("POSTQ_LIVE_AZURE_VAULT")).expect("POSTQ_LIVE_AZURE_VAULT"),
            kek: VaultKeyName::parse(&read("POSTQ_LIVE_AZURE_KEY")).expect("POSTQ_LIVE_AZURE_KEY"),
            tenant: Guid::parse(&read("POSTQ_LIVE_AZURE_TENANT")).expect("POSTQ_LIVE_AZURE_TENANT"),
            client: Guid::parse(&read("POSTQ_LIVE_AZURE_CLIENT")).expect("POSTQ_LIVE_AZURE_CLIENT"),
            auth: AzureAuth::ClientSecret,
        }),
        gcp: None,
        updated_at: now,
    };
    let secret = ProviderSecret(Zeroizing::new(read("POSTQ_LIVE_AZURE_SECRET")));
    // The suite opens some thousands of damaged data keys, which a vault may be asked for at its own pace alone.
    let budget = Duration::from_secs(3600);
    let cloud = AzureCloud::with_budget(&Network::public(), Arc::new(NoAssertions), budget)
        .expect("this machine has what TLS needs");
    cloud
        .test(&settings, Some(&secret))
        .await
        .expect("the vault is entered as it should be, and its key wraps");
    println!("the vault is entered, and its key wraps and opens");

    let entered = cloud.enter(&settings, Some(&secret)).await.expect("it was entered a moment ago");
    conformance::custody::classical_signer(entered.classical.as_ref(), &[ClassicalAlgorithm::EcdsaP256])
        .await;
    println!("a P-256 half signs what verifies, and Ed25519 is refused");
    conformance::custody::key_encryption(entered.kek.as_ref(), Binds::Nothing).await;
    println!("data keys are wrapped and opened, and no damaged one opens");

    let made = entered.halves.marked(&settings.deployment).await.expect("the vault is looked through");
    assert_eq!(made.len(), 1, "the P-256 half");
    for half in made {
        let key = half.key.expect("it is marked with its key");
        entered
            .halves
            .schedule_deletion(&half.key_id, &settings.deployment, &key)
            .await
            .expect("it is deleted");
        println!("{} is deleted", half.key_id);
    }
}
