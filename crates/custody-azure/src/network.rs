//! The transport below the clients of Azure's SDK: from each to its one host.

use std::collections::HashMap;

use async_trait::async_trait;
use azure_core::{
    error::ErrorKind,
    http::{
        AsyncRawResponse, HttpClient, Method, Request,
        headers::{AUTHORIZATION, HeaderName, HeaderValue, Headers},
        request::Body,
    },
};
use outbound::{OneHost, Unanswered};

/// Sends what a client is for.
#[derive(Debug)]
pub(crate) struct Transport {
    to: OneHost,
    service: Service,
}

/// What a host is asked for.
#[derive(Debug)]
pub(crate) enum Service {
    /// Keys, with tokens for a resource.
    Keys(String),
    /// Tokens.
    Tokens,
}

impl Transport {
    pub(crate) const fn new(to: OneHost, service: Service) -> Self {
        Self { to, service }
    }
}

#[async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        if !self.to.is_here(request.url()) {
            // An answer named another place, for the next page say.
            return Err(failed(ErrorKind::Other, format!("{:?} sends nowhere else", self.to)));
        }
        let authorized = request.headers().iter().any(|(name, _)| *name == AUTHORIZATION);
        if let (Service::Keys(resource), false) = (&self.service, authorized) {
            return Ok(challenge(resource));
        }
        let method = match request.method() {
            Method::Delete => outbound::Method::DELETE,
            Method::Get => outbound::Method::GET,
            Method::Patch => outbound::Method::PATCH,
            Method::Post => outbound::Method::POST,
            other => {
                return Err(failed(ErrorKind::Other, format!("{other} is no method of these calls")));
            }
        };
        let headers: Vec<_> =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let body = match request.body() {
            Body::Bytes(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        };
        let asked = outbound::Request { method, url: request.url(), headers: &headers, body };
        let answer = self.to.send(asked).await.map_err(|error| unanswered(&error))?;
        let success = (200..300).contains(&answer.status);
        let headers: HashMap<_, _> = answer
            .headers
            .into_iter()
            // How long to wait is the request's own affair: it has a budget.
            .filter(|(name, _)| !WAITS.contains(&name.as_str()))
            .map(|(name, value)| (HeaderName::from(name), HeaderValue::from(value)))
            .collect();
        let body = match self.service {
            Service::Tokens if !success => refusal(&answer.body),
            _ => answer.body,
        };
        Ok(AsyncRawResponse::from_bytes(answer.status.into(), Headers::from(headers), body))
    }
}

/// What an answer to a request without a token would say. A client begins with such a one to learn which token to get, and forgets
/// what it was to send if that goes wrong. For which resource is known here, so nothing needs to be sent.
fn challenge(resource: &str) -> AsyncRawResponse {
    let words = format!("Bearer authorization=\"https://authority.invalid\", resource=\"{resource}\"");
    let mut headers = Headers::new();
    headers.insert("www-authenticate", words);
    AsyncRawResponse::from_bytes(401_u16.into(), headers, Vec::new())
}

/// Of a token's refusal its codes alone, in the form in which the client reads them: it takes no description with an escape in it, and
/// nothing but JSON.
fn refusal(body: &[u8]) -> Vec<u8> {
    #[derive(Default, serde::Deserialize, serde::Serialize)]
    #[serde(default)]
    struct Refusal {
        error_codes: Vec<i32>,
    }
    let read: Refusal = serde_json::from_slice(body).unwrap_or_default();
    serde_json::to_vec(&read).unwrap_or_default()
}

fn unanswered(unanswered: &Unanswered) -> azure_core::Error {
    let kind = match unanswered {
        Unanswered::Elsewhere(_) => ErrorKind::Other,
        Unanswered::NotConnected(_) => ErrorKind::Connection,
        Unanswered::Lost(_) => ErrorKind::Io,
        Unanswered::TooLarge => ErrorKind::DataConversion,
    };
    failed(kind, unanswered.to_string())
}

fn failed(kind: ErrorKind, words: String) -> azure_core::Error {
    azure_core::Error::with_message(kind, words)
}

/// By which a service asks to wait.
const WAITS: [&str; 3] = ["retry-after", "retry-after-ms", "x-ms-retry-after-ms"];
