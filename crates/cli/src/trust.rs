//! What this person pinned: `~/.postq/trust.json`, or a file that is named.

use std::path::Path;

use anyhow::Context;
use ledger::{Anchored, Pins};

use crate::{Outcome, args::TrustFile, config, output};

const FILE: &str = "trust.json";

/// The pins of a file that was named, or one's own.
pub(crate) fn load(named: &TrustFile) -> anyhow::Result<Pins> {
    match &named.trust {
        Some(path) => {
            let bytes =
                std::fs::read(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
            parse(path, &bytes)
        }
        None => own(),
    }
}

/// One's own pins; none, before the first.
pub(crate) fn own() -> anyhow::Result<Pins> {
    let path = config::folder()?.join(FILE);
    match std::fs::read(&path) {
        Ok(bytes) => parse(&path, &bytes),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(Pins::default()),
        Err(why) => Err(why).with_context(|| format!("`{}` cannot be read", path.display())),
    }
}

/// Keeps one's own pins.
pub(crate) fn save(pins: &Pins) -> anyhow::Result<()> {
    config::save_private(FILE, &serde_json::to_vec_pretty(pins)?)?;
    Ok(())
}

fn parse(path: &Path, bytes: &[u8]) -> anyhow::Result<Pins> {
    serde_json::from_slice(bytes).with_context(|| format!("`{}` is no file of pins", path.display()))
}

/// What evidence that fits is worth: good where what it needs is pinned, and else only consistent.
pub(crate) fn judge(
    anchored: Anchored,
    signer_needed: bool,
    signer: &str,
    org: &str,
    ledger: &str,
) -> Outcome {
    let mut missing = Vec::new();
    // It stands in a command that somebody will copy.
    let org = if org.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') { org } else { "ORG" };
    if signer_needed && !anchored.signer {
        missing.push(format!("postq trust add signer {signer}"));
    }
    if !anchored.ledger {
        missing.push(format!("postq trust add ledger {org} {ledger}"));
    }
    if missing.is_empty() {
        return Outcome::Done;
    }
    anstream::eprintln!("{}, but by keys you have not pinned", output::doubtful("consistent"));
    anstream::eprintln!("once you know another way that they are the right ones:");
    for command in missing {
        anstream::eprintln!("  {command}");
    }
    Outcome::DoesNotVerify
}
