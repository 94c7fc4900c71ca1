//! The dashboard's files, as the server has them in it.

use std::path::PathBuf;

use serde_json::Value;
use ureq::{Agent, http::Response};

use crate::{
    python::root,
    server_process::{Server, agent},
};

const POLICY: &str = "content-security-policy";

fn start() -> (tempfile::TempDir, Server) {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    (data, server)
}

fn get(agent: &Agent, server: &Server, path: &str, accepted: &str) -> (u16, Response<ureq::Body>) {
    let request = agent.get(format!("{}{path}", server.address)).header("Accept-Encoding", accepted);
    let answer = request.call().unwrap();
    (answer.status().as_u16(), answer)
}

fn header<'a>(answer: &'a Response<ureq::Body>, name: &str) -> &'a str {
    answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// Every file that the page was built into, but for the smaller copies.
fn built() -> Vec<String> {
    let dist = root().join("dashboard/dist");
    let mut files = Vec::new();
    let mut todo = vec![dist.clone()];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|ending| ending != "br") {
                files.push(path.strip_prefix(&dist).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    assert!(files.len() > 20, "the dashboard is not built; run `cargo xtask npm`");
    files
}

#[test]
fn every_file_is_served_as_it_was_built_under_the_policy() {
    let (_data, server) = start();
    let agent = agent();
    for file in built() {
        let bytes = std::fs::read(root().join("dashboard/dist").join(&file)).unwrap();
        let (status, mut answer) = get(&agent, &server, &format!("/vault/{file}"), "identity");
        assert_eq!(status, 200, "{file}");
        assert_ne!(header(&answer, "content-type"), "application/octet-stream", "{file}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{file}");
        assert!(header(&answer, POLICY).contains("require-trusted-types-for 'script'"), "{file}");
        let kept = header(&answer, "cache-control");
        assert_eq!(kept.contains("immutable"), file.starts_with("assets/"), "{file}: {kept}");
        let limit = answer.body_mut().with_config().limit(8 << 20);
        assert_eq!(limit.read_to_vec().unwrap(), bytes, "{file}");
    }
}

#[test]
fn who_takes_brotli_gets_the_smaller_copy() {
    let (_data, server) = start();
    let agent = agent();
    let script = built().into_iter().find(|file| file.ends_with(".js") && file.contains("index")).unwrap();
    let dist = root().join("dashboard/dist");
    let smaller = std::fs::read(dist.join(format!("{script}.br"))).unwrap();
    let whole = std::fs::read(dist.join(&script)).unwrap();
    for (accepted, encoding, bytes) in [
        ("br", "br", &smaller),
        ("gzip, deflate, br;q=0.9", "br", &smaller),
        ("gzip, br;q=0", "", &whole),
        ("gzip", "", &whole),
    ] {
        let (_, mut answer) = get(&agent, &server, &format!("/vault/{script}"), accepted);
        assert_eq!(header(&answer, "content-encoding"), encoding, "{accepted}");
        assert_eq!(header(&answer, "vary"), "Accept-Encoding");
        assert_eq!(
            &answer.body_mut().with_config().limit(8 << 20).read_to_vec().unwrap(),
            bytes,
            "{accepted}"
        );
    }
}

#[test]
fn a_path_that_names_no_file_is_the_pages_and_a_file_that_there_is_not_is_not_found() {
    let (_data, server) = start();
    let agent = agent();
    let page = std::fs::read_to_string(root().join("dashboard/dist/index.html")).unwrap();
    for path in ["/vault", "/vault/", "/vault/keys", "/vault/keys/key_1", "/vault/nothing/here"] {
        let (status, mut answer) = get(&agent, &server, path, "identity");
        assert_eq!((status, header(&answer, "content-type")), (200, "text/html; charset=utf-8"), "{path}");
        assert_eq!(answer.body_mut().read_to_string().unwrap(), page, "{path}");
    }
    for path in [
        "/vault/none.js",
        "/vault/assets/none.css",
        "/vault/../Cargo.toml",
        "/vault/%2e%2e/Cargo.toml",
        "/vault/.gitignore",
    ] {
        let (status, mut answer) = get(&agent, &server, path, "identity");
        assert_eq!(status, 404, "{path}");
        let body: Value = answer.body_mut().read_json().unwrap();
        assert_eq!(body["code"], "not_found", "{path}");
    }
    let posted = agent.post(format!("{}/vault", server.address)).send("x").unwrap();
    assert_eq!(posted.status(), 404);
}

#[test]
fn the_bucket_serves_under_the_same_policy() {
    let (_data, server) = start();
    let (_, answer) = get(&agent(), &server, "/vault", "identity");
    let terraform = std::fs::read_to_string(root().join("infra/modules/dashboard/main.tf")).unwrap();
    let list = terraform.split("content_security_policy = join(\"; \", [").nth(1).unwrap();
    let directives = list.split("])").next().unwrap().split('"').skip(1).step_by(2);
    assert_eq!(header(&answer, POLICY), directives.collect::<Vec<_>>().join("; "));
    for (name, value) in [
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("cross-origin-opener-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(header(&answer, name), value);
        assert!(terraform.contains(&format!("\"{value}\"")), "{name}");
    }
}

#[test]
fn the_page_is_told_of_at_the_start() {
    let (_data, server) = start();
    assert!(server.stdout.contains(&format!("page     {}/vault\n", server.address)), "{}", server.stdout);
}
