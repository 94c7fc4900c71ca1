//! The Terraform: its form, its validity, and what its plans come to.

use std::path::PathBuf;

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use crate::setup;

/// Checks the form of all modules, that each is valid, runs their tests, and has checkov look for what is known to go wrong.
pub(crate) fn check(sh: &Shell) -> anyhow::Result<()> {
    terraform(sh)?;
    cmd!(sh, "terraform fmt -check -recursive -diff infra").run()?;
    let cache = sh.create_dir("target/tools/terraform")?;
    let _shared = sh.push_env("TF_PLUGIN_CACHE_DIR", cache);
    let mut plugins = None;
    for folder in folders(sh)? {
        let _in_it = sh.push_dir(&folder);
        init(sh, &mut plugins)?;
        cmd!(sh, "terraform validate -no-color")
            .ignore_stdout()
            .run()
            .with_context(|| folder.display().to_string())?;
        if sh.path_exists("tests") {
            cmd!(sh, "terraform test -no-color").run().with_context(|| folder.display().to_string())?;
        }
    }
    let checkov = setup::checkov(sh)?;
    Ok(cmd!(sh, "{checkov} --directory infra --framework terraform --compact --quiet --skip-download")
        .run()?)
}

/// Asks for Terraform, which no package manager of Debian's has.
pub(crate) fn terraform(sh: &Shell) -> anyhow::Result<()> {
    if cmd!(sh, "terraform version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        bail!(
            "Terraform 1.11 or later is missing: install it as https://developer.hashicorp.com/terraform/install says"
        );
    }
    Ok(())
}

/// Every module, and every stack that calls them.
fn folders(sh: &Shell) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = sh.read_dir("infra/modules")?;
    folders.extend(sh.read_dir("infra/live")?);
    folders.sort();
    Ok(folders)
}

/// Fetches the AWS provider, or takes it from where this machine has it.
pub(crate) fn init(sh: &Shell, plugins: &mut Option<PathBuf>) -> anyhow::Result<()> {
    let init = || cmd!(sh, "terraform init -backend=false -input=false -no-color").quiet().ignore_stdout();
    if plugins.is_none() {
        if init().ignore_stderr().run().is_ok() {
            return Ok(());
        }
        *plugins = Some(mirror(sh)?);
    }
    match plugins {
        Some(mirror) => Ok(init().arg("-plugin-dir").arg(mirror).run()?),
        None => Ok(()),
    }
}

/// A folder on this machine that holds the provider as Terraform's own mirrors do: HOST/hashicorp/aws/VERSION/PLATFORM.
fn mirror(sh: &Shell) -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os(MIRROR_VARIABLE) {
        return Ok(named.into());
    }
    println!("the registry does not answer: looking for the AWS provider on this machine");
    let found = cmd!(sh, "find / -xdev -type f -name terraform-provider-aws_v5*")
        .quiet()
        .ignore_stderr()
        .ignore_status()
        .read()?;
    let mirror = found.lines().map(PathBuf::from).find_map(|file| {
        let root = file.ancestors().nth(6)?;
        file.starts_with(root.join("registry.terraform.io/hashicorp/aws")).then(|| root.to_owned())
    });
    mirror.with_context(|| {
        format!("the AWS provider could not be fetched: let `terraform init` reach a registry, or name a filesystem mirror in {MIRROR_VARIABLE}")
    })
}

/// Names a filesystem mirror of Terraform's providers.
const MIRROR_VARIABLE: &str = "POSTQ_TERRAFORM_MIRROR";
