//! What only Sealwire's clients can do: keys, handshake, ratchet, envelope.
//!
//! | module | what it does | specified in `docs/protocol` |
//! |---|---|---|
//! | [`identity`] | identity and device keys, what they sign | `identity.md` |
//! | [`keyring`], [`recovery`] | what an account must not lose, words to get it back with | `keyring.md` |
//! | [`safety_number`] | digits to compare | `keyring.md` §5 |
//! | [`envelope`] | sealing and opening messages | `envelope.md` |
//! | [`padding`], [`wrap`] | the pieces of an envelope | `envelope.md` §4, §6 |
//! | [`prekey`], `handshake` | what others start sessions from, and PQXDH | `handshake.md` |
//! | [`session`], `ratchet` | sessions between two devices | `ratchet.md` |
//! | [`snapshot`] | how secret state is written down | `ratchet.md` |
//!
//! Absent on purpose: I/O, clocks and a random generator of its own. Randomness is always the last
//! parameter, time the one before it, and every state change is a new value that the caller stores.

mod aead;
pub mod envelope;
mod handshake;
pub mod identity;
mod kdf;
pub mod keyring;
pub mod padding;
pub mod prekey;
mod ratchet;
pub mod recovery;
pub mod safety_number;
mod secret;
pub mod session;
pub mod snapshot;
pub mod wrap;
