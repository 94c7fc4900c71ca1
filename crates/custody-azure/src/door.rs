//! How vaults are entered: as the organisation's application, whose tokens are kept until shortly before they expire. One client a
//! vault and application, for as long as the process lives.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use azure_core::{
    cloud::CloudConfiguration,
    credentials::{Secret, TokenCredential},
    error::ErrorKind,
    http::{ClientMethodOptions, ClientOptions, RetryOptions, Transport},
};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions,
};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use outbound::{Network, WayOut};
use vault::{
    custody::{AssertionError, Assertions, Breakers, Call, CloudFault, CustodyError, Failed, ProviderSecret},
    settings::{AzureAccount, AzureAuth, AzureCloudName, SettingsRecord, VaultUrl},
};

use crate::{
    account::Account,
    call::{self, ATTEMPT},
    network::{self, Service},
};

/// Asking for a token.
pub(crate) const TOKEN: Call<'static> = call::of("a token of Microsoft Entra ID");

/// All doors of a process.
pub(crate) struct Doors {
    way_out: WayOut,
    assertions: Arc<dyn Assertions>,
    pub(crate) budget: Duration,
    pub(crate) breakers: Arc<Breakers>,
    doors: Mutex<HashMap<Way, Arc<Door>>>,
}

/// Where to, as whom and by what.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Way {
    host: String,
    tenant: String,
    client: String,
    /// SHA-256 of the secret, or the external id that an assertion is for.
    by: Result<[u8; 32], String>,
}

/// An application's way into vaults of its cloud.
pub(crate) struct Door {
    credential: Arc<dyn TokenCredential>,
    vaults: Mutex<HashMap<String, Arc<Clients>>>,
}

/// A vault's clients.
pub(crate) struct Clients {
    /// Repeats what fails.
    pub(crate) patient: KeyClient,
    /// Does nothing twice: it makes keys.
    pub(crate) once: KeyClient,
}

impl Doors {
    pub(crate) fn new(
        network: &Network,
        assertions: Arc<dyn Assertions>,
        budget: Duration,
    ) -> Result<Self, CustodyError> {
        let way_out = network.way_out().map_err(|_| CustodyError::Primitive("TLS"))?;
        Ok(Self { way_out, assertions, budget, breakers: Arc::default(), doors: Mutex::default() })
    }

    /// The door by which settings enter, kept for the next request. No token is asked for yet.
    pub(crate) fn open(
        &self,
        settings: &SettingsRecord,
        account: &AzureAccount,
        secret: Option<&ProviderSecret>,
    ) -> Result<Arc<Door>, CustodyError> {
        let by = match (account.auth, secret) {
            (AzureAuth::ClientSecret, Some(secret)) => Ok(ledger::sha256(secret.0.as_bytes())),
            (AzureAuth::ClientSecret, None) => return Err(CustodyError::NotAuthentic),
            (AzureAuth::Federated, _) => Err(settings.external_id.clone()),
        };
        let way = Way {
            host: account.vault.host().to_owned(),
            tenant: account.tenant.as_str().to_owned(),
            client: account.client.as_str().to_owned(),
            by,
        };
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(door) = doors.get(&way) {
            return Ok(door.clone());
        }
        let door = self.try_open(settings, account, secret)?;
        // Another is built again when it is needed.
        if let (true, Some(any)) = (doors.len() >= MAX_DOORS, doors.keys().next().cloned()) {
            doors.remove(&any);
        }
        doors.insert(way, door.clone());
        Ok(door)
    }

    /// The same for settings that are tried out: nothing is kept, and nothing that is kept is used.
    pub(crate) fn try_open(
        &self,
        settings: &SettingsRecord,
        account: &AzureAccount,
        secret: Option<&ProviderSecret>,
    ) -> Result<Arc<Door>, CustodyError> {
        let credential = self.credential(account, secret, &settings.external_id)?;
        Ok(Arc::new(Door { credential, vaults: Mutex::default() }))
    }

    /// Gives a door up that leads nowhere any more: its application may have been made anew.
    pub(crate) fn forget(&self, door: &Arc<Door>) {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.retain(|_, kept| !Arc::ptr_eq(kept, door));
    }

    fn credential(
        &self,
        account: &AzureAccount,
        secret: Option<&ProviderSecret>,
        audience: &str,
    ) -> Result<Arc<dyn TokenCredential>, CustodyError> {
        let (tenant, client) = (account.tenant.as_str(), account.client.as_str().to_owned());
        let (authority, cloud) = authority(account.vault.cloud());
        let client_options = self.options(authority, Service::Tokens, call::retries(), Some(cloud));
        let refused = |_| CustodyError::Primitive("a credential of Azure");
        match (account.auth, secret) {
            (AzureAuth::ClientSecret, None) => Err(CustodyError::NotAuthentic),
            (AzureAuth::ClientSecret, Some(secret)) => {
                let secret = Secret::new(secret.0.as_str().to_owned());
                let options = ClientSecretCredentialOptions { client_options };
                Ok(ClientSecretCredential::new(tenant, client, secret, Some(options)).map_err(refused)?)
            }
            (AzureAuth::Federated, _) => {
                let assertion =
                    ForAudience { assertions: self.assertions.clone(), audience: audience.to_owned() };
                let options = ClientAssertionCredentialOptions { client_options };
                let tenant = tenant.to_owned();
                Ok(ClientAssertionCredential::new(tenant, client, assertion, Some(options))
                    .map_err(refused)?)
            }
        }
    }

    fn options(
        &self,
        host: &str,
        service: Service,
        retry: RetryOptions,
        cloud: Option<CloudConfiguration>,
    ) -> ClientOptions {
        let one = Arc::new(network::Transport::new(self.way_out.to(host, ATTEMPT), service));
        ClientOptions {
            retry,
            transport: Some(Transport::new(one)),
            cloud: cloud.map(Arc::new),
            ..ClientOptions::default()
        }
    }

    /// The clients of a vault.
    pub(crate) fn clients(&self, door: &Door, vault: &VaultUrl) -> Result<Arc<Clients>, Failed> {
        let mut vaults = door.vaults.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clients) = vaults.get(vault.host()) {
            return Ok(clients.clone());
        }
        let client = |retry| {
            let client_options = self.options(vault.host(), Service::Keys(vault.resource()), retry, None);
            let options = KeyClientOptions { client_options, ..KeyClientOptions::default() };
            KeyClient::new(vault.as_str(), door.credential.clone(), Some(options))
                .map_err(|error| call::judge(call::on("keys/get", vault.as_str()), &error))
        };
        let clients =
            Arc::new(Clients { patient: client(call::retries())?, once: client(RetryOptions::none())? });
        vaults.insert(vault.host().to_owned(), clients.clone());
        Ok(clients)
    }

    /// Whether the application takes assertions that are for another than this organisation. Then anybody's settings could name it.
    pub(crate) async fn takes_any_audience(
        &self,
        settings: &SettingsRecord,
        account: &Account,
    ) -> Result<bool, CustodyError> {
        if account.account.auth != AzureAuth::Federated {
            return Ok(false);
        }
        let another = format!("{}-another", settings.external_id);
        let credential = self.credential(&account.account, None, &another)?;
        let scope = format!("{}/.default", account.account.vault.resource());
        let asked = async {
            match credential.get_token(&[&scope], None).await {
                Ok(_) => Ok(true),
                Err(error) => match call::judge(TOKEN, &error) {
                    Failed { fault: CloudFault::NotEntered, .. } => Ok(false),
                    failed => Err(failed),
                },
            }
        };
        Ok(call::until(account.deadline, TOKEN, asked).await?)
    }
}

/// Where tokens of a cloud are had.
fn authority(cloud: AzureCloudName) -> (&'static str, CloudConfiguration) {
    match cloud {
        AzureCloudName::Public => ("login.microsoftonline.com", CloudConfiguration::AzurePublic),
        AzureCloudName::China => ("login.chinacloudapi.cn", CloudConfiguration::AzureChina),
        AzureCloudName::UsGovernment => ("login.microsoftonline.us", CloudConfiguration::AzureGovernment),
    }
}

/// Assertions for one audience.
struct ForAudience {
    assertions: Arc<dyn Assertions>,
    audience: String,
}

impl fmt::Debug for ForAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForAudience({})", self.audience)
    }
}

#[async_trait]
impl ClientAssertion for ForAudience {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let made: Result<_, AssertionError> = self.assertions.assertion(&self.audience).await;
        let refused = |error| azure_core::Error::with_error(ErrorKind::Credential, error, "no assertion");
        made.map(|assertion| assertion.as_str().to_owned()).map_err(refused)
    }
}

const MAX_DOORS: usize = 1000;
