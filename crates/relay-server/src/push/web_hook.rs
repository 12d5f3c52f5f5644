//! Web hooks: a `POST` to a URL that a device has named, signed with the secret it has named.
//!
//! ```text
//!  POST {url}
//!  X-Sealwire-Timestamp: 1700000000
//!  X-Sealwire-Signature: v1=hex(HMAC-SHA-256(secret, timestamp ‖ "." ‖ body))
//!
//!  {"event":"mail"}
//! ```

use std::fmt::Write as _;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use chat_core::api::push::PushTarget;
use chat_core::time::Timestamp;
use reqwest::{Client, StatusCode};

use super::guard::{PublicOnly, Reach};
use super::{Push, Woken, client, retry_after, unreachable};

/// All that a web hook is told.
pub const BODY: &str = r#"{"event":"mail"}"#;

/// Calls web hooks.
#[derive(Debug)]
pub struct WebHooks {
    client: Client,
    reach: Reach,
}

impl WebHooks {
    /// Calls those that are within `reach`.
    ///
    /// # Errors
    ///
    /// Whatever keeps the client from being made.
    pub fn new(reach: Reach) -> Result<Self, reqwest::Error> {
        let mut builder = client().no_proxy();
        if reach == Reach::Public {
            builder = builder.dns_resolver(PublicOnly::shared());
        }
        Ok(Self { client: builder.build()?, reach })
    }
}

#[async_trait]
impl Push for WebHooks {
    async fn wake(&self, target: &PushTarget, now: Timestamp) -> Woken {
        let PushTarget::WebHook { url, secret } = target else { return Woken::Refused };
        // What was allowed when it was registered need not be now.
        if !self.reach.allows(url) {
            return Woken::Gone;
        }
        let timestamp = (now.as_millis() / 1_000).to_string();
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("x-sealwire-signature", signature(secret, &timestamp))
            .header("x-sealwire-timestamp", timestamp)
            .body(BODY);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return unreachable("web hook", error),
        };
        match response.status() {
            status if status.is_success() => Woken::Delivered,
            StatusCode::NOT_FOUND | StatusCode::GONE => Woken::Gone,
            StatusCode::TOO_MANY_REQUESTS => Woken::Later(retry_after(&response)),
            status if status.is_server_error() => Woken::Later(retry_after(&response)),
            _ => Woken::Refused,
        }
    }
}

fn signature(secret: &[u8], timestamp: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, format!("{timestamp}.{BODY}").as_bytes());
    let mut text = String::from("v1=");
    for byte in tag.as_ref() {
        // INVARIANT: writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
