//! The compiler's flags under which the same sources give the same bytes, wherever they lie.

use std::path::Path;

use anyhow::Context;
use xshell::{Shell, cmd};

/// Paths stand in panic messages, and this machine's are nobody's business.
pub(crate) fn without_paths(sh: &Shell, rustc: &Path) -> anyhow::Result<Vec<String>> {
    let home = cargo_home(sh)?;
    let sysroot = cmd!(sh, "{rustc} --print sysroot").quiet().read()?;
    let version = cmd!(sh, "{rustc} -vV").quiet().read()?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let commit = commit.context("`rustc -vV` names no commit")?;
    Ok(vec![
        format!("--remap-path-prefix={home}=cargo"),
        format!("--remap-path-prefix={}=postq-vault", sh.current_dir().display()),
        // Where the standard library's sources are installed, they are named by their place; elsewhere, like this.
        format!("--remap-path-prefix={sysroot}/lib/rustlib/src/rust=/rustc/{commit}"),
    ])
}

/// Where cargo keeps the sources of other people's crates.
pub(crate) fn cargo_home(sh: &Shell) -> anyhow::Result<String> {
    match sh.var("CARGO_HOME") {
        Ok(home) => Ok(home),
        Err(_) => Ok(format!("{}/.cargo", sh.var("HOME").context("neither CARGO_HOME nor HOME is set")?)),
    }
}

/// As cargo takes them.
pub(crate) fn encoded(flags: &[String]) -> String {
    flags.join("\u{1f}")
}
