//! Builds the embedded vault and serves it.

use std::{net::TcpListener, os::unix::process::CommandExt, process::Command};

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::{npm, setup};

/// Where to serve what.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8787")]
    listen: String,
    /// The data directory
    #[arg(long, default_value = "data")]
    data: String,
    /// Do not build the dashboard, which takes Node; what was built before stays in
    #[arg(long)]
    no_dashboard: bool,
}

/// Becomes the server, so that Ctrl-C reaches it.
pub(crate) fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    // Before the build rather than after it.
    TcpListener::bind(&args.listen)
        .with_context(|| format!("nothing can listen at {}; choose another with --listen", args.listen))?;
    setup::c_compiler(sh)?;
    if !args.no_dashboard {
        npm::build_if_stale(sh)
            .context("the dashboard could not be built; `cargo xtask up --no-dashboard` does without it")?;
    }
    println!("building the embedded vault; the first time takes a few minutes");
    cmd!(sh, "cargo build --locked -p server").quiet().run()?;
    println!("serving; Ctrl-C stops it, and its data stays in `{}`", args.data);
    let failed = Command::new("cargo")
        .current_dir(sh.current_dir())
        .args(["run", "--locked", "--quiet", "-p", "server", "--bin", "postq-vault", "--"])
        .args(["serve", "--data", &args.data, "--listen", &args.listen])
        .exec();
    Err(failed.into())
}
