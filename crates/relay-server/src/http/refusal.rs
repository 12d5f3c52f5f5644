//! A refusal as an HTTP answer: its status, `Retry-After`, and the reject as JSON.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chat_core::reject::{Reject, RejectCode};

use crate::storage::StorageError;

/// A refusal on its way out.
#[derive(Debug)]
pub struct Refusal(pub Reject);

/// What handlers return.
pub type Answer<T> = Result<T, Refusal>;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(reject) = self;
        let code = reject.code;
        let status = StatusCode::from_u16(code.http_status());
        let retry_after = reject.retry_after_ms.map(|millis| millis.div_ceil(1_000));
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(reject)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(code);
        response
    }
}

impl From<Reject> for Refusal {
    fn from(reject: Reject) -> Self {
        Self(reject)
    }
}

impl From<RejectCode> for Refusal {
    fn from(code: RejectCode) -> Self {
        Self(code.into())
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        Self(error.into())
    }
}
