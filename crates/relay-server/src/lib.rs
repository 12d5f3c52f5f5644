//! Under construction.

pub mod bus;
pub mod clock;
pub mod storage;
