//! Google Cloud KMS as a custody provider, in the projects that an organisation names in its settings.
//!
//! In scope: entering them as the organisation's service account, by its key, or as the deployment's own identity, by an assertion that
//! is made for this organisation alone (workload identity federation); data keys by `Encrypt` and `Decrypt` under additional
//! authenticated data; classical halves (`EC_SIGN_P256_SHA256`, `EC_SIGN_ED25519`) and ML-DSA halves (`PQ_SIGN_ML_DSA_44`, `65`, `87`
//! by external mu) that never leave; the labels by which they are found again and destroyed. What goes in and what comes out carries
//! a CRC32C that is checked. No connection is made but to Google's own hosts, by TLS, at public addresses.
//!
//! Out of scope: who may do what, what is signed, and what is remembered of it.
//!
//! A request has [`BUDGET`] for all that it does here. What may be repeated is; making a key is not. A key that does not answer
//! is asked by one request at a time until it does.

mod account;
mod call;
mod checked;
mod door;
mod halves;
mod kek;
mod kms;
mod sign;
mod tokens;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use outbound::Network;
use tokio::time::Instant;
use vault::{
    custody::{Assertions, Cloud, CloudFault, CloudName, CustodyError, Entered, Failed, ProviderSecret},
    settings::SettingsRecord,
};

pub use call::BUDGET;

use crate::{account::Account, door::Doors};

/// Google Cloud, for as long as the process lives: connections and tokens are kept from one request to the next.
pub struct GcpCloud {
    doors: Arc<Doors>,
}

impl GcpCloud {
    /// Google Cloud over a network, with what makes assertions of the deployment's own. Nothing is called yet.
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
        let account = settings.gcp.as_ref().ok_or(CustodyError::NoAccount(CloudName::Gcp))?;
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
impl Cloud for GcpCloud {
    fn name(&self) -> CloudName {
        CloudName::Gcp
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
        if account.takes_any_audience().await? {
            return Err(Failed::new(CloudFault::OpenDoor, tokens::EXCHANGE, "it takes any audience").into());
        }
        Ok(entered(account))
    }
}

fn entered(account: Account) -> Entered {
    let account = Arc::new(account);
    Entered { kek: account.clone(), classical: account.clone(), pq: Some(account.clone()), halves: account }
}
