//! How the authority is spoken to: with the HTTP client that the relay has anyway.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use bytes::Bytes;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

/// How long a request may take.
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// Bytes of a request or an answer; a chain of certificates is the longest.
const BYTES_MAX: usize = 1024 * 1024;

/// A client that follows nobody elsewhere.
pub(super) struct Authority(reqwest::Client);

impl Authority {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST_MAX);
        Ok(Self(client.build()?))
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>>;

impl HttpClient for Authority {
    fn request(&self, request: Request<BodyWrapper<Bytes>>) -> Answering {
        let client = self.0.clone();
        Box::pin(async move { ask(&client, request).await.map_err(Error::Other) })
    }
}

async fn ask(
    client: &reqwest::Client,
    request: Request<BodyWrapper<Bytes>>,
) -> Result<BytesResponse, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(Body::new(body), BYTES_MAX).await?;
    let asked = client.request(parts.method, parts.uri.to_string()).headers(parts.headers);
    let mut answer = asked.body(body).send().await?;
    let mut said = Response::builder().status(answer.status()).body(())?;
    *said.headers_mut() = answer.headers().clone();
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if bytes.len() + chunk.len() > BYTES_MAX {
            return Err("the authority says too much".into());
        }
        bytes.extend_from_slice(&chunk);
    }
    let (parts, ()) = said.into_parts();
    Ok(BytesResponse { parts, body: Box::new(Bytes::from(bytes)) })
}
