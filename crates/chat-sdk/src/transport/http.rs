//! REST over reqwest: HTTPS by rustls, one pool of connections, answers read up to their limit.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use rustls::ClientConfig;

use super::authority::{self, Authority};
use super::{
    ANSWER_BYTES_MAX, ANSWER_WITHIN, AccessToken, Answer, CONNECT_WITHIN, Link, Method, Origin,
    Request, Transport, websocket,
};
use crate::error::{Error, Kind, Result};

/// Who is trusted besides the system's authorities.
pub(crate) type Trusted = Vec<Authority>;

/// The network.
#[derive(Clone, Debug)]
pub struct Network {
    origin: Origin,
    http: reqwest::Client,
    tls: Arc<ClientConfig>,
}

impl Network {
    /// Prepares the way to a relay that the system's authorities vouch for; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// As [`Self::trusting`].
    pub fn to(origin: Origin) -> Result<Self> {
        Self::trusting(origin, &[])
    }

    /// Prepares the way to a relay for which one of `authorities` may vouch too.
    ///
    /// # Errors
    ///
    /// [`Kind::RelayNotTrusted`] where the system names no authority and nobody else does,
    /// [`Kind::Internal`] if TLS cannot be set up on this system.
    pub fn trusting(origin: Origin, authorities: &[Authority]) -> Result<Self> {
        let tls = authority::configuration(&origin, authorities)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            // SECURITY: a redirect would take the token to wherever the relay says.
            .redirect(reqwest::redirect::Policy::none())
            // The WebSocket goes straight there; half a way around helps nobody.
            .no_proxy()
            .user_agent(concat!("sealwire/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Kind::Internal.because(error))?;
        if !origin.is_private() {
            tracing::warn!("the relay's address begins with http: tokens can be read on the way");
        }
        Ok(Self { origin, http, tls: Arc::new(tls) })
    }
}

#[async_trait]
impl Transport for Network {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    async fn request(&self, request: Request) -> Result<Answer> {
        let url = self.origin.http(&request.path);
        let mut builder = match request.method {
            Method::Get => self.http.get(url),
            Method::GetPart { first, last } => {
                self.http.get(url).header("range", format!("bytes={first}-{last}"))
            }
            Method::Post => self.http.post(url),
            Method::Put | Method::PutOctets => self.http.put(url),
            Method::Delete => self.http.delete(url),
        };
        if let Some(token) = &request.token {
            builder = builder.bearer_auth(token.as_str());
        }
        if let Some(body) = request.body {
            builder = builder.header("content-type", request.method.media_type()).body(body);
        }
        let mut response = builder.send().await.map_err(unreachable_relay)?;
        let status = response.status().as_u16();
        Ok(Answer { status, body: read(&mut response).await? })
    }

    async fn connect(&self, token: &AccessToken) -> Result<Link> {
        websocket::connect(&self.origin, token, &self.tls).await
    }
}

async fn read(response: &mut reqwest::Response) -> Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable_relay)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Kind::RelayFault.into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn unreachable_relay(error: reqwest::Error) -> Error {
    // A URL may name somebody.
    authority::unreachable_or_not_trusted(error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_relay_that_is_not_there_is_unreachable() {
        // A port that was free a moment ago and that nobody listens on.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        drop(listener);
        let network = Network::to(origin).unwrap();
        let request =
            Request { method: Method::Get, path: "/healthz".into(), body: None, token: None };

        let error = network.request(request).await.unwrap_err();
        let no_link = network.connect(&AccessToken::default()).await.unwrap_err();

        assert_eq!(error.code(), "relay_unreachable");
        assert!(error.is_transient());
        assert_eq!(no_link.code(), "relay_unreachable");
    }
}
