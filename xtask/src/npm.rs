//! The JavaScript packages: the module for wasm32, its glue, and what npm makes of them.

use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use crate::{
    flags,
    setup::{self, TARGET, Wasm},
};

const PACKAGE: &str = "verifier-wasm/npm";

/// Sets up what is missing and builds every package.
pub(crate) fn build(sh: &Shell) -> anyhow::Result<()> {
    setup::node(sh)?;
    let wasm = setup::wasm(sh)?;
    install(sh)?;
    packages(sh, &wasm)
}

/// Every package, each after those that it needs.
pub(crate) fn packages(sh: &Shell, wasm: &Wasm) -> anyhow::Result<()> {
    verifier(sh, wasm)?;
    Ok(cmd!(sh, "npm run --silent build --workspace @postq/sdk").run()?)
}

/// Their tests: in projects of their own, against the real server, in a browser.
pub(crate) fn test(sh: &Shell) -> anyhow::Result<()> {
    Ok(cmd!(sh, "node --test --test-reporter=spec tests/npm/").run()?)
}

/// The SDK's tests against the deployment that the environment names.
pub(crate) fn test_deployed(sh: &Shell) -> anyhow::Result<()> {
    let suite = "--test-name-pattern=against the real server";
    Ok(cmd!(sh, "node --test --test-reporter=spec {suite} tests/npm/sdk.test.js").run()?)
}

/// The packages that the lock file names.
pub(crate) fn install(sh: &Shell) -> anyhow::Result<()> {
    let stamp = Path::new("node_modules/.package-lock.json");
    let modified = |path: &Path| sh.current_dir().join(path).metadata().and_then(|file| file.modified()).ok();
    if modified(stamp) >= modified(Path::new("package-lock.json")) && modified(stamp).is_some() {
        return Ok(());
    }
    println!("setting up the npm packages of package-lock.json in node_modules");
    Ok(cmd!(sh, "npm ci --no-fund --no-audit --loglevel=error").run()?)
}

/// `@postq/verifier`: the same bytes from the same sources and toolchain, wherever they lie. Where its module is.
pub(crate) fn verifier(sh: &Shell, wasm: &Wasm) -> anyhow::Result<PathBuf> {
    let module = module(sh, wasm)?;
    let build = format!("{PACKAGE}/build");
    sh.remove_path(&build)?;
    cmd!(sh, "cargo run --locked --quiet -p verifier-glue -- {module} {build}").run()?;
    cmd!(sh, "npm run --silent build --workspace @postq/verifier").run()?;
    Ok(sh.current_dir().join(PACKAGE).join("dist/verifier.wasm"))
}

fn module(sh: &Shell, wasm: &Wasm) -> anyhow::Result<PathBuf> {
    let root = sh.current_dir();
    let rustc = match wasm {
        Wasm::Rustup => Path::new("rustc"),
        Wasm::Debian { rustc, .. } => rustc,
    };
    let mut flags = flags::without_paths(sh, rustc)?;
    flags.extend([
        // The hashes in loops instead of unrolled: a sixth of their code.
        r#"--cfg=sha2_backend="soft""#.to_owned(),
        r#"--cfg=sha2_backend_soft="compact""#.to_owned(),
    ]);
    let arguments = [
        "build",
        "--locked",
        "-p",
        "verifier-wasm",
        "--target",
        TARGET,
        "--profile",
        "wasm",
        "--target-dir",
        "target/wasm",
    ];
    let flags = flags::encoded(&flags);
    match wasm {
        Wasm::Rustup => {
            println!("building the verifier for {TARGET} with rustup's target");
            cmd!(sh, "cargo {arguments...}").env("CARGO_ENCODED_RUSTFLAGS", flags).run()?;
        }
        Wasm::Debian { rustc, cargo } => {
            println!("building the verifier for {TARGET} with Debian's toolchain");
            cmd!(sh, "{cargo} {arguments...} -Z build-std=std,panic_abort")
                .env("CARGO_ENCODED_RUSTFLAGS", flags)
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTC", rustc)
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-22")
                .run()?;
        }
    }
    Ok(root.join("target/wasm").join(TARGET).join("wasm/verifier_wasm.wasm"))
}
