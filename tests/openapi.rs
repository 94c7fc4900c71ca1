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
    assert!(committed == current, "docs/openapi.json is stale; run `cargo xtask openapi` and commit it");
}

#[test]
fn openapi_is_of_version_3_1_and_names_the_algorithms() {
    let description: serde_json::Value =
        serde_json::from_str(&api::routes::openapi().to_json().unwrap()).unwrap();
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let named = description["components"]["schemas"]["Algorithm"]["enum"].as_array().unwrap().clone();
    let names: Vec<_> = composite::Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    assert_eq!(named, names);
}

#[test]
fn openapi_describes_every_operation_with_shapes_of_its_own() {
    let description = serde_json::to_value(api::routes::openapi()).unwrap();
    let mut references = Vec::new();
    collect(&description, &mut references);
    assert!(references.len() > 20);
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let body = |path: &str, pointer: &str| {
        let reference = description["paths"][path]["post"].pointer(pointer).unwrap();
        reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    };
    let sent = "/requestBody/content/application~1json/schema";
    assert_eq!(body("/v1/hybrid-keys", sent), "CreateKeyRequest");
    assert_eq!(body("/v1/sign", sent), "SignRequest");
    assert_eq!(body("/v1/verify", sent), "VerifyRequest");
    assert_eq!(body("/v1/sign", "/responses/200/content/application~1json/schema"), "Success_SignResponse");
    assert_eq!(
        body("/v1/verify", "/responses/200/content/application~1json/schema"),
        "Success_VerifyResponse"
    );
    let required = |schema: &str| description["components"]["schemas"][schema]["required"].clone();
    assert_eq!(required("CreateKeyRequest"), serde_json::json!(["name"]));
    assert_eq!(required("SignRequest"), serde_json::json!(["keyId"]));
    assert_eq!(required("VerifyRequest"), serde_json::json!(["signature"]));
}

fn collect(value: &serde_json::Value, references: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            if let Some(serde_json::Value::String(reference)) = members.get("$ref") {
                references.push(reference.clone());
            }
            members.values().for_each(|member| collect(member, references));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
