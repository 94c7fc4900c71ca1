//! Measurements. They are read, never asserted: the machine is shared.

use xshell::{Shell, cmd};

use crate::setup;

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

/// The server under load over loopback.
pub(crate) fn server(sh: &Shell) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    setup::wrk(sh)?;
    cmd!(sh, "cargo build --locked --release -p server").run()?;
    Ok(cmd!(sh, "cargo bench --locked -p benches --bench server").run()?)
}
