//! The Lambdas as they are deployed: one zip each, of the same bytes whenever it is made from the same binary.

use std::{fs::File, io::Write as _, path::Path};

use anyhow::Context;
use xshell::{Shell, cmd};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::setup;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// For x86-64 processors, not for Arm's
    #[arg(long)]
    x86_64: bool,
}

impl Args {
    /// For the processor that this runs on.
    pub(crate) fn of_this_machine() -> Self {
        Self { x86_64: cfg!(target_arch = "x86_64") }
    }

    /// What AWS calls it.
    pub(crate) fn architecture(&self) -> &'static str {
        if self.x86_64 { "x86_64" } else { "arm64" }
    }
}

/// Builds every Lambda for `provided.al2023` and packs it, into `target/lambda-packages/ARCHITECTURE`.
pub(crate) fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    let architecture = args.architecture();
    let (target, flag) = if args.x86_64 {
        ("x86_64-unknown-linux-gnu", "--x86-64")
    } else {
        ("aarch64-unknown-linux-gnu", "--arm64")
    };
    setup::c_compiler(sh)?;
    let tools = setup::cargo_lambda(sh)?;
    if cmd!(sh, "rustup target list --installed").quiet().read()?.lines().all(|installed| installed != target)
    {
        println!("setting up Rust's standard library for {target}");
        cmd!(sh, "rustup target add {target}").run()?;
    }
    let out = sh.current_dir().join("target/lambda");
    let cargo_lambda = tools.join("cargo-lambda");
    let path = std::env::var("PATH").unwrap_or_default();
    // It looks for its linker as a module of whichever Python comes first.
    let path = format!("{}:{path}", tools.display());
    cmd!(
        sh,
        "{cargo_lambda} lambda build --profile lambda --locked --skip-target-check {flag} -p functions --bins"
    )
    .env("PATH", path)
    .env("CARGO_TARGET_DIR", &out)
    .run()?;

    let packages = sh.create_dir(format!("target/lambda-packages/{architecture}"))?;
    let mut sizes = Vec::new();
    for folder in sh.read_dir(out.join("lambda"))? {
        let (Some(name), binary) = (folder.file_name(), folder.join("bootstrap")) else { continue };
        if !binary.exists() {
            continue;
        }
        let file = packages.join(name).with_extension("zip");
        pack(&binary, &file).with_context(|| format!("cannot pack {}", binary.display()))?;
        sizes.push((name.to_string_lossy().into_owned(), file.metadata()?.len(), binary.metadata()?.len()));
    }
    sizes.sort();
    println!("{:>9}  {:>9}  operation, for {architecture} (KiB as a zip, KiB unpacked)", "zip", "binary");
    for (name, zip, binary) in sizes {
        println!("{:>9}  {:>9}  {name}", zip / 1024, binary / 1024);
    }
    println!("packed into {}", packages.display());
    Ok(())
}

/// One member, `bootstrap`, that may be run, of no time.
fn pack(binary: &Path, file: &Path) -> anyhow::Result<()> {
    let mut zip = ZipWriter::new(File::create(file)?);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .unix_permissions(0o755)
        .last_modified_time(zip::DateTime::default());
    zip.start_file("bootstrap", options)?;
    zip.write_all(&std::fs::read(binary)?)?;
    zip.finish()?;
    Ok(())
}
