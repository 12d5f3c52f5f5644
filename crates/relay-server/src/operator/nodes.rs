//! Telling nodes that run what an operator has decided.
//!
//! The database is the truth: nodes refuse tokens by it at once, and look every half a minute whether
//! the connections that are open may stay. Where nodes meet at Redis, they are told to look now.

use chat_core::id::AccountId;

use crate::bus::BusEvent;
use crate::bus::NodeId;
use crate::bus::redis::{RedisBus, RedisConfig};
use crate::config::Config;
use crate::random;

/// When connections that may not stay come to their end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ends {
    /// Now: the nodes were told.
    Now,
    /// When the node looks by itself.
    WithinHalfAMinute,
}

impl Ends {
    /// In words, to end a sentence with.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::WithinHalfAMinute => "within half a minute",
        }
    }
}

/// Has the nodes look at the connections of an account. Nothing is lost where that does not work.
pub async fn look_at(config: &Config, account: AccountId) -> Ends {
    let Some(url) = &config.redis else { return Ends::WithinHalfAMinute };
    let (nobody, event) =
        (NodeId::from_bytes(random::bytes()), BusEvent::StandingChanged { account });
    match RedisBus::say_once(&RedisConfig::at(url.as_str()), nobody, account, event).await {
        Ok(true) => Ends::Now,
        _ => Ends::WithinHalfAMinute,
    }
}
