//! Where a web hook may lead: its URL comes from a user, and the relay stands inside a network.
//!
//! SECURITY: names are resolved once, here, and the connection is made to the addresses that were
//! checked, so that a name cannot answer one thing to the check and another to the connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Where web hooks may lead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// To public addresses, with TLS.
    Public,
    /// Anywhere, also without TLS: for a network in which everybody may reach everything.
    Anywhere,
}

impl Reach {
    /// Whether a web hook may have this URL; names are looked at when it is called.
    #[must_use]
    pub fn allows(self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        if !url.username().is_empty() || url.password().is_some() {
            return false;
        }
        let Some(host) = url.host_str() else { return false };
        match self {
            Self::Anywhere => matches!(url.scheme(), "http" | "https"),
            Self::Public => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                let is_public = host.parse().map_or(true, is_public);
                url.scheme() == "https" && is_public
            }
        }
    }
}

/// Resolves names to public addresses only.
#[derive(Clone, Copy, Debug)]
pub struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<_> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                let refused = io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "the name leads to no public address",
                );
                return Err(refused.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

impl PublicOnly {
    /// As a client takes it.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        Arc::new(Self)
    }
}

/// Whether an address is one of the public Internet (IANA's special-purpose registries).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_protocol = a == 192 && b == 0 && c == 0;
    let is_benchmark = a == 198 && (18..20).contains(&b);
    let is_relay = a == 192 && b == 88 && c == 99;
    !(a == 0
        || a >= 240
        || is_shared
        || is_protocol
        || is_benchmark
        || is_relay
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || address.is_broadcast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Of global unicast, without documentation and without what wraps IPv4 (Teredo, 6to4).
    let is_global = (0x2000..0x4000).contains(&a);
    let is_special = (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x2002 || a == 0x3fff;
    is_global && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_networks_that_are_not_public_are_known() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "9.9.9.9", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_url_that_leads_inside_is_refused() {
        for url in [
            "http://example.com/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://10.0.0.1:8443/x",
            "https://[::ffff:169.254.169.254]/latest",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://user:secret@example.com/",
            "ftp://example.com/",
            "example.com",
            "",
            "file:///etc/passwd",
        ] {
            assert!(!Reach::Public.allows(url), "{url}");
        }
        for url in ["https://example.com/hook", "https://9.9.9.9/", "https://a.example:8443/?b=c"] {
            assert!(Reach::Public.allows(url), "{url}");
        }
        assert!(Reach::Anywhere.allows("http://127.0.0.1:9/"));
        assert!(!Reach::Anywhere.allows("file:///etc/passwd"));
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_resolved() {
        let resolved = PublicOnly.resolve("localhost".parse().unwrap()).await;

        assert!(resolved.is_err());
    }
}
