//! Devices that are registered for real, and what they need for a wire of their own.
//!
//! The SDK does the work (OPAQUE, device list, prekeys, membership log, ratchet); its transport is
//! tapped for the access token and the one message it sealed.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chat_core::codec::{Bytes, to_bytes};
use chat_core::envelope::{Envelope, Expiry, Header};
use chat_core::frame::ClientFrame;
use chat_core::id::{ConversationId, DeviceAddress, MessageId};
use chat_sdk::transport::{
    AccessToken, Answer, FrameSink, Link, Network, Origin, Request, Transport,
};
use chat_sdk::{Client, PasswordHardening, Policy};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::Outcome;
use crate::nodes::Nodes;
use crate::wire::Wire;

/// The client pays for its password; nobody attacks these.
const CHEAP: PasswordHardening = PasswordHardening { memory_kib: 8, passes: 1, lanes: 1 };
/// Registrations at a time.
const AT_ONCE: usize = 8;

/// A registered device.
#[derive(Debug)]
pub(crate) struct Device {
    /// Which one of this run; its node goes by this.
    pub(crate) number: u32,
    pub(crate) token: AccessToken,
}

impl Device {
    /// Opens its connection, and waits until the relay has nothing more for it.
    pub(crate) async fn open(&self, nodes: &Nodes) -> Outcome<Wire> {
        Wire::open(&nodes.endpoint(self.number), &self.token, self.number).await
    }

    /// Opens its connection.
    pub(crate) async fn connect(&self, nodes: &Nodes) -> Outcome<Wire> {
        Wire::connect(&nodes.endpoint(self.number), &self.token, self.number).await
    }
}

/// A sender, its sealed message, and who gets it: on another node, where there are several.
#[derive(Debug)]
pub(crate) struct Pair {
    /// Who sends.
    pub(crate) sender: Device,
    /// Who receives.
    pub(crate) receiver: Device,
    /// A message from one to the other.
    pub(crate) sealed: Sealed,
}

/// A sealed message, to be sent again and again under other ids.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    envelope: Envelope,
    header: Header,
}

impl Sealed {
    pub(crate) fn conversation(&self) -> ConversationId {
        self.header.conversation
    }

    pub(crate) fn sender(&self) -> DeviceAddress {
        self.header.sender
    }

    /// The message under another id, whose last four bytes are `number`, as is the request.
    pub(crate) fn frame(&self, number: u32) -> Outcome<ClientFrame> {
        self.expiring(number, self.header.expiry)
    }

    /// The same with another timer.
    pub(crate) fn expiring(&self, number: u32, expiry: Option<Expiry>) -> Outcome<ClientFrame> {
        let mut id: [u8; 16] = rand::random();
        if let Some(tail) = id.last_chunk_mut::<4>() {
            *tail = number.to_be_bytes();
        }
        let header = Header { message: MessageId::from_bytes(id), expiry, ..self.header.clone() };
        let header = Bytes::new(to_bytes(&header))?;
        let envelope = Envelope { header, ..self.envelope.clone() };
        Ok(ClientFrame::Send { request: number, envelope, blobs: None })
    }
}

/// The number in the id of a message.
pub(crate) fn number_of(message: MessageId) -> u32 {
    let tail = message.as_bytes().last_chunk::<4>().copied().unwrap_or_default();
    u32::from_be_bytes(tail)
}

/// Registers devices of accounts of their own.
pub(crate) async fn devices(nodes: &Nodes, count: u32) -> Outcome<Vec<Device>> {
    let run: u32 = rand::random();
    let registering = (0..count).map(|number| async move {
        let name = format!("idle-{run:08x}-{number}");
        let (client, tap) = register(nodes, number, &name).await?;
        finish(client, &tap, number).await
    });
    stream::iter(registering).buffer_unordered(AT_ONCE).try_collect().await
}

/// Registers pairs, and has each sender seal `bytes` of text.
pub(crate) async fn pairs(nodes: &Nodes, count: u32, bytes: usize) -> Outcome<Vec<Pair>> {
    let run: u32 = rand::random();
    let registering = (0..count).map(|pair| async move {
        let (here, there) = (2 * pair, 2 * pair + 1);
        let name = format!("receiver-{run:08x}-{pair}");
        let (client, tap) = register(nodes, there, &name).await?;
        let receiver = finish(client, &tap, there).await?;
        let (client, tap) = register(nodes, here, &format!("sender-{run:08x}-{pair}")).await?;
        client.direct(&name).await?.send("x".repeat(bytes)).await?;
        let sealed = sealed(&client, &tap).await?;
        let sender = finish(client, &tap, here).await?;
        Ok(Pair { sender, receiver, sealed })
    });
    stream::iter(registering).buffer_unordered(AT_ONCE).try_collect().await
}

/// Somebody who writes to a channel, the sealed message, and who reads it.
pub(crate) async fn channel(
    nodes: &Nodes,
    members: u32,
    bytes: usize,
) -> Outcome<(Device, Sealed, Vec<Device>)> {
    let run: u32 = rand::random();
    let names: Vec<_> = (1..=members).map(|number| format!("reader-{run:08x}-{number}")).collect();
    let registering = (1..).zip(&names).map(|(number, name)| async move {
        let (client, tap) = register(nodes, number, name).await?;
        finish(client, &tap, number).await
    });
    let readers = stream::iter(registering).buffer_unordered(AT_ONCE).try_collect().await?;
    let (client, tap) = register(nodes, 0, &format!("writer-{run:08x}")).await?;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let channel = client.create_channel("everybody", &names, Policy::DEFAULT).await?;
    channel.send("x".repeat(bytes)).await?;
    let sealed = sealed(&client, &tap).await?;
    Ok((finish(client, &tap, 0).await?, sealed, readers))
}

/// The message that a client has sealed last.
async fn sealed(client: &Client, tap: &Tap) -> Outcome<Sealed> {
    client.flush().await?;
    let envelope = tap.sealed.lock().unwrap_or_else(PoisonError::into_inner).take();
    let envelope = envelope.ok_or("no message went out")?;
    let header = envelope.read_header()?;
    Ok(Sealed { envelope, header })
}

async fn register(nodes: &Nodes, number: u32, name: &str) -> Outcome<(Client, Arc<Tap>)> {
    let url = nodes.url(number);
    let (network, origin) =
        (Network::to(Origin::parse(url)?)?, Origin::parse(nodes.origin(number))?);
    let tap = Arc::new(Tap { network, origin, token: Mutex::default(), sealed: Arc::default() });
    let builder = Client::builder(url).in_memory().transport(tap.clone()).password_hardening(CHEAP);
    let client = builder.register(name, "a password for load").await?.client;
    client.sync().await?;
    Ok((client, tap))
}

async fn finish(client: Client, tap: &Tap, number: u32) -> Outcome<Device> {
    client.close().await?;
    let token = tap.token.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(Device { number, token: token.ok_or("the device never connected")? })
}

/// A network that remembers what goes over it.
#[derive(Debug)]
struct Tap {
    network: Network,
    /// What the relay calls itself, which is not always how it is reached.
    origin: Origin,
    token: Mutex<Option<AccessToken>>,
    sealed: Arc<Mutex<Option<Envelope>>>,
}

#[async_trait]
impl Transport for Tap {
    fn origin(&self) -> &Origin {
        &self.origin
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
