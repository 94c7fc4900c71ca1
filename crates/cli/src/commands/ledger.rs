//! `postq ledger`: the audit ledger, read from the vault or verified from files.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Write},
    path::Path,
};

use anstream::eprintln;
use anyhow::{Context, bail};
use client::Client;
use ledger::{
    Bundle, BundleError, BundleVerifier, CheckpointPin, Document, InclusionProof, Json, LedgerPin, Pins,
    without_envelope,
};
use serde_json::{Value, json};

use super::{Vault, all};
use crate::{
    Outcome, args,
    args::TrustFile,
    output::{self, Output, shown},
    trust,
};

/// How many entries a page of a bundle has; it ends at 4 MiB in any case.
const PAGE: &str = "5000";

pub(crate) fn run(command: args::Ledger, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    match command {
        args::Ledger::Entries { newest, since, event_type, subject, limit } => {
            let since = since.map(|since| since.to_string());
            let mut query = Vec::new();
            for (name, value) in [("since", &since), ("eventType", &event_type), ("subjectId", &subject)] {
                if let Some(value) = value {
                    query.push((name, value.as_str()));
                }
            }
            if newest {
                query.push(("order", "newest"));
            }
            let entries = all(&vault.client()?, &["v1", "ledger", "entries"], &query, &limit)?;
            output.rows(&["seq", "createdAt", "eventType", "subjectId", "actorId", "id"], &entries)?;
            Ok(Outcome::Done)
        }
        args::Ledger::Seal => {
            let sealed = vault.client()?.post(&["v1", "ledger", "seal"], &json!({}))?;
            let facts = [
                ("entries", shown(&sealed["treeSize"])),
                ("root", shown(&sealed["merkleRootHex"])),
                ("sealed", shown(&sealed["createdAt"])),
            ];
            output.facts(&facts, &sealed)?;
            Ok(Outcome::Done)
        }
        args::Ledger::Proof { event } => {
            let proof = vault.client()?.get(&["v1", "ledger", "proof", &event], &[])?;
            let checked: InclusionProof =
                serde_json::from_value(proof.clone()).context("what the vault sent is no proof")?;
            output::line(&proof.to_string())?;
            if let Err(why) = checked.check() {
                eprintln!("{}: {why}", output::bad("the proof does not hold"));
                return Ok(Outcome::DoesNotVerify);
            }
            if proof["entryId"] != event {
                eprintln!("{}: it is of another event", output::bad("the proof does not hold"));
                return Ok(Outcome::DoesNotVerify);
            }
            Ok(Outcome::Done)
        }
        args::Ledger::Consistency { from, to } => {
            let (from, to) = (from.to_string(), to.to_string());
            let proof = vault
                .client()?
                .get(&["v1", "ledger", "consistency"], &[("from", from.as_str()), ("to", to.as_str())])?;
            output::line(&proof.to_string())?;
            Ok(Outcome::Done)
        }
        args::Ledger::Bundle { out, since } => {
            let client = vault.client()?;
            match &out {
                Some(path) => {
                    let file = File::create(path);
                    let file = file.with_context(|| format!("`{}` cannot be written", path.display()))?;
                    fetch(&client, since, &mut BufWriter::new(file))?;
                }
                None => fetch(&client, since, &mut std::io::stdout().lock())?,
            }
            Ok(Outcome::Done)
        }
        args::Ledger::Verify { file, remember, partial, trust } => {
            check(file.as_deref(), Wanted { remember, partial }, &trust, vault, output)
        }
    }
}

fn fetch(client: &Client, since: u64, out: &mut dyn Write) -> anyhow::Result<()> {
    pages(client, since, |page| Ok(writeln!(out, "{page}")?))?;
    Ok(out.flush()?)
}

/// The bundle's pages, to its end.
fn pages(
    client: &Client,
    mut since: u64,
    mut each: impl FnMut(Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    loop {
        let from = since.to_string();
        let page = client.get(&["v1", "ledger", "bundle"], &[("since", &from), ("limit", PAGE)])?;
        let end = page.pointer("/range/until").and_then(Value::as_u64);
        let size = page.pointer("/range/treeSize").and_then(Value::as_u64);
        each(page)?;
        match (end, size) {
            (Some(end), Some(size)) if end + 1 < size => since = end + 1,
            _ => return Ok(()),
        }
    }
}

/// What is wanted besides a verdict.
#[derive(Clone, Copy)]
struct Wanted {
    /// The newest checkpoint as a pin.
    remember: bool,
    /// Good words for a part of the ledger.
    partial: bool,
}

fn check(
    file: Option<&Path>,
    Wanted { remember, partial }: Wanted,
    trust: &TrustFile,
    vault: &Vault,
    output: Output,
) -> anyhow::Result<Outcome> {
    if remember && trust.trust.is_some() {
        bail!("--remember keeps the checkpoint in your own pins; leave --trust out");
    }
    let pins = trust::load(trust)?;
    let mut verifier = BundleVerifier::new(pins.clone());
    let mut wrong: Option<BundleError> = None;
    let mut take = |document: Json| -> anyhow::Result<()> {
        let page = Bundle::from_json(without_envelope(document)).context("this is no bundle")?;
        if wrong.is_none() {
            wrong = verifier.page(&page).err();
        }
        Ok(())
    };
    match file {
        None => pages(&vault.client()?, 0, |page| take(serde_json::from_value(page)?))?,
        Some(path) => {
            let reader: Box<dyn Read> = if path == Path::new("-") {
                Box::new(std::io::stdin().lock())
            } else {
                Box::new(File::open(path).with_context(|| format!("`{}` cannot be read", path.display()))?)
            };
            for document in serde_json::Deserializer::from_reader(BufReader::new(reader)).into_iter::<Json>()
            {
                let named = || format!("`{}`", path.display());
                take(document.with_context(|| format!("`{}` is no bundle", path.display()))?)
                    .with_context(named)?;
            }
        }
    }
    let checked = match wrong {
        Some(wrong) => Err(wrong),
        None => verifier.finish(),
    };
    let found = match checked {
        Ok(found) => found,
        Err(why) => {
            if output.json {
                output.value("", &json!({"ok": false, "reason": why.to_string()}))?;
            }
            eprintln!("{}: {why}", output::bad("the ledger does not hold"));
            return Ok(Outcome::DoesNotVerify);
        }
    };
    let mut json = serde_json::to_value(found.to_json())?;
    json["ok"] = true.into();
    let facts = [
        ("organisation", found.org.clone()),
        ("checked", format!("{} of {} entries, from {}", found.entries, found.tree_size, found.since)),
        ("root", shown(&json["merkleRootHex"])),
        ("ledger", shown(&json["ledgerFingerprint"])),
        (
            "continues",
            found.anchored.checkpoint.map_or_else(String::new, |size| format!("checkpoint {size}")),
        ),
    ];
    output.facts(&facts, &json)?;
    let outcome = trust::judge(found.anchored, false, "", &found.org, &shown(&json["ledgerFingerprint"]));
    if matches!(outcome, Outcome::DoesNotVerify) {
        return Ok(outcome);
    }
    if !found.complete && !partial {
        eprintln!(
            "{}: it fits, but is not all of the ledger; --partial takes it all the same",
            output::doubtful("a part")
        );
        return Ok(Outcome::DoesNotVerify);
    }
    let what = if found.complete { "the ledger holds" } else { "this part of the ledger holds" };
    eprintln!("{}, by keys that you pinned", output::good(what));
    if remember && found.complete {
        let checkpoint = CheckpointPin { tree_size: found.tree_size, root: found.root };
        trust::save(&remembered(pins, &found.org, &checkpoint))?;
        eprintln!("checkpoint {} is pinned", found.tree_size);
    } else if remember {
        eprintln!("nothing is remembered of a part");
    }
    Ok(outcome)
}

fn remembered(mut pins: Pins, org: &str, checkpoint: &CheckpointPin) -> Pins {
    for pin in pins.ledgers.iter_mut().filter(|pin: &&mut LedgerPin| pin.org == org) {
        if pin.checkpoint.as_ref().is_none_or(|old| old.tree_size <= checkpoint.tree_size) {
            pin.checkpoint = Some(checkpoint.clone());
        }
    }
    pins
}
