//! The Sealwire relay: it authenticates, stores ciphertext and routes it. It cannot read it.
//!
//! ```text
//!  WebSocket ─▶ connection ─▶ service::send ─▶ writer (group commit) ─▶ Storage ─▶ accepted
//!  REST      ─▶ http       ─▶ service::*    ─▶ Storage          └─────▶ Bus
//!                                                                        │
//!  WebSocket ◀─ connection ◀─ delivery (cursor, gap check, window) ◀─ dispatcher
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | flags, variables and file to a checked configuration |
//! | [`storage`], [`bus`], [`limits`], [`clock`] | the ports: durable state, other nodes, counts, time |
//! | [`blobs`], [`push`] | two more ports: the bytes of blobs, and who wakes devices |
//! | [`audit`] | the security audit log and its chain |
//! | [`auth`] | OPAQUE, access tokens, refresh tokens |
//! | [`limits`], [`admission`] | how often, and how many at once |
//! | [`policy`], [`directory`] | who may, and what is remembered for that |
//! | [`service`] | the verbs; never sees HTTP |
//! | [`writer`], [`acknowledgements`] | group commit of messages and of cursors |
//! | [`presence`] | who is there, and who is told |
//! | [`registry`], [`dispatcher`], [`delivery`] | who is connected, what they hear of, what they are sent |
//! | [`tls`], [`http`], [`socket`], [`connection`], [`encoding`] | TLS, REST and WebSockets |
//! | `acme` | certificates from an authority; a feature |
//! | [`janitor`], [`metrics`], [`logging`] | housekeeping, counters, what may be logged |
//! | [`operator`] | what the command line does beside running the relay |
//! | `failpoint` | where a relay under test dies; empty in a release |
//! | [`testing`] | a relay in this process, for tests and examples |
//!
//! Absent on purpose: chat-crypto. What could open a message is not in this program.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let relay = relay_server::testing::TestRelay::start().await;
//! assert!(relay.url().starts_with("http://127.0.0.1:"));
//! # relay.stop().await;
//! # });
//! ```

pub mod acknowledgements;
#[cfg(feature = "acme")]
pub mod acme;
pub mod admission;
pub mod audit;
pub mod auth;
pub mod blobs;
pub mod bus;
pub mod clock;
pub mod config;
pub mod connection;
pub mod delivery;
pub mod directory;
pub mod dispatcher;
pub mod encoding;
mod failpoint;
pub mod http;
pub mod janitor;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod operator;
pub mod policy;
pub mod presence;
pub mod push;
pub mod random;
pub mod registry;
mod relay;
pub mod retention;
mod server;
pub mod service;
pub mod socket;
pub mod storage;
pub mod testing;
pub mod tls;
pub mod writer;

pub use relay::{Ports, Relay, StartError};
