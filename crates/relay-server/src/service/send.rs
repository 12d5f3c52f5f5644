//! Sending: every check that the relay can make on what it cannot read, then the writer.

use std::sync::Arc;

use chat_core::codec::Digest;
use chat_core::envelope::{Envelope, Header};
use chat_core::id::BlobId;
use chat_core::limits::EXPIRY_MAX;
use chat_core::reject::{Reject, RejectCode};
use tokio::sync::oneshot;

use super::{Caller, Services, retention};
use crate::directory::KnownConversation;
use crate::failpoint::{Point, may_fail};
use crate::limits::{Class, Subject};
use crate::policy;
use crate::storage::{AppendError, Appended, NewMessage};
use crate::writer::{Job, size};

/// A message that waits for its commit.
#[derive(Debug)]
pub struct Queued {
    answer: oneshot::Receiver<Result<Appended, Reject>>,
    unless_resent: Option<Reject>,
}

impl Queued {
    /// Waits until the message is durable.
    ///
    /// # Errors
    ///
    /// What [`send`] found wrong with the message, unless it was accepted before;
    /// [`RejectCode::StaleMembership`], [`RejectCode::AlreadyExists`] for another sender's message
    /// id, [`RejectCode::Unavailable`], [`RejectCode::StorageFull`].
    pub async fn accepted(self) -> Result<Appended, Reject> {
        let answer = self.answer.await.unwrap_or_else(|_| Err(RejectCode::Unavailable.into()));
        match (answer, self.unless_resent) {
            (Err(reject), Some(_)) if reject.code.is_transient() => Err(reject),
            (Err(_), Some(refusal)) => Err(refusal),
            (answer, _) => answer,
        }
    }
}

/// Checks a message that names `blobs` and hands it to its conversation's writer; waits while the writer's queue is
/// full, so that a sender who is too fast feels it.
///
/// A message that was accepted before gets the answer of the first time, whatever has changed
/// since: one that fails a check goes to the writer all the same, under a head that no conversation
/// has, so that it is found there or refused.
///
/// # Errors
///
/// [`RejectCode::RateLimited`], [`RejectCode::Malformed`], [`RejectCode::Forbidden`],
/// [`RejectCode::QuotaExceeded`], [`RejectCode::NotAMember`] for a conversation there is not.
pub async fn send(
    services: &Services,
    caller: Caller,
    envelope: Envelope,
    blobs: Vec<BlobId>,
) -> Result<Queued, Reject> {
    let subject = Subject::Account(caller.address.account);
    services.take(Class::Message, subject).await?;
    let mut header = read_header(&envelope, caller)?;
    let known = current(services, &header).await?;
    let devices = services.directory.devices(&known.recipients).await?;
    let checked = policy::check(&known.membership, caller.address, &header, &envelope, &devices);
    let (workspace, sender) = (known.membership.workspace(), caller.address.account);
    let bytes = u64::try_from(size(&envelope)).unwrap_or(u64::MAX);
    let checked = match checked {
        Ok(()) => retention::check(services, workspace, sender, bytes).await,
        refused => refused,
    };
    if checked.is_err() {
        header.membership_index = u64::MAX;
        header.membership_head = Digest::ZERO;
    }
    let (answer, waiting) = oneshot::channel();
    let message = NewMessage { header, envelope, blobs };
    let recipients = Arc::clone(&known.recipients);
    let job = Job { message, workspace, recipients, answer };
    may_fail(Point::Checked)?;
    services.writers.submit(job).await?;
    Ok(Queued { answer: waiting, unless_resent: checked.err() })
}

fn read_header(envelope: &Envelope, caller: Caller) -> Result<Header, Reject> {
    let header = envelope.read_header().map_err(|error| {
        Reject::from(RejectCode::Malformed)
            .saying(format!("The header of the message cannot be read: {error}."))
    })?;
    if header.sender != caller.address {
        return Err(Reject::from(RejectCode::Forbidden)
            .saying("The message names another device as its sender."));
    }
    let longest = u64::try_from(EXPIRY_MAX.as_millis()).unwrap_or(u64::MAX);
    if header.expiry.is_some_and(|expiry| expiry.after_ms > longest) {
        return Err(Reject::from(RejectCode::TooLarge)
            .saying("The message's timer is longer than the longest allowed."));
    }
    Ok(header)
}

/// The conversation as it is, read anew when the header knows another head than we remember.
async fn current(services: &Services, header: &Header) -> Result<Arc<KnownConversation>, Reject> {
    let directory = &services.directory;
    let id = header.conversation;
    match directory.conversation(id).await? {
        Some(known) if policy::names_head(&known.membership, header) => Ok(known),
        _ => {
            directory.forget_conversation(id);
            Ok(directory.conversation(id).await?.ok_or(RejectCode::NotAMember)?)
        }
    }
}

impl From<AppendError> for Reject {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::NotFound => RejectCode::NotAMember.into(),
            AppendError::BlobMissing => RejectCode::BlobMissing.into(),
            AppendError::StaleMembership => RejectCode::StaleMembership.into(),
            AppendError::Conflict => Self::from(RejectCode::AlreadyExists)
                .saying("Another device has sent a message of this id."),
        }
    }
}
