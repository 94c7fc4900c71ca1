//! What the vault stores, opened by an independent implementation that was written from the format's description alone.

use base64::{Engine, engine::general_purpose::STANDARD};
use custody_local::Kek;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{python, server_process::Server};

#[test]
fn an_independent_implementation_opens_what_is_stored() {
    let data = tempfile::tempdir().unwrap();
    let kek = Kek::generate().unwrap().expose_base64().to_string();
    let server = Server::start(data.path(), &[("POSTQ_SIGNING_KEK", &kek)]);
    for algorithm in composite::Algorithm::ALL {
        server.create_key(algorithm.name());
    }
    let database = Connection::open(data.path().join("vault.db")).unwrap();
    let mut statement = database
        .prepare(
            "SELECT org, id, kind, algorithm, public_key, kek_provider, kek_key_id, wrapped_dek, key_provider,
                    classical_key_id, pq_provider, pq_key_id, record_tag,
                    (SELECT sealed FROM sealed_halves WHERE key_id = id AND half = 'pq') AS pq,
                    (SELECT sealed FROM sealed_halves WHERE key_id = id AND half = 'classical') AS classical
             FROM keys",
        )
        .unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows: Vec<Value> = statement
        .query_map([], |row| {
            let cell = |name: &String| {
                Ok((
                    name.clone(),
                    match row.get::<_, rusqlite::types::Value>(name.as_str())? {
                        rusqlite::types::Value::Text(text) => json!(text),
                        rusqlite::types::Value::Blob(bytes) => json!(STANDARD.encode(bytes)),
                        _ => Value::Null,
                    },
                ))
            };
            names.iter().map(cell).collect::<rusqlite::Result<serde_json::Map<_, _>>>().map(Value::Object)
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), 7, "six keys and the ledger's");
    let told = python::run("open_at_rest.py", &json!({"kek": kek, "rows": rows}));
    assert_eq!(told["opened"], 7, "{told}");
    assert_eq!(told["kekId"], Kek::from_base64(&kek).unwrap().derive_id().to_string());
}
