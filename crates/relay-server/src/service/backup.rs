//! The backup of an account's history, which the relay keeps without being able to open it.

use chat_core::api::backup::{BackupHead, PutBackup, SegmentPage};
use chat_core::limits::PAGE_MAX;
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services};
use crate::audit::{AuditEvent, Note};

/// The head of the caller's backup.
///
/// # Errors
///
/// [`RejectCode::NotFound`] if there is none.
pub async fn head(services: &Services, caller: Caller) -> Result<BackupHead, Reject> {
    let found = services.storage.backup_head(caller.address.account).await?;
    Ok(found.ok_or(RejectCode::NotFound)?)
}

/// Segments that it stands for, below `before`, the newest first.
///
/// # Errors
///
/// [`RejectCode::Unavailable`].
pub async fn segments(
    services: &Services,
    caller: Caller,
    before: Option<u64>,
) -> Result<SegmentPage, Reject> {
    let account = caller.address.account;
    Ok(services.storage.backup_segments(account, before, PAGE_MAX).await?)
}

/// Replaces the head by the next one.
///
/// # Errors
///
/// [`RejectCode::Malformed`] for one that cannot follow any; [`RejectCode::Conflict`] if it does not
/// follow the one that is there; [`RejectCode::BlobMissing`].
pub async fn put(services: &Services, caller: Caller, new: &PutBackup) -> Result<(), Reject> {
    let brought = new.segments.len() as u64;
    if new.number == 0 || new.first == 0 || new.last < new.first - 1 || brought > new.last {
        return Err(Reject::from(RejectCode::Malformed)
            .saying("The numbers of the head and its segments do not fit together."));
    }
    services.storage.put_backup(caller.address.account, new, services.now()).await?;
    if new.number == 1 || brought == 0 {
        // Appending is everyday; beginning, shortening and another key are not.
        let note = Note::done(AuditEvent::BackupReplaced).by(caller.address);
        services.audit.note(note.saying(format_args!("number {}", new.number)));
    }
    Ok(())
}
