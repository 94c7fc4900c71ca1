//! Secrets that a person hands over.

use std::io::{BufRead, IsTerminal};

use anyhow::Context;

/// A line that nobody else sees: from the terminal without an echo, or else from standard input. No flag and no variable has it.
pub(crate) fn secret(prompt: &str, what: &'static str) -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password(prompt).context(what);
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context(what)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
