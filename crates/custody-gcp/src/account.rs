//! An account, entered for one request.

use std::{sync::Arc, time::Duration};

use backon::BackoffBuilder;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use vault::{
    custody::{CloudFault, CustodyError, Failed, Remains},
    settings::{GcpAccount, SettingsRecord},
};
use zeroize::Zeroizing;

use crate::{
    call,
    door::{Door, Doors},
    kms::Asked,
    tokens::EXCHANGE,
};

/// An account, entered for one request.
pub(crate) struct Account {
    doors: Arc<Doors>,
    pub(crate) settings: SettingsRecord,
    /// What of the settings is about this account.
    pub(crate) account: GcpAccount,
    door: Arc<Door>,
    deadline: Instant,
}

impl Account {
    pub(crate) const fn new(
        doors: Arc<Doors>,
        settings: SettingsRecord,
        account: GcpAccount,
        door: Arc<Door>,
        deadline: Instant,
    ) -> Self {
        Self { doors, settings, account, door, deadline }
    }

    /// Makes a call on a key, within the request's time, unless the key does not answer and somebody asks it already. What fails in
    /// passing is tried again.
    pub(crate) async fn ask<A: DeserializeOwned>(
        &self,
        key: &str,
        asked: &Asked<'_, A>,
    ) -> Result<A, Failed> {
        let token = self.token(self.deadline).await?;
        self.in_turn(key, asked, patiently(|| self.send(asked, &token))).await
    }

    /// The same for what is made once: it makes something.
    pub(crate) async fn ask_once<A: DeserializeOwned>(
        &self,
        key: &str,
        asked: &Asked<'_, A>,
    ) -> Result<A, Failed> {
        let token = self.token(self.deadline).await?;
        // What is begun late is made, and destroyed for want of its public key.
        if self.is_out_of_time(self.doors.budget / 4) {
            let failed = Failed::new(CloudFault::TimedOut, asked.call, "there was no time left to begin it");
            return Err(failed.leaving(Remains::Nothing));
        }
        self.in_turn(key, asked, self.send(asked, &token)).await
    }

    /// The same for what takes its time.
    pub(crate) async fn ask_unhurried<A: DeserializeOwned>(&self, asked: &Asked<'_, A>) -> Result<A, Failed> {
        let deadline = Instant::now() + self.doors.budget;
        let token = self.token(deadline).await?;
        call::until(deadline, asked.call, patiently(|| self.send(asked, &token))).await
    }

    async fn in_turn<A>(
        &self,
        key: &str,
        asked: &Asked<'_, A>,
        answer: impl Future<Output = Result<A, Failed>>,
    ) -> Result<A, Failed> {
        // What is silent for one organisation may be so by its settings alone.
        let Some(turn) = self.doors.breakers.turn(&format!("{} {key}", self.settings.org)) else {
            let failed =
                Failed::new(CloudFault::Unavailable, asked.call, "it has not answered for some calls");
            return Err(failed.leaving(Remains::Nothing));
        };
        let outcome = call::until(self.deadline, asked.call, answer).await;
        turn.report(outcome.as_ref().err().map(|failed| failed.fault));
        outcome
    }

    async fn send<A: DeserializeOwned>(&self, asked: &Asked<'_, A>, token: &str) -> Result<A, Failed> {
        asked.send(&self.doors.kms, token).await.inspect_err(|failed| self.judge(failed))
    }

    /// A token, without which no key is asked for anything: whoever hands them out is no key's fault.
    async fn token(&self, deadline: Instant) -> Result<Arc<Zeroizing<String>>, Failed> {
        let token = call::until(deadline, EXCHANGE, patiently(|| self.door.credential.token())).await;
        token.inspect_err(|failed| self.judge(failed)).map_err(|failed| failed.leaving(Remains::Nothing))
    }

    /// An identity that is not taken any more is asked for anew by the next request.
    fn judge(&self, failed: &Failed) {
        if failed.fault == CloudFault::NotEntered {
            self.doors.forget(&self.door);
        }
    }

    /// Whether the request's time ends before a rest of this length does.
    pub(crate) fn is_out_of_time(&self, rest: Duration) -> bool {
        Instant::now() + rest >= self.deadline
    }

    /// Whether the account is entered by assertions that are for another than this organisation. Then anybody's settings could name it.
    pub(crate) async fn takes_any_audience(&self) -> Result<bool, CustodyError> {
        Ok(call::until(self.deadline, EXCHANGE, self.door.credential.takes_any_audience()).await?)
    }
}

/// Tries again what fails in passing.
async fn patiently<T, F: Future<Output = Result<T, Failed>>>(attempt: impl Fn() -> F) -> Result<T, Failed> {
    let mut rests = call::retries().build();
    loop {
        match (attempt().await, rests.next()) {
            (Err(failed), Some(rest)) if call::may_pass(&failed) => tokio::time::sleep(rest).await,
            (outcome, _) => return outcome,
        }
    }
}
