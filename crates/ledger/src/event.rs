//! An event, the payload of a ledger entry before it has its place.

use canonical_json::Json;
use serde::{Deserialize, Serialize};

use crate::{Payload, sha256};

/// What happened. The names are those of the ledger, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventType {
    /// A key was made.
    #[serde(rename = "key.created")]
    KeyCreated,
    /// A signature was committed; it may have left unless a [`EventType::SignatureWithheld`] follows.
    #[serde(rename = "signature.issued")]
    SignatureIssued,
    /// A committed signature did not leave, because its key was revoked meanwhile.
    #[serde(rename = "signature.withheld")]
    SignatureWithheld,
    /// A sign call was refused.
    #[serde(rename = "signature.refused")]
    SignatureRefused,
    /// A signature was checked.
    #[serde(rename = "signature.verified")]
    SignatureVerified,
    /// A key was followed by another.
    #[serde(rename = "key.rotated")]
    KeyRotated,
    /// A key was revoked.
    #[serde(rename = "key.revoked")]
    KeyRevoked,
    /// An API token was made.
    #[serde(rename = "api_key.created")]
    ApiKeyCreated,
    /// An API token was revoked.
    #[serde(rename = "api_key.revoked")]
    ApiKeyRevoked,
    /// An organisation's settings were changed.
    #[serde(rename = "vault.settings_changed")]
    SettingsChanged,
    /// A policy was made, changed or deleted.
    #[serde(rename = "policy.changed")]
    PolicyChanged,
    /// Something was done, or refused, that a policy is against.
    #[serde(rename = "policy.violated")]
    PolicyViolated,
    /// A caller's own.
    #[serde(rename = "custom.event")]
    Custom,
}

impl EventType {
    /// Every type that this version writes.
    pub const ALL: [Self; 13] = [
        Self::KeyCreated,
        Self::KeyRotated,
        Self::KeyRevoked,
        Self::SignatureIssued,
        Self::SignatureWithheld,
        Self::SignatureRefused,
        Self::SignatureVerified,
        Self::ApiKeyCreated,
        Self::ApiKeyRevoked,
        Self::SettingsChanged,
        Self::PolicyChanged,
        Self::PolicyViolated,
        Self::Custom,
    ];

    /// The name in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeyCreated => "key.created",
            Self::KeyRotated => "key.rotated",
            Self::KeyRevoked => "key.revoked",
            Self::SignatureIssued => "signature.issued",
            Self::SignatureWithheld => "signature.withheld",
            Self::SignatureRefused => "signature.refused",
            Self::SignatureVerified => "signature.verified",
            Self::ApiKeyCreated => "api_key.created",
            Self::ApiKeyRevoked => "api_key.revoked",
            Self::SettingsChanged => "vault.settings_changed",
            Self::PolicyChanged => "policy.changed",
            Self::PolicyViolated => "policy.violated",
            Self::Custom => "custom.event",
        }
    }
}

/// One event of an organisation. Its place (`seq`) comes later and is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event {
    /// `evt_…`
    pub id: String,
    /// `org_…`
    pub org: String,
    /// What happened.
    pub event_type: EventType,
    /// The token (`apk_…`) or the worker on whose behalf.
    pub actor_id: String,
    /// What it happened to: a key, a token; null where nothing has an id.
    pub subject_id: Option<String>,
    /// RFC 3339 UTC with milliseconds.
    pub issued_at: String,
    /// Digests and ids; never a payload, never a secret.
    pub data: Json,
}

impl Event {
    /// The canonical payload without `seq`.
    #[must_use]
    pub fn canonical_without_seq(&self) -> Vec<u8> {
        self.members().to_canonical().into_bytes()
    }

    /// The payload of the event's entry, at its place.
    #[must_use]
    pub fn payload(&self, seq: u64) -> Payload {
        let mut payload = self.members();
        if let Json::Object(members) = &mut payload {
            members.insert("seq", seq.into());
        }
        Payload::new(payload)
    }

    fn members(&self) -> Json {
        Json::object([
            ("actorId", self.actor_id.as_str().into()),
            ("data", self.data.clone()),
            ("eventType", self.event_type.name().into()),
            ("id", self.id.as_str().into()),
            ("issuedAt", self.issued_at.as_str().into()),
            ("org", self.org.as_str().into()),
            ("subjectId", self.subject_id.as_deref().into()),
            ("v", 1.into()),
        ])
    }

    /// SHA-256 over the canonical payload without `seq`: given to the caller at once, who can then tell whether the event was
    /// left out of the ledger, or changed. It is not signed, so it convinces nobody else.
    #[must_use]
    pub fn derive_digest(&self) -> [u8; 32] {
        sha256(&self.canonical_without_seq())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_over_the_payload_without_its_place() {
        let event = Event {
            id: "evt_1".into(),
            org: "org_1".into(),
            event_type: EventType::KeyCreated,
            actor_id: "apk_1".into(),
            subject_id: None,
            issued_at: "2026-01-02T03:04:05.678Z".into(),
            data: Json::object([("b", 1.into()), ("a", "x".into())]),
        };
        let canonical = r#"{"actorId":"apk_1","data":{"a":"x","b":1},"eventType":"key.created","id":"evt_1","issuedAt":"2026-01-02T03:04:05.678Z","org":"org_1","subjectId":null,"v":1}"#;
        assert_eq!(String::from_utf8(event.canonical_without_seq()).unwrap(), canonical);
        assert_eq!(event.derive_digest(), sha256(canonical.as_bytes()));
    }
}
