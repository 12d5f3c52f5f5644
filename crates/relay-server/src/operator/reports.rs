//! What people have reported, as an operator goes through it. Each look at what a report discloses is
//! in the audit log, and so is the end of it.

use chat_core::api::reports::Report;
use chat_core::id::ReportId;
use chat_core::limits::REPORT_COMMENT_BYTES_MAX;

use super::{COMMAND_LINE, OperatorError};
use crate::audit::{AuditEvent, Note};
use crate::clock::{Clock as _, SystemClock};
use crate::service::reports::CLOSED_KEPT_FOR;
use crate::storage::{ReportSummary, Storage, StorageError, Which};

/// Most reports that are listed at once.
const LISTED_MAX: usize = 1_000;

/// The newest reports, the newest first.
///
/// # Errors
///
/// [`OperatorError`].
pub async fn list(
    storage: &dyn Storage,
    which: Which,
) -> Result<Vec<ReportSummary>, OperatorError> {
    Ok(storage.reports(which, LISTED_MAX).await?)
}

/// A report with everything that it discloses.
///
/// # Errors
///
/// [`OperatorError::NoReport`].
pub async fn show(storage: &dyn Storage, report: ReportId) -> Result<Report, OperatorError> {
    let found = storage.report(report).await?.ok_or(OperatorError::NoReport(report))?;
    note(storage, Note::done(AuditEvent::ReportShown).to_subject(report)).await?;
    Ok(found)
}

/// Is done with a report; what else there is to say about that is cut off where a comment would be.
///
/// # Errors
///
/// [`OperatorError::NoReport`].
pub async fn close(
    storage: &dyn Storage,
    report: ReportId,
    words: Option<&str>,
) -> Result<(), OperatorError> {
    let words = words.map(|words| {
        words.get(..words.floor_char_boundary(REPORT_COMMENT_BYTES_MAX)).unwrap_or_default()
    });
    let now = SystemClock.now();
    let closed = storage.close_report(report, words, now.after(CLOSED_KEPT_FOR), now).await;
    match closed {
        Err(StorageError::NotFound) => return Err(OperatorError::NoReport(report)),
        outcome => outcome?,
    }
    note(storage, Note::done(AuditEvent::ReportClosed).to_subject(report)).await
}

async fn note(storage: &dyn Storage, note: Note) -> Result<(), OperatorError> {
    let record = note.record(SystemClock.now(), COMMAND_LINE);
    Ok(storage.append_audit(&[record]).await?)
}
