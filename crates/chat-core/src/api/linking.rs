//! The mailbox in which two devices meet that are about to be linked.
//!
//! ```text
//!  mailbox ─┬─ shows:  0 1 2 3        a slot is written once, by who knows the rendezvous
//!           └─ scans:  0 1 2 3        15 minutes after the first write everything is gone
//! ```
//!
//! Nobody logs in. The rendezvous is a secret of two devices: it travels in bodies, never in a URL.
//! Normative: `docs/protocol/linking.md` §6.5.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codec::Bytes;

/// Largest message in a mailbox.
pub const LINK_MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// Slots of each of the two devices, numbered from 0.
pub const LINK_SLOTS: u8 = 4;
/// How long a mailbox stays, from the first write on.
pub const LINK_MAILBOX_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Longest that a read waits for its slot to be filled.
pub const LINK_WAIT_MAX: Duration = Duration::from_secs(20);
/// Bytes of a rendezvous.
pub const RENDEZVOUS_BYTES: usize = 16;

/// Whose slots.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LinkRow {
    /// Those of the device that shows the code.
    Shows,
    /// Those of the device that scans it.
    Scans,
}

/// A slot of a mailbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkSlot {
    /// Which mailbox: [`RENDEZVOUS_BYTES`].
    pub rendezvous: Bytes<RENDEZVOUS_BYTES>,
    /// Whose.
    pub row: LinkRow,
    /// Which, below [`LINK_SLOTS`].
    pub slot: u8,
}

/// `POST /v1/linking/write`. The same message again is accepted again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WriteLinkSlot {
    /// Where.
    pub to: LinkSlot,
    /// What.
    pub message: Bytes<LINK_MESSAGE_BYTES_MAX>,
}

/// `POST /v1/linking/read`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReadLinkSlot {
    /// Where.
    pub from: LinkSlot,
    /// How long to wait for it to be filled, at most [`LINK_WAIT_MAX`].
    pub wait_ms: u64,
}

/// The answer to `POST /v1/linking/read`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkMessage {
    /// What was written; absent if nothing was.
    pub message: Option<Bytes<LINK_MESSAGE_BYTES_MAX>>,
}
