//! `postq vault settings`: which accounts of the organisation's own the vault uses.

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::{
    Outcome,
    args::{self, Accounts, Settings},
    message,
    output::{self, Output, shown},
    prompt,
};

pub(crate) fn run(command: args::Vault, vault: &super::Vault, output: Output) -> anyhow::Result<Outcome> {
    let args::Vault::Settings(command) = command;
    let client = vault.client()?;
    match command {
        Settings::Show => show(&client.get(&SETTINGS, &[])?, output),
        Settings::Put(accounts) if accounts.is_empty() => {
            anyhow::bail!(
                "name what to set: --aws-key-arn, --aws-role-arn, --azure-vault-url, --gcp-kek-key-name, --default-kek-provider (what is left out is not set any more; \
                 `postq vault settings clear` takes everything away)"
            )
        }
        Settings::Put(accounts) => {
            let saved = client.put(&SETTINGS, &body(&accounts)?)?;
            show(&saved, output)
        }
        Settings::Clear => {
            let cleared = client.delete(&SETTINGS)?;
            output.value("cleared", &cleared)?;
            Ok(Outcome::Done)
        }
        Settings::Test(accounts) => {
            let answer = client.post(&["v1", "vault", "settings", "test"], &body(&accounts)?)?;
            checked(&answer, output)
        }
    }
}

fn show(settings: &Value, output: Output) -> anyhow::Result<Outcome> {
    if settings.is_null() && !output.json {
        anstream::eprintln!("nothing is set; every key is wrapped and held by the vault itself");
        return Ok(Outcome::Done);
    }
    let (aws, azure, gcp) = (&settings["aws"], &settings["azure"], &settings["gcp"]);
    let mut facts = vec![
        ("default KEK", shown(&settings["defaultKekProvider"])),
        ("kept opened, s", shown(&settings["dekCacheTtlSeconds"])),
        ("AWS key", shown(&aws["keyArn"])),
        ("AWS role", shown(&aws["roleArn"])),
        ("external id", shown(&aws["externalId"])),
    ];
    if !azure.is_null() {
        facts.extend([
            ("Azure vault", shown(&azure["vaultUrl"])),
            ("Azure key", shown(&azure["kekName"])),
            ("tenant", shown(&azure["tenantId"])),
            ("application", shown(&azure["clientId"])),
            ("entered by", shown(&azure["auth"])),
            ("audience", shown(&azure["externalId"])),
        ]);
    }
    if !gcp.is_null() {
        facts.extend([
            ("Google Cloud key", shown(&gcp["kekKeyName"])),
            ("key ring", shown(&gcp["keyRingName"])),
            ("protection level", shown(&gcp["protectionLevel"])),
            ("identity provider", shown(&gcp["workloadIdentityProvider"])),
            ("service account", shown(&gcp["serviceAccountEmail"])),
            ("audience", shown(&gcp["externalId"])),
        ]);
    }
    facts.push(("saved", shown(&settings["updatedAt"])));
    output.facts(&facts, settings)?;
    Ok(Outcome::Done)
}

/// A check says of an account whether it works: one that does not is what a script asked about.
fn checked(answer: &Value, output: Output) -> anyhow::Result<Outcome> {
    let checks: Vec<Value> = answer["checks"].as_array().cloned().unwrap_or_default();
    if output.json {
        output.value("", answer)?;
    } else if checks.is_empty() {
        anstream::eprintln!("no account is named, so there is nothing to try");
    }
    let mut outcome = Outcome::Done;
    for check in &checks {
        let ok = check["ok"] == json!(true);
        if !ok {
            outcome = Outcome::DoesNotVerify;
        }
        if !output.json {
            let word = if ok { output::good("works") } else { output::bad("does not work") };
            let why = shown(&check["error"]);
            anstream::println!("{}\t{word}{}{why}", shown(&check["provider"]), if ok { "" } else { ": " });
            if !check["detail"].is_null() {
                anstream::println!("\t{}", shown(&check["detail"]));
            }
        }
    }
    Ok(outcome)
}

/// Nothing at all stands for what is saved, where it is tried out.
fn body(accounts: &Accounts) -> anyhow::Result<Value> {
    let mut body = json!({});
    if let Some(provider) = &accounts.default_kek_provider {
        body["defaultKekProvider"] = json!(provider);
    }
    if let Some(seconds) = accounts.dek_cache_ttl_seconds {
        body["dekCacheTtlSeconds"] = json!(seconds);
    }
    if let Some(key) = &accounts.aws_key_arn {
        body["aws"] = json!({"keyArn": key});
        if let Some(role) = &accounts.aws_role_arn {
            body["aws"]["roleArn"] = json!(role);
        }
    }
    let azure = &accounts.azure;
    if let Some(vault) = &azure.vault_url {
        body["azure"] = json!({
            "vaultUrl": vault, "kekName": azure.kek_name, "tenantId": azure.tenant_id, "clientId": azure.client_id,
            "auth": if azure.federated { "federated" } else { "client-secret" },
        });
        if azure.client_secret {
            let secret = prompt::secret("Client secret of the application: ", "the application's secret")?;
            body["azure"]["clientSecret"] = json!(secret);
        }
    }
    let gcp = &accounts.gcp;
    if let Some(key) = &gcp.kek_key_name {
        let mut account = Map::from_iter([("kekKeyName".to_owned(), json!(key))]);
        let named = [
            ("keyRingName", gcp.key_ring_name.as_ref().map(|name| json!(name))),
            ("protectionLevel", gcp.protection_level.map(|level| json!(level))),
            ("workloadIdentityProvider", gcp.provider.as_ref().map(|name| json!(name))),
            ("serviceAccountEmail", gcp.email.as_ref().map(|email| json!(email))),
        ];
        account.extend(named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        if let Some(path) = &gcp.key_file {
            let key = message::read(path)?;
            let key = std::str::from_utf8(&key).context("a service account's key file is JSON text")?;
            account.insert("serviceAccountKey".to_owned(), json!(key));
        }
        body["gcp"] = json!(account);
    }
    Ok(body)
}

const SETTINGS: [&str; 3] = ["v1", "vault", "settings"];
