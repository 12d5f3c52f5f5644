//! A bus that loses, doubles and delays what the nodes of a relay tell each other.
//!
//! ```text
//!  publish ─▶ ┬─ fine     told
//!             ├─ lost     told to nobody, and nobody knows it
//!             ├─ doubled  told twice
//!             └─ late     told behind what comes next
//! ```
//!
//! It says that it is well all the while: nodes that know that they missed something look into the
//! store by themselves. A seed gives the same faults to the same events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chat_core::id::AccountId;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use relay_server::bus::{Bus, BusEvent, BusHealth};

/// The bus; what it wraps is sound.
#[derive(Debug)]
pub struct Gossip {
    bus: Arc<dyn Bus>,
    state: Mutex<State>,
    faults: AtomicU64,
}

#[derive(Debug)]
struct State {
    rng: ChaCha8Rng,
    late: Vec<(Vec<AccountId>, BusEvent)>,
}

impl Gossip {
    /// Over a bus that is sound, with faults of this seed.
    #[must_use]
    pub fn over(bus: Arc<dyn Bus>, seed: u64) -> Self {
        let state = State { rng: ChaCha8Rng::seed_from_u64(seed), late: Vec::new() };
        Self { bus, state: Mutex::new(state), faults: AtomicU64::new(0) }
    }

    /// How many events it did not just tell.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Bus for Gossip {
    async fn register(&self, accounts: &[AccountId]) {
        self.bus.register(accounts).await;
    }

    async fn unregister(&self, accounts: &[AccountId]) {
        self.bus.unregister(accounts).await;
    }

    fn publish(&self, recipients: &[AccountId], event: BusEvent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let late = std::mem::take(&mut state.late);
        let fate = state.rng.random_range(0..100);
        if fate < 60 {
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
        match fate {
            0..25 => {}
            25..40 => {
                self.bus.publish(recipients, event.clone());
                self.bus.publish(recipients, event);
            }
            40..60 => state.late.push((recipients.to_vec(), event)),
            _ => self.bus.publish(recipients, event),
        }
        for (recipients, event) in late {
            self.bus.publish(&recipients, event);
        }
    }

    fn health(&self) -> BusHealth {
        self.bus.health()
    }

    async fn close(&self) {
        self.bus.close().await;
    }
}
