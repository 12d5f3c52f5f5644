//! The publisher task: each event once to each other node that has one of its recipients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::redis::{Client, Pipeline, RedisResult};
use chat_core::id::AccountId;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::super::{BusEvent, NodeId};
use super::link::{Link, Linked};
use super::wire::{Packet, trimmed};
use super::{HEARTBEAT, PIPELINE_MAX, Shared};

/// An event and whom it is for, wherever they are.
#[derive(Debug)]
pub(super) struct Publish {
    pub(super) recipients: Arc<[AccountId]>,
    pub(super) event: BusEvent,
}

pub(super) async fn run(shared: Arc<Shared>, client: Client, mut queue: mpsc::Receiver<Publish>) {
    let mut link = Link::new(client, shared.meter.clone());
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            _ = heartbeat.tick() => {}
            count = queue.recv_many(&mut batch, PIPELINE_MAX) => {
                if count == 0 {
                    break;
                }
            }
        }
        let events = batch.len();
        if !deliver(&shared, &mut link, &mut batch).await {
            shared.lose(events);
        }
    }
    // What was accepted before the end is still tried once.
    while let Ok(publish) = queue.try_recv() {
        batch.push(publish);
    }
    let events = batch.len();
    if !deliver(&shared, &mut link, &mut batch).await {
        shared.lose(events);
    }
}

/// Empties the batch, and tells whether everything in it was sent.
async fn deliver(shared: &Shared, link: &mut Link, batch: &mut Vec<Publish>) -> bool {
    let batch = std::mem::take(batch);
    if batch.is_empty() && !shared.owes_a_word.load(Ordering::SeqCst) {
        return true;
    }
    let Some(linked) = link.get().await else { return batch.is_empty() };
    match send(shared, linked, batch).await {
        Ok(()) => {
            link.worked();
            true
        }
        Err(error) => {
            link.failed(&error);
            false
        }
    }
}

async fn send(shared: &Shared, linked: &mut Linked, batch: Vec<Publish>) -> RedisResult<()> {
    if shared.owes_a_word.load(Ordering::SeqCst) {
        ::redis::cmd("PUBLISH")
            .arg(shared.names.everybody())
            .arg(shared.names.node.as_bytes().as_slice())
            .exec_async(&mut linked.connection)
            .await?;
        shared.owes_a_word.store(false, Ordering::SeqCst);
    }
    let accounts: BTreeSet<AccountId> =
        batch.iter().flat_map(|publish| publish.recipients.iter()).copied().collect();
    let directory = look_up(shared, linked, &accounts).await?;

    let mut pipeline = Pipeline::new();
    let mut count = 0;
    for Publish { recipients, event } in batch {
        let event = trimmed(event);
        for (node, recipients) in by_node(&directory, &recipients) {
            let packet = Packet { recipients, event: event.clone() };
            let channel = shared.names.channel(node);
            pipeline.cmd("PUBLISH").arg(channel).arg(packet.to_bytes()).ignore();
            count += 1;
        }
    }
    if count > 0 {
        pipeline.exec_async(&mut linked.connection).await?;
        shared.published.fetch_add(count, Ordering::Relaxed);
    }
    Ok(())
}

/// The other nodes that have each of `accounts`.
async fn look_up(
    shared: &Shared,
    linked: &mut Linked,
    accounts: &BTreeSet<AccountId>,
) -> RedisResult<BTreeMap<AccountId, Vec<NodeId>>> {
    let accounts: Vec<AccountId> = accounts.iter().copied().collect();
    let mut directory = BTreeMap::new();
    for accounts in accounts.chunks(PIPELINE_MAX) {
        let now = format!("({}", linked.now_ms());
        let mut pipeline = Pipeline::new();
        for account in accounts {
            let key = shared.names.account(*account);
            pipeline.cmd("ZRANGEBYSCORE").arg(key).arg(&now).arg("+inf");
        }
        let found: Vec<Vec<Vec<u8>>> = pipeline.query_async(&mut linked.connection).await?;
        for (account, nodes) in accounts.iter().zip(found) {
            let nodes = nodes.into_iter().filter_map(|node| node.try_into().ok());
            let nodes = nodes.map(NodeId::from_bytes).filter(|node| *node != shared.names.node);
            directory.insert(*account, nodes.collect());
        }
    }
    Ok(directory)
}

fn by_node(
    directory: &BTreeMap<AccountId, Vec<NodeId>>,
    recipients: &[AccountId],
) -> BTreeMap<NodeId, Vec<AccountId>> {
    let mut by_node: BTreeMap<NodeId, Vec<AccountId>> = BTreeMap::new();
    for account in recipients {
        for node in directory.get(account).into_iter().flatten() {
            by_node.entry(*node).or_default().push(*account);
        }
    }
    by_node
}
