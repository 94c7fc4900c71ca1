//! One file a command.

mod auth;
mod keys;
mod ledger;
mod policies;
mod receipt;
mod sign;
mod tokens;
mod trust;
mod vault;
mod verify;

use clap::CommandFactory;
use client::{Client, Page};
use serde_json::Value;

use crate::{
    Outcome,
    args::{Cli, Command, Limit},
    config,
    output::{self, Output},
};

/// How many items a page has.
const PAGE: usize = 100;

/// Runs what was typed.
pub(crate) fn run(cli: Cli, output: Output) -> anyhow::Result<Outcome> {
    let vault = Vault { endpoint: cli.endpoint };
    match cli.command {
        Command::Auth(command) => auth::run(&command, &vault, output),
        Command::Keys(command) => keys::run(command, &vault, output),
        Command::Sign(command) => sign::run(&command, &vault, output),
        Command::Verify(command) => verify::run(&command, &vault, output),
        Command::Ledger(command) => ledger::run(command, &vault, output),
        Command::Receipt(command) => receipt::run(command, &vault, output),
        Command::Trust(command) => trust::run(command, output),
        Command::Policies(command) => policies::run(command, &vault, output),
        Command::Tokens(command) => tokens::run(command, &vault, output),
        Command::Vault(command) => vault::run(command, &vault, output),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "postq", &mut script);
            output::raw(&script)?;
            Ok(Outcome::Done)
        }
    }
}

/// The vault that was named. Nothing is read of it, nor of its token, before a command calls it: what works offline does
/// so without.
pub(crate) struct Vault {
    endpoint: Option<String>,
}

impl Vault {
    /// A client for it.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        config::connect(self.endpoint.as_deref())
    }

    /// What was typed.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }
}

/// A list to its end, or to a limit.
pub(crate) fn all(
    client: &Client,
    path: &[&str],
    query: &[(&str, &str)],
    limit: &Limit,
) -> anyhow::Result<Vec<Value>> {
    let wanted = limit.limit.unwrap_or(usize::MAX);
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    while items.len() < wanted {
        let size = (wanted - items.len()).min(PAGE).to_string();
        let mut query = query.to_vec();
        query.push(("limit", &size));
        if let Some(cursor) = &cursor {
            query.push(("cursor", cursor));
        }
        let Page { items: page, next_cursor } = client.page(path, &query)?;
        items.extend(page);
        cursor = next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(items)
}
