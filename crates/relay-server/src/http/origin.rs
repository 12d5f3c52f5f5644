//! Which web pages may speak to the relay.
//!
//! ```text
//!  no Origin (no browser)  ─▶ passes
//!  the relay's own, or one of `web_origins` ─▶ passes, and the browser is told so (CORS)
//!  anything else, `null`, two of them ─▶ forbidden
//! ```
//!
//! Nothing here is needed for security where tokens are in headers and there are no cookies; but a
//! page that has no business with the relay learns nothing, not even a refusal's wording.

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use chat_core::reject::{Reject, RejectCode};

use super::App;
use super::refusal::Refusal;

/// Which headers of an answer a page may read.
const EXPOSED: &str = "retry-after, content-range, etag";

/// Lets requests through that come from no page, or from one that may.
pub async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let origin = match allowed(&app, request.headers()) {
        Ok(None) => return next.run(request).await,
        Ok(Some(origin)) => origin,
        Err(refusal) => return Refusal(refusal).into_response(),
    };
    let asks_first = request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match asks_first {
        true => preflight(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(VARY, HeaderValue::from_static("origin"));
    response
}

/// What a browser asks before it sends a token or JSON.
fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, range, if-range"),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The page's origin, if there is one and it may.
fn allowed(app: &App, headers: &HeaderMap) -> Result<Option<HeaderValue>, Reject> {
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => Ok(None),
        (Some(origin), None) if is_known(app, origin) => Ok(Some(origin.clone())),
        _ => {
            Err(Reject::from(RejectCode::Forbidden).saying("Pages of this origin may not connect."))
        }
    }
}

fn is_known(app: &App, origin: &HeaderValue) -> bool {
    let ours = app.services.origins.iter().chain(app.web_origins.iter());
    ours.into_iter().any(|known| known.as_bytes() == origin.as_bytes())
}
