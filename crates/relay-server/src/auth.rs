//! Who is there: passwords that the relay never sees, and tokens that it can check.
//!
//! | module | what it does |
//! |---|---|
//! | [`opaque`] | the server's side of OPAQUE (RFC 9807) |
//! | [`keys`] | the ring of keys that sign access tokens |
//! | [`tokens`] | access tokens: what they claim, how they are checked |
//! | [`refresh`] | refresh tokens: random, kept hashed |

pub mod keys;
pub mod opaque;
pub mod refresh;
pub mod tokens;
