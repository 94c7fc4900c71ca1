//! An account, entered for one request.

use std::sync::Arc;

use azure_core::http::Response;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use vault::{
    custody::{Call, CloudFault, Failed, Remains},
    settings::{AzureAccount, SettingsRecord, VaultKeyId, VaultUrl},
};

use crate::{
    call,
    door::{Clients, Door, Doors},
};

/// An account, entered for one request.
pub(crate) struct Account {
    doors: Arc<Doors>,
    pub(crate) settings: SettingsRecord,
    /// What of the settings is about this account.
    pub(crate) account: AzureAccount,
    door: Arc<Door>,
    pub(crate) deadline: Instant,
}

impl Account {
    pub(crate) const fn new(
        doors: Arc<Doors>,
        settings: SettingsRecord,
        account: AzureAccount,
        door: Arc<Door>,
        deadline: Instant,
    ) -> Self {
        Self { doors, settings, account, door, deadline }
    }

    /// The clients of the vault that settings name.
    pub(crate) fn home(&self) -> Result<Arc<Clients>, Failed> {
        self.clients(&self.account.vault)
    }

    /// The clients of a key's vault, which may be one that settings named once.
    pub(crate) fn clients_of(&self, key_id: &str) -> Result<(Arc<Clients>, VaultKeyId), Failed> {
        let id = VaultKeyId::parse(key_id)
            .map_err(|e| Failed::new(CloudFault::Denied, call::on("keys/get", key_id), e))?;
        Ok((self.clients(&id.vault)?, id))
    }

    fn clients(&self, vault: &VaultUrl) -> Result<Arc<Clients>, Failed> {
        self.doors.clients(&self.door, vault)
    }

    pub(crate) fn failed(&self, fault: CloudFault, call: Call<'_>, detail: &str) -> Failed {
        Failed::new(fault, call, format_args!("{detail} ({})", self.account.client.as_str()))
    }

    /// Runs a call on a key, within the request's time, unless the key does not answer and somebody asks it already.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        action: &'static str,
        key_id: &str,
        answer: impl Future<Output = azure_core::Result<Response<T>>>,
    ) -> Result<T, Failed> {
        let call = call::on(action, key_id);
        // What is silent for one organisation may be so by its settings alone.
        let Some(turn) = self.doors.breakers.turn(&format!("{} {key_id}", self.settings.org)) else {
            let failed = Failed::new(CloudFault::Unavailable, call, "it has not answered for some calls");
            return Err(failed.leaving(Remains::Nothing));
        };
        let outcome = call::until(self.deadline, call, self.read(call, answer)).await;
        turn.report(outcome.as_ref().err().map(|failed| failed.fault));
        outcome
    }

    /// The same for what takes its time.
    pub(crate) async fn ask_unhurried<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        answer: impl Future<Output = azure_core::Result<Response<T>>>,
    ) -> Result<T, Failed> {
        self.unhurried(call, self.read(call, answer)).await
    }

    pub(crate) async fn unhurried<T>(
        &self,
        call: Call<'_>,
        answer: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        call::until(Instant::now() + self.doors.budget, call, answer).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        answer: impl Future<Output = azure_core::Result<Response<T>>>,
    ) -> Result<T, Failed> {
        let answer = answer.await.map_err(|error| self.judge(call, &error))?;
        answer.into_model().map_err(|_| Failed::wrong(call, "an answer that cannot be read"))
    }

    /// What the failure of a call means. An application that is not taken any more is asked for anew by the next request.
    pub(crate) fn judge(&self, call: Call<'_>, error: &azure_core::Error) -> Failed {
        let failed = call::judge(call, error);
        if failed.fault == CloudFault::NotEntered {
            self.doors.forget(&self.door);
        }
        failed
    }
}
