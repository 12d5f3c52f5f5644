//! Rewrapping: what was said before somebody came, wrapped for them by a member who can read it.
//!
//! ```text
//!  entry: we add somebody ────▶ our turn ─┐    ┌─ page of the log, the newest first ◀─┐
//!  entry: somebody joins ▶ anybody's turn ┴─due▶  our wraps opened, secrets wrapped   │
//!                                ▲             └▶ relay ─▶ further back? ─────yes─────┘
//!        an admin was faster ────┘                              └─no─▶ "history given", sealed
//! ```
//!
//! Where the rules let members read from the beginning, and wraps are for accounts. Content is not
//! sent again: header, payload and signature stay what their sender has sealed, and who comes later
//! checks them as everybody else did; whoever wraps them again can withhold, and invent nothing.
//! What vanishes by itself is not given: it was meant for those who were there. One step is a page
//! and a transaction, so a device that is switched off goes on where it was.
//! Normative: `docs/protocol/envelope.md` §8.

mod begin;
mod pages;

use std::time::Duration;

use chat_core::envelope::WrapScheme;
use chat_core::id::MessageId;
use chat_core::time::Timestamp;
use rusqlite::Transaction;

pub(crate) use self::begin::note;
use self::pages::{Page, end_of, page_before};
use crate::content::Content;
use crate::devices;
use crate::error::{Error, Kind, Result};
use crate::hub::Hub;
use crate::learning::learn;
use crate::message::Draft;
use crate::outbox;
use crate::recipients::{self, AccountRecipient};
use crate::store::conversations;
use crate::store::rewraps::{self, Rewrap, Turn};

/// How long somebody else, who was found at it, has to finish.
const OTHERS_FINISH_WITHIN: Duration = Duration::from_secs(10 * 60);
/// How long to wait after what may pass, where the relay does not say.
const TRIES_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How long to wait for room: what is given counts towards the giver's quota.
const LOOKS_FOR_ROOM_AFTER: Duration = Duration::from_secs(3600);

/// Wraps what is due for all who came later; gives when there is more to do.
///
/// # Errors
///
/// The store's, and what concerns the whole client. What a relay refuses ends that one; what may
/// pass postpones it.
pub(crate) async fn work(hub: &Hub) -> Result<Option<Timestamp>> {
    while let Some(next) = hub.context.store.read(rewraps::next).await? {
        if next.due_at > hub.now() {
            return Ok(Some(next.due_at));
        }
        match step(hub, next).await {
            Ok(()) => {}
            Err(error) if crate::sync::is_about_us(error.kind()) => return Err(error),
            Err(error) => put_off(hub, next, &error).await?,
        }
    }
    Ok(None)
}

async fn put_off(hub: &Hub, rewrap: Rewrap, error: &Error) -> Result<()> {
    tracing::debug!(code = error.code(), "the past was not wrapped for somebody");
    let pause = match error.kind() {
        Kind::QuotaExceeded => LOOKS_FOR_ROOM_AFTER,
        _ if error.is_transient() => error.retry_after().unwrap_or(TRIES_AGAIN_AFTER),
        _ => return settle(hub, rewrap, After::Done, false).await,
    };
    let due_at = hub.now().after(pause);
    settle(hub, rewrap, After::More(Rewrap { due_at, ..rewrap }), false).await
}

/// Wraps one page.
async fn step(hub: &Hub, rewrap: Rewrap) -> Result<()> {
    let Some((scheme, to)) = recipient(hub, &rewrap).await? else {
        return settle(hub, rewrap, After::Done, false).await;
    };
    let (conversation, begins) = (rewrap.conversation, rewrap.done_from.is_none());
    let before = match (rewrap.turn, rewrap.done_from) {
        (_, Some(done_from)) => done_from,
        // Whoever works backwards reaches the first page last.
        (Turn::Others, None) => pages::FIRST_END,
        (_, None) => end_of(hub, conversation).await?,
    };
    let Page { wraps, begins_at } = page_before(hub, conversation, before, scheme, to).await?;
    let is_offered = !wraps.is_empty();
    let is_news = is_offered && hub.context.relay.add_wraps(conversation, wraps).await? > 0;
    let others_were_here = begins && is_offered && !is_news;
    let after = match rewrap.turn {
        Turn::Others if others_were_here => After::Done,
        Turn::Others if begins => After::More(Rewrap { turn: Turn::Ours, ..rewrap }),
        Turn::Anybodys if others_were_here => {
            let due_at = hub.now().after(OTHERS_FINISH_WITHIN);
            After::More(Rewrap { turn: Turn::Others, due_at, ..rewrap })
        }
        _ if begins_at > 1 => After::More(Rewrap { done_from: Some(begins_at), ..rewrap }),
        _ => After::Done,
    };
    // What was said last is what is looked at first: so they are told of it, and of the end.
    let is_told = is_news && (begins || matches!(after, After::Done));
    settle(hub, rewrap, after, is_told).await
}

/// For whom to wrap, and how; nothing if they may not be given the past any more, or not by us.
async fn recipient(hub: &Hub, rewrap: &Rewrap) -> Result<Option<(WrapScheme, AccountRecipient)>> {
    let Rewrap { conversation, account, .. } = *rewrap;
    for _ in 0..2 {
        let own = hub.context.own.clone();
        let find = move |tx: &Transaction<'_>| {
            let Some(row) = conversations::load(tx, conversation)? else { return Ok(None) };
            let membership = &row.membership;
            let is_theirs = membership.may_give_history(own.account())
                && membership.role(account).is_some()
                && !devices::is_deleted(tx, account)?;
            let scheme = membership.policy().scheme;
            let found = || recipients::account(tx, &own, account);
            if is_theirs { Ok(Some((scheme, found()?))) } else { Ok(None) }
        };
        match hub.context.store.read(find).await? {
            None => return Ok(None),
            Some((scheme, Some(to))) => return Ok(Some((scheme, to))),
            Some((_, None)) => learn(hub, account).await?,
        }
    }
    Err(Kind::NoDevices.into())
}

/// What a step leads to.
enum After {
    /// It goes on so.
    More(Rewrap),
    /// There is no more to do.
    Done,
}

/// Keeps what a step has led to and, if they are to be told, says to them that there is more to read:
/// both, or neither. Where we may not say anything nothing is lost, since whoever looks for what was
/// before asks the relay again.
async fn settle(hub: &Hub, rewrap: Rewrap, after: After, is_told: bool) -> Result<()> {
    let Rewrap { conversation, account, .. } = rewrap;
    let (own, now) = (hub.context.own.clone(), hub.now());
    let message = MessageId::random(&mut hub.context.rng());
    let write = move |tx: &Transaction<'_>| {
        match after {
            After::More(next) => rewraps::update(tx, &next)?,
            After::Done => rewraps::forget(tx, conversation, account)?,
        }
        if !is_told {
            return Ok(());
        }
        let draft = Draft::of(Content::HistoryGiven(account));
        match outbox::queue(tx, &own, conversation, message, &draft, now) {
            Err(error) if matches!(error.kind(), Kind::Forbidden | Kind::NotAMember) => Ok(()),
            outcome => outcome.map(drop),
        }
    };
    hub.context.store.write(write).await?;
    hub.nudge.notify_one();
    Ok(())
}
