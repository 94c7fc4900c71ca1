//! Halves as KMS keys: made with marks and a policy of their own, found again by the marks, and deleted by nothing else.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kms::{
    Client,
    config::retry::RetryConfig,
    primitives::Blob,
    types::{KeySpec, KeyState, KeyUsageType, OriginType, Tag},
};
use composite::{
    ClassicalAlgorithm, MlDsaSet,
    halves::{classical_from_spki, pq_from_spki},
};
use serde_json::json;
use vault::{
    custody::{
        CloudFault, CustodyError, Deletion, DeploymentId, Failed, HalfAlgorithm, Kept, MarkedHalf, NewHalf,
        Remains, RemoteHalves, Subject, is_young,
    },
    id::KeyId,
    sealed::HalfName,
    settings::RoleArn,
};

use crate::{
    account::Account,
    call,
    sign::{self, how},
};

#[async_trait]
impl RemoteHalves for Account {
    async fn schedule_deletion(
        &self,
        key_id: &str,
        deployment: &DeploymentId,
        key: &KeyId,
    ) -> Result<Deletion, CustodyError> {
        let kms = self.client_unhurried(key_id).await?;
        if self.is_going(&kms, key_id, Some(key)).await? {
            return Ok(Deletion::Scheduled);
        }
        let marks = self.tags(&kms, key_id).await?;
        if marks.is_empty() && is_young(key) {
            let call = call::on("kms:ListResourceTags", key_id);
            return Err(Failed::new(
                CloudFault::Unavailable,
                call,
                "its tags may not be known everywhere yet",
            )
            .into());
        }
        let marked = |name, value| marks.iter().any(|tag| tag.tag_key() == name && tag.tag_value() == value);
        if !marked(DEPLOYMENT, deployment.as_str()) || !marked(KEY, key.as_str()) {
            return Ok(Deletion::NotOurs);
        }
        let call = kms.schedule_key_deletion().key_id(key_id).pending_window_in_days(DAYS);
        match self.judge(call::on("kms:ScheduleKeyDeletion", key_id), call.send().await) {
            Ok(_) => Ok(Deletion::Scheduled),
            // A repeated call may find what the first one did, whose answer was lost; any other state passes.
            Err(failed) if failed.is("KMSInvalidStateException") => {
                if self.is_going(&kms, key_id, None).await? {
                    return Ok(Deletion::Scheduled);
                }
                Err(failed.of_fault(CloudFault::Unavailable).into())
            }
            Err(failed) => Err(failed.into()),
        }
    }

    /// A call for every key of the account and region.
    async fn marked(&self, deployment: &DeploymentId) -> Result<Vec<MarkedHalf>, CustodyError> {
        let kms = self.home();
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            let page =
                self.judge(call::of("kms:ListKeys"), kms.list_keys().set_marker(marker).send().await)?;
            for key in page.keys() {
                let Some(arn) = key.key_arn() else { continue };
                let marks = match self.tags(kms, arn).await {
                    Ok(marks) => marks,
                    // Keys of others need not be shown to the vault.
                    Err(failed) if failed.is("AccessDeniedException") || failed.is("NotFoundException") => {
                        continue;
                    }
                    Err(failed) => return Err(failed.into()),
                };
                let value = |name| marks.iter().find(|tag| tag.tag_key() == name).map(Tag::tag_value);
                if value(DEPLOYMENT) != Some(deployment.as_str()) {
                    continue;
                }
                let going = match self.is_going(kms, arn, None).await {
                    // Whoever wants it deleted is told.
                    Err(failed) if failed.is("AccessDeniedException") => false,
                    going => going?,
                };
                if !going {
                    found.push(MarkedHalf {
                        key_id: arn.to_owned(),
                        org: value(ORG).and_then(|org| org.parse().ok()),
                        key: value(KEY).and_then(|key| key.parse().ok()),
                    });
                }
            }
            marker = page.next_marker().map(str::to_owned);
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// A dry run: its policy may let the account fetch its public key, and somebody else sign.
    async fn would_sign(&self, key_id: &str, half: HalfAlgorithm) -> Result<(), CustodyError> {
        let (kind, with) = how(half);
        let call = self.client_of(key_id).await?.sign().key_id(key_id).dry_run(true);
        let call = call.message(Blob::new([0; 64])).message_type(kind).signing_algorithm(with);
        match patiently(sign::YOUNG_TRIES, || self.ask("kms:Sign", key_id, call.clone().send())).await {
            Err(failed) if failed.is("DryRunOperationException") => Ok(()),
            Err(failed) => Err(failed.into()),
            Ok(_) => Err(Failed::wrong(call::on("kms:Sign", key_id), "it signed in a dry run").into()),
        }
    }
}

impl Account {
    /// Makes a half. Where what follows its making fails, the failure names it.
    pub(crate) async fn make_half(
        &self,
        subject: Subject<'_>,
        half: HalfName,
        spec: KeySpec,
    ) -> Result<NewHalf, CustodyError> {
        let (org, key) = (subject.org.as_str(), subject.key.as_str());
        let marks =
            [(DEPLOYMENT, self.settings.deployment.as_str()), (ORG, org), (KEY, key), (HALF, half.name())];
        let marks: Result<Vec<Tag>, _> = marks
            .map(|(name, value)| Tag::builder().tag_key(name).tag_value(value).build())
            .into_iter()
            .collect();
        let call = self
            .home()
            .create_key()
            .key_usage(KeyUsageType::SignVerify)
            .key_spec(spec.clone())
            .origin(OriginType::AwsKms)
            .description(format!("PostQ Vault: the {} half of {key} of {org}", half.name()))
            .set_tags(Some(marks.map_err(|e| Failed::wrong(call::of("kms:CreateKey"), &e.to_string()))?))
            .policy(self.policy())
            // The account itself keeps all administration, so nobody can be locked out; the check would ask for the same right
            // for the vault, which must not have it.
            .bypass_policy_lockout_safety_check(true)
            .customize()
            // Each call makes a key: one whose answer was lost is not repeated.
            .config_override(aws_sdk_kms::config::Builder::new().retry_config(RetryConfig::disabled()));
        // What was refused was not made; what was not answered, or not as it should have been, may have been.
        let refused = |failed: &Failed| {
            failed.code.is_some()
                && matches!(
                    failed.fault,
                    CloudFault::Denied
                        | CloudFault::NotEntered
                        | CloudFault::NoCredentials
                        | CloudFault::QuotaUsedUp
                        | CloudFault::Throttled
                )
        };
        let made = match self.ask_account("kms:CreateKey", call.send()).await {
            Ok(made) => made,
            Err(failed) if refused(&failed) => return Err(failed.leaving(Remains::Nothing).into()),
            Err(failed) => return Err(failed.into()),
        };
        let arn = made
            .key_metadata
            .and_then(|key| key.arn)
            .ok_or_else(|| Failed::wrong(call::of("kms:CreateKey"), "no key"))?;
        match self.public_key(&arn, &spec).await {
            Ok(public_key) => Ok(NewHalf { public_key, secret: Kept::AtProvider(arn) }),
            Err(failed) => Err(failed.leaving(Remains::Half(arn)).into()),
        }
    }

    async fn public_key(&self, arn: &str, spec: &KeySpec) -> Result<Vec<u8>, Failed> {
        let ask = || self.ask("kms:GetPublicKey", arn, self.home().get_public_key().key_id(arn).send());
        let answer = patiently(YOUNG_TRIES, ask).await?;
        if answer.key_id() != Some(arn) || answer.key_spec() != Some(spec) {
            return Err(Failed::wrong(call::on("kms:GetPublicKey", arn), "another key's"));
        }
        let spki = answer
            .public_key
            .ok_or_else(|| Failed::wrong(call::on("kms:GetPublicKey", arn), "no key"))?
            .into_inner();
        bare(&spki, spec).ok_or_else(|| {
            Failed::wrong(call::on("kms:GetPublicKey", arn), "not the SubjectPublicKeyInfo of such a key")
        })
    }

    /// The account administers the key and does not sign with it by that; the vault signs with it and has it deleted, and cannot
    /// change who may.
    fn policy(&self) -> String {
        let arn = &self.account.key;
        let root = format!("arn:{}:iam::{}:root", arn.partition(), arn.account());
        // Without a role, whichever of the account's own identities its IAM policies name.
        let vault = self.account.role.as_ref().map_or(root.as_str(), RoleArn::as_str);
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TheAccountAdministers",
                    "Effect": "Allow",
                    "Principal": { "AWS": root },
                    "Action": [
                        "kms:CancelKeyDeletion", "kms:Describe*", "kms:DisableKey", "kms:EnableKey", "kms:Get*", "kms:List*",
                        "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource",
                        "kms:UpdateKeyDescription"
                    ],
                    "Resource": "*"
                },
                {
                    "Sid": "TheVaultSigns",
                    "Effect": "Allow",
                    "Principal": { "AWS": vault },
                    "Action": [
                        "kms:DescribeKey", "kms:GetPublicKey", "kms:ListResourceTags", "kms:ScheduleKeyDeletion", "kms:Sign"
                    ],
                    "Resource": "*"
                }
            ]
        });
        policy.to_string()
    }
}

/// Asks again where a key is not found: one that was just made is not known everywhere at once.
pub(crate) async fn patiently<T, F: Future<Output = Result<T, Failed>>>(
    tries: u32,
    ask: impl Fn() -> F,
) -> Result<T, Failed> {
    let mut tried = 0;
    loop {
        match ask().await {
            Err(failed) if failed.is("NotFoundException") && tried < tries => {
                tried += 1;
                tokio::time::sleep(YOUNG_REST).await;
            }
            outcome => return outcome,
        }
    }
}

impl Account {
    /// Whether a key is deleted, or about to be. One that is not found is taken for deleted only where the hybrid key is no longer as
    /// young as that it might not be known everywhere; where no hybrid key is named, it is old.
    async fn is_going(&self, kms: &Client, key_id: &str, key: Option<&KeyId>) -> Result<bool, Failed> {
        let described =
            self.judge(call::on("kms:DescribeKey", key_id), kms.describe_key().key_id(key_id).send().await);
        match described {
            Ok(described) => {
                let state = described.key_metadata.and_then(|key| key.key_state);
                Ok(matches!(state, Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion)))
            }
            Err(failed) if failed.is("NotFoundException") => {
                let young = key.is_some_and(is_young);
                if young { Err(failed.of_fault(CloudFault::Unavailable)) } else { Ok(true) }
            }
            Err(failed) => Err(failed),
        }
    }

    async fn tags(&self, kms: &Client, key_id: &str) -> Result<Vec<Tag>, Failed> {
        let call = call::on("kms:ListResourceTags", key_id);
        let answer = self.judge(call, kms.list_resource_tags().key_id(key_id).send().await)?;
        Ok(answer.tags.unwrap_or_default())
    }
}

/// The public key without its SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), whose algorithm must be the spec's.
fn bare(spki: &[u8], spec: &KeySpec) -> Option<Vec<u8>> {
    match spec {
        KeySpec::EccNistP256 => classical_from_spki(ClassicalAlgorithm::EcdsaP256, spki),
        KeySpec::EccNistEdwards25519 => classical_from_spki(ClassicalAlgorithm::Ed25519, spki),
        KeySpec::MlDsa44 => pq_from_spki(MlDsaSet::MlDsa44, spki),
        KeySpec::MlDsa65 => pq_from_spki(MlDsaSet::MlDsa65, spki),
        KeySpec::MlDsa87 => pq_from_spki(MlDsaSet::MlDsa87, spki),
        _ => None,
    }
}

const DEPLOYMENT: &str = "postq:deployment";
const ORG: &str = "postq:org";
const KEY: &str = "postq:key";
const HALF: &str = "postq:half";

/// How long the account can still cancel a deletion: KMS takes 7 to 30.
const DAYS: i32 = 30;

/// How often a key that was just made is asked for, and how long lies between.
const YOUNG_TRIES: u32 = 10;
const YOUNG_REST: Duration = Duration::from_millis(200);
