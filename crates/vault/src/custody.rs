//! Who holds keys: the traits that the vault calls, and the registry of those that this process has.
//!
//! A provider is a plain struct behind one of these traits. What the vault hands it names the organisation and the key, so
//! that a provider can bind what it does to both.

mod assertions;
mod breakers;
mod call;
mod cloud;
mod opened;

use std::sync::Arc;

use async_trait::async_trait;
use composite::{CLASSICAL_SIGNATURE_LEN, ClassicalAlgorithm, MlDsaSet, PublicKey, SECRET_LEN, SigningInput};
use zeroize::Zeroizing;

use crate::{
    id::{KeyId, OrgId},
    providers::{KekProvider, KeyProvider, PqProvider},
    random,
    record_tag::{KekId, RecordTag},
};

pub use assertions::{AssertionError, Assertions, NoAssertions};
pub use breakers::{Breakers, Turn};
pub use call::{Call, Failed, is_young};
pub use cloud::{
    Cloud, CloudFault, CloudName, Deletion, DeploymentId, Entered, HalfAlgorithm, MarkedHalf, Remains,
    RemoteHalves,
};
pub(crate) use opened::DEK_CACHE_TTL_OF_ENV;
pub use opened::{OpenedHalves, OpenedKeys};

/// Wraps the data keys of hybrid keys.
#[async_trait]
pub trait KeyEncryption: Send + Sync {
    /// The name of the axis' value that this is.
    fn provider(&self) -> KekProvider;

    /// Makes a fresh data key of 32 random bytes, wrapped so that it opens for this organisation and key alone.
    async fn generate_dek(&self, subject: Subject<'_>) -> Result<NewDek, CustodyError>;

    /// Opens a wrapped data key.
    ///
    /// Fails with [`CustodyError::NotAuthentic`] for bytes that were wrapped for another subject or were changed, as far as
    /// the provider binds them, and with [`CustodyError::UnknownKek`] where the key that wrapped them is not at hand.
    async fn unwrap_dek(&self, subject: Subject<'_>, wrapped: &WrappedDek) -> Result<Dek, CustodyError>;

    /// Wraps a data key anew under the provider's current key; `None` where it already is.
    async fn rewrap_dek(
        &self,
        subject: Subject<'_>,
        wrapped: &WrappedDek,
    ) -> Result<Option<WrappedDek>, CustodyError>;
}

/// Holds the classical halves of hybrid keys.
#[async_trait]
pub trait ClassicalSigner: Send + Sync {
    /// The name of the axis' value that this is.
    fn provider(&self) -> KeyProvider;

    /// Makes a half.
    async fn generate(
        &self,
        subject: Subject<'_>,
        algorithm: ClassicalAlgorithm,
    ) -> Result<NewHalf, CustodyError>;

    /// Signs M': 64 bytes, Ed25519 or ECDSA r‖s with low s.
    ///
    /// Where the half's public key is not the one in `public_key`, a holder of opened secrets, which derives it again, fails with
    /// [`CustodyError::OtherPublicKey`], and a cloud, which verifies what it was handed, with [`CloudFault::WrongAnswer`].
    async fn sign(
        &self,
        half: Half<'_>,
        public_key: &PublicKey,
        input: &SigningInput,
    ) -> Result<[u8; CLASSICAL_SIGNATURE_LEN], CustodyError>;
}

/// Holds the ML-DSA halves of hybrid keys.
#[async_trait]
pub trait PqSigner: Send + Sync {
    /// The name of the axis' value that this is.
    fn provider(&self) -> PqProvider;

    /// Makes a half.
    async fn generate(&self, subject: Subject<'_>, set: MlDsaSet) -> Result<NewHalf, CustodyError>;

    /// Signs M' under the label as context, or its external mu: hedged, of the parameter set's length.
    ///
    /// Where the half's public key is not the one in `public_key`, a holder of opened secrets, which derives it again, fails with
    /// [`CustodyError::OtherPublicKey`], and a cloud, which verifies what it was handed, with [`CloudFault::WrongAnswer`].
    async fn sign(
        &self,
        half: Half<'_>,
        public_key: &PublicKey,
        input: &SigningInput,
    ) -> Result<Vec<u8>, CustodyError>;
}

/// The vault's own key-encryption key, in its other role: it tags the records that the vault writes, so that whoever can
/// write the database can make no key of their own pass.
#[async_trait]
pub trait RootKek: Send + Sync {
    /// The id of the key that new tags name.
    async fn current(&self) -> Result<KekId, CustodyError>;

    /// The ids of all keys at hand, the current one first.
    async fn known(&self) -> Result<Vec<KekId>, CustodyError>;

    /// Tags a record of an organisation under the current key.
    async fn tag(&self, org: &OrgId, record: &[u8]) -> Result<RecordTag, CustodyError>;

    /// Encrypts, under the current key, what an organisation handed over to be used at a cloud, so that it opens for this organisation
    /// and cloud alone.
    async fn seal_secret(
        &self,
        org: &OrgId,
        cloud: CloudName,
        secret: &[u8],
    ) -> Result<SealedSecret, CustodyError>;

    /// Opens it. Fails as [`KeyEncryption::unwrap_dek`] does.
    async fn open_secret(
        &self,
        org: &OrgId,
        cloud: CloudName,
        sealed: &SealedSecret,
    ) -> Result<Zeroizing<Vec<u8>>, CustodyError>;

    /// Checks a tag in constant time. `Ok(false)` where it is not the record's; [`CustodyError::UnknownKek`] where the key
    /// that it names is not at hand.
    async fn check(&self, org: &OrgId, record: &[u8], tag: &RecordTag) -> Result<bool, CustodyError>;
}

/// What an organisation handed over to be used at a cloud, encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret(pub Vec<u8>);

impl SealedSecret {
    /// The key-encryption key that it names; `None` for bytes that the vault would not have written.
    #[must_use]
    pub fn kek(&self) -> Option<KekId> {
        let (&1, rest) = self.0.split_first()? else { return None };
        rest.first_chunk::<8>().map(|id| KekId(*id))
    }
}

/// The same, opened for one request: text, erased when dropped, without `Debug`.
pub struct ProviderSecret(pub Zeroizing<String>);

/// Whose key it is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The organisation.
    pub org: &'a OrgId,
    /// The hybrid key.
    pub key: &'a KeyId,
}

/// A data key: 32 bytes, erased when dropped, without `Debug`.
pub struct Dek(pub Zeroizing<[u8; 32]>);

/// A data key as a provider wrapped it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDek {
    /// The wrapped bytes, in the provider's own form.
    pub bytes: Vec<u8>,
    /// The provider's complete name for the key that wrapped them; `None` for the vault's own.
    pub kek_key_id: Option<String>,
}

/// A data key just made.
pub struct NewDek {
    /// In the clear, for sealing.
    pub dek: Dek,
    /// Wrapped, for storing.
    pub wrapped: WrappedDek,
}

/// The secret of a half that the vault keeps: 32 bytes, erased when dropped, without `Debug`.
pub struct HalfSecret(pub Zeroizing<[u8; SECRET_LEN]>);

/// A half just made.
pub struct NewHalf {
    /// Its encoded public key.
    pub public_key: Vec<u8>,
    /// Where its secret is.
    pub secret: Kept,
}

/// Where the secret of a new half is.
pub enum Kept {
    /// Here, for the vault to seal under the key's data key.
    Here(HalfSecret),
    /// At the provider, under its complete name for it.
    AtProvider(String),
}

/// A half that is to sign.
#[derive(Clone, Copy)]
pub enum Half<'a> {
    /// The vault keeps it: its seal was opened, for this signature or one shortly before.
    Opened(&'a OpenedHalves),
    /// The provider's complete name for it.
    AtProvider(&'a str),
}

/// Why a provider did not do what the vault asked. No variant carries a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustodyError {
    /// The bytes name a key-encryption key that is not at hand.
    #[error("key-encryption key {0} is not loaded")]
    UnknownKek(KekId),
    /// The bytes are not what this provider wrapped for this subject.
    #[error("the wrapped bytes are not authentic")]
    NotAuthentic,
    /// The half's secret belongs to another public key.
    #[error("the half belongs to another public key")]
    OtherPublicKey,
    /// A half was handed to a holder that has none of its kind.
    #[error("this holder does not hold such a half")]
    NotHeldHere,
    /// No such cloud in this process.
    #[error("{cloud} is not part of this deployment")]
    NoCloud {
        /// Which.
        cloud: CloudName,
        /// Those that are.
        at_hand: Vec<CloudName>,
    },
    /// The organisation's settings name no account in the cloud.
    #[error("the organisation names no account of {0}")]
    NoAccount(CloudName),
    /// A cloud did not do it.
    #[error("{detail}")]
    Cloud {
        /// Which.
        cloud: CloudName,
        /// Why not.
        fault: CloudFault,
        /// What it was asked for, by the name that its policies have for it.
        action: &'static str,
        /// What a call that was to make something left there.
        remains: Remains,
        /// The call, on what, and the cloud's own words; no credential is among them.
        detail: String,
    },
    /// The vault's own key-encryption key could not be fetched.
    #[error("the vault's own key-encryption key could not be opened: {0}")]
    RootKek(String),
    /// A primitive refused what it never refuses.
    #[error("{0} refused its input")]
    Primitive(&'static str),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] random::Unavailable),
    /// The signature could not be computed.
    #[error(transparent)]
    Composite(#[from] composite::Error),
}

/// The providers that this process has.
#[derive(Clone)]
pub struct Custody {
    /// Tags records.
    pub root: Arc<dyn RootKek>,
    /// Wraps data keys here: `env`.
    pub kek: Arc<dyn KeyEncryption>,
    /// Holds classical halves here: `postq-managed`.
    pub classical: Arc<dyn ClassicalSigner>,
    /// Holds ML-DSA halves here: `postq-managed`.
    pub pq: Arc<dyn PqSigner>,
    /// Those that do so elsewhere.
    pub clouds: Vec<Arc<dyn Cloud>>,
    /// Halves that were opened, for the next signature.
    pub opened: Arc<OpenedKeys>,
}

impl Custody {
    pub(crate) fn cloud(&self, name: CloudName) -> Result<&dyn Cloud, CustodyError> {
        let found = self.clouds.iter().map(AsRef::as_ref).find(|cloud| cloud.name() == name);
        found.ok_or_else(|| self.no_cloud(name))
    }

    pub(crate) fn no_cloud(&self, cloud: CloudName) -> CustodyError {
        CustodyError::NoCloud { cloud, at_hand: self.clouds.iter().map(|cloud| cloud.name()).collect() }
    }
}
