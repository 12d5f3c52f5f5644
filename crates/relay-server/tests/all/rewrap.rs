//! Giving the past: who may, by which wraps, and who reads by them.

use chat_core::api::conversations::{AddWraps, AddedWrap, MessagePage, WrapsAdded};
use chat_core::codec::{Bytes, List};
use chat_core::envelope::{Envelope, Recipient, Suite, Wrap, WrapScheme};
use chat_core::id::{AccountId, ConversationId};
use chat_core::limits::PAGE_MAX;
use chat_core::membership::{Allowed, Change, ConversationKind, History, Membership, Policy};
use chat_core::reject::{Reject, RejectCode};
use relay_server::retention::Rules;
use relay_server::testing::TestRelay;

use crate::conversations::{add, three};
use crate::people::{Person, envelope_keys};

/// How long a wrap of [`Policy::CHANNEL`]'s scheme is.
const BYTES: usize = 1_172;

#[tokio::test]
async fn who_came_later_reads_by_the_wraps_that_somebody_gives() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let mut channel = begun(&alice, Policy::CHANNEL, 2).await;
    bob.change(&mut channel, Change::Join).await.unwrap();
    let before = wraps_of(&bob, channel.id()).await;
    let given = [at(2, wrap(bob.account, 1)), at(1, wrap(bob.account, 1))];

    let added = give(&alice, channel.id(), &given).await;
    let again = give(&alice, channel.id(), &given).await;

    assert_eq!(before, [vec![], vec![]]);
    assert_eq!((added, again), (Ok(2), Ok(0)));
    let bobs = vec![wrap(bob.account, 1)];
    assert_eq!(wraps_of(&bob, channel.id()).await, [bobs.clone(), bobs]);
    let alices = vec![wrap(alice.account, 1)];
    assert_eq!(wraps_of(&alice, channel.id()).await, [alices.clone(), alices]);
    let metrics = alice.rest.raw("GET", "/metrics", None, None).await.1;
    assert!(String::from_utf8(metrics).unwrap().contains("\nsealwire_rewrapped_total 2\n"));
}

#[tokio::test]
async fn who_may_not_add_members_gives_nothing() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let mut channel = begun(&alice, Policy::CHANNEL, 1).await;
    bob.change(&mut channel, Change::Join).await.unwrap();
    let given = [at(1, wrap(bob.account, 1))];
    let nowhere = ConversationId::from_bytes([9; 16]);

    let stranger = give(&carol, channel.id(), &given).await;
    let lost = give(&alice, nowhere, &given).await;
    let member = give(&bob, channel.id(), &given).await;
    let policy = Policy { add: Allowed::Members, ..channel.policy() };
    alice.change(&mut channel, Change::SetPolicy { policy }).await.unwrap();
    let allowed = give(&bob, channel.id(), &given).await;

    assert_eq!(stranger, Err(RejectCode::NotAMember));
    assert_eq!(lost, Err(RejectCode::NotAMember));
    assert_eq!(member, Err(RejectCode::Forbidden));
    assert_eq!(allowed, Ok(1));
}

#[tokio::test]
async fn where_newcomers_read_from_their_joining_nobody_gives_the_past() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let policy = Policy { history: History::FromJoining, ..Policy::CHANNEL };
    let mut channel = begun(&alice, policy, 1).await;
    alice.change(&mut channel, add(&bob)).await.unwrap();

    let refused = give(&alice, channel.id(), &[at(1, wrap(bob.account, 1))]).await;

    assert_eq!(refused, Err(RejectCode::Forbidden));
}

#[tokio::test]
async fn what_is_no_wrap_for_a_member_is_refused_and_nothing_is_kept() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let dave = Person::register(&relay, "dave").await;
    let mut channel = begun(&alice, Policy::CHANNEL, 1).await;
    for newcomer in [&bob, &dave] {
        newcomer.change(&mut channel, Change::Join).await.unwrap();
    }
    dave.delete_account().await.unwrap();
    let good = wrap(bob.account, 1);
    let of = |scheme, length| Wrap { scheme, ..wrap_of(bob.account, 1, length) };
    let to = |to| Wrap { to, ..good.clone() };

    for misshapen in [
        of(WrapScheme::HpkeX25519, 84),
        of(WrapScheme::RsaOaep4096, 512),
        of(WrapScheme::Ratchet, BYTES),
        of(WrapScheme::SenderChain, BYTES),
        wrap_of(bob.account, 1, BYTES - 1),
        wrap_of(bob.account, 1, BYTES + 1),
        wrap(bob.account, 0),
        to(Recipient::Everyone),
        to(Recipient::Device(bob.device.address)),
    ] {
        let refused = give(&alice, channel.id(), &[at(1, good.clone()), at(1, misshapen)]).await;
        assert_eq!(refused, Err(RejectCode::NotVerified));
    }
    for (account, epoch) in [(carol.account, 1), (dave.account, 1), (bob.account, 2)] {
        let wraps = [at(1, good.clone()), at(1, wrap(account, epoch))];
        let refused = try_give(&alice, channel.id(), &wraps).await.unwrap_err();
        assert_eq!(refused.code, RejectCode::StaleDevices);
        assert_eq!(refused.accounts.unwrap().to_vec(), [account]);
    }
    assert_eq!(wraps_of(&bob, channel.id()).await, [vec![]]);
    assert_eq!(give(&alice, channel.id(), &[at(1, good)]).await, Ok(1));
}

#[tokio::test]
async fn more_wraps_than_a_page_has_messages_are_refused() {
    let relay = TestRelay::start().await;
    let [alice, ..] = three(&relay).await;
    let channel = begun(&alice, Policy::CHANNEL, 0).await;
    let path = path(channel.id());
    let body = |count| serde_json::json!({ "wraps": vec![at(1, wrap(alice.account, 1)); count] });

    let most = alice.post::<WrapsAdded>(&path, &body(PAGE_MAX)).await;
    let more = alice.post::<WrapsAdded>(&path, &body(PAGE_MAX + 1)).await;

    assert_eq!(most.unwrap().added, 0);
    assert_eq!(more.unwrap_err().code, RejectCode::TooLarge);
}

#[tokio::test]
async fn a_message_is_wrapped_again_for_newer_keys() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let mut channel = begun(&alice, Policy::CHANNEL, 1).await;
    bob.change(&mut channel, Change::Join).await.unwrap();
    give(&alice, channel.id(), &[at(1, wrap(bob.account, 1))]).await.unwrap();
    let keys = envelope_keys(bob.account, &bob.identity, 2);
    bob.put("/v1/account/envelope-keys", &keys).await.unwrap();

    let newer = give(&alice, channel.id(), &[at(1, wrap(bob.account, 2))]).await;

    assert_eq!(newer, Ok(1));
    let both = vec![wrap(bob.account, 1), wrap(bob.account, 2)];
    assert_eq!(wraps_of(&bob, channel.id()).await, [both]);
}

#[tokio::test]
async fn what_is_given_counts_as_stored_by_whoever_gives() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let mut channel = begun(&alice, Policy { add: Allowed::Members, ..Policy::CHANNEL }, 2).await;
    bob.change(&mut channel, Change::Join).await.unwrap();
    let workspace = alice.rest.limits().await.default_workspace;
    let room_for_one = u64::try_from(BYTES * 3 / 2).unwrap();
    let rules = Rules { account_bytes: Some(room_for_one), ..Rules::default() };
    relay.relay().set_rules(workspace, rules).await.unwrap();
    let give =
        async |sequence| give(&bob, channel.id(), &[at(sequence, wrap(bob.account, 1))]).await;

    let (first, again_at_the_edge) = (give(1).await, give(1).await);
    let too_much = give(2).await;

    assert_eq!(first, Ok(1));
    assert_eq!(again_at_the_edge, Err(RejectCode::QuotaExceeded));
    assert_eq!(too_much, Err(RejectCode::QuotaExceeded));
    assert_eq!(wraps_of(&bob, channel.id()).await, [vec![wrap(bob.account, 1)], vec![]]);
}

/// A channel with messages, in which this person is alone for now.
async fn begun(person: &Person, policy: Policy, messages: usize) -> Membership {
    let channel = person.begin(ConversationKind::Channel, &[], policy).await.unwrap();
    let mut socket = person.connect_idle().await;
    for _ in 0..messages {
        let mut message = person.message(&channel, &[]);
        message.header.suite = Suite::Signed;
        message.wraps = vec![wrap(person.account, 1)];
        socket.send_message(&message.seal()).await.unwrap();
    }
    channel
}

fn at(sequence: u64, wrap: Wrap) -> AddedWrap {
    AddedWrap { sequence, wrap }
}

fn wrap(to: AccountId, epoch: u32) -> Wrap {
    wrap_of(to, epoch, BYTES)
}

fn wrap_of(to: AccountId, epoch: u32, length: usize) -> Wrap {
    let bytes = Bytes::new(vec![7; length]).unwrap();
    Wrap { scheme: WrapScheme::HpkeXwing, to: Recipient::Account(to), epoch, bytes }
}

fn path(conversation: ConversationId) -> String {
    format!("/v1/conversations/{conversation}/wraps")
}

async fn give(
    by: &Person,
    conversation: ConversationId,
    wraps: &[AddedWrap],
) -> Result<u64, RejectCode> {
    try_give(by, conversation, wraps).await.map_err(|reject| reject.code)
}

async fn try_give(
    by: &Person,
    conversation: ConversationId,
    wraps: &[AddedWrap],
) -> Result<u64, Reject> {
    let body = AddWraps { wraps: List::new(wraps.to_vec()).unwrap() };
    let answer: WrapsAdded = by.post(&path(conversation), &body).await?;
    Ok(answer.added)
}

/// What somebody finds with each message.
async fn wraps_of(reader: &Person, conversation: ConversationId) -> Vec<Vec<Wrap>> {
    let path = format!("/v1/conversations/{conversation}/messages?after=0");
    let page: MessagePage = reader.get(&path).await.unwrap();
    let wraps = |envelope: Envelope| envelope.wraps.into_vec();
    page.messages.into_iter().map(|it| it.envelope.map(wraps).unwrap_or_default()).collect()
}
