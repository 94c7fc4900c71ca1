//! What the roles of a deployment may do, asked of the evaluator of the account that it stands in: its row of
//! docs/aws-permissions.json on just those tables and keys, and nothing else of anything.

use std::collections::{BTreeMap, BTreeSet};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_kms::Client;
use regex::Regex;
use store_dynamodb::Table;

use crate::{
    aws_permissions::written,
    local_cloud::{ACCOUNT, CUSTOMER_ROLE, LocalCloud, REGION},
    server_process::agent,
};

/// What no function has any use for, and what would hurt most.
const NEVER: [&str; 24] = [
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteTable",
    "dynamodb:ExportTableToPointInTime",
    "dynamodb:PartiQLSelect",
    "dynamodb:PartiQLUpdate",
    "dynamodb:RestoreTableToPointInTime",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
    "kms:CreateGrant",
    "kms:DisableKey",
    "kms:Encrypt",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "lambda:GetFunction",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "logs:DeleteLogGroup",
    "logs:GetLogEvents",
    "s3:GetObject",
    "secretsmanager:GetSecretValue",
];

const STREAM: [&str; 4] =
    ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"];

const TRACES: [&str; 2] = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];

const LOG: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];

/// Actions that take no key, table or function: they are asked of everything at once.
const EVERYTHING: &str = "*";

#[tokio::test]
#[ignore = "it looks at a deployment; `cargo xtask test-cloud` makes one"]
async fn each_role_may_do_its_row_and_nothing_else() {
    let cloud = LocalCloud::required();
    let store = cloud.store();
    let table =
        |table: Table| format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{}", store.table_name(table));
    let function = |name: &str| format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}{name}", cloud.prefix);
    let log = |name: &str| {
        format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{}{name}:*", cloud.prefix)
    };
    let kms = Client::new(&cloud.config());
    let kek = kms.describe_key().key_id(format!("alias/{}signing-kek", cloud.prefix)).send().await.unwrap();
    let kek = kek.key_metadata.unwrap().arn.unwrap();
    let described = aws_sdk_dynamodb::Client::new(&cloud.config()).describe_table();
    let described = described.table_name(store.table_name(Table::Intake)).send().await.unwrap();
    let stream = described.table.unwrap().latest_stream_arn.unwrap();

    let rows = written();
    let mut actions: BTreeSet<String> =
        NEVER.iter().chain(&STREAM).chain(&TRACES).chain(&LOG).map(|&action| action.to_owned()).collect();
    actions.insert("dynamodb:DescribeTable".to_owned());
    for (on, done) in rows.values().flatten() {
        actions.extend(done.iter().map(|action| format!("{}:{action}", service(on))));
    }

    for (operation, row) in &rows {
        let mut expected = BTreeMap::<String, BTreeSet<String>>::new();
        let mut allow = |resource: String, done: &[&str]| {
            expected.entry(resource).or_default().extend(done.iter().map(|&action| action.to_owned()));
        };
        let writes = |done: &BTreeSet<String>| {
            ["PutItem", "UpdateItem", "DeleteItem"].iter().any(|&w| done.contains(w))
        };
        let writer = Table::ALL.iter().any(|table| row.get(table.name()).is_some_and(writes));
        for of in Table::ALL {
            // Everything is asked of every table, whatever the row has of it.
            allow(table(of), &[]);
            for action in row.get(of.name()).into_iter().flatten() {
                allow(table(of), &[&format!("dynamodb:{action}")]);
            }
            if writer && of != Table::Tombstones {
                allow(table(of), &["dynamodb:DescribeTable"]);
            }
        }
        let has = |name: &str| row.contains_key(name);
        allow(stream.clone(), if operation == "sequence-events" { &STREAM } else { &[] });
        allow(kek.clone(), if has("signing-kek") { &["kms:Decrypt"] } else { &[] });
        allow(function("seal-ledger"), if has("seal-ledger") { &["lambda:InvokeFunction"] } else { &[] });
        allow(CUSTOMER_ROLE.to_owned(), if has("customer-roles") { &["sts:AssumeRole"] } else { &[] });
        allow(log(operation), &LOG);
        allow(EVERYTHING.to_owned(), &[]);
        // What is somebody else's.
        for other in [
            format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/other-keys"),
            format!("{}/index/other", table(Table::Keys)),
            format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"),
            "arn:aws:iam::111111111111:role/other".to_owned(),
            format!("arn:aws:iam::{ACCOUNT}:role/{}create-org", cloud.prefix),
            function("create-org"),
            log("other"),
        ] {
            allow(other, &[]);
        }
        for (resource, expected) in &mut expected {
            expected.extend(TRACES.map(str::to_owned));
            let allowed = simulate(&cloud, operation, resource, &actions);
            assert_eq!(&allowed, expected, "{operation} on {resource}");
        }
    }
}

/// Whose action it is that a row names.
fn service(on: &str) -> &'static str {
    match on {
        "customer-keys" | "signing-kek" => "kms",
        "customer-roles" => "sts",
        "seal-ledger" => "lambda",
        _ => "dynamodb",
    }
}

/// Which of these actions a function's role may do to that.
fn simulate(
    cloud: &LocalCloud,
    operation: &str,
    resource: &str,
    actions: &BTreeSet<String>,
) -> BTreeSet<String> {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/{}{operation}", cloud.prefix);
    let mut form = vec![
        ("Action".to_owned(), "SimulatePrincipalPolicy".to_owned()),
        ("Version".to_owned(), "2010-05-08".to_owned()),
        ("PolicySourceArn".to_owned(), role),
        ("ResourceArns.member.1".to_owned(), resource.to_owned()),
    ];
    form.extend(
        (1..).zip(actions).map(|(number, action)| (format!("ActionNames.member.{number}"), action.clone())),
    );
    let answer = cloud.signed(agent().post(&cloud.account), "iam").send_form(form).unwrap();
    let text = answer.into_body().read_to_string().unwrap();
    let decision = Regex::new("<EvalActionName>([^<]+)<(?s:.*?)<EvalDecision>([^<]+)<").unwrap();
    let decided: Vec<_> =
        decision.captures_iter(&text).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
    assert_eq!(decided.len(), actions.len(), "{text}");
    decided.into_iter().filter(|(_, decision)| decision == "allowed").map(|(action, _)| action).collect()
}

/// Without this, what the suites show of the roles would be nothing.
#[tokio::test]
#[ignore = "it looks at a deployment; `cargo xtask test-cloud` makes one"]
async fn who_is_known_and_has_no_policy_is_let_in_to_nothing() {
    let cloud = LocalCloud::required();
    let ask = |action: &str| {
        let form = [("Action", action), ("Version", "2010-05-08"), ("UserName", "without-a-policy")];
        let answer = cloud.signed(agent().post(&cloud.account), "iam").send_form(form).unwrap();
        answer.into_body().read_to_string().unwrap()
    };
    ask("CreateUser");
    let made = ask("CreateAccessKey");
    let part = |member: &str| {
        let found = Regex::new(&format!("<{member}>([^<]+)</{member}>")).unwrap();
        found.captures(&made).unwrap_or_else(|| panic!("{made}"))[1].to_owned()
    };
    let known = Credentials::new(part("AccessKeyId"), part("SecretAccessKey"), None, None, "tests");
    let config = cloud.config().into_builder().credentials_provider(SharedCredentialsProvider::new(known));
    let refused = aws_sdk_dynamodb::Client::new(&config.build()).list_tables().send().await.unwrap_err();
    let code = refused.as_service_error().and_then(|error| error.meta().code().map(str::to_owned));
    assert_eq!(code.as_deref(), Some("AccessDeniedException"));
}
