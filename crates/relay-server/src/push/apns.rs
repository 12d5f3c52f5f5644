//! Apple's Push Notification service: HTTP/2, and a token of ours signed with ES256.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chat_core::api::push::PushTarget;
use chat_core::time::Timestamp;
use reqwest::{Client, StatusCode};
use serde_json::json;

use super::jwt::SigningKey;
use super::{BadPush, Push, Woken, client, retry_after, unreachable};
use crate::config::ApnsConfig;

/// Apple wants a token to be between 20 minutes and an hour old before there is another.
const TOKEN_LIFETIME: Duration = Duration::from_secs(40 * 60);
/// For how long Apple keeps trying to reach a device.
const KEPT: Duration = Duration::from_secs(28 * 24 * 3600);

/// Delivers to Apple's devices.
#[derive(Debug)]
pub struct Apns {
    client: Client,
    config: ApnsConfig,
    key: SigningKey,
    token: Mutex<Option<(String, Timestamp)>>,
}

impl Apns {
    /// Reads the key.
    ///
    /// # Errors
    ///
    /// [`BadPush`].
    pub fn open(config: &ApnsConfig) -> Result<Self, BadPush> {
        let path = config.key.display().to_string();
        let pem = std::fs::read(&config.key)
            .map_err(|source| BadPush::File { path: path.clone(), source })?;
        let wanted = "a P-256 key in PKCS #8 as PEM, as Apple gives it out";
        let key = SigningKey::es256(&pem).ok_or(BadPush::Key { path, wanted })?;
        let mut builder = client();
        if config.server.starts_with("http://") {
            // Without TLS nobody negotiates HTTP/2.
            builder = builder.http2_prior_knowledge();
        }
        Ok(Self { client: builder.build()?, config: config.clone(), key, token: Mutex::new(None) })
    }

    /// The token in use, or another when it is too old.
    fn token(&self, now: Timestamp) -> Option<String> {
        let mut kept = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, since)) = &*kept
            && now.since(*since) < TOKEN_LIFETIME
        {
            return Some(token.clone());
        }
        let claims = json!({ "iss": self.config.team_id, "iat": now.as_millis() / 1_000 });
        let token = self.key.token(&self.config.key_id, &claims)?;
        *kept = Some((token.clone(), now));
        Some(token)
    }

    fn forget_token(&self) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[async_trait]
impl Push for Apns {
    async fn wake(&self, target: &PushTarget, now: Timestamp) -> Woken {
        let PushTarget::Apns { token: device } = target else { return Woken::Refused };
        let Some(token) = self.token(now) else { return Woken::Later(None) };
        let expires = now.after(KEPT).as_millis() / 1_000;
        // The app's extension fetches and opens the mail, and says what is to be shown.
        let body = json!({ "aps": {
            "alert": { "loc-key": "SEALWIRE_MAIL" },
            "mutable-content": 1,
        }});
        let request = self
            .client
            .post(format!("{}/3/device/{device}", self.config.server))
            .bearer_auth(token)
            .header("apns-topic", &self.config.topic)
            .header("apns-push-type", "alert")
            .header("apns-priority", "10")
            .header("apns-collapse-id", "mail")
            .header("apns-expiration", expires.to_string())
            .body(body.to_string());
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return unreachable("APNs", error),
        };
        let (status, patience) = (response.status(), retry_after(&response));
        if status.is_success() {
            return Woken::Delivered;
        }
        let reason: Reason = response.json().await.unwrap_or_default();
        tracing::debug!(%status, reason = reason.reason, "APNs refuses");
        match (status, reason.reason.as_str()) {
            (StatusCode::GONE, _) => Woken::Gone,
            (StatusCode::BAD_REQUEST, "BadDeviceToken" | "DeviceTokenNotForTopic") => Woken::Gone,
            (StatusCode::FORBIDDEN, "ExpiredProviderToken") => {
                self.forget_token();
                Woken::Later(None)
            }
            (StatusCode::TOO_MANY_REQUESTS, _) => Woken::Later(patience),
            _ if status.is_server_error() => Woken::Later(patience),
            _ => Woken::Refused,
        }
    }
}

#[derive(Debug, Default, serde::Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
}
