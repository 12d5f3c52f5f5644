//! For whom the past is to be wrapped: decided as an entry of the log is kept, and when an app asks.

use std::time::Duration;

use chat_core::id::{AccountId, ConversationId};
use chat_core::membership::{Change, Membership, MembershipEntry, Role};
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use crate::context::Own;
use crate::conversation::Conversation;
use crate::devices;
use crate::error::{Kind, Result};
use crate::store::conversations;
use crate::store::rewraps::{self, Rewrap, Turn};

/// How long each admin's device waits for the one before it in line.
const WAITS_FOR_EACH: Duration = Duration::from_secs(3);
/// How long none of them waits longer than.
const WAITS_AT_MOST: Duration = Duration::from_secs(5 * 60);

/// Notes for whom an entry asks to wrap the past: whoever this device has added, and whoever has
/// come by themselves where this account is an admin.
///
/// `membership` is what the log comes to with the entry.
pub(crate) fn note(
    tx: &Transaction<'_>,
    own: &Own,
    membership: &Membership,
    entry: &MembershipEntry,
    now: Timestamp,
) -> Result<()> {
    if !membership.may_give_history(own.account()) {
        return Ok(());
    }
    let begin = |account: AccountId, turn: Turn, due_at: Timestamp| {
        let conversation = membership.id();
        let begun = Rewrap { conversation, account, done_from: None, turn, due_at };
        if account == own.account() { Ok(()) } else { rewraps::begin(tx, &begun) }
    };
    match &entry.change {
        Change::Add { members } if entry.author == own.address => {
            members.iter().try_for_each(|member| begin(member.account, Turn::Ours, now))
        }
        Change::Join if membership.role(own.account()) == Some(Role::Admin) => {
            let due_at = now.after(wait_in_line(tx, own, membership)?);
            begin(entry.author.account, Turn::Anybodys, due_at)
        }
        _ => Ok(()),
    }
}

/// How long to wait for the devices of admins that come before this one: those who have been there
/// the longest first. Whoever is at it is found by what the relay has already.
fn wait_in_line(tx: &Transaction<'_>, own: &Own, membership: &Membership) -> Result<Duration> {
    let is_before_us = |account: &AccountId| *account != own.account();
    let line = conversations::by_seniority(tx, membership.id())?;
    let admins = line.into_iter().take_while(is_before_us);
    let admins = admins.filter(|account| membership.role(*account) == Some(Role::Admin)).count();
    let list = devices::known(tx, own.account())?;
    let ours = list.iter().flat_map(|list| list.active());
    let ours = ours.filter(|device| device.address.device < own.address.device).count();
    let before_us = u32::try_from(admins.saturating_add(ours)).unwrap_or(u32::MAX);
    Ok(WAITS_FOR_EACH.saturating_mul(before_us).min(WAITS_AT_MOST))
}

impl Conversation {
    /// Wraps what was said before a member came for them, so far as this account can read it; it
    /// happens in the background, now or when there is a connection.
    ///
    /// Where the rules let new members read from the beginning, this happens by itself when this
    /// device adds somebody, and when somebody joins a channel that this account is an admin of. To
    /// ask for it helps when the device that should have done it is gone.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if nobody of that name is a member, [`Kind::Forbidden`] where the rules let
    /// nobody read what was before, or not this account give it; [`Kind::StoreFailed`].
    pub async fn give_history(&self, username: &str) -> Result<()> {
        let account = self.member_named(username).await?;
        let (id, own, now) = (self.id, self.hub.context.own.clone(), self.hub.now());
        let begin = move |tx: &Transaction<'_>| {
            let membership = load(tx, id)?;
            if !membership.may_give_history(own.account()) || account == own.account() {
                return Err(Kind::Forbidden.into());
            }
            let (turn, due_at) = (Turn::Ours, now);
            let begun = Rewrap { conversation: id, account, done_from: None, turn, due_at };
            rewraps::begin(tx, &begun)
        };
        self.hub.context.store.write(begin).await?;
        self.hub.rewrap();
        Ok(())
    }
}

fn load(tx: &Transaction<'_>, id: ConversationId) -> Result<Membership> {
    Ok(conversations::load(tx, id)?.ok_or(Kind::NotAMember)?.membership)
}

#[cfg(test)]
mod tests {
    use chat_core::codec::List;
    use chat_core::membership::{ConversationKind, Joining, Member, Policy};

    use super::*;
    use crate::stage::{NOW, Person, begin, later};
    use crate::store::Place;

    #[tokio::test]
    async fn who_adds_somebody_gives_them_the_past_and_nobody_else_does() {
        let [alice, bob, carol] = people().await;
        let closed = Policy { join: Joining::Added, ..Policy::CHANNEL };
        let (chat, _) = begin(ConversationKind::Channel, &[&alice, &bob], closed).await;
        let members = List::new(vec![Member { account: carol.own.account(), role: Role::Member }]);

        let entry = alice.decides(Some(chat), Change::Add { members: members.unwrap() }).await;
        alice.hears_of(chat, &entry).await;
        bob.hears_of(chat, &entry).await;

        let begun = alice.gives().await.unwrap();
        assert_eq!((begun.account, begun.turn), (carol.own.account(), Turn::Ours));
        assert_eq!((begun.due_at, begun.done_from), (NOW, None));
        assert_eq!(bob.gives().await, None);
    }

    #[tokio::test]
    async fn whoever_joins_is_given_the_past_by_admins_one_after_the_other() {
        let [alice, bob, carol] = people().await;
        let (chat, _) = begin(ConversationKind::Channel, &[&alice, &bob], Policy::CHANNEL).await;
        let role = Change::SetRole { account: bob.own.account(), role: Role::Admin };
        let promotion = alice.decides(Some(chat), role).await;
        carol.meet(&alice).await;
        alice.meet(&carol).await;
        bob.meet(&carol).await;
        for person in [&alice, &bob] {
            person.hears_of(chat, &promotion).await;
        }

        let joining = joins(&carol, &alice, chat).await;
        for person in [&alice, &bob] {
            person.hears_of(chat, &joining).await;
        }

        let first_in_line = [alice.gives().await.unwrap(), bob.gives().await.unwrap()];
        assert!(first_in_line.iter().all(|begun| begun.turn == Turn::Anybodys));
        let mut waits = first_in_line.map(|begun| begun.due_at);
        waits.sort_unstable();
        assert_eq!(waits, [NOW, later(WAITS_FOR_EACH)]);
    }

    #[tokio::test]
    async fn where_new_members_read_from_their_joining_on_nobody_is_given_anything() {
        let [alice, bob, carol] = people().await;
        let policy = Policy { history: chat_core::membership::History::FromJoining, ..CLOSED };
        let (chat, _) = begin(ConversationKind::Channel, &[&alice, &bob], policy).await;
        let members = List::new(vec![Member { account: carol.own.account(), role: Role::Member }]);

        let entry = alice.decides(Some(chat), Change::Add { members: members.unwrap() }).await;
        alice.hears_of(chat, &entry).await;

        assert_eq!(alice.gives().await, None);
    }

    const CLOSED: Policy = Policy { join: Joining::Added, ..Policy::CHANNEL };

    async fn people() -> [Person; 3] {
        [
            Person::new("alice", 1, Place::Memory).await,
            Person::new("bob", 2, Place::Memory).await,
            Person::new("carol", 3, Place::Memory).await,
        ]
    }

    /// Carol's own entry after what Alice holds of the log.
    async fn joins(
        carol: &Person,
        alice: &Person,
        chat: ConversationId,
    ) -> chat_core::membership::SignedEntry {
        let row = alice.write(move |tx, _, _| conversations::load(tx, chat)).await.unwrap();
        let entry = row.membership.next_entry(carol.own.address, Change::Join, NOW);
        let signed = carol.own.device.sign_object(&entry).unwrap();
        chat_core::membership::SignedEntry { signer: carol.own.address, entry: signed }
    }

    impl Person {
        /// For whom this device is about to wrap the past.
        async fn gives(&self) -> Option<Rewrap> {
            self.write(|tx, _, _| rewraps::next(tx)).await
        }
    }
}
