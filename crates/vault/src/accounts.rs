//! Into whose accounts one request goes. The organisation's settings are read, and its accounts entered, once a request and
//! only where a key's provider is a cloud.

use std::sync::Arc;

use futures::lock::Mutex;
use zeroize::Zeroizing;

use crate::{
    Error,
    custody::{
        ClassicalSigner, CloudName, Custody, CustodyError, Entered, KeyEncryption, OpenedKeys, PqSigner,
        ProviderSecret, RootKek, SealedSecret,
    },
    id::{KeyId, OrgId},
    providers::{KekProvider, KeyProvider, PqProvider},
    settings::{SettingsRecord, keeps_opened},
    store::{Intent, Intents, KeyRecord, Leftover, ProviderSecrets, Settings},
};

/// The providers of one request.
pub(crate) struct Accounts<'a> {
    custody: &'a Custody,
    /// `None` where only what is here may be used.
    settings: Option<(Kept<'a>, &'a OrgId)>,
    /// `None` where nothing is to be made.
    intents: Option<&'a dyn Intents>,
    known: Mutex<Known>,
}

/// What is kept of the accounts of organisations.
#[derive(Clone, Copy)]
pub(crate) struct Kept<'a> {
    /// Which they are.
    pub(crate) settings: &'a dyn Settings,
    /// What some are entered by.
    pub(crate) secrets: &'a dyn ProviderSecrets,
}

impl<'a> Kept<'a> {
    pub(crate) fn of(settings: &'a Arc<dyn Settings>, secrets: &'a Arc<dyn ProviderSecrets>) -> Self {
        Self { settings: settings.as_ref(), secrets: secrets.as_ref() }
    }
}

#[derive(Default)]
struct Known {
    settings: Option<Option<Arc<SettingsRecord>>>,
    entered: Vec<(CloudName, Entered)>,
}

impl<'a> Accounts<'a> {
    /// Whatever the organisation's settings name.
    pub(crate) fn of(custody: &'a Custody, kept: Kept<'a>, org: &'a OrgId) -> Self {
        Self { custody, settings: Some((kept, org)), intents: None, known: Mutex::default() }
    }

    /// In which keys may be made as well.
    pub(crate) fn for_making(self, intents: &'a dyn Intents) -> Self {
        Self { intents: Some(intents), ..self }
    }

    /// No account at all: an organisation's ledger key is kept here, and nothing that a customer withdraws stops it.
    pub(crate) fn none(custody: &'a Custody) -> Self {
        Self { custody, settings: None, intents: None, known: Mutex::default() }
    }

    pub(crate) fn root(&self) -> &'a dyn RootKek {
        self.custody.root.as_ref()
    }

    /// Where opened halves are kept.
    pub(crate) fn opened(&self) -> &'a OpenedKeys {
        &self.custody.opened
    }

    /// How long halves whose data key a provider wrapped may be kept opened, in seconds.
    pub(crate) async fn keeps_opened(&self, kek: KekProvider) -> Result<u16, Error> {
        let settings = match kek.cloud() {
            Some(_) => self.settings().await?,
            None => None,
        };
        Ok(keeps_opened(kek, settings.as_deref()))
    }

    /// The same as a key shows it; `None` where the vault keeps neither half.
    pub(crate) async fn cache_ttl(&self, key: &KeyRecord) -> Result<Option<u16>, Error> {
        match &key.kek {
            Some(kek) => self.keeps_opened(kek.provider).await.map(Some),
            None => Ok(None),
        }
    }

    /// The organisation's settings, as they were when this request first asked.
    pub(crate) async fn settings(&self) -> Result<Option<Arc<SettingsRecord>>, Error> {
        self.read(&mut *self.known.lock().await).await
    }

    pub(crate) async fn kek(&self, provider: KekProvider) -> Result<Arc<dyn KeyEncryption>, Error> {
        match provider.cloud() {
            None => Ok(self.custody.kek.clone()),
            Some(cloud) => Ok(self.enter(cloud).await?.kek),
        }
    }

    pub(crate) async fn classical(&self, provider: KeyProvider) -> Result<Arc<dyn ClassicalSigner>, Error> {
        match provider.cloud() {
            None => Ok(self.custody.classical.clone()),
            Some(cloud) => Ok(self.enter(cloud).await?.classical),
        }
    }

    pub(crate) async fn pq(&self, provider: PqProvider) -> Result<Arc<dyn PqSigner>, Error> {
        match provider.cloud() {
            None => Ok(self.custody.pq.clone()),
            Some(cloud) => {
                let entered = self.enter(cloud).await?;
                entered.pq.ok_or_else(|| self.custody.no_cloud(cloud).into())
            }
        }
    }

    /// The account in a cloud.
    pub(crate) async fn enter(&self, name: CloudName) -> Result<Entered, Error> {
        let cloud = self.custody.cloud(name)?;
        let mut known = self.known.lock().await;
        if let Some((_, entered)) = known.entered.iter().find(|(entered, _)| *entered == name) {
            return Ok(entered.clone());
        }
        let settings = self.read(&mut known).await?.ok_or(Error::NoAccount { cloud: name })?;
        let secret = match self.settings {
            Some((kept, _)) => secret(self.custody, kept.secrets, &settings, name).await?,
            None => None,
        };
        let entered = cloud.enter(&settings, secret.as_ref()).await?;
        known.entered.push((name, entered.clone()));
        Ok(entered)
    }

    /// Makes the intent durable, before anything is made in any account.
    ///
    /// # Errors
    /// [`Error::SettingsChanged`] where the settings are not those any more by which the accounts were entered.
    pub(crate) async fn intend(&self, intent: &Intent) -> Result<(), Error> {
        let settings = self.settings().await?;
        let (Some(intents), Some(settings)) = (self.intents, settings) else {
            return Err(Error::SettingsChanged);
        };
        if intents.intend(intent, settings.updated_at).await? { Ok(()) } else { Err(Error::SettingsChanged) }
    }

    /// Takes the intent back, if there is one, and leaves what was made to be deleted. If that fails the intent stays, and leads to
    /// it in an hour.
    pub(crate) async fn withdraw(&self, org: &OrgId, key: &KeyId, left: &[Leftover]) {
        let Some(intents) = self.intents else { return };
        if let Err(error) = intents.withdraw(org, key, left).await {
            tracing::warn!(%key, %error, "a creation that failed may have left something at a cloud; it is looked for in an hour");
        }
    }

    async fn read(&self, known: &mut Known) -> Result<Option<Arc<SettingsRecord>>, Error> {
        if let Some(settings) = &known.settings {
            return Ok(settings.clone());
        }
        let settings = match self.settings {
            Some((kept, org)) => kept.settings.settings(org).await?.map(Arc::new),
            None => None,
        };
        known.settings = Some(settings.clone());
        Ok(settings)
    }
}

/// What the vault keeps to enter an account by, opened; `None` where it needs none.
///
/// # Errors
/// [`Error::SecretUnusable`].
pub(crate) async fn secret(
    custody: &Custody,
    secrets: &dyn ProviderSecrets,
    settings: &SettingsRecord,
    cloud: CloudName,
) -> Result<Option<ProviderSecret>, Error> {
    let Some(binding) = settings.binding(cloud).filter(|_| settings.needs_secret(cloud)) else {
        return Ok(None);
    };
    let unusable = |source| Error::SecretUnusable { cloud, source };
    let sealed = secrets.provider_secret(&settings.org, cloud).await?;
    let sealed = sealed.ok_or_else(|| unusable(CustodyError::NotAuthentic))?;
    let opened = match custody.root.open_secret(&settings.org, cloud, &sealed).await {
        Ok(opened) => opened,
        Err(source @ CustodyError::RootKek(_)) => return Err(source.into()),
        Err(source) => return Err(unusable(source)),
    };
    let bound = opened.split_first_chunk().filter(|(bound, _)| **bound == binding);
    let text = bound.and_then(|(_, secret)| std::str::from_utf8(secret).ok());
    let text = text.ok_or_else(|| unusable(CustodyError::NotAuthentic))?;
    Ok(Some(ProviderSecret(Zeroizing::new(text.to_owned()))))
}

/// Encrypts what is to be kept to enter an account by, bound to where and as whom it is used.
///
/// # Errors
/// [`Error::Internal`], [`Error::RootKekUnavailable`].
pub(crate) async fn seal(
    custody: &Custody,
    settings: &SettingsRecord,
    cloud: CloudName,
    secret: &ProviderSecret,
) -> Result<SealedSecret, Error> {
    let mut bound = Zeroizing::new(settings.binding(cloud).unwrap_or_default().to_vec());
    bound.extend_from_slice(secret.0.as_bytes());
    Ok(custody.root.seal_secret(&settings.org, cloud, &bound).await?)
}
