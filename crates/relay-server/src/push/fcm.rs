//! Google's Firebase Cloud Messaging, HTTP v1: a service account signs (RS256) for an access token
//! (OAuth 2.0, RFC 7523), which sends.

use std::time::Duration;

use async_trait::async_trait;
use chat_core::api::push::PushTarget;
use chat_core::time::Timestamp;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::jwt::SigningKey;
use super::{BadPush, Push, Woken, client, retry_after, unreachable};
use crate::config::FcmConfig;

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// A token is not used any more this long before it runs out.
const TOKEN_MARGIN: Duration = Duration::from_secs(300);

/// Delivers to Android's devices, and to browsers.
#[derive(Debug)]
pub struct Fcm {
    client: Client,
    server: String,
    account: ServiceAccount,
    key: SigningKey,
    token: Mutex<Option<(String, Timestamp)>>,
}

/// The file that Google gives out, as far as it is needed; its key is kept beside.
#[derive(Deserialize)]
struct ServiceAccount {
    project_id: String,
    client_email: String,
    private_key_id: String,
    #[serde(default)]
    private_key: String,
    token_uri: String,
}

impl std::fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServiceAccount({})", self.project_id)
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Fcm {
    /// Reads the service account.
    ///
    /// # Errors
    ///
    /// [`BadPush`].
    pub fn open(config: &FcmConfig) -> Result<Self, BadPush> {
        let path = config.key.display().to_string();
        let json = std::fs::read(&config.key)
            .map_err(|source| BadPush::File { path: path.clone(), source })?;
        let wanted = "the JSON of a service account, as Google gives it out";
        let mut account: ServiceAccount = serde_json::from_slice(&json)
            .map_err(|_| BadPush::Key { path: path.clone(), wanted })?;
        let pem = zeroize::Zeroizing::new(std::mem::take(&mut account.private_key));
        let key = SigningKey::rs256(pem.as_bytes()).ok_or(BadPush::Key { path, wanted })?;
        let (client, server) = (client().build()?, config.server.clone());
        Ok(Self { client, server, account, key, token: Mutex::new(None) })
    }

    /// The access token in use, or another when it is about to run out.
    async fn token(&self, now: Timestamp) -> Result<String, Woken> {
        let mut kept = self.token.lock().await;
        if let Some((token, until)) = &*kept
            && now < *until
        {
            return Ok(token.clone());
        }
        let (issued_at, account) = (now.as_millis() / 1_000, &self.account);
        let claims = json!({
            "iss": account.client_email,
            "scope": SCOPE,
            "aud": account.token_uri,
            "iat": issued_at,
            "exp": issued_at + 3_600,
        });
        let assertion =
            self.key.token(&account.private_key_id, &claims).ok_or(Woken::Later(None))?;
        // INVARIANT: both values are of characters that a form need not escape, but for the colons.
        let form = format!("grant_type={}&assertion={assertion}", GRANT.replace(':', "%3A"));
        let request = self
            .client
            .post(&account.token_uri)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let response = request.send().await.map_err(|error| unreachable("Google", error))?;
        if !response.status().is_success() {
            tracing::warn!(status = %response.status(), "Google gives no access token");
            return Err(Woken::Later(retry_after(&response)));
        }
        let granted: Granted =
            response.json().await.map_err(|error| unreachable("Google", error))?;
        let lifetime = Duration::from_secs(granted.expires_in).saturating_sub(TOKEN_MARGIN);
        *kept = Some((granted.access_token.clone(), now.after(lifetime)));
        Ok(granted.access_token)
    }
}

#[async_trait]
impl Push for Fcm {
    async fn wake(&self, target: &PushTarget, now: Timestamp) -> Woken {
        let PushTarget::Fcm { token: device } = target else { return Woken::Refused };
        let token = match self.token(now).await {
            Ok(token) => token,
            Err(later) => return later,
        };
        let message = json!({ "message": {
            "token": device,
            "data": { "event": "mail" },
            "android": { "priority": "high", "collapse_key": "mail", "ttl": "2419200s" },
        }});
        let url = format!("{}/v1/projects/{}/messages:send", self.server, self.account.project_id);
        let response = match self.client.post(url).bearer_auth(token).json(&message).send().await {
            Ok(response) => response,
            Err(error) => return unreachable("FCM", error),
        };
        let (status, patience) = (response.status(), retry_after(&response));
        if status.is_success() {
            return Woken::Delivered;
        }
        let refusal: Value = response.json().await.unwrap_or_default();
        let details = refusal.pointer("/error/details").and_then(Value::as_array);
        let is = |code: &str| {
            details
                .is_some_and(|all| all.iter().any(|it| it.get("errorCode") == Some(&json!(code))))
        };
        tracing::debug!(%status, "FCM refuses");
        match status {
            StatusCode::NOT_FOUND => Woken::Gone,
            _ if is("UNREGISTERED") || is("SENDER_ID_MISMATCH") => Woken::Gone,
            StatusCode::UNAUTHORIZED => {
                *self.token.lock().await = None;
                Woken::Later(None)
            }
            StatusCode::TOO_MANY_REQUESTS => Woken::Later(patience),
            status if status.is_server_error() => Woken::Later(patience),
            _ => Woken::Refused,
        }
    }
}
