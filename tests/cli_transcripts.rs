//! The `postq` command as its users see it: transcripts of commands, what each printed and how it ended, against the real
//! server. `POSTQ_WRITE_SNAPSHOTS=1 cargo test -p tests transcripts` writes them anew, for reading.
//!
//! A line `$ command` is run by the shell; `NAME=$(command)` keeps what it printed for later lines. What follows is standard
//! output, standard error after `! `, and the exit code after `? ` where it is not 0. Ids, times and digests are numbered
//! by their first appearance, so that two that should be the same are seen to be.

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::Path,
    process::{Command, Stdio},
};

use regex::{Captures, Regex};

use crate::{
    python::root,
    rounds,
    server_process::{Server, binary},
};

#[test]
fn transcripts_of_auth() {
    holds("auth");
}

#[test]
fn transcripts_of_keys() {
    holds("keys");
}

#[test]
fn transcripts_of_sign_and_verify() {
    holds("sign-and-verify");
}

#[test]
fn transcripts_of_receipts_and_trust() {
    holds("receipts-and-trust");
}

#[test]
fn transcripts_of_ledger() {
    holds("ledger");
}

#[test]
fn transcripts_of_tokens() {
    holds("tokens");
}

#[test]
fn transcripts_of_policies() {
    holds("policies");
}

#[test]
fn transcripts_of_settings() {
    holds("settings");
}

#[test]
fn transcripts_of_usage() {
    holds("usage");
}

#[test]
fn the_receipt_among_the_examples_verifies_and_a_changed_file_does_not() {
    let folder = root().join("examples/receipt");
    let run = |program: &Path, arguments: &[&str]| {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&folder).env("HOME", home.path()).stdout(Stdio::null());
        command.stderr(Stdio::null()).status().unwrap().code()
    };
    let postq = binary("postq");
    let verify = |file: &str| {
        run(&postq, &["verify", "--in", file, "--receipt", "hello.postq.json", "--trust", "pins.json"])
    };
    assert_eq!(verify("hello.txt"), Some(0));
    assert_eq!(verify("README.md"), Some(2));
    assert_eq!(run(&postq, &["verify", "--in", "hello.txt", "--receipt", "hello.postq.json"]), Some(2));
    assert_eq!(run(Path::new("node"), &["check.mjs"]), Some(0));
}

#[test]
fn a_large_file_signs_and_verifies_in_flat_memory() {
    let home = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let key = server.create_key("mldsa65+ed25519");
    let size = rounds::rounds(5 << 30);
    let file = std::fs::File::create(home.path().join("large")).unwrap();
    file.set_len(size).unwrap();
    let public_key = key["publicKey"].as_str().unwrap();
    let id = key["id"].as_str().unwrap();
    for arguments in [
        vec!["sign", "--key", id, "--in", "large", "--out", "large.sig"],
        vec!["verify", "--in", "large", "--sig", "large.sig", "--public-key", public_key],
    ] {
        // The kernel's own account of the largest resident set, in KiB.
        let script = "import resource, subprocess, sys\n\
                      code = subprocess.call(sys.argv[1:])\n\
                      print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n\
                      sys.exit(code)";
        let output = Command::new("python3")
            .args(["-c", script])
            .arg(binary("postq"))
            .args(&arguments)
            .current_dir(home.path())
            .env_clear()
            .env("HOME", home.path())
            .env("POSTQ_API_KEY", &server.token)
            .env("POSTQ_API_ENDPOINT", &server.address)
            .output()
            .expect("Python is not installed; run `cargo xtask test`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        let kib: u64 = said.lines().last().unwrap().parse().unwrap();
        assert!(kib < 64 << 10, "{} took {kib} KiB for {size} bytes", arguments[0]);
    }
}

fn holds(name: &str) {
    let path = root().join(format!("tests/transcripts/{name}.txt"));
    let expected = std::fs::read_to_string(&path).unwrap();
    let data = tempfile::tempdir().unwrap();
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let found = Session::new(home.path(), &server).replay(&expected);
    if std::env::var("POSTQ_WRITE_SNAPSHOTS").is_ok() {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(found, expected, "{}", path.display());
}

struct Session<'a> {
    home: &'a Path,
    server: &'a Server,
    variables: BTreeMap<String, String>,
    names: Names,
}

impl<'a> Session<'a> {
    fn new(home: &'a Path, server: &'a Server) -> Self {
        Self { home, server, variables: BTreeMap::new(), names: Names::default() }
    }

    /// Runs a transcript's commands, and gives the transcript of that.
    fn replay(&mut self, transcript: &str) -> String {
        let mut out = String::new();
        for line in transcript.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                writeln!(out, "$ {command}").unwrap();
                self.run(command, &mut out);
            } else if line.is_empty() || line.starts_with('#') {
                writeln!(out, "{line}").unwrap();
            }
        }
        out
    }

    fn run(&mut self, line: &str, out: &mut String) {
        let assignment = line.split_once("=$(").and_then(|(name, rest)| {
            let plain = name.bytes().all(|byte| byte.is_ascii_uppercase());
            Some((name, rest.strip_suffix(')').filter(|_| plain)?))
        });
        let (name, command) = assignment.map_or((None, line), |(name, command)| (Some(name), command));
        let path = format!("{}:/usr/bin:/bin", binary("postq").parent().unwrap().display());
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(self.home)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.home)
            .env("POSTQ_API_KEY", &self.server.token)
            .env("POSTQ_API_ENDPOINT", &self.server.address)
            .env("ADDRESS", &self.server.address)
            .env("TOKEN", &self.server.token)
            .envs(&self.variables)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        if let Some(name) = name {
            self.variables.insert(name.to_owned(), stdout.trim_end().to_owned());
        }
        let home = self.home.to_str().unwrap();
        for (prefix, text) in [("", stdout), ("! ", stderr)] {
            let text = text.replace(home, "~").replace(&self.server.address, ADDRESS);
            for line in text.lines() {
                writeln!(out, "{prefix}{}", self.names.replace(line)).unwrap();
            }
        }
        match output.status.code() {
            Some(0) => {}
            code => writeln!(out, "? {}", code.unwrap()).unwrap(),
        }
    }
}

/// What differs from run to run, by kind, each numbered by its first appearance.
#[derive(Default)]
struct Names(BTreeMap<&'static str, Vec<String>>);

/// What a server's address is numbered as; a deployment's may be longer.
const ADDRESS: &str = "http://127.0.0.1:0";

/// Kinds, the most particular first.
const KINDS: [(&str, &str); 15] = [
    ("token", r"pq_(live|test)_[a-z2-7]{58}"),
    ("key", r"key_[0-9a-z]{26}"),
    ("event", r"evt_[0-9a-z]{26}"),
    ("token id", r"apk_[0-9a-z]{26}"),
    ("policy", r"pol_[0-9a-z]{26}"),
    ("org", r"org_[0-9a-z]{26}"),
    ("checkpoint", r"cpt_[0-9a-z]{26}"),
    ("request", r"req_[0-9a-z]{26}"),
    ("external id", r"\bpostq-[0-9a-f]{32}\b"),
    ("time", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    ("prehash", r"\b[0-9a-f]{128}\b"),
    ("digest", r"\b[0-9a-f]{64}\b"),
    ("address", r"http://127\.0\.0\.1:\d+"),
    ("base64", r"[A-Za-z0-9+/]{43,}={0,2}"),
    ("version", r"\b0\.\d+\.\d+\b"),
];

impl Names {
    fn replace(&mut self, line: &str) -> String {
        let mut line = line.to_owned();
        for (kind, pattern) in KINDS {
            let known = self.0.entry(kind).or_default();
            let number = |found: &Captures<'_>| {
                let found = found[0].to_owned();
                let at = known.iter().position(|old| *old == found).unwrap_or_else(|| {
                    known.push(found);
                    known.len() - 1
                });
                format!("[{kind} {}]", at + 1)
            };
            line = Regex::new(pattern).unwrap().replace_all(&line, number).into_owned();
        }
        line
    }
}
