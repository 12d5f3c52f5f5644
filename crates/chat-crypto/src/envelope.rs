//! Envelopes: one sealed message, one wrap of its secret for each recipient.
//!
//! ```text
//!  secret            32 random bytes
//!     │ HKDF-SHA-256, info = label ‖ SHA-256(header)
//!     ▼
//!  K ‖ N ‖ C         key 32 · nonce 12 · commitment 32
//!     │
//!     ▼
//!  payload           AES-256-GCM(K, N, pad(sealed content), aad = header ‖ C)
//!     │
//!     ▼
//!  binding           SHA-256(label ‖ length of header ‖ header ‖ C ‖ payload)
//!     │
//!     ▼
//!  wrap[i]           the secret, keyed to recipient i, tied to the binding
//! ```
//!
//! [`seal`] makes the message and [`Sealed`] collects its wraps; [`unwrap_for_device`] and
//! [`unwrap_for_account`] find the secret, [`open`] checks everything and gives the content;
//! [`open_disclosed`] does so for who was told the secret, in a report.
//! AES-GCM alone lets a sender make one ciphertext that opens to different texts under different
//! keys; the commitment, checked first, does not.
//! Normative: `docs/protocol/envelope.md`.

mod inner;
mod keys;
mod open;
mod seal;

pub use self::open::{
    OpenError, Opened, Unwrapped, UnwrappedByChain, Via, open, open_disclosed, unwrap_by_chain,
    unwrap_for_account, unwrap_for_device,
};
pub use self::seal::{SealError, Sealed, seal};
