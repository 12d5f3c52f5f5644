//! A request names one host (RFC 9112 §3.2), which HTTP libraries leave to the server to ask for.
//!
//! A proxy in front may route by one of two and we answer for the other; so there may be one.

use axum::extract::Request;
use axum::http::{Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use chat_core::reject::{Reject, RejectCode};

use super::refusal::Refusal;

/// Lets requests through that name one host; those of HTTP/1.0 may name none.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    match (hosts, request.version()) {
        (1, _) | (0, Version::HTTP_10) => next.run(request).await,
        _ => {
            let refusal = Reject::from(RejectCode::Malformed).saying("A request names one host.");
            Refusal(refusal).into_response()
        }
    }
}
