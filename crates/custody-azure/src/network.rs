//! The way out: to one host by its name, over TLS, at an address that is public, and without following anybody elsewhere.

use std::{
    collections::HashMap,
    error::Error,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use azure_core::http::{
    AsyncRawResponse, HttpClient, Method, Request,
    headers::{AUTHORIZATION, HeaderName, HeaderValue, Headers},
    request::Body,
};
use reqwest::{
    Certificate, Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use vault::custody::CustodyError;

/// Finds addresses.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of a host; port 0 for HTTPS's own.
    async fn lookup(&self, host: &str) -> io::Result<Vec<SocketAddr>>;

    /// Whether a connection to it may be made: only public addresses, so that no name leads into the deployment's own network.
    fn may_connect(&self, address: &SocketAddr) -> bool {
        is_public(address.ip())
    }
}

/// The system's resolver.
pub struct PublicDns;

#[async_trait]
impl Lookup for PublicDns {
    async fn lookup(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.collect())
    }
}

/// Where names are looked up, and whose certificates are taken.
#[derive(Clone)]
pub struct Network {
    lookup: Arc<dyn Lookup>,
    /// PEM, beside those that the machine trusts.
    roots: Vec<Vec<u8>>,
}

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

    pub(crate) fn client(&self) -> Result<Client, CustodyError> {
        let mut builder = Client::builder()
            .https_only(true)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(Duration::from_secs(1))
            .dns_resolver(Arc::new(Guard(self.lookup.clone())));
        for root in &self.roots {
            let root = Certificate::from_pem(root).map_err(|_| CustodyError::Primitive("TLS"))?;
            builder = builder.add_root_certificate(root);
        }
        builder.build().map_err(|_| CustodyError::Primitive("TLS"))
    }
}

/// Lets through what may be connected to.
struct Guard(Arc<dyn Lookup>);

/// A host all of whose addresses are such that nothing is to be sent there.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` has no public address")]
struct NotPublic(String);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, host) = (self.0.clone(), name.as_str().to_owned());
        Box::pin(async move {
            let found = lookup.lookup(&host).await?;
            let allowed: Vec<_> = found.into_iter().filter(|address| lookup.may_connect(address)).collect();
            if allowed.is_empty() {
                return Err(Box::new(NotPublic(host)) as Box<dyn Error + Send + Sync>);
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Sends to one host and no other.
pub(crate) struct OneHost {
    client: Client,
    host: String,
    service: Service,
    /// For one attempt, connecting included.
    attempt: Duration,
}

/// What a host is asked for.
pub(crate) enum Service {
    /// Keys, with tokens for a resource.
    Keys(String),
    /// Tokens.
    Tokens,
}

impl OneHost {
    pub(crate) fn new(client: Client, host: &str, service: Service, attempt: Duration) -> Arc<Self> {
        Arc::new(Self { client, host: host.to_owned(), service, attempt })
    }
}

impl fmt::Debug for OneHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneHost({})", self.host)
    }
}

#[async_trait]
impl HttpClient for OneHost {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let url = request.url();
        let here = url.scheme() == "https"
            && url.host_str() == Some(self.host.as_str())
            && url.port().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !here {
            // An answer named another place, for the next page say.
            return Err(failed(azure_core::error::ErrorKind::Other, format!("{self:?} sends nowhere else")));
        }
        let authorized = request.headers().iter().any(|(name, _)| *name == AUTHORIZATION);
        if let (Service::Keys(resource), false) = (&self.service, authorized) {
            return Ok(challenge(resource));
        }
        let method = match request.method() {
            Method::Delete => reqwest::Method::DELETE,
            Method::Get => reqwest::Method::GET,
            Method::Patch => reqwest::Method::PATCH,
            Method::Post => reqwest::Method::POST,
            other => {
                let kind = azure_core::error::ErrorKind::Other;
                return Err(failed(kind, format!("{other} is no method of these calls")));
            }
        };
        let mut call = self.client.request(method, url.as_str()).timeout(self.attempt);
        for (name, value) in request.headers().iter() {
            call = call.header(name.as_str(), value.as_str());
        }
        if let Body::Bytes(bytes) = request.body() {
            call = call.body(bytes.clone());
        }
        let answer = call.send().await.map_err(unanswered)?;
        let success = answer.status().is_success();
        let status = answer.status().as_u16().into();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().ok().map(str::to_owned);
        let headers: HashMap<_, _> = answer
            .headers()
            .iter()
            // How long to wait is the request's own affair: it has a budget.
            .filter(|(name, _)| !WAITS.contains(&name.as_str()))
            .filter_map(|(name, value)| {
                Some((HeaderName::from(name.as_str().to_owned()), HeaderValue::from(text(value)?)))
            })
            .collect();
        let mut bytes = limited(answer).await?;
        if matches!(self.service, Service::Tokens) && !success {
            bytes = refusal(&bytes);
        }
        Ok(AsyncRawResponse::from_bytes(status, Headers::from(headers), bytes))
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

/// The body, as far as an answer of a key service may go.
async fn limited(mut answer: reqwest::Response) -> azure_core::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unanswered)? {
        if bytes.len() + chunk.len() > LARGEST_ANSWER {
            let kind = azure_core::error::ErrorKind::DataConversion;
            return Err(failed(kind, "the answer is too large".to_owned()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn unanswered(error: reqwest::Error) -> azure_core::Error {
    let kind = if error.is_connect() {
        azure_core::error::ErrorKind::Connection
    } else {
        azure_core::error::ErrorKind::Io
    };
    // Without the address: it has nothing that the call's own name does not say.
    let error = error.without_url();
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    failed(kind, words)
}

fn failed(kind: azure_core::error::ErrorKind, words: String) -> azure_core::Error {
    azure_core::Error::with_message(kind, words)
}

/// Whether an address is one of the Internet's (RFC 6890): none of a machine's own, of a private network's, or of a mapping to one.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocol = (a, b, c) == (192, 0, 0) || (a, b, c) == (192, 88, 99);
    let benchmarks = a == 198 && (b == 18 || b == 19);
    // AS112 and AMT; and the address by which machines in Azure reach the host that they run on.
    let anycast = matches!((a, b, c), (192, 31, 196) | (192, 52, 193) | (192, 175, 48));
    let host = address == Ipv4Addr::new(168, 63, 129, 16);
    let otherwise = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast();
    !(otherwise || shared || protocol || benchmarks || anycast || host || a == 0 || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    // Global unicast is 2000::/3; what of it leads elsewhere, or nowhere, is not.
    let [first, second, third, ..] = segments;
    let global = first & 0xe000 == 0x2000;
    let documentation = (first, second) == (0x2001, 0x0db8) || first == 0x3fff;
    let protocols = first == 0x2001 && second < 0x0200;
    let anycast = (first, second, third) == (0x2620, 0x4f, 0x8000);
    global && !documentation && !protocols && !anycast && first != 0x2002
}

/// By which a service asks to wait.
const WAITS: [&str; 3] = ["retry-after", "retry-after-ms", "x-ms-retry-after-ms"];

/// In bytes; a page of a list has some tens of thousands.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_connected_to() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.8",
            "192.88.99.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "64:ff9b::a9fe:a9fe",
            "fd00:ec2::254",
            "3fff::1",
            "168.63.129.16",
            "192.31.196.1",
            "192.175.48.6",
            "2620:4f:8000::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["20.42.65.92", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2603:1030::1", "2a00:1450::1"]
        {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }
}
