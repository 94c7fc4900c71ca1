//! How accounts are entered: by their role, under the organisation's external id, with credentials that are kept until shortly
//! before they expire. One client a region and role, for as long as the process lives.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_sdk_kms::Client;
use aws_types::{SdkConfig, region::Region};
use tokio::time::Instant;
use vault::{
    custody::{Breakers, Call, CloudFault, CloudName, CustodyError, Failed},
    random,
    settings::{AwsAccount, RoleArn, SettingsRecord},
};

use crate::{
    OwnIdentity,
    call::{self, BUDGET},
};

/// All doors of a process.
pub(crate) struct Doors {
    config: SdkConfig,
    own: OwnIdentity,
    pub(crate) budget: Duration,
    pub(crate) breakers: Arc<Breakers>,
    clients: Mutex<HashMap<Way, Arc<Door>>>,
}

/// Where to and as whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Way {
    region: String,
    /// The role and the external id.
    role: Option<(RoleArn, String)>,
}

/// A client, and the credentials that it is used with.
pub(crate) struct Door {
    pub(crate) kms: Client,
    role: Option<Arc<AssumedRole>>,
}

impl Doors {
    pub(crate) fn new(config: &SdkConfig, own: OwnIdentity) -> Self {
        Self::with_budget(config, own, BUDGET)
    }

    pub(crate) fn with_budget(config: &SdkConfig, own: OwnIdentity, budget: Duration) -> Self {
        let config = config
            .clone()
            .into_builder()
            .retry_config(call::retries())
            .timeout_config(call::timeouts())
            .build();
        Self { config, own, budget, breakers: Arc::default(), clients: Mutex::default() }
    }

    /// The account that settings name.
    pub(crate) fn account<'a>(&self, settings: &'a SettingsRecord) -> Result<&'a AwsAccount, CustodyError> {
        let account = settings.aws.as_ref().ok_or(CustodyError::NoAccount(CloudName::Aws))?;
        if account.role.is_none() && self.own == OwnIdentity::Never {
            return Err(Failed::new(CloudFault::NoRole, ASSUME_ROLE, account.key.account()).into());
        }
        Ok(account)
    }

    /// The door to a region by the settings' role, opened.
    pub(crate) async fn open(
        &self,
        settings: &SettingsRecord,
        role: Option<&RoleArn>,
        region: &str,
    ) -> Result<Arc<Door>, Failed> {
        let role = role.map(|role| (role.clone(), settings.external_id.clone()));
        let way = Way { region: region.to_owned(), role };
        let known = self.clients.lock().unwrap_or_else(PoisonError::into_inner).get(&way).cloned();
        let door = match known {
            Some(door) => door,
            None => {
                let door = Arc::new(self.build(&way));
                let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
                // Another organisation's settings are another way; what was long not gone is built again.
                if clients.len() >= MAX_DOORS {
                    clients.clear();
                }
                clients.entry(way).or_insert(door).clone()
            }
        };
        if let Some(role) = &door.role {
            role.current().await?;
        }
        Ok(door)
    }

    /// Refuses a role that lets anybody in who knows its name: without an external id, or with any.
    pub(crate) async fn refuse_open(
        &self,
        settings: &SettingsRecord,
        deadline: Instant,
    ) -> Result<(), CustodyError> {
        let account = self.account(settings)?;
        let Some(role) = &account.role else {
            return Ok(call::until(deadline, WHO_AM_I, self.refuse_other_account(account)).await?);
        };
        let other = format!("postq-{}", hex(&random::generate::<16>()?));
        for external_id in [None, Some(other)] {
            let try_it = self.assumed(account.key.region(), role.clone(), external_id);
            match call::until(deadline, ASSUME_ROLE, try_it.assume()).await {
                Ok(_) => {
                    return Err(Failed::new(CloudFault::OpenDoor, ASSUME_ROLE, role.as_str()).into());
                }
                Err(failed) if failed.fault == CloudFault::NotEntered => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        // Asked anew, whatever is kept: the trust may have been withdrawn since, or the role been made anew.
        self.forget(role, &settings.external_id);
        call::until(deadline, ASSUME_ROLE, self.open(settings, Some(role), account.key.region())).await?;
        Ok(())
    }

    /// Keeps no credentials any longer that a role gave under an external id. Whoever else names the role keeps theirs.
    pub(crate) fn forget(&self, role: &RoleArn, external_id: &str) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|way, _| {
            way.role.as_ref().is_none_or(|(kept, id)| (kept, id.as_str()) != (role, external_id))
        });
    }

    /// Refuses, without a role, a key of another account: it would wrap, and halves would be made in this process's own.
    async fn refuse_other_account(&self, account: &AwsAccount) -> Result<(), Failed> {
        let region = Region::new(account.key.region().to_owned());
        let config = self.config.clone().into_builder().region(region).build();
        let call = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        match call::judge(WHO_AM_I, call)?.account {
            Some(own) if own == account.key.account() => Ok(()),
            _ => Err(Failed::new(CloudFault::NoRole, ASSUME_ROLE, account.key.account())),
        }
    }

    fn build(&self, way: &Way) -> Door {
        let config = self.config.clone().into_builder().region(Region::new(way.region.clone()));
        let role = way.role.as_ref().map(|(role, external_id)| {
            Arc::new(self.assumed(&way.region, role.clone(), Some(external_id.clone())))
        });
        let config = match &role {
            Some(role) => config.credentials_provider(SharedCredentialsProvider::new(Borrowed(role.clone()))),
            None => config,
        };
        Door { kms: Client::new(&config.build()), role }
    }

    fn assumed(&self, region: &str, role: RoleArn, external_id: Option<String>) -> AssumedRole {
        let config = self.config.clone().into_builder().region(Region::new(region.to_owned())).build();
        AssumedRole {
            sts: aws_sdk_sts::Client::new(&config),
            role,
            external_id,
            credentials: tokio::sync::Mutex::default(),
        }
    }
}

/// A role, and the credentials that it was last given.
struct AssumedRole {
    sts: aws_sdk_sts::Client,
    role: RoleArn,
    external_id: Option<String>,
    credentials: tokio::sync::Mutex<Option<Credentials>>,
}

impl AssumedRole {
    /// Credentials that last a while. Whoever comes while they are fetched waits for the same ones.
    async fn current(&self) -> Result<Credentials, Failed> {
        let mut kept = self.credentials.lock().await;
        if let Some(credentials) = kept.as_ref()
            && credentials.expiry().is_none_or(|end| end > SystemTime::now() + MARGIN)
        {
            return Ok(credentials.clone());
        }
        let credentials = self.assume().await?;
        *kept = Some(credentials.clone());
        Ok(credentials)
    }

    async fn assume(&self) -> Result<Credentials, Failed> {
        let asked = call::on("sts:AssumeRole", self.role.as_str());
        let call = self.sts.assume_role().role_arn(self.role.as_str()).role_session_name(SESSION);
        let call = call.set_external_id(self.external_id.clone()).duration_seconds(LIFETIME);
        let answer = call::judge(asked, call.send().await).map_err(call::at_the_door)?;
        let given = answer
            .credentials
            .ok_or_else(|| Failed::new(CloudFault::WrongAnswer, asked, "no credentials"))?;
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            SystemTime::try_from(given.expiration).ok(),
            "postq-vault",
        ))
    }
}

/// Hands a client the role's credentials.
struct Borrowed(Arc<AssumedRole>);

impl std::fmt::Debug for Borrowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Borrowed").field(&self.0.role).finish()
    }
}

impl ProvideCredentials for Borrowed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let failed = |failed| CredentialsError::provider_error(CustodyError::from(failed));
            self.0.current().await.map_err(failed)
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) const ASSUME_ROLE: Call<'static> = call::of("sts:AssumeRole");
const WHO_AM_I: Call<'static> = call::of("sts:GetCallerIdentity");

/// As whom the vault shows in the account's own trail.
const SESSION: &str = "postq-vault";

/// How long credentials last, in seconds: the least that AWS gives. A trust that is withdrawn ends with them.
const LIFETIME: i32 = 900;

/// Credentials are fetched anew so long before they expire.
const MARGIN: Duration = Duration::from_secs(120);

/// Clients that are kept.
const MAX_DOORS: usize = 256;
