//! The only file that knows statuses, headers and envelopes.
//!
//! A handler returns data or a [`Failure`]; [`finish`] gives the answer its request id, its form and its line in the log.
//! What goes into the log is the request's id, route, status, duration and, for a failure, its cause: no header, no query,
//! no body.

mod incoming;
mod origin;

use std::time::Instant;

use axum::{
    Json, Router,
    body::Body,
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};

use serde::Serialize;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowHeaders, AllowMethods, CorsLayer, ExposeHeaders},
};
use utoipa::ToSchema;
use vault::{Error, Timestamp, custody::CloudFault, id::RequestId};

pub use incoming::MAX_BODY;
pub(crate) use incoming::{IdPath, NoParams, Params, Post, PostOrNothing, drain};
pub use origin::{NoOrigin, Origin};

/// The header that carries a request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("postq-request-id");

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The media type of receipts.
const RECEIPT: &str = "application/vnd.postq.receipt+json";

/// Success with data.
#[derive(Debug, Serialize, ToSchema)]
pub struct Success<T> {
    /// Always true.
    success: bool,
    /// The answer.
    data: T,
}

/// Success with one page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// Always true.
    success: bool,
    /// The page.
    data: Vec<T>,
    /// Where it stands in the list.
    pagination: Pagination,
}

/// Where a page stands in its list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// How many items a page may have.
    limit: usize,
    /// What to send as `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// Failure.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// Always false.
    success: bool,
    /// What happened and what would be right, for a person.
    error: String,
    #[serde(flatten)]
    facts: ErrorFacts,
}

/// What a failure tells a program, in either form.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorFacts {
    /// What happened; stable.
    code: &'static str,
    /// `req_…`, to find the request in the log.
    request_id: String,
    /// For `invalid_request`: the field at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// For `key_superseded`: the key that followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    successor_id: Option<String>,
    /// For `already_created`: the id of what was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// For `policy_violated` and `policy_unreadable`: the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_id: Option<String>,
}

/// The same as RFC 9457, where the caller accepts `application/problem+json`.
#[derive(Debug, Serialize)]
struct ProblemDetails {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(flatten)]
    facts: ErrorFacts,
}

/// An answer to a call that may have been made before.
pub(crate) struct Answer {
    pub(crate) json: Vec<u8>,
    /// Whether it is the one that the call before got.
    pub(crate) replayed: bool,
}

impl Answer {
    /// 200.
    pub(crate) fn ok(self) -> Response {
        self.with(StatusCode::OK)
    }

    /// 201.
    pub(crate) fn created(self) -> Response {
        self.with(StatusCode::CREATED)
    }

    /// The envelope around the bytes, so that a replay is the same to the byte.
    fn with(self, status: StatusCode) -> Response {
        let body = [br#"{"success":true,"data":"#.as_slice(), &self.json, b"}"].concat();
        let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if self.replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// 200 with a receipt: the file itself where the caller asks for one, else in the envelope.
pub(crate) fn receipt<T: Serialize>(headers: &HeaderMap, receipt: T) -> Response {
    if accepts(headers, RECEIPT) {
        ([(header::CONTENT_TYPE, RECEIPT)], Json(receipt)).into_response()
    } else {
        ok(receipt)
    }
}

/// 200 with data.
pub(crate) fn ok<T: Serialize>(data: T) -> Response {
    (StatusCode::OK, Json(Success { success: true, data })).into_response()
}

/// 200 with a page.
pub(crate) fn page<T: Serialize>(data: Vec<T>, limit: usize, next_cursor: Option<String>) -> Response {
    let pagination = Pagination { limit, next_cursor };
    (StatusCode::OK, Json(Page { success: true, data, pagination })).into_response()
}

/// 200 with a PEM file.
pub(crate) fn pem(pem: String) -> Response {
    ([(header::CONTENT_TYPE, "application/x-pem-file")], pem).into_response()
}

/// Lets an answer that never changes be kept, by the caller alone.
pub(crate) fn cacheable(mut response: Response) -> Response {
    let forever = HeaderValue::from_static("private, max-age=86400, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, forever);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Authorization"));
    response
}

/// Why a request was not answered with data.
#[derive(Debug)]
pub enum Failure {
    /// The operation said so.
    Vault(Box<Error>),
    /// There is no such route, or not by that method.
    NoRoute,
    /// The body is not `application/json`.
    MediaType,
    /// The code panicked.
    Panicked,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Vault(Box::new(error))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = Problem::from(&self);
        let mut response = problem.status.into_response();
        if let Self::Vault(error) = &self {
            log_cause(error, problem.status);
        }
        response.extensions_mut().insert(problem);
        response
    }
}

/// A failure before it has its request id and its form.
#[derive(Debug, Clone)]
struct Problem {
    status: StatusCode,
    code: &'static str,
    sentence: String,
    field: Option<String>,
    successor_id: Option<String>,
    id: Option<String>,
    policy_id: Option<String>,
}

impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        let (status, code, text) = match failure {
            Failure::Vault(error) => {
                let (status, code) = status_and_code(error);
                (status, code, error.to_string())
            }
            Failure::NoRoute => (
                StatusCode::NOT_FOUND,
                "not_found",
                "there is no such route; the API's description names them all".to_owned(),
            ),
            Failure::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send the body as JSON with `Content-Type: application/json`".to_owned(),
            ),
            Failure::Panicked => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal_error",
                "the vault failed; nothing was released".to_owned(),
            ),
        };
        let (mut field, mut successor_id, mut id, mut policy_id) = (None, None, None, None);
        if let Failure::Vault(error) = failure {
            match error.as_ref() {
                Error::Invalid { field: name, .. } => field = Some(name.clone()),
                Error::KeySuperseded { successor, .. } => successor_id = Some(successor.to_string()),
                Error::AlreadyCreated { id: made } => id = Some(made.clone()),
                Error::PolicyViolated { policy, .. } | Error::PolicyUnreadable { policy, .. } => {
                    policy_id = Some(policy.to_string());
                }
                _ => {}
            }
        }
        Self { status, code, sentence: sentence(&text), field, successor_id, id, policy_id }
    }
}

fn status_and_code(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        Error::MissingScope { .. } => (StatusCode::FORBIDDEN, "missing_scope"),
        Error::KeyNotAllowed { .. } => (StatusCode::FORBIDDEN, "key_not_allowed"),
        Error::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
        Error::Invalid { .. } => (StatusCode::BAD_REQUEST, "invalid_request"),
        Error::ReservedContext => (StatusCode::BAD_REQUEST, "reserved_context"),
        Error::PayloadTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
        Error::KeyRevoked { .. } => (StatusCode::CONFLICT, "key_revoked"),
        Error::KeySuperseded { .. } => (StatusCode::CONFLICT, "key_superseded"),
        Error::SignatureWithheld { .. } => (StatusCode::CONFLICT, "signature_withheld"),
        Error::LedgerTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "ledger_too_large"),
        Error::IdempotencyMismatch => (StatusCode::CONFLICT, "idempotency_mismatch"),
        Error::IdempotencyInProgress => (StatusCode::CONFLICT, "idempotency_in_progress"),
        Error::AlreadyCreated { .. } => (StatusCode::CONFLICT, "already_created"),
        Error::FollowRequired => (StatusCode::UNPROCESSABLE_ENTITY, "follow_required"),
        Error::PolicyViolated { .. } => (StatusCode::FORBIDDEN, "policy_violated"),
        Error::TooManyPolicies => (StatusCode::CONFLICT, "too_many_policies"),
        Error::PolicyUnreadable { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "policy_unreadable"),
        Error::UnsupportedCombination { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unsupported_combination"),
        Error::NoStandardEncoding { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "no_standard_encoding"),
        Error::ProviderUnavailable { .. } => (StatusCode::NOT_IMPLEMENTED, "provider_unavailable"),
        Error::Cloud { fault, .. } => of_cloud(*fault),
        Error::NoAccount { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "settings_missing"),
        Error::SecretUnusable { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "secret_unusable"),
        Error::SettingsInUse { .. } => (StatusCode::CONFLICT, "settings_in_use"),
        Error::RootKekUnavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "kek_unavailable"),
        Error::SettingsChanged => (StatusCode::CONFLICT, "settings_changed"),
        Error::KeyIntegrity { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "key_integrity"),
        Error::StoreUnavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
        Error::StoreRestored => (StatusCode::SERVICE_UNAVAILABLE, "store_restored"),
        Error::Internal { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
    }
}

/// 502 where somebody must mend something, 503 and 504 where another try may do.
const fn of_cloud(fault: CloudFault) -> (StatusCode, &'static str) {
    let status = match fault {
        CloudFault::NotEntered | CloudFault::Denied | CloudFault::QuotaUsedUp | CloudFault::WrongAnswer => {
            StatusCode::BAD_GATEWAY
        }
        CloudFault::OpenDoor | CloudFault::NoRole => StatusCode::UNPROCESSABLE_ENTITY,
        CloudFault::NoCredentials | CloudFault::Throttled | CloudFault::Unavailable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        CloudFault::TimedOut => StatusCode::GATEWAY_TIMEOUT,
    };
    (status, fault.code())
}

impl Problem {
    /// The envelope, or RFC 9457 where the caller asked for it.
    fn into_response(self, request_id: String, as_problem: bool) -> Response {
        let status = self.status;
        let facts = ErrorFacts {
            code: self.code,
            request_id,
            field: self.field,
            successor_id: self.successor_id,
            id: self.id,
            policy_id: self.policy_id,
        };
        let mut response = if as_problem {
            let body = ProblemDetails {
                kind: format!("urn:postq-vault:error:{}", self.code),
                title: status.canonical_reason().unwrap_or_default(),
                status: status.as_u16(),
                detail: self.sentence,
                facts,
            };
            (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(body)).into_response()
        } else {
            (status, Json(ErrorBody { success: false, error: self.sentence, facts })).into_response()
        };
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE || self.code == "idempotency_in_progress" {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Gives every answer of the router its request id, its form and its line in the log; unknown routes and panics answer in
/// the same form as all else. `origins` may call from a browser.
pub fn finish(router: Router, origins: &[Origin]) -> Router {
    let router = router
        .fallback(|| async { Failure::NoRoute })
        .method_not_allowed_fallback(|| async { Failure::NoRoute })
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| Failure::Panicked.into_response()));
    let router = if origins.is_empty() { router } else { router.layer(cors(origins)) };
    router.layer(from_fn(answer))
}

fn cors(origins: &[Origin]) -> CorsLayer {
    let exposed = [REQUEST_ID, REPLAYED, header::RETRY_AFTER];
    CorsLayer::new()
        .allow_origin(origins.iter().map(|origin| origin.0.clone()).collect::<Vec<_>>())
        .allow_methods(AllowMethods::list([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ]))
        .allow_headers(AllowHeaders::list([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            IDEMPOTENCY_KEY,
        ]))
        .expose_headers(ExposeHeaders::list(exposed))
}

async fn answer(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let request_id = match RequestId::generate(Timestamp::now()) {
        Ok(id) => id.to_string(),
        Err(_) => "req_unavailable".to_owned(),
    };
    let method = request.method().clone();
    // The route's pattern, not the path that was sent: a path is the caller's text.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let as_problem = accepts(request.headers(), "application/problem+json");
    let span = tracing::info_span!("request", id = %request_id);
    let mut response = tracing::Instrument::instrument(next.run(request), span.clone()).await;

    let problem = response.extensions_mut().remove::<Problem>();
    let code = problem.as_ref().map_or("", |problem| problem.code);
    let _entered = span.enter();
    tracing::info!(
        %method,
        route = route.as_deref().unwrap_or("none"),
        status = response.status().as_u16(),
        code,
        milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        "answered"
    );
    if let Some(problem) = problem {
        let kept = std::mem::take(response.headers_mut());
        response = problem.into_response(request_id.clone(), as_problem);
        let own = response.headers().clone();
        for (name, value) in &kept {
            // What a layer added, such as CORS, is kept; the body's own headers are the new body's.
            if !own.contains_key(name) && name != header::CONTENT_LENGTH {
                response.headers_mut().append(name, value.clone());
            }
        }
    }
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response.map(Body::new)
}

fn log_cause(error: &Error, status: StatusCode) {
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    let cause = causes.join(": ");
    // What the caller's own account refuses, or a provider that was never there, is no failure of the vault's.
    let refused = match error {
        Error::Cloud { fault, .. } => fault.is_the_accounts(),
        Error::ProviderUnavailable { .. } => true,
        _ => false,
    };
    if status.is_server_error() && !refused {
        tracing::error!(%error, cause, "failed");
    } else if refused || !cause.is_empty() {
        tracing::warn!(%error, cause, "refused");
    }
}

fn accepts(headers: &HeaderMap, what: &str) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|part| media_type(part).eq_ignore_ascii_case(what))
}

pub(crate) fn media_type(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

/// Errors are written in lower case and without a full stop, so that they can be put together; a caller reads a sentence.
fn sentence(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        // A name such as an algorithm's is written as it is.
        Some(first) if word.chars().all(char::is_alphabetic) => {
            format!("{}{}.", first.to_uppercase(), chars.as_str())
        }
        _ => format!("{text}."),
    }
}
