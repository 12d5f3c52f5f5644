//! A relay's origin: scheme, host and port, and what follows from them.

use std::fmt;

use url::Url;

use crate::error::{Kind, Result};

/// A relay's origin, such as `https://relay.example`: without a path, without a final slash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin(String);

impl Origin {
    /// Reads a URL; a path, query or user name in it is refused rather than ignored.
    ///
    /// # Errors
    ///
    /// [`Kind::AddressInvalid`].
    pub fn parse(url: &str) -> Result<Self> {
        let url = Url::parse(url).map_err(|error| Kind::AddressInvalid.because(error))?;
        let is_bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !is_bare || !matches!(url.scheme(), "http" | "https") {
            return Err(Kind::AddressInvalid.into());
        }
        Ok(Self(url.origin().ascii_serialization()))
    }

    /// As text: what device log-ins are signed over.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether nobody on the way can listen: by TLS, or because there is no way.
    #[must_use]
    pub fn is_private(&self) -> bool {
        let Ok(url) = Url::parse(&self.0) else { return false };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_loopback = host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        url.scheme() == "https" || host == "localhost" || is_loopback
    }

    /// Tells whether it is spoken to by TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Where a request goes.
    #[must_use]
    pub fn http(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Where a WebSocket goes: `ws` for `http`, `wss` for `https`.
    #[must_use]
    pub fn websocket(&self, path: &str) -> String {
        // INVARIANT: an origin begins with http:// or https://.
        format!("ws{}{path}", self.0.trim_start_matches("http"))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_neither_path_nor_default_port() {
        let origin = Origin::parse("HTTPS://Relay.Example:443/").unwrap();

        assert_eq!(origin.as_str(), "https://relay.example");
        assert_eq!(origin.websocket("/v1/x"), "wss://relay.example/v1/x");
        assert_eq!(
            Origin::parse("http://127.0.0.1:7300").unwrap().websocket("/"),
            "ws://127.0.0.1:7300/"
        );
    }

    #[test]
    fn only_tls_and_loopback_are_private() {
        for (url, is_private) in [
            ("https://relay.example", true),
            ("http://127.0.0.1:7300", true),
            ("http://[::1]:7300", true),
            ("http://localhost", true),
            ("http://relay.example", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(Origin::parse(url).unwrap().is_private(), is_private, "{url}");
        }
    }

    #[test]
    fn what_is_no_relay_address_is_refused() {
        for url in ["", "relay.example", "ftp://relay.example", "https://a@b", "https://a/b?c"] {
            assert_eq!(Origin::parse(url).unwrap_err().kind(), Kind::AddressInvalid, "{url}");
        }
    }
}
