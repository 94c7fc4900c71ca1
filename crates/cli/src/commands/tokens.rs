//! `postq tokens`: API tokens.

use anstream::eprintln;
use serde_json::json;

use super::{Vault, all};
use crate::{
    Outcome,
    args::Tokens,
    output::{Output, shown},
};

pub(crate) fn run(command: Tokens, vault: &Vault, output: Output) -> anyhow::Result<Outcome> {
    let client = vault.client()?;
    match command {
        Tokens::Create { name, scopes, keys } => {
            let mut body = json!({"name": name, "scopes": scopes});
            if !keys.is_empty() {
                body["keyIds"] = json!(keys);
            }
            let made = client.post(&["v1", "api-tokens"], &body)?;
            eprintln!("made {}; this is the only time that it is shown", shown(&made["id"]));
            output.value(&shown(&made["token"]), &made)?;
        }
        Tokens::List { limit } => {
            let mut tokens = all(&client, &["v1", "api-tokens"], &[], &limit)?;
            if !output.json {
                for token in &mut tokens {
                    let scopes: Vec<String> =
                        token["scopes"].as_array().into_iter().flatten().map(shown).collect();
                    token["scopes"] = scopes.join(" ").into();
                }
            }
            output.rows(&["id", "createdAt", "name", "scopes"], &tokens)?;
        }
        Tokens::Revoke { id } => {
            let revoked = client.delete(&["v1", "api-tokens", &id])?;
            output.value(&shown(&revoked["revokedAt"]), &revoked)?;
        }
    }
    Ok(Outcome::Done)
}
