//! The suite that every store passes.

use crate::SqliteStore;

fn store() -> (SqliteStore, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (SqliteStore::open(&dir.path().join("vault.db")).unwrap(), dir)
}

#[tokio::test]
async fn sqlite_remembers_as_every_store_must() {
    let (store, _dir) = store();
    conformance::store::all(&store).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    conformance::store::survives_reopening(|| SqliteStore::open(&path).unwrap()).await;
}

#[tokio::test]
async fn the_file_is_written_ahead_synced_and_overwritten() {
    fn pragmas(t: &rusqlite::Transaction<'_>) -> Result<(String, i64, i64), vault::store::StoreError> {
        let number = |name| t.pragma_query_value(None, name, |row| row.get(0)).unwrap();
        let journal = t.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        Ok((journal, number("synchronous"), number("secure_delete")))
    }
    let (store, _dir) = store();
    // 2 is FULL: a commit is on the disk before it is acknowledged.
    let expected = ("wal".to_owned(), 2, 1);
    assert_eq!(store.write(pragmas).await.unwrap(), expected);
    assert_eq!(store.read(pragmas).await.unwrap(), expected);
}

#[test]
fn a_newer_file_is_left_alone_with_a_word_on_what_to_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.db");
    drop(SqliteStore::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let refusal = SqliteStore::open(&path).err().unwrap().to_string();
    assert!(refusal.contains("999") && refusal.contains("newer"), "{refusal}");
}
