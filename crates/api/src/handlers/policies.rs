//! `GET`, `POST /v1/policies`, `GET /v1/policies/offered`, `GET`, `PATCH`, `DELETE /v1/policies/{id}`

use axum::{extract::State, response::Response};
use vault::{ops::policies, policies::Terms, store::MAX_POLICIES};

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, IdPath, NoParams, Page, Post, Success},
    once::once,
};

/// List policies, oldest first
///
/// An organisation has at most 100, and this answers all of them.
#[utoipa::path(
    get, path = "/v1/policies", tag = "policies", operation_id = "listPolicies",
    responses(
        (status = 200, description = "All policies.", body = Page<policies::Policy>),
        (
            status = "default",
            description = "unauthenticated, missing_scope, policy_unreadable, store_unavailable.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn list_policies(
    State(ports): State<policies::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
) -> Result<Response, Failure> {
    Ok(http::page(policies::list_policies(&ports, &caller).await?, MAX_POLICIES, None))
}

/// List the policies that are offered
///
/// None of them is in force: make one by sending it to `POST /v1/policies`, as it is or changed.
#[utoipa::path(
    get, path = "/v1/policies/offered", tag = "policies", operation_id = "listOfferedPolicies",
    responses(
        (status = 200, description = "What they would say.", body = Success<Vec<Terms>>),
        (status = "default", description = "unauthenticated, missing_scope.", body = ErrorBody),
    )
)]
pub(crate) async fn list_offered_policies(_: NoParams) -> Response {
    http::ok(policies::offered_policies())
}

/// Make a policy
///
/// Once this is answered it binds every later call.
#[utoipa::path(
    post, path = "/v1/policies", tag = "policies", operation_id = "createPolicy",
    request_body = policies::Request,
    responses(
        (status = 201, description = "The policy.", body = Success<policies::Policy>),
        (
            status = "default",
            description = "invalid_request, unsupported_media_type, unauthenticated, missing_scope, key_not_allowed, too_many_policies, \
                idempotency_mismatch, idempotency_in_progress, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn create_policy(
    State(ports): State<policies::Ports>,
    Authenticated(caller): Authenticated,
    Post { request, attempt }: Post<policies::Request>,
) -> Result<Response, Failure> {
    let run = |lease| policies::create_policy(&ports, &caller, request, lease);
    Ok(once(ports.replies.as_ref(), attempt, run).await?.created())
}

/// Show a policy
#[utoipa::path(
    get, path = "/v1/policies/{id}", tag = "policies", operation_id = "getPolicy",
    params(("id" = String, Path, description = "`pol_…`")),
    responses(
        (status = 200, description = "The policy.", body = Success<policies::Policy>),
        (
            status = "default",
            description = "unauthenticated, missing_scope, not_found, policy_unreadable, store_unavailable.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn get_policy(
    State(ports): State<policies::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
    IdPath(id): IdPath,
) -> Result<Response, Failure> {
    Ok(http::ok(policies::get_policy(&ports, &caller, &id).await?))
}

/// Change a policy
///
/// What is left out stays. Once this is answered it binds every later call.
#[utoipa::path(
    patch, path = "/v1/policies/{id}", tag = "policies", operation_id = "updatePolicy",
    params(("id" = String, Path, description = "`pol_…`")),
    request_body = policies::UpdateRequest,
    responses(
        (status = 200, description = "The policy as it is now.", body = Success<policies::Policy>),
        (
            status = "default",
            description = "invalid_request, unsupported_media_type, unauthenticated, missing_scope, key_not_allowed, not_found, \
                policy_unreadable, idempotency_mismatch, idempotency_in_progress, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn update_policy(
    State(ports): State<policies::Ports>,
    Authenticated(caller): Authenticated,
    IdPath(id): IdPath,
    Post { request, attempt }: Post<policies::UpdateRequest>,
) -> Result<Response, Failure> {
    let run = |lease| policies::update_policy(&ports, &caller, &id, request, lease);
    Ok(once(ports.replies.as_ref(), attempt, run).await?.ok())
}

/// Delete a policy
///
/// One that cannot be read too.
#[utoipa::path(
    delete, path = "/v1/policies/{id}", tag = "policies", operation_id = "deletePolicy",
    params(("id" = String, Path, description = "`pol_…`")),
    responses(
        (status = 200, description = "It is gone.", body = Success<policies::DeletedPolicy>),
        (
            status = "default",
            description = "unauthenticated, missing_scope, key_not_allowed, not_found, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn delete_policy(
    State(ports): State<policies::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
    IdPath(id): IdPath,
) -> Result<Response, Failure> {
    Ok(http::ok(policies::delete_policy(&ports, &caller, &id).await?))
}
