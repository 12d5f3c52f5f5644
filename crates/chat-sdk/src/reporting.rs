//! Reporting messages to whoever runs the relay: shown first, sent if the app says so.
//!
//! ```text
//!  chosen messages ─▶ Transcript: what would be disclosed ─▶ app shows it ─▶ send, or drop
//!                       │ with their edits, and nothing else
//!                       └ one secret for each, which opens that message only
//! ```
//!
//! The relay puts its own copies beside the secrets, so a report holds what somebody's device has
//! sent, and not what the reporter says of it. Whoever gets the report reads it with [`opened`].
//! Normative: `docs/protocol/reports.md`.

mod opened;

use std::fmt;
use std::sync::Arc;

use chat_core::api::reports::{Disclosure, Evidenced, FileReport, ReportFiled, ReportReason};
use chat_core::codec::{Bytes, List};
use chat_core::id::{ConversationId, MessageId, ReportId};
use chat_core::limits::{REPORT_COMMENT_BYTES_MAX, REPORT_MESSAGES_MAX};
use chat_core::time::Timestamp;
use chat_crypto::wrap::MessageSecret;
use rusqlite::Transaction;

pub use self::opened::{Finding, OpenedMessage, OpenedReport, opened};
use crate::content::Content;
use crate::conversation::Conversation;
use crate::devices;
use crate::error::{Kind, Result};
use crate::hub::Hub;
use crate::message::Contact;
use crate::store::messages::{self, MessageRow};
use crate::store::{annotations, disclosures};

/// What a report would disclose. Nothing has left this device until [`Transcript::send`].
pub struct Transcript {
    hub: Arc<Hub>,
    id: ReportId,
    conversation: ConversationId,
    reason: ReportReason,
    comment: Option<String>,
    lines: Vec<Line>,
    secrets: Vec<MessageSecret>,
    missing: Vec<MessageId>,
}

/// A message that a report would disclose.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// Which.
    pub message: MessageId,
    /// Who sent it.
    pub sender: Contact,
    /// When, by the sender's clock.
    pub sent_at: Timestamp,
    /// What it says, all of it: of a file also the key to it, of an answer which message it
    /// answers. An edit stands as a line of its own, after what it has changed.
    pub content: Content,
}

/// A report that the relay has taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Filed {
    /// Under which number the operator finds it.
    pub report: ReportId,
    /// The messages that the relay has put its own copies beside.
    pub verified: Vec<MessageId>,
    /// Those that the relay has erased: it can say who sent something then, and not what.
    pub gone: Vec<MessageId>,
}

impl Conversation {
    /// Prepares a report of messages of this conversation: gives what it would disclose, to be shown
    /// to the reporter. It is sent by [`Transcript::send`] and forgotten when dropped.
    ///
    /// A message goes with the edits of its sender, since what it says now may not be what it said.
    /// Messages whose secret is not here, because they came out of a backup, are left out and
    /// [named](Transcript::missing).
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if one of them is not here, is not at the relay yet, or was deleted, and
    /// if none of them could be disclosed; [`Kind::TooLarge`] for more than
    /// [`REPORT_MESSAGES_MAX`], edits included.
    pub async fn report(
        &self,
        messages: impl IntoIterator<Item = MessageId>,
        reason: ReportReason,
    ) -> Result<Transcript> {
        let mut wanted: Vec<_> = messages.into_iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let conversation = self.id;
        let chosen = move |tx: &Transaction<'_>| Chosen::read(tx, conversation, &wanted);
        let Chosen { lines, secrets, missing } = self.hub.context.store.read(chosen).await?;
        if lines.is_empty() {
            return Err(Kind::NotFound.into());
        }
        let id = ReportId::random(&mut self.hub.context.rng());
        let (hub, comment) = (Arc::clone(&self.hub), None);
        Ok(Transcript { hub, id, conversation, reason, comment, lines, secrets, missing })
    }
}

impl Transcript {
    /// What would be disclosed, in the order of the conversation.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What was chosen and cannot be disclosed.
    #[must_use]
    pub fn missing(&self) -> &[MessageId] {
        &self.missing
    }

    /// The same, with something to say about it, which the operator reads.
    ///
    /// # Errors
    ///
    /// [`Kind::ArgumentInvalid`] beyond [`REPORT_COMMENT_BYTES_MAX`], or with a zero in it.
    pub fn saying(self, words: impl Into<String>) -> Result<Self> {
        let words = words.into();
        if words.len() > REPORT_COMMENT_BYTES_MAX || words.contains('\0') {
            return Err(Kind::ArgumentInvalid.into());
        }
        Ok(Self { comment: Some(words), ..self })
    }

    /// Discloses the messages to whoever runs the relay. May be called again when the answer was
    /// lost: it stays one report.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAMember`], [`Kind::NotFound`], [`Kind::RateLimited`]; [`Kind::NotVerified`] if the
    /// relay holds another message than this device was given, and [`Kind::RelayFault`] if it
    /// answers about others.
    pub async fn send(&self) -> Result<Filed> {
        let disclosed = self.lines.iter().zip(&self.secrets).map(|(line, secret)| {
            let secret = Bytes::new(secret.as_bytes().to_vec())?;
            Ok(Disclosure { message: line.message, secret })
        });
        let report = FileReport {
            report: self.id,
            conversation: self.conversation,
            reason: self.reason,
            comment: self.comment.clone(),
            messages: List::new(disclosed.collect::<Result<_>>()?)?,
        };
        let answer = self.hub.context.relay.file_report(&report).await?;
        self.read(&answer)
    }

    fn read(&self, answer: &ReportFiled) -> Result<Filed> {
        if answer.report != self.id || answer.messages.len() != self.lines.len() {
            return Err(Kind::RelayFault.into());
        }
        let of = |wanted: Evidenced| {
            let standings = self.lines.iter().zip(&answer.messages);
            let these = standings.filter(|(_, standing)| **standing == wanted);
            these.map(|(line, _)| line.message).collect()
        };
        let (verified, gone) = (of(Evidenced::Verified), of(Evidenced::Gone));
        Ok(Filed { report: self.id, verified, gone })
    }
}

/// What was chosen, as far as it can be disclosed.
#[derive(Default)]
struct Chosen {
    lines: Vec<Line>,
    secrets: Vec<MessageSecret>,
    missing: Vec<MessageId>,
}

impl Chosen {
    fn read(
        tx: &Transaction<'_>,
        conversation: ConversationId,
        wanted: &[MessageId],
    ) -> Result<Self> {
        let mut rows: Vec<MessageRow> = Vec::new();
        for id in wanted {
            let row = messages::load(tx, *id)?.filter(|row| is_reportable(row, conversation));
            let row = row.ok_or(Kind::NotFound)?;
            rows.extend(annotations::edits(tx, &row)?);
            rows.push(row);
            if rows.len() > REPORT_MESSAGES_MAX {
                return Err(Kind::TooLarge.into());
            }
        }
        rows.sort_by_key(|row| row.sequence);
        rows.dedup_by_key(|row| row.id);
        let mut chosen = Self::default();
        for row in rows {
            match disclosures::secret(tx, row.id)? {
                Some(secret) => {
                    chosen.lines.push(line(tx, row)?);
                    chosen.secrets.push(secret);
                }
                None => chosen.missing.push(row.id),
            }
        }
        Ok(chosen)
    }
}

fn is_reportable(row: &MessageRow, conversation: ConversationId) -> bool {
    let is_there = row.conversation == conversation && row.sequence.is_some();
    is_there && Content::read(&row.kind, &row.body) != Content::Deleted
}

fn line(tx: &Transaction<'_>, row: MessageRow) -> Result<Line> {
    Ok(Line {
        message: row.id,
        sender: devices::contact(tx, row.sender.account)?,
        sent_at: row.sent_at,
        content: Content::read(&row.kind, &row.body),
    })
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Transcript");
        shown.field("id", &self.id).field("messages", &self.lines.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
