//! Presence: whether somebody is there, as far as they want others to know.
//!
//! A device says how available its owner is; the relay folds what all devices of an account say into
//! one word, and tells it to those who follow the account. Nothing of it is signed: it is the
//! relay's word, as everything about connections is. Normative: `docs/protocol/presence.md`.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, WorkspaceId};
use crate::time::Timestamp;

/// What a device says of its owner.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Connected, and nobody looks.
    #[n(1)]
    Away,
    /// Here.
    #[n(2)]
    Online,
    /// Here, and not to be disturbed.
    #[n(3)]
    Busy,
    /// Nobody is to know.
    #[n(4)]
    Hidden,
}

impl Availability {
    /// What others see of an account whose devices say `all`: who hides on one device hides on all,
    /// otherwise the most present word counts.
    #[must_use]
    pub fn fold(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        // The order of the variants is the order of precedence.
        all.into_iter().max()
    }
}

/// What others see.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum PresenceState {
    /// No device is connected; or they hide.
    #[n(1)]
    Offline,
    /// Connected, and nobody looks.
    #[n(2)]
    Away,
    /// Here.
    #[n(3)]
    Online,
    /// Here, and not to be disturbed.
    #[n(4)]
    Busy,
}

impl From<Option<Availability>> for PresenceState {
    fn from(availability: Option<Availability>) -> Self {
        match availability {
            None | Some(Availability::Hidden) => Self::Offline,
            Some(Availability::Away) => Self::Away,
            Some(Availability::Online) => Self::Online,
            Some(Availability::Busy) => Self::Busy,
        }
    }
}

/// The presence of one account in one workspace.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
pub struct Presence {
    /// Whose.
    #[n(0)]
    pub account: AccountId,
    /// Where.
    #[n(1)]
    pub workspace: WorkspaceId,
    /// What others see.
    #[n(2)]
    pub state: PresenceState,
    /// When they were last there; absent while they are, when it is not known, and for who hides.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_seen: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_hides_on_one_device_hides_on_all() {
        let all = [Availability::Busy, Availability::Hidden, Availability::Online];

        assert_eq!(PresenceState::from(Availability::fold(all)), PresenceState::Offline);
    }

    #[test]
    fn the_most_present_word_counts() {
        let seen = |all: &[Availability]| PresenceState::from(Availability::fold(all.to_vec()));

        assert_eq!(seen(&[]), PresenceState::Offline);
        assert_eq!(seen(&[Availability::Away, Availability::Online]), PresenceState::Online);
        assert_eq!(seen(&[Availability::Busy, Availability::Online]), PresenceState::Busy);
    }
}
