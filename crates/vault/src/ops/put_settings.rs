//! Saves an organisation's settings, once it was tried out that they work.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize, de::IgnoredAny};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::get_settings;
use crate::{
    Error, Timestamp, accounts,
    caller::Caller,
    custody::{CloudName, Custody, Entered, HalfAlgorithm, ProviderSecret, Subject},
    error::IntegrityFault,
    events::Scene,
    key_material,
    providers::KekProvider,
    settings::{
        AwsAccount, AzureAccount, AzureAuth, Guid, KmsKeyArn, RoleArn, SettingsRecord, VaultKeyName, VaultUrl,
    },
    store::{
        KeyFilter, KeyRecord, KeyStatus, Keys, Orgs, ProviderSecrets, Record, Saving, Settings,
        SettingsWrites,
    },
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
    /// The AWS account.
    pub aws: Option<AwsRequest>,
    /// The Azure account.
    pub azure: Option<AzureRequest>,
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

/// The Azure account to be. Without `Debug`: it may hold a secret.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = AzureSettingsRequest)]
pub struct AzureRequest {
    /// The vault, `https://NAME.vault.azure.net`, or a managed HSM; nothing but one of Azure's own addresses is taken.
    pub vault_url: String,
    /// The name of the RSA key in it that is to wrap data keys. `keyName` is an older name for it.
    #[serde(alias = "keyName")]
    pub kek_name: String,
    /// The directory (tenant) id.
    pub tenant_id: String,
    /// The application (client) id.
    pub client_id: String,
    /// How the application proves itself; `client-secret` if left out.
    pub auth: Option<AzureAuth>,
    /// The application's secret, 1 to 1,024 visible characters. It is never shown again. Left out, the stored one stays, unless `vaultUrl`,
    /// `tenantId` or `clientId` is another.
    pub client_secret: Option<HandedOver>,
    /// May be sent back as it was read; it says nothing.
    #[schema(value_type = Option<bool>)]
    pub client_secret_configured: Option<IgnoredAny>,
    /// May be sent back as it was read; it cannot be chosen.
    pub external_id: Option<String>,
}

/// A secret that a caller hands over: erased when dropped, without `Debug`.
#[derive(Deserialize, ToSchema)]
#[serde(from = "String")]
#[schema(value_type = String)]
pub struct HandedOver(Zeroizing<String>);

impl From<String> for HandedOver {
    fn from(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }
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
        sealed.push((*cloud, accounts::seal(&ports.custody, &settings, *cloud, secret).await?));
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
    if request.gcp.is_some() {
        return Err(ports.custody.no_cloud(CloudName::Gcp).into());
    }
    if request.azure.is_some() {
        ports.custody.cloud(CloudName::Azure)?;
    }
    let org = ports.orgs.org(&caller.org).await?.ok_or(Error::Unauthenticated)?;
    let aws = request.aws.map(|aws| aws.check(&org.external_id)).transpose()?;
    let azure = request.azure.map(|azure| azure.check(&org.external_id)).transpose()?;
    let (azure, secret) = azure.map_or((None, None), |(azure, secret)| (Some(azure), secret));
    let stored = ports.settings.settings(&caller.org).await?;
    let now = Timestamp::now();
    let settings = SettingsRecord {
        org: caller.org.clone(),
        external_id: org.external_id,
        deployment: ports.settings.deployment().await?,
        default_kek: request.default_kek_provider.unwrap_or(KekProvider::Env),
        aws,
        azure,
        // Two savings are told apart by their times.
        updated_at: stored.as_ref().map_or(now, |stored| stored.updated_at.next().max(now)),
    };
    match settings.default_kek.cloud() {
        Some(cloud) if !settings.names(cloud) => Err(Error::invalid(
            "defaultKekProvider",
            format_args!("`{}` needs an account: send `{}` with it", settings.default_kek, cloud.name()),
        )),
        _ => {
            let secrets = secret.map(|secret| (CloudName::Azure, secret)).into_iter().collect();
            let to_be = ToBe { settings, stored, secrets };
            to_be.check_secret()?;
            Ok(to_be)
        }
    }
}

impl ToBe {
    /// Refuses an account that is entered by a secret where none is handed over, and none is stored for it.
    fn check_secret(&self) -> Result<(), Error> {
        let stays = |new: &AzureAccount| {
            let old = self.stored.as_ref().and_then(|stored| stored.azure.as_ref());
            old.is_some_and(|old| old.is_entered_as(new))
        };
        match &self.settings.azure {
            Some(new) if new.auth == AzureAuth::ClientSecret && self.secrets.is_empty() && !stays(new) => {
                let reason =
                    "send the application's secret: none is stored for this vault, tenant and application";
                Err(Error::invalid("azure.clientSecret", reason))
            }
            _ => Ok(()),
        }
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
        None => accounts::secret(&ports.custody, ports.secrets.as_ref(), settings, name).await?,
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
        let Self { default_kek_provider, aws, azure, gcp } = self;
        default_kek_provider.is_none() && aws.is_none() && azure.is_none() && gcp.is_none()
    }
}

impl AzureRequest {
    fn check(self, external_id: &str) -> Result<(AzureAccount, Option<ProviderSecret>), Error> {
        if self.external_id.is_some_and(|sent| sent != external_id) {
            return Err(another_external_id("azure.externalId", external_id));
        }
        let account = AzureAccount {
            vault: VaultUrl::parse(&self.vault_url).map_err(|e| Error::invalid("azure.vaultUrl", e))?,
            kek: VaultKeyName::parse(&self.kek_name).map_err(|e| Error::invalid("azure.kekName", e))?,
            tenant: Guid::parse(&self.tenant_id).map_err(|e| Error::invalid("azure.tenantId", e))?,
            client: Guid::parse(&self.client_id).map_err(|e| Error::invalid("azure.clientId", e))?,
            auth: self.auth.unwrap_or(AzureAuth::ClientSecret),
        };
        let secret = self.client_secret.map(|HandedOver(secret)| secret);
        let visible = |secret: &Zeroizing<String>| {
            (1..=MAX_SECRET).contains(&secret.len()) && secret.bytes().all(|b| b.is_ascii_graphic())
        };
        match secret {
            Some(_) if account.auth == AzureAuth::Federated => {
                let reason = "leave it out: with `auth: federated` no secret is used, and none is kept";
                Err(Error::invalid("azure.clientSecret", reason))
            }
            Some(secret) if !visible(&secret) => {
                let reason = format!("it has 1 to {MAX_SECRET} visible ASCII characters");
                Err(Error::invalid("azure.clientSecret", reason))
            }
            secret => Ok((account, secret.map(ProviderSecret))),
        }
    }
}

fn another_external_id(field: &str, external_id: &str) -> Error {
    let reason =
        format!("it is made by the vault and cannot be chosen: leave it out, or send `{external_id}`");
    Error::invalid(field, reason)
}

impl AwsRequest {
    fn check(self, external_id: &str) -> Result<AwsAccount, Error> {
        let key = KmsKeyArn::parse(&self.key_arn).map_err(|e| Error::invalid("aws.keyArn", e))?;
        let role = self.role_arn.map(|role| RoleArn::parse(&role)).transpose();
        let role = role.map_err(|e| Error::invalid("aws.roleArn", e))?;
        if self.external_id.is_some_and(|sent| sent != external_id) {
            return Err(another_external_id("aws.externalId", external_id));
        }
        if self.region.is_some_and(|region| region != key.region()) {
            let reason = format!("it must be the key's, which is `{}`", key.region());
            return Err(Error::invalid("aws.region", reason));
        }
        AwsAccount::new(key, role)
    }
}

const PAGE: usize = 100;

/// In bytes; Entra ID's own have some 40.
const MAX_SECRET: usize = 1024;

/// Every half is a key of its own with a policy of its own. So many are tried before settings change.
const TRIED_HALVES: usize = 8;
