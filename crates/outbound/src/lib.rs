//! The way out to a cloud's services. What settings name, and what a service answers, may lead anywhere; a request leaves here only by
//! HTTPS, to the one host that it is for, and at a public address.
//!
//! In scope: looking names up and connecting, what may be connected to, one request and its answer. Redirects are not followed, and no
//! proxy is used.
//!
//! Out of scope: what is asked, whether it is asked again, and what an answer means.

mod addresses;

use std::{error::Error, fmt, sync::Arc, time::Duration};

use reqwest::{
    Certificate, Client, ClientBuilder,
    header::{AUTHORIZATION, HeaderValue},
    redirect::Policy,
};

pub use addresses::{Lookup, PublicDns};
pub use reqwest::{Method, Url};

/// Where names are looked up, and whose certificates are taken.
#[derive(Clone)]
pub struct Network {
    lookup: Arc<dyn Lookup>,
    /// PEM, beside those that the machine trusts.
    roots: Vec<Vec<u8>>,
}

/// TLS cannot be set up on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("TLS cannot be set up on this machine")]
pub struct NoTls;

impl Network {
    /// The Internet.
    #[must_use]
    pub fn public() -> Self {
        Self { lookup: Arc::new(PublicDns), roots: Vec::new() }
    }

    /// Another lookup, and more certificate authorities as PEM: for tests.
    #[must_use]
    pub fn of(lookup: Arc<dyn Lookup>, roots: Vec<Vec<u8>>) -> Self {
        Self { lookup, roots }
    }

    /// The way out over this network. Its connections are kept and shared.
    ///
    /// # Errors
    /// [`NoTls`].
    pub fn way_out(&self) -> Result<WayOut, NoTls> {
        let mut builder = Client::builder()
            .https_only(true)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .dns_resolver(Arc::new(addresses::Guard(self.lookup.clone())));
        for root in &self.roots {
            builder = builder.add_root_certificate(Certificate::from_pem(root).map_err(|_| NoTls)?);
        }
        Ok(WayOut(silence_ends(builder).build().map_err(|_| NoTls)?))
    }
}

/// The way out: to any host yet.
#[derive(Clone)]
pub struct WayOut(Client);

impl WayOut {
    /// The way to one host, where an attempt may take so long, connecting included.
    #[must_use]
    pub fn to(&self, host: &str, attempt: Duration) -> OneHost {
        OneHost { client: self.0.clone(), host: host.to_owned(), attempt }
    }
}

/// Sends to one host and no other.
#[derive(Clone)]
pub struct OneHost {
    client: Client,
    host: String,
    attempt: Duration,
}

/// A request.
pub struct Request<'a> {
    /// Its method.
    pub method: Method,
    /// Where to.
    pub url: &'a Url,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is sent.
    pub body: Vec<u8>,
}

/// What came back, of whatever status.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, and values; those that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The body, at most 4 MiB.
    pub body: Vec<u8>,
}

/// Why there is no answer. The words have neither what was sent nor the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The request was for another host; nothing was sent.
    #[error("nothing is sent to any host but {0}")]
    Elsewhere(String),
    /// There is no connection; nothing was sent.
    #[error("{0}")]
    NotConnected(String),
    /// It was sent, and the answer did not come, or not whole.
    #[error("{0}")]
    Lost(String),
    /// The answer is larger than any that such a service gives.
    #[error("the answer is too large")]
    TooLarge,
}

impl OneHost {
    /// Whether an address is the host's own: by HTTPS, at the usual port, without a user.
    #[must_use]
    pub fn is_here(&self, url: &Url) -> bool {
        url.scheme() == "https"
            && url.host_str() == Some(self.host.as_str())
            && url.port().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    }

    /// Sends a request, once.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn send(&self, request: Request<'_>) -> Result<Answer, Unanswered> {
        let Request { method, url, headers, body } = request;
        if !self.is_here(url) {
            return Err(Unanswered::Elsewhere(self.host.clone()));
        }
        let mut call = self.client.request(method, url.as_str()).timeout(self.attempt);
        for (name, value) in headers {
            let unsendable = |_| Unanswered::NotConnected(format!("`{name}` cannot be sent"));
            let mut value = HeaderValue::from_str(value).map_err(unsendable)?;
            value.set_sensitive(*name == AUTHORIZATION.as_str());
            call = call.header(*name, value);
        }
        let mut answer = call.body(body).send().await.map_err(unanswered)?;
        let status = answer.status().as_u16();
        let headers = answer.headers().iter();
        let headers = headers
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unanswered)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(Unanswered::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}

impl fmt::Debug for OneHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneHost({})", self.host)
    }
}

fn unanswered(error: reqwest::Error) -> Unanswered {
    let connected = !error.is_connect();
    // Without the address: it has nothing that the call's own name does not say.
    let error = error.without_url();
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    if connected { Unanswered::Lost(words) } else { Unanswered::NotConnected(words) }
}

/// A connection over which nothing is heard of what was sent is given up before an attempt is, so that the next attempt has another:
/// else all who share it would wait for it.
#[cfg(target_os = "linux")]
fn silence_ends(builder: ClientBuilder) -> ClientBuilder {
    builder.tcp_user_timeout(SILENCE)
}

#[cfg(not(target_os = "linux"))]
fn silence_ends(builder: ClientBuilder) -> ClientBuilder {
    builder
}

#[cfg(target_os = "linux")]
const SILENCE: Duration = Duration::from_secs(2);

/// How long a connection is kept that nobody uses: what lies between may forget it, without a word.
const IDLE: Duration = Duration::from_secs(50);

const CONNECT: Duration = Duration::from_secs(1);

/// In bytes; a page of a list has some tens of thousands.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;
