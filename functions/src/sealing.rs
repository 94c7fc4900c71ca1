//! Sealing is one Lambda's, because it takes an organisation's ledger key. It is reached by its route, by a schedule, and by the
//! Lambdas that make evidence, which invoke it and hold no key.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_lambda::{Client, primitives::Blob};
use axum::Router;
use lambda_http::{Adapter, request::LambdaRequest};
use lambda_runtime::{LambdaEvent, service_fn, tower::Service};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vault::{
    Error,
    id::OrgId,
    ledger_access::Sealer,
    ops::seal_ledger::{self, Ports},
    store::{CheckpointRecord, LedgerReads, StoreError},
};

use crate::{log, wiring::WiringError, workers::Worker};

/// `{"org"}` → its ledger is sealed; anything else, as a schedule sends it → every ledger with something new. `{"sealed"}`: how
/// many.
#[async_trait]
impl Worker for Ports {
    type Event = Which;
    type Answer = Sealed;

    async fn work(&self, event: Which) -> Result<Sealed, Error> {
        match event.org {
            Some(org) => self.seal(&org).await.map(|_| Sealed { sealed: 1 }),
            None => seal_ledger::seal_all(self).await.map(|sealed| Sealed { sealed }),
        }
    }
}

/// Whose ledger.
#[derive(Deserialize)]
pub struct Which {
    #[serde(default)]
    org: Option<OrgId>,
}

/// What was sealed.
#[derive(Serialize)]
pub struct Sealed {
    sealed: usize,
}

/// Serves the route and those who invoke it, until the environment ends. What came by the route has a request's context.
///
/// # Errors
/// The wiring's, and the runtime's own where its API does not answer.
pub async fn run(
    wired: impl Future<Output = Result<(Router, Ports), WiringError>>,
) -> Result<(), lambda_runtime::Error> {
    log();
    let (router, worker) = wired.await.inspect_err(|error| tracing::error!("{error}"))?;
    let (router, worker) = (&router, &worker);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        if event.payload.get("requestContext").is_none() {
            return crate::workers::answer(worker, event.payload).await;
        }
        let request: LambdaRequest = serde_json::from_value(event.payload)?;
        let answer = Adapter::from(router.clone()).call(LambdaEvent::new(request, event.context)).await?;
        Ok(serde_json::to_value(answer)?)
    }))
    .await
}

/// The Lambda that seals, as others have it.
pub struct InvokedSealer {
    /// Invokes it.
    pub client: Client,
    /// Its name.
    pub function: String,
    /// Where the checkpoint then is.
    pub ledger: Arc<dyn LedgerReads>,
}

#[async_trait]
impl Sealer for InvokedSealer {
    async fn seal(&self, org: &OrgId) -> Result<CheckpointRecord, Error> {
        let event = Blob::new(json!({"org": org}).to_string());
        let invoked = self.client.invoke().function_name(&self.function).payload(event).send().await;
        let failed =
            |why: Box<dyn std::error::Error + Send + Sync>| Error::from(StoreError::Unavailable(why));
        let answer = invoked
            .map_err(|error| failed(aws_sdk_lambda::error::DisplayErrorContext(error).to_string().into()))?;
        if answer.function_error.is_some() {
            let said = answer.payload.map(Blob::into_inner).unwrap_or_default();
            return Err(failed(format!("the sealer: {}", String::from_utf8_lossy(&said)).into()));
        }
        let newest = self.ledger.checkpoints(org, None, 1).await?.pop();
        newest.ok_or_else(|| failed("the sealer made no checkpoint".into()))
    }
}
