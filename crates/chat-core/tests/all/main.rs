//! What chat-core promises about signed objects and frames, seen from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

// `#[test]` in WebAssembly, where the standard library's harness could not say a word.
#[cfg(target_arch = "wasm32")]
#[macro_use(test)]
extern crate browser_tests;

mod codecs;
mod deletions;
mod devices;
mod frames;
mod limits;
mod logins;
mod membership;
mod messages;
mod objects;
mod people;
mod prekeys;
mod receipts;
mod reports;
mod signed;
mod vectors;
