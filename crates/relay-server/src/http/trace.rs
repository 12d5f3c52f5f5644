//! A name for each request, so that what the log says of it can be found again.
//!
//! ```text
//!  traceparent: 00-4bf92f35…-…-01   (only from a proxy of ours)  ─┐
//!  sixteen random bytes                                          ─┴─▶ trace ─▶ every line of the log
//!                                                                          └─▶ x-request-id
//! ```
//!
//! A proxy's trace (W3C Trace Context) is carried on, a stranger's is not: whoever chooses the id
//! chooses what it is found together with. Nothing else of a request is logged but its method, its
//! path's pattern, its status and how long it took.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use super::App;
use super::extract::PeerAddress;
use crate::random;

/// The header of an answer that names its request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const TRACE_PARENT: &str = "traceparent";
/// Hexadecimal digits of a trace's id.
const DIGITS: usize = 32;

/// Names a request, notes how it went, and says the name in the answer.
pub async fn trace(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let trace = parent(&app, &request).unwrap_or_else(drawn);
    let span = tracing::info_span!("request", trace);
    let mut response = next.run(request).instrument(span.clone()).await;
    let path = path.as_ref().map_or("", MatchedPath::as_str);
    let (status, micros) = (response.status().as_u16(), started.elapsed().as_micros());
    span.in_scope(|| tracing::debug!(%method, path, status, micros, "request"));
    if let Ok(trace) = HeaderValue::from_str(&trace) {
        response.headers_mut().insert(REQUEST_ID, trace);
    }
    response
}

/// The trace that a proxy of ours goes on with.
fn parent(app: &App, request: &Request) -> Option<String> {
    let peer = request.extensions().get::<PeerAddress>()?.0.ip();
    let is_ours = app.proxies.iter().any(|proxy| proxy.contains(peer));
    is_ours.then(|| read(request.headers())).flatten()
}

/// `00-` trace `-` parent `-` flags, as the recommendation has it.
fn read(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(TRACE_PARENT)?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hexadecimal = |text: &str, digits: usize| {
        text.len() == digits
            && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
            && text.bytes().any(|c| c != b'0')
    };
    let is_sound =
        version == "00" && is_hexadecimal(trace, DIGITS) && is_hexadecimal(parent, DIGITS / 2);
    is_sound.then(|| trace.to_owned())
}

fn drawn() -> String {
    format!("{:032x}", u128::from_be_bytes(random::bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sound_trace_is_carried_on() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(TRACE_PARENT, HeaderValue::from_str(text).unwrap());
            read(&headers)
        };

        let sound = format!("00-{trace}-00f067aa0ba902b7-01");
        assert_eq!(read(&sound).as_deref(), Some(trace));
        for wrong in [
            "",
            trace,
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f0-01",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_drawn_name_has_the_form_of_a_trace() {
        assert_eq!(drawn().len(), DIGITS);
        assert_ne!(drawn(), drawn());
    }
}
