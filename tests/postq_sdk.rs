//! The published Python client, unmodified, against the real server.

use serde_json::json;

use crate::{python, server_process::Server};

#[test]
fn the_published_python_client_works_unmodified() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let told = python::run("sdk_round_trip.py", &json!({"address": server.address, "token": server.token}));
    assert_eq!(told["version"], "0.6.0");
    let done = json!([
        "health", "create", "list", "get", "sign", "verify", "rotate", "revoke", "audit", "entries", "seal",
        "proofs", "policies", "refusals"
    ]);
    assert_eq!(told["done"], done);
}
