//! How a device that is not connected is told that there is something for it.
//!
//! `PUT /v1/devices/self/push` takes a [`PushTarget`], `DELETE` takes it away. What is sent says "you
//! have mail" and nothing else: not from whom, not where, not how much. Normative:
//! `docs/protocol/push.md`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::Bytes;

/// Longest URL of a web hook, and longest token of a push service, in bytes.
pub const PUSH_TOKEN_BYTES_MAX: usize = 2_048;

/// Where a device can be woken. The relay takes the kinds that its operator has set up.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PushTarget {
    /// A `POST` to a URL.
    WebHook {
        /// `https://…`, at most 2048 bytes.
        url: String,
        /// Signs what is sent: 32 random bytes that only the device and the relay know.
        secret: Bytes<32>,
    },
    /// Google's Firebase Cloud Messaging.
    Fcm {
        /// The registration token, at most 2048 bytes.
        token: String,
    },
    /// Apple's Push Notification service.
    Apns {
        /// The device token, in hexadecimal digits.
        token: String,
    },
}

/// Without URL, secret or token.
impl fmt::Debug for PushTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebHook { .. } => "WebHook(..)",
            Self::Fcm { .. } => "Fcm(..)",
            Self::Apns { .. } => "Apns(..)",
        })
    }
}
