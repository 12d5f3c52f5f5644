//! The SDK where it has no operating system: its store, and two people at a relay.
//!
//! ```text
//!  cargo xtask wasm
//!    ├ beside-browser        a relay on the port after the page's, and a store written natively
//!    ├ node                  the files of `host.js`, which are in memory
//!    └ chromium, headless    a dedicated worker, and the files of a page's origin
//! ```
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[macro_use(test)]
extern crate browser_tests;

mod conversation;
mod host;
mod store;
