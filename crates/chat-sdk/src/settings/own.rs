//! The account's own conversation: begun once, written to, read by its own devices only.

use chat_core::envelope::WrapScheme;
use chat_core::id::{ConversationId, MessageId};
use chat_core::membership::{Change, ConversationKind, Membership, MembershipEntry, Policy, Role};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use crate::content::{Content, REGISTERS_A_MESSAGE_MAX};
use crate::context::Own;
use crate::credentials;
use crate::error::Result;
use crate::hub::Hub;
use crate::live::fetch_past;
use crate::membership::{self, Beginning};
use crate::message::Draft;
use crate::outbox;
use crate::store::tombstones::{self, Gone};
use crate::store::{conversations, history, profiles, settings as registers};
use crate::sync::pass_over;

/// What the creation entry of an account's own conversation has in place of random bytes.
pub(crate) const NONCE: [u8; 16] = *b"sealwire/1/self/";

/// Wrapped for the account's envelope keys: a device that comes later reads it all.
const POLICY: Policy = Policy {
    rename: chat_core::membership::Allowed::Admins,
    scheme: WrapScheme::HpkeXwing,
    ..Policy::DEFAULT
};

/// Most pages of history that are read for it at once.
const PAGES_MAX: usize = 64;

/// Notes that a conversation is the account's own, if its creation says so.
pub(crate) fn note_if_own(
    tx: &Transaction<'_>,
    own: &Own,
    id: ConversationId,
    creation: &MembershipEntry,
) -> Result<()> {
    let Change::Create { kind, members, nonce, .. } = &creation.change else { return Ok(()) };
    let is_alone = members.iter().all(|member| member.account == own.account());
    let is_own = *kind == ConversationKind::Group
        && is_alone
        && **nonce == NONCE
        && creation.author.account == own.account();
    if is_own { registers::add_own_conversation(tx, id) } else { Ok(()) }
}

/// Tells whether what is said in a conversation is said among the account's own devices.
pub(crate) fn is_among_us(
    tx: &Transaction<'_>,
    own: &Own,
    membership: &Membership,
) -> Result<bool> {
    // SECURITY: nobody who was let into it later may settle anything.
    let is_alone =
        membership.members().len() == 1 && membership.role(own.account()) == Some(Role::Admin);
    Ok(is_alone && registers::is_own_conversation(tx, membership.id())?)
}

/// Reads what other devices have settled before this one came, and tells them what this one has.
///
/// # Errors
///
/// What befalls every request; [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub(crate) async fn publish(hub: &Hub) -> Result<()> {
    read_past(hub).await?;
    let pending = |tx: &Transaction<'_>| Ok(!registers::pending(tx, 1)?.is_empty());
    if !hub.context.store.read(pending).await? {
        return Ok(());
    }
    let id = conversation(hub, POLICY.scheme).await?;
    let (own, now) = (hub.context.own.clone(), hub.now());
    let message = MessageId::random(&mut hub.context.rng());
    let queue = move |tx: &Transaction<'_>| {
        let pending = registers::pending(tx, REGISTERS_A_MESSAGE_MAX)?;
        if pending.is_empty() {
            return Ok(());
        }
        registers::told(tx, &pending)?;
        let draft = Draft::of(Content::Settings(pending));
        outbox::queue(tx, &own, id, message, &draft, now).map(drop)
    };
    hub.context.store.write(queue).await?;
    hub.nudge.notify_one();
    Ok(())
}

/// What the relay did not take the last time is told again: once a connection, since it may be
/// refused again.
pub(crate) fn tell_again(tx: &Transaction<'_>, now: Timestamp) -> Result<()> {
    for message in registers::refused(tx)? {
        let (id, conversation) = (message.id, message.conversation);
        match Content::read(&message.kind, &message.body) {
            Content::Settings(refused) => registers::untold(tx, &refused)?,
            Content::KeyringLock(_) => credentials::renewal_is_due(tx)?,
            _ => profiles::forget_told(tx, conversation)?,
        }
        tombstones::bury(tx, conversation, id, None, Gone::Applied, now)?;
    }
    Ok(())
}

/// The conversation of this scheme in which this account talks to itself, begun if there is none.
///
/// # Errors
///
/// What befalls every request; [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub(crate) async fn conversation(hub: &Hub, scheme: WrapScheme) -> Result<ConversationId> {
    match hub.context.store.read(move |tx| of_scheme(tx, scheme)).await?.first() {
        Some(id) => Ok(*id),
        None => begin(hub, scheme).await,
    }
}

/// The account's own conversations of this scheme; the first is written to.
fn of_scheme(tx: &Transaction<'_>, scheme: WrapScheme) -> Result<Vec<ConversationId>> {
    let mut found = Vec::new();
    for id in registers::own_conversations(tx)? {
        let row = conversations::load(tx, id)?;
        if row.is_some_and(|row| row.membership.policy().scheme == scheme) {
            found.push(id);
        }
    }
    Ok(found)
}

async fn begin(hub: &Hub, scheme: WrapScheme) -> Result<ConversationId> {
    let beginning = Beginning {
        kind: ConversationKind::Group,
        others: Vec::new(),
        policy: Policy { scheme, ..POLICY },
        document: None,
        nonce: Some(NONCE),
    };
    membership::create(hub, beginning).await
}

async fn read_past(hub: &Hub) -> Result<()> {
    // What went on sessions is for the devices that were there.
    for id in hub.context.store.read(|tx| of_scheme(tx, POLICY.scheme)).await? {
        for _ in 0..PAGES_MAX {
            let gaps = move |tx: &Transaction<'_>| {
                // A conversation that was left has nothing more to say.
                let is_here = conversations::load(tx, id)?.is_some();
                Ok(if is_here { history::gaps(tx, id, Sequence::MIN)? } else { Vec::new() })
            };
            let Some(gap) = hub.context.store.read(gaps).await?.into_iter().next_back() else {
                break;
            };
            pass_over(fetch_past(hub, id, gap).await.map(drop))?;
        }
    }
    Ok(())
}
