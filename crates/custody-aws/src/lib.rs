//! AWS KMS as a custody provider, in the account that an organisation names in its settings.
//!
//! In scope: entering the account by its role under the organisation's external id; data keys by `GenerateDataKey` and
//! `Decrypt` under an encryption context; classical halves (`ECC_NIST_P256`, `ECC_NIST_EDWARDS25519`) and ML-DSA halves
//! (`ML_DSA_44`, `65`, `87`, by external mu) that never leave KMS; the marks by which they are found again and deleted; and
//! opening the vault's own key-encryption key where the environment holds only its ciphertext.
//!
//! Out of scope: who may do what, what is signed, and what is remembered of it.
//!
//! A request has [`BUDGET`] for all that it does here. What may be repeated is; making a key is not. A key that does not answer
//! is asked by one request at a time until it does.

mod account;
mod call;
mod door;
mod halves;
mod kek;
mod root;
mod sign;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_types::SdkConfig;
use tokio::time::Instant;
use vault::{
    custody::{Cloud, CloudName, CustodyError, Entered, ProviderSecret},
    settings::SettingsRecord,
};

pub use call::BUDGET;
pub use root::open_signing_kek;

use crate::{account::Account, door::Doors};

/// AWS, for as long as the process lives: clients and credentials are kept from one request to the next.
pub struct AwsCloud {
    doors: Arc<Doors>,
}

/// Whether the process's own identity may be used where settings name no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnIdentity {
    /// Only in a deployment that is declared to serve a single organisation.
    SingleOrganisation,
    /// Never: one organisation's settings could name another's key.
    Never,
}

impl AwsCloud {
    /// AWS by the process's own configuration: region, credentials, endpoints. Nothing is called yet.
    #[must_use]
    pub fn new(config: &SdkConfig, own: OwnIdentity) -> Self {
        Self { doors: Arc::new(Doors::new(config, own)) }
    }

    /// The same with another budget for each request, for tests of what happens when it is spent.
    #[must_use]
    pub fn with_budget(config: &SdkConfig, own: OwnIdentity, budget: Duration) -> Self {
        Self { doors: Arc::new(Doors::with_budget(config, own, budget)) }
    }
}

impl AwsCloud {
    fn deadline(&self) -> Instant {
        Instant::now() + self.doors.budget
    }
}

#[async_trait]
impl Cloud for AwsCloud {
    fn name(&self) -> CloudName {
        CloudName::Aws
    }

    async fn enter(
        &self,
        settings: &SettingsRecord,
        _: Option<&ProviderSecret>,
    ) -> Result<Entered, CustodyError> {
        Ok(entered(Account::enter(&self.doors, settings, self.deadline()).await?))
    }

    async fn test(
        &self,
        settings: &SettingsRecord,
        _: Option<&ProviderSecret>,
    ) -> Result<Entered, CustodyError> {
        let deadline = self.deadline();
        self.doors.refuse_open(settings, deadline).await?;
        let account = Account::enter(&self.doors, settings, deadline).await?;
        account.try_wrapping().await?;
        Ok(entered(account))
    }
}

fn entered(account: Account) -> Entered {
    let account = Arc::new(account);
    Entered { kek: account.clone(), classical: account.clone(), pq: Some(account.clone()), halves: account }
}
