//! Presence: what devices say of their owners, and telling those who follow them.
//!
//! The [`Circle`] decides; this asks the board and the store, and tells connections. What could not
//! be told, because a queue was full or the board was lost, is told by a later round.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_core::codec::List;
use chat_core::frame::RelayFrame;
use chat_core::id::{AccountId, DeviceAddress, WorkspaceId};
use chat_core::limits::PRESENCES_A_FRAME_MAX;
use chat_core::presence::{Availability, Presence, PresenceState};
use chat_core::reject::{Reject, RejectCode};
use chat_core::time::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::{Caller, Services};
use crate::bus::BusEvent;
use crate::limits::{Class, Subject};
use crate::presence::circle::{Circle, Gone};
use crate::presence::{Board, BoardLost, WORD_TTL, Word};
use crate::registry::Happening;
use crate::storage::{LastSeen, StorageError};

/// How often the circle looks at the clock.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often everything that stands on the board is renewed, and read anew.
const RENEW_EVERY: Duration = Duration::from_secs(20);

/// Presence at this node.
#[derive(Debug)]
pub struct Presences {
    board: Arc<dyn Board>,
    circle: Mutex<Circle>,
    /// When people were last here, on the way to the store.
    gone: Mutex<Vec<Gone>>,
    wake: Notify,
}

impl Presences {
    /// Over a board.
    #[must_use]
    pub fn over(board: Arc<dyn Board>) -> Self {
        Self { board, circle: Mutex::default(), gone: Mutex::default(), wake: Notify::new() }
    }

    /// Takes in that a device has connected.
    pub fn connected(&self, address: DeviceAddress, connection: u64, now: Timestamp) {
        self.circle().connected(address, connection, now);
    }

    /// Takes in that a connection has ended.
    pub fn disconnected(&self, address: DeviceAddress, connection: u64, now: Timestamp) {
        self.circle().disconnected(address, connection, now);
    }

    /// Takes in that an account may show something else.
    pub fn heard_of(&self, account: AccountId) {
        self.circle().heard_of(account);
        self.wake.notify_one();
    }

    /// Takes in that the conversations of these accounts have changed.
    pub fn doubt(&self, accounts: &[AccountId]) {
        let mut circle = self.circle();
        accounts.iter().for_each(|account| circle.doubt(*account));
        drop(circle);
        self.wake.notify_one();
    }

    /// Takes in that everything may have changed.
    pub fn doubt_all(&self) {
        let mut circle = self.circle();
        circle.doubt_all();
        circle.heard_of_all();
    }

    fn circle(&self) -> MutexGuard<'_, Circle> {
        // What the lock guards is whole between any two statements.
        self.circle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> MutexGuard<'_, Vec<Gone>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says how available the caller is, everywhere or in one workspace.
///
/// # Errors
///
/// [`RejectCode::RateLimited`]; [`RejectCode::TooLarge`] for too many workspaces.
pub async fn say(
    services: &Services,
    caller: Caller,
    workspace: Option<WorkspaceId>,
    availability: Availability,
) -> Result<(), Reject> {
    let account = caller.address.account;
    services.take(Class::Presence, Subject::Account(account)).await?;
    if availability == Availability::Hidden {
        // SECURITY: an older moment would show as soon as the last device has gone.
        services.storage.forget_last_seen(account, workspace).await?;
    }
    let said = services.presence.circle().said(caller.address, workspace, availability);
    if !said {
        return Err(Reject::from(RejectCode::TooLarge)
            .saying("This device speaks of more workspaces than the relay remembers."));
    }
    services.presence.wake.notify_one();
    Ok(())
}

/// Lets the caller's device follow `accounts` in a workspace, in place of those it followed there.
///
/// It is told about those with whom it shares a conversation there, and nothing about the others.
///
/// # Errors
///
/// [`RejectCode::RateLimited`]; [`RejectCode::TooLarge`] for too many accounts.
pub async fn follow(
    services: &Services,
    caller: Caller,
    workspace: WorkspaceId,
    accounts: &[AccountId],
) -> Result<(), Reject> {
    let account = caller.address.account;
    services.take(Class::Presence, Subject::Account(account)).await?;
    let known = visible(services, account, workspace).await?;
    let allowed: Vec<AccountId> =
        accounts.iter().copied().filter(|account| known.contains(account)).collect();
    let pairs: Vec<_> = allowed.iter().map(|followed| (*followed, account)).collect();
    if !services.presence.circle().follow(caller.address, workspace, &allowed) {
        return Err(Reject::from(RejectCode::TooLarge)
            .saying("This device follows more accounts than the relay remembers."));
    }
    // The renewal makes up for a board that is lost.
    let _ = services.presence.board.follow(&pairs).await;
    services.presence.wake.notify_one();
    Ok(())
}

/// Whom an account may follow in a workspace: itself, and who shares a conversation with it there.
async fn visible(
    services: &Services,
    account: AccountId,
    workspace: WorkspaceId,
) -> Result<BTreeSet<AccountId>, StorageError> {
    let mut known: BTreeSet<AccountId> =
        services.storage.acquaintances_in(account, workspace).await?.into_iter().collect();
    known.insert(account);
    Ok(known)
}

/// Carries out what the circle decides, again and again; does not return.
pub async fn run(services: Arc<Services>) {
    let (mut look_at, mut renew_at) = (Instant::now(), Instant::now() + RENEW_EVERY);
    loop {
        let until = look_at;
        tokio::select! {
            () = services.presence.wake.notified() => {}
            () = sleep_until(until) => {
                look_at = Instant::now() + LOOK_EVERY;
                advance(&services);
            }
        }
        if Instant::now() >= renew_at {
            renew_at = Instant::now() + RENEW_EVERY;
            renew(&services).await;
        }
        settle(&services).await;
    }
}

/// Does at once what time brings: the silent are online, the lingering are gone.
pub fn advance(services: &Services) {
    let gone = services.presence.circle().advance(services.now());
    services.presence.gone().extend(gone);
}

/// Writes down anew everything that would run out, and doubts everything that was told.
pub async fn renew(services: &Services) {
    let presence = &services.presence;
    let (words, pairs) = {
        let mut circle = presence.circle();
        circle.heard_of_all();
        let words: Vec<_> =
            circle.accounts().into_iter().map(|account| (account, circle.word(account))).collect();
        (words, circle.pairs())
    };
    let renewed = async {
        presence.board.say(&words).await?;
        presence.board.follow(&pairs).await
    };
    if let Err(error) = renewed.await {
        tracing::debug!(%error, "presence is renewed later");
    }
}

/// Says and tells everything that there is to be said and told at the moment.
pub async fn settle(services: &Services) {
    if let Err(error) = say_changes(services).await {
        tracing::debug!(%error, "presence is said later");
    }
    if let Err(error) = check_doubted(services).await {
        tracing::debug!(%error, "who may follow whom is looked at later");
        services.presence.circle().doubt_all();
    }
    let accounts = services.presence.circle().take_heard_of();
    if let Err(error) = tell(services, &accounts).await {
        tracing::debug!(%error, "presence is told later");
        accounts.iter().for_each(|account| services.presence.circle().heard_of(*account));
    }
    keep_last_seen(services).await;
}

/// Takes everybody off the board, for a node that leaves.
pub async fn leave(services: &Services) {
    let gone = services.presence.circle().leave(services.now());
    services.presence.gone().extend(gone);
    settle(services).await;
    services.presence.board.close().await;
}

async fn say_changes(services: &Services) -> Result<(), BoardLost> {
    let presence = &services.presence;
    let words: Vec<_> = {
        let mut circle = presence.circle();
        let changed = circle.take_changed();
        changed.into_iter().map(|account| (account, circle.word(account))).collect()
    };
    if words.is_empty() {
        return Ok(());
    }
    // When somebody was last there has to be known before they are told to have gone.
    keep_last_seen(services).await;
    let accounts: Vec<AccountId> = words.iter().map(|(account, _)| *account).collect();
    let said = async {
        presence.board.say(&words).await?;
        presence.board.followers(&accounts).await
    };
    match said.await {
        Ok(followers) => {
            for account in accounts {
                services.bus.publish(&followers, BusEvent::Presence { account });
            }
            Ok(())
        }
        Err(error) => {
            let mut circle = presence.circle();
            // Who follows here is told what this node knows.
            circle.put_back(accounts);
            Err(error)
        }
    }
}

/// Ends what somebody follows with whom they share no conversation any more.
async fn check_doubted(services: &Services) -> Result<(), StorageError> {
    let doubted = services.presence.circle().take_doubted();
    for (device, followed) in doubted {
        let mut visible_in = BTreeMap::new();
        for (workspace, account) in followed {
            if let std::collections::btree_map::Entry::Vacant(place) = visible_in.entry(workspace) {
                place.insert(visible(services, device.account, workspace).await?);
            }
            let known = visible_in.get(&workspace);
            if known.is_none_or(|known| !known.contains(&account)) {
                services.presence.circle().refuse(device, workspace, account);
            }
        }
    }
    Ok(())
}

/// Why somebody could not be told.
#[derive(Debug, thiserror::Error)]
enum NotTold {
    #[error(transparent)]
    Board(#[from] BoardLost),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Tells followers here what has changed for them.
async fn tell(services: &Services, accounts: &[AccountId]) -> Result<(), NotTold> {
    if accounts.is_empty() {
        return Ok(());
    }
    let words = services.presence.board.read(accounts).await?;
    let absent: Vec<AccountId> =
        accounts.iter().zip(&words).filter(|(_, w)| w.is_none()).map(|(a, _)| *a).collect();
    let mut last_seen = HashMap::new();
    for LastSeen { account, workspace, at } in services.storage.last_seen(&absent).await? {
        last_seen.insert((account, workspace), at);
    }
    let mut news: BTreeMap<DeviceAddress, Vec<Presence>> = BTreeMap::new();
    {
        let circle = services.presence.circle();
        for (account, word) in accounts.iter().zip(&words) {
            for (device, workspace) in circle.watched_in(*account) {
                let at = last_seen.get(&(*account, workspace)).copied();
                let presence = presence_of(*account, workspace, word.as_ref(), at);
                if circle.is_news(device, &presence) {
                    news.entry(device).or_default().push(presence);
                }
            }
        }
    }
    for (device, presences) in news {
        for some in presences.chunks(PRESENCES_A_FRAME_MAX) {
            hand_over(services, device, some);
        }
    }
    Ok(())
}

fn presence_of(
    account: AccountId,
    workspace: WorkspaceId,
    word: Option<&Word>,
    last_seen: Option<Timestamp>,
) -> Presence {
    let availability = word.map(|word| word.in_workspace(workspace));
    let state = PresenceState::from(availability);
    let last_seen = last_seen.filter(|_| availability.is_none());
    Presence { account, workspace, state, last_seen }
}

/// Hands a frame to a connection that has room for it; to others a later round does.
fn hand_over(services: &Services, device: DeviceAddress, presences: &[Presence]) {
    // INVARIANT: the caller cuts them to what a frame holds.
    let Ok(list) = List::new(presences.to_vec()) else { return };
    let frame = Happening::Frame(Arc::new(RelayFrame::Presence { presences: list }));
    let told = services.registry.tell_lightly(device.account, &frame, |other| other == device);
    if told > 0 {
        let mut circle = services.presence.circle();
        presences.iter().for_each(|presence| circle.told(device, *presence));
    }
}

/// Writes down when people were last there, all that have gone since the last time together.
async fn keep_last_seen(services: &Services) {
    let mut gone = std::mem::take(&mut *services.presence.gone());
    if gone.is_empty() {
        return;
    }
    let accounts: Vec<AccountId> = gone.iter().map(|one| one.account).collect();
    // SECURITY: who hides on another node hides here too.
    let words = services.presence.board.read(&accounts).await.unwrap_or_default();
    for (one, word) in gone.iter_mut().zip(words) {
        if let Some(folded) = Word::fold(word.iter().chain([&one.word])) {
            one.word = folded;
        }
    }
    if let Err(error) = services.storage.put_last_seen(&gone).await {
        tracing::warn!(%error, count = gone.len(), "when people were last there is kept later");
        services.presence.gone().extend(gone);
    }
}

const _: () = assert!(RENEW_EVERY.as_secs() * 2 < WORD_TTL.as_secs());
