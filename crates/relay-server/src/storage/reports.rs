//! What storage keeps of reports: the relay's own copies of messages, and what opens them.

use async_trait::async_trait;
use chat_core::api::reports::{Report, ReportReason};
use chat_core::envelope::Envelope;
use chat_core::id::{AccountId, ConversationId, DeviceAddress, MessageId, ReportId};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use serde::Serialize;

use super::StorageError;

/// A message that somebody could read, as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reportable {
    /// Its place.
    pub sequence: Sequence,
    /// From which device it was accepted.
    pub sender: DeviceAddress,
    /// When.
    pub accepted_at: Timestamp,
    /// The message without wraps; absent when it is gone.
    pub envelope: Option<Envelope>,
}

/// A report that is to be kept.
#[derive(Clone, Debug)]
pub struct NewReport {
    /// What is kept; neither closed nor noted upon.
    pub report: Report,
    /// Until when, at most.
    pub expires_at: Timestamp,
    /// How many of its reporter's there may be, this one included.
    pub reports_max: u64,
}

/// A report in a list: nothing of what it discloses.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ReportSummary {
    /// Which.
    pub report: ReportId,
    /// Who filed it.
    pub reporter: DeviceAddress,
    /// Where its messages belong.
    pub conversation: ConversationId,
    /// Why.
    pub reason: ReportReason,
    /// How many messages it is about.
    pub messages: u64,
    /// When.
    pub filed_at: Timestamp,
    /// When an operator was done with it.
    pub closed_at: Option<Timestamp>,
}

/// The verbs of reports.
#[async_trait]
pub trait ReportStorage: Send + Sync {
    /// What there is of `messages`, in their order: only those that `reader` could read while it
    /// was a member, and nothing at all for who never was one.
    ///
    /// # Errors
    ///
    /// [`StorageError::Unavailable`], as below.
    async fn reportable(
        &self,
        conversation: ConversationId,
        reader: AccountId,
        messages: &[MessageId],
        now: Timestamp,
    ) -> Result<Option<Vec<Option<Reportable>>>, StorageError>;

    /// Keeps a report; the same again changes nothing. Gives what is kept.
    ///
    /// # Errors
    ///
    /// [`StorageError::AlreadyExists`] for another reporter's id; [`StorageError::QuotaExceeded`] for
    /// a report more than there may be.
    async fn file_report(&self, new: &NewReport) -> Result<Report, StorageError>;

    /// A report with everything that it discloses.
    async fn report(&self, report: ReportId) -> Result<Option<Report>, StorageError>;

    /// The newest `limit` reports, or those of them that nobody has closed; the newest first.
    async fn reports(&self, which: Which, limit: usize)
    -> Result<Vec<ReportSummary>, StorageError>;

    /// Notes that an operator is done with a report, which is then kept until `expires_at` and no
    /// longer. One that is closed keeps its first note.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`].
    async fn close_report(
        &self,
        report: ReportId,
        note: Option<&str>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StorageError>;
}

/// Which reports are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    /// Those that nobody has closed.
    Open,
    /// All that are kept.
    All,
}
