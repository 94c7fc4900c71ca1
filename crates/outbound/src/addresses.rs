//! Which addresses may be connected to.

use std::{
    error::Error,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

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

/// Lets through what may be connected to.
pub(crate) struct Guard(pub(crate) Arc<dyn Lookup>);

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
