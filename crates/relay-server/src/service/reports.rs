//! Reports: the reporter brings secrets, the relay its own copies of the messages.
//!
//! ```text
//!  could the caller read it? ─▶ is it still here? ─▶ is this its secret? ─▶ kept, until closed and a while
//! ```
//!
//! Evidence is what this relay accepted from a device that had shown who it was. So nobody can put
//! words into somebody's mouth, and what a report does not name stays as closed as it was.

use std::collections::BTreeSet;
use std::time::Duration;

use chat_core::api::reports::{
    Disclosure, Evidence, Evidenced, FileReport, Report, ReportFiled, ReportedMessage,
};
use chat_core::codec::List;
use chat_core::limits::REPORT_COMMENT_BYTES_MAX;
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services};
use crate::audit::{AuditEvent, Note};
use crate::limits::{Class, Subject};
use crate::policy::disclosure::opens;
use crate::storage::{NewReport, Reportable};

/// How long a report is kept that nobody closes.
pub const KEPT_FOR: Duration = Duration::from_secs(180 * 24 * 3600);
/// How long one is kept that somebody has closed.
pub const CLOSED_KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most reports of one account that are kept.
const REPORTS_AN_ACCOUNT_MAX: u64 = 100;

/// Takes a report. The same again is answered as the first time.
///
/// # Errors
///
/// [`RejectCode::NotAMember`] for who could never read the conversation; [`RejectCode::NotFound`] if it
/// has no such message that the caller could read; [`RejectCode::NotVerified`] if a secret is not the
/// message's; [`RejectCode::Malformed`], [`RejectCode::TooLarge`], [`RejectCode::RateLimited`];
/// [`RejectCode::QuotaExceeded`] for an account with too many reports that are kept.
pub async fn file(
    services: &Services,
    caller: Caller,
    filed: FileReport,
) -> Result<ReportFiled, Reject> {
    check(&filed)?;
    let account = caller.address.account;
    services.take(Class::Report, Subject::Account(account)).await?;
    if let Some(kept) = services.storage.report(filed.report).await?
        && kept.reporter.account == account
    {
        return Ok(answer(&kept));
    }
    let now = services.now();
    let ids: Vec<_> = filed.messages.iter().map(|disclosure| disclosure.message).collect();
    let found = services.storage.reportable(filed.conversation, account, &ids, now).await?;
    let found = found.ok_or(RejectCode::NotAMember)?;
    let pairs = filed.messages.into_iter().zip(found);
    let messages = pairs.map(|(it, found)| reported(it, found)).collect::<Result<_, Reject>>()?;
    let report = Report {
        report: filed.report,
        conversation: filed.conversation,
        reporter: caller.address,
        reason: filed.reason,
        comment: filed.comment,
        filed_at: now,
        closed_at: None,
        note: None,
        // INVARIANT: as many as were asked about.
        messages: List::new(messages).map_err(|_| RejectCode::Internal)?,
    };
    let expires_at = now.after(KEPT_FOR);
    let new = NewReport { report, expires_at, reports_max: REPORTS_AN_ACCOUNT_MAX };
    let kept = services.storage.file_report(&new).await?;
    services.metrics.reports.add(1);
    let note = Note::done(AuditEvent::ReportFiled).by(caller.address).to_subject(kept.report);
    let count = kept.messages.len();
    services.audit.note(note.saying(format_args!("{}, {count} messages", kept.reason.name())));
    Ok(answer(&kept))
}

/// What can be seen to be wrong without looking anything up.
fn check(filed: &FileReport) -> Result<(), Reject> {
    let said = |code: RejectCode, words: &str| Reject::from(code).saying(words);
    if filed.comment.as_ref().is_some_and(|words| words.len() > REPORT_COMMENT_BYTES_MAX) {
        return Err(said(RejectCode::TooLarge, "The comment is too long."));
    }
    if filed.comment.as_ref().is_some_and(|words| words.contains('\0')) {
        return Err(said(RejectCode::Malformed, "The comment is no text."));
    }
    let distinct: BTreeSet<_> = filed.messages.iter().map(|it| it.message).collect();
    if filed.messages.is_empty() || distinct.len() != filed.messages.len() {
        let words = "A report names at least one message, and each once.";
        return Err(said(RejectCode::Malformed, words));
    }
    if filed.messages.iter().any(|it| it.secret.len() != 32) {
        return Err(said(RejectCode::Malformed, "A message's secret has thirty-two bytes."));
    }
    Ok(())
}

/// A message with the evidence that there is.
fn reported(disclosed: Disclosure, found: Option<Reportable>) -> Result<ReportedMessage, Reject> {
    let Disclosure { message, secret } = disclosed;
    let Reportable { sequence, sender, accepted_at, envelope } =
        found.ok_or(RejectCode::NotFound)?;
    let evidence = match envelope {
        // SECURITY: without its message a secret shows nothing, so it is not kept either.
        None => None,
        Some(envelope) if opens(&envelope, &secret) => Some(Evidence {
            header: envelope.header,
            commitment: envelope.commitment,
            payload: envelope.payload,
            secret,
        }),
        Some(_) => {
            let words = "What is disclosed does not open the message that this relay accepted.";
            return Err(Reject::from(RejectCode::NotVerified).saying(words));
        }
    };
    Ok(ReportedMessage { message, sequence, sender, accepted_at, evidence })
}

fn answer(kept: &Report) -> ReportFiled {
    let stands = |message: &ReportedMessage| match message.evidence {
        Some(_) => Evidenced::Verified,
        None => Evidenced::Gone,
    };
    // INVARIANT: as many as there were.
    let messages = List::new(kept.messages.iter().map(stands).collect()).unwrap_or_default();
    ReportFiled { report: kept.report, messages }
}
