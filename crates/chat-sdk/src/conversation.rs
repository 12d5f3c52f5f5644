//! A conversation, as an app holds it: who is in it, what was said, and saying something.
//!
//! Nothing here waits for the relay but changes of the membership: a message is in the store when
//! `send` returns, and the engine does the rest.

use std::fmt;
use std::sync::Arc;

use chat_core::id::{AccountId, ConversationId, MessageId};
use chat_core::membership::{Change, ConversationKind, Member, Membership, Policy, Role};
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use crate::content::Content;
use crate::context::Own;
use crate::devices;
use crate::error::{Kind, Result};
use crate::event::Event;
use crate::hub::Hub;
use crate::membership;
use crate::message::{Contact, Draft, Message, Page, Unseen};
use crate::settings::{self, Name};
use crate::store::conversations::{self, ConversationRow, Standing};
use crate::store::messages::{self, MessageRow};
use crate::store::timeline;
use crate::{outbox, profile, receipts, store};

/// Most messages of a page.
const PAGE_MAX: u32 = 1_000;

/// A conversation; clones are the same one.
#[derive(Clone)]
pub struct Conversation {
    pub(crate) hub: Arc<Hub>,
    pub(crate) id: ConversationId,
    kind: ConversationKind,
}

/// A member and what they may do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Participant {
    /// Who.
    pub contact: Contact,
    /// With which role.
    pub role: Role,
    /// Whether the account was deleted: it stands in the log until an admin removes it, and nothing
    /// is sealed for it any more.
    pub is_deleted: bool,
}

impl Conversation {
    pub(crate) fn new(hub: Arc<Hub>, row: &ConversationRow) -> Self {
        Self { hub, id: row.membership.id(), kind: row.membership.kind() }
    }

    /// Its id, the same for everybody.
    #[must_use]
    pub fn id(&self) -> ConversationId {
        self.id
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ConversationKind {
        self.kind
    }

    /// Its name: of a group the one it was given, of a direct conversation the other's.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn title(&self) -> Result<Option<String>> {
        let id = self.id;
        let title = move |tx: &Transaction<'_>| {
            let row = load(tx, id)?;
            match row.peer {
                Some(peer) => Ok(Some(devices::contact(tx, peer)?.username)),
                None => Ok(row.title),
            }
        };
        self.hub.context.store.read(title).await
    }

    /// Its members, as the last verified entry of its log says, this account included.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn members(&self) -> Result<Vec<Participant>> {
        let id = self.id;
        let members = move |tx: &Transaction<'_>| {
            load(tx, id)?
                .membership
                .members()
                .map(|Member { account, role }| {
                    let contact = devices::contact(tx, account)?;
                    Ok(Participant { contact, role, is_deleted: devices::is_deleted(tx, account)? })
                })
                .collect()
        };
        self.hub.context.store.read(members).await
    }

    /// Its rules.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn policy(&self) -> Result<Policy> {
        let id = self.id;
        self.hub.context.store.read(move |tx| Ok(load(tx, id)?.membership.policy())).await
    }

    /// Tells whether this account still takes part.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn is_member(&self) -> Result<bool> {
        let (id, ours) = (self.id, self.hub.context.own.account());
        let is_member = move |tx: &Transaction<'_>| {
            let row = load(tx, id)?;
            Ok(row.standing == Standing::Member && row.membership.role(ours).is_some())
        };
        self.hub.context.store.read(is_member).await
    }

    /// Says something: it is stored and queued when this returns, and sent as soon as can be.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAMember`], [`Kind::Forbidden`] where the rules let only admins post,
    /// [`Kind::TooLarge`], [`Kind::StoreFull`], [`Kind::NoDevices`] if the only other one has deleted
    /// their account.
    pub async fn send(&self, text: impl Into<String>) -> Result<MessageId> {
        self.send_with(Draft::text(text)).await
    }

    /// Says something in other than the usual way, for example with a timer.
    ///
    /// # Errors
    ///
    /// As [`Self::send`]; [`Kind::ArgumentInvalid`] for a timer beyond its limits.
    pub async fn send_with(&self, draft: Draft) -> Result<MessageId> {
        queue(&self.hub, self.id, draft).await
    }

    /// A page of its messages, oldest first.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn messages(&self, page: Page) -> Result<Vec<Message>> {
        let (id, now) = (self.id, self.hub.now());
        let page = Page { limit: page.limit.min(PAGE_MAX), ..page };
        let read = move |tx: &Transaction<'_>| {
            timeline::page(tx, id, page, now)?
                .into_iter()
                .map(|row| Message::from_row(tx, row))
                .collect()
        };
        self.hub.context.store.read(read).await
    }

    /// How much of it this account has not looked at.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn unseen(&self) -> Result<Unseen> {
        let (id, now) = (self.id, self.hub.now());
        self.hub.context.store.read(move |tx| timeline::unseen(tx, id, now)).await
    }

    /// Its messages that have every word of `words`, or one that begins with it; the newest first.
    ///
    /// Found in this device's store, which the relay has no part in.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn search(&self, words: &str, limit: u32) -> Result<Vec<Message>> {
        search(&self.hub, words, Some(self.id), limit).await
    }

    /// One message, if it is here.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn message(&self, message: MessageId) -> Result<Option<Message>> {
        let (id, now) = (self.id, self.hub.now());
        let read = move |tx: &Transaction<'_>| {
            let is_here = |row: &MessageRow| {
                row.conversation == id && row.deadline.is_none_or(|deadline| deadline > now)
            };
            let row = messages::load(tx, message)?.filter(is_here);
            row.map(|row| Message::from_row(tx, row)).transpose()
        };
        self.hub.context.store.read(read).await
    }

    /// Notes that everything here was looked at: timers that wait for that begin, and the others
    /// are told.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn mark_seen(&self) -> Result<()> {
        let (id, own, now) = (self.id, self.hub.context.own.clone(), self.hub.now());
        let see = move |tx: &Transaction<'_>| {
            if settings::is_set(tx, Name::Unread, id.as_bytes())? {
                settings::set(tx, &own, Name::Unread, id.as_bytes(), &false)?;
            }
            receipts::seen(tx, &own, id, now)
        };
        self.hub.context.store.write(see).await?;
        self.hub.settle();
        Ok(())
    }

    /// Gives the conversation a name, which only its members see.
    ///
    /// # Errors
    ///
    /// As [`Self::send`]; [`Kind::Forbidden`] in a direct conversation, or where the rules let only
    /// admins do this.
    pub async fn rename(&self, title: impl Into<String>) -> Result<()> {
        rename(&self.hub, self.id, title.into()).await
    }

    /// Adds somebody by name. They read what is said from now on; where the rules let new members read
    /// from the beginning, what was said before is wrapped for them in the background, see
    /// [`Self::give_history`].
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`], [`Kind::NotAMember`], [`Kind::Forbidden`], [`Kind::TooLarge`],
    /// [`Kind::RelayUnreachable`].
    pub async fn add(&self, username: &str) -> Result<()> {
        let account = devices::find(&self.hub.context, username).await?.account;
        let member = Member { account, role: Role::Member };
        self.change(move |membership| {
            let is_new = membership.role(account).is_none();
            let members = chat_core::codec::List::new(vec![member]).ok()?;
            is_new.then_some(Change::Add { members })
        })
        .await?;
        // The name is not in the log: say it again, for whoever has just come.
        let id = self.id;
        let row = self.hub.context.store.read(move |tx| load(tx, id)).await?;
        let role = row.membership.role(self.hub.context.own.account());
        match row.title {
            Some(title) if role.is_some_and(|r| row.membership.policy().rename.allows(r)) => {
                rename(&self.hub, id, title).await
            }
            _ => Ok(()),
        }
    }

    /// Removes somebody by name. They read nothing that is said from now on.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub async fn remove(&self, username: &str) -> Result<()> {
        let account = self.member_named(username).await?;
        self.change(move |membership| membership.role(account).map(|_| Change::Remove { account }))
            .await
    }

    /// Leaves. What was said stays readable here.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAMember`]; [`Kind::ArgumentInvalid`] for the last admin of others.
    pub async fn leave(&self) -> Result<()> {
        self.change(|_| Some(Change::Leave)).await
    }

    /// Gives a member another role.
    ///
    /// # Errors
    ///
    /// As [`Self::add`]; [`Kind::ArgumentInvalid`] if nobody would be left to decide.
    pub async fn set_role(&self, username: &str, role: Role) -> Result<()> {
        let account = self.member_named(username).await?;
        self.change(move |membership| {
            let is_news = membership.role(account).is_some_and(|known| known != role);
            is_news.then_some(Change::SetRole { account, role })
        })
        .await
    }

    /// Changes the rules.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAMember`], [`Kind::Forbidden`], [`Kind::RelayUnreachable`].
    pub async fn set_policy(&self, policy: Policy) -> Result<()> {
        self.change(move |membership| {
            (membership.policy() != policy).then_some(Change::SetPolicy { policy })
        })
        .await
    }

    async fn change(&self, decide: impl Fn(&Membership) -> Option<Change> + Send) -> Result<()> {
        membership::change(&self.hub, self.id, decide).await?;
        self.hub.nudge.notify_one();
        Ok(())
    }

    /// A member by name: names are looked for among the members, not at the relay.
    pub(crate) async fn member_named(&self, username: &str) -> Result<AccountId> {
        let members = self.members().await?;
        let found = members.into_iter().find(|member| member.contact.username == username);
        Ok(found.ok_or(Kind::NotFound)?.contact.account)
    }
}

fn load(tx: &Transaction<'_>, id: ConversationId) -> Result<ConversationRow> {
    conversations::load(tx, id)?.ok_or_else(|| Kind::NotFound.into())
}

pub(crate) async fn rename(hub: &Hub, id: ConversationId, title: String) -> Result<()> {
    let draft = Draft::of(Content::Title(title));
    queue(hub, id, draft).await?;
    hub.emit(Event::Conversation { conversation: id });
    Ok(())
}

pub(crate) async fn search(
    hub: &Hub,
    words: &str,
    conversation: Option<ConversationId>,
    limit: u32,
) -> Result<Vec<Message>> {
    let (words, limit, now) = (words.to_owned(), limit.min(PAGE_MAX), hub.now());
    let read = move |tx: &Transaction<'_>| {
        let found = store::search::find(tx, &words, conversation, limit, now)?;
        found.into_iter().map(|row| Message::from_row(tx, row)).collect()
    };
    hub.context.store.read(read).await
}

pub(crate) async fn queue(hub: &Hub, id: ConversationId, draft: Draft) -> Result<MessageId> {
    let (own, now) = (hub.context.own.clone(), hub.now());
    let message = MessageId::random(&mut hub.context.rng());
    let before = MessageId::random(&mut hub.context.rng());
    let write = move |tx: &Transaction<'_>| queue_in(tx, &own, id, message, before, &draft, now);
    hub.context.store.write(write).await?;
    hub.nudge.notify_one();
    Ok(message)
}

/// Puts something into the outbox. Who hears us for the first time is told first who we are, in a
/// message `before` it.
pub(crate) fn queue_in(
    tx: &Transaction<'_>,
    own: &Own,
    id: ConversationId,
    message: MessageId,
    before: MessageId,
    draft: &Draft,
    now: Timestamp,
) -> Result<()> {
    if let Some(profile) = profile::due(tx, id)? {
        outbox::queue(tx, own, id, before, &profile, now)?;
    }
    outbox::queue(tx, own, id, message, draft, now).map(drop)
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation").field("id", &self.id).finish_non_exhaustive()
    }
}
