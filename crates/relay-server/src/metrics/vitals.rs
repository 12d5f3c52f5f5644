//! How the database and Redis do, in Prometheus' text format.

use std::fmt::Write as _;

use super::sample;
use crate::bus::redis::meter;
use crate::storage::vitals::{Counts, Pool};

/// Writes down how the database does.
pub(crate) fn render_storage(text: &mut String, counts: &Counts, pool: Pool) {
    for (name, help, value) in [
        ("database_connections", "Open connections to the database.", pool.open),
        ("database_connections_idle", "Those that nobody uses.", pool.idle),
        ("database_connections_max", "How many there may be.", pool.most),
    ] {
        sample(text, name, help, "gauge", value.into());
    }
    text.push_str("# HELP sealwire_database_errors_total Queries that failed, by what it means.\n");
    text.push_str("# TYPE sealwire_database_errors_total counter\n");
    for (kind, counter) in
        [("unavailable", &counts.unavailable), ("full", &counts.full), ("corrupt", &counts.corrupt)]
    {
        // INVARIANT: writing to a String cannot fail.
        let _ =
            writeln!(text, "sealwire_database_errors_total{{kind=\"{kind}\"}} {}", counter.get());
    }
    counts.read_seconds.render(text, "database_read_seconds", "Duration of reading verbs.");
    counts.write_seconds.render(text, "database_write_seconds", "Duration of writing verbs.");
}

/// Writes down how Redis does.
pub(crate) fn render_redis(text: &mut String, counts: &meter::Counts) {
    let help = "Requests to Redis that failed.";
    sample(text, "redis_failed_total", help, "counter", counts.failed.get());
    counts.seconds.render(text, "redis_seconds", "Duration of requests to Redis.");
}
