//! Measurements. They are read, never asserted: the machine is shared.

use std::path::Path;

use xshell::{Shell, cmd};

use crate::{npm, package, setup};

/// Composite signing and verification beside other libraries, in one run.
pub(crate) fn composite(sh: &Shell) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    Ok(cmd!(sh, "cargo bench --locked -p benches --bench composite").run()?)
}

/// The ledger from a thousand entries to a million.
pub(crate) fn ledger(sh: &Shell) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    Ok(cmd!(sh, "cargo bench --locked -p benches --bench ledger").run()?)
}

/// The verifier's npm package in Node and in a browser, beside other libraries.
pub(crate) fn verifier(sh: &Shell) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    setup::chromium(sh)?;
    npm::build(sh)?;
    let pages = sh.current_dir().join("target/bench-pages.jsonl");
    println!("making a ledger of 100,000 entries");
    cmd!(sh, "cargo bench --locked -p benches --bench ledger").env("POSTQ_BENCH_PAGES", &pages).run()?;
    Ok(cmd!(sh, "node tests/npm/bench.js {pages}").run()?)
}

/// Signatures at a distance from KMS and from DynamoDB, both emulated.
pub(crate) fn aws(sh: &Shell) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    setup::python(sh)?;
    setup::dynoxide(sh)?;
    Ok(cmd!(sh, "cargo bench --locked -p benches --bench aws").run()?)
}

/// The server under load over loopback, by turns with another build of it where one is named.
pub(crate) fn server(sh: &Shell, beside: Option<&Path>) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    setup::wrk(sh)?;
    cmd!(sh, "cargo build --locked --release -p server").run()?;
    let beside = beside.map(std::path::absolute).transpose()?.unwrap_or_default();
    Ok(cmd!(sh, "cargo bench --locked -p benches --bench server").env("POSTQ_BENCH_BESIDE", beside).run()?)
}

/// The packaged Lambda that signs, as it starts, beside the least that a Lambda is and one in Node.
pub(crate) fn cold_start(sh: &Shell) -> anyhow::Result<()> {
    setup::dynoxide(sh)?;
    setup::node(sh)?;
    npm::install(sh)?;
    let here = package::Args::of_this_machine();
    package::run(sh, &here)?;
    package::minimal(sh, &here)?;
    let built = sh.current_dir().join("target/lambda").join(here.architecture());
    cmd!(
        sh,
        "npx esbuild tests/npm/bench-lambda.js --bundle --minify --platform=node --target=node20
         --outfile=target/bench-lambda.cjs"
    )
    .run()?;
    let measure = cmd!(sh, "cargo bench --locked --profile dev -p benches --bench cold_start");
    Ok(measure.env("POSTQ_BENCH_LAMBDAS", built).run()?)
}

/// The dashboard's key list and timeline, from click to paint, over a large organisation.
pub(crate) fn dashboard(sh: &Shell) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    setup::chromium(sh)?;
    npm::build_if_stale(sh)?;
    cmd!(sh, "cargo build --locked --release -p server").run()?;
    Ok(cmd!(sh, "node tests/browser/bench.js").run()?)
}
