//! Bytes on a socket, as no library would send them.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing here takes that long; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to a relay, below HTTP.
pub struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    /// Connects to `http://host:port`.
    pub async fn connect(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("a URL of a test's relay");
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    /// Sends; the relay may have hung up already, which is what the test then reads.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// The head of a response, without its last empty line.
    pub async fn head(&mut self) -> String {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            assert!(self.fill().await, "the relay hung up: {:?}", self.read);
        };
        let head = self.read.drain(..end + 4).take(end).collect();
        String::from_utf8(head).unwrap()
    }

    /// Exactly this many bytes; `None` when the relay hangs up before.
    pub async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.read.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.read.drain(..count).collect())
    }

    /// Everything until the relay hangs up.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.read)
    }

    async fn fill(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        read.expect("the relay neither answers nor hangs up").is_ok_and(|bytes| bytes > 0)
    }
}
