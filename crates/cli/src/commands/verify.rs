//! `postq verify`: by a public key or a receipt offline, by a key's id at the vault.

use std::path::Path;

use anstream::eprintln;
use anyhow::{Context, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use composite::{MessageRepresentative, PublicKey, Signature, Verdict, verify};
use serde_json::{Value, json};

use super::{Vault, receipt, sign};
use crate::{
    Outcome,
    args::{Encoding, Verify},
    message,
    output::{self, Output, shown},
};

pub(crate) fn run(command: &Verify, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    let against = &command.against;
    let receipt = against.receipt.as_deref();
    let key_file = against.public_key.as_deref().and_then(|key| key.strip_prefix('@')).map(Path::new);
    message::check_stdin(&[Some(&command.input), command.sig.as_deref(), receipt, key_file])?;
    match (&against.key, &against.public_key, &against.receipt, &command.sig) {
        (_, _, Some(receipt), sig) => {
            if command.context.context.is_some() || command.context.context_base64.is_some() {
                bail!("a receipt names the context itself; leave --context out");
            }
            if command.encoding == Encoding::Lamps {
                bail!("a receipt's signature is of fixed length; leave --encoding out");
            }
            receipt::check(receipt, Some(&command.input), sig.as_deref(), &command.evidence, output)
        }
        (_, Some(public_key), _, Some(sig)) => offline(command, public_key, sig, output),
        (Some(key), _, _, Some(sig)) => online(command, key, sig, vault, output),
        _ => bail!("--sig FILE is missing"),
    }
}

fn offline(command: &Verify, public_key: &str, sig: &Path, output: Output) -> anyhow::Result<Outcome> {
    let text = match public_key.strip_prefix('@') {
        Some(path) => String::from_utf8(message::read(Path::new(path))?)
            .with_context(|| format!("`{path}` is no public key"))?,
        None => public_key.to_owned(),
    };
    let key = PublicKey::from_json(text.trim())?;
    let context = composite::Context::new(message::context(&command.context)?)?;
    let bytes = message::read_signature(sig)?;
    let digests = message::hash(&command.input, key.algorithm())?;
    let read = match command.encoding {
        Encoding::Postq => Signature::from_bytes,
        Encoding::Lamps => Signature::from_lamps,
    };
    let message = MessageRepresentative::derive(key.algorithm(), &context, &digests.prehash);
    let (verdict, malformed) = match read(key.algorithm(), &bytes) {
        Ok(signature) => (verify(&key, &message, &signature), None),
        Err(why) => (Verdict::MALFORMED, Some(why.to_string())),
    };
    let found = json!({
        "ok": verdict.ok(),
        "classicalOk": verdict.classical_ok,
        "pqOk": verdict.pq_ok,
        "algorithm": key.algorithm(),
        "fingerprint": hex::encode(key.fingerprint()),
        "reason": malformed,
    });
    tell(&found, verdict.ok(), output)
}

fn online(command: &Verify, key: &str, sig: &Path, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    let client = vault.client()?;
    let algorithm = sign::algorithm(&client, key, command.algorithm.as_deref())?;
    let context = message::context(&command.context)?;
    let signature = message::read_signature(sig)?;
    let digests = message::hash(&command.input, algorithm)?;
    let mut body = json!({
        "keyId": key,
        "prehash": STANDARD.encode(digests.prehash.as_bytes()),
        "signature": STANDARD.encode(&signature),
    });
    if !context.is_empty() {
        body["context"] = STANDARD.encode(&context).into();
    }
    if command.encoding == Encoding::Lamps {
        body["encoding"] = "lamps".into();
    }
    let mut found = client.post(&["v1", "verify"], &body)?;
    let holds = found["ok"] == true && found["classicalOk"] == true && found["pqOk"] == true;
    let unlogged = found["keyStatus"] == "revoked" && found["logged"] != true;
    let good = holds && (!unlogged || command.evidence.accept_unlogged);
    if let Value::Object(members) = &mut found {
        // As the SDK has it: the mathematics beside the verdict.
        members.insert("signatureOk".to_owned(), holds.into());
        members.insert("ok".to_owned(), good.into());
    }
    if holds && !good {
        tell(&found, false, output)?;
        eprintln!(
            "the key was revoked {}, and the ledger has no such signature of it:",
            shown(&found["revokedAt"])
        );
        eprintln!("whoever stole the key may have made it. --accept-unlogged takes it all the same");
        return Ok(Outcome::DoesNotVerify);
    }
    tell(&found, good, output)
}

fn tell(found: &Value, good: bool, output: Output) -> anyhow::Result<Outcome> {
    let word = |value: &Value| if value == true { "verifies" } else { "does not verify" }.to_owned();
    let mut facts = vec![
        ("classical half", word(&found["classicalOk"])),
        ("ML-DSA half", word(&found["pqOk"])),
        ("algorithm", shown(&found["algorithm"])),
    ];
    for (name, member) in
        [("fingerprint", "fingerprint"), ("key", "keyStatus"), ("revoked", "revokedAt"), ("logged", "logged")]
    {
        if !found[member].is_null() {
            facts.push((name, shown(&found[member])));
        }
    }
    output.facts(&facts, found)?;
    if let Some(reason) = found["reason"].as_str() {
        eprintln!("{reason}");
    }
    if good {
        eprintln!("{}", output::good("the signature holds"));
        return Ok(Outcome::Done);
    }
    eprintln!("{}", output::bad("the signature does not hold"));
    Ok(Outcome::DoesNotVerify)
}
