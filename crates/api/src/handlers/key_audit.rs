//! `GET /v1/hybrid-keys/{id}/audit`

use axum::{extract::State, response::Response};
use vault::ops::key_audit;

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, IdPath, Page, Params},
};

/// Show what happened to a key, newest first
#[utoipa::path(
    get, path = "/v1/hybrid-keys/{id}/audit", tag = "key-audit", operation_id = "keyAudit",
    params(("id" = String, Path, description = "`key_…`"), key_audit::Request),
    responses(
        (status = 200, description = "One page of rows.", body = Page<key_audit::AuditRow>),
        (
            status = "default",
            description = "invalid_request, unauthenticated, missing_scope, key_not_allowed, not_found, \
                store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn key_audit(
    State(ports): State<key_audit::Ports>,
    Authenticated(caller): Authenticated,
    IdPath(id): IdPath,
    Params(request): Params<key_audit::Request>,
) -> Result<Response, Failure> {
    let page = key_audit::key_audit(&ports, &caller, &id, &request).await?;
    Ok(http::page(page.rows, page.limit, page.next_cursor))
}
