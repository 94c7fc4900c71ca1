//! The events that operations write, one constructor each: nothing else assembles an event's data.

use composite::{Prehash, PublicKey, Verdict};
use ledger::{Content, Event, EventType, Json, Object, Statement};

use crate::{
    Error, Timestamp,
    encoding::Base64,
    id::{EventId, KeyId, OrgId, PolicyId, TokenId},
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
        let data = Json::object([
            ("algorithm", key.public_key.algorithm().name().into()),
            ("fingerprint", hex::encode(key.public_key.fingerprint()).into()),
            ("kekProvider", key.kek.as_ref().map(|kek| kek.provider.name()).into()),
            ("keyId", key.id.as_str().into()),
            ("keyProvider", key.classical.provider.name().into()),
            ("kind", key.kind.name().into()),
            ("pqProvider", key.pq.provider.name().into()),
        ]);
        self.event(EventType::KeyCreated, Some(key.id.as_str()), data)
    }

    /// Its id is given: the row that keeps the succession names it too.
    pub(crate) fn key_rotated(&self, id: &EventId, statement: &Statement) -> Event {
        let subject = Some(statement.predecessor.id.as_str());
        self.event_of(id, EventType::KeyRotated, subject, statement.event_data())
    }

    pub(crate) fn key_revoked(&self, tombstone: &Tombstone) -> Result<Event, Error> {
        let data = Json::object([
            ("fingerprint", tombstone.fingerprint.as_str().into()),
            ("keyId", tombstone.key.as_str().into()),
            ("revokedAt", tombstone.revoked_at.to_string().into()),
        ]);
        self.event(EventType::KeyRevoked, Some(tombstone.key.as_str()), data)
    }

    /// `data` is what [`crate::settings::SettingsRecord::to_event_data`] tells.
    pub(crate) fn settings_changed(&self, data: Json) -> Result<Event, Error> {
        self.event(EventType::SettingsChanged, None, data)
    }

    /// `change` is `created`, `updated` or `deleted`; `terms` is what [`crate::policies::Terms::to_event_data`] tells, `None` of one that is gone.
    pub(crate) fn policy_changed(
        &self,
        policy: &PolicyId,
        change: &str,
        terms: Option<Json>,
    ) -> Result<Event, Error> {
        let data = Json::object([
            ("change", change.into()),
            ("policyId", policy.as_str().into()),
            ("terms", terms.unwrap_or(Json::Null)),
        ]);
        self.event(EventType::PolicyChanged, Some(policy.as_str()), data)
    }

    /// About a key, or about none where one was to be made.
    pub(crate) fn policy_violated(&self, key: Option<&KeyId>, data: Json) -> Result<Event, Error> {
        self.event(EventType::PolicyViolated, key.map(KeyId::as_str), data)
    }

    pub(crate) fn api_key_revoked(&self, token: &TokenId) -> Result<Event, Error> {
        let data = Json::object([("tokenId", token.as_str().into())]);
        self.event(EventType::ApiKeyRevoked, Some(token.as_str()), data)
    }

    /// Whatever a caller puts into it stands under `data`, so that it cannot pass for an event of the vault's own.
    pub(crate) fn custom(&self, id: &EventId, data: Json) -> Event {
        self.event_of(id, EventType::Custom, None, data)
    }

    pub(crate) fn api_key_created(&self, token: &TokenRecord) -> Result<Event, Error> {
        let scopes = token.scopes.iter().map(|scope| scope.name().into()).collect::<Vec<Json>>();
        let mut data = Object::default();
        data.insert("name", token.name.as_str().into());
        data.insert("scopes", scopes.into());
        data.insert("tokenId", token.id.as_str().into());
        if let Some(lines) = &token.lines {
            data.insert("lines", lines.iter().map(|line| line.as_str().into()).collect::<Vec<Json>>().into());
        }
        self.event(EventType::ApiKeyCreated, Some(token.id.as_str()), Json::Object(data))
    }

    /// Its id is given: the row that says what was issued names it too.
    pub(crate) fn signature_issued(&self, id: &EventId, subject: &Subject<'_>, metadata: &Content) -> Event {
        let data = subject.data([("metadata", metadata.to_json())]);
        self.event_of(id, EventType::SignatureIssued, subject.key.map(KeyId::as_str), data)
    }

    pub(crate) fn signature_withheld(&self, key: &KeyId, event: &EventId) -> Result<Event, Error> {
        let data = Json::object([("eventId", event.as_str().into()), ("keyId", key.as_str().into())]);
        self.event(EventType::SignatureWithheld, Some(key.as_str()), data)
    }

    pub(crate) fn signature_refused(&self, key: &KeyId, reason: &str) -> Result<Event, Error> {
        let data = Json::object([("keyId", key.as_str().into()), ("reason", reason.into())]);
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

    fn event(&self, event_type: EventType, subject: Option<&str>, data: Json) -> Result<Event, Error> {
        Ok(self.event_of(&EventId::generate(self.now)?, event_type, subject, data))
    }

    fn event_of(&self, id: &EventId, event_type: EventType, subject: Option<&str>, data: Json) -> Event {
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
    fn data<const N: usize>(&self, more: [(&str, Json); N]) -> Json {
        let algorithm = self.public_key.algorithm();
        let known = [
            ("algorithm", algorithm.name().into()),
            ("contextBase64", Base64(self.context.to_vec()).to_text().into()),
            ("fingerprint", hex::encode(self.public_key.fingerprint()).into()),
            ("keyId", self.key.map(KeyId::as_str).into()),
            ("payloadSha256", self.message.payload_sha256.as_deref().into()),
            ("payloadSize", self.message.payload_size.map(|size| size as u64).into()),
            ("ph", hex::encode(self.prehash.as_bytes()).into()),
            ("phAlg", algorithm.prehash().id().into()),
            ("signatureSha256", hex::encode(ledger::sha256(self.signature)).into()),
        ];
        let mut data = Object::default();
        for (name, value) in known.into_iter().chain(more) {
            data.insert(name, value);
        }
        Json::Object(data)
    }
}
