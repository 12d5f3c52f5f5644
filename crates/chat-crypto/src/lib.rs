//! What only Sealwire's clients can do: keys, handshake, ratchet, envelope.
//!
//! | module | what it does | specified in `docs/protocol` |
//! |---|---|---|
//! | [`identity`] | identity and device keys, what they sign | `identity.md` |
//! | [`recovery`], [`safety_number`] | words to recover with, digits to compare | `identity.md` |
//! | [`padding`] | the pieces of an envelope | `envelope.md` |
//! | [`snapshot`] | how secret state is written down | `ratchet.md` |
//!
//! Absent on purpose: I/O, clocks and a random generator of its own. Randomness is always the last
//! parameter, time the one before it, and every state change is a new value that the caller stores.

mod aead;
pub mod identity;
mod kdf;
pub mod padding;
pub mod recovery;
pub mod safety_number;
mod secret;
pub mod snapshot;
