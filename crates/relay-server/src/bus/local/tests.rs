use super::*;
use crate::bus::conformance::{ALICE, Network, event, next, notice, suite};
use crate::bus::{INBOX_NOTICES_MAX, Notice};

suite!(with_network);

#[async_trait]
impl Network for LocalHub {
    async fn node(&self, number: u8) -> (Arc<dyn Bus>, Inbox) {
        let (bus, inbox) = LocalHub::node(self, NodeId::from_bytes([number; 16]));
        (Arc::new(bus), inbox)
    }
}

async fn with_network<F>(test: impl FnOnce(Arc<dyn Network>) -> F)
where
    F: Future<Output = ()>,
{
    test(Arc::new(LocalHub::default())).await;
}

#[tokio::test]
async fn an_inbox_that_is_not_emptied_says_that_something_was_missed() {
    let (bus, mut inbox) = LocalHub::default().node(NodeId::from_bytes([1; 16]));
    bus.register(&[ALICE]).await;
    let held = u64::try_from(INBOX_NOTICES_MAX).unwrap();

    for sequence in 1..=held + 5 {
        bus.publish(&[ALICE], event(sequence));
    }

    assert_eq!(next(&mut inbox).await, Notice::Missed);
    assert_eq!(next(&mut inbox).await, notice(&[ALICE], event(1)));
    assert_eq!((bus.health().lost, bus.health().received), (5, held));
}
