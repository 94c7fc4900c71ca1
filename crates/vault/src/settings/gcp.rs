//! A Google Cloud account: a key that wraps, a key ring that halves are made in, and the identity by which both are used.
//!
//! Names are read letter by letter: what is accepted stands in the path of a request to Google's own host, and can name nothing there
//! but what it says.

mod key_file;

use std::fmt;

use ledger::Json;
use serde::{Deserialize, Serialize};

pub use key_file::ServiceAccountKey;

/// A Google Cloud account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GcpAccount {
    /// The symmetric key that wraps data keys.
    pub kek: CryptoKeyName,
    /// The key ring that halves are made in.
    pub ring: KeyRingName,
    /// What holds the halves there.
    pub protection: ProtectionLevel,
    /// As whom it is entered.
    pub auth: GcpAuth,
}

/// As whom a Google Cloud account is entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum GcpAuth {
    /// A service account, by a key of it that the organisation handed to the vault.
    ServiceAccountKey {
        /// The service account.
        account: ServiceAccount,
    },
    /// The deployment's own identity, by an assertion made for this organisation; nothing is stored.
    Federated {
        /// What takes the assertion.
        provider: WorkloadIdentityProvider,
        /// The service account that is then impersonated; without it the grants are the identity's own.
        account: Option<ServiceAccount>,
    },
}

/// What holds a key at Google Cloud KMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProtectionLevel {
    /// Google's software, the only one that has ML-DSA.
    #[serde(alias = "SOFTWARE")]
    Software,
    /// Google's hardware security modules (Cloud HSM).
    #[serde(alias = "HSM")]
    Hsm,
}

impl ProtectionLevel {
    /// The name in the API and in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Hsm => "hsm",
        }
    }
}

/// The complete name of a key ring: `projects/PROJECT/locations/LOCATION/keyRings/RING`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyRingName(String);

/// The complete name of a key: `projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CryptoKeyName(String);

/// The complete name of a key's version: `…/cryptoKeys/KEY/cryptoKeyVersions/NUMBER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CryptoKeyVersionName {
    /// The key.
    pub key: CryptoKeyName,
    text: String,
}

/// The complete name of what takes assertions: `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkloadIdentityProvider(String);

/// A service account, by its address: `NAME@PROJECT.iam.gserviceaccount.com`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceAccount(String);

/// A string that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOfGcp {
    /// No key ring's name.
    #[error("it must be a key ring's complete name, `projects/*/locations/*/keyRings/*`")]
    KeyRing,
    /// No key's name.
    #[error(
        "it must be a key's complete name and no version's, `projects/*/locations/*/keyRings/*/cryptoKeys/*`"
    )]
    CryptoKey,
    /// No version's name.
    #[error(
        "it must be a key version's complete name, `projects/*/locations/*/keyRings/*/cryptoKeys/*/cryptoKeyVersions/*`"
    )]
    CryptoKeyVersion,
    /// No provider's name.
    #[error(
        "it must be the complete name of a workload identity pool's provider, with the project's number, \
         `projects/*/locations/global/workloadIdentityPools/*/providers/*`"
    )]
    Provider,
    /// No service account.
    #[error("it must be a service account's address, such as NAME@PROJECT.iam.gserviceaccount.com")]
    ServiceAccount,
    /// No key file.
    #[error(
        "it must be the text of the JSON file that Google makes for a service account's key: an object with `type` \"service_account\", \
         `client_email`, `private_key_id`, `project_id` and an RSA `private_key` as PEM, of googleapis.com's universe"
    )]
    KeyFile,
}

impl KeyRingName {
    /// Reads one.
    ///
    /// # Errors
    /// [`NotOfGcp::KeyRing`].
    pub fn parse(text: &str) -> Result<Self, NotOfGcp> {
        match text.split('/').collect::<Vec<_>>()[..] {
            ["projects", project, "locations", location, "keyRings", ring]
                if is_project(project) && is_lower_word(location, 1..=63) && is_id(ring) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(NotOfGcp::KeyRing),
        }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The project that it is in: an id or a number.
    #[must_use]
    pub fn project(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }
}

impl CryptoKeyName {
    /// Reads one.
    ///
    /// # Errors
    /// [`NotOfGcp::CryptoKey`].
    pub fn parse(text: &str) -> Result<Self, NotOfGcp> {
        let (ring, id) = text.split_once("/cryptoKeys/").ok_or(NotOfGcp::CryptoKey)?;
        let sound = KeyRingName::parse(ring).is_ok() && is_id(id);
        if sound { Ok(Self(text.to_owned())) } else { Err(NotOfGcp::CryptoKey) }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A key of a ring, by its id there: 1 to 63 letters, digits, `_` and `-`.
    #[must_use]
    pub fn in_ring(ring: &KeyRingName, id: &str) -> Self {
        Self(format!("{}/cryptoKeys/{id}", ring.as_str()))
    }

    /// Its name below its project, which has an id and a number: an answer may have the one where the question had the other.
    #[must_use]
    pub fn place(&self) -> &str {
        self.0.split_once("/locations/").map_or("", |(_, place)| place)
    }

    /// The same, as the ring is named; `None` where it is not in the ring.
    #[must_use]
    pub fn moved_to(&self, ring: &KeyRingName) -> Option<Self> {
        let moved = Self::in_ring(ring, self.0.rsplit('/').next()?);
        (moved.place() == self.place()).then_some(moved)
    }

    /// The key ring that it is in.
    #[must_use]
    pub fn ring(&self) -> KeyRingName {
        KeyRingName(self.0.split_once("/cryptoKeys/").map_or("", |(ring, _)| ring).to_owned())
    }
}

impl CryptoKeyVersionName {
    /// Reads one.
    ///
    /// # Errors
    /// [`NotOfGcp::CryptoKeyVersion`].
    pub fn parse(text: &str) -> Result<Self, NotOfGcp> {
        let (key, version) = text.split_once("/cryptoKeyVersions/").ok_or(NotOfGcp::CryptoKeyVersion)?;
        let number = (1..=10).contains(&version.len())
            && version.bytes().all(|b| b.is_ascii_digit())
            && !version.starts_with('0');
        match CryptoKeyName::parse(key) {
            Ok(key) if number => Ok(Self { key, text: text.to_owned() }),
            _ => Err(NotOfGcp::CryptoKeyVersion),
        }
    }

    /// Whether a name is this version's, however its project is written.
    #[must_use]
    pub fn is_named_by(&self, name: &str) -> bool {
        Self::parse(name).is_ok_and(|named| named.moved_to(&self.key).as_ref() == Some(self))
    }

    /// The same, as the key is named; `None` where it is another key's.
    #[must_use]
    pub fn moved_to(&self, key: &CryptoKeyName) -> Option<Self> {
        let number = self.text.rsplit('/').next()?;
        let moved =
            || Self { text: format!("{}/cryptoKeyVersions/{number}", key.as_str()), key: key.clone() };
        (key.place() == self.key.place()).then(moved)
    }

    /// A key's first version.
    #[must_use]
    pub fn first_of(key: CryptoKeyName) -> Self {
        Self { text: format!("{}/cryptoKeyVersions/1", key.as_str()), key }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl WorkloadIdentityProvider {
    /// Reads one; `//iam.googleapis.com/` before it is taken off.
    ///
    /// # Errors
    /// [`NotOfGcp::Provider`].
    pub fn parse(text: &str) -> Result<Self, NotOfGcp> {
        let text = text.strip_prefix("//iam.googleapis.com/").unwrap_or(text);
        let number = |text: &str| (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        match text.split('/').collect::<Vec<_>>()[..] {
            [
                "projects",
                project,
                "locations",
                "global",
                "workloadIdentityPools",
                pool,
                "providers",
                provider,
            ] if number(project) && is_lower_word(pool, 4..=32) && is_lower_word(provider, 4..=32) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(NotOfGcp::Provider),
        }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ServiceAccount {
    /// Reads one.
    ///
    /// # Errors
    /// [`NotOfGcp::ServiceAccount`].
    pub fn parse(text: &str) -> Result<Self, NotOfGcp> {
        let (name, domain) = text.split_once('@').ok_or(NotOfGcp::ServiceAccount)?;
        let labels = |text: &str| text.split('.').all(|label| is_lower_word(label, 1..=63));
        let sound = is_lower_word(name, 1..=63)
            && text.len() <= 254
            && domain.ends_with(".gserviceaccount.com")
            && labels(domain);
        if sound { Ok(Self(text.to_owned())) } else { Err(NotOfGcp::ServiceAccount) }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl GcpAccount {
    /// Whether another way of naming an account leads to the same key ring, as the same identity, and wraps in the same project.
    #[must_use]
    pub fn is_entered_as(&self, other: &Self) -> bool {
        let project = |account: &Self| account.kek.ring().project().to_owned();
        self.ring == other.ring && self.auth == other.auth && project(self) == project(other)
    }

    /// The service account that it is entered as in the end, if any.
    #[must_use]
    pub const fn service_account(&self) -> Option<&ServiceAccount> {
        match &self.auth {
            GcpAuth::ServiceAccountKey { account } => Some(account),
            GcpAuth::Federated { account, .. } => account.as_ref(),
        }
    }

    /// What takes assertions, if it is entered by them.
    #[must_use]
    pub const fn provider(&self) -> Option<&WorkloadIdentityProvider> {
        match &self.auth {
            GcpAuth::ServiceAccountKey { .. } => None,
            GcpAuth::Federated { provider, .. } => Some(provider),
        }
    }

    /// What a stored key is bound to: SHA-256 over the projects that it is used in, and as whom. Whoever can write the settings cannot
    /// have it used in a project of their own.
    #[must_use]
    pub fn derive_binding(&self) -> [u8; 32] {
        let bound = Json::object([
            ("halvesProject", self.ring.project().into()),
            ("kekProject", self.kek.ring().project().into()),
            ("serviceAccountEmail", self.service_account().map(ServiceAccount::as_str).into()),
        ]);
        ledger::sha256(bound.to_canonical().as_bytes())
    }

    pub(super) fn to_event_data(&self) -> Json {
        Json::object([
            ("kekKeyName", self.kek.as_str().into()),
            ("keyRingName", self.ring.as_str().into()),
            ("protectionLevel", self.protection.name().into()),
            ("serviceAccountEmail", self.service_account().map(ServiceAccount::as_str).into()),
            ("workloadIdentityProvider", self.provider().map(WorkloadIdentityProvider::as_str).into()),
        ])
    }
}

impl fmt::Display for CryptoKeyVersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = NotOfGcp;

            fn try_from(text: String) -> Result<Self, NotOfGcp> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    )*};
}

as_text!(KeyRingName CryptoKeyName WorkloadIdentityProvider ServiceAccount);

/// A project's number, or its id, which may stand behind a domain: `example.com:project`.
fn is_project(text: &str) -> bool {
    let id = |text: &str| is_lower_word(text, 1..=30) && text.starts_with(|c: char| c.is_ascii_lowercase());
    match text.split_once(':') {
        Some((domain, project)) => {
            let top = domain.rsplit('.').next().unwrap_or_default();
            domain.contains('.')
                && domain.split('.').all(|label| is_lower_word(label, 1..=63))
                && id(top)
                && id(project)
        }
        None => id(text) || ((1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())),
    }
}

fn is_lower_word(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    letters && length.contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-')
}

/// What a key ring or a key is called in what it is in: 1 to 63 letters, digits, `_` and `-`.
fn is_id(text: &str) -> bool {
    let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    letters && (1..=63).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RING: &str = "projects/my-project/locations/europe-west3/keyRings/postq";

    #[test]
    fn a_key_is_named_completely_or_not_at_all() {
        let key = CryptoKeyName::parse(&format!("{RING}/cryptoKeys/kek_1")).unwrap();
        assert_eq!((key.ring().as_str(), key.ring().project()), (RING, "my-project"));
        assert!(
            CryptoKeyName::parse("projects/example.com:p/locations/global/keyRings/R/cryptoKeys/K").is_ok()
        );
        for malformed in [
            "kek",
            "projects/p/locations/l/keyRings/r",
            "projects/p/locations/l/keyRings/r/cryptoKeys/",
            "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
            "projects/../locations/l/keyRings/r/cryptoKeys/k",
            "projects/p/locations/l/keyRings/r/cryptoKeys/..",
            "projects/p/locations/l/keyRings/r/cryptoKeys/k?alt=media",
            "projects/p/locations/l/keyRings/r/cryptoKeys/k%2e",
            "projects/p/locations/l/keyRings/r/cryptoKeys/k:decrypt",
            "/projects/p/locations/l/keyRings/r/cryptoKeys/k",
            "https://cloudkms.googleapis.com/v1/projects/p/locations/l/keyRings/r/cryptoKeys/k",
            "projects/127.0.0.1:8080/locations/l/keyRings/r/cryptoKeys/k",
            "projects/127.0.0.1:p/locations/l/keyRings/r/cryptoKeys/k",
            "projects/1p/locations/l/keyRings/r/cryptoKeys/k",
            "projects/P/locations/l/keyRings/r/cryptoKeys/k",
            "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeys/k",
        ] {
            assert!(CryptoKeyName::parse(malformed).is_err(), "{malformed}");
        }
        let version = CryptoKeyVersionName::first_of(key);
        assert_eq!(CryptoKeyVersionName::parse(version.as_str()), Ok(version.clone()));
        for malformed in ["0", "01", "", "1/", "x", "12345678901"] {
            let text = format!("{RING}/cryptoKeys/k/cryptoKeyVersions/{malformed}");
            assert!(CryptoKeyVersionName::parse(&text).is_err(), "{malformed}");
        }
    }

    #[test]
    fn identities_are_google_s_own() {
        let provider = "projects/123456789012/locations/global/workloadIdentityPools/postq/providers/aws-1";
        assert_eq!(WorkloadIdentityProvider::parse(provider).unwrap().as_str(), provider);
        let full = format!("//iam.googleapis.com/{provider}");
        assert_eq!(WorkloadIdentityProvider::parse(&full).unwrap().as_str(), provider);
        for malformed in [
            "projects/my-project/locations/global/workloadIdentityPools/postq/providers/aws-1",
            "//example.com/projects/1/locations/global/workloadIdentityPools/postq/providers/aws-1",
            "projects/1/locations/eu/workloadIdentityPools/postq/providers/aws-1",
        ] {
            assert!(WorkloadIdentityProvider::parse(malformed).is_err(), "{malformed}");
        }
        assert!(ServiceAccount::parse("postq@my-project.iam.gserviceaccount.com").is_ok());
        assert!(ServiceAccount::parse("1-compute@developer.gserviceaccount.com").is_ok());
        for malformed in
            ["me@example.com", "a/b@p.iam.gserviceaccount.com", "@p.iam.gserviceaccount.com", "x"]
        {
            assert!(ServiceAccount::parse(malformed).is_err(), "{malformed}");
        }
    }
}
