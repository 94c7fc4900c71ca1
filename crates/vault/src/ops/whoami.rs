//! Tells a caller what its token is.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Error,
    caller::{Caller, Environment, Scope},
    store::Orgs,
};

/// What telling touches.
#[derive(Clone)]
pub struct Ports {
    /// Organisations are read.
    pub orgs: Arc<dyn Orgs>,
}

/// What a token is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WhoamiResponse)]
pub struct Response {
    /// `org_…`
    pub org: String,
    /// `apk_…`
    pub token_id: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// What a cloud account must be told to expect from this organisation.
    pub external_id: String,
    /// Live or test.
    pub environment: Environment,
}

/// Tells.
///
/// # Errors
/// [`Error::StoreUnavailable`]; [`Error::Unauthenticated`] for a token whose organisation is gone.
pub async fn whoami(ports: &Ports, caller: &Caller) -> Result<Response, Error> {
    let org = ports.orgs.org(&caller.org).await?.ok_or(Error::Unauthenticated)?;
    Ok(Response {
        org: org.id.to_string(),
        token_id: caller.token.to_string(),
        scopes: caller.scopes.clone(),
        external_id: org.external_id,
        environment: org.environment,
    })
}
