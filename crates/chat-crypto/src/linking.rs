//! Linking a device: a code on one screen, the same seven emoji on both, and the account has a
//! device more.
//!
//! ```text
//!  shows the code                        mailbox                             scans it
//!  Showing  ── hello: key, commitment ─────────────────▶  Scanned
//!     │     ◀──────────────────────────── answer: enc ──     │
//!     │     ── reveal: nonce ──────────────────────────▶  Answered
//!     ▼                                                      ▼
//!  Comparing  ◀ ─ ─ ─ a person compares seven emoji ─ ─ ─ ▶  Comparing
//!
//!  new device                                                existing device
//!  Comparing ─confirm─▶ Introduced                           Comparing ─confirm─▶ Confirmed
//!                        │  ── introduction: keys, signed ──▶  Candidate ─admit─▶ Admitted
//!                        │  ◀─ admission: certificate, lock ──                       │
//!                        ▼  ── receipt ───────────────────▶  certificate, to be listed
//!                    Admission
//! ```
//!
//! Either device may show the code; which one is new stands in it, and in the types: [`New`] and
//! [`Existing`]. The relay is a mailbox that may read, drop, repeat and invent what it likes. The
//! commitment makes it choose before it knows the emoji, so a search for keys that show the same
//! does not help it: it has one try at 2⁻⁴².
//!
//! Every state is spent by the step out of it. Whatever is not the message that a state waits for
//! ends the linking, and another begins with another code. Nothing but the admission is stored.
//! Absent: the mailbox, the pictures, publishing the device list.
//! Normative: `docs/protocol/linking.md`.
//!
//! ```
//! use chat_core::time::Timestamp;
//! use chat_crypto::linking::{Existing, LinkCode, New, Scanned, Showing};
//! # use rand_core::SeedableRng as _;
//! # let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1); // in an app: the system's generator
//! # let now = Timestamp::from_millis(1_790_000_000_000);
//!
//! // The new device draws a code; the existing one reads it.
//! let showing = Showing::<New>::begin(now, &mut rng);
//! let scanned = Scanned::<Existing>::of(LinkCode::read(showing.code().as_bytes(), now)?)?;
//!
//! // Three messages through the mailbox.
//! let (answered, answer) = scanned.answer(showing.hello(), now, &mut rng)?;
//! let (new, reveal) = showing.answered(&answer, now)?;
//! let existing = answered.revealed(&reveal, now)?;
//!
//! // Two screens, to be compared by people.
//! assert_eq!(new.emoji(), existing.emoji());
//! # Ok::<(), chat_crypto::linking::LinkError>(())
//! ```
//!
//! Only who was asked goes on. An existing device that takes an introduction before its person has
//! confirmed does not compile:
//!
//! ```compile_fail,E0599
//! # use chat_core::time::Timestamp;
//! # use chat_crypto::linking::{Comparing, Existing};
//! fn without_asking(existing: Comparing<Existing>, introduction: &[u8], now: Timestamp) {
//!     let candidate = existing.introduced(introduction, now);
//! }
//! ```

/// A `Debug` that gives the name alone: what these hold is secret.
macro_rules! unprinted {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

mod channel;
mod code;
mod existing_device;
mod new_device;
mod pairing;
mod transfer;

use std::time::Duration;

pub use self::code::{LinkCode, Rendezvous};
pub use self::existing_device::{Admitted, Candidate, Confirmed};
pub use self::new_device::{Admission, Introduced};
pub use self::pairing::{Answered, Comparing, Scanned, Showing};

/// The version of code and messages.
pub const VERSION: u8 = 1;

/// How many emoji both people compare: 42 bits.
pub const EMOJI: usize = 7;

/// How long a code is good, and everything that follows it.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// How far the clocks of both devices may be apart.
pub const CLOCKS_APART_MAX: Duration = Duration::from_secs(5 * 60);

/// Largest message of a linking.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// Why a linking ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// No code or message of linking, or one of another version.
    #[error("this is not a code for linking that this version knows")]
    Unreadable,
    /// Both devices are new, or both belong to an account.
    #[error("one of the two devices must be new, the other one must not")]
    WrongRole,
    /// The code is too old, or says that it will be good for too long.
    #[error("the code is no longer good; show a new one")]
    Stale,
    /// The message does not come from the device that showed or scanned the code, or is not the
    /// one that is due.
    #[error("the other device did not send this")]
    NotAuthentic,
    /// The other person said no.
    #[error("linking was cancelled on the other device")]
    Cancelled,
    /// The account knows a device of this id or key already, perhaps a removed one.
    #[error("this device was linked before; install it anew")]
    DeviceKnown,
    /// The account has as many devices as it may have.
    #[error("the account has too many devices; remove one first")]
    TooManyDevices,
}

/// Which of the two devices.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The one that is to be linked.
    New = 1,
    /// The one that belongs to the account.
    Existing = 2,
}

/// The side of a linking that a state belongs to, as a type.
pub trait Side: sealed::Sealed {
    /// The same as a value.
    const ROLE: Role;
    /// The other one's.
    const OTHER: Role;
}

/// The side of the device that is to be linked.
#[derive(Clone, Copy, Debug)]
pub struct New;

/// The side of the device that belongs to the account.
#[derive(Clone, Copy, Debug)]
pub struct Existing;

impl Side for New {
    const ROLE: Role = Role::New;
    const OTHER: Role = Role::Existing;
}

impl Side for Existing {
    const ROLE: Role = Role::Existing;
    const OTHER: Role = Role::New;
}

mod sealed {
    /// Closed: there are two sides.
    pub trait Sealed {}
    impl Sealed for super::New {}
    impl Sealed for super::Existing {}
}
