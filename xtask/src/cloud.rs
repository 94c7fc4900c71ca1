//! A cloud on this machine: an emulated AWS account with the very Terraform of infra/ applied to it, and in it the packaged Lambdas.
#![expect(
    clippy::indexing_slicing,
    reason = "JSON that lacks a member gives null; only objects are written to"
)]

use std::{
    fs::File,
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use xshell::{PushDir, PushEnv, Shell, cmd};

use crate::{infra, package, setup};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The port of loopback at which the account answers
    #[arg(long, default_value_t = 4577)]
    port: u16,
}

/// Starts the account, or takes the one that runs, and applies the stack to it.
pub(crate) fn up(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    let cloud = Cloud::new(sh, "target/cloud", args.port)?;
    package::run(sh, &package::Args::of_this_machine())?;
    cloud.prepare(sh)?;
    cloud.start_and_apply(sh)?;
    let told = cloud.describe(sh)?;
    println!("address  {}", told["address"].as_str().unwrap_or_default());
    println!("token    {}", told["token"].as_str().unwrap_or_default());
    println!("account  {} (access key `test`, secret `test`, region {REGION})", cloud.endpoint());
    println!("`cargo xtask cloud-down` removes it all");
    Ok(())
}

/// Ends the account, and with it all that was in it.
pub(crate) fn down(sh: &Shell) -> anyhow::Result<()> {
    let cloud = Cloud::new(sh, "target/cloud", 0)?;
    cloud.stop()?;
    Ok(sh.remove_path(&cloud.folder)?)
}

/// The whole life of a deployment: it is applied, its second plan is as the first one left it, `tests` pass over it, and it is
/// destroyed.
pub(crate) fn check(sh: &Shell, tests: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    // What an earlier run left that was cut off.
    let left = Cloud::new(sh, FOLDER_OF_TESTS, 0)?;
    left.stop()?;
    sh.remove_path(&left.folder)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let cloud = Cloud::new(sh, FOLDER_OF_TESTS, port)?;
    cloud.prepare(sh)?;
    let cloud = Ending(cloud);
    cloud.0.start_and_apply(sh)?;
    cloud.0.second_plan(sh)?;
    cloud.0.describe(sh)?;
    cloud.0.leave_sealing_to_callers(sh)?;
    tests(&cloud.0.folder.join(DESCRIPTION))?;
    cloud.0.destroy(sh)
}

struct Cloud {
    folder: PathBuf,
    port: u16,
}

/// A cloud that ends with this, whatever came of it.
struct Ending(Cloud);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Err(error) = self.0.stop() {
            println!("the emulated account still runs: {error:#}");
        }
    }
}

impl Cloud {
    fn new(sh: &Shell, folder: &str, port: u16) -> anyhow::Result<Self> {
        let mut cloud = Self { folder: sh.create_dir(folder)?, port };
        if cloud.process().is_some() {
            cloud.port = sh.read_file(cloud.folder.join("port"))?.trim().parse()?;
        }
        Ok(cloud)
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sets up what is missing and writes the stack, which deploys the Lambdas that were packed.
    fn prepare(&self, sh: &Shell) -> anyhow::Result<()> {
        infra::terraform(sh)?;
        setup::python(sh)?;
        setup::aws_cli(sh)?;
        let infra = self.folder.join("infra");
        sh.remove_path(infra.join("modules"))?;
        for part in ["modules", "live/example"] {
            copy_terraform(sh, &Path::new("infra").join(part), &infra.join(part))?;
        }
        for shared in ["dashboard", "docs", "target"] {
            let link = self.folder.join(shared);
            if !link.exists() {
                std::os::unix::fs::symlink(sh.current_dir().join(shared), link)?;
            }
        }
        sh.write_file(infra.join("modules/function/emulated_override.tf"), KEK_STATEMENTS)?;
        Ok(sh.write_file(self.stack().join("emulated_override.tf"), self.provider())?)
    }

    /// Where the stack lies: as infra/live/example does in a checkout, so that it names the same modules and packages.
    fn stack(&self) -> PathBuf {
        self.folder.join("infra/live/example")
    }

    /// The provider, which is sent to the emulated account.
    fn provider(&self) -> String {
        let endpoint = self.endpoint();
        let endpoints: String =
            SERVICES.iter().map(|service| format!("    {service} = \"{endpoint}\"\n")).collect();
        format!(
            "provider \"aws\" {{\n  access_key = \"test\"\n  secret_key = \"test\"\n  skip_credentials_validation = true\n  \
             skip_metadata_api_check = true\n  skip_requesting_account_id = false\n  endpoints {{\n{endpoints}  }}\n}}\n"
        )
    }

    /// The account with the stack in it. A new one is begun a second time if the first came to nothing: where an answer of the
    /// emulator's is lost, Terraform asks again, and not every call of the emulator's takes that as the same request.
    fn start_and_apply(&self, sh: &Shell) -> anyhow::Result<()> {
        if self.process().is_some() {
            return self.apply(sh);
        }
        self.start(sh)?;
        let Err(error) = self.apply(sh) else { return Ok(()) };
        println!("{error:#}; once more, in an account that is new");
        self.stop()?;
        self.start(sh)?;
        self.apply(sh)
    }

    /// Starts the account. What was applied to one before it is forgotten.
    fn start(&self, sh: &Shell) -> anyhow::Result<()> {
        ensure!(
            TcpStream::connect(("127.0.0.1", self.port)).is_err(),
            "port {} is somebody else's: name another one with --port",
            self.port
        );
        for file in ["terraform.tfstate", "terraform.tfstate.backup", VARIABLES, "org.json"] {
            sh.remove_path(self.stack().join(file))?;
        }
        println!("starting an emulated AWS account at {}", self.endpoint());
        let log = File::create(self.folder.join("account.log"))?;
        let process = Command::new(sh.current_dir().join("target/tools/venv/bin/ministack"))
            // It hands its own environment on to the Lambdas.
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| ["PATH", "HOME", "TMPDIR"].contains(&name.as_str())))
            .envs([
                ("BIND_HOST", "127.0.0.1"),
                ("GATEWAY_PORT", &self.port.to_string()),
                ("LAMBDA_EXECUTOR", "local"),
                ("MINISTACK_REGION", REGION),
                // Every call is held against the roles' policies.
                ("AUTH", "true"),
                ("AWS_ENDPOINT_URL", &self.endpoint()),
                ("LOG_LEVEL", "WARNING"),
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("cannot start ministack")?;
        std::fs::write(self.folder.join(PROCESS), process.id().to_string())?;
        std::fs::write(self.folder.join("port"), self.port.to_string())?;
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("ministack does not listen: {} says why", self.folder.join("account.log").display())
    }

    /// The account's process, if it runs: a number alone may be somebody else's by now.
    fn process(&self) -> Option<String> {
        let process = std::fs::read_to_string(self.folder.join(PROCESS)).ok()?;
        let command = std::fs::read(format!("/proc/{process}/cmdline")).ok()?;
        String::from_utf8_lossy(&command).contains("ministack").then_some(process)
    }

    /// Ends the processes of an account that was started here: its own, and its Lambdas'.
    fn stop(&self) -> anyhow::Result<()> {
        let Some(process) = self.process() else { return Ok(()) };
        let script = "kill -s TERM -- \"-$0\"";
        Command::new("sh").args(["-c", script, &process]).status()?;
        // What ends still holds the port for a while.
        for _ in 0..300 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_err() {
                return Ok(std::fs::remove_file(self.folder.join(PROCESS))?);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("process {process} was asked to end, and still listens at port {}", self.port)
    }

    /// The commands of infra/README.md, in its order.
    fn apply(&self, sh: &Shell) -> anyhow::Result<()> {
        let _at = self.enter(sh);
        infra::init(sh, &mut None)?;
        read_provider(sh, Path::new(".terraform/providers"))?;
        if !sh.read_file(VARIABLES).is_ok_and(|chosen| chosen.contains("signing_kek_ciphertext")) {
            // No backend keeps its state, and nobody misses its tables.
            let mut chosen = json!({
                "region": REGION,
                "architecture": package::Args::of_this_machine().architecture(),
                "deletion_protection": false,
                "customer_role_arns": [CUSTOMER_ROLE],
                "cors_origins": [ORIGIN],
            });
            sh.write_file(VARIABLES, chosen.to_string())?;
            cmd!(sh, "terraform apply -target=module.vault.module.keys -auto-approve -input=false -no-color -compact-warnings")
                .run()?;
            let command = output(sh, "make_ciphertext_command")?;
            let ciphertext = cmd!(sh, "sh -c {command}").read()?;
            ensure!(!ciphertext.is_empty(), "KMS made no key-encryption key");
            chosen["signing_kek_ciphertext"] = json!(ciphertext);
            sh.write_file(VARIABLES, chosen.to_string())?;
        }
        println!("applying the stack; it takes a few minutes");
        Ok(cmd!(sh, "terraform apply -auto-approve -input=false -no-color").ignore_stdout().run()?)
    }

    /// What was applied is what is there, but for what the emulator does not keep.
    fn second_plan(&self, sh: &Shell) -> anyhow::Result<()> {
        let _at = self.enter(sh);
        cmd!(sh, "terraform plan -input=false -no-color -out=second.plan").quiet().ignore_stdout().run()?;
        let plan: Value =
            serde_json::from_str(&cmd!(sh, "terraform show -json second.plan").quiet().read()?)?;
        let changes = plan["resource_changes"].as_array().context("a plan has changes")?;
        let differing: Vec<&Value> =
            changes.iter().filter(|change| change["change"]["actions"] != json!(["no-op"])).collect();
        println!("second plan: {} resources, {} that differ", changes.len(), differing.len());
        let unexpected: Vec<&str> = differing
            .iter()
            .filter(|change| {
                let not_kept = NOT_KEPT.contains(&change["type"].as_str().unwrap_or_default());
                !not_kept || change["change"]["actions"] != json!(["update"])
            })
            .filter_map(|change| change["address"].as_str())
            .collect();
        ensure!(unexpected.is_empty(), "the second plan would change {}", unexpected.join(", "));
        Ok(())
    }

    /// Writes down what a test must know of it, with an organisation's token.
    fn describe(&self, sh: &Shell) -> anyhow::Result<Value> {
        let _at = self.enter(sh);
        let org = |sh: &Shell| -> Value {
            sh.read_file("org.json")
                .ok()
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default()
        };
        if org(sh)["token"].is_null() {
            let command = output(sh, "first_token_command")?;
            cmd!(sh, "sh -c {command}").quiet().ignore_stdout().run()?;
        }
        let org = org(sh);
        let token = org["token"].as_str().with_context(|| format!("no organisation was made: {org}"))?;
        let url = output(sh, "api_url")?;
        let api = url.split_once("://").and_then(|(_, host)| host.split('.').next());
        let api = api.context("an API's address begins with its id")?;
        let variables: Value = serde_json::from_str(&sh.read_file(VARIABLES)?)?;
        let told = json!({
            "account": self.endpoint(),
            "region": REGION,
            "address": format!("{}/_aws/execute-api/{api}/$default", self.endpoint()),
            "token": token,
            "name": "vault",
            "signingKekCiphertext": variables["signing_kek_ciphertext"],
        });
        sh.write_file(self.folder.join(DESCRIPTION), told.to_string())?;
        Ok(told)
    }

    /// The schedule seals every ledger each minute, which tests that count checkpoints would meet.
    fn leave_sealing_to_callers(&self, sh: &Shell) -> anyhow::Result<()> {
        let _at = self.enter(sh);
        Ok(cmd!(sh, "aws events disable-rule --name vault-seal-ledger").run()?)
    }

    /// As infra/README.md takes a deployment down.
    fn destroy(&self, sh: &Shell) -> anyhow::Result<()> {
        let _at = self.enter(sh);
        cmd!(sh, "terraform state rm module.vault.module.keys").ignore_stdout().run()?;
        let destroy =
            || cmd!(sh, "terraform destroy -auto-approve -input=false -no-color").ignore_stdout().run();
        // Terraform's provider may take an answer for lost (see `read_provider`) and ask again. Then what it deletes is not there, which the
        // emulator says by another code than AWS, and Terraform stops; when it begins anew, it sees by itself what is gone.
        destroy().or_else(|error| {
            println!("destroying once more: {error}");
            destroy()
        })?;
        let left = cmd!(sh, "terraform state list").quiet().read()?;
        ensure!(left.is_empty(), "destroyed, and yet there is {left}");
        Ok(())
    }

    /// In the stack's folder, with the account's credentials and its command.
    fn enter<'a>(&self, sh: &'a Shell) -> (Vec<PushEnv<'a>>, PushDir<'a>) {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", sh.current_dir().join("target/tools/aws/bin").display());
        let variables = [
            ("PATH", path),
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ];
        // Whoever calls may be in an account of their own.
        let theirs = ["AWS_SESSION_TOKEN", "TF_DATA_DIR", "TF_WORKSPACE", "TF_CLI_ARGS"];
        let theirs = theirs.into_iter().map(|name| sh.push_env(name, ""));
        let variables =
            variables.into_iter().map(|(name, value)| sh.push_env(name, value)).chain(theirs).collect();
        (variables, sh.push_dir(self.stack()))
    }
}

/// What Terraform reads, and nothing that it wrote: a checkout may hold the state of a deployment that is somebody's.
fn copy_terraform(sh: &Shell, from: &Path, to: &Path) -> anyhow::Result<()> {
    sh.create_dir(to)?;
    for entry in sh.read_dir(from)? {
        let name = entry.file_name().context("an entry has a name")?.to_string_lossy().into_owned();
        if entry.is_dir() && !name.starts_with('.') {
            copy_terraform(sh, &entry, &to.join(name))?;
        } else if [".tf", ".js"].iter().any(|ending| name.ends_with(ending)) {
            sh.copy_file(&entry, to)?;
        }
    }
    Ok(())
}

/// Reads Terraform's provider, so that it need not wait for the disk while it runs: where it does, it drops connections whose answer
/// is there and sends the request again, and not every call of the emulator's takes the second for the first
/// (docs/decisions/0017-a-cloud-on-this-machine.md).
fn read_provider(sh: &Shell, folder: &Path) -> anyhow::Result<()> {
    for entry in sh.read_dir(folder)? {
        if entry.is_dir() {
            read_provider(sh, &entry)?;
        } else {
            std::io::copy(&mut File::open(sh.current_dir().join(entry))?, &mut std::io::sink())?;
        }
    }
    Ok(())
}

fn output(sh: &Shell, name: &str) -> anyhow::Result<String> {
    Ok(cmd!(sh, "terraform output -raw -no-color {name}").quiet().read()?)
}

const REGION: &str = "eu-central-1";

/// A role that functions may assume, so that there is one.
const CUSTOMER_ROLE: &str = "arn:aws:iam::111111111111:role/vault";

/// Where a page may call from: a development server's usual place.
const ORIGIN: &str = "http://localhost:5173";

/// What the stack asks of AWS.
const SERVICES: [&str; 9] = [
    "apigatewayv2",
    "cloudwatch",
    "cloudwatchevents",
    "cloudwatchlogs",
    "dynamodb",
    "iam",
    "kms",
    "lambda",
    "sts",
];

/// The emulator's policies know no encryption context: there the key-encryption key is opened without that condition.
const KEK_STATEMENTS: &str = r#"locals {
  kek_statements = contains(keys(var.permissions), "signing-kek") ? [{
    Sid      = "OpenTheVaultsKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt"]
    Resource = var.signing_kek_key_arn
  }] : []
}
"#;

/// What the emulator does not hold as it was given. Alarms: it forgets their metric queries.
const NOT_KEPT: [&str; 1] = ["aws_cloudwatch_metric_alarm"];

const FOLDER_OF_TESTS: &str = "target/cloud-test";

/// The number of the account's process.
const PROCESS: &str = "process";

const VARIABLES: &str = "terraform.tfvars.json";

/// What is told of a cloud to its tests.
const DESCRIPTION: &str = "cloud.json";
