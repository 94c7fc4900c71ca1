//! Changing the key-encryption key, with the real program: old rows open under the previous key, `rewrap` moves them, can
//! be killed at any moment and run again, and a start that would leave a row unreadable is refused.

use std::path::Path;

use custody_local::Kek;
use rusqlite::Connection;
use serde_json::json;

use crate::server_process::{Server, command, refused_start, run};

const CURRENT: &str = "POSTQ_SIGNING_KEK";
const PREVIOUS: &str = "POSTQ_SIGNING_KEK_PREVIOUS";
const TOKEN: &str = "a-token-of-at-least-thirty-two-characters";

fn kek() -> String {
    Kek::generate().unwrap().expose_base64().to_string()
}

fn server(data: &Path, variables: &[(&str, &str)]) -> Server {
    let mut server = Server::start(data, &[variables, &[("POSTQ_BOOTSTRAP_TOKEN", TOKEN)]].concat());
    server.token = TOKEN.to_owned();
    server
}

fn all_sign(server: &Server, keys: &[String]) {
    for key in keys {
        let answer = server.call("/v1/sign", Some(&json!({"keyId": key, "payload": ""})));
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

fn make_keys(server: &Server, count: usize) -> Vec<String> {
    (0..count).map(|_| server.create_key("mldsa44+ed25519")["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn old_keys_sign_under_the_previous_kek_and_rewrap_moves_them() {
    let data = tempfile::tempdir().unwrap();
    let (old, new) = (kek(), kek());
    let first = server(data.path(), &[(CURRENT, &old)]);
    let keys = make_keys(&first, 5);
    drop(first);

    let both = [(CURRENT, new.as_str()), (PREVIOUS, old.as_str())];
    let during = server(data.path(), &both);
    all_sign(&during, &keys);
    let newer = make_keys(&during, 2);
    drop(during);

    // Without the previous key some rows could not be read, and it says which key is missing and what to do.
    let (code, log) = refused_start(data.path(), &[(CURRENT, &new)]);
    assert_eq!(code, Some(1));
    let old_id = Kek::from_base64(&old).unwrap().derive_id().to_string();
    assert!(log.contains(&format!("{old_id} (6 keys)")) && log.contains("postq-vault rewrap"), "{log}");

    let (code, told, log) = run(&["rewrap"], data.path(), &both);
    assert_eq!(code, Some(0), "{log}");
    // Five keys and the ledger's are moved; two were made under the new key.
    assert_eq!(counts(&told), [6, 2, 0, 0], "{told}");
    let (code, told, _) = run(&["rewrap"], data.path(), &both);
    assert_eq!((code, counts(&told)), (Some(0), [0, 8, 0, 0]));

    let after = server(data.path(), &[(CURRENT, &new)]);
    all_sign(&after, &keys);
    all_sign(&after, &newer);
    drop(after);
    assert_eq!(
        refused_start(data.path(), &[(CURRENT, &old)]).0,
        Some(1),
        "nothing is left under the old key"
    );
}

#[test]
fn rewrap_can_be_killed_at_any_moment_and_run_again() {
    let rounds = if std::env::var("POSTQ_TEST_ROUNDS").as_deref() == Ok("long") { 40 } else { 6 };
    let data = tempfile::tempdir().unwrap();
    let mut current = kek();
    let first = server(data.path(), &[(CURRENT, &current)]);
    let keys = make_keys(&first, 60);
    drop(first);
    let mut interrupted = 0;
    for round in 0..rounds {
        let next = kek();
        let both = [(CURRENT, next.as_str()), (PREVIOUS, current.as_str())];
        let mut rewrapping = command(&both)
            .args(["rewrap", "--data"])
            .arg(data.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let kill_at = 1 + (round * 11) % 50;
        while moved_rows(data.path(), &next) < kill_at && rewrapping.try_wait().unwrap().is_none() {}
        rewrapping.kill().unwrap();
        rewrapping.wait().unwrap();
        interrupted += usize::from((1..61).contains(&moved_rows(data.path(), &next)));

        let halfway = server(data.path(), &both);
        all_sign(&halfway, &keys[..3]);
        all_sign(&halfway, &keys[57..]);
        drop(halfway);
        let (code, told, log) = run(&["rewrap"], data.path(), &both);
        assert_eq!(code, Some(0), "{log}");
        let [moved_now, already, changed, refused] = counts(&told);
        assert_eq!((moved_now + already, changed, refused), (61, 0, 0), "{told}");
        current = next;
    }
    let last = server(data.path(), &[(CURRENT, &current)]);
    all_sign(&last, &keys);
    assert!(interrupted > 0, "no kill came while rows were being moved");
}

#[test]
fn rewrap_leaves_a_forged_row_as_it_is_and_names_it() {
    let data = tempfile::tempdir().unwrap();
    let (old, new) = (kek(), kek());
    let (keys, database) = three_keys(data.path(), &old);
    database.execute("UPDATE keys SET kek_provider = 'aws-kms' WHERE id = ?1", [&keys[0]]).unwrap();
    database.execute("UPDATE keys SET public_key = 'x' WHERE id = ?1", [&keys[1]]).unwrap();
    let (code, told, _) = run(&["rewrap"], data.path(), &[(CURRENT, &new), (PREVIOUS, &old)]);
    assert_eq!((code, counts(&told)), (Some(1), [2, 0, 0, 2]), "{told}");
    assert!(told.contains(&keys[0]) && told.contains(&keys[1]) && !told.contains(&keys[2]), "{told}");
}

#[test]
fn a_damaged_tag_stops_neither_the_start_nor_the_other_keys() {
    let data = tempfile::tempdir().unwrap();
    let (old, new) = (kek(), kek());
    let (keys, database) = three_keys(data.path(), &old);
    database.execute("UPDATE keys SET record_tag = x'01' WHERE id = ?1", [&keys[0]]).unwrap();
    database.execute("UPDATE keys SET record_tag = NULL WHERE id = ?1", [&keys[1]]).unwrap();
    let both = [(CURRENT, new.as_str()), (PREVIOUS, old.as_str())];
    all_sign(&server(data.path(), &both), &keys[2..]);
    let (code, told, _) = run(&["rewrap"], data.path(), &both);
    assert_eq!((code, counts(&told)), (Some(1), [2, 0, 0, 2]), "{told}");
    // What cannot sign under any key needs none: the previous one can go.
    all_sign(&server(data.path(), &[(CURRENT, &new)]), &keys[2..]);
}

/// A stopped vault with three user keys, and an intruder's connection to its database.
fn three_keys(data: &Path, kek: &str) -> (Vec<String>, Connection) {
    let first = server(data, &[(CURRENT, kek)]);
    let keys = make_keys(&first, 3);
    drop(first);
    (keys, Connection::open(data.join("vault.db")).unwrap())
}

/// The numbers of moved, already current, changed meanwhile, refused.
fn counts(told: &str) -> [u64; 4] {
    let numbers: Vec<u64> = told
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    numbers.try_into().unwrap()
}

fn moved_rows(data: &Path, kek: &str) -> usize {
    let database = Connection::open(data.join("vault.db")).unwrap();
    let id = Kek::from_base64(kek).unwrap().derive_id();
    let sql = "SELECT count(*) FROM keys WHERE substr(record_tag, 2, 8) = ?1";
    let rows: i64 = database.query_row(sql, [id.0], |row| row.get(0)).unwrap();
    usize::try_from(rows).unwrap()
}
