//! Retention and quotas: what the relay no longer shows, no longer keeps, and no longer takes.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::conversations::MessagePage;
use chat_core::id::ConversationId;
use chat_core::reject::RejectCode;
use relay_server::clock::ManualClock;
use relay_server::retention::{Hold, Rules};
use relay_server::testing::TestRelay;

use crate::conversations::three;
use crate::people::{NOW, Person};

const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

#[tokio::test]
async fn what_is_too_old_is_not_shown_before_it_is_erased_and_then_not_there() {
    let clock = Arc::new(ManualClock::at(NOW));
    let rules = Rules { keep: Some(A_WEEK), ..Rules::default() };
    let relay = TestRelay::builder().clock(clock.clone()).retention(rules).start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let message = alice.message(&chat, &[&bob]);
    let mut alices = alice.connect_idle().await;
    alices.send_message(&message.seal()).await.unwrap();
    clock.advance(Duration::from_millis(1));
    alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();

    // Tokens run out long before that.
    clock.advance(A_WEEK);
    let bob = bob.logged_in_again(relay.url()).await;
    let shown = envelopes(&bob, chat.id()).await;
    let mut bobs = bob.connect().await;
    let delivered = bobs.until_caught_up().await;
    let erased = relay.relay().retain().await.unwrap();

    assert_eq!(shown, [false, true]);
    assert_eq!(delivered, [2]);
    assert_eq!(erased, 1);
    assert_eq!(envelopes(&bob, chat.id()).await, [false, true]);
    let found = std::fs::read_dir(relay.folder()).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(message.payload.len()).any(|window| window == message.payload)
    });
    assert!(!found, "the payload is still in the folder");
}

#[tokio::test]
async fn the_stricter_rule_of_relay_and_workspace_counts() {
    let clock = Arc::new(ManualClock::at(NOW));
    let rules = Rules { keep: Some(A_WEEK), ..Rules::default() };
    let relay = TestRelay::builder().clock(clock.clone()).retention(rules).start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    alices.send_message(&alice.message(&chat, &[&bob]).seal()).await.unwrap();
    let workspace = alice.rest.limits().await.default_workspace;
    let minutes =
        |minutes: u64| Rules { keep: Some(Duration::from_secs(60 * minutes)), ..Rules::default() };

    clock.advance(Duration::from_secs(300));
    relay.relay().set_rules(workspace, minutes(60 * 24 * 365)).await.unwrap();
    let looser = envelopes(&bob, chat.id()).await;
    relay.relay().set_rules(workspace, minutes(5)).await.unwrap();
    let at_the_edge = envelopes(&bob, chat.id()).await;
    clock.advance(Duration::from_millis(1));
    let stricter = envelopes(&bob, chat.id()).await;
    let erased = relay.relay().retain().await.unwrap();
    relay.relay().set_rules(workspace, minutes(60)).await.unwrap();

    assert_eq!((looser, at_the_edge, stricter), (vec![true], vec![true], vec![false]));
    assert_eq!(erased, 1);
    // What is gone does not come back with a looser rule.
    assert_eq!(envelopes(&bob, chat.id()).await, [false]);
}

#[tokio::test]
async fn a_relay_that_forwards_forgets_what_every_device_has() {
    let rules = Rules { hold: Hold::UntilDelivered, ..Rules::default() };
    let relay = TestRelay::builder().retention(rules).start().await;
    let [alice, bob, _] = three(&relay).await;
    let laptop = bob.with_another_device().await;
    let chat = alice.direct(&bob).await;
    let mut alices = alice.connect_idle().await;
    let mut bobs = bob.connect_idle().await;
    let mut laptops = laptop.connect_idle().await;
    let message = alice.message(&chat, &[&bob, &laptop]).seal();
    alices.send_message(&message).await.unwrap();
    alices.settle().await;
    let mut erased = Vec::new();

    for socket in [&mut bobs, &mut laptops] {
        socket.delivery().await;
        socket.acknowledge(chat.id(), 1).await;
        socket.settle().await;
        relay.relay().flush_cursors().await;
        erased.push(relay.relay().retain().await.unwrap());
    }

    assert_eq!(erased, [0, 1]);
}

#[tokio::test]
async fn a_quota_that_is_used_up_refuses_by_name() {
    let relay = TestRelay::start().await;
    let [alice, bob, _] = three(&relay).await;
    let chat = alice.direct(&bob).await;
    let (mut alices, mut bobs) = (alice.connect_idle().await, bob.connect_idle().await);
    let workspace = alice.rest.limits().await.default_workspace;
    let first = alice.message(&chat, &[&bob]).seal();
    let quota = |account_bytes, workspace_bytes| Rules {
        account_bytes,
        workspace_bytes,
        ..Rules::default()
    };

    let wraps: usize = first.wraps.iter().map(|wrap| wrap.bytes.len() + 64).sum();
    let size = first.payload.len() + first.header.len() + wraps + 64;
    let room_for_one = u64::try_from(size * 3 / 2).unwrap();
    relay.relay().set_rules(workspace, quota(Some(room_for_one), None)).await.unwrap();
    let fits = alices.send_message(&first).await;
    let too_much = alices.send_message(&alice.message(&chat, &[&bob]).seal()).await;
    let resent = alices.send_message(&first).await;
    let others = bobs.send_message(&bob.message(&chat, &[&alice]).seal()).await;
    relay.relay().set_rules(workspace, quota(None, Some(room_for_one))).await.unwrap();
    let everybody = bobs.send_message(&bob.message(&chat, &[&alice]).seal()).await;

    assert_eq!(fits, Ok(1));
    assert_eq!(too_much.unwrap_err().code, RejectCode::QuotaExceeded);
    assert_eq!(resent, Ok(1));
    assert_eq!(others, Ok(2));
    assert_eq!(everybody.unwrap_err().code, RejectCode::QuotaExceeded);
}

async fn envelopes(person: &Person, conversation: ConversationId) -> Vec<bool> {
    let path = format!("/v1/conversations/{conversation}/messages?after=0");
    let page: MessagePage = person.get(&path).await.unwrap();
    page.messages.iter().map(|message| message.envelope.is_some()).collect()
}
