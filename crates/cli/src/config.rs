//! Which vault, and with which token: a flag, then the environment, then what `postq auth login` saved.

use std::{io::Write, path::PathBuf};

use anyhow::{Context, bail};
use client::{Client, Endpoint, Token};
use serde::{Deserialize, Serialize};

/// Where the vault's token is looked for first.
pub(crate) const TOKEN_VARIABLE: &str = "POSTQ_API_KEY";

/// Where the vault's address is looked for.
pub(crate) const ENDPOINT_VARIABLE: &str = "POSTQ_API_ENDPOINT";

/// What `postq auth login` saves. It holds the token, so it implements neither `Debug` nor `Display`.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Saved {
    pub(crate) endpoint: Option<String>,
    pub(crate) api_key: Option<String>,
}

/// A client for the vault that was named.
pub(crate) fn connect(flag: Option<&str>) -> anyhow::Result<Client> {
    if let Some(token) = variable(TOKEN_VARIABLE) {
        return Ok(Client::new(endpoint(flag)?, Token::parse(&token).context(TOKEN_VARIABLE)?));
    }
    let saved = load()?;
    let Some(token) = saved.api_key else {
        bail!("no API token: set {TOKEN_VARIABLE}, or run `postq auth login`");
    };
    let endpoint = endpoint(flag)?;
    // A token goes to the vault that it is of, and not to whatever a folder's settings name.
    if saved.endpoint.as_deref() != Some(endpoint.to_string().as_str()) {
        bail!(
            "the saved token is for another endpoint than {endpoint}: set {TOKEN_VARIABLE}, or log in there"
        );
    }
    Ok(Client::new(endpoint, Token::parse(&token).context("the saved token")?))
}

/// Where the vault is. What is saved is read only where nothing goes before it.
pub(crate) fn endpoint(flag: Option<&str>) -> anyhow::Result<Endpoint> {
    let named = match flag.map(str::to_owned).or_else(|| variable(ENDPOINT_VARIABLE)) {
        Some(named) => named,
        None => load()?.endpoint.with_context(|| {
            format!("no endpoint: give --endpoint URL, set {ENDPOINT_VARIABLE}, or run `postq auth login`")
        })?,
    };
    Ok(Endpoint::parse(&named)?)
}

/// What was saved; nothing, before the first login.
pub(crate) fn load() -> anyhow::Result<Saved> {
    let path = folder()?.join("config.json");
    match std::fs::read(&path) {
        // What serde says of it would quote it.
        Ok(bytes) => serde_json::from_slice(&bytes).ok().with_context(|| {
            format!("`{}` is not what `postq auth login` writes; log in again", path.display())
        }),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(Saved::default()),
        Err(why) => Err(why).with_context(|| format!("`{}` cannot be read", path.display())),
    }
}

/// Saves, for the owner's eyes alone.
pub(crate) fn save(saved: &Saved) -> anyhow::Result<PathBuf> {
    save_private("config.json", &serde_json::to_vec_pretty(saved)?)
}

/// Forgets; whether there was anything.
pub(crate) fn forget() -> anyhow::Result<bool> {
    let path = folder()?.join("config.json");
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(why) => Err(why).with_context(|| format!("`{}` cannot be removed", path.display())),
    }
}

/// Writes a file of ours whole or not at all, readable by its owner alone.
pub(crate) fn save_private(name: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
    let folder = folder()?;
    let path = folder.join(name);
    let failed = || format!("`{}` cannot be written", path.display());
    std::fs::create_dir_all(&folder).with_context(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(&folder).with_context(failed)?;
    file.write_all(bytes).with_context(failed)?;
    file.as_file().sync_all().with_context(failed)?;
    file.persist(&path).with_context(failed)?;
    Ok(path)
}

/// `~/.postq`.
pub(crate) fn folder() -> anyhow::Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    Ok(home.context("there is no home directory; set HOME")?.join(".postq"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
