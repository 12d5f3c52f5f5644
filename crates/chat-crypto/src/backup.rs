//! The backup of an account's history: what a new device gets its old messages from.
//!
//! ```text
//!  segment 1 ◀── segment 2 ◀── … ◀── segment n ◀── head
//!   records       records             records      revision · which backup · n · digest of n
//!
//!  written  ─────────────────────────▶            restored  ◀─────────────────────────
//! ```
//!
//! A backup only grows. Each segment holds records and the digest of the one before; the head
//! names the last. Restoring begins at the head and goes back, newest first, and may stop and go on
//! anywhere: what a digest names is whole and in its place. A device remembers the head it saw
//! last, and refuses what is older or does not continue it.
//!
//! [`BackupHead`] appends and is what devices remember, [`Records`] gathers what goes into a
//! segment, [`BackupReader`] restores. All keys come from the account's keyring.
//! Normative: `docs/protocol/backup.md`.
//!
//! Absent on purpose: what a record means, where segments are kept, when the next one is due. And
//! messages with a timer: [`Records`] refuses them, because nothing can be made to vanish from
//! where it only grows.
//!
//! ```
//! use chat_crypto::backup::{BackupHead, Records};
//! # use chat_core::id::AccountId;
//! # use chat_crypto::identity::IdentitySecret;
//! # use chat_crypto::keyring::Keyring;
//! # use chat_crypto::wrap::EnvelopeSecrets;
//! # use rand_core::SeedableRng as _;
//! # let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1); // in an app: the system's generator
//! # let envelope = EnvelopeSecrets::generate(AccountId::random(&mut rng), 1, &mut rng);
//! # let keyring = Keyring::new(IdentitySecret::generate(&mut rng), envelope, &mut rng);
//! # let mut relay = std::collections::HashMap::new();
//!
//! // The old device: a segment goes to the relay, then the head that names it.
//! let mut records = Records::new();
//! records.push(b"a message, as the store keeps it", None)?; // its timer, if it has one
//! let (segment, head) = BackupHead::begin(&mut rng).append(&keyring, &records, &mut rng);
//! relay.insert(*head.segments().end(), segment);
//! let sealed_head = head.seal(&keyring, &mut rng);
//! let remembered = head.to_snapshot(); // once the relay has accepted it
//!
//! // The new device: the keyring opens the head, and the reader goes back from there.
//! let head = BackupHead::open(&sealed_head, &keyring, None)?;
//! let mut reader = head.reader();
//! while let Some(number) = reader.wanted() {
//!     let segment = reader.open(&relay[&number], &keyring)?;
//!     for record in segment.records().rev() {
//!         assert_eq!(record, b"a message, as the store keeps it");
//!     }
//! }
//!
//! // Whoever remembers a head takes none from before it.
//! let remembered = BackupHead::from_snapshot(&remembered)?;
//! assert!(BackupHead::open(&sealed_head, &keyring, Some(&remembered)).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod head;
mod key;
mod reader;
mod sealing;
mod segment;

use chat_core::codec::DecodeError;

pub use self::head::BackupHead;
pub use self::key::BackupKey;
pub use self::reader::BackupReader;
pub use self::segment::{RecordError, Records, Segment};

/// Why a head or a segment was not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The bytes are no sealed head or segment of a version that this code knows.
    #[error("the backup cannot be read: {0}")]
    Unreadable(DecodeError),
    /// It was sealed with a backup key that the keyring does not hold: a newer keyring may.
    #[error("the keyring lacks the key of this backup")]
    UnknownKey,
    /// It was not sealed by this account's devices for this place.
    #[error("the backup is not authentic")]
    NotAuthentic,
    /// The head is older than one that this device has seen.
    #[error("the backup is older than what this device has seen of it")]
    RolledBack,
    /// The head is not older than the one that this device has seen, and does not continue it.
    #[error("the backup contradicts what this device has seen of it")]
    Forked,
    /// The head was sealed before the backup key was replaced: a device that knows it seals it
    /// anew.
    #[error("the backup was sealed before its key was replaced")]
    Superseded,
}
