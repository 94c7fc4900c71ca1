//! One call and its answer.

use std::{fmt, time::Duration};

use canonical_json::Json;
use serde_json::{Map, Value};
use ureq::{
    Agent, Body,
    http::{Method, Request, Response},
    tls::{RootCerts, TlsConfig},
};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::Error;

/// How long one attempt may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// How often a call is sent again.
const RETRIES: u32 = 2;

/// Waits at most this long between attempts, whatever a server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The largest answer: a page of the bundle has 4 MiB.
const LARGEST_ANSWER: u64 = 64 << 20;

/// Where the API is, without `/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads an address.
    ///
    /// # Errors
    /// [`Error::Endpoint`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text).map_err(|_| Error::Endpoint)?;
        let plain = url.username().is_empty() && url.password().is_none();
        let bare = url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain || !bare {
            return Err(Error::Endpoint);
        }
        let here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        // The token would be there for everybody on the way to read.
        if url.scheme() == "http" && !here { Err(Error::Plain) } else { Ok(Self(url)) }
    }

    /// Puts segments after the address, each of them one segment whatever it holds.
    fn join(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            // What a URL reads as "here" or "up" must be no way out of its place.
            segments.pop_if_empty().extend(path.iter().map(|segment| match *segment {
                "." | ".." | "" => "-",
                segment => segment,
            }));
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// An API token. It is shown to nobody and erased when dropped.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Takes a token that can stand in a header.
    ///
    /// # Errors
    /// [`Error::Token`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let sendable = text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if sendable { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(Error::Token) }
    }

    /// The token itself, for the file that keeps it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// What it holds.
    pub items: Vec<Value>,
    /// Where the next one begins.
    pub next_cursor: Option<String>,
}

/// A vault that can be called.
pub struct Client {
    endpoint: Endpoint,
    token: Token,
    agent: Agent,
}

impl Client {
    /// A client that trusts the certificates that the machine trusts.
    #[must_use]
    pub fn new(endpoint: Endpoint, token: Token) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(TIME_LIMIT))
            .user_agent(concat!("postq/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Self { endpoint, token, agent: config.into() }
    }

    /// Reads. Gives what stands in `data`.
    ///
    /// # Errors
    /// [`Error`].
    pub fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Error> {
        Ok(data(self.call(&Method::GET, path, query, None, None)?))
    }

    /// Reads what is no JSON: a public key as PEM.
    ///
    /// # Errors
    /// [`Error`].
    pub fn text(&self, path: &[&str], query: &[(&str, &str)]) -> Result<String, Error> {
        self.retried(|| self.attempt(&Method::GET, &self.endpoint.join(path, query), None, None, as_text))
    }

    /// Reads one page of a list.
    ///
    /// # Errors
    /// [`Error`].
    pub fn page(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Page, Error> {
        let mut body = self.call(&Method::GET, path, query, None, None)?;
        let next_cursor = body.pointer("/pagination/nextCursor").and_then(Value::as_str).map(str::to_owned);
        let items = match body.get_mut("data").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        Ok(Page { items, next_cursor })
    }

    /// Has an effect, once, however often it is sent. Gives what stands in `data`.
    ///
    /// # Errors
    /// [`Error`].
    pub fn post(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.once(&Method::POST, path, body)
    }

    /// Changes something in part, once, however often it is sent. Gives what stands in `data`.
    ///
    /// # Errors
    /// [`Error`].
    pub fn patch(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        self.once(&Method::PATCH, path, body)
    }

    /// Puts something whole in place of what was there. Gives what stands in `data`.
    ///
    /// # Errors
    /// [`Error`].
    pub fn put(&self, path: &[&str], body: &Value) -> Result<Value, Error> {
        Ok(data(self.call(&Method::PUT, path, &[], Some(body), None)?))
    }

    /// Ends what has an id. Gives what stands in `data`.
    ///
    /// # Errors
    /// [`Error`].
    pub fn delete(&self, path: &[&str]) -> Result<Value, Error> {
        Ok(data(self.call(&Method::DELETE, path, &[], None, None)?))
    }

    /// Where it calls.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn once(&self, method: &Method, path: &[&str], body: &Value) -> Result<Value, Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| Error::Random)?;
        let key = format!("cli-{}", hex::encode(random));
        Ok(data(self.call(method, path, &[], Some(body), Some(&key))?))
    }

    fn call(
        &self,
        method: &Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        idempotency_key: Option<&str>,
    ) -> Result<Value, Error> {
        let url = self.endpoint.join(path, query);
        let body = body.map(Value::to_string);
        self.retried(|| self.attempt(method, &url, body.as_deref(), idempotency_key, as_json))
    }

    /// Reads, ends of what has an id, and effects with an idempotency key: each of them may be sent again.
    fn retried<T>(&self, once: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        let mut attempt = 0;
        loop {
            match once() {
                Err(error) if attempt < RETRIES && is_transient(&error) => {
                    let asked = match &error {
                        Error::Refused { retry_after, .. } => *retry_after,
                        _ => None,
                    };
                    let backoff = Duration::from_millis(250 << attempt);
                    std::thread::sleep(asked.unwrap_or(backoff).min(LONGEST_WAIT));
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn attempt<T>(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&str>,
        idempotency_key: Option<&str>,
        read: fn(&Response<Body>, &str, &str) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let origin = || self.endpoint.to_string();
        let bearer = Zeroizing::new(format!("Bearer {}", self.token.expose()));
        let mut request = Request::builder().method(method.clone()).uri(url.as_str());
        request = request.header("Authorization", bearer.as_str()).header("Accept", "application/json");
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let sent = match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json").body(body.to_owned());
                request.map_err(ureq::Error::Http).and_then(|request| self.agent.run(request))
            }
            None => request.body(()).map_err(ureq::Error::Http).and_then(|request| self.agent.run(request)),
        };
        let answered = sent.and_then(|mut response| {
            let text = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_string();
            text.map(|text| (response, text))
        });
        match answered {
            Ok((response, text)) => read(&response, &text, &origin()),
            Err(why) => Err(Error::NoAnswer { origin: origin(), why: why.to_string() }),
        }
    }
}

fn as_text(response: &Response<Body>, text: &str, origin: &str) -> Result<String, Error> {
    let named = response.headers().contains_key("Postq-Request-Id");
    if response.status().is_success() && named {
        Ok(text.to_owned())
    } else {
        Err(refusal(response, text, origin))
    }
}

fn as_json(response: &Response<Body>, text: &str, origin: &str) -> Result<Value, Error> {
    let body = read_json(text);
    let success = body.get("success").and_then(Value::as_bool) == Some(true);
    if response.status().is_success() && success { Ok(body) } else { Err(refusal(response, text, origin)) }
}

/// An answer; null for what is none. It goes by the strict reader first, because `Value`'s own takes an object with a certain
/// member for something else in builds with `raw_value`.
fn read_json(text: &str) -> Value {
    Json::parse(text).ok().and_then(|json| serde_json::to_value(json).ok()).unwrap_or_default()
}

fn refusal(response: &Response<Body>, text: &str, origin: &str) -> Error {
    let status = response.status().as_u16();
    let mut body = match read_json(text) {
        Value::Object(body) => body,
        _ => Map::new(),
    };
    let mut member = |name: &str| match body.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let (code, message, request_id) = (member("code"), member("error"), member("requestId"));
    match (code, message) {
        (Some(code), Some(message)) => {
            body.remove("success");
            let retry_after = response.headers().get("Retry-After").and_then(|value| value.to_str().ok());
            Error::Refused {
                status,
                code,
                message,
                request_id,
                retry_after: retry_after.and_then(|text| text.parse().ok()).map(Duration::from_secs),
                details: Value::Object(body),
            }
        }
        _ if matches!(status, 502..=504) => {
            let why = format!("status {status} from something before it");
            Error::NoAnswer { origin: origin.to_owned(), why }
        }
        _ => Error::NotAVault(origin.to_owned()),
    }
}

fn is_transient(error: &Error) -> bool {
    match error {
        Error::NoAnswer { .. } => true,
        Error::Refused { status, code, .. } => {
            matches!(status, 429 | 503 | 504) || code == "idempotency_in_progress"
        }
        _ => false,
    }
}

fn data(mut body: Value) -> Value {
    body.get_mut("data").map(Value::take).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_and_nothing_more() {
        for good in ["http://127.0.0.1:8787", "https://vault.example.com", "https://example.com/vault/"] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        for bad in
            ["", "vault.example.com", "ftp://a", "https://u:p@a", "https://a?b", "https://a#b", "file:///a"]
        {
            assert_eq!(Endpoint::parse(bad), Err(Error::Endpoint), "{bad}");
        }
        let endpoint = Endpoint::parse("https://example.com/vault/").unwrap();
        let joined = |path: &[&str]| endpoint.join(path, &[("a", "b c")]).to_string();
        assert_eq!(joined(&["v1", "sign"]), "https://example.com/vault/v1/sign?a=b+c");
        assert_eq!(
            joined(&["v1", "api-tokens", "../k"]),
            "https://example.com/vault/v1/api-tokens/..%2Fk?a=b+c"
        );
        assert_eq!(joined(&["v1", "..", "%2e%2e"]), "https://example.com/vault/v1/-/%252e%252e?a=b+c");
        assert_eq!(Endpoint::parse("http://vault.example.com"), Err(Error::Plain));
        assert!(
            Endpoint::parse("http://localhost:8787").is_ok() && Endpoint::parse("http://[::1]:1").is_ok()
        );
    }

    #[test]
    fn a_token_that_cannot_be_sent_is_refused_without_being_shown() {
        for bad in ["", "short", "with a space in it", "with\na line feed"] {
            let error = Token::parse(bad).err().unwrap();
            assert!(bad.is_empty() || !error.to_string().contains(bad));
        }
        assert!(Token::parse("pq_live_abc").is_ok());
    }

    #[test]
    fn an_answer_is_what_the_vault_wrote_whatever_its_members_are_called() {
        let text = r#"{"data":{"metadata":{"$serde_json::private::RawValue":"{\"approved\":true}"}},"success":true}"#;
        assert_eq!(read_json(text).to_string(), text);
        assert_eq!(read_json("<html>"), Value::Null);
    }
}
