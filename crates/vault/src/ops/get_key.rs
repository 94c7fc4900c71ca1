//! Shows a key.

use std::sync::Arc;

use composite::Algorithm;
use ledger::Content;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Error,
    caller::Caller,
    providers::{KekProvider, KeyProvider, PqProvider, Tier},
    settings::keeps_opened,
    store::{KeyRecord, KeyStatus, Keys, Settings, Usage},
};

/// What showing a key touches.
#[derive(Clone)]
pub struct Ports {
    /// Keys are read.
    pub keys: Arc<dyn Keys>,
    /// When they last signed is read.
    pub usage: Arc<dyn Usage>,
    /// How long halves may stay opened is read, where a cloud wraps a data key.
    pub settings: Arc<dyn Settings>,
}

/// A key as the API shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// `key_…`
    pub id: String,
    /// 1 to 128 characters.
    pub name: String,
    /// The composite algorithm.
    #[schema(value_type = AlgorithmName)]
    pub algorithm: Algorithm,
    /// Where it is in its life.
    pub status: KeyStatus,
    /// Who wraps the data key; null where the vault keeps neither half.
    pub kek_provider: Option<KekProvider>,
    /// The complete name of the key that wraps the data key, where a cloud has it; for AWS KMS its ARN.
    pub kek_key_id: Option<String>,
    /// Who holds the classical half.
    pub key_provider: KeyProvider,
    /// The complete name of the classical half, where a cloud holds it.
    pub classical_key_id: Option<String>,
    /// Who holds the ML-DSA half.
    pub pq_provider: PqProvider,
    /// The complete name of the ML-DSA half, where a cloud holds it.
    pub pq_key_id: Option<String>,
    /// How little of the key is in the vault's hands, 0 to 3.
    pub tier: Tier,
    /// For how many seconds a process may keep the halves opened that the vault keeps: 300 where it wraps their data key itself, else as
    /// the settings say; null where it keeps neither half.
    pub dek_cache_ttl_seconds: Option<u16>,
    /// SHA-256 over `pq || classical`, lower-case hex.
    pub fingerprint: String,
    /// The key that it follows.
    pub predecessor_id: Option<String>,
    /// The key that follows it.
    pub successor_id: Option<String>,
    /// Whether a caller that asks for it may have the line's newest key sign in its place.
    pub allow_follow: bool,
    /// After so many days the vault rotates it by itself; null where it does not.
    pub rotate_after_days: Option<u16>,
    /// When it is to be rotated; null where it is not, or has ended.
    pub rotates_at: Option<String>,
    /// What its creator noted; never changes.
    #[schema(value_type = Object)]
    pub metadata: Content,
    /// RFC 3339 UTC with milliseconds.
    pub created_at: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When it last signed, as far as the ledger has been sequenced.
    pub last_used_at: Option<String>,
}

/// A key with its public key.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyWithPublicKey {
    /// The key.
    #[serde(flatten)]
    pub key: Key,
    /// The composite public key, a JSON string: `{"v":1,"alg":…,"classical":"<base64>","pq":"<base64>"}`.
    pub public_key: String,
}

/// The algorithms' names, for the API's description alone.
#[derive(ToSchema)]
#[schema(as = Algorithm)]
pub enum AlgorithmName {
    /// ML-DSA-44 with Ed25519.
    #[schema(rename = "mldsa44+ed25519")]
    MlDsa44Ed25519,
    /// ML-DSA-44 with ECDSA P-256.
    #[schema(rename = "mldsa44+ecdsa-p256")]
    MlDsa44EcdsaP256,
    /// ML-DSA-65 with ECDSA P-256.
    #[schema(rename = "mldsa65+ecdsa-p256")]
    MlDsa65EcdsaP256,
    /// ML-DSA-65 with Ed25519: the default.
    #[schema(rename = "mldsa65+ed25519")]
    MlDsa65Ed25519,
    /// ML-DSA-87 with Ed25519, under a vendor label.
    #[schema(rename = "mldsa87+ed25519")]
    MlDsa87Ed25519,
    /// ML-DSA-87 with ECDSA P-256, under a vendor label.
    #[schema(rename = "mldsa87+ecdsa-p256")]
    MlDsa87EcdsaP256,
}

/// Shows a key of the caller's organisation.
///
/// # Errors
/// [`Error::NotFound`] for an unknown, foreign or malformed id alike.
pub async fn get_key(ports: &Ports, caller: &Caller, id: &str) -> Result<KeyWithPublicKey, Error> {
    let mut key = KeyWithPublicKey::from(super::find_user_key(ports.keys.as_ref(), caller, id).await?);
    add_cache_ttl(ports.settings.as_ref(), caller, std::iter::once(&mut key.key)).await?;
    add_last_used(ports.usage.as_ref(), caller, std::iter::once(&mut key.key)).await?;
    Ok(key)
}

/// How long halves may stay opened is the organisation's to say, where its clouds wrap their data keys.
pub(super) async fn add_cache_ttl<'a>(
    settings: &dyn Settings,
    caller: &Caller,
    keys: impl Iterator<Item = &'a mut Key> + Send,
) -> Result<(), Error> {
    let keys: Vec<&mut Key> = keys.collect();
    let by_a_cloud = |key: &&mut Key| key.kek_provider.is_some_and(|kek| kek.cloud().is_some());
    let settings = match keys.iter().any(by_a_cloud) {
        true => settings.settings(&caller.org).await?,
        false => None,
    };
    for key in keys {
        key.dek_cache_ttl_seconds = key.kek_provider.map(|kek| keeps_opened(kek, settings.as_ref()));
    }
    Ok(())
}

/// When keys last signed stands in rows of its own, because signing never writes the key's.
pub(super) async fn add_last_used<'a>(
    usage: &dyn Usage,
    caller: &Caller,
    keys: impl Iterator<Item = &'a mut Key> + Send,
) -> Result<(), Error> {
    let keys: Vec<&mut Key> = keys.collect();
    let ids = keys.iter().map(|key| key.id.parse()).collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() {
        return Ok(());
    }
    let used = usage.last_used(&caller.org, &ids).await?;
    for (key, at) in keys.into_iter().zip(used) {
        key.last_used_at = at.map(|at| at.to_string());
    }
    Ok(())
}

impl From<KeyRecord> for Key {
    fn from(record: KeyRecord) -> Self {
        Self {
            rotates_at: record.rotates_at().map(|at| at.to_string()),
            tier: record.tier,
            // It is the settings' to say: whoever shows the key fills it in.
            dek_cache_ttl_seconds: None,
            fingerprint: hex::encode(record.public_key.fingerprint()),
            algorithm: record.public_key.algorithm(),
            id: record.id.to_string(),
            name: record.name,
            status: record.status,
            kek_provider: record.kek.as_ref().map(|kek| kek.provider),
            kek_key_id: record.kek.and_then(|kek| kek.wrapped.kek_key_id),
            key_provider: record.classical.provider,
            classical_key_id: record.classical.key_id,
            pq_provider: record.pq.provider,
            pq_key_id: record.pq.key_id,
            predecessor_id: record.predecessor.map(|id| id.to_string()),
            successor_id: record.successor.map(|id| id.to_string()),
            allow_follow: record.allow_follow,
            rotate_after_days: record.rotate_after_days,
            metadata: record.metadata,
            created_at: record.created_at.to_string(),
            revoked_at: record.revoked_at.map(|at| at.to_string()),
            last_used_at: None,
        }
    }
}

impl From<KeyRecord> for KeyWithPublicKey {
    fn from(record: KeyRecord) -> Self {
        Self { public_key: record.public_key.to_json(), key: record.into() }
    }
}
