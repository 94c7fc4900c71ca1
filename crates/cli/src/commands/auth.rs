//! `postq auth`: which vault, and whose token.

use anstream::eprintln;
use client::{Client, Token};
use serde_json::json;

use super::Vault;
use crate::{
    Outcome,
    args::Auth,
    config::{self, Saved, TOKEN_VARIABLE},
    output::{Output, shown},
    prompt,
};

pub(crate) fn run(command: &Auth, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    match command {
        Auth::Login => login(vault, output),
        Auth::Status => status(&vault.client()?, output),
        Auth::Logout => {
            let forgotten = config::forget()?;
            eprintln!("{}", if forgotten { "logged out" } else { "nothing was saved" });
            if std::env::var_os(TOKEN_VARIABLE).is_some() {
                eprintln!("{TOKEN_VARIABLE} is still set, and goes before what is saved");
            }
            Ok(Outcome::Done)
        }
    }
}

fn login(vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    let endpoint = config::endpoint(vault.endpoint())?;
    let text = prompt::secret(&format!("API token for {endpoint}: "), "the token")?;
    let token = Token::parse(text.trim())?;
    let saved = Saved { endpoint: Some(endpoint.to_string()), api_key: Some(token.expose().to_owned()) };
    // A token that does not work is better known now than saved.
    let found = status(&Client::new(endpoint, token), output)?;
    let path = config::save(&saved)?;
    eprintln!("saved in {}", path.display());
    Ok(found)
}

fn status(client: &Client, output: Output) -> anyhow::Result<Outcome> {
    let found = client.get(&["v1", "whoami"], &[])?;
    let scopes: Vec<String> = found["scopes"].as_array().into_iter().flatten().map(shown).collect();
    let facts = [
        ("endpoint", client.endpoint().to_string()),
        ("organisation", shown(&found["org"])),
        ("environment", shown(&found["environment"])),
        ("external id", shown(&found["externalId"])),
        ("token", shown(&found["tokenId"])),
        ("scopes", scopes.join(" ")),
    ];
    output.facts(&facts, &json!({"endpoint": client.endpoint().to_string(), "whoami": found}))?;
    Ok(Outcome::Done)
}
