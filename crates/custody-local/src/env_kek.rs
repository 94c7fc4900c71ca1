//! The key-encryption key of the environment: it wraps data keys, encrypts what organisations handed over, and tags
//! records.
//!
//! `K(purpose, org) = HKDF-SHA256(ikm = KEK, salt = "", info = "postq-vault v1" || 0x00 || purpose || 0x00 || org)`, and
//! `wrapped = 0x01 || kekId(8) || nonce(12) || AES-256-GCM(K("dek", org), nonce, DEK, aad)` with a tag of 16 bytes.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::lock::Mutex;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use ledger::Json;
use sha2::{Digest, Sha256};
use vault::{
    custody::{
        CloudName, CustodyError, Dek, KeyEncryption, NewDek, RootKek, SealedSecret, Subject, WrappedDek,
    },
    id::OrgId,
    providers::KekProvider,
    random,
    record_tag::{KekId, RecordTag},
    sealed,
};
use zeroize::Zeroizing;

/// A key-encryption key: 32 bytes, erased when dropped, without `Debug`.
pub struct Kek(Zeroizing<[u8; 32]>);

/// The variable that holds the current key-encryption key.
pub const KEK_VARIABLE: &str = "POSTQ_SIGNING_KEK";

/// The variable that holds the previous one, while rows are being moved.
pub const PREVIOUS_KEK_VARIABLE: &str = "POSTQ_SIGNING_KEK_PREVIOUS";

/// Why an environment holds no key-encryption key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvKekError {
    /// The variable is not set.
    #[error(
        "set {KEK_VARIABLE} to 32 random bytes in base64, for example: export {KEK_VARIABLE}=$(openssl rand -base64 32)"
    )]
    Missing,
    /// It is set, to something else.
    #[error(
        "{variable} is malformed: {fault}; set it to 32 random bytes in base64, as `openssl rand -base64 32` prints them"
    )]
    Malformed {
        /// Which variable.
        variable: &'static str,
        /// What is wrong with it.
        fault: KekError,
    },
}

/// Why a string is no key-encryption key. It never repeats the string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KekError {
    /// Not base64.
    #[error("it is not padded standard base64")]
    Base64,
    /// Base64 of another length.
    #[error("it holds {0} bytes where a key-encryption key has 32")]
    Length(usize),
}

impl Kek {
    /// Reads 32 bytes in padded standard base64; white space around it is no part of it.
    ///
    /// # Errors
    /// [`KekError`].
    pub fn from_base64(text: &str) -> Result<Self, KekError> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| KekError::Base64)?);
        sealed::secret_from(&bytes).map(Self).ok_or(KekError::Length(bytes.len()))
    }

    /// 32 bytes that something else opened.
    #[must_use]
    pub const fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`random::Unavailable`].
    pub fn generate() -> Result<Self, random::Unavailable> {
        Ok(Self(random::generate_secret()?))
    }

    /// The form in which it is kept: whoever has it can open every key of an embedded vault.
    #[must_use]
    pub fn expose_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }

    /// The first 8 bytes of SHA-256("postq-vault kek id v1" || KEK).
    #[must_use]
    pub fn derive_id(&self) -> KekId {
        let hash =
            Sha256::new().chain_update(b"postq-vault kek id v1").chain_update(self.0.as_slice()).finalize();
        let mut id = [0; 8];
        for (to, from) in id.iter_mut().zip(hash) {
            *to = from;
        }
        KekId(id)
    }

    fn derive_key(&self, purpose: &str, org: &OrgId) -> Result<Zeroizing<[u8; 32]>, CustodyError> {
        let info = [b"postq-vault v1\0", purpose.as_bytes(), b"\0", org.as_str().as_bytes()].concat();
        let mut key = Zeroizing::new([0; 32]);
        // HKDF refuses only more than 255 blocks; this is one.
        Hkdf::<Sha256>::new(None, self.0.as_slice())
            .expand(&info, key.as_mut_slice())
            .map_err(|_| CustodyError::Primitive("HKDF"))?;
        Ok(key)
    }
}

/// Key-encryption keys that are fetched when they are first needed.
#[async_trait]
pub trait KekSource: Send + Sync {
    /// The current one and, while rows are being moved, the previous one. Where it fails, it is asked again the next time.
    async fn open(&self) -> Result<(Kek, Option<Kek>), CustodyError>;
}

/// The current key-encryption key and, while rows are being moved, the previous one.
pub struct EnvKek {
    opened: Mutex<Option<Arc<Keks>>>,
    source: Option<Box<dyn KekSource>>,
}

struct Keks {
    current: Kek,
    previous: Option<Kek>,
}

impl EnvKek {
    /// New wrappings and tags are the current key's; both open old ones.
    #[must_use]
    pub fn new(current: Kek, previous: Option<Kek>) -> Self {
        Self { opened: Mutex::new(Some(Arc::new(Keks { current, previous }))), source: None }
    }

    /// The same, fetched from elsewhere on first use and kept from then on.
    #[must_use]
    pub fn opened_on_first_use(source: Box<dyn KekSource>) -> Self {
        Self { opened: Mutex::new(None), source: Some(source) }
    }

    /// Reads the values of the two variables; an empty one is one that is not set.
    ///
    /// # Errors
    /// [`EnvKekError`], which says what to set.
    pub fn from_variables(current: Option<&str>, previous: Option<&str>) -> Result<Self, EnvKekError> {
        let read = |variable, value: Option<&str>| match value.filter(|value| !value.trim().is_empty()) {
            Some(value) => {
                Kek::from_base64(value).map(Some).map_err(|fault| EnvKekError::Malformed { variable, fault })
            }
            None => Ok(None),
        };
        let current = read(KEK_VARIABLE, current)?.ok_or(EnvKekError::Missing)?;
        Ok(Self::new(current, read(PREVIOUS_KEK_VARIABLE, previous)?))
    }

    async fn keks(&self) -> Result<Arc<Keks>, CustodyError> {
        let mut opened = self.opened.lock().await;
        match (opened.as_ref(), &self.source) {
            (Some(keks), _) => Ok(keks.clone()),
            (None, Some(source)) => {
                let (current, previous) = source.open().await?;
                Ok(opened.insert(Arc::new(Keks { current, previous })).clone())
            }
            (None, None) => Err(CustodyError::Primitive("the source of key-encryption keys")),
        }
    }
}

impl Keks {
    fn find(&self, id: KekId) -> Result<&Kek, CustodyError> {
        std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|kek| kek.derive_id() == id)
            .ok_or(CustodyError::UnknownKek(id))
    }

    fn wrap(&self, subject: Subject<'_>, dek: &Dek) -> Result<WrappedDek, CustodyError> {
        let id = self.current.derive_id();
        let key = self.current.derive_key(DEK, subject.org)?;
        let mut bytes = vec![VERSION];
        bytes.extend(id.0);
        bytes.extend(sealed::encrypt(&key, &dek_aad(id, subject), dek.0.as_slice())?);
        Ok(WrappedDek { bytes, kek_key_id: None })
    }

    fn seal_secret(
        &self,
        org: &OrgId,
        cloud: CloudName,
        secret: &[u8],
    ) -> Result<SealedSecret, CustodyError> {
        let id = self.current.derive_id();
        let key = self.current.derive_key(PROVIDER_SECRET, org)?;
        let mut bytes = vec![VERSION];
        bytes.extend(id.0);
        bytes.extend(sealed::encrypt(&key, &aad(id, org, PROVIDER_SECRET, cloud.name()), secret)?);
        Ok(SealedSecret(bytes))
    }

    fn open_secret(
        &self,
        org: &OrgId,
        cloud: CloudName,
        sealed: &SealedSecret,
    ) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
        let (id, body) = parse(&sealed.0).ok_or(CustodyError::NotAuthentic)?;
        let key = self.find(id)?.derive_key(PROVIDER_SECRET, org)?;
        let aad = aad(id, org, PROVIDER_SECRET, cloud.name());
        sealed::decrypt(&key, &aad, body).ok_or(CustodyError::NotAuthentic)
    }

    fn unwrap(&self, subject: Subject<'_>, wrapped: &WrappedDek) -> Result<(KekId, Dek), CustodyError> {
        let (id, body) = parse(&wrapped.bytes).ok_or(CustodyError::NotAuthentic)?;
        let key = self.find(id)?.derive_key(DEK, subject.org)?;
        let dek = sealed::decrypt(&key, &dek_aad(id, subject), body).ok_or(CustodyError::NotAuthentic)?;
        let dek = sealed::secret_from(&dek).ok_or(CustodyError::NotAuthentic)?;
        Ok((id, Dek(dek)))
    }
}

#[async_trait]
impl KeyEncryption for EnvKek {
    fn provider(&self) -> KekProvider {
        KekProvider::Env
    }

    async fn generate_dek(&self, subject: Subject<'_>) -> Result<NewDek, CustodyError> {
        let dek = Dek(random::generate_secret()?);
        let wrapped = self.keks().await?.wrap(subject, &dek)?;
        Ok(NewDek { dek, wrapped })
    }

    async fn unwrap_dek(&self, subject: Subject<'_>, wrapped: &WrappedDek) -> Result<Dek, CustodyError> {
        self.keks().await?.unwrap(subject, wrapped).map(|(_, dek)| dek)
    }

    async fn rewrap_dek(
        &self,
        subject: Subject<'_>,
        wrapped: &WrappedDek,
    ) -> Result<Option<WrappedDek>, CustodyError> {
        let keks = self.keks().await?;
        let (id, dek) = keks.unwrap(subject, wrapped)?;
        if id == keks.current.derive_id() {
            return Ok(None);
        }
        keks.wrap(subject, &dek).map(Some)
    }
}

#[async_trait]
impl RootKek for EnvKek {
    async fn current(&self) -> Result<KekId, CustodyError> {
        Ok(self.keks().await?.current.derive_id())
    }

    async fn known(&self) -> Result<Vec<KekId>, CustodyError> {
        let keks = self.keks().await?;
        Ok(std::iter::once(&keks.current).chain(&keks.previous).map(Kek::derive_id).collect())
    }

    async fn tag(&self, org: &OrgId, record: &[u8]) -> Result<RecordTag, CustodyError> {
        let keks = self.keks().await?;
        let mac = mac(&keks.current, org, record)?.finalize().into_bytes().into();
        Ok(RecordTag::assemble(keks.current.derive_id(), &mac))
    }

    async fn seal_secret(
        &self,
        org: &OrgId,
        cloud: CloudName,
        secret: &[u8],
    ) -> Result<SealedSecret, CustodyError> {
        self.keks().await?.seal_secret(org, cloud, secret)
    }

    async fn open_secret(
        &self,
        org: &OrgId,
        cloud: CloudName,
        sealed: &SealedSecret,
    ) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
        self.keks().await?.open_secret(org, cloud, sealed)
    }

    async fn check(&self, org: &OrgId, record: &[u8], tag: &RecordTag) -> Result<bool, CustodyError> {
        Ok(mac(self.keks().await?.find(tag.kek())?, org, record)?.verify_slice(tag.mac()).is_ok())
    }
}

fn mac(kek: &Kek, org: &OrgId, record: &[u8]) -> Result<Hmac<Sha256>, CustodyError> {
    let key = kek.derive_key("record", org)?;
    // HMAC takes a key of any length.
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.as_slice()).map_err(|_| CustodyError::Primitive("HMAC"))?;
    mac.update(record);
    Ok(mac)
}

fn dek_aad(id: KekId, subject: Subject<'_>) -> Vec<u8> {
    aad(id, subject.org, DEK, subject.key.as_str())
}

fn aad(id: KekId, org: &OrgId, purpose: &str, subject: &str) -> Vec<u8> {
    let bound = Json::object([
        ("kekId", id.to_string().into()),
        ("org", org.as_str().into()),
        ("purpose", purpose.into()),
        ("subject", subject.into()),
        ("v", 1.into()),
    ]);
    bound.to_canonical().into_bytes()
}

fn parse(wrapped: &[u8]) -> Option<(KekId, &[u8])> {
    let (&VERSION, rest) = wrapped.split_first()? else {
        return None;
    };
    let (id, body) = rest.split_first_chunk::<8>()?;
    Some((KekId(*id), body))
}

const VERSION: u8 = 0x01;
const DEK: &str = "dek";
const PROVIDER_SECRET: &str = "provider-secret";

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use conformance::custody::Binds;

    use super::*;

    fn kek(byte: u8) -> Kek {
        Kek::from_base64(&STANDARD.encode([byte; 32])).unwrap()
    }

    #[tokio::test]
    async fn the_environments_kek_wraps_as_every_provider_must() {
        conformance::custody::key_encryption(&EnvKek::new(kek(1), None), Binds::Subject).await;
        conformance::custody::root_kek(&EnvKek::new(kek(1), None)).await;
        conformance::custody::secrets(&EnvKek::new(kek(1), None)).await;
    }

    #[tokio::test]
    async fn the_previous_kek_opens_and_the_current_one_wraps() {
        conformance::custody::kek_change(
            &EnvKek::new(kek(1), None),
            &EnvKek::new(kek(2), Some(kek(1))),
            &EnvKek::new(kek(2), None),
        )
        .await;
    }

    #[tokio::test]
    async fn a_kek_from_elsewhere_is_fetched_on_first_use_and_again_where_that_failed() {
        struct Source(AtomicUsize);
        #[async_trait]
        impl KekSource for Source {
            async fn open(&self) -> Result<(Kek, Option<Kek>), CustodyError> {
                match self.0.fetch_add(1, Ordering::SeqCst) {
                    0 => Err(CustodyError::Primitive("the first try")),
                    1 => Ok((kek(1), None)),
                    _ => panic!("it was fetched already"),
                }
            }
        }
        let lazy = EnvKek::opened_on_first_use(Box::new(Source(AtomicUsize::new(0))));
        assert!(lazy.current().await.is_err());
        assert_eq!(lazy.current().await, Ok(kek(1).derive_id()));
        conformance::custody::key_encryption(&lazy, Binds::Subject).await;
        conformance::custody::root_kek(&lazy).await;
    }

    #[test]
    fn a_malformed_kek_is_refused_and_not_repeated() {
        assert_eq!(Kek::from_base64("not base64!").err(), Some(KekError::Base64));
        assert_eq!(Kek::from_base64(&STANDARD.encode([1; 31])).err(), Some(KekError::Length(31)));
        assert!(Kek::from_base64(&format!(" {}\n", STANDARD.encode([1; 32]))).is_ok());
    }

    #[test]
    fn a_missing_or_malformed_variable_says_what_to_set() {
        let refusal =
            |current, previous| EnvKek::from_variables(current, previous).err().unwrap().to_string();
        assert!(refusal(None, None).contains("set POSTQ_SIGNING_KEK to 32 random bytes"));
        assert!(refusal(Some(" "), None).contains("set POSTQ_SIGNING_KEK to 32 random bytes"));
        let good = STANDARD.encode([1; 32]);
        let malformed = refusal(Some(&good), Some("c2hvcnQ="));
        assert!(
            malformed.contains("POSTQ_SIGNING_KEK_PREVIOUS") && malformed.contains("5 bytes"),
            "{malformed}"
        );
        assert!(EnvKek::from_variables(Some(&good), Some("")).is_ok());
    }
}
