//! What is counted of push.

use super::{Counter, sample};

/// Counters of push.
#[derive(Debug, Default)]
pub struct PushMetrics {
    /// Wake-ups that a service has taken.
    pub delivered: Counter,
    /// Attempts that are made again later.
    pub failed: Counter,
    /// Wake-ups that were given up.
    pub dead: Counter,
    /// Targets that were dropped because the service does not know them any more.
    pub gone: Counter,
}

impl PushMetrics {
    pub(super) fn render(&self, text: &mut String) {
        for (name, help, counter) in [
            ("push_delivered_total", "Wake-ups that a service has taken.", &self.delivered),
            ("push_failed_total", "Attempts that are made again later.", &self.failed),
            ("push_dead_total", "Wake-ups that were given up.", &self.dead),
            ("push_gone_total", "Push targets that no service knows any more.", &self.gone),
        ] {
            sample(text, name, help, "counter", counter.get());
        }
    }
}
