//! `postq receipt`: evidence for a signature, fetched once and checked anywhere.

use std::path::Path;

use anstream::eprintln;
use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use client::Client;
use ledger::{Consistency, Document, Json, Pins, Receipt, Revocation, Signed, without_envelope};
use serde_json::{Value, json};

use super::Vault;
use crate::{
    Outcome,
    args::{self, Evidence},
    message::{self, Digests},
    output::{self, File, Output, shown},
    trust,
};

pub(crate) fn run(command: args::Receipt, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    match command {
        args::Receipt::Get { event, sig, out } => {
            let signature = message::read_signature(&sig)?;
            let file = out.as_deref().map(File::prepare).transpose()?;
            let receipt = fetch(&vault.client()?, &event, &signature, None)?;
            match file {
                Some(file) => file.write(receipt.as_bytes())?,
                None => output::raw(receipt.as_bytes())?,
            }
            Ok(Outcome::Done)
        }
        args::Receipt::Verify { file, input, sig, evidence } => {
            message::check_stdin(&[Some(&file), input.as_deref(), sig.as_deref()])?;
            check(&file, input.as_deref(), sig.as_deref(), &evidence, output)
        }
    }
}

/// Fetches the evidence, puts the signature in, and checks that all of it fits: a receipt that does not is of no use to
/// whoever gets it.
pub(crate) fn fetch(
    client: &Client,
    event: &str,
    signature: &[u8],
    digests: Option<&Digests>,
) -> anyhow::Result<String> {
    let mut receipt = parse(client.get(&["v1", "receipts", event], &[])?)?;
    receipt.signature_base64 = Some(STANDARD.encode(signature));
    receipt
        .check(signed(digests), &Pins::default(), None)
        .with_context(|| format!("the evidence for {event} does not fit this signature"))?;
    Ok(format!("{}\n", serde_json::to_string(&receipt)?))
}

/// Verifies a receipt's file.
pub(crate) fn check(
    file: &Path,
    input: Option<&Path>,
    sig: Option<&Path>,
    evidence: &Evidence,
    output: Output,
) -> anyhow::Result<Outcome> {
    let bytes = message::read(file)?;
    let named = || format!("`{}` is no receipt", file.display());
    let document: Json = serde_json::from_slice(&bytes).with_context(named)?;
    let mut receipt = Receipt::from_json(without_envelope(document)).with_context(named)?;
    if let Some(sig) = sig {
        receipt.signature_base64 = Some(STANDARD.encode(message::read_signature(sig)?));
    }
    let pins = trust::load(&evidence.trust)?;
    let consistency = evidence.consistency.as_deref().map(consistency).transpose()?;
    let digests = match input {
        Some(input) => Some(message::hash(input, algorithm(&receipt)?)?),
        None => None,
    };
    let found = match receipt.check(signed(digests.as_ref()), &pins, consistency.as_ref()) {
        Ok(found) => found,
        Err(why) => {
            if output.json {
                output.value("", &json!({"ok": false, "reason": why.to_string()}))?;
            }
            eprintln!("{}: {why}", output::bad("the receipt does not hold"));
            return Ok(Outcome::DoesNotVerify);
        }
    };
    let mut json = serde_json::to_value(found.to_json())?;
    json["ok"] = true.into();
    let said = |name: &str| shown(&json[name]);
    let facts = [
        ("signed by", format!("{} of {}", said("keyId"), said("org"))),
        ("algorithm", said("algorithm")),
        ("fingerprint", said("fingerprint")),
        ("digest", format!("{} {}", said("phAlg"), said("ph"))),
        ("logged", format!("{}, entry {}", said("issuedAt"), said("seq"))),
        ("revocation", said("revocation")),
        ("ledger", said("ledgerFingerprint")),
    ];
    output.facts(&facts, &json)?;
    if !found.message_checked {
        eprintln!("no file was given: the signature is over the digest above, whatever that is of");
    }
    if found.revocation == Revocation::LoggedAfter && !evidence.accept_unlogged {
        eprintln!("{}: a vault signs with no revoked key,", output::bad("logged after the revocation"));
        eprintln!("so whoever stole the key may have made it. --accept-unlogged takes it all the same");
        return Ok(Outcome::DoesNotVerify);
    }
    let outcome =
        trust::judge(found.anchored, true, &said("fingerprint"), &found.org, &said("ledgerFingerprint"));
    let has_seen = pins.ledgers.iter().any(|pin| pin.org == found.org && pin.checkpoint.is_some());
    if has_seen && found.anchored.checkpoint.is_none() {
        eprintln!(
            "whether this ledger continues the checkpoint that you pinned is not shown: see --consistency"
        );
    }
    if matches!(outcome, Outcome::Done) {
        eprintln!("{}", output::good("the receipt holds, by keys that you pinned"));
    }
    Ok(outcome)
}

/// The algorithm of the key that the receipt says signed; whether it did is for the check to find.
fn algorithm(receipt: &Receipt) -> anyhow::Result<composite::Algorithm> {
    let key = receipt.keys.iter().find(|key| key.id == receipt.key_id);
    match key.map(|key| composite::PublicKey::from_json(&key.public_key)) {
        Some(Ok(key)) => Ok(key.algorithm()),
        _ => bail!("the receipt does not have the key that signed"),
    }
}

fn consistency(file: &Path) -> anyhow::Result<Consistency> {
    let named = || format!("`{}` is no consistency proof", file.display());
    let document: Json = serde_json::from_slice(&message::read(file)?).with_context(named)?;
    Consistency::from_json(without_envelope(document)).with_context(named)
}

fn signed(digests: Option<&Digests>) -> Signed<'_> {
    digests.map_or(Signed::Unknown, |digests| Signed::Digests {
        prehash: digests.prehash.as_bytes(),
        payload: Some((&digests.sha256, digests.size)),
    })
}

fn parse(document: Value) -> anyhow::Result<Receipt> {
    Ok(serde_json::from_value(document)?)
}
