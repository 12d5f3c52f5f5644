//! Publishes that get lost: healed by the next one, or by the look at the heads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chat_core::id::AccountId;
use relay_server::bus::local::LocalHub;
use relay_server::bus::{Bus, BusEvent, BusHealth};
use relay_server::storage::sqlite::Store;
use relay_server::testing::TestRelay;

use crate::conversations::three;

#[tokio::test]
async fn what_the_bus_lost_comes_with_the_next_publish_and_in_order() {
    let relay = node(losing_most).await;
    let [alice, bob, _] = three(&relay.node).await;
    let chat = alice.direct(&bob).await;
    let (mut alices, mut bobs) = (alice.connect_idle().await, bob.connect_idle().await);

    for _ in 0..EVERY {
        alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    }

    for sequence in 1..=EVERY {
        assert_eq!(bobs.delivery().await.0, sequence);
    }
}

#[tokio::test]
async fn what_the_bus_lost_comes_with_the_look_at_the_heads() {
    let relay = node(losing_all).await;
    let [alice, bob, _] = three(&relay.node).await;
    let chat = alice.direct(&bob).await;
    let (mut alices, mut bobs) = (alice.connect_idle().await, bob.connect_idle().await);
    for _ in 0..3 {
        alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    }
    let nothing = bobs.settle().await;

    relay.node.relay().look_at_heads().await;

    assert!(nothing.is_empty());
    for sequence in 1..=3 {
        assert_eq!(bobs.delivery().await.0, sequence);
    }
}

/// One message of so many gets through.
const EVERY: u64 = 5;

struct Node {
    node: TestRelay,
    _folder: tempfile::TempDir,
}

async fn node(through: fn(Arc<dyn Bus>) -> Arc<dyn Bus>) -> Node {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
    let hub = LocalHub::default();
    let builder = TestRelay::builder().sharing(&hub, Arc::new(store)).through(through);
    Node { node: builder.start().await, _folder: folder }
}

fn losing_most(bus: Arc<dyn Bus>) -> Arc<dyn Bus> {
    Arc::new(Lossy { bus, every: EVERY, messages: AtomicU64::new(0) })
}

fn losing_all(bus: Arc<dyn Bus>) -> Arc<dyn Bus> {
    Arc::new(Lossy { bus, every: u64::MAX, messages: AtomicU64::new(0) })
}

/// A bus that loses messages without a word.
#[derive(Debug)]
struct Lossy {
    bus: Arc<dyn Bus>,
    every: u64,
    messages: AtomicU64,
}

#[async_trait]
impl Bus for Lossy {
    async fn register(&self, accounts: &[AccountId]) {
        self.bus.register(accounts).await;
    }

    async fn unregister(&self, accounts: &[AccountId]) {
        self.bus.unregister(accounts).await;
    }

    fn publish(&self, recipients: &[AccountId], event: BusEvent) {
        if matches!(event, BusEvent::Message { .. }) {
            let number = self.messages.fetch_add(1, Ordering::SeqCst) + 1;
            if !number.is_multiple_of(self.every) {
                return;
            }
        }
        self.bus.publish(recipients, event);
    }

    fn health(&self) -> BusHealth {
        self.bus.health()
    }

    async fn close(&self) {
        self.bus.close().await;
    }
}
