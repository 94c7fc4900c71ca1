//! A store that was put back to an earlier hour: noticed, not written, and without the keys that were revoked since.

use std::path::Path;

use serde_json::{Value, json};

use crate::server_process::{Server, run};

/// A server with two keys, one of which is revoked after the backup.
struct Story {
    data: tempfile::TempDir,
    token: String,
    revoked: String,
    kept: String,
}

fn backup(data: &Path, to: &Path) {
    let database = rusqlite::Connection::open(data.join("vault.db")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    database.execute("VACUUM INTO ?1", [to.to_str().unwrap()]).unwrap();
}

fn restore(data: &Path, from: &Path) {
    for file in ["vault.db", "vault.db-wal", "vault.db-shm"] {
        // The last two are there only where the server did not stop by itself.
        let _ = std::fs::remove_file(data.join(file));
    }
    std::fs::copy(from, data.join("vault.db")).unwrap();
}

fn sign(server: &Server, key: &str) -> (u16, Value) {
    let answer = server.call("/v1/sign", Some(&json!({"keyId": key, "payload": "aGVsbG8="})));
    (answer.status, answer.body)
}

fn delete(server: &Server, path: &str) -> u16 {
    let url = format!("{}{path}", server.address);
    let bearer = format!("Bearer {}", server.token);
    crate::server_process::agent()
        .delete(&url)
        .header("Authorization", &bearer)
        .call()
        .unwrap()
        .status()
        .as_u16()
}

fn restart(story: &Story, variables: &[(&str, &str)]) -> Server {
    let mut server = Server::start(story.data.path(), variables);
    server.token.clone_from(&story.token);
    server
}

fn told(revocations: &str) -> Story {
    let data = tempfile::tempdir().unwrap();
    let saved = data.path().join("backup.db");
    let variables = [("POSTQ_REVOCATIONS", revocations)];
    let variables: &[(&str, &str)] = if revocations.is_empty() { &[] } else { &variables };
    let mut server = Server::start(data.path(), variables);
    let id = |key: Value| key["id"].as_str().unwrap().to_owned();
    let (revoked, kept) =
        (id(server.create_key("mldsa44+ed25519")), id(server.create_key("mldsa44+ed25519")));
    backup(data.path(), &saved);
    assert_eq!(delete(&server, &format!("/v1/hybrid-keys/{revoked}")), 200);
    assert_eq!(sign(&server, &revoked).0, 409);
    let token = server.token.clone();
    server.stop();
    restore(data.path(), &saved);
    Story { data, token, revoked, kept }
}

#[test]
fn a_restored_store_is_read_and_not_written_until_it_has_recovered() {
    let story = told("");
    let mut server = restart(&story, &[]);
    for key in [&story.revoked, &story.kept] {
        let (status, answer) = sign(&server, key);
        let expected = if *key == story.revoked { "key_revoked" } else { "store_restored" };
        let refused = status == 503 && answer["code"] == "store_restored";
        assert!(refused || answer["code"] == expected, "{status} {answer}");
        assert!(answer["data"].is_null());
    }
    let (status, answer) = {
        let answer = server.call("/v1/hybrid-keys", Some(&json!({"name": "n"})));
        (answer.status, answer.body)
    };
    assert_eq!((status, &answer["code"]), (503, &json!("store_restored")), "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("postq-vault recover"));
    assert_eq!(delete(&server, &format!("/v1/hybrid-keys/{}", story.kept)), 503);
    let shown = server.call(&format!("/v1/hybrid-keys/{}", story.revoked), None);
    assert_eq!(
        (shown.status, &shown.body["data"]["status"]),
        (200, &json!("revoked")),
        "known from what is apart"
    );
    let listed = server.call("/v1/hybrid-keys", None).body["data"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1, "nor is it listed: {listed}");
    let (_, log) = server.stop();
    assert!(log.contains("restored from a backup") && log.contains("postq-vault recover"), "{log}");

    let (code, out, log) = run(&["recover"], story.data.path(), &[]);
    assert_eq!(code, Some(0), "{log}");
    assert!(out.contains("revoked again  1") && out.contains(&story.revoked), "{out}");
    let server = restart(&story, &[]);
    assert_eq!(sign(&server, &story.revoked).1["code"], "key_revoked");
    assert_eq!(sign(&server, &story.kept).0, 200);
    let audit = server.call(&format!("/v1/hybrid-keys/{}/audit", story.revoked), None).body;
    let row = audit["data"].as_array().unwrap().iter().find(|row| row["operation"] == "revoke").unwrap();
    assert_eq!(row["actor"], "worker:recover");
    let bundle = server.call("/v1/ledger/bundle", None).body["data"].clone();
    let bundle: ledger::Bundle = serde_json::from_value(bundle).unwrap();
    assert!(bundle.check(&ledger::Pins::default()).unwrap().complete);
    let (code, out, _) = run(&["recover"], story.data.path(), &[]);
    assert_eq!((code, out.trim()), (Some(0), "revoked again  0"), "a second time there is nothing to do");
}

#[test]
fn revocations_can_be_kept_on_another_disk() {
    let apart = tempfile::tempdir().unwrap();
    let file = apart.path().join("apart.log");
    let path = file.to_str().unwrap();
    let story = told(path);
    assert!(!story.data.path().join("revocations.log").exists());
    let (code, out, log) = run(&["recover", "--revocations", path], story.data.path(), &[]);
    assert_eq!(code, Some(0), "{log}");
    assert!(out.contains(&story.revoked), "{out}");
    let server = restart(&story, &[("POSTQ_REVOCATIONS", path)]);
    assert_eq!(sign(&server, &story.revoked).1["code"], "key_revoked");
}

#[test]
fn another_stores_revocations_and_lost_or_older_ones_are_noticed_and_mended() {
    let (mine, theirs) = (told(""), told(""));
    let log = |story: &Story| story.data.path().join("revocations.log");
    for story in [&mine, &theirs] {
        assert_eq!(run(&["recover"], story.data.path(), &[]).0, Some(0));
    }
    let whole = std::fs::read(log(&mine)).unwrap();
    std::fs::copy(log(&theirs), log(&mine)).unwrap();
    assert_eq!(sign(&restart(&mine, &[]), &mine.kept).1["code"], "store_restored", "it is another store's");
    let (code, out, words) = run(&["recover"], mine.data.path(), &[]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(words.contains("names another store") && words.contains("--adopt"), "{words}");
    let (code, out, words) = run(&["recover", "--adopt"], mine.data.path(), &[]);
    assert_eq!(code, Some(0), "{words}");
    assert!(
        out.contains("revoked again  1"),
        "their key is unknown here, and stays revoked should it come: {out}"
    );
    let server = restart(&mine, &[]);
    assert_eq!(sign(&server, &mine.kept).0, 200);
    assert_eq!(sign(&server, &mine.revoked).1["code"], "key_revoked");
    drop(server);

    // An older file than the store's, and none at all: what the store knows is written down anew.
    for lose in [false, true] {
        if lose {
            std::fs::remove_file(log(&mine)).unwrap();
        } else {
            std::fs::write(log(&mine), &whole).unwrap();
        }
        assert_eq!(sign(&restart(&mine, &[]), &mine.kept).1["code"], "store_restored");
        assert_eq!(log(&mine).exists(), !lose, "a start does not make one in its place");
        assert_eq!(run(&["recover"], mine.data.path(), &[]).0, Some(0));
        let server = restart(&mine, &[]);
        assert_eq!(sign(&server, &mine.kept).0, 200);
        assert_eq!(sign(&server, &mine.revoked).1["code"], "key_revoked");
        let written = std::fs::read_to_string(log(&mine)).unwrap();
        assert!(written.contains(&mine.revoked) && written.contains(&theirs.revoked), "{written}");
    }
}

#[test]
fn a_crash_around_a_revocation_is_no_restore() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    let id = |key: Value| key["id"].as_str().unwrap().to_owned();
    let (first, second) =
        (id(server.create_key("mldsa44+ed25519")), id(server.create_key("mldsa44+ed25519")));
    assert_eq!(delete(&server, &format!("/v1/hybrid-keys/{first}")), 200);
    let (token, log) = (server.token.clone(), data.path().join("revocations.log"));
    server.stop();
    let whole = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    assert_eq!(lines.len(), 3, "the store, the revocation, and that it was committed: {whole}");

    // Killed after the commit, before it was written down that there was one: the next start does.
    std::fs::write(&log, format!("{}\n{}\n", lines[0], lines[1])).unwrap();
    let story = Story { data, token, revoked: first, kept: second };
    let mut server = restart(&story, &[]);
    assert_eq!(sign(&server, &story.kept).0, 200);
    assert_eq!(sign(&server, &story.revoked).1["code"], "key_revoked");
    server.stop();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), whole);

    // Killed before the commit: the revocation of another key was begun, and nobody was told that it is done.
    let begun = lines[1].replace(r#""number":1"#, r#""number":2"#).replace(&story.revoked, &story.kept);
    // Nor of two that were to be committed together.
    let another = begun.replace(r#""number":2"#, r#""number":3"#);
    for torn in [
        format!("{whole}{begun}\n"),
        format!("{whole}{begun}\n{another}\n"),
        format!("{whole}{}", begun.split_at(begun.len() / 2).0),
    ] {
        std::fs::write(&log, torn).unwrap();
        let mut server = restart(&story, &[]);
        assert_eq!(sign(&server, &story.kept).0, 200);
        server.stop();
    }
    let server = restart(&story, &[]);
    assert_eq!(delete(&server, &format!("/v1/hybrid-keys/{}", story.kept)), 200);
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 5, "the half of a line is gone");
    assert_eq!(sign(&server, &story.kept).1["code"], "key_revoked");
}
