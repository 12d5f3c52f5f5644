//! Devices that are registered for real, and what they need for a link of their own.
//!
//! The SDK does the work (OPAQUE, device list, prekeys, membership log, ratchet); its transport is
//! tapped for the access token and the one message it sealed.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chat_core::envelope::Envelope;
use chat_core::frame::ClientFrame;
use chat_sdk::transport::{
    AccessToken, Answer, FrameSink, Link, Network, Origin, Request, Transport,
};
use chat_sdk::{Client, PasswordHardening};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::Outcome;

/// The client pays for its password; nobody attacks these.
const CHEAP: PasswordHardening = PasswordHardening { memory_kib: 8, passes: 1, lanes: 1 };
/// Registrations at a time.
const AT_ONCE: usize = 8;

/// A registered device.
#[derive(Debug)]
pub(crate) struct Device {
    tap: Arc<Tap>,
    token: AccessToken,
}

impl Device {
    /// Opens its connection.
    pub(crate) async fn link(&self) -> Outcome<Link> {
        Ok(self.tap.network.connect(&self.token).await?)
    }
}

/// A sender, its sealed message, and who gets it.
#[derive(Debug)]
pub(crate) struct Pair {
    /// Who sends.
    pub(crate) sender: Device,
    /// Who receives.
    pub(crate) receiver: Device,
    /// A message from one to the other.
    pub(crate) envelope: Envelope,
}

/// Registers devices of accounts of their own.
pub(crate) async fn devices(url: &str, count: usize) -> Outcome<Vec<Device>> {
    let run: u32 = rand::random();
    stream::iter((0..count).map(|number| async move {
        let (client, tap) = register(url, &format!("idle-{run:08x}-{number}")).await?;
        finish(client, tap).await
    }))
    .buffer_unordered(AT_ONCE)
    .try_collect()
    .await
}

/// Registers pairs, and has each sender seal `bytes` of text.
pub(crate) async fn pairs(url: &str, count: usize, bytes: usize) -> Outcome<Vec<Pair>> {
    let run: u32 = rand::random();
    stream::iter((0..count).map(|number| async move {
        let name = format!("receiver-{run:08x}-{number}");
        let (receiver, at_receiver) = register(url, &name).await?;
        let receiver = finish(receiver, at_receiver).await?;
        let (sender, tap) = register(url, &format!("sender-{run:08x}-{number}")).await?;
        sender.direct(&name).await?.send("x".repeat(bytes)).await?;
        sender.flush().await?;
        let sealed = tap.sealed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let envelope = sealed.ok_or("no message went out")?;
        Ok(Pair { sender: finish(sender, tap).await?, receiver, envelope })
    }))
    .buffer_unordered(AT_ONCE)
    .try_collect()
    .await
}

async fn register(url: &str, name: &str) -> Outcome<(Client, Arc<Tap>)> {
    let network = Network::to(Origin::parse(url)?)?;
    let tap = Arc::new(Tap { network, token: Mutex::default(), sealed: Arc::default() });
    let builder = Client::builder(url).in_memory().transport(tap.clone()).password_hardening(CHEAP);
    let client = builder.register(name, "a password for load").await?.client;
    client.sync().await?;
    Ok((client, tap))
}

async fn finish(client: Client, tap: Arc<Tap>) -> Outcome<Device> {
    client.close().await?;
    let token = tap.token.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(Device { token: token.ok_or("the device never connected")?, tap })
}

/// A network that remembers what goes over it.
#[derive(Debug)]
struct Tap {
    network: Network,
    token: Mutex<Option<AccessToken>>,
    sealed: Arc<Mutex<Option<Envelope>>>,
}

#[async_trait]
impl Transport for Tap {
    fn origin(&self) -> &Origin {
        self.network.origin()
    }

    async fn request(&self, request: Request) -> chat_sdk::Result<Answer> {
        self.network.request(request).await
    }

    async fn connect(&self, token: &AccessToken) -> chat_sdk::Result<Link> {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        let Link { sink, stream } = self.network.connect(token).await?;
        Ok(Link { sink: Box::new(TappedSink { sink, sealed: self.sealed.clone() }), stream })
    }
}

#[derive(Debug)]
struct TappedSink {
    sink: Box<dyn FrameSink>,
    sealed: Arc<Mutex<Option<Envelope>>>,
}

#[async_trait]
impl FrameSink for TappedSink {
    async fn send(&mut self, frame: &ClientFrame) -> chat_sdk::Result<()> {
        if let ClientFrame::Send { envelope, .. } = frame {
            *self.sealed.lock().unwrap_or_else(PoisonError::into_inner) = Some(envelope.clone());
        }
        self.sink.send(frame).await
    }

    async fn close(&mut self) {
        self.sink.close().await;
    }
}
