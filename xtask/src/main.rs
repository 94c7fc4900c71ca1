//! `cargo xtask …`: everything a person or CI does has a name here.
#![expect(clippy::print_stdout, reason = "a command that tells what it does")]

mod bench;
mod cloud;
mod flags;
mod infra;
mod npm;
mod package;
mod reproducible;
mod sbom;
mod setup;
mod stages;
mod up;

use std::path::Path;

use anyhow::Context;
use clap::{Parser, Subcommand};
use xshell::Shell;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "What a person or CI does with PostQ Vault")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set up what is missing, build the embedded vault and serve it until Ctrl-C
    Up(up::Args),
    /// Set up what is missing and pass every check and test
    Test,
    /// The same with every count at its full size
    TestLong,
    /// Try AWS KMS itself, in an account that the environment names
    TestLiveAws,
    /// Try Azure Key Vault itself, in a vault that the environment names
    TestLiveAzure,
    /// Try Google Cloud KMS itself, in a project that the environment names
    TestLiveGcp,
    /// Measure composite signing and verification beside other libraries
    Bench,
    /// Measure placing, sealing, proving and checking in a ledger of up to a million entries
    BenchLedger,
    /// Measure requests a second and their latency over loopback, and the first signature of a process
    BenchServer {
        /// Another build of `postq-vault`, measured by turns in the same run
        #[arg(long, value_name = "PROGRAM")]
        beside: Option<std::path::PathBuf>,
    },
    /// Measure signatures at a distance from KMS and DynamoDB
    BenchAws,
    /// Measure how the packaged Lambdas start
    BenchColdStart,
    /// Measure the verifier's package in Node and in a browser beside other libraries
    BenchVerifier,
    /// Measure the dashboard in a browser, over an organisation of 10,000 keys and 100,000 events
    BenchDashboard,
    /// Build the JavaScript packages and the dashboard
    Npm,
    /// Take the pictures of the dashboard that the documents show
    Screenshots,
    /// Build the verifier's module and the Lambdas twice from clean and compare the bytes
    Reproducible,
    /// Write docs/openapi.json anew
    Openapi,
    /// Build and pack every Lambda
    Package(package::Args),
    /// Apply the Terraform to an emulated account, pass the tests over that deployment, and destroy it
    TestCloud,
    /// Apply the Terraform to an emulated AWS account on this machine, with the packaged Lambdas
    CloudUp(cloud::Args),
    /// End the emulated account and all that is in it
    CloudDown,
    /// Check the Terraform: its form, that it is valid, and what its plans come to
    Infra,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in the workspace")?;
    let sh = Shell::new()?;
    sh.change_dir(root);
    match cli.command {
        Command::Up(args) => up::run(&sh, &args),
        Command::Test => stages::test(&sh, false),
        Command::TestLong => stages::test(&sh, true),
        Command::TestLiveAws => stages::live_aws(&sh),
        Command::TestLiveAzure => stages::live_azure(&sh),
        Command::TestLiveGcp => stages::live_gcp(&sh),
        Command::Bench => bench::composite(&sh),
        Command::BenchLedger => bench::ledger(&sh),
        Command::BenchServer { beside } => bench::server(&sh, beside.as_deref()),
        Command::BenchAws => bench::aws(&sh),
        Command::BenchColdStart => bench::cold_start(&sh),
        Command::BenchVerifier => bench::verifier(&sh),
        Command::BenchDashboard => bench::dashboard(&sh),
        Command::Npm => npm::build(&sh),
        Command::Screenshots => npm::screenshots(&sh),
        Command::Reproducible => reproducible::check(&sh),
        Command::Openapi => stages::openapi(&sh),
        Command::Package(args) => package::run(&sh, &args),
        Command::TestCloud => stages::test_cloud(&sh),
        Command::CloudUp(args) => cloud::up(&sh, &args),
        Command::CloudDown => cloud::down(&sh),
        Command::Infra => infra::check(&sh),
    }
}
