//! What comes in: bodies, queries and paths, read within their limits and checked for their shape.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, header, request::Parts},
};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use vault::{
    Error,
    input::MAX_PAYLOAD,
    store::{Attempt, Slot},
};

use super::{Failure, IDEMPOTENCY_KEY, media_type};
use crate::auth::Authenticated;

/// A body's limit in bytes: the largest payload in base64, and 64 KiB for all that stands around it.
pub const MAX_BODY: usize = MAX_PAYLOAD.div_ceil(3) * 4 + 64 * 1024;

/// How much of a refused body is read before the connection is given up, in bytes.
const MAX_DRAIN: usize = 64 * 1024 * 1024;

/// How long it is read.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// A JSON body, parsed and checked for its shape, with the caller's idempotency key.
pub(crate) struct Post<T> {
    pub(crate) request: T,
    pub(crate) attempt: Option<Attempt>,
}

/// The same where no body at all stands for an empty object.
pub(crate) struct PostOrNothing<T> {
    pub(crate) request: T,
    pub(crate) attempt: Option<Attempt>,
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Post<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Failure> {
        let (request, attempt) = receive(request, false).await?;
        Ok(Self { request, attempt })
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for PostOrNothing<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Failure> {
        let (request, attempt) = receive(request, true).await?;
        Ok(Self { request, attempt })
    }
}

async fn receive<T: DeserializeOwned>(
    request: Request,
    may_be_empty: bool,
) -> Result<(T, Option<Attempt>), Failure> {
    let (parts, body) = request.into_parts();
    let is_json = is_json(&parts.headers);
    let head = match slot(&parts) {
        Ok(_) if !is_json && !may_be_empty => Err(Failure::MediaType),
        slot => slot.and_then(|slot| refuse_query(parts.uri.query()).map(|()| slot)),
    };
    let slot = match head {
        Ok(slot) => slot,
        Err(refusal) => {
            drain(body).await;
            return Err(refusal);
        }
    };
    let body = read(body).await?;
    let attempt = slot.map(|slot| Attempt { slot, body: vault::input::body_digest(&body) });
    let json = match body.as_slice() {
        [] if may_be_empty => b"{}",
        _ if !is_json => return Err(Failure::MediaType),
        json => json,
    };
    // A list would be taken for the members in their order, whatever that comes to be.
    if json.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Error::invalid("body", "send a JSON object").into());
    }
    let mut parser = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        let is_json = error.inner().is_data() || error.inner().is_io();
        if is_json { invalid(&error, "body") } else { no_json(&error) }
    })?;
    parser.end().map_err(|error| Error::invalid("body", error))?;
    Ok((value, attempt))
}

/// Where the answer is kept, if the caller wants it to be.
fn slot(parts: &Parts) -> Result<Option<Slot>, Failure> {
    let Some(key) = parts.headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let refuse = || {
        let reason = format!("send 1 to {MAX_IDEMPOTENCY_KEY} visible ASCII characters, once");
        Failure::from(Error::invalid("Idempotency-Key", reason))
    };
    let once = parts.headers.get_all(IDEMPOTENCY_KEY).iter().count() == 1;
    let key = key.to_str().ok().filter(|key| once && !key.is_empty() && key.len() <= MAX_IDEMPOTENCY_KEY);
    let key = key.filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic())).ok_or_else(refuse)?;
    let Authenticated(caller) =
        parts.extensions.get::<Authenticated>().ok_or(Failure::from(Error::Unauthenticated))?;
    Ok(Some(Slot {
        org: caller.org.clone(),
        token: caller.token.clone(),
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        key: key.to_owned(),
    }))
}

/// In characters.
const MAX_IDEMPOTENCY_KEY: usize = 255;

/// Reads a body of at most [`MAX_BODY`] bytes. What is over is read and thrown away before the refusal, because a client
/// that is cut off while it sends never reads what it is told.
async fn read(mut body: Body) -> Result<Vec<u8>, Failure> {
    // As long as it says it is, so that it is not moved while it grows.
    let announced = usize::try_from(HttpBody::size_hint(&body).lower()).unwrap_or(MAX_BODY);
    let mut bytes = Vec::with_capacity(announced.min(MAX_BODY));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::invalid("body", "it ended before it was complete"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > MAX_BODY {
            drain(body).await;
            return Err(Error::PayloadTooLarge { limit: MAX_PAYLOAD }.into());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Reads a body to its end, as far as [`MAX_DRAIN`] and for [`DRAIN_TIME`] at most, and throws it away.
pub(crate) async fn drain(mut body: Body) {
    let drain = async {
        let mut drained = 0;
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, Bytes::len);
            if drained > MAX_DRAIN {
                return;
            }
        }
    };
    // Whether it came to its end or not, the refusal follows.
    let _ = tokio::time::timeout(DRAIN_TIME, drain).await;
}

/// The id in a path. One that is not even text names nothing, as an unknown one does.
pub(crate) struct IdPath(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for IdPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(Error::NotFound { what: "resource" }.into()),
        }
    }
}

/// The query string, parsed and checked for its shape.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        let pairs = parts.uri.query().unwrap_or_default();
        let parser = serde_urlencoded::Deserializer::new(form_urlencoded::parse(pairs.as_bytes()));
        match serde_path_to_error::deserialize(parser) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(invalid(&error, "query").into()),
        }
    }
}

/// That a route without parameters was sent none.
pub(crate) struct NoParams;

impl<S: Sync> FromRequestParts<S> for NoParams {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        refuse_query(parts.uri.query()).map(|()| Self)
    }
}

fn refuse_query(query: Option<&str>) -> Result<(), Failure> {
    match form_urlencoded::parse(query.unwrap_or_default().as_bytes()).next() {
        Some((name, _)) => Err(Error::invalid(name, "this route takes no query parameters").into()),
        None => Ok(()),
    }
}

/// Puts a parser's complaint into the words of the API: the member by its name, and no positions in a text that a client
/// made.
fn invalid<E: std::error::Error>(error: &serde_path_to_error::Error<E>, whole: &str) -> Error {
    let complaint = error.inner().to_string();
    let complaint = complaint.split(" at line ").next().unwrap_or_default();
    let missing = complaint.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    let path = error.path().to_string();
    let field = match (missing, path.as_str()) {
        (Some(missing), ".") => missing.to_owned(),
        (Some(missing), path) => format!("{path}.{missing}"),
        (_, ".") => whole.to_owned(),
        _ if complaint.starts_with("EOF while parsing") => whole.to_owned(),
        _ => path,
    };
    let reason = match complaint {
        _ if missing.is_some() => "it is missing",
        "invalid digit found in string" => "expected a whole number",
        complaint => complaint,
    };
    let hint = if whole == "query" && field == "algorithm" { "; in a URL, + is written %2B" } else { "" };
    Error::invalid(field, format_args!("{reason}{hint}"))
}

/// What is no JSON at all, by the member that it is in as far as one was begun.
fn no_json(error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    match invalid(error, "body") {
        Error::Invalid { field, reason } => {
            let field = if field == "?" { "body".to_owned() } else { field };
            Error::invalid(field, format_args!("this is not valid JSON: {reason}"))
        }
        other => other,
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type(sent).eq_ignore_ascii_case("application/json")
}
