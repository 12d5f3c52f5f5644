//! What chat-core promises about signed objects and frames, seen from outside.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod devices;
mod frames;
mod people;
mod prekeys;
mod receipts;
mod signed;
mod vectors;
