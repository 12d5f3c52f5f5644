//! The network, in which a story answers some requests itself, or swallows them.

#![allow(clippy::unwrap_used)]

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chat_sdk::transport::{AccessToken, Answer, Link, Network, Origin, Request, Transport};
use serde::Serialize;

/// What becomes of a request: `None` lets it through to the relay.
type Meddler = Box<dyn FnMut(&Request) -> Option<chat_sdk::Result<Answer>> + Send>;

/// The network, meddled with.
pub(crate) struct Meddling {
    network: Network,
    meddler: Mutex<Option<Meddler>>,
}

impl Meddling {
    pub(crate) fn at(url: &str) -> Arc<Self> {
        let network = Network::to(Origin::parse(url).unwrap()).unwrap();
        Arc::new(Self { network, meddler: Mutex::new(None) })
    }

    /// From now on `meddler` decides.
    pub(crate) fn meddle(
        &self,
        meddler: impl FnMut(&Request) -> Option<chat_sdk::Result<Answer>> + Send + 'static,
    ) {
        *self.meddler.lock().unwrap() = Some(Box::new(meddler));
    }

    /// From now on everything goes through.
    pub(crate) fn stop(&self) {
        *self.meddler.lock().unwrap() = None;
    }
}

/// An answer of the relay, forged.
pub(crate) fn says(body: &impl Serialize) -> Option<chat_sdk::Result<Answer>> {
    let body = Bytes::from(serde_json::to_vec(body).unwrap());
    Some(Ok(Answer { status: 200, body }))
}

#[async_trait]
impl Transport for Meddling {
    fn origin(&self) -> &Origin {
        self.network.origin()
    }

    async fn request(&self, request: Request) -> chat_sdk::Result<Answer> {
        let decided = self.meddler.lock().unwrap().as_mut().and_then(|meddler| meddler(&request));
        match decided {
            Some(answer) => answer,
            None => self.network.request(request).await,
        }
    }

    async fn connect(&self, token: &AccessToken) -> chat_sdk::Result<Link> {
        self.network.connect(token).await
    }
}

impl fmt::Debug for Meddling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meddling(..)")
    }
}
