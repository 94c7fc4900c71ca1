//! The JavaScript packages: the module for wasm32, its glue, and what npm makes of them.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

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

/// The same, unless the dashboard is newer than everything that it is made of.
pub(crate) fn build_if_stale(sh: &Shell) -> anyhow::Result<()> {
    let root = sh.current_dir();
    let built = modified(&root.join("dashboard/dist/index.html"));
    let sources = SOURCES.iter().filter_map(|path| newest(&root.join(path))).max();
    if built.is_some() && built >= sources {
        return Ok(());
    }
    println!(
        "building the dashboard, and the packages that it is made of; the first time takes a few minutes"
    );
    build(sh)
}

/// Every package, each after those that it needs.
pub(crate) fn packages(sh: &Shell, wasm: &Wasm) -> anyhow::Result<()> {
    verifier(sh, wasm)?;
    cmd!(sh, "npm run --silent build --workspace @postq/sdk").run()?;
    Ok(cmd!(sh, "npm run --silent build --workspace @postq/dashboard").run()?)
}

/// What the dashboard's types say.
pub(crate) fn check(sh: &Shell) -> anyhow::Result<()> {
    Ok(cmd!(sh, "npm run --silent check --workspace @postq/dashboard").run()?)
}

/// Their tests: in projects of their own, against the real server, in a browser.
pub(crate) fn test(sh: &Shell) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for folder in ["tests/npm", "tests/browser"] {
        files.extend(
            sh.read_dir(folder)?.into_iter().filter(|file| file.to_string_lossy().ends_with(".test.js")),
        );
    }
    Ok(cmd!(sh, "node --test --test-reporter=spec {files...}").run()?)
}

/// The dashboard's pages as pictures, in docs/screenshots, of a vault that is made for them.
pub(crate) fn screenshots(sh: &Shell) -> anyhow::Result<()> {
    setup::c_compiler(sh)?;
    setup::python(sh)?;
    setup::chromium(sh)?;
    build_if_stale(sh)?;
    cmd!(sh, "cargo build --locked -p server --features aws,azure,gcp").run()?;
    Ok(cmd!(sh, "node tests/browser/screenshots.js docs/screenshots").run()?)
}

/// The SDK's tests against the deployment that the environment names.
pub(crate) fn test_deployed(sh: &Shell) -> anyhow::Result<()> {
    let suite = "--test-name-pattern=against the real server";
    Ok(cmd!(sh, "node --test --test-reporter=spec {suite} tests/npm/sdk.test.js").run()?)
}

/// The packages that the lock file names.
pub(crate) fn install(sh: &Shell) -> anyhow::Result<()> {
    let at = |path: &str| modified(&sh.current_dir().join(path));
    let stamp = at("node_modules/.package-lock.json");
    if stamp.is_some() && stamp >= at("package-lock.json") {
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

/// What the dashboard is made of.
const SOURCES: [&str; 19] = [
    "Cargo.lock",
    "Cargo.toml",
    "package-lock.json",
    "crates/canonical-json",
    "crates/composite",
    "crates/ledger",
    "verifier-wasm/src",
    "verifier-wasm/glue",
    "verifier-wasm/npm/src",
    "verifier-wasm/npm/build.mjs",
    "sdk/src",
    "sdk/build.mjs",
    "dashboard/src",
    "dashboard/public",
    "dashboard/build.mjs",
    "dashboard/index.html",
    "dashboard/package.json",
    "dashboard/svelte.config.js",
    "dashboard/vite.config.ts",
];

/// When the newest file at or below a path was changed.
fn newest(path: &Path) -> Option<SystemTime> {
    let below = std::fs::read_dir(path).ok().into_iter().flatten().flatten();
    below.filter_map(|entry| newest(&entry.path())).chain(modified(path)).max()
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|file| file.modified()).ok()
}
