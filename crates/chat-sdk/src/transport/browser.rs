//! The network as a browser gives it to a page: `fetch`, and in [`socket`] its WebSocket.
//!
//! Whom to trust is the browser's to know, and its user's. What it adds of its own is left out:
//! cookies, caches, the page's address, redirects. The relay answers a page only where its operator
//! has named the page's origin (relay.md §1).
//!
//! What JavaScript owns never leaves its thread; `SendWrapper` says so to the compiler. A token and
//! a body become strings and arrays of JavaScript's on their way, which nobody can erase.

mod socket;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use js_sys::{Promise, Reflect, Uint8Array};
use send_wrapper::SendWrapper;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortController, Headers, ReadableStreamDefaultReader, ReferrerPolicy, RequestCache,
    RequestCredentials, RequestInit, RequestRedirect, Response,
};
use zeroize::Zeroizing;

use super::{
    ANSWER_BYTES_MAX, ANSWER_WITHIN, AccessToken, Answer, Link, Method, Origin, Request, Transport,
};
use crate::error::{Error, Kind, Result};
use crate::tasks::timeout;

#[wasm_bindgen]
extern "C" {
    // A page, a worker and Node have it under the same name, and nothing else in common.
    #[wasm_bindgen(js_name = fetch)]
    fn fetch(url: &str, options: &RequestInit) -> Promise;
}

/// Nobody besides those that the browser trusts.
pub(crate) type Trusted = ();

/// The network.
#[derive(Clone, Debug)]
pub struct Network {
    origin: Origin,
}

impl Network {
    /// Prepares the way to a relay that the browser trusts; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// None; natively there are some.
    pub fn to(origin: Origin) -> Result<Self> {
        if !origin.is_private() {
            tracing::warn!("the relay's address begins with http: tokens can be read on the way");
        }
        Ok(Self { origin })
    }

    pub(crate) fn trusting(origin: Origin, (): &Trusted) -> Result<Self> {
        Self::to(origin)
    }
}

#[async_trait]
impl Transport for Network {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    async fn request(&self, request: Request) -> Result<Answer> {
        let url = self.origin.http(&request.path);
        let answer = SendWrapper::new(async move { exchange(&url, &request).await });
        timeout(ANSWER_WITHIN, answer)
            .await
            .map_err(|elapsed| Kind::RelayUnreachable.because(elapsed))?
    }

    async fn connect(&self, token: &AccessToken) -> Result<Link> {
        SendWrapper::new(socket::connect(&self.origin, token)).await
    }
}

/// Ends a request that nobody waits for any more.
struct Abort(AbortController);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn exchange(url: &str, request: &Request) -> Result<Answer> {
    let abort = Abort(AbortController::new().map_err(|error| refused(Kind::Internal, &error))?);
    let options = options(request).map_err(|error| refused(Kind::Internal, &error))?;
    options.set_signal(Some(&abort.0.signal()));
    let unreachable = |error| refused(Kind::RelayUnreachable, &error);
    let response = JsFuture::from(fetch(url, &options)).await.map_err(unreachable)?;
    let response: Response = response.dyn_into().map_err(unreachable)?;
    Ok(Answer { status: response.status(), body: read(&response).await? })
}

fn options(request: &Request) -> Result<RequestInit, JsValue> {
    let options = RequestInit::new();
    options.set_method(match request.method {
        Method::Get | Method::GetPart { .. } => "GET",
        Method::Post => "POST",
        Method::Put | Method::PutOctets => "PUT",
        Method::Delete => "DELETE",
    });
    let headers = Headers::new()?;
    if let Method::GetPart { first, last } = request.method {
        headers.set("range", &format!("bytes={first}-{last}"))?;
    }
    if let Some(token) = &request.token {
        let bearer = Zeroizing::new(format!("Bearer {}", token.as_str()));
        headers.set("authorization", &bearer)?;
    }
    if let Some(body) = &request.body {
        headers.set("content-type", request.method.media_type())?;
        options.set_body(&Uint8Array::from(body.as_slice()));
    }
    options.set_headers(&headers);
    // SECURITY: a redirect would take the token to wherever the relay says.
    options.set_redirect(RequestRedirect::Error);
    options.set_credentials(RequestCredentials::Omit);
    options.set_cache(RequestCache::NoStore);
    options.set_referrer_policy(ReferrerPolicy::NoReferrer);
    Ok(options)
}

/// Reads the body piece by piece, and stops at the limit.
async fn read(response: &Response) -> Result<Bytes> {
    let lost = |error| refused(Kind::RelayUnreachable, &error);
    let Some(stream) = response.body() else { return Ok(Bytes::new()) };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let mut body = BytesMut::new();
    loop {
        let piece = JsFuture::from(reader.read()).await.map_err(lost)?;
        let is_over = Reflect::get(&piece, &"done".into()).map_err(lost)?;
        if is_over.is_truthy() {
            return Ok(body.freeze());
        }
        let piece: Uint8Array =
            Reflect::get(&piece, &"value".into()).map_err(lost)?.dyn_into().map_err(lost)?;
        let length = usize::try_from(piece.length()).unwrap_or(usize::MAX);
        if length > ANSWER_BYTES_MAX - body.len() {
            return Err(Kind::RelayFault.into());
        }
        let begun = body.len();
        body.resize(begun + length, 0);
        if let Some(rest) = body.get_mut(begun..) {
            piece.copy_to(rest);
        }
    }
}

/// What the browser says about a failure; it names neither addresses nor content.
fn refused(kind: Kind, error: &JsValue) -> Error {
    let text = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    kind.because(text.unwrap_or_else(|| "the browser refuses".to_owned()))
}
