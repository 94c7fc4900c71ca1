//! Signs with both halves of a key.
//!
//! The order of the steps is the product's promise: no signature leaves before its event is durable, and none leaves once
//! a revocation was acknowledged before the last look at the key's status.

use std::sync::Arc;

use composite::{Algorithm, SigningInput, is_reserved};
use futures::future::join;
use ledger::Content;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::get_key::AlgorithmName;
use crate::{
    Error, Timestamp,
    accounts::{Accounts, Kept},
    caller::Caller,
    custody::Custody,
    encoding::Base64,
    events::{Scene, Subject},
    id::{EventId, KeyId},
    idempotency,
    input::{self, Message},
    key_material,
    policies::{self, Judged, MatchOperation},
    store::{
        Commit, EventWrites, IssuedDigest, IssuedRecord, KeyRecord, KeyStatus, Keys, Lease, Lines, Policies,
        ProviderSecrets, Record, Replies, SealedHalves, Settings, SignatureWrites, Slot,
    },
};

/// What signing touches.
#[derive(Clone)]
pub struct Ports {
    /// The key's row is read, and its status once more at the end.
    pub keys: Arc<dyn Keys>,
    /// The line of a superseded key is read, where its newest key is to sign.
    pub lines: Arc<dyn Lines>,
    /// Sealed halves are read.
    pub sealed: Arc<dyn SealedHalves>,
    /// Tags are checked, data keys unwrapped, halves sign.
    pub custody: Arc<Custody>,
    /// Which accounts are the organisation's is read, where a cloud has a part in the key.
    pub settings: Arc<dyn Settings>,
    /// What some of them are entered by is read.
    pub secrets: Arc<dyn ProviderSecrets>,
    /// The signature is committed before it leaves, or withheld.
    pub signatures: Arc<dyn SignatureWrites>,
    /// What the key must be to sign is read.
    pub policies: Arc<dyn Policies>,
    /// A refusal is written down.
    pub events: Arc<dyn EventWrites>,
    /// Answers are kept for retries.
    pub replies: Arc<dyn Replies>,
}

/// What to sign, and with which key. Exactly one of `payload` and `prehash`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SignRequest)]
pub struct Request {
    /// `key_…`
    pub key_id: String,
    /// The payload, base64, 0 bytes to 4 MiB.
    #[schema(value_type = Option<String>, format = Byte)]
    pub payload: Option<Base64>,
    /// The payload's digest by the algorithm's hash, base64: SHA-256 for `mldsa44+ecdsa-p256`, else SHA-512. A signature
    /// made either way verifies either way.
    #[schema(value_type = Option<String>, format = Byte)]
    pub prehash: Option<Base64>,
    /// 0 to 255 bytes, base64; empty if left out. It must not begin with `postq-vault`.
    #[schema(value_type = Option<String>, format = Byte)]
    pub context: Option<Base64>,
    /// Where the key is superseded and was made with `allowFollow`, have its line's newest key sign; the answer says which.
    /// False if left out.
    #[serde(default)]
    #[schema(required = false)]
    pub follow_successor: bool,
    /// At most 16 members and 1 KiB in canonical JSON, numbers integers; it goes into the ledger.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    pub metadata: Content,
}

/// A signature.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignResponse)]
pub struct Response {
    /// The key that signed.
    pub key_id: String,
    /// Its algorithm.
    #[schema(value_type = AlgorithmName)]
    pub algorithm: Algorithm,
    /// `mldsaSig || tradSig`, base64: 2,484, 3,373 or 4,691 bytes.
    #[schema(value_type = String, format = Byte)]
    pub signature: Base64,
    /// The composite public key, a JSON string.
    pub public_key: String,
    /// SHA-256 of the payload, lower-case hex; null where `prehash` was sent.
    pub payload_sha256: Option<String>,
    /// The payload's size in bytes; null where `prehash` was sent.
    pub payload_size: Option<usize>,
    /// The event that the ledger will show.
    pub event_id: String,
    /// The event's digest, lower-case hex, by which the caller can tell whether it was left out of the ledger, or changed.
    pub event_digest: String,
    /// Whether a checkpoint covers the event already.
    pub sealed: bool,
}

/// Signs.
///
/// # Errors
/// [`Error::ReservedContext`] before anything else, [`Error::NotFound`], [`Error::KeyRevoked`],
/// [`Error::KeySuperseded`], [`Error::Invalid`], [`Error::PayloadTooLarge`], [`Error::PolicyViolated`],
/// [`Error::PolicyUnreadable`], [`Error::KeyIntegrity`], [`Error::Cloud`], [`Error::StoreUnavailable`]. After an error nothing
/// has left.
pub async fn sign(
    ports: &Ports,
    caller: &Caller,
    request: Request,
    lease: Option<Lease>,
) -> Result<Response, Error> {
    let context = input::context(request.context)?;
    if is_reserved(context.as_bytes()) {
        return Err(Error::ReservedContext);
    }
    input::metadata(&request.metadata)?;
    let message = Message::new(request.payload, request.prehash)?;

    let now = Timestamp::now();
    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now };
    let looked_up = join(
        find_signer(ports, caller, &request.key_id, request.follow_successor),
        policies::read(ports.policies.as_ref(), &caller.org),
    );
    let (key, in_force) = looked_up.await;
    let key = match key {
        Ok(key) => key,
        Err(refusal) => return Err(written_down(ports, scene, refusal).await),
    };
    let algorithm = key.public_key.algorithm();
    let prehash = message.derive_prehash(algorithm)?;
    let input = SigningInput::user(algorithm, &context, &prehash).map_err(|_| Error::ReservedContext)?;

    if let Err(refusal) = super::refuse_inactive(&key) {
        ports.custody.opened.forget(&key.org, &key.id);
        return Err(written_down(ports, scene, refusal).await);
    }
    let judged = Judged::of(MatchOperation::Sign, &key);
    let violated = policies::hold_against(&in_force?, ports.events.as_ref(), scene, &judged).await?;
    let accounts = Accounts::of(&ports.custody, Kept::of(&ports.settings, &ports.secrets), &caller.org);
    let signature = match key_material::sign(&accounts, ports.sealed.as_ref(), &key, &input).await {
        Ok(signature) => signature.to_bytes(),
        Err(error) => {
            let refusal = super::why_not(ports.keys.as_ref(), &key, error).await;
            let ended = matches!(refusal, Error::KeyRevoked { .. } | Error::KeySuperseded { .. });
            if ended || matches!(refusal, Error::KeyIntegrity { .. }) {
                ports.custody.opened.forget(&key.org, &key.id);
            }
            return Err(written_down(ports, scene, refusal).await);
        }
    };

    let subject = Subject {
        key: Some(&key.id),
        public_key: &key.public_key,
        message: &message,
        prehash: &prehash,
        context: context.as_bytes(),
        signature: &signature,
    };
    let issued = IssuedRecord {
        org: key.org.clone(),
        key: key.id.clone(),
        digest: issued_digest(prehash.as_bytes(), context.as_bytes()),
        event: EventId::generate(now)?,
    };
    let event = scene.signature_issued(&issued.event, &subject, &request.metadata);
    let answer = Response {
        key_id: key.id.to_string(),
        algorithm,
        signature: Base64(signature),
        public_key: key.public_key.to_json(),
        payload_sha256: message.payload_sha256,
        payload_size: message.payload_size,
        event_id: issued.event.to_string(),
        event_digest: hex::encode(event.derive_digest()),
        sealed: false,
    };
    let reply = idempotency::reply(lease.as_ref(), &answer, Some(&key.id))?;
    let record = Record { events: [event].into_iter().chain(violated).collect(), reply };
    let committed = commit(ports, scene, &issued, record, lease.as_ref().map(|lease| &lease.slot)).await;
    if let Err(Error::KeyRevoked { .. }) = &committed {
        ports.custody.opened.forget(&key.org, &key.id);
    }
    committed.map(|()| answer)
}

/// Whether a kept answer may leave once more. A replay is a sign call: it is held against the policies of this moment; then it is
/// marked, so that nobody withholds what may be leaving, and then, never earlier, the status is read.
///
/// # Errors
/// [`Error::PolicyViolated`], [`Error::PolicyUnreadable`]; [`Error::KeyRevoked`], and then the answer is forgotten;
/// [`Error::StoreUnavailable`].
pub async fn replay(ports: &Ports, caller: &Caller, slot: &Slot, signer: &KeyId) -> Result<(), Error> {
    let revoked = || Error::KeyRevoked { key: signer.clone() };
    super::hold_again(&ports.keys, &ports.policies, &ports.events, caller, MatchOperation::Sign, signer)
        .await?;
    if !ports.replies.mark_replayed(slot).await? {
        return Err(revoked());
    }
    match ports.keys.status(&caller.org, signer).await? {
        Some(KeyStatus::Active | KeyStatus::Superseded) => Ok(()),
        Some(KeyStatus::Revoked) | None => {
            ports.replies.forget(slot).await?;
            Err(revoked())
        }
    }
}

/// The key that is named, or, where it is superseded and the caller asks for it, the one that its line has come to.
async fn find_signer(ports: &Ports, caller: &Caller, id: &str, follow: bool) -> Result<KeyRecord, Error> {
    let key = super::find_user_key(ports.keys.as_ref(), caller, id).await?;
    if key.status != KeyStatus::Superseded || !key.allow_follow || !follow {
        return Ok(key);
    }
    let newest = ports.lines.line(&caller.org, &key.line).await?.pop();
    Ok(newest.unwrap_or(key))
}

/// Makes the signature's event durable, and then, never earlier or beside it, looks at the key once more. A signature
/// whose key was revoked meanwhile stays here, and the ledger says so.
async fn commit(
    ports: &Ports,
    scene: Scene<'_>,
    issued: &IssuedRecord,
    record: Record,
    kept: Option<&Slot>,
) -> Result<(), Error> {
    let revoked = || Error::KeyRevoked { key: issued.key.clone() };
    match ports.signatures.record(issued, record).await? {
        Commit::Done => {}
        Commit::KeyRevoked => return Err(written_down(ports, scene, revoked()).await),
    }
    match ports.keys.status(&issued.org, &issued.key).await? {
        Some(KeyStatus::Active | KeyStatus::Superseded) => Ok(()),
        Some(KeyStatus::Revoked) | None => {
            let withheld = scene.signature_withheld(&issued.key, &issued.event)?;
            ports.signatures.withhold(issued, kept, withheld.into()).await?;
            Err(revoked())
        }
    }
}

/// A refusal that is about the key is an event of its own. Where it cannot be written, the caller learns that instead.
async fn written_down(ports: &Ports, scene: Scene<'_>, refusal: Error) -> Error {
    let (key, reason) = match &refusal {
        Error::KeyRevoked { key } => (key, "key_revoked"),
        Error::KeySuperseded { key, .. } => (key, "key_superseded"),
        Error::KeyIntegrity { key, .. } => (key, "key_integrity"),
        _ => return refusal,
    };
    let write = async {
        let event = scene.signature_refused(key, reason)?;
        Ok::<_, Error>(ports.events.append(event.into()).await?)
    };
    match write.await {
        Ok(()) => refusal,
        Err(error) => error,
    }
}

/// SHA-256(ph ‖ ctx).
pub(super) fn issued_digest(prehash: &[u8], context: &[u8]) -> IssuedDigest {
    IssuedDigest(ledger::sha256(&[prehash, context].concat()))
}
