//! `postq keys`: keys and their lives.

use std::io::{BufRead, IsTerminal};

use anstream::eprintln;
use anyhow::{Context, bail};
use ledger::Lineage;
use serde_json::{Map, Value, json};

use super::{Vault, all};
use crate::{
    Outcome,
    args::{CreateKey, Keys, ListKeys, Providers, RotateKey, TrustFile},
    output::{self, File, Output, shown},
    trust,
};

pub(crate) fn run(command: Keys, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    match command {
        Keys::Create(command) => create(&command, vault, output),
        Keys::List(command) => list(&command, vault, output),
        Keys::Get { id, public_key, pem } => get(&id, public_key, pem, vault, output),
        Keys::Rotate(command) => rotate(&command, vault, output),
        Keys::Revoke { id, yes } => revoke(&id, yes, vault, output),
        Keys::Lineage { id, out, trust } => {
            let lineage = vault.client()?.get(&["v1", "hybrid-keys", &id, "lineage"], &[])?;
            if let Some(path) = out {
                File::prepare(&path)?.write(format!("{lineage}\n").as_bytes())?;
            }
            check_lineage(&id, &lineage, &trust, output)
        }
        Keys::Audit { id, limit } => {
            let rows = all(&vault.client()?, &["v1", "hybrid-keys", &id, "audit"], &[], &limit)?;
            output.rows(&["seq", "createdAt", "eventType", "actor", "id"], &rows)?;
            Ok(Outcome::Done)
        }
    }
}

fn create(command: &CreateKey, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    let mut metadata = Map::new();
    for member in &command.metadata {
        let (name, value) =
            member.split_once('=').with_context(|| format!("`{member}`: metadata is given as NAME=VALUE"))?;
        if metadata.insert(name.to_owned(), value.into()).is_some() {
            bail!("metadata `{name}` is given twice");
        }
    }
    let mut body = members(&command.providers);
    body.insert("name".to_owned(), json!(command.name));
    if let Some(algorithm) = &command.algorithm {
        body.insert("algorithm".to_owned(), json!(algorithm));
    }
    if !metadata.is_empty() {
        body.insert("metadata".to_owned(), metadata.into());
    }
    if command.allow_follow {
        body.insert("allowFollow".to_owned(), true.into());
    }
    if let Some(days) = command.rotate_after_days {
        body.insert("rotateAfterDays".to_owned(), days.into());
    }
    let key = vault.client()?.post(&["v1", "hybrid-keys"], &body.into())?;
    eprintln!("made an {} key, fingerprint {}", shown(&key["algorithm"]), shown(&key["fingerprint"]));
    output.value(&shown(&key["id"]), &key)?;
    Ok(Outcome::Done)
}

fn list(command: &ListKeys, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    let mut query = Vec::new();
    for (name, value) in
        [("status", &command.status), ("algorithm", &command.algorithm), ("namePrefix", &command.name_prefix)]
    {
        if let Some(value) = value {
            query.push((name, value.as_str()));
        }
    }
    if command.include_revoked {
        query.push(("includeRevoked", "true"));
    }
    let keys = all(&vault.client()?, &["v1", "hybrid-keys"], &query, &command.limit)?;
    output.rows(&["id", "status", "tier", "algorithm", "createdAt", "name"], &keys)?;
    Ok(Outcome::Done)
}

fn get(id: &str, public_key: bool, pem: bool, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    let client = vault.client()?;
    let path = &["v1", "hybrid-keys", id, "public-key"];
    if pem {
        let pem = client.text(path, &[("format", "pem")])?;
        output.value(pem.trim_end(), &json!({"pem": pem}))?;
        return Ok(Outcome::Done);
    }
    if public_key {
        let found = client.get(path, &[])?;
        output.value(&shown(&found["publicKey"]), &found)?;
        return Ok(Outcome::Done);
    }
    let key = client.get(&["v1", "hybrid-keys", id], &[])?;
    let facts: Vec<(&str, String)> = [
        "id",
        "name",
        "status",
        "algorithm",
        "fingerprint",
        "tier",
        "dekCacheTtlSeconds",
        "kekProvider",
        "kekKeyId",
        "keyProvider",
        "classicalKeyId",
        "pqProvider",
        "pqKeyId",
        "createdAt",
        "lastUsedAt",
        "rotatesAt",
        "revokedAt",
        "predecessorId",
        "successorId",
        "metadata",
    ]
    .into_iter()
    .map(|name| (name, shown(&key[name])))
    .collect();
    output.facts(&facts, &key)?;
    Ok(Outcome::Done)
}

fn rotate(command: &RotateKey, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    let mut body = members(&command.providers);
    if let Some(name) = &command.name {
        body.insert("name".to_owned(), json!(name));
    }
    let key = vault.client()?.post(&["v1", "hybrid-keys", &command.id, "rotate"], &body.into())?;
    eprintln!("{} signs no more; its signatures still verify", command.id);
    output.value(&shown(&key["id"]), &key)?;
    Ok(Outcome::Done)
}

fn revoke(id: &str, yes: bool, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    if !yes {
        if !std::io::stdin().is_terminal() {
            bail!("revoking is for ever: say --yes");
        }
        eprintln!("{id} will never sign again, and nothing brings it back. Type its id to revoke it:");
        let mut typed = String::new();
        std::io::stdin().lock().read_line(&mut typed)?;
        if typed.trim() != id {
            bail!("nothing was revoked");
        }
    }
    let revoked = vault.client()?.delete(&["v1", "hybrid-keys", id])?;
    output.value(&shown(&revoked["revokedAt"]), &revoked)?;
    Ok(Outcome::Done)
}

fn check_lineage(id: &str, document: &Value, trust: &TrustFile, output: Output) -> anyhow::Result<Outcome> {
    let lineage: Lineage =
        serde_json::from_value(document.clone()).context("what the vault sent is no lineage")?;
    let pins = trust::load(trust)?;
    let found = match lineage.check(&pins, None) {
        Ok(found) => found,
        Err(why) => {
            if output.json {
                output.value("", &json!({"ok": false, "reason": why.to_string()}))?;
            }
            eprintln!("{}: {why}", output::bad("the lineage does not hold"));
            return Ok(Outcome::DoesNotVerify);
        }
    };
    if found.line.key(id).is_none() {
        bail!("the vault sent another key's lineage");
    }
    let mut json = serde_json::to_value(found.to_json())?;
    json["ok"] = true.into();
    let keys: Vec<Value> = json["keys"].as_array().cloned().unwrap_or_default();
    if output.json {
        output.value("", &json)?;
    } else {
        output.rows(&["id", "algorithm", "fingerprint"], &keys)?;
    }
    let first = keys.first().map(|key| shown(&key["fingerprint"])).unwrap_or_default();
    let ledger = shown(&json["ledgerFingerprint"]);
    Ok(trust::judge(found.anchored, true, &first, &lineage.org, &ledger))
}

fn members(providers: &Providers) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, value) in [
        ("kekProvider", &providers.kek_provider),
        ("keyProvider", &providers.key_provider),
        ("pqProvider", &providers.pq_provider),
    ] {
        if let Some(value) = value {
            members.insert(name.to_owned(), json!(value));
        }
    }
    members
}
