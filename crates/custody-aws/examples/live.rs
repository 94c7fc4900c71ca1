//! AWS KMS itself, on the suite that every provider passes: `cargo xtask test-live-aws`. What it makes it has deleted.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a program that a person runs, and that fails by saying why"
)]

use std::time::Duration;

use composite::ClassicalAlgorithm;
use custody_aws::{AwsCloud, OwnIdentity};
use vault::{
    Timestamp,
    custody::{Cloud, DeploymentId},
    id::OrgId,
    providers::KekProvider,
    random,
    settings::{AwsAccount, KmsKeyArn, RoleArn, SettingsRecord},
};

#[tokio::main]
async fn main() {
    let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(key) = read("POSTQ_LIVE_AWS_KEY") else {
        panic!(
            "set POSTQ_LIVE_AWS_KEY to the ARN of a symmetric KMS key, and credentials as every AWS program finds them"
        );
    };
    let role = read("POSTQ_LIVE_AWS_ROLE").map(|arn| RoleArn::parse(&arn).expect("POSTQ_LIVE_AWS_ROLE"));
    let external_id = read("POSTQ_LIVE_AWS_EXTERNAL_ID");
    assert!(
        role.is_none() || external_id.is_some(),
        "set POSTQ_LIVE_AWS_EXTERNAL_ID to what the role's trust policy demands"
    );
    let mark: String =
        random::generate::<16>().expect("random bytes").iter().map(|b| format!("{b:02x}")).collect();
    let now = Timestamp::now();
    let settings = SettingsRecord {
        org: OrgId::generate(now).expect("random bytes"),
        external_id: external_id.unwrap_or_default(),
        deployment: DeploymentId::parse(&mark).expect("32 digits"),
        default_kek: KekProvider::Env,
        dek_cache_ttl: 0,
        aws: Some(
            AwsAccount::new(KmsKeyArn::parse(&key).expect("POSTQ_LIVE_AWS_KEY"), role).expect("one account"),
        ),
        azure: None,
        gcp: None,
        updated_at: now,
    };
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let cloud = AwsCloud::with_budget(&config, OwnIdentity::SingleOrganisation, Duration::from_secs(600));
    cloud.test(&settings, None).await.expect("the account is entered as it should be, and its key wraps");
    println!("the account is entered under its external id alone, and its key wraps and opens");

    let entered = cloud.enter(&settings, None).await.expect("it was entered a moment ago");
    conformance::custody::classical_signer(entered.classical.as_ref(), &ClassicalAlgorithm::ALL).await;
    println!("P-256 and Ed25519 halves sign what verifies");
    conformance::custody::pq_signer(entered.pq.expect("AWS holds ML-DSA").as_ref()).await;
    println!("ML-DSA-44, -65 and -87 halves sign what verifies, by external mu");

    let made = entered.halves.marked(&settings.deployment).await.expect("the account is looked through");
    assert_eq!(made.len(), 5, "one of each kind");
    for half in made {
        let key = half.key.expect("it is marked with its key");
        entered
            .halves
            .schedule_deletion(&half.key_id, &settings.deployment, &key)
            .await
            .expect("it is deleted");
        println!("{} is scheduled for deletion", half.key_id);
    }
}
