//! What is published has the same bytes for whoever builds it: seen by building it twice.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use xshell::{Shell, cmd};

use crate::{npm, package, setup};

/// Builds the verifier's module and the Lambdas in two clean checkouts that lie elsewhere, and compares them byte for byte.
pub(crate) fn check(sh: &Shell) -> anyhow::Result<()> {
    setup::node(sh)?;
    let wasm = setup::wasm(sh)?;
    setup::cargo_lambda(sh)?;
    let root = sh.current_dir();
    let mut builds = Vec::new();
    for checkout in ["one", "another/elsewhere"] {
        let folder = root.join("target/reproducible").join(checkout);
        sh.remove_path(&folder)?;
        cmd!(sh, "git clone --quiet {root} {folder}").run()?;
        let target = sh.create_dir(folder.join("target"))?;
        std::os::unix::fs::symlink(root.join("target/tools"), target.join("tools"))?;
        let _there = sh.push_dir(&folder);
        cmd!(sh, "npm ci --no-fund --no-audit --loglevel=error").run()?;
        let module = npm::verifier(sh, &wasm)?;
        let mut bytes = BTreeMap::from([("verifier.wasm".to_owned(), sh.read_binary_file(module)?)]);
        for lambda in package::build(sh, &package::Args::of_this_machine(), &["--bins"])? {
            let name = lambda.file_name().context("a Lambda has a name")?.to_string_lossy().into_owned();
            bytes.insert(name, sh.read_binary_file(lambda.join("bootstrap"))?);
        }
        builds.push(bytes);
        // It is as large as a checkout's `target` is.
        sh.remove_path(target)?;
    }
    let [one, another] = builds.as_slice() else { unreachable!("there were two checkouts") };
    let differing: Vec<&str> =
        one.keys().filter(|name| one.get(*name) != another.get(*name)).map(String::as_str).collect();
    ensure!(
        one.len() == another.len() && differing.is_empty(),
        "two builds of the same sources differ: {}",
        differing.join(", ")
    );
    println!("two clean builds gave the same bytes of {} files", one.len());
    Ok(())
}
