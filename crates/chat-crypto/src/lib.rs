//! What only Sealwire's clients can do: keys, handshake, ratchet, envelope.
//!
//! | module | what it does | specified in `docs/protocol` |
//! |---|---|---|
//! | [`identity`] | identity and device keys, what they sign | `identity.md` |
//! | [`keyring`], [`recovery`] | what an account must not lose, words to get it back with | `keyring.md` |
//! | [`attachment`] | files, sealed and opened chunk by chunk | `attachment.md` |
//! | [`backup`] | the sealed history of an account | `backup.md` |
//! | [`safety_number`] | digits, emoji and a code to compare | `keyring.md` §5 |
//! | [`password`] | passwords in the one form that is hashed | `keyring.md` §6 |
//! | [`linking`] | a device more, by a code and seven emoji | `linking.md` |
//! | [`emoji`] | 64 emoji of six bits each | `linking.md` §7 |
//! | [`envelope`] | sealing and opening messages | `envelope.md` |
//! | [`compression`] | of a body, at the app's word | `envelope.md` §2.1 |
//! | [`padding`], [`wrap`] | the pieces of an envelope | `envelope.md` §4, §6 |
//! | [`sender_chain`] | one wrap for a whole group | `sender-chains.md` |
//! | [`prekey`], `handshake` | what others start sessions from, and PQXDH | `handshake.md` |
//! | [`session`], `ratchet` | sessions between two devices | `ratchet.md` |
//! | [`snapshot`] | how secret state is written down | `ratchet.md` §9 |
//!
//! Absent on purpose: I/O, clocks and a random generator of its own. Randomness is always the last
//! parameter, time the one before it, and every state change is a new value that the caller stores.
//!
//! ```
//! use chat_core::id::{AccountId, DeviceAddress, DeviceId};
//! use chat_core::time::Timestamp;
//! use chat_crypto::identity::{DeviceSecrets, IdentitySecret};
//! use chat_crypto::prekey::PrekeySecrets;
//! # use rand_core::SeedableRng as _;
//! # let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1); // in an app: the system's generator
//! # let now = Timestamp::from_millis(1_790_000_000_000);
//!
//! let identity = IdentitySecret::generate(&mut rng);
//! let device = DeviceSecrets::generate(&mut rng);
//! let address = DeviceAddress {
//!     account: AccountId::random(&mut rng),
//!     device: DeviceId::random(&mut rng),
//! };
//! let (secrets, upload) = PrekeySecrets::generate(&device, address, 1, 100, now, &mut rng);
//!
//! let stored = device.to_snapshot();
//! let again = DeviceSecrets::from_snapshot(&stored)?;
//! assert!(upload.set.verify(&again.key()).is_ok());
//! assert_eq!(secrets.one_time_left(), 100);
//! assert_eq!(format!("{identity:?}"), "IdentitySecret(..)");
//! # Ok::<(), chat_crypto::snapshot::SnapshotError>(())
//! ```

mod aead;
pub mod attachment;
pub mod backup;
pub mod compression;
pub mod emoji;
pub mod envelope;
mod erasure;
mod handshake;
pub mod identity;
mod kdf;
pub mod keyring;
pub mod linking;
#[cfg(test)]
mod official;
pub mod padding;
pub mod password;
pub mod prekey;
mod ratchet;
pub mod recovery;
pub mod safety_number;
mod secret;
pub mod sender_chain;
pub mod session;
pub mod snapshot;
pub mod wrap;
