//! What goes into the log: ids and counts, never content, keys, tokens or names.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;

/// Libraries that write out what they carry when they are asked for details.
const TALKATIVE: [&str; 4] = ["tungstenite", "tokio_tungstenite", "hyper", "hyper_util"];

/// The form of a line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// An object each, for programs.
    Json,
}

/// There is no such form.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a log is `text` or `json`")]
pub struct NoFormat;

impl FromStr for Format {
    type Err = NoFormat;
    fn from_str(text: &str) -> Result<Self, NoFormat> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(NoFormat),
        }
    }
}

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

/// Logs to standard error from now on, as `specification` and `format` say; once a process.
pub fn start(specification: &str, format: Format) {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter(specification))
        .with_writer(std::io::stderr);
    match format {
        Format::Text => lines.init(),
        // The trace of a request stands beside its fields, so that one look-up finds both.
        Format::Json => lines.json().flatten_event(true).with_span_list(false).init(),
    }
}
