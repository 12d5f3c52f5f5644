//! A relay on loopback, driven with real signed objects over real sockets. What clients encrypt is
//! random bytes here: the relay does not look into it, and this crate has nothing to make it with.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, unreachable_pub)]

mod accounts;
#[cfg(feature = "acme")]
mod acme;
mod api;
mod audit;
#[cfg(feature = "acme")]
mod authority;
mod backups;
mod blobs;
mod cli;
mod conversations;
mod deletions;
mod delivery;
mod devices;
mod encrypted;
mod expiry;
mod frames;
mod gaps;
mod http1;
mod limits;
mod linking;
mod logs;
mod matrix;
mod messages;
mod nodes;
mod operations;
mod people;
mod presence;
mod push;
mod raw;
mod reports;
mod retention;
mod rewrap;
mod rfc6455;
mod socket;
mod tls;
mod tokens;
mod workspaces;
