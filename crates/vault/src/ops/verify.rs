//! Checks a signature and reports both halves.

use std::sync::Arc;

use composite::{Algorithm, MessageRepresentative, PublicKey, Signature, Verdict};
use futures::future::join;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{get_key::AlgorithmName, sign::issued_digest};
use crate::{
    Error, Timestamp,
    caller::Caller,
    encoding::Base64,
    events::{Scene, Subject},
    id::KeyId,
    idempotency,
    input::{self, Message},
    policies::{self, Judged, MatchOperation},
    store::{EventWrites, Issued, KeyRecord, KeyStatus, Keys, Lease, Policies, Record, Replies},
};

/// What checking touches.
#[derive(Clone)]
pub struct Ports {
    /// Keys are read.
    pub keys: Arc<dyn Keys>,
    /// For a revoked key, whether the signature was issued.
    pub issued: Arc<dyn Issued>,
    /// What a key must be to be checked by is read.
    pub policies: Arc<dyn Policies>,
    /// The check is written down.
    pub events: Arc<dyn EventWrites>,
    /// Answers are kept for retries.
    pub replies: Arc<dyn Replies>,
}

/// What to check. Exactly one of `payload` and `prehash`, and exactly one of `keyId` and `publicKey`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = VerifyRequest)]
pub struct Request {
    /// The payload, base64, 0 bytes to 4 MiB.
    #[schema(value_type = Option<String>, format = Byte)]
    pub payload: Option<Base64>,
    /// The payload's digest by the algorithm's hash, base64.
    #[schema(value_type = Option<String>, format = Byte)]
    pub prehash: Option<Base64>,
    /// The signature, base64.
    #[schema(value_type = String, format = Byte)]
    pub signature: Base64,
    /// `key_…` of this organisation.
    pub key_id: Option<String>,
    /// A composite public key, a JSON string; no key is looked up.
    pub public_key: Option<String>,
    /// 0 to 255 bytes, base64; empty if left out.
    #[schema(value_type = Option<String>, format = Byte)]
    pub context: Option<Base64>,
    /// How the signature is encoded; `postq` if left out.
    #[serde(default)]
    #[schema(required = false)]
    pub encoding: Encoding,
}

/// An encoding of composite signatures. It is named, never guessed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SignatureEncoding)]
pub enum Encoding {
    /// Raw and of fixed length: ML-DSA, then Ed25519 or ECDSA r‖s.
    #[default]
    Postq,
    /// The draft's: ECDSA as a DER `Ecdsa-Sig-Value`.
    Lamps,
}

/// What the check found. A signature that does not verify is an answer, not an error.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VerifyResponse)]
pub struct Response {
    /// Whether both halves verify. It is the mathematics alone: look at `keyStatus` as well.
    pub ok: bool,
    /// The key's algorithm.
    #[schema(value_type = AlgorithmName)]
    pub algorithm: Algorithm,
    /// Whether the classical half verifies.
    pub classical_ok: bool,
    /// Whether the ML-DSA half verifies.
    pub pq_ok: bool,
    /// The key's status; only with `keyId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_status: Option<KeyStatus>,
    /// When the key was revoked; only for a revoked key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// Whether the ledger has this key's issued, not withheld signature over this message and context; only for a revoked
    /// key. Without it, the signature may have been made by whoever stole the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logged: Option<bool>,
}

/// Checks.
///
/// # Errors
/// [`Error::Invalid`], [`Error::PayloadTooLarge`], [`Error::NotFound`], [`Error::PolicyViolated`] and
/// [`Error::PolicyUnreadable`] with a key's id, [`Error::StoreUnavailable`].
pub async fn verify(
    ports: &Ports,
    caller: &Caller,
    request: Request,
    lease: Option<Lease>,
) -> Result<Response, Error> {
    let context = input::context(request.context)?;
    let message = Message::new(request.payload, request.prehash)?;
    let (key, in_force, public_key) = match (request.key_id, request.public_key) {
        (Some(id), None) => {
            let looked_up = join(
                super::find_user_key(ports.keys.as_ref(), caller, &id),
                policies::read(ports.policies.as_ref(), &caller.org),
            );
            let (key, in_force) = looked_up.await;
            let key = key?;
            let public_key = key.public_key.clone();
            (Some(key), in_force, public_key)
        }
        // Whoever has a public key can check by it anywhere.
        (None, Some(json)) => {
            let public_key = PublicKey::from_json(&json).map_err(|e| Error::invalid("publicKey", e))?;
            (None, Ok(Vec::new()), public_key)
        }
        (Some(_), Some(_)) => {
            return Err(Error::invalid("publicKey", "send either `keyId` or `publicKey`, not both"));
        }
        (None, None) => return Err(Error::invalid("keyId", "send `keyId`, or a `publicKey`")),
    };
    let algorithm = public_key.algorithm();
    let prehash = message.derive_prehash(algorithm)?;

    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now: Timestamp::now() };
    let violated = match &key {
        Some(key) => {
            let judged = Judged::of(MatchOperation::Verify, key);
            policies::hold_against(&in_force?, ports.events.as_ref(), scene, &judged).await?
        }
        None => None,
    };
    let signature = match request.encoding {
        Encoding::Postq => Signature::from_bytes(algorithm, &request.signature.0),
        Encoding::Lamps => Signature::from_lamps(algorithm, &request.signature.0),
    };
    let verdict = match signature {
        Ok(signature) => composite::verify(
            &public_key,
            &MessageRepresentative::derive(algorithm, &context, &prehash),
            &signature,
        ),
        Err(_) => Verdict::MALFORMED,
    };

    let logged = match &key {
        Some(KeyRecord { status: KeyStatus::Revoked, org, id, .. }) => {
            let digest = issued_digest(prehash.as_bytes(), context.as_bytes());
            Some(ports.issued.is_issued(org, id, &digest).await?)
        }
        _ => None,
    };
    let subject = Subject {
        key: key.as_ref().map(|key| &key.id),
        public_key: &public_key,
        message: &message,
        prehash: &prehash,
        context: context.as_bytes(),
        signature: &request.signature.0,
    };
    let event = scene.signature_verified(&subject, verdict)?;
    let answer = Response {
        ok: verdict.ok(),
        algorithm,
        classical_ok: verdict.classical_ok,
        pq_ok: verdict.pq_ok,
        key_status: key.as_ref().map(|key| key.status),
        revoked_at: key.as_ref().and_then(|key| key.revoked_at).map(|at| at.to_string()),
        logged,
    };
    let reply = idempotency::reply(lease.as_ref(), &answer, subject.key)?;
    ports.events.append(Record { events: [event].into_iter().chain(violated).collect(), reply }).await?;
    Ok(answer)
}

/// Whether a kept answer may leave once more, as policies are now.
///
/// # Errors
/// [`Error::PolicyViolated`], [`Error::PolicyUnreadable`], [`Error::StoreUnavailable`].
pub async fn replay(ports: &Ports, caller: &Caller, key: &KeyId) -> Result<(), Error> {
    super::hold_again(&ports.keys, &ports.policies, &ports.events, caller, MatchOperation::Verify, key).await
}
