//! What the machine must have, and how it is got where it is missing. Everything here can be run again.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

/// The bundled SQLite is C.
pub(crate) fn c_compiler(sh: &Shell) -> anyhow::Result<()> {
    apt_unless(sh, "cc", "gcc libc6-dev", "a C compiler, for the bundled SQLite")
}

/// A Python environment of our own with the packages that the tests call, in `target/tools`.
pub(crate) fn python(sh: &Shell) -> anyhow::Result<()> {
    let venv = sh.current_dir().join("target/tools/venv");
    let stamp = venv.join("requirements");
    let requirements = sh.read_file("tests/python/requirements.txt")?;
    if sh.read_file(&stamp).is_ok_and(|installed| installed == requirements) {
        return Ok(());
    }
    println!(
        "setting up Python packages for the tests in target/tools/venv: {}",
        requirements.trim().replace('\n', ", ")
    );
    apt_unless(
        sh,
        "python3",
        "python3 python3-venv",
        "Python, for the independent implementation and the published client",
    )?;
    sh.remove_path(&venv)?;
    if cmd!(sh, "python3 -m venv {venv}").quiet().ignore_stderr().run().is_err() {
        apt(sh, "python3-venv", "Python's environments")?;
        sh.remove_path(&venv)?;
        cmd!(sh, "python3 -m venv {venv}").run()?;
    }
    let pip = venv.join("bin/pip");
    cmd!(sh, "{pip} install --quiet --disable-pip-version-check -r tests/python/requirements.txt").run()?;
    sh.write_file(&stamp, &requirements)?;
    Ok(())
}

/// How the wasm32 target is built here.
pub(crate) enum Wasm {
    /// rustup has it.
    Rustup,
    /// Debian's own toolchain builds it, with its standard library from source.
    Debian {
        /// Its compiler.
        rustc: PathBuf,
        /// Its cargo.
        cargo: PathBuf,
    },
}

/// The wasm32 target: rustup's where it answers, else Debian's.
pub(crate) fn wasm(sh: &Shell) -> anyhow::Result<Wasm> {
    let installed =
        cmd!(sh, "rustup target list --installed").quiet().ignore_stderr().read().unwrap_or_default();
    if installed.lines().any(|target| target == TARGET) {
        return Ok(Wasm::Rustup);
    }
    println!("setting up the target {TARGET} by rustup");
    if cmd!(sh, "timeout 120 rustup target add {TARGET}").quiet().run().is_ok() {
        return Ok(Wasm::Rustup);
    }
    println!("rustup has no {TARGET} here; setting up Debian's toolchain for it");
    apt(sh, "rustc-web cargo-web rust-web-src lld-22", "a toolchain that builds for wasm32")?;
    let find = |package: &str, name: &str| -> anyhow::Result<PathBuf> {
        let files = cmd!(sh, "dpkg -L {package}").quiet().read()?;
        files
            .lines()
            .map(Path::new)
            .find(|path| {
                path.file_name().is_some_and(|n| n == name)
                    && path.parent().is_some_and(|p| p.ends_with("bin"))
            })
            .map(Path::to_owned)
            .with_context(|| format!("package {package} brought no {name}"))
    };
    Ok(Wasm::Debian { rustc: find("rustc-web", "rustc")?, cargo: find("cargo-web", "cargo")? })
}

/// Node, for the JavaScript packages.
pub(crate) fn node(sh: &Shell) -> anyhow::Result<()> {
    apt_unless(sh, "node", "nodejs npm", "Node, for the JavaScript packages")?;
    apt_unless(sh, "npm", "npm", "npm, for the JavaScript packages")?;
    let version = cmd!(sh, "node --version").quiet().read()?;
    let mut numbers = version.trim_start_matches('v').split('.').map(|number| number.parse().unwrap_or(0));
    let found: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < NODE {
        bail!(
            "Node {version} is here, and the packages are built with {}.{} or newer; install one from nodejs.org and run \
             this again",
            NODE.0,
            NODE.1
        );
    }
    Ok(())
}

/// A browser, for the tests.
pub(crate) fn chromium(sh: &Shell) -> anyhow::Result<()> {
    apt_unless(sh, "chromium", "chromium", "Chromium, for the tests in a browser")
}

/// What the commands call that the dashboard shows: the tests run them as they are copied.
pub(crate) fn shown_commands(sh: &Shell) -> anyhow::Result<()> {
    apt_unless(sh, "curl", "curl", "curl, for the commands that the dashboard shows")?;
    apt_unless(sh, "openssl", "openssl", "openssl, for the commands that the dashboard shows")
}

/// `wrk`, the load generator.
pub(crate) fn wrk(sh: &Shell) -> anyhow::Result<()> {
    apt_unless(sh, "wrk", "wrk", "the load generator")
}

/// cargo-deny, built once into `target/tools`.
pub(crate) fn cargo_deny(sh: &Shell) -> anyhow::Result<PathBuf> {
    let tools = sh.current_dir().join("target/tools");
    let program = tools.join("bin/cargo-deny");
    if !program.exists() {
        println!("setting up cargo-deny {CARGO_DENY} in target/tools; it takes a few minutes");
        cmd!(sh, "cargo install --locked --quiet cargo-deny@{CARGO_DENY} --root {tools}").run()?;
    }
    Ok(program)
}

/// cargo-cyclonedx, which knows what a program is made of, built once into `target/tools`.
pub(crate) fn cargo_cyclonedx(sh: &Shell) -> anyhow::Result<PathBuf> {
    let tools = sh.current_dir().join("target/tools");
    let program = tools.join("bin/cargo-cyclonedx");
    if !program.exists() {
        println!("setting up cargo-cyclonedx {CARGO_CYCLONEDX} in target/tools; it takes a minute or two");
        cmd!(sh, "cargo install --locked --quiet cargo-cyclonedx@{CARGO_CYCLONEDX} --root {tools}")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .run()?;
    }
    Ok(program)
}

/// DynamoDB on this machine, built once into `target/tools`: it embeds another version of SQLite than the store does, and two
/// cannot be linked together.
pub(crate) fn dynoxide(sh: &Shell) -> anyhow::Result<()> {
    let tools = sh.current_dir().join("target/tools");
    if tools.join("bin/dynoxide").exists() {
        return Ok(());
    }
    println!(
        "setting up dynoxide {DYNOXIDE}, a DynamoDB for the tests, in target/tools; it takes some minutes"
    );
    let package = format!("dynoxide-rs@{DYNOXIDE}");
    let features = "native-sqlite,http-server,cli";
    let install =
        cmd!(sh, "cargo install --locked --quiet {package} --no-default-features --features {features}");
    // Its own release profile is for shipping: whole-program optimisation in one unit.
    let install =
        install.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    let install = install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    Ok(install.args(["--root".as_ref(), tools.as_os_str()]).run()?)
}

/// cargo-lambda with its linker: where its programs are.
pub(crate) fn cargo_lambda(sh: &Shell) -> anyhow::Result<PathBuf> {
    python_tool(
        sh,
        "lambda",
        &format!("cargo-lambda=={CARGO_LAMBDA}"),
        "cargo-lambda, which builds for AWS's Linux",
    )
}

/// checkov, in an environment of its own in `target/tools`.
pub(crate) fn checkov(sh: &Shell) -> anyhow::Result<PathBuf> {
    let program = format!("checkov=={CHECKOV}");
    Ok(python_tool(sh, "checkov", &program, "checkov, which knows what goes wrong with Terraform")?
        .join("checkov"))
}

/// The AWS command, in an environment of its own in `target/tools`.
pub(crate) fn aws_cli(sh: &Shell) -> anyhow::Result<()> {
    python_tool(sh, "aws", &format!("awscli=={AWS_CLI}"), "the AWS command").map(drop)
}

/// A program of Python's in an environment of its own in `target/tools`: where its programs are.
fn python_tool(sh: &Shell, name: &str, package: &str, what: &str) -> anyhow::Result<PathBuf> {
    let tools = sh.current_dir().join("target/tools").join(name);
    if sh.read_file(tools.join("installed")).is_ok_and(|installed| installed == package) {
        return Ok(tools.join("bin"));
    }
    println!("setting up {what}: {package}, in target/tools/{name}");
    apt_unless(sh, "python3", "python3 python3-venv", "Python")?;
    sh.remove_path(&tools)?;
    cmd!(sh, "python3 -m venv {tools}").run()?;
    let pip = tools.join("bin/pip");
    cmd!(sh, "{pip} install --quiet --disable-pip-version-check {package}").run()?;
    sh.write_file(tools.join("installed"), package)?;
    Ok(tools.join("bin"))
}

/// The oldest Node that all the packages' tools run on.
const NODE: (u32, u32) = (20, 19);

const DYNOXIDE: &str = "3.2.0";

const CARGO_LAMBDA: &str = "1.9.2";

const AWS_CLI: &str = "1.46.3";

const CHECKOV: &str = "3.3.30";

const CARGO_CYCLONEDX: &str = "0.5.9";

const CARGO_DENY: &str = "0.20.2";

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

fn apt_unless(sh: &Shell, program: &str, packages: &str, what: &str) -> anyhow::Result<()> {
    if cmd!(sh, "which {program}").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
        return Ok(());
    }
    apt(sh, packages, what)
}

fn apt(sh: &Shell, packages: &str, what: &str) -> anyhow::Result<()> {
    println!("setting up {what}: apt-get install {packages}");
    let names: Vec<&str> = packages.split_whitespace().collect();
    let install = || -> xshell::Result<()> {
        cmd!(sh, "apt-get update -qq").quiet().run()?;
        cmd!(sh, "apt-get install -y -qq --no-install-recommends {names...}").quiet().ignore_stdout().run()
    };
    if install().is_err() {
        bail!("{what} is missing and could not be installed; install {packages} and run this again");
    }
    Ok(())
}
