//! The outbox: what becomes of a message of ours between `send` and the relay's answer.
//!
//! ```text
//!  queue ─▶ [sealing] ─▶ sent over and over ─▶ accept          sequence, status sent
//!              ▲                  ├─▶ stale ─▶ seal again      same id, new bytes
//!              └──────────────────┤
//!                                 ├─▶ postpone                 later, the same bytes
//!                                 └─▶ refuse                   status failed
//! ```
//!
//! Each verb is one step of one transaction and may be repeated: an answer that comes twice, or
//! comes by a delivery of our own message, changes nothing the second time.

use std::time::Duration;

use chat_core::id::{ConversationId, MessageId};
use chat_core::membership::{ConversationKind, Membership, Role};
use chat_core::receipt::Sequence;
use chat_core::reject::{Reject, RejectCode};
use chat_core::time::Timestamp;
use chat_crypto::sender_chain::HAND_OUT;
use rusqlite::Transaction;

use crate::content::Content;
use crate::context::Own;
use crate::error::{Kind, Result, retry_after};
use crate::message::{Compression, Draft, Message, Status};
use crate::recipients;
use crate::store::conversations::{self, Standing};
use crate::store::history::{self, Gap};
use crate::store::messages::{self, Links, MessageRow};
use crate::store::tombstones::{self, Gone};
use crate::store::{annotations, chains, cursors, outbox, profiles, progress};
use crate::{deleting, expiry, settings};

/// How often a message is sealed anew before it counts as refused: somebody would have to change
/// the membership as often between two attempts, or the relay lies.
const RESEALS_MAX: u32 = 20;
/// The first pause after a refusal that may pass; doubled with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Messages that got further, and how far.
pub(crate) type Progress = Vec<(MessageId, Status)>;

/// Puts a message into the conversation and into the outbox.
///
/// # Errors
///
/// [`Kind::NotAMember`], [`Kind::Forbidden`], [`Kind::TooLarge`], [`Kind::ArgumentInvalid`];
/// [`Kind::NoDevices`] in a direct conversation whose other one is gone.
pub(crate) fn queue(
    tx: &Transaction<'_>,
    own: &Own,
    conversation: ConversationId,
    id: MessageId,
    draft: &Draft,
    now: Timestamp,
) -> Result<MessageRow> {
    let message = place(tx, own, conversation, id, draft, now)?;
    outbox::push(tx, id, conversation, draft.compression)?;
    Ok(message)
}

/// Puts a message into the conversation, to be shown here; into the outbox it comes later.
///
/// # Errors
///
/// As [`queue`].
pub(crate) fn place(
    tx: &Transaction<'_>,
    own: &Own,
    conversation: ConversationId,
    id: MessageId,
    draft: &Draft,
    now: Timestamp,
) -> Result<MessageRow> {
    let row = conversations::load(tx, conversation)?.ok_or(Kind::NotAMember)?;
    let membership = &row.membership;
    let role = membership.role(own.account()).ok_or(Kind::NotAMember)?;
    if row.standing == Standing::Former {
        return Err(Kind::NotAMember.into());
    }
    if recipients::is_alone(tx, own, membership)? {
        return Err(Kind::NoDevices.into());
    }
    let is_forged =
        matches!(&draft.content, Content::Unknown { kind, .. } if Content::is_ours(kind));
    if draft.content.kind() == HAND_OUT || is_forged {
        return Err(Kind::ArgumentInvalid.into());
    }
    let target = annotations::target(tx, membership, own.account(), &draft.content)?;
    may_say(own, &row.membership, role, &draft.content, target.as_ref())?;
    let chosen = draft.timer.map(|timer| timer.to_expiry()).transpose()?;
    let expiry = match (&draft.content, &target) {
        // A name is not a message to look at, so it does not vanish either.
        (Content::Title(_), _) => None,
        // What is said about a message does not outlive it at the relay.
        (_, Some(target)) => target.expiry,
        (content, _) if content.is_aside() => None,
        _ => chosen.or(settings::timer(tx, conversation)?).or(membership.policy().timer),
    };
    let message = MessageRow {
        id,
        conversation,
        sender: own.address,
        outgoing: true,
        number: None,
        previous: None,
        named_index: None,
        sequence: None,
        sent_at: now,
        received_at: None,
        kind: draft.content.kind().to_owned(),
        body: draft.content.to_body()?,
        suite: chat_core::envelope::Suite::Deniable,
        status: Status::Queued,
        failure: None,
        expiry,
        deadline: None,
        links: Links::of(&draft.content, own.account()),
    };
    messages::insert(tx, &message)?;
    if draft.content.is_aside() {
        if matches!(draft.content, Content::Details(_)) {
            profiles::keep_details(tx, conversation, &message.body)?;
        }
        return Ok(message);
    }
    conversations::touch(tx, conversation, now)?;
    match &draft.content {
        Content::Title(title) => {
            let title = Some(&**title).filter(|title| !title.is_empty());
            conversations::set_title(tx, conversation, title)?;
        }
        Content::Delete(of) => {
            annotations::erase(tx, *of, now)?;
            deleting::queue(tx, own, conversation, *of, now)?;
        }
        _ => {}
    }
    Ok(message)
}

/// What the conversation's rules and the message that is spoken of allow.
fn may_say(
    own: &Own,
    membership: &Membership,
    role: Role,
    content: &Content,
    target: Option<&MessageRow>,
) -> Result<()> {
    let renames = matches!(content, Content::Title(_) | Content::Details(_));
    // SECURITY: a device that was removed has the envelope keys, and must not get the new lock.
    let is_lock = matches!(content, Content::KeyringLock(_));
    if is_lock && !membership.policy().scheme.is_per_device() {
        return Err(Kind::Forbidden.into());
    }
    let is_direct = membership.kind() == ConversationKind::Direct;
    let may_rename = !is_direct && membership.policy().rename.allows(role);
    if !membership.may_post(own.account()) || (renames && !may_rename) {
        return Err(Kind::Forbidden.into());
    }
    if content.target().is_some() && target.is_none() {
        return Err(Kind::NotFound.into());
    }
    Ok(())
}

/// Takes back a message of ours that was not sealed yet; tells whether that was possible.
pub(crate) fn cancel(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    id: MessageId,
    now: Timestamp,
) -> Result<bool> {
    Ok(outbox::is_unsealed(tx, conversation, id)?
        && tombstones::bury(tx, conversation, id, None, Gone::Deleted, now)?)
}

/// Gives a text of ours other words that was not sealed yet; gives what it shows then, if that was
/// possible.
pub(crate) fn rewrite(
    tx: &Transaction<'_>,
    own: &Own,
    conversation: ConversationId,
    id: MessageId,
    words: String,
) -> Result<Option<Message>> {
    if !outbox::is_unsealed(tx, conversation, id)? {
        return Ok(None);
    }
    let Some(row) = messages::load(tx, id)? else { return Ok(None) };
    let Content::Text(mut text) = Content::read(&row.kind, &row.body) else { return Ok(None) };
    text.text = words;
    text.mentions.clear();
    let content = Content::Text(text);
    outbox::rewrite(tx, id, &content.to_body()?, Links::of(&content, own.account()))?;
    messages::load(tx, id)?.map(|row| Message::from_row(tx, row)).transpose()
}

/// Puts a message of ours into the outbox again that has failed.
pub(crate) fn retry(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    id: MessageId,
    now: Timestamp,
) -> Result<()> {
    let has_failed = messages::load(tx, id)?
        .is_some_and(|row| row.conversation == conversation && row.status == Status::Failed);
    if !has_failed {
        return Err(Kind::NotFound.into());
    }
    outbox::requeue(tx, id, now)?;
    outbox::push(tx, id, conversation, Compression::Never)
}

/// Takes back a message of ours that never was in the outbox.
pub(crate) fn take_back(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    id: MessageId,
    now: Timestamp,
) -> Result<bool> {
    tombstones::bury(tx, conversation, id, None, Gone::Deleted, now)
}

/// Notes that the relay has a message of ours, at this place.
pub(crate) fn accept(
    tx: &Transaction<'_>,
    own: &Own,
    id: MessageId,
    sequence: Sequence,
    at: Timestamp,
    now: Timestamp,
) -> Result<Progress> {
    if let Some(conversation) = chains::conversation_of(tx, id)? {
        chains::handed_out(tx, conversation)?;
        pass(tx, conversation, sequence)?;
        return Ok(Progress::new());
    }
    outbox::remove(tx, id)?;
    let Some(message) = messages::load(tx, id)? else { return Ok(Progress::new()) };
    if message.sequence.is_some() {
        return Ok(Progress::new());
    }
    let deadline = expiry::deadline_once_accepted(message.expiry, message.sent_at, at, now);
    messages::accepted(tx, id, sequence, at, deadline)?;
    let conversation = message.conversation;
    pass(tx, conversation, sequence)?;
    if Content::read(&message.kind, &message.body).is_aside() {
        tombstones::bury(tx, conversation, id, Some(sequence), Gone::Applied, now)?;
        return Ok(Progress::new());
    }
    let mut progress = vec![(id, Status::Sent)];
    // A receipt may have been faster than the answer.
    progress.extend(progress::raise(tx, conversation, sequence..=sequence, own.account(), now)?);
    Ok(progress)
}

/// Moves the cursor past a message of ours, if it is there already: what stands in between is
/// somebody else's and still to come.
fn pass(tx: &Transaction<'_>, conversation: ConversationId, sequence: Sequence) -> Result<()> {
    if cursors::applied(tx, conversation)?.checked_add(1) == Some(sequence) {
        cursors::advance(tx, conversation, sequence)?;
    }
    history::hold(tx, conversation, Gap { first: sequence, last: sequence })
}

/// The message that waits for this one: itself, or the oldest if this one hands our chain out.
pub(crate) fn waiting_for(tx: &Transaction<'_>, id: MessageId) -> Result<MessageId> {
    let Some(conversation) = chains::conversation_of(tx, id)? else { return Ok(id) };
    Ok(outbox::oldest(tx, conversation)?.map_or(id, |oldest| oldest.message))
}

/// What is to be done before the next attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Remedy {
    /// The membership log is to be fetched.
    CatchUp,
    /// The named accounts' device lists are to be fetched; all members' if none is named.
    FetchLists,
    /// Nothing but waiting, this long.
    Wait(Duration),
    /// Nothing helps; the message has failed.
    GiveUp,
}

/// Notes that the relay did not take a message of ours.
pub(crate) fn rejected(tx: &Transaction<'_>, id: MessageId, reject: &Reject) -> Result<Remedy> {
    let Some(message) = messages::load(tx, id)? else { return Ok(Remedy::Wait(Duration::ZERO)) };
    let oldest = outbox::oldest(tx, message.conversation)?.filter(|oldest| oldest.message == id);
    let (attempts, reseals) = oldest.map_or((0, 0), |oldest| (oldest.attempts, oldest.reseals));
    let remedy = match reject.code {
        RejectCode::StaleMembership if reseals < RESEALS_MAX => Remedy::CatchUp,
        RejectCode::StaleDevices if reseals < RESEALS_MAX => Remedy::FetchLists,
        code if code.is_transient() => {
            let asked = retry_after(reject);
            Remedy::Wait(asked.unwrap_or_else(|| pause(attempts)))
        }
        _ => Remedy::GiveUp,
    };
    if !matches!(remedy, Remedy::Wait(_)) {
        chains::withdraw(tx, message.conversation)?;
    }
    match remedy {
        Remedy::CatchUp | Remedy::FetchLists => outbox::unseal(tx, id)?,
        Remedy::Wait(_) => outbox::count_failure(tx, id)?,
        Remedy::GiveUp => refuse(tx, id, Kind::of_reject(reject.code))?,
    }
    Ok(remedy)
}

/// Notes an attempt that failed for a reason which may pass, and says how long to wait.
pub(crate) fn postpone(tx: &Transaction<'_>, conversation: ConversationId) -> Result<Duration> {
    let Some(oldest) = outbox::oldest(tx, conversation)? else { return Ok(Duration::ZERO) };
    outbox::count_failure(tx, oldest.message)?;
    Ok(pause(oldest.attempts))
}

/// Notes that a message of ours cannot be sent.
pub(crate) fn refuse(tx: &Transaction<'_>, id: MessageId, kind: Kind) -> Result<()> {
    outbox::remove(tx, id)?;
    messages::failed(tx, id, kind.code())
}

fn pause(attempts: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempts.min(10))).min(LONGEST_PAUSE)
}
