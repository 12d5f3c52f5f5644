//! Sender chains: one wrap for a whole group, instead of one for each of its devices.
//!
//! ```text
//!  the sending device, per conversation and epoch        everybody it was handed to
//!  SendingChain ┬ link ─▶ link ─▶ …   message keys       link, from where it was handed out on
//!               ├ header key          numbers            header key
//!               └ signing key ─────── its public half ─▶ SenderKey
//!
//!  hand-out      the right column, as content of a message on ratchet sessions
//!  shared wrap   sealed number 20 ‖ AES-256-GCM-SIV(message key, secret 32 ‖ signature 64) 112
//! ```
//!
//! All recipients hold the same keys, so what only the sender can do is the signature: it covers
//! the chain, the number and the envelope's binding, and stands inside the seal. Whoever steals the
//! state of a recipient reads on and forges nothing. A chain is replaced after
//! [`MESSAGES_A_CHAIN`] messages or [`CHAIN_LIVES_FOR`], and by its owner whenever somebody who
//! holds it may no longer read, or the devices of somebody have changed; the hand-out of the next
//! one says how long it was, and closes it.
//!
//! States are values: sealing and opening give the next one and leave the one before as it is.
//! Normative: `docs/protocol/sender-chains.md`. Absent: who holds which chain, and when it is
//! replaced; that is the SDK's.

mod cipher;
mod hand_out;
mod link;
mod receiving;
mod sending;

use std::time::Duration;

use chat_core::codec::Digest;
use chat_core::id::{AccountId, ConversationId, DeviceAddress};
use chat_core::key::SenderKey;
use chat_core::label;
use minicbor::{Decode, Encode};

pub use self::receiving::ReceivingChains;
pub use self::sending::SendingChain;

/// The kind of content that hands out a chain.
pub const HAND_OUT: &str = "sender-chain";
/// After how many messages a sender replaces its chain.
pub const MESSAGES_A_CHAIN: u32 = 100;
/// After how long a sender replaces its chain.
pub const CHAIN_LIVES_FOR: Duration = Duration::from_secs(24 * 3600);
/// Where recipients stop: no message of a chain has this number, or a higher one.
pub const CHAIN_LENGTH_MAX: u32 = 2_000;
/// Most chains of one sender that are kept in a conversation.
pub const CHAINS_KEPT_MAX: usize = 5;
/// Most keys of messages on the road that are kept of one sender in a conversation.
pub const SKIPPED_KEPT_MAX: usize = 1_000;
/// How long they are kept.
pub const SKIPPED_KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why a hand-out was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HandOutError {
    /// It is not of a form that this version knows.
    #[error("the hand-out of the chain cannot be read")]
    Malformed,
    /// Its key verifies nothing, or everything.
    #[error("the signing key of the chain cannot be used")]
    UnusableKey,
    /// It goes behind what the sender has handed out or sent before.
    #[error("the sender has handed out a later chain, or sent more on the one before")]
    OutOfOrder,
    /// The sender has handed out another chain under this epoch.
    #[error("the sender has two chains of one epoch")]
    Forked,
}

/// For whom a sender hands its chain out: what it knew of the members when it did.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(array)]
pub struct Audience {
    /// The index of the last membership entry.
    #[n(0)]
    pub membership_index: u64,
    /// The digest of that entry.
    #[n(1)]
    pub membership_head: Digest,
    /// The digest of all members' device lists; see [`Audience::of`].
    #[n(2)]
    pub devices: Digest,
}

impl Audience {
    /// The audience at a membership head, its members with the numbers of their device lists.
    #[must_use]
    pub fn of(
        membership_index: u64,
        membership_head: Digest,
        lists: impl IntoIterator<Item = (AccountId, u32)>,
    ) -> Self {
        let mut lists: Vec<_> = lists.into_iter().collect();
        lists.sort_unstable();
        let mut input = Vec::with_capacity(64 + lists.len() * 20);
        input.extend_from_slice(label::SENDER_AUDIENCE.as_bytes());
        for (account, number) in lists {
            input.extend_from_slice(account.as_bytes());
            input.extend_from_slice(&number.to_be_bytes());
        }
        Self { membership_index, membership_head, devices: Digest::of(&input) }
    }
}

/// Whose chain: the same on both sides, and what no other chain has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(array)]
struct Owner {
    #[n(0)]
    conversation: ConversationId,
    #[n(1)]
    sender: DeviceAddress,
}

impl Owner {
    /// `SHA-256(label ‖ conversation ‖ account ‖ device ‖ u32 epoch ‖ signing key)`.
    fn chain_id(&self, epoch: u32, key: &SenderKey) -> Digest {
        Digest::of_parts(&[
            label::SENDER_CHAIN_ID.as_bytes(),
            self.conversation.as_bytes(),
            self.sender.account.as_bytes(),
            self.sender.device.as_bytes(),
            &epoch.to_be_bytes(),
            key.as_bytes(),
        ])
    }
}

/// What the signature of message `number` covers.
fn signed(chain: &Digest, number: u32, binding: &Digest) -> Vec<u8> {
    [chain.as_bytes(), &number.to_be_bytes()[..], binding.as_bytes()].concat()
}
