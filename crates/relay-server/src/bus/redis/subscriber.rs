//! The subscriber task: what arrives for this node.

use std::sync::Arc;

use ::redis::aio::{PubSubSink, PubSubStream};
use ::redis::{Client, ErrorKind, Msg, RedisError, RedisResult};
use futures_util::StreamExt as _;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::link::Pause;
use super::wire::Packet;
use super::{ANSWER_WITHIN, HEARTBEAT, Shared};

/// Whether this node has been subscribed before.
#[derive(Clone, Copy)]
enum Subscription {
    First,
    Again,
}

pub(super) async fn run(shared: Arc<Shared>, client: Client) {
    let mut pause = Pause::default();
    let mut subscription = Subscription::First;
    while !shared.stop.is_cancelled() {
        match subscribe(&shared, &client).await {
            Ok((sink, messages)) => {
                pause = Pause::default();
                begin(&shared, subscription);
                subscription = Subscription::Again;
                listen(&shared, sink, messages).await;
                shared.is_subscribed.send_replace(false);
            }
            Err(error) => tracing::debug!(%error, "no subscription"),
        }
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = sleep(pause.next()) => {}
        }
    }
}

async fn subscribe(shared: &Shared, client: &Client) -> RedisResult<(PubSubSink, PubSubStream)> {
    let subscribed = timeout(ANSWER_WITHIN, async {
        let (mut sink, messages) = client.get_async_pubsub().await?.split();
        let names = &shared.names;
        sink.subscribe(&[names.channel(names.node), names.everybody()]).await?;
        Ok((sink, messages))
    });
    subscribed.await.map_err(|_| RedisError::from((ErrorKind::Io, "no answer in time")))?
}

/// From here on nothing is missed; whatever was told before may have been.
fn begin(shared: &Shared, subscription: Subscription) {
    let nobody_is_here = shared.here().is_empty();
    match subscription {
        Subscription::First if nobody_is_here => {}
        Subscription::First => shared.miss(),
        Subscription::Again => {
            // Redis may have started anew, without the directory.
            shared.renew.notify_one();
            shared.miss();
        }
    }
    shared.is_subscribed.send_replace(true);
}

/// Puts everything that arrives into the inbox, until the connection breaks or the node leaves.
async fn listen(shared: &Shared, mut sink: PubSubSink, mut messages: PubSubStream) {
    let mut heartbeat = interval(HEARTBEAT * 2);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let everybody = shared.names.everybody();
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            message = messages.next() => match message {
                Some(message) => receive(shared, &message, &everybody),
                None => return,
            },
            // A connection that is only half there would be silent for ever.
            _ = heartbeat.tick() => {
                let alive = timeout(ANSWER_WITHIN, sink.ping::<::redis::Value>()).await;
                if !matches!(alive, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}

fn receive(shared: &Shared, message: &Msg, everybody: &str) {
    let bytes = message.get_payload_bytes();
    if message.get_channel_name() == everybody {
        if bytes != shared.names.node.as_bytes() {
            shared.miss();
        }
        return;
    }
    match Packet::read(bytes) {
        Some(packet) => shared.put(packet.recipients.into_iter(), packet.event),
        None => {
            tracing::debug!(bytes = bytes.len(), "an event that cannot be read");
            shared.miss();
        }
    }
}
