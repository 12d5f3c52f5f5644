//! The network, in which a story answers some requests itself, or swallows them.

#![allow(clippy::unwrap_used)]

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chat_sdk::transport::{AccessToken, Answer, Link, Network, Origin, Request, Transport};
use chat_sdk::{Client, Kind};
use serde::Serialize;

/// What becomes of a request: `None` lets it through to the relay.
type Meddler = Box<dyn FnMut(&Request) -> Option<chat_sdk::Result<Answer>> + Send>;

/// Whether the answer to a request gets lost, once the relay has done what it asks for.
type Loser = Box<dyn FnMut(&Request) -> bool + Send>;

/// The network, meddled with.
pub(crate) struct Meddling {
    network: Network,
    meddler: Mutex<Option<Meddler>>,
    loser: Mutex<Option<Loser>>,
}

impl Meddling {
    pub(crate) fn at(url: &str) -> Arc<Self> {
        let network = Network::to(Origin::parse(url).unwrap()).unwrap();
        Arc::new(Self { network, meddler: Mutex::new(None), loser: Mutex::new(None) })
    }

    /// From now on `meddler` decides.
    pub(crate) fn meddle(
        &self,
        meddler: impl FnMut(&Request) -> Option<chat_sdk::Result<Answer>> + Send + 'static,
    ) {
        *self.meddler.lock().unwrap() = Some(Box::new(meddler));
    }

    /// From now on the answers to the requests that `loser` picks get lost.
    pub(crate) fn lose_answers(&self, loser: impl FnMut(&Request) -> bool + Send + 'static) {
        *self.loser.lock().unwrap() = Some(Box::new(loser));
    }

    /// What a client on this line proves itself with.
    pub(crate) async fn token_of(&self, client: &Client) -> Option<AccessToken> {
        let token = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&token);
        self.meddle(move |request| {
            kept.lock().unwrap().clone_from(&request.token);
            None
        });
        client.devices().await.unwrap();
        self.stop();
        token.lock().unwrap().take()
    }

    /// From now on everything goes through.
    pub(crate) fn stop(&self) {
        *self.meddler.lock().unwrap() = None;
        *self.loser.lock().unwrap() = None;
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
        let is_lost = self.loser.lock().unwrap().as_mut().is_some_and(|loser| loser(&request));
        let answer = match decided {
            Some(answer) => answer,
            None => self.network.request(request).await,
        };
        if is_lost { Err(Kind::RelayUnreachable.into()) } else { answer }
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
