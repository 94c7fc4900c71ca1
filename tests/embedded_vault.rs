//! The embedded vault as somebody meets it who starts it for the first time.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
};

use serde_json::json;
use vault::{caller::Environment, token::Secret};

use crate::server_process::{Server, agent, command, refused_start, run};

#[test]
fn a_first_start_makes_an_organisation_and_shows_its_token_once() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path().join("new");
    let mut first = Server::start(&dir, &[]);
    assert!(first.token.starts_with("pq_live_") && first.token.len() == 66, "{}", first.token);
    assert_eq!(first.call("/v1/whoami", None).status, 200);
    let token = first.token.clone();
    let (code, log) = first.stop();
    assert_eq!(code, Some(0), "a stop that was asked for is a success");
    assert!(log.contains("embedded default") && log.contains("signing-kek"), "{log}");
    assert!(!log.contains(&token));
    for private in ["signing-kek", "vault.db"] {
        let mode = std::fs::metadata(dir.join(private)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{private}");
    }

    let mut second = Server::start(&dir, &[]);
    assert!(!second.stdout.contains("pq_live_"), "{}", second.stdout);
    assert!(second.stdout.contains("postq-vault org create"), "{}", second.stdout);
    second.token = token;
    assert_eq!(second.call("/v1/whoami", None).status, 200, "the token outlives a restart");
    assert!(!second.stop().1.contains("embedded default"), "the warning is the first start's");
}

#[test]
fn a_bootstrap_token_is_the_first_token_and_is_not_shown() {
    let ours = Secret::generate(Environment::Test).unwrap();
    for (preset, environment) in [
        ("any-string-of-thirty-two-characters-or-more", "live"),
        ("correct horse, battery staple, and a nail", "live"),
        (ours.expose(), "test"),
    ] {
        let data = tempfile::tempdir().unwrap();
        let mut server = Server::start(data.path(), &[("POSTQ_BOOTSTRAP_TOKEN", preset)]);
        assert!(!server.stdout.contains(preset), "{}", server.stdout);
        let answer = server.call_as(preset, "/v1/whoami", None);
        assert_eq!(answer.body["data"]["environment"], environment, "{}", answer.text);
        assert!(!server.stop().1.contains(preset));
    }
}

#[test]
fn a_bootstrap_token_that_is_none_is_refused_with_what_would_be_one() {
    let mut typo = Secret::generate(Environment::Live).unwrap().expose().to_owned();
    typo.pop();
    for (preset, hint) in [("too-short", "32 characters"), (typo.as_str(), "checksum")] {
        let data = tempfile::tempdir().unwrap();
        let (code, log) = refused_start(data.path(), &[("POSTQ_BOOTSTRAP_TOKEN", preset)]);
        assert_eq!(code, Some(1));
        assert!(log.contains("POSTQ_BOOTSTRAP_TOKEN") && log.contains(hint), "{log}");
        assert!(!log.contains(preset), "{log}");
    }
}

#[test]
fn a_bootstrap_token_from_a_file_ends_in_a_line_break_and_is_the_token_without_it() {
    let data = tempfile::tempdir().unwrap();
    let preset = "any-string-of-thirty-two-characters-or-more";
    let server = Server::start(data.path(), &[("POSTQ_BOOTSTRAP_TOKEN", &format!("{preset}\n"))]);
    assert_eq!(server.call_as(preset, "/v1/whoami", None).status, 200);
}

#[test]
fn first_starts_at_once_make_one_key_encryption_key_and_one_organisation() {
    let data = tempfile::tempdir().unwrap();
    let servers: Vec<Server> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| Server::start(data.path(), &[]))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let first: Vec<_> = servers.iter().filter(|server| server.token.starts_with("pq_live_")).collect();
    assert_eq!(first.len(), 1, "one of them showed a token");
    assert_eq!(events(data.path()).len(), 2, "the events of one organisation");
    for server in &servers {
        assert_eq!(server.call_as(&first[0].token, "/v1/whoami", None).status, 200);
    }
}

#[test]
fn a_kek_that_is_malformed_or_gone_stops_the_start_with_what_to_set() {
    let data = tempfile::tempdir().unwrap();
    let (code, log) = refused_start(data.path(), &[("POSTQ_SIGNING_KEK", "a-malformed-kek")]);
    assert_eq!(code, Some(1));
    assert!(
        log.contains("POSTQ_SIGNING_KEK is malformed") && log.contains("32 random bytes in base64"),
        "{log}"
    );
    assert!(!log.contains("a-malformed-kek"), "{log}");

    drop(Server::start(data.path(), &[]));
    std::fs::remove_file(data.path().join("signing-kek")).unwrap();
    let (code, log) = refused_start(data.path(), &[]);
    assert_eq!(code, Some(1));
    assert!(log.contains("set POSTQ_SIGNING_KEK to it"), "{log}");
    assert!(!data.path().join("signing-kek").exists(), "no new key is made over data that needs the old one");
}

#[test]
fn an_origin_that_is_none_is_refused_by_its_name() {
    for wrong in ["*", "app.example", "https://", "https://a.example/path", "https://*.example"] {
        let data = tempfile::tempdir().unwrap();
        let (code, log) = refused_start(data.path(), &[("POSTQ_CORS_ORIGINS", wrong)]);
        assert_eq!(code, Some(1), "{wrong}");
        assert!(log.contains(&format!("`{wrong}` is no origin")), "{log}");
    }
}

#[test]
fn an_address_in_use_is_refused_and_nothing_is_lost() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let address = server.address.strip_prefix("http://").unwrap();
    let other = tempfile::tempdir().unwrap();
    let output =
        command(&[]).args(["serve", "--listen", address, "--data"]).arg(other.path()).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(log.contains("--listen"), "{log}");
    assert!(output.stdout.is_empty(), "no organisation was made, so its token was not lost");
    assert!(Server::start(other.path(), &[]).token.starts_with("pq_live_"));
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let data = tempfile::tempdir().unwrap();
    let mut child = command(&[("RUST_LOG", "trace")])
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut told =
        |name: &str| lines.find_map(|line| line.strip_prefix(name).map(|rest| rest.trim().to_owned()));
    let (address, token) = (told("address").unwrap(), told("token").unwrap());
    for _ in 0..3 {
        let call =
            agent().get(format!("{address}/v1/whoami")).header("Authorization", format!("Bearer {token}"));
        assert_eq!(call.call().unwrap().status().as_u16(), 200);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_command_on_a_wrong_directory_makes_no_vault_there() {
    let data = tempfile::tempdir().unwrap();
    for args in [&["rewrap"][..], &["org", "create", "n"]] {
        let (code, told, log) = run(args, &data.path().join("typo"), &[]);
        assert_eq!((code, told.as_str()), (Some(1), ""), "{log}");
        assert!(log.contains("there is no vault in") && log.contains("--data"), "{log}");
    }
    assert!(!data.path().join("typo").exists());
}

#[test]
fn organisations_are_made_beside_a_running_server() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let (code, told, _) = run(&["org", "create", "second", "--test"], data.path(), &[]);
    assert_eq!(code, Some(0));
    let token = told.lines().find_map(|line| line.strip_prefix("token")).unwrap().trim();
    assert!(token.starts_with("pq_test_"), "{told}");
    let me = server.call_as(token, "/v1/whoami", None).body["data"].clone();
    assert_eq!(me["environment"], "test");
    assert!(told.contains(me["org"].as_str().unwrap()));
    let (code, _, log) = run(&["org", "create", ""], data.path(), &[]);
    assert_eq!(code, Some(1));
    assert!(log.contains("1 to 128"), "{log}");
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let token = server.token.clone();
    let key = server.create_key("mldsa65+ed25519");
    let signed = server.call("/v1/sign", Some(&json!({"keyId": key["id"], "payload": "aGVsbG8="})));
    let event = signed.body["data"]["eventId"].as_str().unwrap().to_owned();
    drop(server); // SIGKILL
    assert!(events(data.path()).contains(&event), "the event was durable before the signature left");
    let again = Server::start(data.path(), &[]);
    let answer = again.call_as(&token, &format!("/v1/hybrid-keys/{}", key["id"].as_str().unwrap()), None);
    assert_eq!(answer.body["data"], key);
}

#[test]
fn a_request_under_way_is_finished_when_the_server_stops() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    let (address, token) = (server.address.clone(), server.token.clone());
    let keys: Vec<_> = (0..4)
        .map(|_| {
            let (url, bearer) = (format!("{address}/v1/hybrid-keys"), format!("Bearer {token}"));
            std::thread::spawn(move || {
                let mut made = 0;
                while let Ok(response) =
                    agent().post(&url).header("Authorization", &bearer).send_json(json!({"name": "n"}))
                {
                    assert_eq!(response.status().as_u16(), 201, "an answer that came is a whole one");
                    made += 1;
                }
                made
            })
        })
        .collect();
    while events(data.path()).len() < 12 {
        std::thread::yield_now();
    }
    let (code, _) = server.stop();
    assert_eq!(code, Some(0));
    let answered: usize = keys.into_iter().map(|thread| thread.join().unwrap()).sum();
    // The organisation's two events, and one for every key: none was made whose answer did not leave.
    assert_eq!(events(data.path()).len(), answered + 2);
}

#[test]
fn the_version_is_told() {
    let told = |arguments: &[&str]| {
        let output = command(&[]).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let version = format!(
        "postq-vault {}\nclouds     {}\ndashboard  built in\n",
        env!("CARGO_PKG_VERSION"),
        server::clouds::names().join(", ")
    );
    assert_eq!(told(&["version"]), version);
    let verbose = told(&["version", "--verbose"]);
    let engine = verbose.strip_prefix(&version).and_then(|rest| rest.strip_prefix("engine     "));
    assert!(engine.is_some_and(|engine| engine.starts_with("AWS-LC ")), "{verbose}");
}

fn events(data: &Path) -> Vec<String> {
    let database = rusqlite::Connection::open(data.join("vault.db")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    let mut statement = database.prepare("SELECT event_id FROM intake").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}
