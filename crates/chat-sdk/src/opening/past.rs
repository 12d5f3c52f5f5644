//! Opening a message of the past: by the same checks as one that is delivered, and with less to do.
//!
//! It is in nobody's count any more, hands out no chain, and is not new: it counts as seen. Its
//! sender must have been a member at the entry that its header names, and at the newest that any
//! message before it has named. What has no wrap for this device, or came on a key that is long
//! spent, is no reason to warn of: most of the past of other devices is like that.

use rand_core::CryptoRng;
use rusqlite::Transaction;

use chat_core::envelope::Suite;
use chat_core::time::Timestamp;

use super::{Arrival, annotate, aside, message_row, open_for_us, rename};
use crate::blocking;
use crate::content::Content;
use crate::context::Own;
use crate::error::Result;
use crate::event::{Event, Warning};
use crate::message::Status;
use crate::store::conversations::{self, ConversationRow};
use crate::store::tombstones::{self, Gone};
use crate::store::{annotations, history, messages};

/// Opens a message of the past and stores what it holds; gives what to tell the app.
pub(crate) fn apply(
    tx: &Transaction<'_>,
    own: &Own,
    row: &ConversationRow,
    arrival: &Arrival,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Vec<Event>> {
    let header = &arrival.header;
    let (conversation, sender, message) = (header.conversation, header.sender, header.message);
    if header.suite == Suite::HandOut || messages::is_known(tx, message)? {
        return Ok(Vec::new());
    }
    let wrap = arrival.envelope.wraps.iter().find(|wrap| wrap.is_for(own.address));
    let Some(is_for_device) = wrap.map(|wrap| wrap.scheme.is_per_device()) else {
        return Ok(Vec::new());
    };
    let bury = || {
        let sequence = Some(arrival.sequence);
        tombstones::bury(tx, conversation, message, sequence, Gone::Unreadable, now)
    };
    if !was_member(tx, row, arrival)? {
        bury()?;
        let warning = Warning::NotAMember { conversation, sender, message };
        return Ok(vec![Event::Warning(warning)]);
    }
    let opened = match open_for_us(tx, own, arrival, now, rng)? {
        Ok(opened) => opened,
        Err(warning) => {
            bury()?;
            let is_news = !is_for_device;
            return Ok(is_news.then_some(Event::Warning(warning)).into_iter().collect());
        }
    };
    let mut events: Vec<Event> = opened.warning.map(Event::Warning).into_iter().collect();
    let content = Content::read(&opened.content.kind, &opened.content.body);
    let mut message = message_row(own, arrival, opened.content, &content, now);
    if message.deadline.is_some_and(|deadline| deadline <= now) {
        bury()?;
        return Ok(events);
    }
    if blocking::silences(tx, own, header, &content)? {
        bury()?;
        return Ok(events);
    }
    if content.is_aside() {
        events.extend(aside::apply(tx, own, row, &message, &content, now)?);
        return Ok(events);
    }
    message.status = if message.outgoing { Status::Sent } else { Status::Seen };
    messages::insert(tx, &message)?;
    history::see(tx, message.id, now)?;
    if let (Content::Title(title), None) = (&content, &row.title) {
        rename(tx, row, header, title)?;
    } else if content.target().is_some() {
        annotate(tx, header, &content, now)?;
    } else if annotations::is_deleted(tx, &message)? {
        annotations::erase(tx, message.id, now)?;
    }
    Ok(events)
}

fn was_member(tx: &Transaction<'_>, row: &ConversationRow, arrival: &Arrival) -> Result<bool> {
    let (id, account) = (arrival.header.conversation, arrival.header.sender.account);
    let newest = row.membership.index();
    let named = arrival.header.membership_index.min(newest);
    let before = history::named_before(tx, id, arrival.sequence)?.min(newest);
    Ok(conversations::was_member(tx, id, account, named)?
        && conversations::was_member(tx, id, account, named.max(before))?)
}
