//! Bills of materials in CycloneDX: of which crates in which versions a packed Lambda was built.
#![expect(
    clippy::indexing_slicing,
    reason = "JSON that lacks a member gives null; only objects are written to"
)]

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use xshell::{Shell, cmd};

use crate::setup;

/// One for each Lambda, by its name. It lists what the package `functions` is built from; a linker leaves out what one of them does not use.
pub(crate) fn of_functions(sh: &Shell, target: &str) -> anyhow::Result<BTreeMap<String, Value>> {
    let tool = setup::cargo_cyclonedx(sh)?;
    // A build of the same commit has the same bill.
    let commit = cmd!(sh, "git log -1 --format=%ct").quiet().ignore_stderr().read().unwrap_or_default();
    let _made = (!commit.is_empty()).then(|| sh.push_env("SOURCE_DATE_EPOCH", commit));
    let options = ["--format", "json", "--spec-version", "1.5", "--describe", "binaries", "--target", target];
    cmd!(sh, "{tool} cyclonedx --quiet --manifest-path functions/Cargo.toml {options...}").run()?;
    // It writes beside every manifest of the workspace.
    let workspace: Value = serde_json::from_str(
        &cmd!(sh, "cargo metadata --locked --no-deps --format-version 1").quiet().read()?,
    )?;
    let packages = workspace["packages"].as_array().context("a workspace has packages")?;
    let root = format!("file://{}", sh.current_dir().display());
    let mut bills = BTreeMap::new();
    for package in packages {
        let manifest = Path::new(package["manifest_path"].as_str().context("a package has a manifest")?);
        for file in sh.read_dir(manifest.parent().context("a manifest lies in a folder")?)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.ends_with(".cdx.json") {
                continue;
            }
            if let (Some(name), "functions") =
                (name.strip_suffix("_bin.cdx.json"), package["name"].as_str().unwrap_or_default())
            {
                let text = sh.read_file(&file)?.replace(&root, "file:///postq-vault");
                bills.insert(name.to_owned(), serde_json::from_str(&text)?);
            }
            sh.remove_path(&file)?;
        }
    }
    anyhow::ensure!(!bills.is_empty(), "cargo-cyclonedx wrote nothing about `functions`");
    Ok(bills)
}

/// Writes it, for just this zip.
pub(crate) fn write(sh: &Shell, mut bill: Value, zip: &[u8], file: &Path) -> anyhow::Result<()> {
    let digest: String = Sha256::digest(zip).iter().map(|byte| format!("{byte:02x}")).collect();
    bill["metadata"]["component"]["hashes"] = json!([{"alg": "SHA-256", "content": digest}]);
    Ok(sh.write_file(file, format!("{bill:#}\n"))?)
}
