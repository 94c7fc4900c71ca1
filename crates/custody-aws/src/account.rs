//! An account, entered for one request.

use std::sync::Arc;

use aws_sdk_kms::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
};
use tokio::time::Instant;
use vault::{
    custody::{Call, CloudFault, CustodyError, Failed, Remains},
    settings::{AwsAccount, KmsKeyArn, SettingsRecord},
};

use crate::{
    call,
    door::{ASSUME_ROLE, Door, Doors},
};

/// An account, entered for one request.
pub(crate) struct Account {
    doors: Arc<Doors>,
    pub(crate) settings: SettingsRecord,
    /// What of the settings is about this account.
    pub(crate) account: AwsAccount,
    home: Arc<Door>,
    deadline: Instant,
}

impl Account {
    pub(crate) async fn enter(
        doors: &Arc<Doors>,
        settings: &SettingsRecord,
        deadline: Instant,
    ) -> Result<Self, CustodyError> {
        let account = doors.account(settings)?.clone();
        let opening = doors.open(settings, account.role.as_ref(), account.key.region());
        let home = call::until(deadline, ASSUME_ROLE, opening).await?;
        Ok(Self { doors: doors.clone(), settings: settings.clone(), account, home, deadline })
    }

    /// The client for the region that settings name.
    pub(crate) fn home(&self) -> &Client {
        &self.home.kms
    }

    /// The client for a key, which may be in a region that settings named once.
    pub(crate) async fn client_of(&self, key_id: &str) -> Result<Client, Failed> {
        self.client_until(key_id, self.deadline).await
    }

    /// The same, for what takes its time.
    pub(crate) async fn client_unhurried(&self, key_id: &str) -> Result<Client, Failed> {
        self.client_until(key_id, Instant::now() + self.doors.budget).await
    }

    async fn client_until(&self, key_id: &str, deadline: Instant) -> Result<Client, Failed> {
        let key = KmsKeyArn::parse(key_id)
            .map_err(|e| Failed::new(CloudFault::Denied, call::on("kms:DescribeKey", key_id), e))?;
        if key.region() == self.account.key.region() {
            return Ok(self.home.kms.clone());
        }
        let opening = self.doors.open(&self.settings, self.account.role.as_ref(), key.region());
        Ok(call::until(deadline, ASSUME_ROLE, opening).await?.kms.clone())
    }

    /// Runs a call on a key, within the request's time, unless the key does not answer and somebody asks it already.
    pub(crate) async fn ask<T, E>(
        &self,
        action: &'static str,
        key_id: &str,
        answer: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, Failed>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let call = call::on(action, key_id);
        let Some(turn) = self.doors.breakers.turn(key_id) else {
            let failed = Failed::new(CloudFault::Unavailable, call, "it has not answered for some calls");
            return Err(failed.leaving(Remains::Nothing));
        };
        let outcome = call::until(self.deadline, call, async { self.judge(call, answer.await) }).await;
        turn.report(outcome.as_ref().err().map(|failed| failed.fault));
        outcome
    }

    /// The same for what belongs to no key yet, or to all of them.
    pub(crate) async fn ask_account<T, E>(
        &self,
        action: &'static str,
        answer: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, Failed>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let call = call::of(action);
        call::until(self.deadline, call, async { self.judge(call, answer.await) }).await
    }

    /// What the outcome of a call by the account's credentials means. Those of a role that are not accepted are fetched anew by the
    /// next request: the role may have been made anew.
    pub(crate) fn judge<T, E>(&self, call: Call<'_>, outcome: Result<T, SdkError<E>>) -> Result<T, Failed>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        call::judge(call, outcome).map_err(|failed| match &self.account.role {
            Some(role) if call::is_of_a_rejected_session(&failed) => {
                self.doors.forget(role, &self.settings.external_id);
                failed.of_fault(CloudFault::NotEntered)
            }
            _ => failed,
        })
    }
}
