//! The same against ministack, an emulation of AWS that is nobody's here: KMS as far as it has it, the security token service,
//! and the stream of the intake.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use aws_sdk_kms::Client;
use composite::ClassicalAlgorithm;
use custody_aws::{AwsCloud, OwnIdentity};
use serde_json::{Value, json};
use store_dynamodb::{DynamoStore, Table};
use vault::{
    Timestamp,
    custody::{Cloud, CustodyError, Deletion, Kept, Subject},
    id::{KeyId, OrgId},
    settings::SettingsRecord,
    store::{EventWrites, Intake, Record},
};

use crate::{
    dynamodb::events,
    lambda_process::Lambda,
    local_kms::{config, enter, fault, make_kek, settings},
    python::root,
};

struct Ministack {
    process: Child,
    url: String,
}

impl Ministack {
    fn start() -> Self {
        let program = root().join("target/tools/venv/bin/ministack");
        assert!(program.exists(), "ministack is missing; `cargo xtask test` sets it up");
        // Another process may have taken the port before it does: then it ends, and another port is tried.
        (0..5).find_map(|_| Self::start_at_some_port(&program)).expect("ministack does not start")
    }

    fn start_at_some_port(program: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program);
        command.envs([
            ("BIND_HOST", "127.0.0.1"),
            ("GATEWAY_PORT", &port.to_string()),
            ("LAMBDA_EXECUTOR", "local"),
        ]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let mut local = Self { process, url };
        for _ in 0..3000 {
            if local.process.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(local);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("ministack does not listen at port {port}");
    }

    fn kms(&self) -> Client {
        Client::new(&config(&self.url))
    }

    /// An account that is entered by the deployment's own identity.
    async fn account(&self) -> (AwsCloud, SettingsRecord) {
        let own = OwnIdentity::SingleOrganisation;
        let cloud = AwsCloud::with_budget(&config(&self.url), own, Duration::from_secs(300));
        (cloud, settings(&make_kek(&self.kms()).await, None))
    }

    /// A call of the streams' own API, which is JSON.
    fn streams(&self, action: &str, body: &Value) -> Value {
        let call = ureq::post(&self.url).header("X-Amz-Target", format!("DynamoDBStreams_20120810.{action}"));
        let call = call.header("Content-Type", "application/x-amz-json-1.0");
        let credential = "AWS4-HMAC-SHA256 Credential=any/20260101/eu-central-1/dynamodb/aws4_request";
        call.header("Authorization", credential).send_json(body).unwrap().into_body().read_json().unwrap()
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn what_ministack_has_of_kms_wraps_and_signs_as_every_provider_must() {
    let local = Ministack::start();
    let (cloud, settings) = local.account().await;
    cloud.test(&settings, None).await.unwrap();
    let entered = enter(&cloud, &settings).await;
    // It does not authenticate the name of the key that its ciphertexts begin with; the context it does.
    let now = Timestamp::now();
    let keys = [KeyId::generate(now).unwrap(), KeyId::generate(now).unwrap()];
    let orgs = [settings.org.clone(), OrgId::generate(now).unwrap()];
    let new = entered.kek.generate_dek(Subject { org: &orgs[0], key: &keys[0] }).await.unwrap();
    for (org, key) in [(0, 0), (0, 1), (1, 0)] {
        let opened = entered.kek.unwrap_dek(Subject { org: &orgs[org], key: &keys[key] }, &new.wrapped).await;
        let expected =
            if (org, key) == (0, 0) { Ok(new.dek.0.clone()) } else { Err(CustodyError::NotAuthentic) };
        assert_eq!(opened.map(|dek| dek.0), expected, "{org} {key}");
    }
    conformance::custody::classical_signer(entered.classical.as_ref(), &ClassicalAlgorithm::ALL).await;
}

#[tokio::test]
async fn a_key_that_ministack_has_disabled_or_deleted_is_denied() {
    let local = Ministack::start();
    let (cloud, settings) = local.account().await;
    let entered = enter(&cloud, &settings).await;
    let key = KeyId::generate(Timestamp::now()).unwrap();
    let subject = Subject { org: &settings.org, key: &key };
    let wrapped = entered.kek.generate_dek(subject).await.unwrap().wrapped;
    let kek = settings.aws.as_ref().unwrap().key.as_str();
    local.kms().disable_key().key_id(kek).send().await.unwrap();
    assert_eq!(fault(entered.kek.unwrap_dek(subject, &wrapped).await), "kms_denied");
    assert_eq!(fault(cloud.test(&settings, None).await), "kms_denied");
    local.kms().enable_key().key_id(kek).send().await.unwrap();
    assert!(entered.kek.unwrap_dek(subject, &wrapped).await.is_ok());

    let half = entered.classical.generate(subject, ClassicalAlgorithm::EcdsaP256).await.unwrap();
    let Kept::AtProvider(arn) = half.secret else { panic!("it is here") };
    let found = entered.halves.marked(&settings.deployment).await.unwrap();
    assert_eq!(found.iter().map(|half| half.key_id.as_str()).collect::<Vec<_>>(), [arn.as_str()]);
    for _ in 0..2 {
        let deletion = entered.halves.schedule_deletion(&arn, &settings.deployment, &key).await;
        assert_eq!(deletion, Ok(Deletion::Scheduled));
    }
    assert_eq!(entered.halves.marked(&settings.deployment).await.unwrap(), []);
}

#[tokio::test]
async fn a_role_of_ministacks_is_assumed_or_told_to_be_open() {
    let local = Ministack::start();
    let kek = make_kek(&local.kms()).await;
    let account = kek.split(':').nth(4).unwrap();
    let role = format!("arn:aws:iam::{account}:role/vault");
    let cloud = AwsCloud::new(&config(&local.url), OwnIdentity::Never);
    let settings = settings(&kek, Some((&role, "postq-1")));
    let entered = enter(&cloud, &settings).await;
    let key = KeyId::generate(Timestamp::now()).unwrap();
    let subject = Subject { org: &settings.org, key: &key };
    assert!(entered.kek.generate_dek(subject).await.is_ok(), "the role's credentials are taken");
    // It evaluates no trust policy, so its roles let everybody in: the vault notices.
    assert_eq!(fault(cloud.test(&settings, None).await), "role_open");
}

/// What the stream tells is what the Lambda is handed, and what it then places.
#[tokio::test(flavor = "multi_thread")]
async fn the_intakes_stream_has_its_events_sequenced() {
    let local = Ministack::start();
    let store = DynamoStore::new(&config(&local.url), "vault-");
    store.make_tables().await.unwrap();
    let org = OrgId::generate(Timestamp::now()).unwrap();
    store.append(Record { events: events(&org, 5), reply: None }).await.unwrap();
    assert_eq!(store.unplaced(&org, 10).await.unwrap().len(), 5);

    let listed = local.streams("ListStreams", &json!({"TableName": store.table_name(Table::Intake)}));
    let arn = &listed["Streams"][0]["StreamArn"];
    let described = local.streams("DescribeStream", &json!({"StreamArn": arn}));
    let shard = &described["StreamDescription"]["Shards"][0]["ShardId"];
    let from = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
    let iterator = local.streams("GetShardIterator", &from)["ShardIterator"].clone();
    let begun = Instant::now();
    let records = loop {
        let found = local.streams("GetRecords", &json!({"ShardIterator": iterator}))["Records"].clone();
        if found.as_array().is_some_and(|records| records.len() >= 5) {
            break found;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the stream has {found}");
    };
    let variables = [
        ("AWS_ENDPOINT_URL", local.url.clone()),
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "any".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "any".to_owned()),
        ("POSTQ_TABLES", "vault-".to_owned()),
    ];
    let mut lambda = Lambda::start_with("sequence-events", &variables).await;
    let done = lambda.invoke(json!({"Records": records})).await.unwrap();
    assert_eq!(done, json!({"sequenced": 1}));
    assert!(store.unplaced(&org, 10).await.unwrap().is_empty());
}
