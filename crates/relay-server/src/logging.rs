//! What goes into the log: ids and counts, never content, keys, tokens or names.

use tracing_subscriber::EnvFilter;

/// Libraries that write out what they carry when they are asked for details.
const TALKATIVE: [&str; 4] = ["tungstenite", "tokio_tungstenite", "hyper", "hyper_util"];

/// The filter for a specification like `info` or `relay_server=debug`; a specification that cannot
/// be read counts as `info`.
///
/// However much is asked for, libraries that would log what they carry are kept to warnings.
#[must_use]
pub fn filter(specification: &str) -> EnvFilter {
    let filter = EnvFilter::try_new(specification).unwrap_or_else(|_| EnvFilter::new("info"));
    TALKATIVE
        .iter()
        .filter_map(|library| format!("{library}=warn").parse().ok())
        .fold(filter, EnvFilter::add_directive)
}
