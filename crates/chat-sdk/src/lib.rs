//! The Sealwire client: it remembers, retries and synchronises, so that an app only talks.
//!
//! ```no_run
//! use std::time::Duration;
//! use chat_sdk::{Client, Draft, Event, Page, StoreKey, Timer};
//!
//! # async fn example() -> chat_sdk::Result<()> {
//! let registered = Client::builder("https://relay.example")
//!     .store("alice.store", StoreKey::passphrase("known on this device only"))
//!     .register("alice", "correct horse battery staple")
//!     .await?;
//! println!("Write this down: {}", *registered.recovery_phrase.words());
//!
//! let alice = registered.client;
//! let mut events = alice.events();
//! println!("Compare with Bob: {}", alice.safety_number("bob").await?);
//!
//! let chat = alice.direct("bob").await?;
//! chat.send("Shall we meet?").await?;
//! chat.send_with(Draft::text("At noon.").expiring(Timer::after_seen(Duration::from_secs(60)))).await?;
//!
//! while let Some(event) = events.next().await {
//!     if let Event::Message(message) = event {
//!         println!("{}: {}", message.sender.username, message.text().unwrap_or("…"));
//!         chat.mark_seen().await?;
//!     }
//! }
//! println!("{} messages", chat.messages(Page::latest(50)).await?.len());
//! # Ok(())
//! # }
//! ```
//!
//! A message is stored and queued when `send` returns; the engine seals it, sends it, sends it
//! again, and tells by [`Event::Status`] how far it got. An app that starts again finds everything
//! where it was, with or without a network.
//!
//! | module | what it holds |
//! |---|---|
//! | [`client`], [`conversation`] | what an app calls |
//! | `annotating`, `deleting` | answers, reactions, edits, the end of a message |
//! | [`presence`], [`badges`] | who is there; what is unread |
//! | [`attachments`] | files, up and down |
//! | [`message`], [`content`], [`event`], `timeline` | what an app sees |
//! | [`live`] | a conversation, or all of them, as they change |
//! | [`error`] | the one error apps see |
//! | [`builder`], [`account`] | registering, logging in, opening |
//! | [`devices`], [`verification`], [`prekeys`], [`ageing`] | whose keys are whose, and how long they last |
//! | [`backup`] | history in a file, and back |
//! | [`custody`] | the store as a whole: checked, written out in plain, wiped |
//! | [`reporting`] | messages shown to whoever runs the relay |
//! | [`credentials`], [`keyring`] | password, recovery phrase, keys that are replaced in time |
//! | [`linking`] | a device becomes one of the account's by a code on a screen |
//! | `engine`, `connection` | one loop: what happens next, and over which connection |
//! | `outbox`, `recipients`, `sealing`, `sending` | from a draft to bytes that the relay has |
//! | `resume`, `sync`, `opening`, `receipts`, `expiry` | from bytes to a message, and to its end |
//! | `asking` | a sender chain that did not arrive |
//! | `workspaces` | the workspace, invitations, channels, log-ins, deletion |
//! | `membership`, `learning` | logs verified, entries appended; device lists asked for |
//! | [`access`], [`api`], [`relay`] | the relay's REST interface, with a log-in that renews itself |
//! | [`clock`], [`random`], [`store`], [`transport`], `tasks` | the ports: time, randomness, memory, network, what runs beside what |
//!
//! In a browser (`wasm32-unknown-unknown`) the same crate runs in a dedicated worker: only the ports have
//! another half there, see `docs/guide/browser.md`.
//!
//! Absent on purpose: user interface, and anything of the relay's; this crate never links it.

pub mod access;
pub mod account;
pub mod ageing;
mod annotating;
pub mod api;
mod asking;
pub mod attachments;
pub mod backup;
pub mod badges;
mod blocking;
pub mod builder;
mod channels;
pub mod client;
pub mod clock;
mod connection;
pub mod content;
pub mod context;
pub mod conversation;
pub mod credentials;
pub mod custody;
mod deleting;
mod details;
pub mod devices;
#[cfg(test)]
mod dropped;
mod engine;
pub mod error;
pub mod event;
mod expiry;
mod heirs;
mod hub;
pub mod keyring;
mod learning;
pub mod linking;
pub mod live;
mod membership;
pub mod message;
mod opening;
mod outbox;
mod password;
pub mod prekeys;
pub mod presence;
mod profile;
pub mod random;
mod receipts;
mod recipients;
pub mod relay;
pub mod reporting;
mod resume;
mod rewrapping;
mod scheduled;
mod sealing;
mod sending;
mod settings;
#[cfg(test)]
mod stage;
pub mod store;
mod sync;
mod tasks;
mod timeline;
pub mod transport;
pub mod typing;
pub mod verification;
mod workspaces;

pub use chat_core::api::reports::ReportReason;
pub use chat_core::api::workspaces::{
    AccountState, Channel, Invitation, IssuedInvitation, SessionInfo, Workspace, WorkspaceMember,
    WorkspaceRole,
};
pub use chat_core::envelope::{Expiry, ExpiryMode, WrapScheme};
pub use chat_core::membership::{
    Allowed, ConversationKind, Departed, History, Joining, Policy, Role,
};
pub use chat_core::time::Timestamp;
pub use chat_crypto::recovery::RecoveryPhrase;

pub use crate::attachments::{Download, NewAttachment, Transferred, Upload};
pub use crate::builder::{ClientBuilder, Registered};
pub use crate::client::Client;
pub use crate::clock::{Clock, ManualClock, SystemClock};
pub use crate::content::Content;
pub use crate::conversation::{Conversation, Participant};
pub use crate::error::{Error, Kind, Result};
pub use crate::event::{ConnectionState, Event, Events, Warning};
pub use crate::message::{
    Authenticity, Contact, Draft, Message, Page, Reactions, Status, Timer, Unseen,
};
pub use crate::password::PasswordHardening;
pub use crate::presence::{Availability, Presence, PresenceState};
pub use crate::receipts::Reached;
pub use crate::reporting::Transcript;
pub use crate::scheduled::{SCHEDULED_MAX, Scheduled};
pub use crate::settings::ConversationSettings;
pub use crate::store::StoreKey;
#[cfg(all(feature = "keychain-over", not(target_arch = "wasm32")))]
pub use crate::store::keychain::Keychain;
#[cfg(not(target_arch = "wasm32"))]
pub use crate::transport::Authority;
