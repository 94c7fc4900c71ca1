//! `postq sign`: a file is hashed here, and its digest signed by the vault.

use anstream::eprintln;
use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use client::Client;
use composite::{Algorithm, MessageRepresentative, PublicKey, Signature, verify};
use ledger::Receipt;
use serde_json::{Value, json};

use super::{Vault, receipt};
use crate::{
    Outcome,
    args::Sign,
    message::{self, Digests},
    output::{File, Output, shown},
};

pub(crate) fn run(command: &Sign, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    let client = vault.client()?;
    let algorithm = algorithm(&client, &command.key, command.algorithm.as_deref())?;
    let context = message::context(&command.context)?;
    let digests = message::hash(&command.input, algorithm)?;
    let mut body = json!({"keyId": command.key, "prehash": STANDARD.encode(digests.prehash.as_bytes())});
    if !context.is_empty() {
        body["context"] = STANDARD.encode(&context).into();
    }
    if command.follow_successor {
        body["followSuccessor"] = true.into();
    }
    let out = command.out.as_deref().map(File::prepare).transpose()?;
    let receipt = command.receipt.as_deref().map(File::prepare).transpose()?;
    let signed = client.post(&["v1", "sign"], &body)?;
    let signature = check(&signed, context, &digests)?;
    let text = format!("{}\n", STANDARD.encode(&signature));
    eprintln!("signed by {}, event {}", shown(&signed["keyId"]), shown(&signed["eventId"]));
    match out {
        Some(out) => {
            out.write(text.as_bytes())?;
            if output.json {
                output.value("", &signed)?;
            }
        }
        None => output.value(text.trim_end(), &signed)?,
    }
    if let Some(file) = receipt {
        let event = shown(&signed["eventId"]);
        let fetched = receipt::fetch(&client, &event, &signature, Some(&digests));
        let document = fetched.inspect_err(|_| {
            eprintln!("it is signed; its receipt can be had later: postq receipt get {event} --sig FILE");
        })?;
        let found: Receipt = serde_json::from_str(&document)?;
        if hex::encode(found.issued.entry.payload.derive_event_digest()) != shown(&signed["eventDigest"]) {
            bail!(
                "the ledger does not show the signature as the vault told of it; keep the signature, and ask"
            );
        }
        file.write(document.as_bytes())?;
    }
    Ok(Outcome::Done)
}

/// A key's algorithm: as it was said, or as the vault says.
pub(crate) fn algorithm(client: &Client, key: &str, said: Option<&str>) -> anyhow::Result<Algorithm> {
    if let Some(said) = said {
        return Ok(said.parse()?);
    }
    let found = match client.get(&["v1", "hybrid-keys", key], &[]) {
        Err(client::Error::Refused { code, .. }) if code == "missing_scope" => {
            bail!("this token may not read keys: give the key's algorithm by --algorithm")
        }
        answer => answer?,
    };
    shown(&found["algorithm"]).parse().context("the vault named an algorithm that is not known here")
}

/// What leaves the vault is verified before it is written: a signature that does not hold helps nobody.
fn check(signed: &Value, context: Vec<u8>, digests: &Digests) -> anyhow::Result<Vec<u8>> {
    let key = PublicKey::from_json(&shown(&signed["publicKey"])).context("the vault sent no public key")?;
    let bytes = STANDARD.decode(shown(&signed["signature"])).context("the vault sent no signature")?;
    let signature = Signature::from_bytes(key.algorithm(), &bytes)?;
    let context = composite::Context::new(context)?;
    let message = MessageRepresentative::derive(key.algorithm(), &context, &digests.prehash);
    if !verify(&key, &message, &signature).ok() {
        bail!("the vault sent a signature that does not verify; nothing was written");
    }
    Ok(bytes)
}
