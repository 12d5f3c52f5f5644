//! The Sealwire client: it remembers, retries and synchronises, so that an app only talks.
//!
//! | module | what it holds |
//! |---|---|
//! | [`error`] | the one error apps see |
//! | [`clock`], [`random`] | time and randomness, as ports |
//! | [`store`] | everything a device remembers, encrypted |
//! | [`transport`] | the way to a relay, as a port |
//!
//! Absent on purpose: user interface, and anything of the relay's; this crate never links it.

pub mod access;
pub mod api;
pub mod clock;
pub mod content;
pub mod context;
pub mod devices;
pub mod error;
pub mod event;
pub mod message;
pub mod password;
pub mod random;
pub mod relay;
pub mod store;
pub mod transport;
pub mod verification;

pub use crate::error::{Error, Kind, Result};
pub use crate::password::PasswordHardening;
