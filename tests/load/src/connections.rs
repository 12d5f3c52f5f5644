//! Scenario `connections`: what a device weighs that is connected and says nothing.

use std::time::Instant;

use chat_core::frame::RelayFrame;
use chat_sdk::transport::Link;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::Outcome;
use crate::people::{Device, devices};
use crate::relay::Relay;
use crate::report::{memory, say};

/// Connections that are being made at a time.
const AT_ONCE: usize = 64;

pub(crate) async fn run(relay: &Relay, count: usize) -> Outcome<()> {
    let registering = Instant::now();
    let devices = devices(&relay.url, count).await?;
    say("registered", format!("{count} devices in {:.1} s", registering.elapsed().as_secs_f64()));
    let before = relay.resident_kib();
    let connecting = Instant::now();
    let links: Vec<Link> =
        stream::iter(devices.iter().map(open)).buffer_unordered(AT_ONCE).try_collect().await?;
    let seconds = connecting.elapsed().as_secs_f64();
    say(
        "connected",
        format!("{} devices, authenticated and caught up, in {seconds:.2} s", links.len()),
    );
    memory(before, relay.resident_kib(), links.len());
    Ok(())
}

/// Opens a device's connection, and waits until the relay has nothing more for it.
pub(crate) async fn open(device: &Device) -> Outcome<Link> {
    let mut link = device.link().await?;
    while let Some(frame) = link.stream.next().await? {
        if matches!(frame, RelayFrame::CaughtUp) {
            return Ok(link);
        }
        if let RelayFrame::Deliver { sequence, envelope, .. } = frame {
            let conversation = envelope.read_header()?.conversation;
            let read = chat_core::frame::ClientFrame::Acknowledge { conversation, up_to: sequence };
            link.sink.send(&read).await?;
        }
    }
    Err("the relay closed a connection".into())
}
