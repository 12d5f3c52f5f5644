//! Presence: who is told what about whom, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chat_core::codec::List;
use chat_core::frame::{ClientFrame, RelayFrame, SUBPROTOCOL_JSON};
use chat_core::id::{AccountId, WorkspaceId};
use chat_core::limits::FOLLOWED_MAX;
use chat_core::membership::Change;
use chat_core::presence::{Availability, Presence, PresenceState};
use chat_core::reject::RejectCode;
use relay_server::bus::NodeId;
use relay_server::bus::local::LocalHub;
use relay_server::clock::ManualClock;
use relay_server::presence::circle::{GRACE, SILENT_FOR};
use relay_server::presence::local::LocalBoard;
use relay_server::presence::{Board, BoardLost, Word};
use relay_server::storage::sqlite::Store;
use relay_server::testing::TestRelay;
use tokio_tungstenite::tungstenite::Message;

use crate::conversations::three;
use crate::people::{NOW, Person};
use crate::socket::Socket;

#[tokio::test]
async fn a_follower_is_told_what_somebody_says_of_themselves() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    alice.direct(&bob).await;
    let (mut alices, mut bobs) = (alice.connect_idle().await, bob.connect_idle().await);

    follow(&bob, &mut bobs, &[alice.account]).await;
    let mut told = vec![presence(&mut bobs).await.state];
    for availability in [Availability::Online, Availability::Busy, Availability::Away] {
        say(&mut alices, availability).await;
        told.push(presence(&mut bobs).await.state);
    }

    let expected =
        [PresenceState::Offline, PresenceState::Online, PresenceState::Busy, PresenceState::Away];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn strangers_are_told_nothing() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    alice.direct(&bob).await;
    bob.direct(&carol).await;
    let (mut bobs, mut carols) = (bob.connect_idle().await, carol.connect_idle().await);
    say(&mut bobs, Availability::Online).await;
    bobs.settle().await;

    // Alice is a stranger to Carol; Bob is not.
    follow(&carol, &mut carols, &[alice.account, bob.account]).await;

    let told = presences(&mut carols).await;
    assert_eq!(told.iter().map(|one| one.account).collect::<Vec<_>>(), [bob.account]);
}

#[tokio::test]
async fn who_hides_looks_like_somebody_who_was_never_there() {
    let clock = Arc::new(ManualClock::at(NOW));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let [alice, bob, carol] = three(&relay).await;
    alice.group(&[&bob, &carol]).await;
    let (mut alices, mut bobs) = (alice.connect_idle().await, bob.connect_idle().await);
    say(&mut alices, Availability::Online).await;
    alices.settle().await;
    hang_up(&relay, alices, 1).await;
    clock.advance(GRACE);
    relay.relay().settle_presence().await;

    follow(&bob, &mut bobs, &[alice.account, carol.account]).await;
    let before = presences(&mut bobs).await;
    let mut alices = alice.connect_idle().await;
    say(&mut alices, Availability::Hidden).await;
    let hidden = presence(&mut bobs).await;
    hang_up(&relay, alices, 1).await;
    clock.advance(GRACE);
    relay.relay().settle_presence().await;
    follow(&bob, &mut bobs, &[alice.account, carol.account]).await;
    let after = presences(&mut bobs).await;

    let of = |all: &[Presence], who: AccountId| *all.iter().find(|p| p.account == who).unwrap();
    assert!(of(&before, alice.account).last_seen.is_some());
    let never = of(&before, carol.account);
    assert_eq!((never.state, never.last_seen), (PresenceState::Offline, None));
    assert_eq!(hidden, Presence { account: alice.account, ..never });
    assert_eq!(of(&after, alice.account), hidden);
}

#[tokio::test]
async fn who_stays_away_was_last_seen_when_the_connection_ended() {
    let clock = Arc::new(ManualClock::at(NOW));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let [alice, bob, _] = three(&relay).await;
    alice.direct(&bob).await;
    let (mut alices, mut bobs) = (alice.connect_idle().await, bob.connect_idle().await);
    say(&mut alices, Availability::Online).await;
    alices.settle().await;
    follow(&bob, &mut bobs, &[alice.account]).await;
    let here = presence(&mut bobs).await;

    alices.close().await;
    // Whoever comes back at once was never away.
    let mut alices = alice.connect_idle().await;
    alices.settle().await;
    hang_up(&relay, alices, 1).await;
    clock.advance(GRACE);
    relay.relay().settle_presence().await;
    let gone = presence(&mut bobs).await;

    assert_eq!((here.state, here.last_seen), (PresenceState::Online, None));
    assert_eq!((gone.state, gone.last_seen), (PresenceState::Offline, Some(NOW)));
}

#[tokio::test]
async fn a_client_that_says_nothing_is_online_after_a_moment() {
    let clock = Arc::new(ManualClock::at(NOW));
    let relay = TestRelay::builder().clock(clock.clone()).start().await;
    let [alice, bob, _] = three(&relay).await;
    alice.direct(&bob).await;
    let (_alices, mut bobs) = (alice.connect_idle().await, bob.connect_idle().await);

    follow(&bob, &mut bobs, &[alice.account]).await;
    let silent = presence(&mut bobs).await;
    clock.advance(SILENT_FOR);
    let taken_for = presence(&mut bobs).await;

    assert_eq!(silent.state, PresenceState::Offline);
    assert_eq!(taken_for.state, PresenceState::Online);
}

#[tokio::test]
async fn one_is_seen_otherwise_in_another_workspace() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    alice.direct(&bob).await;
    let here = alice.rest.limits().await.default_workspace;
    let elsewhere = WorkspaceId::from_bytes([9; 16]);
    let (mut alices, mut bobs) = (alice.connect_idle().await, bob.connect_idle().await);

    say(&mut alices, Availability::Busy).await;
    say_in(&mut alices, elsewhere, Availability::Away).await;
    alices.settle().await;
    follow(&bob, &mut bobs, &[alice.account]).await;
    let unchanged = presence(&mut bobs).await;
    say_in(&mut alices, here, Availability::Hidden).await;
    let hidden = presence(&mut bobs).await;

    assert_eq!((unchanged.state, unchanged.workspace), (PresenceState::Busy, here));
    assert_eq!(hidden.state, PresenceState::Offline);
}

#[tokio::test]
async fn who_no_longer_shares_a_conversation_is_told_no_more() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let mut group = alice.group(&[&bob, &carol]).await;
    let (mut alices, mut bobs) = (alice.connect_idle().await, bob.connect_idle().await);
    let mut carols = carol.connect_idle().await;
    for (person, socket) in [(&bob, &mut bobs), (&carol, &mut carols)] {
        follow(person, socket, &[alice.account]).await;
        presence(socket).await;
    }

    alice.change(&mut group, Change::Remove { account: bob.account }).await.unwrap();
    relay.relay().settle_presence().await;
    say(&mut alices, Availability::Busy).await;
    let told = presence(&mut carols).await;

    assert_eq!(told.state, PresenceState::Busy);
    assert!(bobs.settle().await.iter().all(|f| !matches!(f, RelayFrame::Presence { .. })));
}

#[tokio::test]
async fn a_lost_board_makes_nobody_vanish() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
    let hub = LocalHub::default();
    let board = Arc::new(Lossy {
        board: hub.boards().node(NodeId::from_bytes([1; 16])),
        is_lost: AtomicBool::new(false),
    });
    let builder = TestRelay::builder().sharing(&hub, Arc::new(store)).board(board.clone());
    let relay = builder.start().await;
    let [alice, bob, _] = three(&relay).await;
    alice.direct(&bob).await;
    let (mut alices, mut bobs) = (alice.connect_idle().await, bob.connect_idle().await);
    say(&mut alices, Availability::Busy).await;
    alices.settle().await;
    follow(&bob, &mut bobs, &[alice.account]).await;
    let before = presence(&mut bobs).await;

    board.is_lost.store(true, Ordering::SeqCst);
    follow(&bob, &mut bobs, &[alice.account]).await;
    bobs.settle().await;
    relay.relay().settle_presence().await;
    let meanwhile = bobs.settle().await;
    board.is_lost.store(false, Ordering::SeqCst);
    relay.relay().settle_presence().await;
    let after = presence(&mut bobs).await;

    assert!(meanwhile.iter().all(|frame| !matches!(frame, RelayFrame::Presence { .. })));
    assert_eq!(before, after);
    assert_eq!(after.state, PresenceState::Busy);
}

/// A board that can be lost.
#[derive(Debug)]
struct Lossy {
    board: LocalBoard,
    is_lost: AtomicBool,
}

impl Lossy {
    fn check(&self) -> Result<(), BoardLost> {
        if self.is_lost.load(Ordering::SeqCst) { Err(BoardLost) } else { Ok(()) }
    }
}

#[async_trait]
impl Board for Lossy {
    async fn say(&self, words: &[(AccountId, Option<Word>)]) -> Result<(), BoardLost> {
        self.check()?;
        self.board.say(words).await
    }

    async fn read(&self, accounts: &[AccountId]) -> Result<Vec<Option<Word>>, BoardLost> {
        self.check()?;
        self.board.read(accounts).await
    }

    async fn follow(&self, pairs: &[(AccountId, AccountId)]) -> Result<(), BoardLost> {
        self.check()?;
        self.board.follow(pairs).await
    }

    async fn followers(&self, accounts: &[AccountId]) -> Result<Vec<AccountId>, BoardLost> {
        self.check()?;
        self.board.followers(accounts).await
    }

    async fn close(&self) {
        self.board.close().await;
    }
}

#[tokio::test]
async fn a_client_follows_so_many_and_not_more() {
    let relay = TestRelay::start().await;
    let [alice, _, _] = three(&relay).await;
    let token = Some(alice.tokens.access.as_str());
    let url = &alice.rest.url;
    let mut socket = Socket::open_as(url, token, SUBPROTOCOL_JSON, &[]).await.unwrap();
    socket.connected().await;
    let text = serde_json::json!({
        "type": "presence:follow",
        "workspace": WorkspaceId::from_bytes([1; 16]),
        "accounts": vec![AccountId::from_bytes([1; 16]); FOLLOWED_MAX + 1],
    });

    socket.send_raw(Message::text(text.to_string())).await;

    assert_eq!(socket.refusal().await, RejectCode::TooLarge);
}

/// Ends a connection, and returns when the relay knows it: so many are left.
async fn hang_up(relay: &TestRelay, socket: Socket, left: usize) {
    socket.close().await;
    let line = format!("sealwire_connections {left}");
    while !relay.relay().metrics().lines().any(|metric| metric == line) {
        tokio::task::yield_now().await;
    }
}

async fn follow(person: &Person, socket: &mut Socket, accounts: &[AccountId]) {
    let workspace = person.rest.limits().await.default_workspace;
    let accounts = List::new(accounts.to_vec()).unwrap();
    socket.send(&ClientFrame::FollowPresence { workspace, accounts }).await;
}

async fn say(socket: &mut Socket, availability: Availability) {
    socket.send(&ClientFrame::Presence { workspace: None, availability }).await;
}

async fn say_in(socket: &mut Socket, workspace: WorkspaceId, availability: Availability) {
    let workspace = Some(workspace);
    socket.send(&ClientFrame::Presence { workspace, availability }).await;
}

async fn presences(socket: &mut Socket) -> Vec<Presence> {
    let told = socket.wait_for(|frame| match frame {
        RelayFrame::Presence { presences } => Some(presences.into_vec()),
        _ => None,
    });
    told.await
}

/// What one frame tells of one account.
async fn presence(socket: &mut Socket) -> Presence {
    let [one] = presences(socket).await.try_into().unwrap();
    one
}
