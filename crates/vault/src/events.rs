//! The events that operations write, one constructor each: nothing else assembles an event's data.

use composite::{Prehash, PublicKey, Verdict};
use ledger::{Content, Event, EventType, Statement};
use serde_json::{Value, json};

use crate::{
    Error, Timestamp,
    encoding::Base64,
    id::{EventId, KeyId, OrgId, TokenId},
    input::Message,
    store::{KeyRecord, TokenRecord, Tombstone},
};

/// On whose behalf, where and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) org: &'a OrgId,
    /// A token's id, or a worker's name.
    pub(crate) actor: &'a str,
    pub(crate) now: Timestamp,
}

/// What was signed or checked, as events tell it.
pub(crate) struct Subject<'a> {
    /// `None` where a bare public key was given.
    pub(crate) key: Option<&'a KeyId>,
    pub(crate) public_key: &'a PublicKey,
    pub(crate) message: &'a Message,
    pub(crate) prehash: &'a Prehash,
    pub(crate) context: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl Scene<'_> {
    pub(crate) fn key_created(&self, key: &KeyRecord) -> Result<Event, Error> {
        let data = json!({
            "algorithm": key.public_key.algorithm(),
            "fingerprint": hex::encode(key.public_key.fingerprint()),
            "kekProvider": key.kek.as_ref().map(|kek| kek.provider),
            "keyId": key.id.as_str(),
            "keyProvider": key.classical.provider,
            "kind": key.kind.name(),
            "pqProvider": key.pq.provider,
        });
        self.event(EventType::KeyCreated, Some(key.id.as_str()), data)
    }

    /// Its id is given: the row that keeps the succession names it too.
    pub(crate) fn key_rotated(&self, id: &EventId, statement: &Statement) -> Event {
        let subject = Some(statement.predecessor.id.as_str());
        self.event_of(id, EventType::KeyRotated, subject, statement.event_data())
    }

    pub(crate) fn key_revoked(&self, tombstone: &Tombstone) -> Result<Event, Error> {
        let data = json!({
            "fingerprint": tombstone.fingerprint,
            "keyId": tombstone.key,
            "revokedAt": tombstone.revoked_at,
        });
        self.event(EventType::KeyRevoked, Some(tombstone.key.as_str()), data)
    }

    pub(crate) fn api_key_revoked(&self, token: &TokenId) -> Result<Event, Error> {
        self.event(EventType::ApiKeyRevoked, Some(token.as_str()), json!({ "tokenId": token }))
    }

    /// Whatever a caller puts into it stands under `data`, so that it cannot pass for an event of the vault's own.
    pub(crate) fn custom(&self, id: &EventId, data: Value) -> Event {
        self.event_of(id, EventType::Custom, None, data)
    }

    pub(crate) fn api_key_created(&self, token: &TokenRecord) -> Result<Event, Error> {
        let mut data = json!({ "name": token.name, "scopes": token.scopes, "tokenId": token.id.as_str() });
        if let (Some(lines), Some(data)) = (&token.lines, data.as_object_mut()) {
            data.insert("lines".to_owned(), json!(lines));
        }
        self.event(EventType::ApiKeyCreated, Some(token.id.as_str()), data)
    }

    /// Its id is given: the row that says what was issued names it too.
    pub(crate) fn signature_issued(&self, id: &EventId, subject: &Subject<'_>, metadata: &Content) -> Event {
        let data = subject.data([("metadata", metadata.to_value())]);
        self.event_of(id, EventType::SignatureIssued, subject.key.map(KeyId::as_str), data)
    }

    pub(crate) fn signature_withheld(&self, key: &KeyId, event: &EventId) -> Result<Event, Error> {
        let data = json!({ "eventId": event.as_str(), "keyId": key.as_str() });
        self.event(EventType::SignatureWithheld, Some(key.as_str()), data)
    }

    pub(crate) fn signature_refused(&self, key: &KeyId, reason: &str) -> Result<Event, Error> {
        let data = json!({ "keyId": key.as_str(), "reason": reason });
        self.event(EventType::SignatureRefused, Some(key.as_str()), data)
    }

    pub(crate) fn signature_verified(&self, subject: &Subject<'_>, verdict: Verdict) -> Result<Event, Error> {
        let data = subject.data([
            ("classicalOk", verdict.classical_ok.into()),
            ("ok", verdict.ok().into()),
            ("pqOk", verdict.pq_ok.into()),
        ]);
        self.event(EventType::SignatureVerified, subject.key.map(KeyId::as_str), data)
    }

    fn event(&self, event_type: EventType, subject: Option<&str>, data: Value) -> Result<Event, Error> {
        Ok(self.event_of(&EventId::generate(self.now)?, event_type, subject, data))
    }

    fn event_of(&self, id: &EventId, event_type: EventType, subject: Option<&str>, data: Value) -> Event {
        Event {
            id: id.to_string(),
            org: self.org.to_string(),
            event_type,
            actor_id: self.actor.to_string(),
            subject_id: subject.map(str::to_owned),
            issued_at: self.now.to_string(),
            data,
        }
    }
}

impl Subject<'_> {
    fn data<const N: usize>(&self, more: [(&str, Value); N]) -> Value {
        let algorithm = self.public_key.algorithm();
        let known = [
            ("algorithm", json!(algorithm)),
            ("contextBase64", json!(Base64(self.context.to_vec()))),
            ("fingerprint", json!(hex::encode(self.public_key.fingerprint()))),
            ("keyId", json!(self.key.map(KeyId::as_str))),
            ("payloadSha256", json!(self.message.payload_sha256)),
            ("payloadSize", json!(self.message.payload_size)),
            ("ph", json!(hex::encode(self.prehash.as_bytes()))),
            ("phAlg", json!(algorithm.prehash().id())),
            ("signatureSha256", json!(hex::encode(ledger::sha256(self.signature)))),
        ];
        known.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
