//! Gives a key's public key, to verify with anywhere.

use std::sync::Arc;

use composite::{Algorithm, composite_spki_pem};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::get_key::AlgorithmName;
use crate::{Error, caller::Caller, store::Keys};

/// What giving a public key touches.
#[derive(Clone)]
pub struct Ports {
    /// Keys are read.
    pub keys: Arc<dyn Keys>,
}

/// In which form.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Request {
    /// `json` if left out.
    #[serde(default)]
    #[param(required = false, inline)]
    pub format: Format,
}

/// A form of a public key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PublicKeyFormat)]
pub enum Format {
    /// The JSON string of both halves.
    #[default]
    Json,
    /// SubjectPublicKeyInfo under the composite's object identifier.
    Pem,
}

/// The public key, in the form that was asked for.
#[derive(Debug)]
pub enum Response {
    /// As JSON.
    Json(PublicKeyData),
    /// As PEM.
    Pem(String),
}

/// A public key as JSON.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicKeyData {
    /// `key_…`
    pub id: String,
    /// The composite algorithm.
    #[schema(value_type = AlgorithmName)]
    pub algorithm: Algorithm,
    /// The composite public key, a JSON string.
    pub public_key: String,
    /// SHA-256 over `pq || classical`, lower-case hex.
    pub fingerprint: String,
}

/// Gives the public key of a key of the caller's organisation, revoked or not: it never changes.
///
/// # Errors
/// [`Error::NotFound`], and [`Error::NoStandardEncoding`] for the PEM of a vendor algorithm.
pub async fn public_key(
    ports: &Ports,
    caller: &Caller,
    id: &str,
    request: &Request,
) -> Result<Response, Error> {
    let key = super::find_user_key(ports.keys.as_ref(), caller, id).await?;
    let algorithm = key.public_key.algorithm();
    match request.format {
        Format::Json => Ok(Response::Json(PublicKeyData {
            id: key.id.to_string(),
            algorithm,
            public_key: key.public_key.to_json(),
            fingerprint: hex::encode(key.public_key.fingerprint()),
        })),
        Format::Pem => composite_spki_pem(&key.public_key)
            .map(Response::Pem)
            .map_err(|_| Error::NoStandardEncoding { algorithm }),
    }
}
