//! Saying something later.
//!
//! ```text
//!  schedule ─▶ store ── its time comes, by the clock ──▶ outbox ─▶ as if it were said then
//!                 ▲              │ no longer allowed
//!                 └─ reschedule ─┴──▶ kept, with why
//! ```
//!
//! It waits on this device, and only this one sends it: at its time, or when the app next runs
//! after that. The relay knows nothing of it before. Its time of sending is the moment it left.

use chat_core::id::MessageId;
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use crate::content::Content;
use crate::conversation::{Conversation, queue_in};
use crate::error::{Kind, Result};
use crate::event::Event;
use crate::hub::Hub;
use crate::message::{Draft, Status, Timer};
use crate::store::conversations;
use crate::store::scheduled::{self, ScheduledRow};

/// Most messages that wait for their time in one conversation.
pub const SCHEDULED_MAX: usize = 200;

/// Something that is to be said later.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Scheduled {
    /// The message's id, the same once it is said.
    pub id: MessageId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub content: Content,
    /// Its timer, which runs from when it is said.
    pub timer: Option<Timer>,
    /// Why it could not be said when its time came, as a stable code, if it could not.
    pub failure: Option<String>,
}

impl Conversation {
    /// Says something at a later time, also if the app is closed and opened again until then. What
    /// the rules allow is asked when the time comes.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`], [`Kind::TooLarge`] also beyond [`SCHEDULED_MAX`],
    /// [`Kind::ArgumentInvalid`] for a timer beyond its limits, [`Kind::StoreFull`].
    pub async fn schedule(&self, draft: Draft, at: Timestamp) -> Result<MessageId> {
        let message = MessageId::random(&mut self.hub.context.rng());
        let row = ScheduledRow {
            message,
            conversation: self.id,
            at,
            kind: draft.content.kind().to_owned(),
            body: draft.content.to_body()?,
            expiry: draft.timer.map(Timer::to_expiry).transpose()?,
            compression: draft.compression,
            failure: None,
        };
        let insert = move |tx: &Transaction<'_>| {
            conversations::load(tx, row.conversation)?.ok_or(Kind::NotFound)?;
            if scheduled::of(tx, row.conversation)?.len() >= SCHEDULED_MAX {
                return Err(Kind::TooLarge.into());
            }
            scheduled::insert(tx, &row)
        };
        self.hub.context.store.write(insert).await?;
        self.hub.reschedule();
        Ok(message)
    }

    /// What is to be said here, the earliest first.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn scheduled(&self) -> Result<Vec<Scheduled>> {
        let id = self.id;
        let rows = self.hub.context.store.read(move |tx| scheduled::of(tx, id)).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Moves something that was not said yet, or could not be, to another time; tells whether there
    /// is such a thing.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn reschedule(&self, message: MessageId, at: Timestamp) -> Result<bool> {
        let id = self.id;
        let again = move |tx: &Transaction<'_>| scheduled::reschedule(tx, id, message, at);
        let was_there = self.hub.context.store.write(again).await?;
        self.hub.reschedule();
        Ok(was_there)
    }

    /// Takes back what was not said yet; tells whether there was such a thing.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn unschedule(&self, message: MessageId) -> Result<bool> {
        let id = self.id;
        self.hub.context.store.write(move |tx| scheduled::remove(tx, id, message)).await
    }
}

impl From<ScheduledRow> for Scheduled {
    fn from(row: ScheduledRow) -> Self {
        Self {
            id: row.message,
            at: row.at,
            content: Content::read(&row.kind, &row.body),
            timer: row.expiry.map(Into::into),
            failure: row.failure,
        }
    }
}

/// Says everything whose time has come.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub(crate) async fn release(hub: &Hub) -> Result<()> {
    loop {
        let now = hub.now();
        let due = hub.context.store.read(move |tx| scheduled::due(tx, now)).await?;
        let Some(due) = due else {
            hub.reschedule();
            return Ok(());
        };
        let (conversation, message) = (due.conversation, due.message);
        let status = match say(hub, due).await {
            Ok(()) => Status::Queued,
            Err(error) if is_about_this_message(error.kind()) => {
                let code = error.code();
                hub.context.store.write(move |tx| scheduled::fail(tx, message, code)).await?;
                Status::Failed
            }
            Err(error) => return Err(error),
        };
        hub.emit(Event::Status { conversation, message, status });
        hub.reschedule();
    }
}

/// From one table to the other, in one transaction: it is said once, whatever happens.
async fn say(hub: &Hub, due: ScheduledRow) -> Result<()> {
    let (own, now) = (hub.context.own.clone(), hub.now());
    let before = MessageId::random(&mut hub.context.rng());
    let say = move |tx: &Transaction<'_>| {
        if !scheduled::remove(tx, due.conversation, due.message)? {
            return Ok(());
        }
        let draft = Draft {
            content: Content::read(&due.kind, &due.body),
            timer: due.expiry.map(Into::into),
            compression: due.compression,
        };
        queue_in(tx, &own, due.conversation, due.message, before, &draft, now)
    };
    hub.context.store.write(say).await
}

fn is_about_this_message(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::NotAMember
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::TooLarge
            | Kind::ArgumentInvalid
    )
}
