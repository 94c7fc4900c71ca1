//! The stages of a test run, each with its minutes.

use std::time::{Duration, Instant};

use xshell::{Shell, cmd};

use crate::{
    infra, npm,
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
        wasm = setup::wasm(sh)?;
        // Every platform's crates, which what reads the lock file as a whole wants to see.
        cmd!(sh, "cargo fetch --locked --quiet").run()?;
        npm::install(sh)
    })?;
    stages.run("infrastructure", || infra::check(sh))?;
    stages.run("format", || Ok(cmd!(sh, "cargo fmt --all --check").run()?))?;
    stages.run("lints", || {
        Ok(cmd!(
            sh,
            "cargo clippy --locked --workspace --all-targets --bench ledger --bench server --bench aws -- -D warnings"
        )
        .run()?)
    })?;
    stages.run("JavaScript packages", || npm::packages(sh, &wasm))?;
    stages.run("binaries", || {
        Ok(cmd!(sh, "cargo build --locked -p server -p functions -p cli --features server/aws --bins")
            .run()?)
    })?;
    stages.run("JavaScript tests", || npm::test(sh))?;
    stages.run("tests", || {
        let rounds = if long { "long" } else { "short" };
        let tests =
            cmd!(sh, "cargo test --locked --workspace --exclude benches").env("POSTQ_TEST_ROUNDS", rounds);
        Ok(tests.run()?)
    })?;
    if long {
        stages.run("reproducible module", || npm::reproducible(sh))?;
        stages.run("licences and bans", || {
            let cargo_deny = setup::cargo_deny(sh)?;
            Ok(cmd!(sh, "{cargo_deny} --offline --locked check bans licenses sources").run()?)
        })?;
    }
    stages.summary();
    Ok(())
}

/// The custody suite against AWS KMS itself. It costs what five keys cost until they are deleted.
pub(crate) fn live_aws(sh: &Shell) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    Ok(cmd!(sh, "cargo run --locked -p custody-aws --example live").run()?)
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
