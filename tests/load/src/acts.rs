//! Scenario `acts`: how long single things take at a relay that has little else to do. One at a
//! time, each from when it is asked for until its effect is there.
//!
//! ```text
//!  connect     TCP (and TLS), upgrade, token checked ──▶ Connected
//!  message     sent on one connection   ──▶ there on another
//!  typing      said on one connection   ──▶ heard on another
//!  presence    said on one connection   ──▶ heard by who follows
//!  history     GET …/messages           ──▶ a page of 50 messages of 1 KiB
//! ```

use chat_core::api::conversations::MessagePage;
use chat_core::api::workspaces::Workspace;
use chat_core::codec::List;
use chat_core::frame::{ClientFrame, RelayFrame, Typing};
use chat_core::presence::Availability;
use chat_sdk::transport::{AccessToken, Method, Network, Origin, Request, Transport as _};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::Outcome;
use crate::nodes::Nodes;
use crate::people::{Device, Pair, pairs};
use crate::report::{Latencies, Report, latencies};
use crate::wire::Wire;

/// Bytes of text in a message.
const TEXT: usize = 1_024;
/// Messages of a page of history.
const PAGE: u32 = 50;

pub(crate) async fn run(nodes: &Nodes, report: &mut Report, times: u32) -> Outcome<()> {
    let times = times.max(PAGE);
    let mut pairs = pairs(nodes, 1, TEXT).await?;
    let Some(Pair { sender, receiver, sealed }) = pairs.pop() else { return Ok(()) };
    let (conversation, account) = (sealed.conversation(), sealed.sender().account);

    let (connecting, listening) = connect(nodes, &receiver, times).await?;
    report.distribution("connect and authenticate", &connecting);
    let mut two = Two { speaking: sender.open(nodes).await?, listening };

    let messages = (0..times).map(|number| sealed.frame(number)).collect::<Outcome<Vec<_>>>()?;
    let is_message = |frame: &RelayFrame| matches!(frame, RelayFrame::Deliver { .. });
    report.distribution("a message", &two.exchange(messages, is_message).await?);

    let states = [Typing::Started, Typing::Stopped].into_iter().cycle().take(times as usize);
    let typing = states.map(|state| ClientFrame::Typing { conversation, state });
    let is_typing = |frame: &RelayFrame| matches!(frame, RelayFrame::Typing { .. });
    report.distribution("typing", &two.exchange(typing, is_typing).await?);

    let reader = Reader::of(nodes, &receiver)?;
    let Workspace { workspace, .. } = reader.get("/v1/workspace").await?;
    let accounts = List::new(vec![account])?;
    let follow = ClientFrame::FollowPresence { workspace, accounts };
    let is_presence = |frame: &RelayFrame| matches!(frame, RelayFrame::Presence { .. });
    two.listening.writing.send(&follow).await?;
    until(&mut two.listening, is_presence).await?;
    let words = [Availability::Busy, Availability::Away].into_iter().cycle().take(times as usize);
    let said = words
        .map(|availability| ClientFrame::Presence { workspace: Some(workspace), availability });
    report.distribution("presence", &two.exchange(said, is_presence).await?);

    // One message was there before.
    let after = times + 1 - PAGE;
    let path = format!("/v1/conversations/{conversation}/messages?after={after}");
    let mut history = latencies()?;
    for _ in 0..times {
        let began = Instant::now();
        let page: MessagePage = reader.get(&path).await?;
        note(&mut history, began);
        if page.messages.len() != PAGE as usize {
            return Err("the page of history has another length".into());
        }
    }
    report.distribution("a page of history", &history);
    Ok(())
}

/// Connects again and again, each time in place of the connection before; the last one stays.
async fn connect(nodes: &Nodes, device: &Device, times: u32) -> Outcome<(Latencies, Wire)> {
    let mut latencies = latencies()?;
    let mut wire = device.open(nodes).await?;
    for _ in 0..times {
        let began = Instant::now();
        wire = device.connect(nodes).await?;
        until(&mut wire, |frame| matches!(frame, RelayFrame::Connected { .. })).await?;
        note(&mut latencies, began);
    }
    wire.catch_up().await?;
    Ok((latencies, wire))
}

/// Two connections: what is said on one is heard on the other.
struct Two {
    speaking: Wire,
    listening: Wire,
}

impl Two {
    /// How long each of these takes to be heard.
    async fn exchange(
        &mut self,
        frames: impl IntoIterator<Item = ClientFrame>,
        is_heard: impl Fn(&RelayFrame) -> bool,
    ) -> Outcome<Latencies> {
        let mut latencies = latencies()?;
        for frame in frames {
            let began = Instant::now();
            self.speaking.writing.send(&frame).await?;
            until(&mut self.listening, &is_heard).await?;
            note(&mut latencies, began);
        }
        Ok(latencies)
    }
}

fn note(latencies: &mut Latencies, began: Instant) {
    latencies.saturating_record(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
}

async fn until(wire: &mut Wire, is_it: impl Fn(&RelayFrame) -> bool) -> Outcome<()> {
    loop {
        let frame = wire.reading.next().await?;
        match &frame {
            RelayFrame::Reject { reject, .. } => return Err(reject.message.clone().into()),
            RelayFrame::Deliver { sequence, envelope, .. } => {
                wire.acknowledge(envelope, *sequence).await?;
            }
            _ => {}
        }
        if is_it(&frame) {
            return Ok(());
        }
    }
}

/// Somebody who reads over HTTP.
struct Reader {
    network: Network,
    token: AccessToken,
}

impl Reader {
    fn of(nodes: &Nodes, device: &Device) -> Outcome<Self> {
        let network = Network::to(Origin::parse(nodes.url(device.number))?)?;
        Ok(Self { network, token: device.token.clone() })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Outcome<T> {
        let token = Some(self.token.clone());
        let request = Request { method: Method::Get, path: path.to_owned(), body: None, token };
        Ok(serde_json::from_slice(&self.network.request(request).await?.body)?)
    }
}
