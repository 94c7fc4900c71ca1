//! The committed description of the API is what the types say.

use crate::python::root;

#[test]
fn openapi_is_committed_as_the_types_have_it() {
    let path = root().join("docs/openapi.json");
    let current = format!("{}\n", api::routes::openapi().to_pretty_json().unwrap());
    if std::env::var_os("POSTQ_WRITE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == current,
        "docs/openapi.json is stale; run `cargo xtask openapi` and commit it"
    );
}

#[test]
fn openapi_is_of_version_3_1_and_names_the_algorithms() {
    let description: serde_json::Value =
        serde_json::from_str(&api::routes::openapi().to_json().unwrap()).unwrap();
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let named = description["components"]["schemas"]["Algorithm"]["enum"]
        .as_array()
        .unwrap()
        .clone();
    let names: Vec<_> = composite::Algorithm::ALL
        .iter()
        .map(|algorithm| algorithm.name())
        .collect();
    assert_eq!(named, names);
}
