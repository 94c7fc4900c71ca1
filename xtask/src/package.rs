//! The Lambdas as they are deployed: one zip each, of the same bytes whenever it is made from the same binary.

use std::{
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use xshell::{Shell, cmd};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{flags, sbom, setup};

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

    /// What Rust calls it.
    fn target(&self) -> &'static str {
        if self.x86_64 { "x86_64-unknown-linux-gnu" } else { "aarch64-unknown-linux-gnu" }
    }

    /// What AWS calls it.
    pub(crate) fn architecture(&self) -> &'static str {
        if self.x86_64 { "x86_64" } else { "arm64" }
    }
}

/// Builds every Lambda for `provided.al2023` and packs it, into `target/lambda-packages/ARCHITECTURE`: a zip each, and a bill of materials.
pub(crate) fn run(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    let built = build(sh, args, &["--bins"])?;
    let mut bills = sbom::of_functions(sh, args.target())?;
    let architecture = args.architecture();
    let packages = sh.create_dir(format!("target/lambda-packages/{architecture}"))?;
    let mut sizes = Vec::new();
    for folder in built {
        let name = folder.file_name().context("a Lambda has a name")?.to_string_lossy().into_owned();
        // What was built and is no Lambda of ours (any more) has none.
        let Some(bill) = bills.remove(&name) else { continue };
        let binary = folder.join("bootstrap");
        let file = packages.join(&name).with_extension("zip");
        let zip = pack(sh, &binary).with_context(|| format!("cannot pack {}", binary.display()))?;
        sh.write_file(&file, &zip)?;
        sbom::write(sh, bill, &zip, &packages.join(&name).with_extension("cdx.json"))?;
        sizes.push((name, zip.len(), binary.metadata()?.len()));
    }
    ensure!(bills.is_empty(), "was not built: {}", bills.into_keys().collect::<Vec<_>>().join(", "));
    sizes.sort();
    println!("{:>9}  {:>9}  operation, for {architecture} (KiB as a zip, KiB unpacked)", "zip", "binary");
    for (name, zip, binary) in sizes {
        println!("{:>9}  {:>9}  {name}", zip / 1024, binary / 1024);
    }
    println!("packed into {}", packages.display());
    Ok(())
}

/// The least that a Lambda is, built as they are.
pub(crate) fn minimal(sh: &Shell, args: &Args) -> anyhow::Result<()> {
    build(sh, args, &["--example", "minimal"]).map(drop)
}

/// Builds for AWS's Linux: the folders of the binaries, and in each `bootstrap`.
pub(crate) fn build(sh: &Shell, args: &Args, which: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    setup::c_compiler(sh)?;
    let tools = setup::cargo_lambda(sh)?;
    let target = args.target();
    if cmd!(sh, "rustup target list --installed").quiet().read()?.lines().all(|installed| installed != target)
    {
        println!("setting up Rust's standard library for {target}");
        cmd!(sh, "rustup target add {target}").run()?;
    }
    let target_dir = sh.current_dir().join("target/lambda");
    let out = target_dir.join(args.architecture());
    let cargo_lambda = tools.join("cargo-lambda");
    let path = std::env::var("PATH").unwrap_or_default();
    // It looks for its linker as a module of whichever Python comes first.
    let path = format!("{}:{path}", tools.display());
    let mut flags = flags::without_paths(sh, Path::new("rustc"))?;
    // A panic ends the process, and nothing unwinds: the tables for it would be a tenth of the bytes.
    flags.push("-Cforce-unwind-tables=no".to_owned());
    let architecture = if args.x86_64 { "--x86-64" } else { "--arm64" };
    cmd!(
        sh,
        "{cargo_lambda} lambda build --profile lambda --locked --skip-target-check {architecture} --lambda-dir {out} -p functions {which...}"
    )
    .env("PATH", path)
    .env("CARGO_TARGET_DIR", &target_dir)
    .env("CARGO_ENCODED_RUSTFLAGS", flags::encoded(&flags))
    .run()?;
    let folders = sh.read_dir(out)?;
    Ok(folders.into_iter().filter(|folder| folder.join("bootstrap").exists()).collect())
}

/// One member, `bootstrap`, that may be run, of no time.
fn pack(sh: &Shell, binary: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = sh.read_binary_file(binary)?;
    let text = String::from_utf8_lossy(&bytes);
    for path in [sh.current_dir().display().to_string(), flags::cargo_home(sh)?] {
        ensure!(!text.contains(&path), "it names {path}, so it would have other bytes elsewhere");
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .unix_permissions(0o755)
        .last_modified_time(zip::DateTime::default());
    zip.start_file("bootstrap", options)?;
    zip.write_all(&bytes)?;
    Ok(zip.finish()?.into_inner())
}
