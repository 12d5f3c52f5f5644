//! Waking devices that are not connected: "you have mail", and nothing else.
//!
//! ```text
//!  message is durable ─▶ courier ─▶ queue in the store ─▶ due ─▶ still mail? ─▶ Push::wake
//!                                        ▲                              │
//!                                        └── later, with more patience ─┘  or dropped, or dead
//! ```
//!
//! What leaves the relay has no content, no names, no counts, no conversation: the services in
//! between learn that a device has something to fetch, and when. See `docs/protocol/push.md`.
//!
//! | module | what it does |
//! |---|---|
//! | [`courier`] | the queue: when, how often, and when no more |
//! | [`web_hook`], [`fcm`], [`apns`] | who delivers |
//! | [`guard`] | where a web hook may lead |
//! | [`jwt`] | tokens for Google and Apple |

pub mod apns;
pub mod courier;
pub mod fcm;
pub mod guard;
pub mod jwt;
#[cfg(test)]
mod tests;
pub mod web_hook;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::api::push::PushTarget;
use chat_core::time::Timestamp;
use reqwest::Response;
use reqwest::header::RETRY_AFTER;

use self::apns::Apns;
use self::fcm::Fcm;
use self::web_hook::WebHooks;
use crate::config::PushConfig;

/// How long one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// A service that asks for more patience is asked again after this all the same.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(6 * 3600);

/// What became of an attempt to wake a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Woken {
    /// It was taken.
    Delivered,
    /// There is no such device there any more: it is not to be woken again.
    Gone,
    /// Not now; if the service said when, then.
    Later(Option<Duration>),
    /// Never like this: something is set up wrongly.
    Refused,
}

/// Delivers to devices of one kind.
#[async_trait]
pub trait Push: fmt::Debug + Send + Sync + 'static {
    /// Tells the device at `target` that it has mail.
    async fn wake(&self, target: &PushTarget, now: Timestamp) -> Woken;
}

/// Why push cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum BadPush {
    /// A file cannot be read.
    #[error("the push key {path} cannot be read: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("the push key {path} is not {wanted}")]
    Key {
        /// Which.
        path: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// There is no HTTP client.
    #[error("push cannot be used: {0}")]
    Client(#[from] reqwest::Error),
}

/// Everybody who delivers here.
#[derive(Debug, Default)]
pub struct Pushers {
    web_hooks: Option<WebHooks>,
    fcm: Option<Fcm>,
    apns: Option<Apns>,
}

impl Pushers {
    /// Those that `config` names.
    ///
    /// # Errors
    ///
    /// [`BadPush`].
    pub fn open(config: &PushConfig) -> Result<Self, BadPush> {
        Ok(Self {
            web_hooks: config.web_hooks.map(WebHooks::new).transpose()?,
            fcm: config.fcm.as_ref().map(Fcm::open).transpose()?,
            apns: config.apns.as_ref().map(Apns::open).transpose()?,
        })
    }

    /// Whether there is anybody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.web_hooks.is_none() && self.fcm.is_none() && self.apns.is_none()
    }

    /// Who delivers to targets of this kind.
    #[must_use]
    pub fn of(&self, target: &PushTarget) -> Option<&dyn Push> {
        match target {
            PushTarget::WebHook { .. } => self.web_hooks.as_ref().map(|it| it as &dyn Push),
            PushTarget::Fcm { .. } => self.fcm.as_ref().map(|it| it as &dyn Push),
            PushTarget::Apns { .. } => self.apns.as_ref().map(|it| it as &dyn Push),
        }
    }
}

/// A client that follows nobody elsewhere.
fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ATTEMPT_MAX)
        .user_agent("sealwire-relay")
}

/// What a service asks for in `Retry-After`, in seconds.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(value.trim().parse().ok()?).min(RETRY_AFTER_MAX))
}

/// Later, because the service could not be reached; why is in the log, without the URL.
fn unreachable(service: &'static str, error: reqwest::Error) -> Woken {
    let error = error.without_url();
    tracing::debug!(service, %error, "a push service was not reached");
    Woken::Later(None)
}
