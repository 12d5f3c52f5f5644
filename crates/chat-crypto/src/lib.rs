//! Under construction.

pub mod padding;
pub mod recovery;
pub mod safety_number;
