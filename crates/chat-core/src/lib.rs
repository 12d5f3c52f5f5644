//! What both sides of Sealwire say to each other, and the rules both check.
//!
//! | module | what it holds | specified in `docs/protocol` |
//! |---|---|---|
//! | [`id`], [`time`], [`limits`] | ids, moments, every limit | `wire.md` |
//! | [`codec`] | CBOR and JSON, bounded byte strings and lists | `wire.md` §1 |
//! | [`label`], [`key`], [`signed`] | labels, public keys, signed objects | `wire.md` §4, `identity.md` |
//! | [`device`] | device certificates and lists | `identity.md` |
//! | [`prekey`], [`merkle`] | prekey sets and bundles | `handshake.md` §2 |
//! | [`membership`] | who is in a conversation | `membership.md` |
//! | [`envelope`], [`receipt`] | sealed messages and what became of them | `envelope.md` |
//! | [`deletion`] | the end of a message, signed | `deletion.md` |
//! | [`presence`] | whether somebody is there | `presence.md` |
//! | [`frame`], [`api`], [`reject`] | WebSocket frames, REST bodies, refusals | `wire.md`, `relay.md` |
//!
//! Absent on purpose: I/O, clocks, secrets, randomness of its own. The relay links this crate and
//! nothing that could open a message.

pub mod api;
pub mod codec;
pub mod deletion;
pub mod device;
pub mod envelope;
pub mod frame;
pub mod id;
pub mod key;
pub mod label;
pub mod limits;
pub mod membership;
pub mod merkle;
pub mod prekey;
pub mod presence;
pub mod receipt;
pub mod reject;
#[cfg(feature = "schema")]
mod schema;
pub mod signed;
pub mod time;
