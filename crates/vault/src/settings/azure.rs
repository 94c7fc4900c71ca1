//! An Azure account: a vault, the key in it that wraps, and the application by which it is entered.
//!
//! Everything here is read letter by letter: what is accepted can name no host but one of Azure's own, and nothing is asked of the
//! network to find that out.

use std::fmt;

use ledger::Json;
use serde::{Deserialize, Serialize};

/// An Azure account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureAccount {
    /// The vault: it wraps data keys, and halves are made in it.
    pub vault: VaultUrl,
    /// The name of the RSA key that wraps data keys.
    pub kek: VaultKeyName,
    /// The directory that the application is of.
    pub tenant: Guid,
    /// The application.
    pub client: Guid,
    /// How it proves itself.
    pub auth: AzureAuth,
}

/// How an application proves itself to Microsoft Entra ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AzureAuth {
    /// By a secret that the organisation handed to the vault.
    ClientSecret,
    /// By an assertion of the deployment's own identity, made for this organisation; nothing is stored.
    Federated,
}

impl AzureAuth {
    /// The name in the API and in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientSecret => "client-secret",
            Self::Federated => "federated",
        }
    }
}

/// The address of a vault or a managed HSM: `https://NAME.vault.azure.net`, or under the same of a sovereign cloud. Lower case,
/// without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VaultUrl(String);

/// A key's name in a vault: 1 to 127 letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VaultKeyName(String);

/// The complete name of a key: `https://NAME.vault.azure.net/keys/KEY/VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultKeyId {
    /// The vault.
    pub vault: VaultUrl,
    /// The key's name in it.
    pub name: VaultKeyName,
    /// 32 hexadecimal digits, lower case.
    pub version: String,
}

/// A tenant's or an application's id: 8-4-4-4-12 hexadecimal digits, lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Guid(String);

/// One of Azure's clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AzureCloudName {
    /// Azure.
    Public,
    /// Azure operated by 21Vianet.
    China,
    /// Azure Government.
    UsGovernment,
}

/// A string that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOfAzure {
    /// No vault's address.
    #[error(
        "it must be a vault's own address and nothing else, such as `https://NAME.vault.azure.net`; also taken are `managedhsm.azure.net`, and \
         the same of Azure in China (`.azure.cn`) and of Azure Government (`.usgovcloudapi.net`)"
    )]
    VaultUrl,
    /// No key's name.
    #[error("it must be a key's name: 1 to 127 letters, digits and `-`")]
    KeyName,
    /// No key's complete name.
    #[error("it must be a key's complete name: https://NAME.vault.azure.net/keys/KEY/VERSION")]
    KeyId,
    /// No id.
    #[error("it must be an id of the form `00000000-0000-0000-0000-000000000000`")]
    Guid,
}

impl VaultUrl {
    /// Reads one.
    ///
    /// # Errors
    /// [`NotOfAzure::VaultUrl`] for anything but `https://`, one label of 3 to 24 letters, digits and `-`, and one of Azure's own suffixes.
    pub fn parse(text: &str) -> Result<Self, NotOfAzure> {
        let lower = text.to_ascii_lowercase();
        let host = lower.strip_prefix("https://").ok_or(NotOfAzure::VaultUrl)?;
        let host = host.strip_suffix('/').unwrap_or(host);
        let (label, suffix) = host.split_once('.').ok_or(NotOfAzure::VaultUrl)?;
        let letters = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let ends = |end: Option<u8>| end.is_some_and(|b| b.is_ascii_alphanumeric());
        let sound = letters
            && (3..=24).contains(&label.len())
            && ends(label.bytes().next())
            && ends(label.bytes().last())
            && SUFFIXES.iter().any(|(known, _)| *known == suffix);
        if sound { Ok(Self(format!("https://{host}"))) } else { Err(NotOfAzure::VaultUrl) }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its host.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.strip_prefix("https://").unwrap_or_default()
    }

    /// What tokens for it are for: all vaults of its kind in its cloud.
    #[must_use]
    pub fn resource(&self) -> String {
        format!("https://{}", self.suffix())
    }

    fn suffix(&self) -> &str {
        self.host().split_once('.').map_or("", |(_, suffix)| suffix)
    }

    /// The cloud that it is in.
    #[must_use]
    pub fn cloud(&self) -> AzureCloudName {
        let known = SUFFIXES.iter().find(|(known, _)| *known == self.suffix());
        known.map_or(AzureCloudName::Public, |(_, cloud)| *cloud)
    }

    /// Whether it is a managed HSM.
    #[must_use]
    pub fn is_hsm(&self) -> bool {
        self.host().contains(".managedhsm.")
    }
}

impl VaultKeyName {
    /// Reads one.
    ///
    /// # Errors
    /// [`NotOfAzure::KeyName`].
    pub fn parse(text: &str) -> Result<Self, NotOfAzure> {
        let sound =
            (1..=127).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if sound { Ok(Self(text.to_owned())) } else { Err(NotOfAzure::KeyName) }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl VaultKeyId {
    /// Reads one.
    ///
    /// # Errors
    /// [`NotOfAzure::KeyId`].
    pub fn parse(text: &str) -> Result<Self, NotOfAzure> {
        let (vault, rest) = text.split_once("/keys/").ok_or(NotOfAzure::KeyId)?;
        let (name, version) = rest.split_once('/').ok_or(NotOfAzure::KeyId)?;
        let digits = version.len() == 32 && version.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let vault = VaultUrl::parse(vault).ok().filter(|parsed| parsed.as_str() == vault);
        match (vault, VaultKeyName::parse(name), digits) {
            (Some(vault), Ok(name), true) => Ok(Self { vault, name, version: version.to_owned() }),
            _ => Err(NotOfAzure::KeyId),
        }
    }
}

impl fmt::Display for VaultKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/keys/{}/{}", self.vault.as_str(), self.name.as_str(), self.version)
    }
}

impl Guid {
    /// Reads one.
    ///
    /// # Errors
    /// [`NotOfAzure::Guid`].
    pub fn parse(text: &str) -> Result<Self, NotOfAzure> {
        let lower = text.to_ascii_lowercase();
        let groups: Vec<&str> = lower.split('-').collect();
        let lengths = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]);
        let digits = groups.iter().all(|group| group.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        if lengths && digits { Ok(Self(lower)) } else { Err(NotOfAzure::Guid) }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AzureAccount {
    /// Whether another way of naming an account leads to the same vault, as the same application. A secret that was handed over for the
    /// one is then good for the other.
    #[must_use]
    pub fn is_entered_as(&self, other: &Self) -> bool {
        (&self.vault, &self.tenant, &self.client, self.auth)
            == (&other.vault, &other.tenant, &other.client, other.auth)
    }

    /// What a stored secret is bound to: SHA-256 over where and as whom it is used. Whoever can write the settings cannot have it used
    /// elsewhere.
    #[must_use]
    pub fn derive_binding(&self) -> [u8; 32] {
        let bound = Json::object([
            ("clientId", self.client.as_str().into()),
            ("tenantId", self.tenant.as_str().into()),
            ("vaultUrl", self.vault.as_str().into()),
        ]);
        ledger::sha256(bound.to_canonical().as_bytes())
    }

    pub(super) fn to_event_data(&self) -> Json {
        Json::object([
            ("auth", self.auth.name().into()),
            ("clientId", self.client.as_str().into()),
            ("kekName", self.kek.as_str().into()),
            ("tenantId", self.tenant.as_str().into()),
            ("vaultUrl", self.vault.as_str().into()),
        ])
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = NotOfAzure;

            fn try_from(text: String) -> Result<Self, NotOfAzure> {
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

as_text!(VaultUrl VaultKeyName Guid);

/// What Azure's own names end in, by the cloud.
const SUFFIXES: [(&str, AzureCloudName); 6] = [
    ("vault.azure.net", AzureCloudName::Public),
    ("managedhsm.azure.net", AzureCloudName::Public),
    ("vault.azure.cn", AzureCloudName::China),
    ("managedhsm.azure.cn", AzureCloudName::China),
    ("vault.usgovcloudapi.net", AzureCloudName::UsGovernment),
    ("managedhsm.usgovcloudapi.net", AzureCloudName::UsGovernment),
];
