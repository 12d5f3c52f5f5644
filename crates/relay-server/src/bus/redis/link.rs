//! A connection that is made when it is needed, and not more often than makes sense.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, RedisResult};
use tokio::time::Instant;

use super::meter::RedisMeter;
use super::{ANSWER_WITHIN, RETRY_WITHIN};

/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A connection, or the memory of when to try again.
pub(crate) struct Link {
    client: Client,
    linked: Option<Linked>,
    pause: Pause,
    not_before: Instant,
    meter: RedisMeter,
    /// When the connection was handed out last.
    asked_at: Instant,
}

/// A connection that works, as far as is known.
pub(crate) struct Linked {
    pub(crate) connection: MultiplexedConnection,
    clock: RedisClock,
    /// Whether nothing was done on it yet.
    pub(crate) is_new: bool,
}

/// Redis' time, so that nodes with different clocks agree on when an entry runs out.
#[derive(Clone, Copy)]
struct RedisClock {
    asked_at: Instant,
    answer_ms: u64,
}

impl Link {
    pub(crate) fn new(client: Client, meter: RedisMeter) -> Self {
        let (pause, now) = (Pause::default(), Instant::now());
        Self { client, linked: None, pause, not_before: now, meter, asked_at: now }
    }

    /// The connection; nothing while there is none, or it is too early to try again.
    pub(crate) async fn get(&mut self) -> Option<&mut Linked> {
        if self.linked.is_none() && Instant::now() >= self.not_before {
            match connect(&self.client).await {
                Ok(linked) => self.linked = Some(linked),
                Err(error) => self.failed(&error),
            }
        }
        self.asked_at = Instant::now();
        self.linked.as_mut()
    }

    /// Takes note that the connection is of no use any more.
    pub(crate) fn failed(&mut self, error: &::redis::RedisError) {
        tracing::debug!(%error, "Redis is not there");
        self.meter.failed();
        self.linked = None;
        self.not_before = Instant::now() + self.pause.next();
    }

    /// Takes note that the connection did its work.
    pub(crate) fn worked(&mut self) {
        self.meter.answered(self.asked_at.elapsed());
        self.pause = Pause::default();
        if let Some(linked) = &mut self.linked {
            linked.is_new = false;
        }
    }
}

impl Linked {
    /// Redis' time, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        let since = self.clock.asked_at.elapsed().as_millis();
        self.clock.answer_ms.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }
}

async fn connect(client: &Client) -> RedisResult<Linked> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER_WITHIN))
        .set_response_timeout(Some(ANSWER_WITHIN));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let (seconds, micros): (u64, u64) = ::redis::cmd("TIME").query_async(&mut connection).await?;
    let answer_ms = seconds.saturating_mul(1000).saturating_add(micros / 1000);
    let clock = RedisClock { asked_at: Instant::now(), answer_ms };
    Ok(Linked { connection, clock, is_new: true })
}

/// Pauses that double, up to a limit.
pub(crate) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pause {
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(RETRY_WITHIN);
        pause
    }
}
