//! All conversations as they are looked at: the pinned ones, then those where something happened.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use chat_core::id::ConversationId;
use chat_core::membership::ConversationKind;
use chat_core::time::Timestamp;
use futures_util::Stream;
use rusqlite::Transaction;

use super::diff::{Diff, Keyed, steps};
use super::watch::Watch;
use crate::client::Client;
use crate::content::Content;
use crate::context::Own;
use crate::devices;
use crate::error::{Kind, Result};
use crate::hub::Hub;
use crate::message::{Message, Page, Unseen};
use crate::settings::ConversationSettings;
use crate::store::conversations::{self, Standing};
use crate::store::{drafts, timeline};

/// A conversation as a list shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// Which.
    pub conversation: ConversationId,
    /// What it is.
    pub kind: ConversationKind,
    /// Its name: of a direct conversation the other's.
    pub title: Option<String>,
    /// Whether this account still takes part.
    pub is_member: bool,
    /// How much of it was not looked at.
    pub unseen: Unseen,
    /// What this account has settled about it.
    pub settings: ConversationSettings,
    /// Its newest message.
    pub last: Option<Box<Message>>,
    /// Words that were begun here and not sent.
    pub draft: Option<String>,
    /// When something last happened.
    pub active_at: Timestamp,
}

impl Summary {
    /// Whether it is to be shown as unread: somebody has said something, or the person marked it.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.unseen.messages > 0 || self.settings.marked_unread
    }
}

impl Keyed for Summary {
    type Key = ConversationId;

    fn key(&self) -> ConversationId {
        self.conversation
    }
}

/// A live view of all conversations: pinned ones first, archived ones last, and among each the one
/// where something happened last before the others.
pub struct ConversationList {
    hub: Arc<Hub>,
    items: Vec<Summary>,
    watch: Watch,
}

impl Client {
    /// A live view of all conversations, former ones too.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn conversation_list(&self) -> Result<ConversationList> {
        let hub = Arc::clone(&self.hub);
        let watch = Watch::of(&hub.context.store);
        let mut list = ConversationList { hub, items: Vec::new(), watch };
        list.refresh().await?;
        Ok(list)
    }
}

impl ConversationList {
    /// What is there, as far as [`Self::next`] has told.
    #[must_use]
    pub fn items(&self) -> &[Summary] {
        &self.items
    }

    /// Waits until something has changed, and says what; never nothing. May be dropped and called
    /// again without losing anything.
    ///
    /// # Errors
    ///
    /// [`Kind::Closed`] once the client is closed, [`Kind::StoreFailed`].
    pub async fn next(&mut self) -> Result<Vec<Diff<Summary>>> {
        loop {
            self.watch.wait(None).await?;
            let steps = self.refresh().await?;
            if !steps.is_empty() {
                return Ok(steps);
            }
        }
    }

    /// Looks at once, and says what has changed since; nothing, if nothing has.
    ///
    /// # Errors
    ///
    /// As [`Self::next`].
    pub async fn refresh(&mut self) -> Result<Vec<Diff<Summary>>> {
        let newest = self.watch.newest();
        let (own, now) = (self.hub.context.own.clone(), self.hub.now());
        let mut known: HashMap<_, _> = HashMap::with_capacity(self.items.len());
        for item in &self.items {
            if !self.watch.has_changed(item.conversation) {
                known.insert(item.conversation, item.clone());
            }
        }
        let read = move |tx: &Transaction<'_>| summaries(tx, &own, known, now);
        let items = self.hub.context.store.read(read).await?;
        self.watch.looked_at(newest);
        Ok(steps(&mut self.items, items))
    }

    /// What changes, as a stream that ends when the client is closed.
    pub fn into_stream(self) -> impl Stream<Item = Vec<Diff<Summary>>> + Send {
        futures_util::stream::unfold(self, async |mut list| {
            let steps = list.next().await.ok()?;
            Some((steps, list))
        })
    }
}

/// All conversations in their order; those that are `known` not to have changed are not read again.
pub(super) fn summaries(
    tx: &Transaction<'_>,
    own: &Own,
    mut known: HashMap<ConversationId, Summary>,
    now: Timestamp,
) -> Result<Vec<Summary>> {
    let mut items = Vec::new();
    for id in conversations::shown(tx)? {
        items.push(match known.remove(&id) {
            Some(item) => item,
            None => summary(tx, own, id, now)?,
        });
    }
    items.sort_by_key(|item| {
        let settings = &item.settings;
        (settings.archived, !settings.pinned, Reverse(item.active_at), item.conversation)
    });
    Ok(items)
}

fn summary(tx: &Transaction<'_>, own: &Own, id: ConversationId, now: Timestamp) -> Result<Summary> {
    let row = conversations::load(tx, id)?.ok_or(Kind::NotFound)?;
    let newest = timeline::page(tx, id, Page::latest(1), now)?.pop();
    let draft = drafts::load(tx, id, None)?;
    let is_member = row.standing == Standing::Member;
    Ok(Summary {
        conversation: id,
        kind: row.membership.kind(),
        title: match row.peer {
            Some(peer) => Some(devices::contact(tx, peer)?.username),
            None => row.title,
        },
        is_member: is_member && row.membership.role(own.account()).is_some(),
        unseen: timeline::unseen(tx, id, now)?,
        settings: ConversationSettings::load(tx, id)?,
        last: newest.map(|row| Message::from_row(tx, row)).transpose()?.map(Box::new),
        draft: draft.and_then(|body| Content::read("text", &body).text().map(str::to_owned)),
        active_at: row.active_at,
    })
}

impl std::fmt::Debug for ConversationList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConversationList").field("items", &self.items.len()).finish_non_exhaustive()
    }
}
