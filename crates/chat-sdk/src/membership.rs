//! Membership: logs fetched, verified and kept; entries of our own, appended.
//!
//! ```text
//!  relay ──entries──▶ signer's device list ──▶ signature ──▶ rules of chat-core ──▶ kept
//!                                                  └─ no ─▶ warning, nothing kept
//!
//!  change ─▶ entry after our head ─▶ relay ─▶ kept
//!               ▲                      └─ conflict ─▶ catch up ─┐
//!               └───────────────────────────────────────────────┘
//! ```
//!
//! The relay runs the same verification; that it did is not assumed.

use std::collections::BTreeSet;

use chat_core::codec::{Bytes, Digest, List};
use chat_core::id::{AccountId, ConversationId};
use chat_core::membership::{
    Change, ConversationKind, Member, Membership, MembershipEntry, MembershipError, Policy, Role,
    SignedEntry, VERSION,
};
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use rand_core::Rng as _;
use rusqlite::Transaction;

use crate::context::Own;
use crate::devices;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Warning};
use crate::hub::Hub;
use crate::learning::learn;
use crate::outbox::Progress;
use crate::rewrapping;
use crate::settings;
use crate::store::conversations::{self, Standing};
use crate::store::{profiles, progress};

/// How often an entry is made anew when somebody else was first.
const ATTEMPTS: usize = 8;

/// Fetches what a conversation's log has grown by, verifies and keeps it.
///
/// # Errors
///
/// [`Kind::NotAMember`] if the relay shows us nothing of it, [`Kind::NotVerified`] if the log does
/// not verify, or what befalls every request.
pub(crate) async fn catch_up(hub: &Hub, id: ConversationId) -> Result<()> {
    let store = &hub.context.store;
    loop {
        let known = store.read(move |tx| index(tx, id)).await?;
        let from = known.map_or(0, |index| index.saturating_add(1));
        let page = match hub.context.relay.membership(id, from).await {
            Err(error) if matches!(error.kind(), Kind::NotAMember | Kind::NotFound) => {
                if let (true, Some(index)) = (stand(hub, id, Standing::Former).await?, known) {
                    // It did not become one by a signed entry: that would have been shown.
                    hub.warn(Warning::MembershipWithheld { conversation: id });
                    hub.emit(Event::Membership { conversation: id, index });
                }
                return Err(error);
            }
            outcome => outcome?,
        };
        if let (true, Some(index)) = (stand(hub, id, Standing::Member).await?, known) {
            hub.emit(Event::Membership { conversation: id, index });
        }
        if page.entries.is_empty() {
            return Ok(());
        }
        keep_page(hub, id, page.entries.into_vec()).await?;
        if !page.more {
            return Ok(());
        }
    }
}

/// Notes whether the relay shows us a conversation of which the log says that we are a member;
/// tells whether that is news.
async fn stand(hub: &Hub, id: ConversationId, standing: Standing) -> Result<bool> {
    let ours = hub.context.own.account();
    let note = move |tx: &Transaction<'_>| {
        let Some(row) = conversations::load(tx, id)? else { return Ok(false) };
        if row.standing == standing || row.membership.role(ours).is_none() {
            return Ok(false);
        }
        conversations::set_standing(tx, id, standing)
    };
    hub.context.store.write(note).await
}

fn index(tx: &Transaction<'_>, id: ConversationId) -> Result<Option<u64>> {
    Ok(conversations::load(tx, id)?.map(|row| row.membership.index()))
}

async fn keep_page(hub: &Hub, id: ConversationId, entries: Vec<SignedEntry>) -> Result<()> {
    let signers: BTreeSet<_> = entries.iter().map(|entry| entry.signer.account).collect();
    for account in signers.clone() {
        let known = move |tx: &Transaction<'_>| Ok(devices::known(tx, account)?.is_some());
        if !hub.context.store.read(known).await? {
            learn(hub, account).await?;
        }
    }
    match keep(hub, id, entries.clone()).await {
        Err(error) if error.kind() == Kind::NotVerified => {}
        outcome => return outcome,
    }
    // Perhaps a signer's device is newer than what we know of its account.
    for account in signers {
        learn(hub, account).await?;
    }
    let outcome = keep(hub, id, entries).await;
    if outcome.as_ref().is_err_and(|error| error.kind() == Kind::NotVerified) {
        hub.warn(Warning::MembershipFork { conversation: id });
    }
    outcome
}

pub(crate) async fn keep(hub: &Hub, id: ConversationId, entries: Vec<SignedEntry>) -> Result<()> {
    let (own, now) = (hub.context.own.clone(), hub.now());
    let write = move |tx: &Transaction<'_>| extend(tx, &own, id, entries, now);
    let extended = hub.context.store.write(write).await?;
    if extended.is_own {
        // Nothing to look at; but there may be something to read in it.
        hub.settle();
        return Ok(());
    }
    if extended.is_new {
        hub.emit(Event::Conversation { conversation: id });
    }
    if extended.grew {
        hub.rewrap();
        hub.emit(Event::Membership { conversation: id, index: extended.membership.index() });
    }
    for (message, status) in extended.progress {
        hub.emit(Event::Status { conversation: id, message, status });
    }
    Ok(())
}

/// A log that was continued.
#[derive(Debug)]
pub(crate) struct Extended {
    pub(crate) membership: Membership,
    pub(crate) is_new: bool,
    pub(crate) grew: bool,
    /// Whether it is of this account with itself.
    pub(crate) is_own: bool,
    /// Our messages that have waited only for somebody who has left.
    pub(crate) progress: Progress,
}

/// Verifies entries that continue a log, or begin it, and keeps them: all, or none.
///
/// # Errors
///
/// [`Kind::NotVerified`].
pub(crate) fn extend(
    tx: &Transaction<'_>,
    own: &Own,
    id: ConversationId,
    entries: Vec<SignedEntry>,
    now: Timestamp,
) -> Result<Extended> {
    let known = conversations::load(tx, id)?.map(|row| row.membership);
    let is_new = known.is_none();
    let before = known.as_ref().map(Membership::index);
    let mut membership = known;
    let mut added = Vec::new();
    for signed in entries {
        let entry = verify(tx, &signed)?;
        let next = match membership {
            // Another page, or another process, has brought it already.
            Some(known) if entry.index <= known.index() => known,
            Some(mut known) => {
                known.apply(&entry).map_err(broken)?;
                added.push((signed, entry));
                known
            }
            None => {
                let begun = Membership::create(&entry).map_err(broken)?;
                added.push((signed, entry));
                begun
            }
        };
        membership = Some(next);
    }
    let membership = membership.filter(|membership| membership.id() == id);
    let membership = membership.ok_or(Kind::NotVerified)?;
    conversations::save(tx, &membership, own.account(), now)?;
    for (signed, entry) in &added {
        conversations::push_entry(tx, id, entry.index, signed)?;
        note_stays(tx, id, entry)?;
        settings::note_if_own(tx, own, id, entry)?;
        if !is_new {
            rewrapping::note(tx, own, &membership, entry, now)?;
        }
    }
    let has_left = |(_, entry): &(_, Verified<MembershipEntry>)| {
        matches!(entry.change, Change::Remove { .. } | Change::Leave)
    };
    let progress = if added.iter().any(has_left) {
        progress::raise(tx, id, progress::EVERYWHERE, own.account(), now)?
    } else {
        Progress::new()
    };
    let grew = before != Some(membership.index());
    let is_own = crate::store::settings::is_own_conversation(tx, id)?;
    Ok(Extended { membership, is_new, grew, is_own, progress })
}

fn verify(tx: &Transaction<'_>, signed: &SignedEntry) -> Result<Verified<MembershipEntry>> {
    let devices = devices::known(tx, signed.signer.account)?.ok_or(Kind::NotVerified)?;
    signed.clone().verify(&devices).map_err(|error| Kind::NotVerified.because(error))
}

fn broken(error: MembershipError) -> Error {
    Kind::NotVerified.because(error)
}

/// Notes who was a member from when to when.
fn note_stays(
    tx: &Transaction<'_>,
    id: ConversationId,
    entry: &Verified<MembershipEntry>,
) -> Result<()> {
    match &entry.change {
        Change::Create { members, .. } | Change::Add { members } => {
            for member in members {
                conversations::join(tx, id, member.account, entry.index)?;
            }
            profiles::forget_told(tx, id)?;
        }
        Change::Join => conversations::join(tx, id, entry.author.account, entry.index)?,
        Change::Remove { account } => conversations::part(tx, id, *account, entry.index)?,
        Change::Leave => conversations::part(tx, id, entry.author.account, entry.index)?,
        Change::SetRole { .. } | Change::SetPolicy { .. } => {}
    }
    Ok(())
}

/// Begins a conversation; a second direct one of the same two is the first one.
///
/// # Errors
///
/// [`Kind::ArgumentInvalid`] for members that make no conversation, [`Kind::NotVerified`] if the
/// relay names an existing one that is not of these two, or what befalls every request.
pub(crate) async fn create(hub: &Hub, beginning: Beginning) -> Result<ConversationId> {
    let (signed, id) = creation(hub, &beginning)?;
    let others = beginning.others;
    match hub.context.relay.create_conversation(signed.clone()).await {
        Ok(_) => {
            keep(hub, id, vec![signed]).await?;
            Ok(id)
        }
        Err(error) if error.kind() == Kind::ConversationExists => {
            let existing = error.reject().and_then(|reject| reject.conversation).ok_or(error)?;
            adopt(hub, existing, others).await?;
            Ok(existing)
        }
        Err(error) => Err(error),
    }
}

/// What a conversation begins as.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) kind: ConversationKind,
    /// Its members beside this account.
    pub(crate) others: Vec<AccountId>,
    pub(crate) policy: Policy,
    /// The document it is attached to.
    pub(crate) document: Option<String>,
    /// What makes it differ from others, if that is not to be random.
    pub(crate) nonce: Option<[u8; 16]>,
}

pub(crate) fn creation(hub: &Hub, beginning: &Beginning) -> Result<(SignedEntry, ConversationId)> {
    let Beginning { kind, others, policy, document, nonce } = beginning;
    let (kind, policy) = (*kind, *policy);
    let own = &hub.context.own;
    // Of two who talk neither is above the other.
    let role = if kind == ConversationKind::Direct { Role::Admin } else { Role::Member };
    let mut members = vec![Member { account: own.account(), role: Role::Admin }];
    members.extend(others.iter().map(|account| Member { account: *account, role }));
    let nonce = nonce.unwrap_or_else(|| {
        let mut random = [0; 16];
        hub.context.rng().fill_bytes(&mut random);
        random
    });
    let entry = MembershipEntry {
        version: VERSION,
        conversation: None,
        index: 0,
        previous: Digest::ZERO,
        author: own.address,
        at: hub.now(),
        change: Change::Create {
            kind,
            workspace: own.workspace,
            members: List::new(members)?,
            policy,
            nonce: Bytes::new(nonce.to_vec())?,
            document: document.clone(),
        },
    };
    let signed = SignedEntry { signer: own.address, entry: own.device.sign_object(&entry)? };
    let id = ConversationId::of_creation(signed.entry.signed_bytes());
    let verified = signed.entry.clone().verify(&own.device.key())?;
    Membership::create(&verified).map_err(|error| Kind::ArgumentInvalid.because(error))?;
    Ok((signed, id))
}

/// Takes over the direct conversation that there is, if it is what the relay says it is.
async fn adopt(hub: &Hub, id: ConversationId, others: Vec<AccountId>) -> Result<()> {
    catch_up(hub, id).await?;
    let ours = hub.context.own.account();
    let fits = move |tx: &Transaction<'_>| {
        let Some(row) = conversations::load(tx, id)? else { return Ok(false) };
        Ok(is_direct_of(&row.membership, ours, &others))
    };
    if hub.context.store.read(fits).await? { Ok(()) } else { Err(Kind::NotVerified.into()) }
}

/// Of a direct conversation there are two members, so nobody else can be in it.
fn is_direct_of(membership: &Membership, ours: AccountId, others: &[AccountId]) -> bool {
    let is_member = |account: &AccountId| membership.role(*account).is_some();
    let is_direct = membership.kind() == ConversationKind::Direct;
    is_direct && is_member(&ours) && others.iter().all(is_member)
}

/// Appends an entry, made by `decide` from the members there are; none if there is nothing to do.
///
/// # Errors
///
/// [`Kind::NotAMember`], [`Kind::Forbidden`], [`Kind::ArgumentInvalid`] for a change that makes no
/// sense, [`Kind::Conflict`] if others were first again and again, or what befalls every request.
pub(crate) async fn change(
    hub: &Hub,
    id: ConversationId,
    decide: impl Fn(&Membership) -> Option<Change> + Send,
) -> Result<()> {
    for _ in 0..ATTEMPTS {
        let row = hub.context.store.read(move |tx| conversations::load(tx, id)).await?;
        let membership = row.ok_or(Kind::NotAMember)?.membership;
        if membership.role(hub.context.own.account()).is_none() {
            return Err(Kind::NotAMember.into());
        }
        let Some(change) = decide(&membership) else { return Ok(()) };
        let signed = sign(hub, &membership, change)?;
        match hub.context.relay.append_entry(id, signed.clone()).await {
            Ok(_) => return keep(hub, id, vec![signed]).await,
            Err(error) if error.kind() == Kind::Conflict => catch_up(hub, id).await?,
            Err(error) => return Err(error),
        }
    }
    Err(Kind::Conflict.into())
}

/// The next entry, checked as everybody else will check it.
pub(crate) fn sign(hub: &Hub, membership: &Membership, change: Change) -> Result<SignedEntry> {
    let own = &hub.context.own;
    let entry = membership.next_entry(own.address, change, hub.now());
    let signed = SignedEntry { signer: own.address, entry: own.device.sign_object(&entry)? };
    let verified = signed.entry.clone().verify(&own.device.key())?;
    membership.clone().apply(&verified).map_err(|error| match error {
        MembershipError::NotAllowed => Kind::Forbidden.because(error),
        MembershipError::TooMany => Kind::TooLarge.because(error),
        error => Kind::ArgumentInvalid.because(error),
    })?;
    Ok(signed)
}

#[cfg(test)]
mod tests;
