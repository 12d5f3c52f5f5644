//! What is logged: ids and counts, at every level, and nothing that people said.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use relay_server::testing::TestRelay;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::people::{PASSWORD, people, within};

const SAID: &str = "under the old bridge at noon";
const TITLE: &str = "conspirators of the bridge";

#[tokio::test]
async fn nothing_that_is_said_is_logged_at_any_level() {
    let log = Log::default();
    let guard = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(log.clone())
        .finish()
        .set_default();
    let relay = TestRelay::start().await;
    let [alice, mut bob] = people(&relay, ["alice", "bob"]).await;

    let group = alice.client.create_group(TITLE, &["bob"]).await.unwrap();
    group.send(SAID).await.unwrap();
    assert_eq!(bob.hears().await, [SAID]);
    bob.client.go_offline().await.unwrap();
    group.send(SAID).await.unwrap();
    within(alice.client.flush()).await.unwrap();
    bob.client.go_online().await.unwrap();
    assert_eq!(bob.hears().await, [SAID]);
    drop(guard);

    let logged = log.text();
    assert!(logged.contains("TRACE"), "the log was heard at all");
    for secret in [SAID, TITLE, PASSWORD] {
        assert!(!logged.contains(secret), "{secret:?} is in the log");
    }
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
