//! Bodies that are no bodies, and words about what is somebody else's.

use chat_core::limits::PAYLOAD_BYTES_MAX;
use chat_sdk::content::Content as Shown;
use chat_sdk::{Allowed, Role};

use super::*;

#[tokio::test]
async fn malformed_bodies_of_every_kind_are_kept_as_unknown() {
    let mut circle = Circle::of_three().await;
    let kinds = ["text", "title", "reaction", "edit", "delete", "deleted", "", "\u{0}", "ünknown"];
    let bodies: [&[u8]; 7] = [
        &[],
        &[0xff],
        &[0xa0],
        &[0x9f; 64], // arrays without an end
        &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xa1, 0x00, 0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xa1, 0x00, 0x62, 0xc3, 0x28], // no UTF-8
    ];
    let mut said = Vec::new();

    for kind in kinds {
        for body in bodies {
            said.push(circle.mallory.says_of(kind, body.to_vec()).await);
        }
    }

    circle.goes_on().await;
    for message in said {
        let shown = circle.at_bob.message(message).await.unwrap();
        assert!(shown.is_none_or(|shown| shown.text().is_none()));
    }
    assert_eq!(circle.at_bob.title().await.unwrap(), None);
}

#[tokio::test]
async fn a_kind_and_a_body_of_full_size_are_borne() {
    let mut circle = Circle::of_three().await;

    circle.mallory.says_of(&"k".repeat(10_000), vec![0; 1]).await;
    circle.mallory.says_of("text", vec![0x61; PAYLOAD_BYTES_MAX - 1024]).await;

    circle.goes_on().await;
}

#[tokio::test]
async fn compression_bombs_do_not_open() {
    let mut circle = Circle::of_three().await;
    // 16 KiB that DEFLATE makes of 16 MiB of zeros: a length–distance pair of 258 is a few bits.
    let bomb = [&[0xec, 0xc1, 0x01, 0x01], [0x00; 16 * 1024].as_slice()].concat();
    let before = circle.bob.warnings.len();

    for (length, body) in [
        (u32::MAX, vec![0x03, 0x00]),
        (0, vec![0x03, 0x00]),
        (1, vec![0x03, 0x00]),
        (u32::try_from(PAYLOAD_BYTES_MAX).unwrap(), bomb.clone()),
        (u32::try_from(PAYLOAD_BYTES_MAX).unwrap() + 1, bomb.clone()),
        (10, bomb),
        (100, vec![0xff; 100]),
    ] {
        let says = circle.mallory.says(|_, content| {
            content.inflated_length = Some(length);
            content.body = Bytes::new(body).unwrap();
        });
        says.await.unwrap();
    }

    circle.goes_on().await;
    assert!(circle.bob.warnings.len() >= before + 5, "{:?}", circle.bob.warnings);
}

#[tokio::test]
async fn somebody_elses_message_is_neither_edited_nor_deleted() {
    let mut circle = Circle::of_three().await;
    let message = circle.at_alice.send("mine").await.unwrap();
    assert_eq!(circle.bob.hears().await, ["mine"]);

    circle.mallory.says_of("edit", edit(message, "hers")).await;
    circle.mallory.says_of("delete", deletion(message)).await;
    circle.goes_on().await;

    for conversation in [&circle.at_alice, &circle.at_bob] {
        let shown = conversation.message(message).await.unwrap().unwrap();
        assert_eq!((shown.text(), shown.edited_at), (Some("mine"), None));
    }
}

#[tokio::test]
async fn what_is_in_another_conversation_is_out_of_reach() {
    let mut circle = Circle::of_three().await;
    let direct = circle.alice.client.direct("bob").await.unwrap();
    let message = direct.send("between us").await.unwrap();
    assert_eq!(circle.bob.hears().await, ["between us"]);

    circle.mallory.says_of("edit", edit(message, "hers")).await;
    circle.mallory.says_of("delete", deletion(message)).await;
    circle.mallory.says_of("reaction", reaction(message, "👎")).await;
    circle.goes_on().await;

    let at_bob = circle.bob.client.direct("alice").await.unwrap();
    let shown = at_bob.message(message).await.unwrap().unwrap();
    assert_eq!((shown.text(), shown.reactions.len()), (Some("between us"), 0));
}

#[tokio::test]
async fn emoji_without_end_are_shown_to_an_end() {
    let mut circle = Circle::of_three().await;
    let message = circle.at_alice.send("react to this").await.unwrap();
    assert_eq!(circle.bob.hears().await, ["react to this"]);

    for number in 0..60 {
        let emoji = char::from_u32(0x1f600 + number).unwrap().to_string();
        circle.mallory.says_of("reaction", reaction(message, &emoji)).await;
    }
    circle.goes_on().await;

    let shown = circle.at_bob.message(message).await.unwrap().unwrap();
    assert!(shown.reactions.len() <= 20, "{}", shown.reactions.len());
}

#[tokio::test]
async fn a_name_given_by_who_may_not_is_not_taken() {
    let policy = Policy { scheme: SCHEME, rename: Allowed::Admins, ..Policy::DEFAULT };
    let mut circle = Circle::with(policy).await;

    circle.mallory.says_of("title", text("Mallory's")).await;
    circle.goes_on().await;

    assert_eq!(circle.at_bob.title().await.unwrap(), None);
    assert_eq!(circle.at_alice.title().await.unwrap(), None);
}

#[tokio::test]
async fn what_only_an_admin_may_do_is_refused_by_relay_and_devices() {
    use chat_core::membership::{Change, SignedEntry};
    let mut circle = Circle::of_three().await;
    let own = &circle.mallory.context.own;
    let alice = circle.alice.client.account();

    for change in [
        Change::Remove { account: alice },
        Change::SetRole { account: own.account(), role: Role::Admin },
        Change::SetPolicy { policy: Policy::DEFAULT },
    ] {
        let entry = MembershipEntry {
            version: chat_core::membership::VERSION,
            conversation: Some(circle.mallory.place),
            index: circle.mallory.head.0 + 1,
            previous: circle.mallory.head.1,
            author: own.address,
            at: circle.mallory.context.now(),
            change,
        };
        let entry = own.device.sign_object(&entry).unwrap();
        let entry = SignedEntry { signer: own.address, entry };
        let relay = &circle.mallory.context.relay;
        let refused = relay.append_entry(circle.mallory.place, entry).await.unwrap_err();
        assert!(!refused.is_transient(), "{refused:?}");
    }

    circle.goes_on().await;
    assert_eq!(circle.at_bob.members().await.unwrap().len(), 3);
    assert!(circle.at_bob.is_member().await.unwrap());
}

#[tokio::test]
async fn somebody_elses_receipt_is_refused() {
    use chat_core::receipt::{Receipt, ReceiptKind, SignedReceipt};
    let mut circle = Circle::of_three().await;
    let message = circle.at_alice.send("seen by whom").await.unwrap();
    assert_eq!(circle.bob.hears().await, ["seen by whom"]);
    let own = circle.mallory.context.own.clone();
    let bob = circle.bob.client.address();

    for (signer, reader) in [(bob, bob), (own.address, bob), (bob, own.address)] {
        let receipt = Receipt {
            version: chat_core::receipt::VERSION,
            conversation: circle.mallory.place,
            reader,
            kind: ReceiptKind::Seen,
            up_to: u64::MAX,
            at: circle.mallory.context.now(),
        };
        let receipt = own.device.sign_object(&receipt).unwrap();
        let receipt = SignedReceipt { signer, receipt };
        circle.mallory.link.sink.send(&ClientFrame::Receipt { receipt }).await.unwrap();
    }
    circle.mallory.says(|_, _| {}).await.unwrap();
    while circle.alice.message().await.text() != Some("I am Mallory") {}

    let status = circle.at_alice.message(message).await.unwrap().unwrap().status;
    assert_ne!(status, chat_sdk::Status::Seen);
    assert!(matches!(
        circle.at_alice.message(message).await.unwrap().unwrap().content,
        Shown::Text(_)
    ));
}
