//! Resuming: what is made up for when a connection is there again.
//!
//! ```text
//!  connected ─▶ epoch ─▶ quiet sessions ─▶ conversations ─▶ logs ─▶ acknowledgements ─▶ receipts
//!            ─▶ devices, prekeys
//! ```
//!
//! The relay delivers messages by itself; this is the rest: logs that have grown, receipts that
//! came, acknowledgements of ours that were committed and did not arrive. Any failure that may pass
//! fails the whole, and the connection with it: the next one begins here again.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::frame::ClientFrame;
use chat_core::id::ConversationId;
use chat_core::receipt::Sequence;
use rusqlite::Transaction;

use crate::ageing;
use crate::credentials;
use crate::error::Result;
use crate::hub::Hub;
use crate::learning::learn;
use crate::membership::catch_up;
use crate::prekeys::{self, Occasion};
use crate::settings;
use crate::store::conversations::Standing;
use crate::store::{account, conversations, cursors, progress};
use crate::sync::{Inbound, is_about_us, open_parked, pass_over, receive};

/// The name of the fact that holds the relay's epoch.
const EPOCH: &str = "relay_epoch";

/// Makes up for what happened while there was no connection: conversations, logs, receipts,
/// acknowledgements, prekeys. Gives the frames that are still to be sent.
///
/// # Errors
///
/// What may pass; then the connection is not worth keeping.
pub(crate) async fn resume(hub: &Hub, epoch: u64) -> Result<Vec<ClientFrame>> {
    let occasion = note_epoch(hub, epoch).await?;
    ageing::tidy(hub).await?;
    let now = hub.now();
    hub.context.store.write(move |tx| settings::tell_again(tx, now)).await?;
    let listed = list_conversations(hub).await?;
    catch_up_all(hub, &listed).await?;
    begin_cursors(hub, &listed).await?;
    let mut frames = unacknowledged(hub, &listed).await?;
    frames.extend(fetch_receipts(hub).await?);
    pass_over(learn(hub, hub.context.own.account()).await)?;
    tend(hub).await?;
    open_parked(hub).await?;
    if let Err(error) = prekeys::replenish(&hub.context, occasion).await {
        if error.is_transient() {
            return Err(error);
        }
        tracing::warn!(code = error.code(), "the prekeys were not replenished");
    }
    Ok(frames)
}

/// A relay that was restored from a backup may hand out prekeys again that are spent: make new.
async fn note_epoch(hub: &Hub, epoch: u64) -> Result<Occasion> {
    let epoch = epoch.to_be_bytes();
    let before = hub.context.store.read(|tx| account::fact(tx, EPOCH)).await?;
    let restored = before.as_ref().is_some_and(|before| *before != epoch);
    // A relay that is restored once a minute lies; the epoch stays news until it may count.
    if restored && !hub.may_replenish() {
        return Ok(Occasion::Routine);
    }
    hub.context.store.write(move |tx| account::set_fact(tx, EPOCH, &epoch)).await?;
    Ok(if restored { Occasion::Low } else { Occasion::Routine })
}

/// What the relay says of each of our conversations: the index of its log, and our cursor.
type Listed = BTreeMap<ConversationId, (u64, Sequence)>;

async fn list_conversations(hub: &Hub) -> Result<Listed> {
    let mut listed = Listed::new();
    let mut after = None;
    loop {
        let page = hub.context.relay.conversations(after).await?;
        let before = listed.len();
        for summary in &page.conversations {
            listed.insert(summary.conversation, (summary.index, summary.cursor));
            after = Some(summary.conversation);
        }
        if !page.more || listed.len() == before {
            return Ok(listed);
        }
    }
}

/// Fetches the logs that are new or have grown, and those that the relay no longer lists: of a
/// conversation that we were removed from, it shows the log up to that.
async fn catch_up_all(hub: &Hub, listed: &Listed) -> Result<()> {
    let ours = hub.context.own.account();
    let known = hub.context.store.read(conversations::all).await?;
    let mut behind: BTreeSet<_> = listed.keys().copied().collect();
    for row in known {
        let id = row.membership.id();
        let is_listed = listed.get(&id).is_some_and(|(index, _)| *index <= row.membership.index());
        // The relay had hidden it from us, and nobody has signed that we are out.
        let is_back = row.standing == Standing::Former && row.membership.role(ours).is_some();
        if is_listed && !is_back {
            behind.remove(&id);
        } else if row.standing == Standing::Member {
            behind.insert(id);
        }
    }
    for conversation in behind {
        pass_over(catch_up(hub, conversation).await)?;
    }
    Ok(())
}

/// In conversations that are new to this device, what was said before is history.
async fn begin_cursors(hub: &Hub, listed: &Listed) -> Result<()> {
    let listed: Vec<_> = listed.iter().map(|(id, (_, cursor))| (*id, *cursor)).collect();
    let begin = move |tx: &Transaction<'_>| {
        let known: BTreeSet<_> = cursors::all(tx)?.into_iter().map(|(id, _)| id).collect();
        for (conversation, cursor) in listed.iter().filter(|(id, _)| !known.contains(id)) {
            cursors::begin(tx, *conversation, *cursor)?;
        }
        Ok(())
    };
    hub.context.store.write(begin).await
}

/// As [`begin_cursors`], in a conversation that is new to this device while it is connected.
///
/// # Errors
///
/// What befalls every request.
pub(crate) async fn begin_cursor(hub: &Hub, id: ConversationId) -> Result<()> {
    // Conversations are listed by their ids, from the one behind this on.
    let before = u128::from_be_bytes(*id.as_bytes()).checked_sub(1);
    let before = before.map(|before| ConversationId::from_bytes(before.to_be_bytes()));
    let page = hub.context.relay.conversations(before).await?;
    let Some(listed) = page.conversations.iter().find(|summary| summary.conversation == id) else {
        return Ok(());
    };
    let cursor = listed.cursor;
    hub.context.store.write(move |tx| cursors::begin(tx, id, cursor)).await
}

/// Acknowledgements that were committed here and did not reach the relay.
async fn unacknowledged(hub: &Hub, listed: &Listed) -> Result<Vec<ClientFrame>> {
    let cursors = hub.context.store.read(cursors::all).await?;
    Ok(cursors
        .into_iter()
        .filter(|(id, applied)| listed.get(id).is_some_and(|(_, cursor)| cursor < applied))
        .map(|(conversation, up_to)| ClientFrame::Acknowledge { conversation, up_to })
        .collect())
}

/// Counts the receipts that came while there was no connection.
async fn fetch_receipts(hub: &Hub) -> Result<Vec<ClientFrame>> {
    let awaiting = hub.context.store.read(progress::awaiting).await?;
    let mut batch = Vec::new();
    for conversation in awaiting {
        match hub.context.relay.receipts(conversation).await {
            Ok(found) => {
                batch.extend(found.receipts.into_iter().map(|r| Inbound::Receipt(Box::new(r))));
            }
            Err(error) => pass_over(Err(error))?,
        }
    }
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    Ok(receive(hub, batch).await?.frames)
}

/// Looks after the account's keys. What a new lock keeps from this device is no reason to do without
/// a connection.
async fn tend(hub: &Hub) -> Result<()> {
    match credentials::tend(hub).await {
        Err(error) if is_about_us(error.kind()) || error.is_transient() => Err(error),
        Err(error) => {
            tracing::warn!(code = error.code(), "the account's keys were not looked after");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
