//! Linking a device: a code on one screen, the same seven emoji on both, and no password.
//!
//! ```text
//!  shows                              mailbox                              scans
//!  ShownCode ── hello, reveal ────────────────────────── answer ── the code as it was read
//!      │                                                              │
//!      └──▶ Comparison ◀ ─ ─ ─ people compare seven emoji ─ ─ ─ ▶ Comparison ◀──┘
//!             │ confirm, cancel                                       │
//!  new:       └──▶ Client                               existing:     └──▶ DeviceId
//! ```
//!
//! Either device may show the code. The new one gets there by [`ClientBuilder::link`] or
//! [`ClientBuilder::link_by`], the existing one by [`Client::link_device`] or
//! [`Client::show_link_code`]. Nothing happens before both people have confirmed; dropping any of
//! these values, or a future of theirs, ends the linking, and the other side is told by
//! [`Comparison::cancel`] or hears nothing until its time is over.
//!
//! A new device stores what it was given before it says so. If the app ends between that and the
//! end, [`ClientBuilder::open`] goes on where it stopped.
//! Normative: `docs/protocol/linking.md`.
//!
//! ```no_run
//! # async fn example(at_phone: chat_sdk::Client) -> chat_sdk::Result<()> {
//! use chat_sdk::{Client, StoreKey};
//!
//! // The new device shows a code …
//! let shown = Client::builder("https://relay.example")
//!     .store("laptop.store", StoreKey::passphrase("of the laptop"))
//!     .link()
//!     .await?;
//! println!("{}", shown.code());
//!
//! // … which the phone scans.
//! let at_phone = at_phone.link_device(&shown.code().to_string().parse()?).await?;
//! let at_laptop = shown.scanned().await?;
//! println!("{} = {}", at_phone.emoji_text(), at_laptop.emoji_text());
//!
//! // Two people, or one with two hands, say that they are the same.
//! let (laptop, device) = tokio::join!(at_laptop.confirm(), at_phone.confirm());
//! println!("{} is linked as {}", device?, laptop?.username());
//! # Ok(())
//! # }
//! ```
//!
//! [`ClientBuilder::link`]: crate::ClientBuilder::link
//! [`ClientBuilder::link_by`]: crate::ClientBuilder::link_by
//! [`ClientBuilder::open`]: crate::ClientBuilder::open
//! [`Client::link_device`]: crate::Client::link_device
//! [`Client::show_link_code`]: crate::Client::show_link_code

mod code;
mod existing;
mod mailbox;
mod new;
mod pairing;

use chat_crypto::linking::LinkError;

pub use self::code::LinkCode;
pub use self::existing::Linker;
pub use self::new::Newcomer;
pub(crate) use self::new::resume;
pub use self::pairing::{Comparison, Device, ShownCode};
use crate::error::{Error, Kind};

impl From<LinkError> for Error {
    fn from(error: LinkError) -> Self {
        let kind = match error {
            LinkError::Unreadable | LinkError::WrongRole => Kind::LinkCodeInvalid,
            LinkError::Stale => Kind::LinkExpired,
            LinkError::Cancelled => Kind::LinkCancelled,
            LinkError::DeviceKnown => Kind::AlreadyExists,
            LinkError::TooManyDevices => Kind::TooManyDevices,
            _ => Kind::LinkNotAuthentic,
        };
        kind.because(error)
    }
}
