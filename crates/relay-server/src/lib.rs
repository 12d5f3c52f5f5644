//! Under construction.

pub mod auth;
pub mod bus;
pub mod clock;
pub mod config;
pub mod limits;
pub mod metrics;
pub mod random;
pub mod storage;
