//! What chat-crypto promises, seen from outside, and the vectors of `docs/protocol`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

// `#[test]` in WebAssembly, where the standard library's harness could not say a word.
#[cfg(target_arch = "wasm32")]
#[macro_use(test)]
extern crate browser_tests;

mod attachments;
mod backups;
mod chain_spec;
mod collision;
mod compressed;
mod debug;
mod emoji_page;
mod envelopes;
#[cfg(target_os = "linux")]
mod erasure;
mod forged_wraps;
mod forgeries;
mod hostile_sessions;
mod hostile_wraps;
mod household;
mod keyring_spec;
mod keyrings;
mod limits;
mod linking;
mod linking_spec;
#[cfg(target_os = "linux")]
mod memory;
// Vodozemac asks the operating system for randomness, and a browser is none.
#[cfg(not(target_arch = "wasm32"))]
mod olm;
mod people;
mod sender_chains;
mod session_vectors;
mod spec;
mod vectors;
