//! The stages of a test run, each with its minutes.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use xshell::{Shell, cmd};

use crate::{
    cloud, infra, npm, package, reproducible,
    setup::{self, Wasm},
};

/// Sets up what is missing and passes every check and test. `long` runs every count at its full size.
pub(crate) fn test(sh: &Shell, long: bool) -> anyhow::Result<()> {
    let mut stages = Stages::default();
    let mut wasm = Wasm::Rustup;
    stages.run("set-up", || {
        setup::c_compiler(sh)?;
        setup::python(sh)?;
        setup::dynoxide(sh)?;
        setup::node(sh)?;
        setup::chromium(sh)?;
        setup::shown_commands(sh)?;
        wasm = setup::wasm(sh)?;
        // Every platform's crates, which what reads the lock file as a whole wants to see.
        cmd!(sh, "cargo fetch --locked --quiet").run()?;
        npm::install(sh)
    })?;
    stages.run("infrastructure", || infra::check(sh))?;
    stages.run("format", || Ok(cmd!(sh, "cargo fmt --all --check").run()?))?;
    stages.run("lints", || {
        cmd!(sh, "cargo clippy {EVERYTHING...} --all-targets -- -D warnings").run()?;
        // They are no part of a build of all targets.
        Ok(cmd!(sh, "cargo clippy {EVERYTHING...} {BENCHES...} -- -D warnings").run()?)
    })?;
    stages.run("JavaScript packages", || {
        npm::packages(sh, &wasm)?;
        npm::check(sh)
    })?;
    stages.run("binaries", || binaries(sh))?;
    stages.run("JavaScript tests", || npm::test(sh))?;
    let rounds = if long { "long" } else { "short" };
    stages.run("tests", || {
        Ok(cmd!(sh, "cargo test {EVERYTHING...}").env("POSTQ_TEST_ROUNDS", rounds).run()?)
    })?;
    stages.run("portable engines", || portable_engines(sh, rounds))?;
    stages.run("Lambdas", || lambdas(sh))?;
    stages.run("deployment", || deployment(sh, rounds))?;
    if long {
        stages.run("reproducible builds", || reproducible::check(sh))?;
        stages.run("licences and bans", || {
            let cargo_deny = setup::cargo_deny(sh)?;
            Ok(cmd!(sh, "{cargo_deny} --offline --locked check bans licenses sources").run()?)
        })?;
    }
    stages.summary();
    Ok(())
}

/// The stage "deployment" with what it needs of those before it.
pub(crate) fn test_cloud(sh: &Shell) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    npm::build(sh)?;
    binaries(sh)?;
    lambdas(sh)?;
    deployment(sh, "short")
}

/// The tests, and what they run as processes.
fn binaries(sh: &Shell) -> anyhow::Result<()> {
    Ok(cmd!(sh, "cargo build {EVERYTHING...} --bins --tests").run()?)
}

/// What depends on the engines, with those that are built where AWS-LC is not.
fn portable_engines(sh: &Shell, rounds: &str) -> anyhow::Result<()> {
    let _rounds = sh.push_env("POSTQ_TEST_ROUNDS", rounds);
    cmd!(sh, "cargo test {EVERYTHING...} --no-default-features --test all -- {OF_ENGINES...}").run()?;
    Ok(cmd!(sh, "cargo test --locked -p composite").run()?)
}

/// The packages that the deployment deploys.
fn lambdas(sh: &Shell) -> anyhow::Result<()> {
    package::run(sh, &package::Args::of_this_machine())
}

/// A deployment in an emulated account of its own, what is tested over it, and its end.
fn deployment(sh: &Shell, rounds: &str) -> anyhow::Result<()> {
    cloud::check(sh, |description| cloud_tests(sh, description, rounds))
}

/// What is asked of a server over HTTP, asked of a deployment; then what only a deployment can show.
fn cloud_tests(sh: &Shell, description: &Path, rounds: &str) -> anyhow::Result<()> {
    let _where = sh.push_env("POSTQ_TEST_CLOUD", description);
    let _rounds = sh.push_env("POSTQ_TEST_ROUNDS", rounds);
    let there = cmd!(sh, "cargo test {EVERYTHING...} --test all -- --list --format terse").read()?;
    for name in OVER_HTTP.iter().chain(NOT_DEPLOYED.iter().map(|(test, _)| test)) {
        ensure!(there.contains(name), "no test is called `{name}` any more: xtask/src/stages.rs names it");
    }
    let skipped = NOT_DEPLOYED.iter().flat_map(|(test, _)| ["--skip", test]);
    cmd!(sh, "cargo test {EVERYTHING...} --test all -- {OVER_HTTP...} {skipped...}").run()?;
    npm::test_deployed(sh)?;
    cmd!(sh, "cargo test {EVERYTHING...} --test all -- deployed_ --ignored --test-threads 1").run()?;
    Ok(())
}

/// Measurements that cargo leaves alone unless they are named.
const BENCHES: [&str; 8] =
    ["--bench", "ledger", "--bench", "server", "--bench", "aws", "--bench", "cold_start"];

/// What cargo checks, builds and tests: the same packages each time, and so the same features, so that each crate is
/// built once, but for the stage "portable engines", which leaves AWS-LC out.
const EVERYTHING: [&str; 2] = ["--locked", "--workspace"];

/// The suites that hold the engines: vectors, differences between engines, broken bits, forgeries, faults. All are in one process.
const OF_ENGINES: [&str; 6] =
    ["faults::", "forgery::", "ml_dsa_engines::", "own_ledger::", "vectors::", "wrong_bits::"];

/// The suites whose tests ask a server over HTTP, or a router as one is asked.
const OVER_HTTP: [&str; 9] = [
    "cli_transcripts",
    "idempotency",
    "internal_statements",
    "key_life",
    "ledger_documents",
    "postq_sdk",
    "refusals",
    "revocation_races",
    "round_trips",
];

/// Those of their tests that a deployment is no bed for, and why.
const NOT_DEPLOYED: [(&str, &str); 12] = [
    ("a_call_at_the_same_time", "it writes into the store's file"),
    ("an_answer_with_a_secret", "it reads the store's file"),
    ("a_revoked_keys_answer", "it writes into the store's file"),
    ("a_503_after_the_commit", "it stands in the store's way in its own process"),
    ("a_successor_inherits", "it writes into the store's file"),
    ("a_tombstone_outweighs", "it writes into the store's file"),
    ("a_token_without_the_scope", "it writes into the store's file"),
    ("nor_over_dynamodb", "it has tables of its own"),
    ("foreign_unknown_and_malformed", "it reads the store's file"),
    (
        "browsers_may_call",
        "it starts servers with origins of their own, and the emulated gateway refuses every preflight",
    ),
    (
        "what_a_rotation_names",
        "a deployment has AWS, and says what its settings lack instead of that it has none",
    ),
    (
        "transcripts_of_keys",
        "the emulated gateway decodes `%2F` in an id before it looks for a route, and finds none",
    ),
];

/// The custody suite against AWS KMS itself. It costs what five keys cost until they are deleted.
pub(crate) fn live_aws(sh: &Shell) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    Ok(cmd!(sh, "cargo run --locked -p custody-aws --example live").run()?)
}

/// The custody suite against Azure Key Vault itself. It costs some thousands of calls, and leaves one deleted key.
pub(crate) fn live_azure(sh: &Shell) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    Ok(cmd!(sh, "cargo run --locked -p custody-azure --example live").run()?)
}

/// The custody suite against Google Cloud KMS itself. It costs some thousands of calls, and leaves a few keys whose versions are destroyed.
pub(crate) fn live_gcp(sh: &Shell) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    Ok(cmd!(sh, "cargo run --locked -p custody-gcp --example live").run()?)
}

/// Writes docs/openapi.json from the types.
pub(crate) fn openapi(sh: &Shell) -> anyhow::Result<()> {
    Ok(cmd!(sh, "cargo test --locked -p tests openapi").env("POSTQ_WRITE_SNAPSHOTS", "1").run()?)
}

#[derive(Default)]
struct Stages {
    done: Vec<(&'static str, Duration)>,
}

impl Stages {
    fn run(&mut self, name: &'static str, stage: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
        println!("== {name}");
        let begun = Instant::now();
        stage()?;
        self.done.push((name, begun.elapsed()));
        Ok(())
    }

    fn summary(&self) {
        println!("== minutes per stage");
        for (name, took) in &self.done {
            println!("{:>6.1}  {name}", took.as_secs_f64() / 60.0);
        }
        let total: Duration = self.done.iter().map(|(_, took)| *took).sum();
        println!("{:>6.1}  in all", total.as_secs_f64() / 60.0);
    }
}
