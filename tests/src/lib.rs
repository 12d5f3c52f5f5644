//! What the stories share: servers that `cargo xtask test` started, and what a relay stands on.
//!
//! | module | what it holds |
//! |---|---|
//! | [`services`] | PostgreSQL databases and Redis, one of its own for each test |
//! | [`stand`] | the same story on one node with SQLite, and on two with PostgreSQL and Redis |

pub mod services;
pub mod stand;
