//! Messages: what the relay accepts, what it refuses, and who gets it.

use chat_core::api::conversations::{MessagePage, Receipts};
use chat_core::codec::{Bytes, Digest};
use chat_core::envelope::{Envelope, Recipient, Suite, Wrap, WrapScheme};
use chat_core::frame::{ClientFrame, RelayFrame, Typing};
use chat_core::id::{ConversationId, DeviceAddress, DeviceId, MessageId};
use chat_core::membership::{Allowed, Change, ConversationKind, Policy, Role};
use chat_core::receipt::ReceiptKind;
use chat_core::reject::RejectCode;
use relay_server::testing::TestRelay;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqliteConnection};

use crate::conversations::{add, three};
use crate::people::{Person, wrap};

#[tokio::test]
async fn a_message_reaches_its_recipient_with_only_its_own_wrap() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let group = alice.group(&[&bob, &carol]).await;
    let mut bobs = bob.connect_idle().await;
    let mut alices = alice.connect_idle().await;
    let sealed = alice.message(&group, &[&bob, &carol]).seal();

    let accepted = alices.send_message(&sealed).await;

    assert_eq!(accepted, Ok(1));
    let (sequence, received) = bobs.delivery().await;
    assert_eq!(sequence, 1);
    assert_eq!(received.wraps.to_vec(), [wrap(bob.device.address)]);
    let as_sent = Envelope { wraps: received.wraps.clone(), ..sealed };
    assert_eq!(received, as_sent);
}

#[tokio::test]
async fn a_row_that_the_store_does_not_take_is_not_the_end_of_its_neighbours() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    let envelopes: Vec<_> = (0..40).map(|_| alice.message(&chat, &[&bob]).seal()).collect();
    let poison = envelopes[17].read_header().unwrap().message;
    refuse_row(&relay, poison).await;

    for (request, envelope) in (0..).zip(&envelopes) {
        let envelope = envelope.clone();
        alices.send(&ClientFrame::Send { request, envelope, blobs: None }).await;
    }

    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    while accepted.len() + refused.len() < envelopes.len() {
        match alices.next().await.unwrap() {
            RelayFrame::Accepted { sequence, .. } => accepted.push(sequence),
            RelayFrame::Reject { request, reject } => refused.push((request, reject.code)),
            _ => {}
        }
    }
    assert_eq!(refused, [(Some(17), RejectCode::Internal)]);
    assert_eq!(accepted, (1..=39).collect::<Vec<_>>());
}

/// Makes the database refuse one message, as one that is too large for it would be.
async fn refuse_row(relay: &TestRelay, message: MessageId) {
    let file = format!("sqlite://{}", relay.folder().join("relay.db").display());
    let mut database = SqliteConnection::connect(&file).await.unwrap();
    let id: String = message.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let trigger = format!(
        "CREATE TRIGGER poison BEFORE INSERT ON messages WHEN NEW.message = x'{id}' \
         BEGIN SELECT RAISE(ABORT, 'poison'); END"
    );
    database.execute(AssertSqlSafe(trigger)).await.unwrap();
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_resend_gets_the_first_answer_and_is_delivered_once() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let mut group = alice.group(&[&bob]).await;
    let mut bobs = bob.connect_idle().await;
    let mut alices = alice.connect_idle().await;
    let first = alice.message(&group, &[&bob]).seal();
    let second = alice.message(&group, &[&bob]).seal();

    assert_eq!(alices.send_message(&first).await, Ok(1));
    assert_eq!(alices.send_message(&second).await, Ok(2));
    assert_eq!(alices.send_message(&first).await, Ok(1));
    // Also when devices and members have changed, and the sender itself is gone.
    bob.with_another_device().await;
    assert_eq!(alices.send_message(&first).await, Ok(1));
    alice.change(&mut group, add(&carol)).await.unwrap();
    assert_eq!(alices.send_message(&first).await, Ok(1));
    let role = Change::SetRole { account: bob.account, role: Role::Admin };
    alice.change(&mut group, role).await.unwrap();
    alice.change(&mut group, Change::Leave).await.unwrap();
    assert_eq!(alices.send_message(&second).await, Ok(2));
    let third = alice.message(&group, &[&bob, &carol]).seal();
    assert_eq!(alices.send_message(&third).await.unwrap_err().code, RejectCode::NotAMember);

    assert_eq!(bobs.delivery().await.0, 1);
    assert_eq!(bobs.delivery().await.0, 2);
    let rest = bobs.settle().await;
    assert!(!rest.iter().any(|frame| matches!(frame, RelayFrame::Deliver { .. })), "{rest:?}");
    assert_eq!(history(&bob, group.id()).await.len(), 2);
}

#[tokio::test]
async fn another_senders_message_id_is_refused() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let first = alice.message(&chat, &[&bob]);
    let mut copied = bob.message(&chat, &[&alice]);
    copied.header.message = first.header.message;
    alice.connect_idle().await.send_message(&first.seal()).await.unwrap();

    let refused = bob.connect().await.send_message(&copied.seal()).await.unwrap_err();

    assert_eq!(refused.code, RejectCode::AlreadyExists);
}

#[tokio::test]
async fn a_stale_membership_head_is_refused() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let mut group = alice.group(&[&bob]).await;
    let before = group.clone();
    let mut bobs = bob.connect_idle().await;
    alice.change(&mut group, add(&carol)).await.unwrap();

    let stale = bobs.send_message(&bob.message(&before, &[&alice]).seal()).await.unwrap_err();
    let mut future = bob.message(&group, &[&alice, &carol]);
    future.header.membership_index += 1;
    let unknown = bobs.send_message(&future.seal()).await.unwrap_err();
    let mut forked = bob.message(&group, &[&alice, &carol]);
    forked.header.membership_head = Digest::of(b"another history");
    let forked = bobs.send_message(&forked.seal()).await.unwrap_err();

    assert_eq!(stale.code, RejectCode::StaleMembership);
    assert_eq!(unknown.code, RejectCode::StaleMembership);
    assert_eq!(forked.code, RejectCode::StaleMembership);
    let fresh = bob.message(&group, &[&alice, &carol]).seal();
    assert_eq!(bobs.send_message(&fresh).await, Ok(1));
}

#[tokio::test]
async fn wraps_for_too_few_or_too_many_devices_name_the_accounts() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let group = alice.group(&[&bob]).await;
    let mut alices = alice.connect_idle().await;

    let none = alices.send_message(&alice.message(&group, &[]).seal()).await.unwrap_err();
    let stranger =
        alices.send_message(&alice.message(&group, &[&bob, &carol]).seal()).await.unwrap_err();
    let twice =
        alices.send_message(&alice.message(&group, &[&bob, &bob]).seal()).await.unwrap_err();
    let to_self =
        alices.send_message(&alice.message(&group, &[&bob, &alice]).seal()).await.unwrap_err();

    for (refused, named) in [(none, &bob), (stranger, &carol), (twice, &bob), (to_self, &alice)] {
        assert_eq!(refused.code, RejectCode::StaleDevices);
        assert_eq!(refused.accounts.unwrap().to_vec(), [named.account]);
    }
    // A device that is new needs a wrap from the next message on; of Alice's own too.
    let laptop = bob.with_another_device().await;
    let tablet = alice.with_another_device().await;
    let stale = alices.send_message(&alice.message(&group, &[&bob]).seal()).await.unwrap_err();
    assert_eq!(stale.accounts.unwrap().len(), 2);
    let fresh = alice.message(&group, &[&bob, &laptop, &tablet]).seal();
    assert_eq!(alices.send_message(&fresh).await, Ok(1));
}

#[tokio::test]
async fn a_message_must_be_its_senders_own_and_readable() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let group = alice.group(&[&bob]).await;
    let mut carols = carol.connect_idle().await;
    let mut bobs = bob.connect_idle().await;

    let pretends = alice.message(&group, &[&bob]).seal();
    assert_eq!(bobs.send_message(&pretends).await.unwrap_err().code, RejectCode::Forbidden);

    let intruder = carol.message(&group, &[&alice, &bob]).seal();
    assert_eq!(carols.send_message(&intruder).await.unwrap_err().code, RejectCode::NotAMember);

    let mut nowhere = bob.message(&group, &[&alice]);
    nowhere.header.conversation = ConversationId::from_bytes([9; 16]);
    let refused = bobs.send_message(&nowhere.seal()).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::NotAMember);

    let mut unreadable = bob.message(&group, &[&alice]).seal();
    unreadable.header = Bytes::new(b"not a header".to_vec()).unwrap();
    let refused = bobs.send_message(&unreadable).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::Malformed);
}

#[tokio::test]
async fn the_policy_decides_who_posts_and_how_messages_are_wrapped() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let policy = Policy { scheme: WrapScheme::HpkeXwing, ..Policy::DEFAULT };
    let mut channel = alice.begin(ConversationKind::Channel, &[&bob], policy).await.unwrap();
    let mut alices = alice.connect_idle().await;
    let mut bobs = bob.connect_idle().await;
    let account_wrap = |person: &Person| Wrap {
        scheme: WrapScheme::HpkeXwing,
        to: Recipient::Account(person.account),
        epoch: 1,
        ..wrap(person.device.address)
    };

    let ratcheted = alice.message(&channel, &[&bob]).seal();
    let refused = alices.send_message(&ratcheted).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::NotVerified);

    let mut sealed = alice.message(&channel, &[]);
    sealed.wraps = vec![account_wrap(&alice), account_wrap(&bob)];
    let refused = alices.send_message(&sealed.seal()).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::NotVerified, "account wraps need a signature inside");

    sealed.header.suite = Suite::Signed;
    assert_eq!(alices.send_message(&sealed.seal()).await, Ok(1));
    assert_eq!(bobs.delivery().await.1.wraps.to_vec(), [account_wrap(&bob)]);

    let policy = Policy { post: Allowed::Admins, ..policy };
    alice.change(&mut channel, Change::SetPolicy { policy }).await.unwrap();
    let mut by_bob = bob.message(&channel, &[]);
    by_bob.header.suite = Suite::Signed;
    by_bob.wraps = vec![account_wrap(&alice), account_wrap(&bob)];
    let refused = bobs.send_message(&by_bob.seal()).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::Forbidden);
}

#[tokio::test]
async fn one_wrap_on_a_sender_chain_goes_to_all_devices() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let group = alice.group(&[&bob, &carol]).await;
    let mut alices = alice.connect_idle().await;
    let (mut bobs, mut carols) = (bob.connect_idle().await, carol.connect_idle().await);
    let shared = wrap_for_everyone();

    let mut sealed = alice.message(&group, &[]);
    sealed.wraps = vec![shared.clone()];
    let refused = alices.send_message(&sealed.seal()).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::NotVerified, "the suite has to say so");

    sealed.header.suite = Suite::Chained;
    for wraps in [vec![], vec![shared.clone(), shared.clone()], vec![wrap(bob.device.address)]] {
        let mut bad = sealed.clone();
        bad.wraps = wraps;
        let refused = alices.send_message(&bad.seal()).await.unwrap_err();
        assert_eq!(refused.code, RejectCode::NotVerified);
    }
    assert_eq!(alices.send_message(&sealed.seal()).await, Ok(1));
    assert_eq!(bobs.delivery().await.1.wraps.to_vec(), std::slice::from_ref(&shared));
    assert_eq!(carols.delivery().await.1.wraps.to_vec(), [shared]);
}

#[tokio::test]
async fn a_chain_is_handed_to_some_devices_and_the_others_are_not_bothered() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let group = alice.group(&[&bob]).await;
    let mut alices = alice.connect_idle().await;
    let mut bobs = bob.connect_idle().await;
    let some = |to: &[&Person]| {
        let mut message = alice.message(&group, to);
        message.header.suite = Suite::HandOut;
        message
    };

    for strangers in [&[&carol][..], &[&bob, &carol], &[&bob, &bob]] {
        let refused = alices.send_message(&some(strangers).seal()).await.unwrap_err();
        assert_eq!(refused.code, RejectCode::StaleDevices);
    }
    let mut shared = some(&[]);
    shared.wraps = vec![wrap_for_everyone()];
    for bad in [some(&[]), shared] {
        let refused = alices.send_message(&bad.seal()).await.unwrap_err();
        assert_eq!(refused.code, RejectCode::NotVerified);
    }
    assert_eq!(alices.send_message(&some(&[&bob]).seal()).await, Ok(1));
    assert_eq!(bobs.delivery().await.1.wraps.to_vec(), [wrap(bob.device.address)]);

    // To a group of three, for one of them: the other is not sent it, and its cursor moves past.
    let group = alice.group(&[&bob, &carol]).await;
    let mut carols = carol.connect_idle().await;
    let mut for_bob = alice.message(&group, &[&bob]);
    for_bob.header.suite = Suite::HandOut;
    assert_eq!(alices.send_message(&for_bob.seal()).await, Ok(1));
    assert_eq!(alices.send_message(&alice.message(&group, &[&bob, &carol]).seal()).await, Ok(2));
    assert_eq!(carols.delivery().await.0, 2);
    assert_eq!(carol.connect().await.until_caught_up().await, [2]);
}

#[tokio::test]
async fn a_removed_member_gets_nothing_more_and_a_new_one_nothing_from_before() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let mut group = alice.group(&[&bob]).await;
    let mut alices = alice.connect_idle().await;
    alices.send_message(&alice.message(&group, &[&bob]).seal()).await.unwrap();

    alice.change(&mut group, add(&carol)).await.unwrap();
    alice.change(&mut group, Change::Remove { account: bob.account }).await.unwrap();
    alices.send_message(&alice.message(&group, &[&carol]).seal()).await.unwrap();

    assert_eq!(bob.connect().await.until_caught_up().await, [1]);
    assert_eq!(carol.connect().await.until_caught_up().await, [2]);
    assert_eq!(history(&bob, group.id()).await, [1]);
    assert_eq!(history(&carol, group.id()).await, [2]);
    assert_eq!(history(&alice, group.id()).await, [1, 2]);
}

#[tokio::test]
async fn receipts_are_checked_kept_and_passed_on() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    let mut bobs = bob.connect().await;
    alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    bobs.delivery().await;

    let receipt = bob.device.receipt(chat.id(), ReceiptKind::Delivered, 1);
    bobs.send(&ClientFrame::Receipt { receipt: receipt.clone() }).await;

    let passed_on = alices
        .wait_for(|frame| match frame {
            RelayFrame::Receipt { receipt } => Some(receipt),
            _ => None,
        })
        .await;
    assert_eq!(passed_on, receipt);
    let kept: Receipts =
        alice.get(&format!("/v1/conversations/{}/receipts", chat.id())).await.unwrap();
    assert_eq!(kept.receipts, std::slice::from_ref(&receipt));

    // Nobody speaks for another device, or of what is not theirs.
    let mut forged = bob.device.receipt(chat.id(), ReceiptKind::Seen, 1);
    forged.receipt = alice.device.receipt(chat.id(), ReceiptKind::Seen, 1).receipt;
    bobs.send(&ClientFrame::Receipt { receipt: forged }).await;
    assert_eq!(bobs.refusal().await, RejectCode::NotVerified);
    alices.send(&ClientFrame::Receipt { receipt }).await;
    assert_eq!(alices.refusal().await, RejectCode::NotVerified);
    let mut carols = carol.connect_idle().await;
    let outside = carol.device.receipt(chat.id(), ReceiptKind::Seen, 1);
    carols.send(&ClientFrame::Receipt { receipt: outside }).await;
    assert_eq!(carols.refusal().await, RejectCode::NotAMember);
}

#[tokio::test]
async fn typing_is_told_to_the_others() {
    let relay = TestRelay::start().await;
    let [alice, bob, carol] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    let mut bobs = bob.connect_idle().await;
    let mut carols = carol.connect_idle().await;

    let typing = ClientFrame::Typing { conversation: chat.id(), state: Typing::Started };
    alices.send(&typing).await;
    carols.send(&typing).await;

    let who = bobs
        .wait_for(|frame| match frame {
            RelayFrame::Typing { sender, .. } => Some(sender),
            _ => None,
        })
        .await;
    assert_eq!(who, alice.device.address);
    assert_eq!(carols.refusal().await, RejectCode::NotAMember);
    assert_eq!(alices.settle().await, []);
}

#[tokio::test]
async fn a_wrap_for_a_device_nobody_has_is_stale() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut message = alice.message(&chat, &[&bob]);
    let removed = DeviceAddress { device: DeviceId::from_bytes([9; 16]), ..bob.device.address };
    message.wraps[0].to = Recipient::Device(removed);

    let refused = alice.connect_idle().await.send_message(&message.seal()).await.unwrap_err();

    assert_eq!(refused.code, RejectCode::StaleDevices);
}

/// The sequences of the messages that somebody finds in a conversation's history.
pub async fn history(person: &Person, conversation: ConversationId) -> Vec<u64> {
    let path = format!("/v1/conversations/{conversation}/messages?after=0");
    let page: MessagePage = person.get(&path).await.unwrap();
    page.messages.iter().map(|message| message.sequence).collect()
}

fn wrap_for_everyone() -> Wrap {
    Wrap {
        scheme: WrapScheme::SenderChain,
        to: Recipient::Everyone,
        epoch: 0,
        bytes: Bytes::new(vec![7; 132]).unwrap(),
    }
}
