//! `GET /v1/receipts/{eventId}`

use axum::{extract::State, http::HeaderMap, response::Response};
use vault::ops::{read_ledger::shapes, receipt};

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, IdPath, NoParams, Success},
};

/// Give the evidence for a signature
///
/// All of a receipt but the signature, which the vault does not keep. With `Accept: application/vnd.postq.receipt+json` it is
/// the body itself, without the envelope.
#[utoipa::path(
    get, path = "/v1/receipts/{eventId}", tag = "receipt", operation_id = "receipt",
    params(("eventId" = String, Path, description = "`evt_…` of a signature")),
    responses(
        (
            status = 200, description = "The receipt.",
            content(
                (Success<shapes::Receipt> = "application/json"),
                (shapes::Receipt = "application/vnd.postq.receipt+json"),
            )
        ),
        (
            status = "default",
            description = "unauthenticated, missing_scope, key_not_allowed, not_found, signature_withheld, \
                key_integrity, kek_unavailable, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn receipt(
    State(ports): State<receipt::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
    IdPath(id): IdPath,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    Ok(http::receipt(&headers, receipt::receipt(&ports, &caller, &id).await?))
}
