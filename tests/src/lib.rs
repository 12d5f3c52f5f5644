//! What the stories share: servers that `cargo xtask test` started, and what a relay stands on.
//!
//! | module | what it holds |
//! |---|---|
//! | [`forgery`] | what a relay can make without anybody's keys |
//! | [`gossip`] | a bus between nodes that loses, doubles and delays |
//! | [`impatient`] | a clock whose pauses are short |
//! | [`malicious`] | the real relay, and somebody in between who changes what is said |
//! | [`own_server`] | a PostgreSQL and a Redis that a story may kill |
//! | [`ports`] | ports for servers that go and come back |
//! | [`services`] | PostgreSQL databases and Redis, one of its own for each test |
//! | [`weather`] | a network with faults, drawn from a seed |
//! | [`stand`] | the same story on one node with SQLite, and on two with PostgreSQL and Redis |

pub mod forgery;
pub mod gossip;
pub mod impatient;
pub mod malicious;
#[cfg(unix)]
pub mod own_server;
pub mod ports;
pub mod services;
pub mod stand;
pub mod weather;

/// Every program of the README and of the guide, compiled.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/guide/accounts.md")]
    mod accounts {}
    #[doc = include_str!("../../docs/guide/browser.md")]
    mod browser {}
    #[doc = include_str!("../../docs/guide/conversations.md")]
    mod conversations {}
    #[doc = include_str!("../../docs/guide/devices.md")]
    mod devices {}
    #[doc = include_str!("../../docs/guide/errors.md")]
    mod errors {}
    #[doc = include_str!("../../docs/guide/events.md")]
    mod events {}
    #[doc = include_str!("../../docs/guide/files.md")]
    mod files {}
    #[doc = include_str!("../../docs/guide/first-message.md")]
    mod first_message {}
    #[doc = include_str!("../../docs/guide/live.md")]
    mod live {}
    #[doc = include_str!("../../docs/guide/messages.md")]
    mod messages {}
    #[doc = include_str!("../../docs/guide/reporting.md")]
    mod reporting {}
    #[doc = include_str!("../../docs/guide/settings.md")]
    mod settings {}
    #[doc = include_str!("../../docs/guide/testing.md")]
    mod testing {}
    #[doc = include_str!("../../docs/guide/trust.md")]
    mod trust {}
    #[doc = include_str!("../../docs/guide/vanishing.md")]
    mod vanishing {}
    #[doc = include_str!("../../docs/guide/workspaces.md")]
    mod workspaces {}
}
