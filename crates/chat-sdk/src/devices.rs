//! Devices: others' lists, fetched, verified and pinned; our own, shown and shortened.
//!
//! ```text
//!  relay ──AccountKeys──▶ every signature ─▶ pinned identity key? ─▶ continues the known list?
//!                             │ no                 │ no                   │ no
//!                             ▼                    ▼                      ▼
//!                          refused          identity changed           refused
//! ```
//!
//! The identity key that comes first is pinned. Another one is noted, not used, until somebody
//! accepts it ([`crate::verification::accept_identity`]). What is refused leaves everything as it
//! was. Stored lists are verified again when they are read: the store is not more believed than
//! the relay.

pub(crate) mod list;
mod memo;
mod own;
mod peers;

pub(crate) use self::own::add_own;
pub use self::own::{OwnDevice, list_own, refresh_own, remove_own};
pub(crate) use self::peers::pinned;
pub use self::peers::{Learned, contact, current, fetch, find, is_deleted, known, learn, name_of};

#[cfg(test)]
mod tests;
