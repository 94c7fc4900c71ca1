//! Saves an organisation's settings, once it was tried out that they work.

mod accounts;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::get_settings;
use crate::{
    Error, Timestamp, accounts as entering,
    caller::Caller,
    custody::{CloudName, Custody, Entered, HalfAlgorithm, ProviderSecret, Subject},
    error::IntegrityFault,
    events::Scene,
    key_material,
    providers::KekProvider,
    settings::{MAX_DEK_CACHE_TTL, SettingsRecord, dek_cache_ttl},
    store::{
        KeyFilter, KeyRecord, KeyStatus, Keys, Orgs, ProviderSecrets, Record, Saving, Settings,
        SettingsWrites,
    },
};

pub use accounts::{AwsRequest, AzureRequest, GcpRequest, HandedOver};

/// What saving settings touches.
#[derive(Clone)]
pub struct Ports {
    /// The organisation is read, for its external id.
    pub orgs: Arc<dyn Orgs>,
    /// Its keys are read: those that rest on what is to change must stay within reach.
    pub keys: Arc<dyn Keys>,
    /// The settings are read,
    pub settings: Arc<dyn Settings>,
    /// and written.
    pub writes: Arc<dyn SettingsWrites>,
    /// What is stored to enter accounts by is read.
    pub secrets: Arc<dyn ProviderSecrets>,
    /// The accounts are tried out, and what was handed over is encrypted.
    pub custody: Arc<Custody>,
}

/// Settings to be.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PutSettingsRequest)]
pub struct Request {
    /// Who wraps the data keys of keys that do not say; `env` if left out. `kekProvider` is an older name for it.
    #[serde(alias = "kekProvider")]
    pub default_kek_provider: Option<KekProvider>,
    /// For how many seconds a process may keep a key's halves opened whose data key a cloud wraps, 0 to 300; 0 if left out: every
    /// signature asks the cloud, so that a grant that is withdrawn ends the next one.
    #[schema(minimum = 0, maximum = 300)]
    pub dek_cache_ttl_seconds: Option<u16>,
    /// The AWS account.
    pub aws: Option<AwsRequest>,
    /// The Azure account.
    pub azure: Option<AzureRequest>,
    /// The Google Cloud account.
    pub gcp: Option<GcpRequest>,
}

/// That settings are saved.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PutSettingsResponse)]
pub struct Response {
    /// RFC 3339 UTC with milliseconds.
    pub saved_at: String,
    /// All that is set now.
    #[serde(flatten)]
    pub settings: get_settings::Response,
}

/// Saves. What is left out is not set any more.
///
/// # Errors
/// [`Error::Invalid`], [`Error::ProviderUnavailable`], [`Error::Cloud`] where what they name does not answer,
/// [`Error::SettingsInUse`] where a key could not be used any more, [`Error::SettingsChanged`], [`Error::StoreUnavailable`].
/// After an error nothing was saved.
pub async fn put_settings(ports: &Ports, caller: &Caller, request: Request) -> Result<Response, Error> {
    let ToBe { settings, stored, secrets } = to_be(ports, caller, request).await?;
    for cloud in settings.clouds() {
        try_out(ports, caller, (&settings, &secrets), cloud).await?;
    }
    let mut sealed = Vec::new();
    for (cloud, secret) in &secrets {
        sealed.push((*cloud, entering::seal(&ports.custody, &settings, *cloud, secret).await?));
    }
    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now: settings.updated_at };
    let record = Record::from(scene.settings_changed(settings.to_event_data())?);
    let replaces = stored.map(|stored| stored.updated_at);
    match ports.writes.put_settings(&settings, &sealed, replaces, record).await? {
        Saving::Done => Ok(Response { saved_at: settings.updated_at.to_string(), settings: settings.into() }),
        Saving::Changed => Err(Error::SettingsChanged),
        Saving::InUse(by) => Err(Error::SettingsInUse { by }),
    }
}

/// What a request comes to.
pub(super) struct ToBe {
    /// The settings.
    pub(super) settings: SettingsRecord,
    /// Those that they replace.
    pub(super) stored: Option<SettingsRecord>,
    /// What was handed over with them.
    pub(super) secrets: Vec<(CloudName, ProviderSecret)>,
}

/// The settings that a request comes to, and those that they replace.
pub(super) async fn to_be(ports: &Ports, caller: &Caller, request: Request) -> Result<ToBe, Error> {
    let asked = [(CloudName::Azure, request.azure.is_some()), (CloudName::Gcp, request.gcp.is_some())];
    for (cloud, _) in asked.into_iter().filter(|(_, asked)| *asked) {
        ports.custody.cloud(cloud)?;
    }
    let dek_cache_ttl =
        dek_cache_ttl(request.dek_cache_ttl_seconds.unwrap_or_default().into()).ok_or_else(|| {
            Error::invalid("dekCacheTtlSeconds", format_args!("it is 0 to {MAX_DEK_CACHE_TTL} seconds"))
        })?;
    let org = ports.orgs.org(&caller.org).await?.ok_or(Error::Unauthenticated)?;
    let aws = request.aws.map(|aws| aws.check(&org.external_id)).transpose()?;
    let azure = request.azure.map(|azure| azure.check(&org.external_id)).transpose()?;
    let (azure, azure_secret) = azure.unzip();
    let stored = ports.settings.settings(&caller.org).await?;
    let stored_gcp = stored.as_ref().and_then(|stored| stored.gcp.as_ref());
    let gcp = request.gcp.map(|gcp| gcp.check(&org.external_id, stored_gcp)).transpose()?;
    let (gcp, gcp_secret) = gcp.unzip();
    let now = Timestamp::now();
    let settings = SettingsRecord {
        org: caller.org.clone(),
        external_id: org.external_id,
        deployment: ports.settings.deployment().await?,
        default_kek: request.default_kek_provider.unwrap_or(KekProvider::Env),
        dek_cache_ttl,
        aws,
        azure,
        gcp,
        // Two savings are told apart by their times.
        updated_at: stored.as_ref().map_or(now, |stored| stored.updated_at.next().max(now)),
    };
    match settings.default_kek.cloud() {
        Some(cloud) if !settings.names(cloud) => Err(Error::invalid(
            "defaultKekProvider",
            format_args!("`{}` needs an account: send `{}` with it", settings.default_kek, cloud.name()),
        )),
        _ => {
            let secrets = [(CloudName::Azure, azure_secret), (CloudName::Gcp, gcp_secret)];
            let secrets =
                secrets.into_iter().filter_map(|(cloud, secret)| Some((cloud, secret.flatten()?))).collect();
            let to_be = ToBe { settings, stored, secrets };
            to_be.check_secrets()?;
            Ok(to_be)
        }
    }
}

impl ToBe {
    /// Refuses an account that is entered by a secret where none is handed over, and none is stored for it.
    fn check_secrets(&self) -> Result<(), Error> {
        let needing = self.settings.clouds().filter(|cloud| self.settings.needs_secret(*cloud));
        for cloud in needing {
            let handed_over = self.secrets.iter().any(|(of, _)| *of == cloud);
            let stays = self.stored.as_ref().is_some_and(|stored| {
                stored.needs_secret(cloud) && stored.binding(cloud) == self.settings.binding(cloud)
            });
            if !handed_over && !stays {
                let (field, reason) = match cloud {
                    CloudName::Gcp => ("gcp.serviceAccountKey", NO_KEY_FILE),
                    CloudName::Azure | CloudName::Aws => ("azure.clientSecret", NO_CLIENT_SECRET),
                };
                return Err(Error::invalid(field, reason));
            }
        }
        Ok(())
    }
}

/// Whether an account can be used as the settings say, and every wrapping key of keys that exist is still within reach by them,
/// and the newest halves are.
pub(super) async fn try_out(
    ports: &Ports,
    caller: &Caller,
    (settings, secrets): (&SettingsRecord, &[(CloudName, ProviderSecret)]),
    name: CloudName,
) -> Result<(), Error> {
    let cloud = ports.custody.cloud(name)?;
    let handed_over = secrets.iter().find(|(cloud, _)| *cloud == name).map(|(_, secret)| secret);
    let stored = match handed_over {
        Some(_) => None,
        None => entering::secret(&ports.custody, ports.secrets.as_ref(), settings, name).await?,
    };
    let Entered { kek, halves: remote, .. } = cloud.test(settings, handed_over.or(stored.as_ref())).await?;
    // What no role is needed for is entered as the vault itself, whoever asks: nobody else's keys may be there.
    let alone = ports.orgs.orgs(None, 2).await?.len() < 2;
    if !alone && settings.aws.as_ref().is_some_and(|aws| aws.role.is_none()) {
        return Err(Error::invalid("aws.roleArn", SHARED_IDENTITY));
    }
    let (wrapped, halves) = resting_on(ports, caller, name).await?;
    for key in wrapped {
        key_material::check_tag(ports.custody.root.as_ref(), &key).await?;
        if let Some(hold) = &key.kek {
            let subject = Subject { org: &key.org, key: &key.id };
            let opened = kek.unwrap_dek(subject, &hold.wrapped).await;
            opened.map_err(|e| key_material::custody_error(&key, e, IntegrityFault::WrappedDek))?;
        }
    }
    for (half, algorithm) in halves {
        remote.would_sign(&half, algorithm).await?;
    }
    Ok(())
}

/// One active key for each key of the cloud that wraps, and the newest halves that the cloud holds.
async fn resting_on(
    ports: &Ports,
    caller: &Caller,
    cloud: CloudName,
) -> Result<(Vec<KeyRecord>, Vec<(String, HalfAlgorithm)>), Error> {
    let mut wrapped: BTreeMap<Option<String>, KeyRecord> = BTreeMap::new();
    let mut halves = Vec::new();
    let mut before = None;
    loop {
        let filter =
            KeyFilter { limit: PAGE, before, status: Some(KeyStatus::Active), ..KeyFilter::default() };
        let page = ports.keys.list(&caller.org, &filter).await?;
        let complete = page.len() < PAGE;
        before = page.last().map(|key| key.id.clone());
        for key in page {
            let algorithm = key.public_key.algorithm();
            let held = [
                (
                    key.classical.provider.cloud(),
                    &key.classical.key_id,
                    HalfAlgorithm::Classical(algorithm.classical()),
                ),
                (key.pq.provider.cloud(), &key.pq.key_id, HalfAlgorithm::Pq(algorithm.pq())),
            ];
            for (holder, id, with) in held {
                if let (Some(id), true) = (id, holder == Some(cloud) && halves.len() < TRIED_HALVES) {
                    halves.push((id.clone(), with));
                }
            }
            if let Some(kek) = &key.kek
                && kek.provider.cloud() == Some(cloud)
            {
                wrapped.entry(kek.wrapped.kek_key_id.clone()).or_insert(key);
            }
        }
        if complete {
            return Ok((wrapped.into_values().collect(), halves));
        }
    }
}

const SHARED_IDENTITY: &str = "name a role: this vault is declared to serve a single organisation and has several, and what is \
                               entered without a role is entered by all of them as one";

impl Request {
    /// Whether it says nothing at all.
    pub(super) const fn is_empty(&self) -> bool {
        let Self { default_kek_provider, dek_cache_ttl_seconds, aws, azure, gcp } = self;
        default_kek_provider.is_none()
            && dek_cache_ttl_seconds.is_none()
            && aws.is_none()
            && azure.is_none()
            && gcp.is_none()
    }
}

const NO_CLIENT_SECRET: &str =
    "send the application's secret: none is stored for this vault, tenant and application";

const NO_KEY_FILE: &str =
    "send the service account's key file: none is stored for this account and these projects";

const PAGE: usize = 100;

/// Every half is a key of its own with a policy of its own. So many are tried before settings change.
const TRIED_HALVES: usize = 8;
