//! Saves an organisation's settings, once it was tried out that they work.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize, de::IgnoredAny};
use utoipa::ToSchema;

use super::get_settings;
use crate::{
    Error, Timestamp,
    caller::Caller,
    custody::{CloudName, Custody, Entered, HalfAlgorithm, Subject},
    error::IntegrityFault,
    events::Scene,
    key_material,
    providers::KekProvider,
    settings::{AwsAccount, KmsKeyArn, RoleArn, SettingsRecord},
    store::{KeyFilter, KeyRecord, KeyStatus, Keys, Orgs, Record, Saving, Settings, SettingsWrites},
};

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
    /// The accounts are tried out.
    pub custody: Arc<Custody>,
}

/// Settings to be.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PutSettingsRequest)]
pub struct Request {
    /// Who wraps the data keys of keys that do not say; `env` if left out. `kekProvider` is an older name for it.
    #[serde(alias = "kekProvider")]
    pub default_kek_provider: Option<KekProvider>,
    /// The AWS account.
    pub aws: Option<AwsRequest>,
    /// The Azure account: not part of this version.
    #[schema(value_type = Option<Object>)]
    pub azure: Option<IgnoredAny>,
    /// The Google Cloud account: not part of this version.
    #[schema(value_type = Option<Object>)]
    pub gcp: Option<IgnoredAny>,
}

/// The AWS account to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = AwsSettingsRequest)]
pub struct AwsRequest {
    /// The symmetric key that is to wrap data keys, `arn:aws:kms:REGION:ACCOUNT:key/ID`; an alias is refused, because it can be
    /// moved to another key.
    pub key_arn: String,
    /// The role by which the account is to be entered, `arn:aws:iam::ACCOUNT:role/NAME`. Only a deployment that serves a single
    /// organisation does without.
    pub role_arn: Option<String>,
    /// May be sent back as it was read; it cannot be chosen.
    pub external_id: Option<String>,
    /// The key's region; any other is refused.
    pub region: Option<String>,
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
    let (settings, stored) = to_be(ports, caller, request).await?;
    for cloud in settings.clouds() {
        try_out(ports, caller, &settings, cloud).await?;
    }
    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now: settings.updated_at };
    let record = Record::from(scene.settings_changed(settings.to_event_data())?);
    let replaces = stored.map(|stored| stored.updated_at);
    match ports.writes.put_settings(&settings, replaces, record).await? {
        Saving::Done => Ok(Response { saved_at: settings.updated_at.to_string(), settings: settings.into() }),
        Saving::Changed => Err(Error::SettingsChanged),
        Saving::InUse(by) => Err(Error::SettingsInUse { by }),
    }
}

/// The settings that a request comes to, and those that they replace.
pub(super) async fn to_be(
    ports: &Ports,
    caller: &Caller,
    request: Request,
) -> Result<(SettingsRecord, Option<SettingsRecord>), Error> {
    for (cloud, sent) in [(CloudName::Azure, request.azure), (CloudName::Gcp, request.gcp)] {
        if sent.is_some() {
            return Err(ports.custody.no_cloud(cloud).into());
        }
    }
    let org = ports.orgs.org(&caller.org).await?.ok_or(Error::Unauthenticated)?;
    let aws = request.aws.map(|aws| aws.check(&org.external_id)).transpose()?;
    let stored = ports.settings.settings(&caller.org).await?;
    let now = Timestamp::now();
    let settings = SettingsRecord {
        org: caller.org.clone(),
        external_id: org.external_id,
        deployment: ports.settings.deployment().await?,
        default_kek: request.default_kek_provider.unwrap_or(KekProvider::Env),
        aws,
        // Two savings are told apart by their times.
        updated_at: stored.as_ref().map_or(now, |stored| stored.updated_at.next().max(now)),
    };
    match settings.default_kek.cloud() {
        Some(cloud) if !settings.names(cloud) => Err(Error::invalid(
            "defaultKekProvider",
            format_args!("`{}` needs an account: send `{}` with it", settings.default_kek, cloud.name()),
        )),
        _ => Ok((settings, stored)),
    }
}

/// Whether an account can be used as the settings say, and every wrapping key of keys that exist is still within reach by them,
/// and the newest halves are.
pub(super) async fn try_out(
    ports: &Ports,
    caller: &Caller,
    settings: &SettingsRecord,
    name: CloudName,
) -> Result<(), Error> {
    let Entered { kek, halves: remote, .. } = ports.custody.cloud(name)?.test(settings).await?;
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
        let Self { default_kek_provider, aws, azure, gcp } = self;
        default_kek_provider.is_none() && aws.is_none() && azure.is_none() && gcp.is_none()
    }
}

impl AwsRequest {
    fn check(self, external_id: &str) -> Result<AwsAccount, Error> {
        let key = KmsKeyArn::parse(&self.key_arn).map_err(|e| Error::invalid("aws.keyArn", e))?;
        let role = self.role_arn.map(|role| RoleArn::parse(&role)).transpose();
        let role = role.map_err(|e| Error::invalid("aws.roleArn", e))?;
        if self.external_id.is_some_and(|sent| sent != external_id) {
            let reason = format!(
                "it is made by the vault and cannot be chosen: leave it out, or send `{external_id}`"
            );
            return Err(Error::invalid("aws.externalId", reason));
        }
        if self.region.is_some_and(|region| region != key.region()) {
            let reason = format!("it must be the key's, which is `{}`", key.region());
            return Err(Error::invalid("aws.region", reason));
        }
        AwsAccount::new(key, role)
    }
}

const PAGE: usize = 100;

/// Every half is a key of its own with a policy of its own. So many are tried before settings change.
const TRIED_HALVES: usize = 8;
