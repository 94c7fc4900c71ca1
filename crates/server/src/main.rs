//! The command line of the embedded vault.
#![expect(
    clippy::print_stdout,
    reason = "what a command answers goes to standard output, words go to standard error"
)]

use std::{
    env::VarError,
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use api::http::Origin;
use clap::{Parser, Subcommand};
use server::data_dir::{self, DataDir, KekVariables};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use vault::{
    Timestamp,
    caller::Environment,
    custody::Custody,
    id::{KeyId, OrgId},
    ops::{create_org, reconcile_keys, recover, rewrap, rotate_ledger_key},
    store::Store,
    token::{Secret, TokenHash},
};
use zeroize::Zeroizing;

/// PostQ Vault: sign with two keys at once, one post-quantum and one classical
#[derive(Parser)]
#[command(name = "postq-vault", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API over the embedded store; a first start makes an organisation and prints its first token
    #[command(
        after_help = "Variables: POSTQ_SIGNING_KEK and POSTQ_SIGNING_KEK_PREVIOUS, key-encryption keys of 32 bytes in \
        base64; POSTQ_BOOTSTRAP_TOKEN, presets the first token; RUST_LOG, what is logged"
    )]
    Serve {
        #[command(flatten)]
        data: Data,
        /// Where to listen
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8787")]
        listen: SocketAddr,
        /// Origins that may call from a browser, separated by commas
        #[arg(long, value_name = "ORIGINS", env = "POSTQ_CORS_ORIGINS", default_value = "")]
        cors_origins: String,
        #[command(flatten)]
        single_org: SingleOrg,
    },
    /// Make organisations, and rotate their ledger keys
    #[command(subcommand)]
    Org(Org),
    /// Bring the revocations back into a store that was restored from a backup, and let it write again; safe to stop and
    /// run again
    Recover {
        /// Take the revocations although they name another store: for one that was restored from before it kept any
        #[arg(long)]
        adopt: bool,
        #[command(flatten)]
        data: Data,
    },
    /// Move every key to the current key-encryption key (`POSTQ_SIGNING_KEK`) from the previous one
    /// (`POSTQ_SIGNING_KEK_PREVIOUS`); safe to stop and run again
    Rewrap {
        #[command(flatten)]
        data: Data,
    },
    /// Have the vault forget the halves of an organisation's ended keys that an account which is gone for good refuses to delete, so
    /// that the organisation's settings can be changed again; prints each
    GiveUp {
        /// `org_…`
        org: String,
        #[command(flatten)]
        single_org: SingleOrg,
        #[command(flatten)]
        data: Data,
    },
    /// Print the version, which clouds this build has, and whether it has the dashboard
    Version {
        /// Print what computes signatures as well: it was chosen when this was built
        #[arg(long)]
        verbose: bool,
    },
}

#[derive(clap::Args)]
struct SingleOrg {
    /// Declare that this vault serves a single organisation: its settings may do without a role, and then this process's own
    /// identity in a cloud is used
    #[arg(long, env = "POSTQ_SINGLE_ORG", value_parser = clap::builder::BoolishValueParser::new())]
    single_org: bool,
}

#[derive(Subcommand)]
enum Org {
    /// Make an organisation with its ledger key, and print its first token
    Create {
        /// 1 to 128 characters
        name: String,
        /// Its tokens begin with `pq_test_`
        #[arg(long)]
        test: bool,
        #[command(flatten)]
        data: Data,
    },
    /// Have an organisation's ledger key followed by a new one; checkpoints that the old one signed go on verifying
    RotateLedgerKey {
        /// `org_…`
        org: String,
        #[command(flatten)]
        data: Data,
    },
}

#[derive(clap::Args)]
struct Data {
    /// The data directory
    #[arg(long = "data", value_name = "DIR", env = "POSTQ_DATA", default_value = "data")]
    dir: PathBuf,
    /// Where revocations are kept apart from the store: best on another disk, and never restored with it; by default
    /// `revocations.log` in the data directory
    #[arg(long, value_name = "PATH", env = "POSTQ_REVOCATIONS")]
    revocations: Option<PathBuf>,
}

impl Data {
    async fn open(&self) -> anyhow::Result<DataDir> {
        data_dir::open(&self.dir, KekVariables::from_env()?, self.revocations.as_deref()).await
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    let done = match cli.command {
        Command::Serve { data, listen, cors_origins, single_org } => {
            serve(&data, listen, &cors_origins, single_org.single_org).await
        }
        Command::Org(Org::Create { name, test, data }) => make_org(&data, name, test).await,
        Command::Org(Org::RotateLedgerKey { org, data }) => rotate_ledger_key(&data, &org).await,
        Command::Recover { adopt, data } => recover_store(&data, adopt).await,
        Command::Rewrap { data } => move_keys(&data).await,
        Command::GiveUp { org, single_org, data } => give_up(&data, &org, single_org.single_org).await,
        Command::Version { verbose } => {
            println!("postq-vault {}", env!("CARGO_PKG_VERSION"));
            let clouds = server::clouds::names();
            println!("clouds     {}", if clouds.is_empty() { "none".to_owned() } else { clouds.join(", ") });
            println!("dashboard  {}", if server::dashboard::is_built_in() { "built in" } else { "none" });
            if verbose {
                println!("engine     {}", vault::engine());
            }
            Ok(ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::FAILURE
    })
}

async fn serve(
    at: &Data,
    listen: SocketAddr,
    cors_origins: &str,
    single_org: bool,
) -> anyhow::Result<ExitCode> {
    let origins = Origin::list(cors_origins)?;
    let data =
        data_dir::open_or_create(&at.dir, KekVariables::from_env()?, at.revocations.as_deref()).await?;
    warn_of_new_kek(&data);
    if data.store.is_restored().await? {
        tracing::error!(
            "the store is not the one that the revocations kept apart belong to: it was restored from a backup, or the file \
             is another's. Nothing is written until `postq-vault recover` was run; keys are shown and public keys are given"
        );
    }
    vault::self_test().context("this build of postq-vault cannot sign on this machine")?;
    warm_up(data.store.as_ref()).await?;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; name another address with --listen"))?;
    let address = listener.local_addr()?;

    let token = if data.store.any_org().await? {
        if std::env::var_os(BOOTSTRAP_VARIABLE).is_some() {
            tracing::info!(
                "{BOOTSTRAP_VARIABLE} is read at the first start alone; the tokens that were made stay as they are"
            );
        }
        "token    shown at the first start; `postq-vault org create NAME` makes another organisation, with keys of its own"
            .to_owned()
            .into()
    } else {
        first_org(&data).await?
    };
    data.release()?;
    let mut custody = Custody::clone(&data.custody);
    custody.clouds = server::clouds::at_hand(single_org).await?;
    let custody = Arc::new(custody);
    warn_of_missing_clouds(&data, &custody).await;
    let app = server::app(&data.store, &custody, &origins);

    let banner = Zeroizing::new(format!(
        "PostQ Vault {}\naddress  http://{address}\n{}{}\n",
        env!("CARGO_PKG_VERSION"),
        if server::dashboard::is_built_in() {
            format!("page     http://{address}/vault\n")
        } else {
            String::new()
        },
        *token
    ));
    // Whoever started it may have closed its standard output, which is no reason not to serve.
    if let Err(error) = std::io::stdout().lock().write_all(banner.as_bytes()) {
        tracing::warn!(%error, "the address and the token could not be printed");
    }

    let housekeeping = tokio::spawn(server::keep_house(data.store.clone(), custody));
    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
        stop_signal().await;
        tracing::info!("stopping: requests under way are finished first");
        // Nobody may be listening any more, which is as good.
        let _ = stopping.send(());
    });
    tracing::info!(%address, data = %at.dir.display(), "serving");
    tokio::select! {
        served = serving => served?,
        () = overdue(stopped) => tracing::warn!("requests under way took over {GRACE:?} and were cut off"),
    }
    housekeeping.abort();
    Ok(ExitCode::SUCCESS)
}

/// Has the store prepare what a signature looks up, by the names of nobody.
async fn warm_up(store: &dyn Store) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let (org, key) = (OrgId::generate(now)?, KeyId::generate(now)?);
    store.token(&TokenHash([0; 32])).await?;
    store.key(&org, &key).await?;
    store.policies(&org).await?;
    store.sealed(&org, &key).await?;
    store.status(&org, &key).await?;
    Ok(())
}

/// Makes the organisation of a first start, and says what to print of it. Its token is the operator's where
/// `POSTQ_BOOTSTRAP_TOKEN` presets one.
async fn first_org(data: &DataDir) -> anyhow::Result<Zeroizing<String>> {
    let preset = match std::env::var(BOOTSTRAP_VARIABLE).map(Zeroizing::new) {
        // A secret that was mounted from a file often ends in a line break.
        Ok(token) => {
            Some(Secret::parse(token.trim()).with_context(|| format!("{BOOTSTRAP_VARIABLE} is no token"))?)
        }
        Err(VarError::NotPresent) => None,
        Err(VarError::NotUnicode(_)) => bail!("{BOOTSTRAP_VARIABLE} is no token: it is not text"),
    };
    let is_preset = preset.is_some();
    let is_test = preset.as_ref().is_some_and(|token| token.expose().starts_with("pq_test_"));
    let environment = if is_test { Environment::Test } else { Environment::Live };
    let request = create_org::Request { name: "default".to_owned(), environment, token: preset };
    let made = create_org::create_org(&org_ports(data), request).await?;
    let token = if is_preset {
        Zeroizing::new(format!("the one in {BOOTSTRAP_VARIABLE}"))
    } else {
        Zeroizing::new(format!(
            "{}\n         shown this once: keep it where you keep secrets",
            made.token.expose()
        ))
    };
    Ok(Zeroizing::new(format!("org      {}\ntoken    {}", made.org, *token)))
}

async fn make_org(at: &Data, name: String, test: bool) -> anyhow::Result<ExitCode> {
    let data = at.open().await?;
    let environment = if test { Environment::Test } else { Environment::Live };
    let request = create_org::Request { name, environment, token: None };
    let made = create_org::create_org(&org_ports(&data), request).await?;
    println!("org    {}", made.org);
    println!("token  {}", made.token.expose());
    Ok(ExitCode::SUCCESS)
}

async fn rotate_ledger_key(at: &Data, org: &str) -> anyhow::Result<ExitCode> {
    let org = org.parse().with_context(|| format!("`{org}` names no organisation"))?;
    let data = at.open().await?;
    data.release()?;
    let ports = server::rotate_ledger_key_ports(&data.store, &data.custody);
    let done = rotate_ledger_key::rotate_ledger_key(&ports, &org).await?;
    println!("predecessor  {}", done.predecessor);
    println!("successor    {}", done.successor);
    println!("fingerprint  {}", done.fingerprint);
    Ok(ExitCode::SUCCESS)
}

async fn give_up(at: &Data, org: &str, single_org: bool) -> anyhow::Result<ExitCode> {
    let org: OrgId = org.parse().with_context(|| format!("`{org}` names no organisation"))?;
    let data = at.open().await?;
    data.release()?;
    data.store.org(&org).await?.with_context(|| format!("there is no organisation {org}"))?;
    let mut custody = Custody::clone(&data.custody);
    custody.clouds = server::clouds::at_hand(single_org).await?;
    let request = reconcile_keys::Request { now: Timestamp::now(), survey: false, give_up: Some(org) };
    let ports = server::reconcile_ports(&data.store, &Arc::new(custody));
    let done = reconcile_keys::reconcile_keys(&ports, request).await?;
    println!("to be deleted  {}", done.deleted.len());
    println!("not done       {}", done.failed);
    println!("given up       {}", done.given_up.len());
    for half in &done.given_up {
        println!("  {half}");
    }
    Ok(if done.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn recover_store(at: &Data, adopt: bool) -> anyhow::Result<ExitCode> {
    let data = at.open().await?;
    data.release()?;
    let done = recover::recover(&server::recover_ports(&data.store), recover::Request { adopt }).await?;
    if !done.restored {
        tracing::info!(
            "the store is the one that the revocations kept apart belong to: there is nothing to recover"
        );
    }
    println!("revoked again  {}", done.revoked_again.len());
    for key in &done.revoked_again {
        println!("  {key}");
    }
    if done.restored {
        tracing::warn!(
            "the store writes again. All else that happened after the backup is gone: entries of its ledger (compare it with the \
             last checkpoint that was seen of it), revocations of API tokens (revoke them again), and rotations (a key that was \
             superseded since is active again: revoke it, or rotate it again)"
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn move_keys(at: &Data) -> anyhow::Result<ExitCode> {
    let data = at.open().await?;
    data.release()?;
    let done = rewrap::rewrap(&server::rewrap_ports(&data.store, &data.custody)).await?;
    println!("moved              {}", done.moved);
    println!("already current    {}", done.current);
    println!("changed meanwhile  {}", done.changed_meanwhile);
    println!("refused            {}", done.refused.len());
    for key in &done.refused {
        println!("  {key}: its record failed its integrity check and was left as it is");
    }
    for org in &done.refused_secrets {
        println!(
            "  {org}: what it handed over to be used at a cloud does not open; it saves its settings again"
        );
    }
    if done.changed_meanwhile == 0 && done.refused.is_empty() && done.refused_secrets.is_empty() {
        tracing::info!(
            "every key is under the current key-encryption key: the previous one can be forgotten"
        );
        return Ok(ExitCode::SUCCESS);
    }
    if done.changed_meanwhile > 0 {
        tracing::warn!("keys changed while they were being moved: run `postq-vault rewrap` again");
    }
    Ok(ExitCode::FAILURE)
}

fn warn_of_new_kek(data: &DataDir) {
    if let Some(file) = &data.new_kek {
        tracing::warn!(
            file = %file.display(),
            "a new key-encryption key was made beside the data it protects. This is the embedded default, for trying the \
             vault out: whoever copies this directory has every key. Elsewhere, set POSTQ_SIGNING_KEK"
        );
    }
}

async fn warn_of_missing_clouds(data: &DataDir, custody: &Arc<Custody>) {
    match reconcile_keys::missing_clouds(&server::reconcile_ports(&data.store, custody)).await {
        Ok(missing) => {
            for cloud in missing {
                tracing::error!(
                    "settings name an account of {cloud}, which this build does not have: keys that rest on it do not sign, and what \
                     ended keys left there is not deleted. Start a build that has it (`postq-vault version` tells)"
                );
            }
        }
        Err(error) => {
            tracing::error!(%error, "whether settings name clouds that this build does not have is not known");
        }
    }
}

fn org_ports(data: &DataDir) -> create_org::Ports {
    create_org::Ports { custody: data.custody.clone(), writes: data.store.clone() }
}

async fn stop_signal() {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        // Without a handler there is nothing to wait for but the other signal.
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}

async fn overdue(stopped: tokio::sync::oneshot::Receiver<()>) {
    match stopped.await {
        Ok(()) => tokio::time::sleep(GRACE).await,
        Err(_) => std::future::pending().await,
    }
}

/// To standard error: for people on a terminal, else JSON lines. `RUST_LOG` chooses. A log that cannot be written (a full disk, a
/// closed pipe) is no reason to stop, and telling of it on that very log would panic.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.with_target(false).init();
    } else {
        log.json().flatten_event(true).with_current_span(false).init();
    }
}

const BOOTSTRAP_VARIABLE: &str = "POSTQ_BOOTSTRAP_TOKEN";

/// How long requests under way may take once the server was asked to stop.
const GRACE: Duration = Duration::from_secs(20);
