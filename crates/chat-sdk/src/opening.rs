//! Opening: a delivered envelope becomes a message, or a reason why not, in one transaction.
//!
//! ```text
//!  header ─▶ here already? ─▶ sender a member? ─▶ wrap for us ─▶ sender's device, as pinned
//!                                                                   │
//!  stored ◀─ in time? ◀─ count and previous ◀─ content, all checks ◀─ secret, session advanced
//! ```
//!
//! Whatever comes of it, the caller's cursor moves on: one bad message stops nothing. A message
//! that is not believed leaves a tombstone and a warning; its session has not moved. Opening never
//! sees the transport.

mod aside;
mod lists;
pub(crate) mod parked;
pub(crate) mod past;
mod unwrapping;

use chat_core::codec::{Digest, from_bytes};
use chat_core::envelope::{Content as SealedContent, Envelope, Header, Suite};
use chat_core::id::{AccountId, MessageId};
use chat_core::membership::Membership;
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use rand_core::CryptoRng;
use rusqlite::Transaction;

use self::parked::Came;
use self::unwrapping::{Closed, Opened, open_for_us};
use crate::content::Content;
use crate::context::Own;
use crate::error::Result;
use crate::event::{Event, Warning};
use crate::message::Status;
use crate::outbox::{self, Progress};
use crate::store::conversations::{self, ConversationRow};
use crate::store::messages::{self, Links, MessageRow};
use crate::store::tombstones::{self, Gone};
use crate::store::{annotations, cursors, deletions, disclosures, progress};
use crate::{asking, blocking, expiry};

/// A delivery.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) sequence: Sequence,
    pub(crate) at: Timestamp,
    pub(crate) header: Header,
    pub(crate) envelope: Envelope,
}

impl Arrival {
    /// Reads the header, also of a version that cannot be opened, so that the place is known.
    pub(crate) fn read(sequence: Sequence, at: Timestamp, envelope: Envelope) -> Option<Self> {
        let header = from_bytes(&envelope.header).ok()?;
        Some(Self { sequence, at, header, envelope })
    }
}

/// What came of a delivery.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Whether it was what somebody has said here, and the first time.
    pub(crate) is_believed: bool,
    /// A message to look at.
    pub(crate) message: Option<MessageRow>,
    /// A message that shows something else now.
    pub(crate) changed: Option<MessageId>,
    /// The conversation has another name.
    pub(crate) renamed: bool,
    /// What else happened.
    pub(crate) aside: Vec<Event>,
    /// Our messages that got further: our own came back.
    pub(crate) progress: Progress,
    /// What does not fit.
    pub(crate) warnings: Vec<Warning>,
    /// Accounts of which somebody knows a newer device list than we do.
    pub(crate) stale: Vec<AccountId>,
    /// Whether a question of ours is in the outbox now.
    pub(crate) asks: bool,
}

impl Outcome {
    fn warning(warning: Warning) -> Self {
        Self { warnings: vec![warning], ..Self::default() }
    }
}

/// Opens a delivery and stores what it holds.
///
/// The conversation must be known; whoever calls has fetched what the header refers to.
pub(crate) fn apply(
    tx: &Transaction<'_>,
    own: &Own,
    row: &ConversationRow,
    arrival: &Arrival,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Outcome> {
    let Arrival { sequence, at, header, .. } = arrival;
    if header.sender == own.address {
        let progress = outbox::accept(tx, own, header.message, *sequence, *at, now)?;
        return Ok(Outcome { progress, ..Outcome::default() });
    }
    if messages::is_known(tx, header.message)? {
        return Ok(Outcome::default());
    }
    if header.suite == Suite::HandOut && is_old_or_for_others(tx, own, arrival)? {
        return Ok(Outcome::default());
    }
    let refused = check_sender(tx, row, arrival)?;
    judge(tx, own, row, arrival, refused, now, rng)
}

/// Opens a delivery, unless it is `refused`, and stores what it holds.
fn judge(
    tx: &Transaction<'_>,
    own: &Own,
    row: &ConversationRow,
    arrival: &Arrival,
    refused: Option<Warning>,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Outcome> {
    let Arrival { sequence, header, .. } = arrival;
    // SECURITY: the id is what the header claims. Nonsense under it does not keep the message away.
    let was_unreadable = tombstones::is_unreadable(tx, header.message)?;
    let fork = fork(tx, row, header)?;
    let opened = match refused {
        None => open_for_us(tx, own, arrival, now, rng)?,
        Some(warning) => Err(Closed::Not(warning)),
    };
    let opened = match opened {
        Err(Closed::Awaits { epoch }) => {
            if parked::keep(tx, arrival, epoch, Came::Delivered, now)? {
                return Ok(Outcome::default());
            }
            Err(not_authentic(header))
        }
        Err(Closed::Not(warning)) => Err(warning),
        Ok(opened) => Ok(opened),
    };
    let mut outcome = match opened {
        Ok(opened) => {
            tombstones::unbury(tx, header.message)?;
            keep(tx, own, row, arrival, opened, now)?
        }
        // It was warned of when it came first.
        Err(_) if was_unreadable => return Ok(Outcome::default()),
        Err(warning) => {
            let (id, sequence) = (header.message, Some(*sequence));
            tombstones::bury(tx, header.conversation, id, sequence, Gone::Unreadable, now)?;
            let lacks_chain =
                header.suite == Suite::Chained && matches!(warning, Warning::NotAuthentic { .. });
            let asks = lacks_chain && asking::ask(tx, own, row, header.sender, now, rng)?;
            Outcome { asks, ..Outcome::warning(warning) }
        }
    };
    outcome.warnings.extend(fork);
    Ok(outcome)
}

/// Keeps what was opened: a message, or nothing where it only handed a chain to us.
fn keep(
    tx: &Transaction<'_>,
    own: &Own,
    row: &ConversationRow,
    arrival: &Arrival,
    opened: Opened,
    now: Timestamp,
) -> Result<Outcome> {
    if arrival.header.suite != Suite::HandOut {
        return store(tx, own, row, arrival, opened, now);
    }
    let mut outcome = Outcome { stale: opened.stale, ..Outcome::default() };
    outcome.warnings.extend(opened.warning);
    Ok(outcome)
}

/// A chain that was handed to others, or to us before: hand-outs leave nothing to know them by, so
/// that they are known by their place.
fn is_old_or_for_others(tx: &Transaction<'_>, own: &Own, arrival: &Arrival) -> Result<bool> {
    let is_for_us = arrival.envelope.wraps.iter().any(|wrap| wrap.is_for(own.address));
    let applied = cursors::applied(tx, arrival.header.conversation)?;
    Ok(!is_for_us || arrival.sequence <= applied)
}

/// Compares the membership head in the header with the log that we have verified.
fn fork(tx: &Transaction<'_>, row: &ConversationRow, header: &Header) -> Result<Option<Warning>> {
    let id = header.conversation;
    let ours = conversations::entry_digest(tx, id, header.membership_index)?;
    // An entry that we do not have, although it was asked for, is withheld from us or made up.
    let agrees =
        ours == Some(header.membership_head) && header.membership_index <= row.membership.index();
    Ok((!agrees).then_some(Warning::MembershipFork { conversation: id }))
}

/// A sender must have been a member where the message stands in the log: at the entry that its
/// header names, and at the newest entry that an earlier message has named. Without the second a
/// removed member and a lying relay could go on under an old head.
fn check_sender(
    tx: &Transaction<'_>,
    row: &ConversationRow,
    arrival: &Arrival,
) -> Result<Option<Warning>> {
    let header = &arrival.header;
    let newest = row.membership.index();
    let named = header.membership_index.min(newest);
    let (id, account) = (header.conversation, header.sender.account);
    let was_member = conversations::was_member(tx, id, account, named)?
        && conversations::was_member(tx, id, account, named.max(row.heard_index).min(newest))?;
    Ok((!was_member).then(|| not_a_member(header)))
}

fn not_a_member(header: &Header) -> Warning {
    let Header { conversation, sender, message, .. } = *header;
    Warning::NotAMember { conversation, sender, message }
}

fn not_authentic(header: &Header) -> Warning {
    let Header { conversation, sender, message, .. } = *header;
    Warning::NotAuthentic { conversation, sender, message }
}

/// Stores a message that is believed.
fn store(
    tx: &Transaction<'_>,
    own: &Own,
    row: &ConversationRow,
    arrival: &Arrival,
    opened: Opened,
    now: Timestamp,
) -> Result<Outcome> {
    let header = &arrival.header;
    let conversation = header.conversation;
    let mut outcome = Outcome { is_believed: true, stale: opened.stale, ..Outcome::default() };
    outcome.warnings.extend(opened.warning);
    outcome.warnings.extend(count(tx, header, &opened.content, opened.binding)?);
    let named = header.membership_index.min(row.membership.index());
    conversations::raise_heard_index(tx, conversation, named)?;

    let content = Content::read(&opened.content.kind, &opened.content.body);
    let message = message_row(own, arrival, opened.content, &content, now);
    if let Some(why) = why_not_kept(tx, own, header, &message, &content, now)? {
        tombstones::bury(tx, conversation, message.id, message.sequence, why, now)?;
        return Ok(outcome);
    }
    if content.is_aside() {
        outcome.aside = aside::apply(tx, own, row, &message, &content, now)?;
        return Ok(outcome);
    }
    outcome.progress = progress::insert_placed(tx, &message, now)?;
    disclosures::keep(tx, message.id, &opened.secret)?;
    conversations::touch(tx, conversation, now)?;
    match &content {
        Content::Title(title) => outcome.renamed = rename(tx, row, header, title)?,
        content if content.target().is_some() => {
            outcome.changed = annotate(tx, &row.membership, header, content, now)?;
        }
        _ if annotations::is_deleted(tx, &message)? => annotations::erase(tx, message.id, now)?,
        _ => outcome.message = Some(message),
    }
    Ok(outcome)
}

/// Why a message that is believed is not kept, if there is a reason.
fn why_not_kept(
    tx: &Transaction<'_>,
    own: &Own,
    header: &Header,
    message: &MessageRow,
    content: &Content,
    now: Timestamp,
) -> Result<Option<Gone>> {
    if message.deadline.is_some_and(|deadline| deadline <= now) {
        return Ok(Some(Gone::Expired));
    }
    Ok(blocking::silences(tx, own, header, content)?.then_some(Gone::Blocked))
}

/// Lets an annotation take effect, if it may; tells on which message.
fn annotate(
    tx: &Transaction<'_>,
    membership: &Membership,
    header: &Header,
    content: &Content,
    now: Timestamp,
) -> Result<Option<MessageId>> {
    // SECURITY: somebody else's edit or deletion is stored, so that it is known, and changes nothing.
    let target = annotations::target(tx, membership, header.sender.account, content)?;
    let target = target.map(|target| target.id);
    if let (Content::Delete(_), Some(target)) = (content, target) {
        annotations::erase(tx, target, now)?;
    }
    Ok(target)
}

fn message_row(
    own: &Own,
    arrival: &Arrival,
    sealed: SealedContent,
    content: &Content,
    now: Timestamp,
) -> MessageRow {
    let header = &arrival.header;
    let outgoing = header.sender.account == own.account();
    MessageRow {
        id: header.message,
        conversation: header.conversation,
        sender: header.sender,
        outgoing,
        number: Some(sealed.number),
        previous: Some(sealed.previous),
        named_index: Some(header.membership_index),
        sequence: Some(arrival.sequence),
        sent_at: header.sent_at,
        received_at: Some(arrival.at),
        kind: sealed.kind,
        body: sealed.body.into_vec(),
        suite: header.suite,
        status: if outgoing { Status::Sent } else { Status::Delivered },
        failure: None,
        expiry: header.expiry,
        deadline: expiry::deadline_once_accepted(header.expiry, header.sent_at, arrival.at, now),
        links: Links::of(content, own.account()),
    }
}

/// Continues the sending device's count, or says what does not fit.
fn count(
    tx: &Transaction<'_>,
    header: &Header,
    content: &SealedContent,
    binding: Digest,
) -> Result<Option<Warning>> {
    let (conversation, sender) = (header.conversation, header.sender);
    let before = conversations::last_heard(tx, conversation, sender)?;
    conversations::hear(tx, conversation, sender, content.number, binding)?;
    // Where nothing was heard before, the count may begin anywhere: we may have joined later.
    let Some((number, last)) = before else { return Ok(None) };
    Ok(match content.number.checked_sub(number) {
        Some(1) if content.previous == last => None,
        Some(0 | 1) => Some(Warning::DeviceForked { conversation, sender }),
        None => Some(Warning::OutOfOrder { conversation, sender, message: header.message }),
        Some(step) => {
            // What its sender has taken back on the way is not missed.
            let missing = deletions::explain(tx, conversation, sender.account, step - 1)?;
            (missing > 0).then_some(Warning::GapNoticed { conversation, sender, missing })
        }
    })
}

fn rename(
    tx: &Transaction<'_>,
    row: &ConversationRow,
    header: &Header,
    title: &str,
) -> Result<bool> {
    let allowed = row
        .membership
        .role(header.sender.account)
        .is_some_and(|role| row.membership.policy().rename.allows(role));
    let title = Some(title).filter(|title| !title.is_empty());
    Ok(allowed && conversations::set_title(tx, header.conversation, title)?)
}

#[cfg(test)]
mod tests;
