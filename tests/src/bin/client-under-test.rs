//! A client as a program of its own, so that a story can kill it: it opens a store, says numbered
//! things in every conversation, and writes down what it tries and what it is told.
//!
//! ```text
//!  client-under-test RELAY STORE JOURNAL NAME SESSIONS
//!
//!  journal   try PLACE NAME:N     before `send` is called
//!            has PLACE NAME:N     after it has returned: the app was promised
//!            saw PLACE TEXT       a message event
//!            warned …             a warning event
//!            wire HEX             a frame with a message, before it is given to the network
//! ```
//!
//! Each line is one `write`, which a killed process has done or not. For what was sent or seen a
//! dot goes to standard output, so that whoever kills it knows that it is busy.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::codec::to_bytes;
use chat_core::frame::ClientFrame;
use chat_sdk::transport::{
    AccessToken, Answer, FrameSink, Link, Network, Origin, Request, Transport,
};
use chat_sdk::{Client, Event, Status, StoreKey, SystemClock};
use chat_tests::impatient::Impatient;

/// How many of its own messages may wait for the relay.
const AHEAD: usize = 4;
/// How long it waits to be told anything before it goes on talking.
const PATIENCE: Duration = Duration::from_secs(1);

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [relay, store, journal, name, sessions] = arguments.as_slice() else {
        return Err("RELAY STORE JOURNAL NAME SESSIONS".into());
    };
    let journal = Journal(Arc::new(OpenOptions::new().create(true).append(true).open(journal)?));
    let network = Network::to(Origin::parse(relay)?)?;
    let client = Client::builder(relay)
        .transport(Arc::new(Recorded { network, journal: journal.clone() }))
        .clock(Arc::new(Impatient(SystemClock)))
        .sessions_a_message_max(sessions.parse()?)
        .store(store, StoreKey::from_bytes([7; 32]))
        .open()
        .await?;
    talk(&client, &journal, name).await
}

/// Keeps talking until it is killed.
async fn talk(client: &Client, journal: &Journal, name: &str) -> Outcome {
    let mut events = client.events();
    let places = client.conversations().await?;
    let (mut number, mut waiting) = (0, 0_usize);
    loop {
        while waiting < AHEAD {
            for place in &places {
                let text = format!("{name}:{number}");
                journal.note(&format!("try {} {text}", place.id()))?;
                place.send(&*text).await?;
                journal.note(&format!("has {} {text}", place.id()))?;
                waiting += 1;
            }
            number += 1;
        }
        // What another process of the device has sent, it is told of, and not we.
        let Ok(event) = tokio::time::timeout(PATIENCE, events.next()).await else {
            waiting = waiting.saturating_sub(places.len());
            continue;
        };
        match event {
            Some(Event::Message(message)) => {
                let text = message.text().unwrap_or_default();
                journal.note(&format!("saw {} {text}", message.conversation))?;
            }
            Some(Event::Status { status: Status::Sent, .. }) => {
                waiting = waiting.saturating_sub(1);
            }
            Some(Event::Status { message, status: Status::Failed, .. }) => {
                journal.note(&format!("warned {message:?} has failed"))?;
            }
            Some(Event::Warning(warning)) => journal.note(&format!("warned {warning:?}"))?,
            Some(_) => {}
            None => return Err("the client has ended".into()),
        }
    }
}

/// Where it writes down what it does.
#[derive(Clone, Debug)]
struct Journal(Arc<File>);

impl Journal {
    fn note(&self, line: &str) -> std::io::Result<()> {
        (&*self.0).write_all(format!("{line}\n").as_bytes())?;
        let is_traffic = ["wire ", "saw "].iter().any(|word| line.starts_with(word));
        if is_traffic { std::io::stdout().write_all(b".\n") } else { Ok(()) }
    }
}

/// The network, with what goes out written down first.
#[derive(Debug)]
struct Recorded {
    network: Network,
    journal: Journal,
}

#[async_trait]
impl Transport for Recorded {
    fn origin(&self) -> &Origin {
        self.network.origin()
    }

    async fn request(&self, request: Request) -> chat_sdk::Result<Answer> {
        self.network.request(request).await
    }

    async fn connect(&self, token: &AccessToken) -> chat_sdk::Result<Link> {
        let Link { sink, stream } = self.network.connect(token).await?;
        let sink = Box::new(RecordedSink { sink, journal: self.journal.clone() });
        Ok(Link { sink, stream })
    }
}

#[derive(Debug)]
struct RecordedSink {
    sink: Box<dyn FrameSink>,
    journal: Journal,
}

#[async_trait]
impl FrameSink for RecordedSink {
    async fn send(&mut self, frame: &ClientFrame) -> chat_sdk::Result<()> {
        if let ClientFrame::Send { envelope, .. } = frame {
            let bytes = to_bytes(envelope);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let noted = self.journal.note(&format!("wire {hex}"));
            noted.map_err(|error| chat_sdk::Kind::Internal.because(error))?;
        }
        self.sink.send(frame).await
    }

    async fn close(&mut self) {
        self.sink.close().await;
    }
}
