//! Azure Key Vault as a custody provider, in the vault that an organisation names in its settings.
//!
//! In scope: entering the vault as the organisation's application, by its secret or by an assertion that is made for this
//! organisation alone; data keys wrapped by RSA-OAEP-256 (`wrapKey`, `unwrapKey`); classical halves as EC keys on P-256 that sign ES256
//! and never leave; the marks by which they are found again and deleted. No connection is made but to the vault's own host and to
//! Microsoft Entra ID's, and none to an address that is not public.
//!
//! Out of scope: who may do what, what is signed, and what is remembered of it; ML-DSA, which Key Vault does not have.
//!
//! A request has [`BUDGET`] for all that it does here. What may be repeated is; making a key is not. A key that does not answer
//! is asked by one request at a time until it does.

mod account;
mod call;
mod door;
mod halves;
mod kek;
mod network;
mod sign;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use outbound::Network;
use tokio::time::Instant;
use vault::{
    custody::{Assertions, Cloud, CloudFault, CloudName, CustodyError, Entered, ProviderSecret},
    settings::SettingsRecord,
};

pub use call::BUDGET;

use crate::{account::Account, door::Doors};

/// Azure, for as long as the process lives: clients and tokens are kept from one request to the next.
pub struct AzureCloud {
    doors: Arc<Doors>,
}

impl AzureCloud {
    /// Azure over a network, with what makes assertions of the deployment's own. Nothing is called yet.
    ///
    /// # Errors
    /// [`CustodyError::Primitive`] where TLS cannot be set up.
    pub fn new(network: &Network, assertions: Arc<dyn Assertions>) -> Result<Self, CustodyError> {
        Self::with_budget(network, assertions, BUDGET)
    }

    /// The same with another budget for each request, for tests of what happens when it is spent.
    ///
    /// # Errors
    /// [`CustodyError::Primitive`] where TLS cannot be set up.
    pub fn with_budget(
        network: &Network,
        assertions: Arc<dyn Assertions>,
        budget: Duration,
    ) -> Result<Self, CustodyError> {
        Ok(Self { doors: Arc::new(Doors::new(network, assertions, budget)?) })
    }

    fn account(
        &self,
        settings: &SettingsRecord,
        secret: Option<&ProviderSecret>,
        kept: bool,
    ) -> Result<Account, CustodyError> {
        let account = settings.azure.as_ref().ok_or(CustodyError::NoAccount(CloudName::Azure))?;
        let door = if kept {
            self.doors.open(settings, account, secret)?
        } else {
            self.doors.try_open(settings, account, secret)?
        };
        let deadline = Instant::now() + self.doors.budget;
        Ok(Account::new(self.doors.clone(), settings.clone(), account.clone(), door, deadline))
    }
}

#[async_trait]
impl Cloud for AzureCloud {
    fn name(&self) -> CloudName {
        CloudName::Azure
    }

    async fn enter(
        &self,
        settings: &SettingsRecord,
        secret: Option<&ProviderSecret>,
    ) -> Result<Entered, CustodyError> {
        Ok(entered(self.account(settings, secret, true)?))
    }

    async fn test(
        &self,
        settings: &SettingsRecord,
        secret: Option<&ProviderSecret>,
    ) -> Result<Entered, CustodyError> {
        let account = self.account(settings, secret, false)?;
        account.try_wrapping().await?;
        if self.doors.takes_any_audience(settings, &account).await? {
            return Err(account.failed(CloudFault::OpenDoor, door::TOKEN, "it takes any audience").into());
        }
        Ok(entered(account))
    }
}

fn entered(account: Account) -> Entered {
    let account = Arc::new(account);
    Entered { kek: account.clone(), classical: account.clone(), pq: None, halves: account }
}
