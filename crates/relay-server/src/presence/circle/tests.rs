use chat_core::presence::PresenceState;

use super::*;

const ALICE: AccountId = AccountId::from_bytes([1; 16]);
const BOB: AccountId = AccountId::from_bytes([2; 16]);
const WORK: WorkspaceId = WorkspaceId::from_bytes([3; 16]);
const START: Timestamp = Timestamp::from_millis(1_000_000);

#[test]
fn a_device_that_says_nothing_is_online_after_a_moment() {
    let mut circle = Circle::default();
    circle.connected(device(ALICE, 1), 1, START);

    circle.advance(START.after(SILENT_FOR - Duration::from_millis(1)));
    let early = circle.word(ALICE);
    circle.advance(START.after(SILENT_FOR));

    assert_eq!(early, None);
    assert_eq!(circle.word(ALICE), Some(Word::everywhere(Availability::Online)));
    assert_eq!(circle.take_changed(), BTreeSet::from([ALICE]));
}

#[test]
fn who_hides_at_once_is_never_shown() {
    let mut circle = Circle::default();
    circle.connected(device(ALICE, 1), 1, START);

    circle.said(device(ALICE, 1), None, Availability::Hidden);
    circle.advance(START.after(SILENT_FOR));

    assert_eq!(circle.word(ALICE), Some(Word::everywhere(Availability::Hidden)));
}

#[test]
fn who_comes_back_within_the_grace_was_never_away() {
    let mut circle = Circle::default();
    circle.connected(device(ALICE, 1), 1, START);
    circle.said(device(ALICE, 1), None, Availability::Busy);
    circle.take_changed();

    circle.disconnected(device(ALICE, 1), 1, START);
    circle.connected(device(ALICE, 1), 2, START);
    // The older connection's end is heard of late.
    circle.disconnected(device(ALICE, 1), 1, START);
    let gone = circle.advance(START.after(GRACE * 2));

    assert!(gone.is_empty());
    assert!(circle.take_changed().is_empty());
    assert_eq!(circle.word(ALICE), Some(Word::everywhere(Availability::Busy)));
}

#[test]
fn who_stays_away_is_gone_since_the_connection_was_lost() {
    let mut circle = Circle::default();
    circle.connected(device(ALICE, 1), 1, START);
    circle.said(device(ALICE, 1), None, Availability::Away);
    circle.disconnected(device(ALICE, 1), 1, START);

    let early = circle.advance(START.after(GRACE - Duration::from_millis(1)));
    let gone = circle.advance(START.after(GRACE));

    assert!(early.is_empty());
    let word = Word::everywhere(Availability::Away);
    assert_eq!(gone, [Gone { account: ALICE, word, at: START }]);
    assert_eq!(circle.word(ALICE), None);
}

#[test]
fn one_of_several_devices_may_go_unnoticed() {
    let mut circle = Circle::default();
    for number in [1, 2] {
        circle.connected(device(ALICE, number), number.into(), START);
        circle.said(device(ALICE, number), None, Availability::Online);
    }
    circle.take_changed();

    circle.disconnected(device(ALICE, 1), 1, START);
    let gone = circle.advance(START.after(GRACE));

    assert!(gone.is_empty());
    assert!(circle.take_changed().is_empty());
}

#[test]
fn a_device_names_so_many_workspaces_and_no_more() {
    let mut circle = Circle::default();
    circle.connected(device(ALICE, 1), 1, START);
    let workspace = |number: usize| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        WorkspaceId::from_bytes(bytes)
    };
    let mut says =
        |number| circle.said(device(ALICE, 1), Some(workspace(number)), Availability::Busy);

    assert!((0..PRESENCE_WORKSPACES_MAX).all(&mut says));
    assert!(!says(PRESENCE_WORKSPACES_MAX));
    assert!(says(0));
}

#[test]
fn a_follower_is_told_what_it_does_not_know() {
    let mut circle = Circle::default();
    let bob = device(BOB, 1);
    let online = presence(PresenceState::Online);

    circle.follow(bob, WORK, &[ALICE]);
    let first = circle.is_news(bob, &online);
    circle.told(bob, online);

    assert!(first);
    assert_eq!(circle.take_heard_of(), [ALICE]);
    assert!(!circle.is_news(bob, &online));
    assert!(circle.is_news(bob, &presence(PresenceState::Offline)));
    assert_eq!(circle.watched_in(ALICE), [(bob, WORK)]);
    assert_eq!(circle.pairs(), [(ALICE, BOB)]);
}

#[test]
fn who_follows_nobody_any_more_is_told_nothing() {
    let mut circle = Circle::default();
    let bob = device(BOB, 1);
    circle.connected(bob, 1, START);

    circle.follow(bob, WORK, &[ALICE]);
    circle.disconnected(bob, 1, START);
    circle.heard_of(ALICE);

    assert!(circle.pairs().is_empty());
    assert!(!circle.is_news(bob, &presence(PresenceState::Online)));
}

#[test]
fn a_device_follows_so_many_accounts_and_no_more() {
    let mut circle = Circle::default();
    let many: Vec<AccountId> = (0..=FOLLOWED_MAX as u64)
        .map(|number| {
            let mut bytes = [7; 16];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            AccountId::from_bytes(bytes)
        })
        .collect();

    assert!(!circle.follow(device(BOB, 1), WORK, &many));
    assert!(circle.follow(device(BOB, 1), WORK, &many[1..]));
    assert!(!circle.follow(device(BOB, 1), WorkspaceId::from_bytes([9; 16]), &many[..1]));
}

#[test]
fn who_may_no_longer_follow_is_told_nothing() {
    let mut circle = Circle::default();
    let bob = device(BOB, 1);
    circle.follow(bob, WORK, &[ALICE]);

    circle.doubt(BOB);
    let doubted = circle.take_doubted();
    circle.refuse(bob, WORK, ALICE);

    assert_eq!(doubted, [(bob, vec![(WORK, ALICE)])]);
    assert!(circle.take_doubted().is_empty());
    assert!(!circle.is_news(bob, &presence(PresenceState::Online)));
    assert!(circle.pairs().is_empty());
}

fn device(account: AccountId, number: u8) -> DeviceAddress {
    DeviceAddress { account, device: DeviceId::from_bytes([number; 16]) }
}

fn presence(state: PresenceState) -> Presence {
    Presence { account: ALICE, workspace: WORK, state, last_seen: None }
}
