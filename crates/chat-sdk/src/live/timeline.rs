//! A conversation as it is looked at: its newest messages, more when asked, and what changes.

use std::sync::{Arc, Mutex, PoisonError};

use chat_core::id::{ConversationId, MessageId};
use chat_core::receipt::Sequence;
use futures_util::Stream;
use rusqlite::Transaction;
use tokio::sync::Notify;

use super::diff::{Diff, Keyed, steps};
use super::past;
use super::watch::Watch;
use crate::conversation::Conversation;
use crate::error::Result;
use crate::hub::Hub;
use crate::message::Message;
use crate::store::history::{self, Gap};
use crate::store::window::{self, Bound};

/// How many messages a view begins with, unless it is said.
const BEGINS_WITH: u32 = 50;
/// Most messages of a view; as newer ones come, the oldest leave it.
pub(super) const WINDOW_MAX: u32 = 1_000;
/// Most pages of history that are asked for at once.
const PAGES_MAX: usize = 8;

/// What stands in a timeline.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Item {
    /// A message.
    Message(Box<Message>),
    /// Places that this device was never shown: it came later, or the relay did not bring them.
    /// [`Timeline::fill`] asks for them.
    Gap(Gap),
}

/// What makes an item the one it is. A gap that shrinks from below stays the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ItemKey {
    Message(MessageId),
    Gap(Sequence),
}

impl Keyed for Item {
    type Key = ItemKey;

    fn key(&self) -> ItemKey {
        match self {
            Self::Message(message) => ItemKey::Message(message.id),
            Self::Gap(gap) => ItemKey::Gap(gap.last),
        }
    }
}

impl Item {
    /// The message, if it is one.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Message(message) => Some(message),
            Self::Gap(_) => None,
        }
    }
}

/// What asking for earlier messages has brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Earlier {
    /// There may be more.
    More,
    /// The view begins where the conversation does, for this account.
    Beginning,
    /// What is before was said before this account came, and nobody has wrapped it for the account
    /// yet: an admin's device does that when it has a connection. [`Event::HistoryGiven`] tells of it.
    ///
    /// [`Event::HistoryGiven`]: crate::Event::HistoryGiven
    Awaited,
    /// The view is full; what is newer would have to leave it.
    Full,
}

/// A live view of a conversation, oldest first.
#[derive(Debug)]
pub struct Timeline {
    view: Pager,
    items: Vec<Item>,
    watch: Watch,
}

/// Asks for more of a timeline, while somebody else waits for its changes.
#[derive(Clone)]
pub struct Pager {
    hub: Arc<Hub>,
    conversation: ConversationId,
    /// Where the view begins.
    bound: Arc<Mutex<Bound>>,
    moved: Arc<Notify>,
}

impl Conversation {
    /// A live view of the newest 50 messages; more when asked.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
    pub async fn timeline(&self) -> Result<Timeline> {
        self.timeline_of(BEGINS_WITH).await
    }

    /// A live view that begins with the newest `count` messages, at most 1 000.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
    pub async fn timeline_of(&self, count: u32) -> Result<Timeline> {
        Timeline::open(Arc::clone(&self.hub), self.id, count.clamp(1, WINDOW_MAX)).await
    }
}

/// How far down the relay was asked in one go: what stays closed is not asked for again.
#[derive(Default)]
struct Asked {
    down_to: Option<Sequence>,
}

impl Asked {
    fn note(&mut self, gap: Gap, shown: Gap) {
        if shown.last >= gap.last {
            self.down_to = Some(shown.first);
        }
    }

    fn without(&self, gap: Gap) -> Option<Gap> {
        let last = self.down_to.map_or(gap.last, |place| gap.last.min(place.saturating_sub(1)));
        (gap.first <= last).then_some(Gap { last, ..gap })
    }
}

impl Timeline {
    async fn open(hub: Arc<Hub>, conversation: ConversationId, count: u32) -> Result<Self> {
        let mut watch = Watch::of(&hub.context.store);
        let newest = watch.newest();
        let now = hub.now();
        let bound = move |tx: &Transaction<'_>| window::newest(tx, conversation, count, now);
        let bound = Arc::new(Mutex::new(hub.context.store.read(bound).await?));
        let view = Pager { hub, conversation, bound, moved: Arc::new(Notify::new()) };
        let items = view.read().await?;
        watch.looked_at(newest);
        Ok(Self { view, items, watch })
    }

    /// What is there, as far as [`Self::next`] has told.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Waits until something has changed, and says what; never nothing. May be dropped and called
    /// again without losing anything.
    ///
    /// # Errors
    ///
    /// [`Kind::Closed`](crate::Kind::Closed) once the client is closed, [`Kind::StoreFailed`](crate::Kind::StoreFailed).
    pub async fn next(&mut self) -> Result<Vec<Diff<Item>>> {
        loop {
            let view = self.view.clone();
            tokio::select! {
                changed = self.watch.wait(Some(view.conversation)) => changed?,
                () = view.moved.notified() => {}
            }
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
    pub async fn refresh(&mut self) -> Result<Vec<Diff<Item>>> {
        let newest = self.watch.newest();
        let items = self.view.read().await?;
        self.watch.looked_at(newest);
        Ok(steps(&mut self.items, items))
    }

    /// What changes, as a stream that ends when the client is closed.
    pub fn into_stream(self) -> impl Stream<Item = Vec<Diff<Item>>> + Send {
        futures_util::stream::unfold(self, async |mut timeline| {
            let steps = timeline.next().await.ok()?;
            Some((steps, timeline))
        })
    }

    /// A handle that asks for more, for whoever does not hold the timeline itself.
    #[must_use]
    pub fn pager(&self) -> Pager {
        self.view.clone()
    }

    /// As [`Pager::earlier`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn earlier(&self, count: u32) -> Result<Earlier> {
        self.view.earlier(count).await
    }

    /// As [`Pager::fill`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn fill(&self, gap: Gap) -> Result<()> {
        self.view.fill(gap).await
    }
}

impl Pager {
    async fn read(&self) -> Result<Vec<Item>> {
        let (id, now) = (self.conversation, self.hub.now());
        let bound = self.bound();
        let read = move |tx: &Transaction<'_>| items(tx, id, bound, now);
        let (bound, items) = self.hub.context.store.read(read).await?;
        if let Some(later) = bound {
            *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = later;
        }
        Ok(items)
    }

    pub(super) fn bound(&self) -> Bound {
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the view begin `count` messages earlier: with what is in the store, and where that
    /// ends, with what the relay still has and this device can open. What comes is told as any
    /// change is.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`](crate::Kind::StoreFailed); what the relay refuses with, or that it cannot be reached: then the
    /// view begins as early as the store does.
    pub async fn earlier(&self, count: u32) -> Result<Earlier> {
        let (id, now, bound) = (self.conversation, self.hub.now(), self.bound());
        let earlier = move |tx: &Transaction<'_>| window::earlier(tx, id, bound, count, now);
        let (mut moved, mut brought) = self.hub.context.store.read(earlier).await?;
        if self.is_full(moved).await? {
            return Ok(Earlier::Full);
        }
        self.move_to(moved);
        let mut asked = Asked::default();
        for _ in 0..PAGES_MAX {
            if brought >= count {
                return Ok(Earlier::More);
            }
            let Some(gap) = self.newest_gap(Sequence::MIN, &asked).await? else { break };
            asked.note(gap, past::fetch(&self.hub, id, gap).await?);
            let bound = self.bound();
            let earlier =
                move |tx: &Transaction<'_>| window::earlier(tx, id, bound, count - brought, now);
            let (further, more) = self.hub.context.store.read(earlier).await?;
            (moved, brought) = (further, brought.saturating_add(more));
            self.move_to(moved);
        }
        if moved != Bound::BEGINNING || self.newest_gap(Sequence::MIN, &asked).await?.is_some() {
            return Ok(Earlier::More);
        }
        let is_whole = self.newest_gap(Sequence::MIN, &Asked::default()).await?.is_none();
        Ok(if is_whole { Earlier::Beginning } else { Earlier::Awaited })
    }

    /// Asks the relay for what stands in a gap. What this device can open appears; what is gone
    /// from the relay, or was never for this device, closes the gap all the same.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`](crate::Kind::StoreFailed); [`Kind::NotAMember`](crate::Kind::NotAMember) and what befalls every request, and the gap
    /// stays.
    pub async fn fill(&self, gap: Gap) -> Result<()> {
        let mut asked = Asked { down_to: Some(gap.last.saturating_add(1)) };
        let mut left = Some(gap);
        for _ in 0..PAGES_MAX {
            let Some(open) = left else { break };
            asked.note(open, past::fetch(&self.hub, self.conversation, open).await?);
            left = self.newest_gap(gap.first, &asked).await?;
        }
        Ok(())
    }

    /// The newest gap from a place on, without what was asked for already.
    async fn newest_gap(&self, from: Sequence, asked: &Asked) -> Result<Option<Gap>> {
        let id = self.conversation;
        let gaps = move |tx: &Transaction<'_>| history::gaps(tx, id, from);
        let gaps = self.hub.context.store.read(gaps).await?;
        Ok(gaps.into_iter().rev().find_map(|gap| asked.without(gap)))
    }

    async fn is_full(&self, bound: Bound) -> Result<bool> {
        let (id, now) = (self.conversation, self.hub.now());
        let size = move |tx: &Transaction<'_>| window::size(tx, id, bound, now);
        Ok(self.hub.context.store.read(size).await? > u64::from(WINDOW_MAX))
    }

    fn move_to(&self, bound: Bound) {
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = bound;
        self.moved.notify_one();
    }
}

/// What a view shows that begins at `bound`; and where it begins instead, if that is too much.
pub(super) fn items(
    tx: &Transaction<'_>,
    id: ConversationId,
    bound: Bound,
    now: chat_core::time::Timestamp,
) -> Result<(Option<Bound>, Vec<Item>)> {
    let is_too_much = window::size(tx, id, bound, now)? > u64::from(WINDOW_MAX);
    let later = is_too_much.then(|| window::newest(tx, id, WINDOW_MAX, now)).transpose()?;
    let bound = later.unwrap_or(bound);
    let mut gaps = history::gaps(tx, id, bound.first_place())?.into_iter().peekable();
    let mut items = Vec::new();
    for row in window::messages(tx, id, bound, now)? {
        let place = row.sequence.unwrap_or(Sequence::MAX);
        while let Some(gap) = gaps.next_if(|gap| gap.last < place) {
            items.push(Item::Gap(gap));
        }
        items.push(Item::Message(Box::new(Message::from_row(tx, row)?)));
    }
    items.extend(gaps.map(Item::Gap));
    Ok((later, items))
}

impl std::fmt::Debug for Pager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pager").field("conversation", &self.conversation).finish_non_exhaustive()
    }
}
