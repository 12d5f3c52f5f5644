//! The network, of which a test decides what gets lost and what is answered by somebody else.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use chat_sdk::Kind;
use chat_sdk::transport::{AccessToken, Answer, Link, Network, Origin, Request, Transport};
use serde::Serialize;

/// The network, tampered with.
#[derive(Debug)]
pub(super) struct Line {
    network: Network,
    loses: Mutex<Option<(Loss, &'static str)>>,
    answers: Mutex<Vec<(String, Bytes)>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    Request,
    Answer,
}

impl Line {
    pub(super) fn over(network: Network) -> Self {
        Self { network, loses: Mutex::new(None), answers: Mutex::new(Vec::new()) }
    }

    /// The next answer to a request for `path` does not come.
    pub(super) fn lose_answer_to(&self, path: &'static str) {
        *self.loses.lock().unwrap() = Some((Loss::Answer, path));
    }

    /// The next request for `path` does not arrive.
    pub(super) fn lose_request_to(&self, path: &'static str) {
        *self.loses.lock().unwrap() = Some((Loss::Request, path));
    }

    /// From now on, requests for `path` are answered with `body`, whatever the relay would say.
    pub(super) fn answer(&self, path: impl Into<String>, body: &impl Serialize) {
        let body = serde_json::to_vec(body).unwrap().into();
        self.answers.lock().unwrap().insert(0, (path.into(), body));
    }

    fn loss(&self, request: &Request) -> Option<Loss> {
        let is_hit = |loss: &mut (Loss, &str)| request.path == loss.1;
        self.loses.lock().unwrap().take_if(is_hit).map(|(loss, _)| loss)
    }

    fn lie(&self, request: &Request) -> Option<Answer> {
        let answers = self.answers.lock().unwrap();
        let (_, body) = answers.iter().find(|(path, _)| request.path == *path)?;
        Some(Answer { status: 200, body: body.clone() })
    }
}

#[async_trait]
impl Transport for Line {
    fn origin(&self) -> &Origin {
        self.network.origin()
    }

    async fn request(&self, request: Request) -> chat_sdk::Result<Answer> {
        if let Some(lie) = self.lie(&request) {
            return Ok(lie);
        }
        let loss = self.loss(&request);
        if loss == Some(Loss::Request) {
            return Err(Kind::RelayUnreachable.into());
        }
        let answer = self.network.request(request).await?;
        if loss == Some(Loss::Answer) {
            return Err(Kind::RelayUnreachable.into());
        }
        Ok(answer)
    }

    async fn connect(&self, token: &AccessToken) -> chat_sdk::Result<Link> {
        self.network.connect(token).await
    }
}
