//! `postq trust`: what this person pinned.

use anstream::eprintln;
use anyhow::{Context, bail};
use ledger::{CheckpointPin, LedgerPin, tree::Hash};
use serde_json::json;

use crate::{
    Outcome,
    args::{Trust, TrustAdd},
    output::Output,
    trust::{own, save},
};

pub(crate) fn run(command: Trust, output: Output) -> anyhow::Result<Outcome> {
    let mut pins = own()?;
    match command {
        Trust::Add(TrustAdd::Signer { fingerprint }) => {
            let fingerprint = digest(&fingerprint)?;
            if pins.signers.contains(&fingerprint) {
                eprintln!("it is pinned already");
            } else {
                pins.signers.push(fingerprint);
                save(&pins)?;
            }
        }
        Trust::Add(TrustAdd::Ledger { org, fingerprint, checkpoint }) => {
            if !org.starts_with("org_") {
                bail!("`{org}` is no organisation; its id begins with org_");
            }
            let checkpoint = checkpoint.as_deref().map(parse_checkpoint).transpose()?;
            let mut pin = LedgerPin { org, fingerprint: digest(&fingerprint)?, checkpoint };
            let same = |old: &LedgerPin| (&old.org, old.fingerprint) == (&pin.org, pin.fingerprint);
            let seen = pins.ledgers.iter().find(|old| same(old)).and_then(|old| old.checkpoint.clone());
            if let (Some(seen), Some(named)) = (&seen, &pin.checkpoint)
                && named.tree_size < seen.tree_size
            {
                bail!(
                    "a checkpoint of {} entries is pinned already; `postq trust remove` first",
                    seen.tree_size
                );
            }
            pins.ledgers.retain(|old| !same(old));
            pin.checkpoint = pin.checkpoint.or(seen);
            pins.ledgers.push(pin);
            save(&pins)?;
        }
        Trust::List => {
            let mut rows = Vec::new();
            for signer in &pins.signers {
                rows.push(json!({"kind": "signer", "fingerprint": hex::encode(signer)}));
            }
            for pin in &pins.ledgers {
                let size = pin.checkpoint.as_ref().map(|checkpoint| checkpoint.tree_size);
                let fingerprint = hex::encode(pin.fingerprint);
                rows.push(
                    json!({"kind": "ledger", "fingerprint": fingerprint, "org": pin.org, "checkpoint": size}),
                );
            }
            if output.json {
                output.value("", &serde_json::to_value(&pins)?)?;
            } else {
                output.rows(&["kind", "fingerprint", "org", "checkpoint"], &rows)?;
            }
        }
        Trust::Remove { fingerprint } => {
            let fingerprint = digest(&fingerprint)?;
            let before = pins.signers.len() + pins.ledgers.len();
            pins.signers.retain(|signer| *signer != fingerprint);
            pins.ledgers.retain(|pin| pin.fingerprint != fingerprint);
            if pins.signers.len() + pins.ledgers.len() == before {
                bail!("no such key is pinned");
            }
            save(&pins)?;
        }
    }
    Ok(Outcome::Done)
}

fn digest(text: &str) -> anyhow::Result<Hash> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash)
        .with_context(|| format!("`{text}` is no fingerprint: 64 characters of hex"))?;
    Ok(hash)
}

fn parse_checkpoint(text: &str) -> anyhow::Result<CheckpointPin> {
    let (size, root) = text.split_once(':').context("a checkpoint is SIZE:ROOT")?;
    let tree_size = size.parse().with_context(|| format!("`{size}` is no number of entries"))?;
    Ok(CheckpointPin { tree_size, root: digest(root)? })
}
