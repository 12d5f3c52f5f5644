//! The stories.

mod account;
mod tidy;
