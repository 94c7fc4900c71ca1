//! The house's rules, held against what cargo and the sources say: every sentence of docs/architecture.md with "only" or
//! "never" in it that a machine can check.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, semver::Version};

use crate::python::root;

/// What each of our packages may depend on among ours, outside its tests.
const MAY_USE: [(&str, &[&str]); 23] = [
    ("aws-lc-ml-dsa", &[]),
    ("canonical-json", &[]),
    ("composite", &["aws-lc-ml-dsa", "canonical-json"]),
    ("ledger", &["canonical-json", "composite"]),
    ("vault", &["composite", "ledger"]),
    ("api", &["vault"]),
    ("outbound", &[]),
    ("custody-aws", &["composite", "vault"]),
    ("custody-azure", &["composite", "ledger", "outbound", "vault"]),
    ("custody-gcp", &["composite", "ledger", "outbound", "vault"]),
    ("custody-local", &["composite", "ledger", "vault"]),
    ("store-dynamodb", &["composite", "ledger", "vault"]),
    ("store-sqlite", &["composite", "ledger", "vault"]),
    ("conformance", &["composite", "ledger", "vault"]),
    (
        "server",
        &[
            "api",
            "custody-aws",
            "custody-azure",
            "custody-gcp",
            "custody-local",
            "outbound",
            "store-sqlite",
            "vault",
        ],
    ),
    (
        "functions",
        &[
            "api",
            "custody-aws",
            "custody-azure",
            "custody-gcp",
            "custody-local",
            "outbound",
            "store-dynamodb",
            "vault",
        ],
    ),
    ("client", &["canonical-json"]),
    ("cli", &["client", "composite", "ledger"]),
    ("verifier-wasm", &["composite", "ledger"]),
    ("verifier-glue", &[]),
    ("tests", &[]),
    ("benches", &[]),
    ("xtask", &[]),
];

/// Crates that only some of ours may name, outside their tests.
const ONLY_IN: [(&str, &[&str]); 29] = [
    ("aes-gcm", &["vault"]),
    ("aws-lc-rs", &["composite"]),
    ("aws-lc-sys", &["aws-lc-ml-dsa"]),
    ("aws-sdk-dynamodb", &["store-dynamodb"]),
    ("aws-sdk-kms", &["custody-aws"]),
    ("aws-sdk-lambda", &["functions"]),
    ("aws-sdk-sts", &["custody-aws", "functions"]),
    ("axum", &["api", "functions", "server"]),
    ("azure_core", &["custody-azure"]),
    ("azure_identity", &["custody-azure"]),
    ("azure_security_keyvault_keys", &["custody-azure"]),
    ("ed25519-dalek", &["composite"]),
    ("fips204", &["composite"]),
    ("google-cloud-auth", &["custody-gcp"]),
    ("google-cloud-kms-v1", &["custody-gcp"]),
    ("hkdf", &["custody-local"]),
    ("js-sys", &["verifier-wasm"]),
    ("lambda_http", &["functions"]),
    ("lambda_runtime", &["functions"]),
    ("ml-dsa", &["composite"]),
    ("p256", &["composite"]),
    ("reqwest", &["outbound"]),
    ("rusqlite", &["store-sqlite"]),
    ("rust-embed", &["server"]),
    ("tower-http", &["api"]),
    ("utoipa", &["api", "vault"]),
    ("utoipa-axum", &["api"]),
    ("wasm-bindgen", &["verifier-wasm"]),
    ("wasm-bindgen-cli-support", &["verifier-glue"]),
];

/// The oldest versions that may be linked, for faults mended in them.
const FLOORS: [(&str, &str); 4] =
    [("ml-dsa", "0.1.2"), ("ctutils", "0.4.4"), ("cmov", "0.5.4"), ("crypto-bigint", "0.7.6")];

const NATIVE: &str = "x86_64-unknown-linux-gnu";
const WASM: &str = "wasm32-unknown-unknown";

fn metadata() -> Metadata {
    MetadataCommand::new()
        .current_dir(root())
        .other_options(["--locked", "--offline"].map(str::to_owned))
        .exec()
        .unwrap()
}

#[test]
fn dependencies_go_only_downward() {
    let metadata = metadata();
    let ours: BTreeSet<String> =
        metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    let listed: BTreeSet<String> = MAY_USE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(ours, listed, "every package has its row");
    for package in metadata.workspace_packages() {
        let (_, allowed) = MAY_USE.iter().find(|(name, _)| *name == package.name.as_str()).unwrap();
        for dependency in package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development) {
            let name = dependency.name.as_str();
            assert!(!ours.contains(name) || allowed.contains(&name), "{} uses {name}", package.name);
            if let Some((_, where_to)) = ONLY_IN.iter().find(|(only, _)| *only == name) {
                assert!(where_to.contains(&package.name.as_str()), "{} uses {name}", package.name);
            }
        }
    }
}

#[test]
fn formats_know_no_io_no_async_and_only_engines_draw_random_numbers() {
    for target in [WASM, NATIVE] {
        for format in ["canonical-json", "composite", "ledger", "verifier-wasm"] {
            let linked = linked(format, target);
            for never in ["tokio", "futures", "rusqlite", "hyper", "reqwest", "jiff", "time", "ulid", "rand"]
            {
                assert!(!linked.contains(never), "{format} links {never} for {target}");
            }
            // Whoever signs hedges; a wasm verifier has no generator.
            assert!(!linked.contains("getrandom") || target == NATIVE, "{format}: {target}");
        }
    }
    for file in sources("crates/composite/src").into_iter().chain(sources("crates/ledger/src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for never in ["std::time", "std::fs", "std::net", "std::env", "async fn", "println!"] {
            assert!(!text.contains(never), "{} has {never}", file.display());
        }
        let engine = file.strip_prefix(root()).unwrap().starts_with("crates/composite/src/engines");
        assert!(!text.contains("SysRng") || engine, "{} draws random numbers", file.display());
    }
}

#[test]
fn the_product_knows_no_transport_no_cloud_no_database() {
    for name in linked("vault", NATIVE) {
        let never = ["axum", "http", "hyper", "tower", "rusqlite", "tokio", "lambda_runtime", "reqwest"];
        assert!(!never.contains(&name.as_str()) && !is_of_aws(&name), "vault links {name}");
    }
}

#[test]
fn the_embedded_vault_links_no_cloud() {
    for name in linked("server", NATIVE) {
        for never in ["azure", "google-cloud", "lambda"] {
            assert!(!name.starts_with(never), "server links {name}");
        }
        assert!(!is_of_aws(&name), "server links {name}");
    }
}

/// AWS-LC is a library of primitives and no cloud.
fn is_of_aws(name: &str) -> bool {
    (name.starts_with("aws-") || name.starts_with("aws_")) && !name.starts_with("aws-lc-")
}

#[test]
fn an_engine_is_chosen_when_a_program_is_built() {
    for program in ["server", "cli", "functions"] {
        assert!(linked(program, NATIVE).contains("aws-lc-rs"), "{program} is built without AWS-LC");
        assert!(!linked(program, NATIVE).contains("criterion"));
    }
    for portable in ["composite", "ledger", "verifier-wasm"] {
        for target in [NATIVE, WASM] {
            assert!(!linked(portable, target).contains("aws-lc-rs"), "{portable} brings AWS-LC by itself");
        }
    }
}

#[test]
fn one_crate_has_unsafe_code_and_says_of_each_block_why_it_is_sound() {
    for file in sources(".") {
        let path = file.strip_prefix(root()).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let blocks = code.filter(|line| line.contains("unsafe {") || line.contains("unsafe impl")).count();
        let of_blocks = text.lines().filter(|line| line.trim_start().starts_with("// SAFETY: ")).count();
        if path.starts_with("crates/aws-lc-ml-dsa") {
            assert_eq!(blocks, of_blocks, "{}", file.display());
        } else {
            assert!(blocks == 0 || path.ends_with("architecture.rs"), "{}", file.display());
        }
    }
}

#[test]
fn faults_mended_elsewhere_stay_mended() {
    let metadata = metadata();
    for (name, floor) in FLOORS {
        let floor = Version::parse(floor).unwrap();
        let versions: Vec<_> = metadata.packages.iter().filter(|package| package.name == name).collect();
        assert!(!versions.is_empty(), "{name} is linked no more: drop its floor");
        for package in versions {
            assert!(package.version >= floor, "{name} {} is below {floor}", package.version);
        }
    }
    let deny = read("deny.toml");
    for (name, floor) in FLOORS {
        assert!(
            deny.contains(&format!("name = \"{name}\", version = \"<{floor}\"")),
            "deny.toml bans {name} below {floor}"
        );
    }
}

#[test]
fn every_package_keeps_the_one_lint_table_and_the_shared_versions() {
    let workspace = read("Cargo.toml");
    let (_, lints) = workspace.split_once("[workspace.lints.rust]").unwrap();
    let (lints, _) = lints.split_once("[profile.dev]").unwrap();
    for package in metadata().workspace_packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        if package.name.as_str() == "aws-lc-ml-dsa" {
            // The one crate that calls C has every line of the table but one, and two more about that.
            let lints = lints.lines().filter(|line| line.contains(" = ") && !line.starts_with("unsafe_code"));
            lints.for_each(|line| assert!(manifest.contains(line), "it lacks {line}"));
            assert!(manifest.contains("undocumented_unsafe_blocks = \"deny\""));
        } else {
            assert!(manifest.contains("[lints]\nworkspace = true"), "{}", package.name);
        }
        for dependency in &package.dependencies {
            let shared = format!("{}.workspace = true", dependency.name);
            let extended = format!("{} = {{ workspace = true", dependency.name);
            assert!(
                manifest.contains(&shared) || manifest.contains(&extended),
                "{} pins {} by itself",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn an_operation_has_one_name_everywhere() {
    let description = serde_json::to_value(api::routes::openapi()).unwrap();
    let mut tags = BTreeSet::new();
    let mut ids = Vec::new();
    for path in description["paths"].as_object().unwrap().values() {
        for operation in path.as_object().unwrap().values() {
            let of = operation["tags"].as_array().unwrap();
            assert_eq!(of.len(), 1, "{operation}");
            tags.insert(of[0].as_str().unwrap().to_owned());
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "two routes share an operationId");

    let mut lambdas = tags.clone();
    lambdas.insert("not-found".to_owned());
    let workers = [
        "create-org",
        "recover",
        "reconcile-keys",
        "rewrap-keys",
        "rotate-due-keys",
        "rotate-ledger-key",
        "sequence-events",
    ];
    lambdas.extend(workers.map(str::to_owned));
    assert_eq!(stems("functions/src/bin"), lambdas, "one Lambda per tag, not-found, and the workers");
    let modules: BTreeSet<String> = tags.iter().map(|tag| tag.replace('-', "_")).collect();
    assert_eq!(stems("crates/api/src/handlers"), modules, "one handler per tag");
    let mut operations = modules.clone();
    operations.remove("health");
    operations.extend(
        ["create_org", "reconcile_keys", "recover", "rewrap", "rotate_due_keys", "rotate_ledger_key"]
            .map(str::to_owned),
    );
    let files = std::fs::read_dir(root().join("crates/vault/src/ops")).unwrap();
    let files = files.map(|file| file.unwrap().path()).filter(|path| path.is_file());
    let files: BTreeSet<String> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(files, operations, "one file per operation, and those on no route");
}

#[test]
fn lambdas_hold_no_logic_and_only_their_wiring_reads_the_environment() {
    for file in sources("functions/src/bin") {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.lines().count() <= 8, "{} is more than a route and a run", file.display());
    }
    for file in sources("functions/src").into_iter().chain(sources("crates/api/src")) {
        let reads = std::fs::read_to_string(&file).unwrap().contains("env::var");
        assert_eq!(reads, file.ends_with("functions/src/wiring.rs"), "{}", file.display());
    }
}

#[test]
fn statuses_and_paths_are_known_only_to_the_api() {
    for file in sources("crates").into_iter().chain(sources("functions")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let in_api = file.strip_prefix(root()).unwrap().starts_with("crates/api");
        assert!(!text.contains("#[utoipa::path(") || in_api, "{}", file.display());
        assert!(
            !text.contains("StatusCode") || file.ends_with("crates/api/src/http.rs"),
            "{}",
            file.display()
        );
    }
}

#[test]
fn only_the_formats_of_statements_make_an_internal_signing_input() {
    let statements = ["crates/ledger/src/checkpoint.rs", "crates/ledger/src/succession.rs"];
    for file in sources("crates").into_iter().chain(sources("functions")) {
        let path = file.strip_prefix(root()).unwrap();
        let may =
            path.starts_with("crates/composite") || statements.iter().any(|known| path.ends_with(known));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(may || !text.contains("SigningInput::internal"), "{}", file.display());
    }
}

#[test]
fn only_what_signs_reads_sealed_halves() {
    let may = ["rotate_key.rs", "rotate_ledger_key.rs", "seal_ledger.rs", "sign.rs"];
    for file in sources("crates/vault/src/ops") {
        let reads = std::fs::read_to_string(&file).unwrap().contains("dyn SealedHalves");
        let name = file.file_name().unwrap().to_str().unwrap();
        assert_eq!(reads, may.contains(&name), "{}", file.display());
    }
}

#[test]
fn the_dashboard_calls_only_by_the_sdk_and_checks_only_in_its_worker() {
    let mut read_files = 0;
    let mut todo = vec![root().join("dashboard/src")];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
                continue;
            }
            let text = read(&path);
            let shown = path.display();
            for never in ["XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon", "{@html", "innerHTML"] {
                assert!(!text.contains(never), "{shown} has {never}");
            }
            // What the SDK is handed to call with.
            let calls = text.contains("fetch(");
            assert!(!calls || path.ends_with("session.svelte.ts"), "{shown} calls by itself");
            let in_worker =
                path.ends_with("verification/checks.ts") || path.ends_with("verification/worker.ts");
            for line in text.lines().filter(|line| line.contains("from \"@postq/verifier\"")) {
                assert!(in_worker || line.trim().starts_with("import type"), "{shown}: {line}");
            }
            read_files += 1;
        }
    }
    assert!(read_files > 60, "{read_files} files");
}

#[test]
fn files_are_named_for_what_is_in_them() {
    for file in sources(".") {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let vague = ["mod", "utils", "util", "common", "helpers", "types", "misc"];
        assert!(!vague.contains(&name), "{}", file.display());
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not say what it is", file.display());
        let lines = text.lines().count();
        assert!(lines <= 500, "{} has {lines} lines: it is really two files", file.display());
    }
}

#[test]
fn no_link_in_the_documents_is_dead() {
    let documents =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root().join(name));
    let pages = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    for document in
        documents.into_iter().chain(pages.filter(|page| page.extension().is_some_and(|e| e == "md")))
    {
        let text = read(&document);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let local = !link.starts_with("http") && !link.starts_with('#');
            let target = document.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(!local || target.exists(), "{} links to {link}", document.display());
        }
    }
}

/// The names of everything that a package links, when it is built by itself for a target.
fn linked(package: &str, target: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--package", package, "--target", target])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn stems(folder: &str) -> BTreeSet<String> {
    sources(folder).iter().map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Every Rust file of ours below a folder.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut todo = vec![root().join(folder)];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !["target", "node_modules", "data"].contains(&name) && !name.starts_with('.')
            {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}
