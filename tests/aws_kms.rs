//! AWS KMS as a custody provider: on the suite that every provider passes, and when KMS, the role or the way to it fails.

use std::{collections::BTreeSet, time::Duration};

use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future,
};
use aws_sdk_kms::{
    error::ProvideErrorMetadata,
    primitives::Blob,
    types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec},
};
use composite::ClassicalAlgorithm;
use conformance::custody::Binds;
use custody_aws::{AwsCloud, OwnIdentity, open_signing_kek};
use serde_json::{Value, json};
use vault::{
    Timestamp,
    custody::{Cloud, Deletion, DeploymentId, HalfAlgorithm, Kept, Subject},
    id::{KeyId, OrgId},
};

use crate::local_kms::{LocalKms, ROLE, enter, fault, settings};

#[tokio::test]
async fn kms_wraps_and_signs_as_every_provider_must() {
    let kms = LocalKms::start();
    kms.trust(ROLE, Some("postq-1"));
    let settings = settings(&kms.make_kek().await, Some((ROLE, "postq-1")));
    let cloud = kms.cloud();
    cloud.test(&settings, None).await.unwrap();
    // A budget is a request's, and the suite is many.
    let cloud = AwsCloud::with_budget(&kms.config(), OwnIdentity::Never, Duration::from_secs(300));
    let entered = enter(&cloud, &settings).await;
    conformance::custody::key_encryption(entered.kek.as_ref(), Binds::Subject).await;
    conformance::custody::classical_signer(entered.classical.as_ref(), &ClassicalAlgorithm::ALL).await;
    conformance::custody::pq_signer(entered.pq.unwrap().as_ref()).await;
}

#[tokio::test]
async fn the_emulation_refuses_what_kms_refuses() {
    let kms = LocalKms::start();
    let client = kms.client();
    let make = async |spec: KeySpec| {
        let call = client.create_key().key_spec(spec).key_usage(KeyUsageType::SignVerify);
        call.send().await.unwrap().key_metadata.unwrap().arn.unwrap()
    };
    let (ml_dsa, p256) = (make(KeySpec::MlDsa65).await, make(KeySpec::EccNistP256).await);
    let symmetric = kms.make_kek().await;
    let (mu, ecdsa) = (SigningAlgorithmSpec::MlDsaShake256, SigningAlgorithmSpec::EcdsaSha256);
    for (key, length, kind, algorithm, code) in [
        (&ml_dsa, 4097, MessageType::Raw, &mu, "ValidationException"),
        (&ml_dsa, 64, MessageType::Digest, &mu, "ValidationException"),
        (&ml_dsa, 63, MessageType::ExternalMu, &mu, "ValidationException"),
        (&ml_dsa, 65, MessageType::ExternalMu, &mu, "ValidationException"),
        (&ml_dsa, 64, MessageType::ExternalMu, &ecdsa, "InvalidKeyUsageException"),
        (&p256, 64, MessageType::ExternalMu, &ecdsa, "ValidationException"),
        (&p256, 32, MessageType::Raw, &mu, "InvalidKeyUsageException"),
        (&symmetric, 32, MessageType::Raw, &ecdsa, "InvalidKeyUsageException"),
    ] {
        let call = client.sign().key_id(key).message(Blob::new(vec![0; length])).message_type(kind.clone());
        let refused = call.signing_algorithm(algorithm.clone()).send().await.unwrap_err();
        assert_eq!(refused.code(), Some(code), "{length} bytes, {kind}, {algorithm}");
    }
    // A member or a value that the published model does not have.
    for body in [json!({"KeyId": ml_dsa, "Context": "x"}), json!({"KeyId": 7}), json!({})] {
        let call = ureq::post(kms.url()).header("X-Amz-Target", "TrentService.GetPublicKey");
        let call = call.header("Authorization", "Credential=any/20260101/eu-central-1/kms/aws4_request");
        assert!(call.send_json(&body).is_err(), "{body}");
    }
}

#[tokio::test]
async fn an_account_is_entered_only_under_its_external_id() {
    let kms = LocalKms::start();
    let kek = kms.make_kek().await;
    let settings = |id| settings(&kek, Some((ROLE, id)));
    let test = async |id: &'static str| kms.cloud().test(&settings(id), None).await;

    assert_eq!(fault(test("postq-1").await), "kms_denied", "there is no such role");
    kms.trust(ROLE, Some("postq-1"));
    test("postq-1").await.unwrap();
    assert_eq!(fault(test("postq-2").await), "kms_denied", "it expects another");
    assert_eq!(fault(kms.cloud().enter(&settings("postq-2"), None).await), "kms_denied");
    kms.trust(ROLE, None);
    assert_eq!(fault(test("postq-1").await), "role_open", "it lets everybody in");

    let without = crate::local_kms::settings(&kek, None);
    assert_eq!(fault(kms.cloud().test(&without, None).await), "role_missing");
    assert_eq!(fault(kms.cloud().enter(&without, None).await), "role_missing");
    let own = AwsCloud::new(&kms.config(), OwnIdentity::SingleOrganisation);
    own.test(&without, None).await.unwrap();
    let elsewhere = crate::local_kms::settings(&kek.replace("123456789012", "210987654321"), None);
    assert_eq!(fault(own.test(&elsewhere, None).await), "role_missing", "it is another account than its own");
}

/// What the vault lacks is no fault of the customer's account, and its operator is told so.
#[tokio::test]
async fn the_vaults_own_credentials_are_told_apart_from_the_accounts_refusals() {
    let kms = LocalKms::start();
    kms.trust(ROLE, Some("postq-1"));
    let settings = settings(&kms.make_kek().await, Some((ROLE, "postq-1")));
    let without =
        kms.config().into_builder().credentials_provider(SharedCredentialsProvider::new(Nothing)).build();
    let without = AwsCloud::new(&without, OwnIdentity::Never);
    assert_eq!(fault(without.enter(&settings, None).await), "credentials_unavailable");
    assert_eq!(fault(without.test(&settings, None).await), "credentials_unavailable");
    kms.faults(&json!([{"action": "AssumeRole", "how": "not-known"}]));
    assert_eq!(fault(kms.cloud().enter(&settings, None).await), "credentials_unavailable");
    assert_eq!(fault(kms.cloud().test(&settings, None).await), "credentials_unavailable");
    kms.faults(&json!([]));
    kms.cloud().test(&settings, None).await.unwrap();
}

/// Where credentials are looked for and there are none.
#[derive(Debug)]
struct Nothing;

impl ProvideCredentials for Nothing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded_no_source()))
    }
}

#[tokio::test]
async fn credentials_are_kept_until_they_expire() {
    let kms = LocalKms::start();
    let kek = kms.make_kek().await;
    let settings = settings(&kek, Some((ROLE, "postq-1")));
    let entered_times = async |seconds: u64| {
        kms.control(
            &json!({"roles": {ROLE: {"demands": "postq-1", "seconds": seconds}}, "forgetCalls": true}),
        );
        let cloud = kms.cloud();
        let (org, key) =
            (OrgId::generate(Timestamp::now()).unwrap(), KeyId::generate(Timestamp::now()).unwrap());
        for _ in 0..4 {
            let entered = enter(cloud.as_ref(), &settings).await;
            entered.kek.generate_dek(Subject { org: &org, key: &key }).await.unwrap();
        }
        kms.calls().iter().filter(|call| *call == "AssumeRole").count()
    };
    assert_eq!(entered_times(3600).await, 1);
    assert!(entered_times(60).await >= 4, "they expire too soon to be used");
}

#[tokio::test]
async fn a_half_carries_its_marks_and_the_narrowest_policy() {
    let kms = LocalKms::start();
    kms.trust(ROLE, Some("postq-1"));
    let settings = settings(&kms.make_kek().await, Some((ROLE, "postq-1")));
    let cloud = kms.cloud();
    let entered = enter(cloud.as_ref(), &settings).await;
    let key = KeyId::generate(Timestamp::now()).unwrap();
    let subject = Subject { org: &settings.org, key: &key };
    let half = entered.classical.generate(subject, ClassicalAlgorithm::EcdsaP256).await.unwrap();
    let Kept::AtProvider(arn) = half.secret else { panic!("it is here") };

    let state = kms.state();
    let made = state["keys"].as_array().unwrap().iter().find(|made| made["Arn"] == arn.as_str()).unwrap();
    let tags: BTreeSet<(String, String)> = made["Tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| (tag["TagKey"].as_str().unwrap().into(), tag["TagValue"].as_str().unwrap().into()))
        .collect();
    let expected = [
        ("postq:deployment", settings.deployment.as_str()),
        ("postq:half", "classical"),
        ("postq:key", key.as_str()),
        ("postq:org", settings.org.as_str()),
    ];
    assert_eq!(tags, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert!(made["Description"].as_str().unwrap().contains(key.as_str()));
    let policy: Value = serde_json::from_str(made["Policy"].as_str().unwrap()).unwrap();
    let of = |principal: &str| {
        let statements = policy["Statement"].as_array().unwrap().iter();
        let mut of = statements.filter(|statement| statement["Principal"]["AWS"] == principal);
        let actions = of.next().unwrap()["Action"].as_array().unwrap().clone();
        assert!(of.next().is_none());
        actions
    };
    assert_eq!(policy["Statement"].as_array().unwrap().len(), 2);
    let vault = [
        "kms:DescribeKey",
        "kms:GetPublicKey",
        "kms:ListResourceTags",
        "kms:ScheduleKeyDeletion",
        "kms:Sign",
    ];
    assert_eq!(of(ROLE), vault);
    assert!(
        !of("arn:aws:iam::123456789012:root").contains(&json!("kms:Sign")),
        "the account signs by itself"
    );
    // So nobody else does, not even the identity that the role is assumed by.
    let call = kms.client().sign().key_id(&arn).message(Blob::new(*b"m"));
    let refused = call.signing_algorithm(SigningAlgorithmSpec::EcdsaSha256).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("AccessDeniedException"));
}

#[tokio::test]
async fn a_half_is_deleted_only_under_its_own_marks() {
    let kms = LocalKms::start();
    kms.trust(ROLE, Some("postq-1"));
    let settings = settings(&kms.make_kek().await, Some((ROLE, "postq-1")));
    let entered = enter(kms.cloud().as_ref(), &settings).await;
    let now = Timestamp::now();
    let (key, another) = (KeyId::generate(now).unwrap(), KeyId::generate(now).unwrap());
    let subject = Subject { org: &settings.org, key: &key };
    let half = entered.pq.unwrap().generate(subject, composite::MlDsaSet::MlDsa44).await.unwrap();
    let Kept::AtProvider(arn) = half.secret else { panic!("it is here") };
    let (ours, theirs) = (&settings.deployment, DeploymentId::parse(&"0b".repeat(16)).unwrap());

    let halves = entered.halves.as_ref();
    assert_eq!(halves.marked(&theirs).await.unwrap(), []);
    assert_eq!(halves.marked(ours).await.unwrap().len(), 1);
    assert_eq!(halves.schedule_deletion(&arn, &theirs, &key).await, Ok(Deletion::NotOurs));
    assert_eq!(halves.schedule_deletion(&arn, ours, &another).await, Ok(Deletion::NotOurs));
    let ml_dsa_44 = HalfAlgorithm::Pq(composite::MlDsaSet::MlDsa44);
    halves.would_sign(&arn, ml_dsa_44).await.unwrap();
    for _ in 0..2 {
        assert_eq!(halves.schedule_deletion(&arn, ours, &key).await, Ok(Deletion::Scheduled));
    }
    assert_eq!(halves.marked(ours).await.unwrap(), [], "what is going is not there any more");
    assert_eq!(fault(halves.would_sign(&arn, ml_dsa_44).await), "kms_denied");
    let gone = arn.replace(arn.rsplit('/').next().unwrap(), "00000000-0000-0000-0000-000000000000");
    assert_eq!(
        fault(halves.schedule_deletion(&gone, ours, &key).await),
        "kms_unavailable",
        "it may be too new to be found"
    );
    let old = KeyId::generate(Timestamp::from_millis(1_700_000_000_000).unwrap()).unwrap();
    assert_eq!(halves.schedule_deletion(&gone, ours, &old).await, Ok(Deletion::Scheduled));
}

#[tokio::test]
async fn a_key_is_not_made_twice_where_the_answer_was_lost() {
    let kms = LocalKms::start();
    kms.trust(ROLE, Some("postq-1"));
    let settings = settings(&kms.make_kek().await, Some((ROLE, "postq-1")));
    let entered = enter(kms.cloud().as_ref(), &settings).await;
    let key = KeyId::generate(Timestamp::now()).unwrap();
    let subject = Subject { org: &settings.org, key: &key };
    kms.faults(&json!([{"action": "CreateKey", "how": "lost"}]));
    let made = entered.classical.generate(subject, ClassicalAlgorithm::Ed25519).await;
    assert_eq!(fault(made), "kms_unavailable");
    assert_eq!(kms.marked().len(), 1);
    // A refused one made nothing.
    kms.faults(&json!([{"action": "CreateKey", "how": "throttled"}]));
    let made = entered.classical.generate(subject, ClassicalAlgorithm::Ed25519).await;
    assert_eq!(fault(made), "kms_throttled");
    assert_eq!(kms.marked().len(), 1);
}

#[tokio::test]
async fn the_vaults_own_key_encryption_key_opens_under_its_purpose_alone() {
    let kms = LocalKms::start();
    let kek = kms.make_kek().await;
    let wrapped = async |purpose: &str| {
        let call = kms.client().generate_data_key_without_plaintext().key_id(&kek);
        let call = call.key_spec(aws_sdk_kms::types::DataKeySpec::Aes256);
        let call = call.encryption_context("postq:purpose", purpose);
        call.send().await.unwrap().ciphertext_blob.unwrap().into_inner()
    };
    let ciphertext = wrapped("signing-kek").await;
    let opened = open_signing_kek(&kms.config(), &ciphertext).await.unwrap();
    assert_eq!(opened, open_signing_kek(&kms.config(), &ciphertext).await.unwrap());
    let other = wrapped("something else").await;
    assert_eq!(fault(open_signing_kek(&kms.config(), &other).await), "kms_denied");
}

/// An answer that cannot be read may hold a data key or credentials.
#[tokio::test]
async fn what_an_answer_held_is_not_in_the_word_on_it() {
    let kms = LocalKms::start();
    kms.trust(ROLE, Some("postq-1"));
    let settings = settings(&kms.make_kek().await, Some((ROLE, "postq-1")));
    for action in ["GenerateDataKey", "Decrypt"] {
        kms.faults(&json!([{"action": action, "how": "garbage"}]));
        let told = kms.cloud().test(&settings, None).await.err().unwrap().to_string();
        assert!(told.contains(action), "{told}");
        assert!(!told.contains("nothing of the kind"), "{told}");
    }
}
