//! A device is linked by a code on a screen, without the password; or it is not, and nothing is
//! handed over.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use chat_core::api::linking::LinkMessage;
use chat_core::codec::Bytes;
use chat_sdk::linking::LinkCode;
use chat_sdk::{ClientBuilder, Kind, ManualClock, StoreKey};
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};

use crate::meddling::{Meddling, says};
use crate::people::{Person, builder, clock, people, within};

on_both_stands! {
    a_device_that_shows_a_code_becomes_one_of_the_account,
    a_device_that_scans_a_code_becomes_one_of_the_account,
    emoji_differ_when_somebody_stands_between,
    a_code_that_somebody_else_has_answered_is_answered_by_nobody_else,
    a_relay_that_puts_its_own_hello_into_the_mailbox_is_noticed,
    either_person_can_refuse,
    a_code_is_good_for_ten_minutes,
    two_devices_of_the_same_kind_do_not_link,
    a_linking_goes_on_where_the_new_device_was_interrupted,
}

async fn a_device_that_shows_a_code_becomes_one_of_the_account(relay: &Stand) {
    let [phone, mut bob] = people(relay, ["alice", "bob"]).await;
    let at_phone = phone.client.direct("bob").await.unwrap();
    let (fresh, clock) = new_device(relay);

    let shown = fresh.link().await.unwrap();
    let scanned: LinkCode = shown.code().to_string().parse().unwrap();
    let (phones, laptops) =
        within(async { tokio::join!(phone.client.link_device(&scanned), shown.scanned()) }).await;
    let (phones, laptops) = (phones.unwrap(), laptops.unwrap());
    assert_eq!(phones.emoji(), laptops.emoji());
    let (device, laptop) =
        within(async { tokio::join!(phones.confirm(), laptops.confirm()) }).await;
    let (device, laptop) = (device.unwrap(), laptop.unwrap());

    assert_eq!(laptop.device(), device);
    assert_eq!((laptop.account(), laptop.username()), (phone.client.account(), "alice"));
    let mut laptop = Person::of(laptop, clock).await;
    at_phone.send("to everybody").await.unwrap();
    assert_eq!(laptop.message().await.text(), Some("to everybody"));
    assert_eq!(bob.hears().await, ["to everybody"]);
    laptop.client.direct("bob").await.unwrap().send("from the laptop").await.unwrap();
    assert_eq!(bob.hears().await, ["from the laptop"]);
    assert_eq!(phone.client.devices().await.unwrap().len(), 2);
    assert_eq!((laptop.warnings, bob.warnings), (vec![], vec![]));
}

async fn a_device_that_scans_a_code_becomes_one_of_the_account(relay: &Stand) {
    let [phone, mut bob] = people(relay, ["alice", "bob"]).await;
    let (fresh, clock) = new_device(relay);

    let shown = phone.client.show_link_code().await.unwrap();
    let scanned = LinkCode::from_bytes(shown.code().as_bytes()).unwrap();
    let (phones, laptops) =
        within(async { tokio::join!(shown.scanned(), fresh.link_by(&scanned)) }).await;
    let (phones, laptops) = (phones.unwrap(), laptops.unwrap());
    assert_eq!(phones.emoji_text(), laptops.emoji_text());
    let (device, laptop) =
        within(async { tokio::join!(phones.confirm(), laptops.confirm()) }).await;

    device.unwrap();
    let laptop = Person::of(laptop.unwrap(), clock).await;
    laptop.client.direct("bob").await.unwrap().send("hello").await.unwrap();
    assert_eq!(bob.hears().await, ["hello"]);
}

async fn emoji_differ_when_somebody_stands_between(relay: &Stand) {
    let [alice, mallory] = people(relay, ["alice", "mallory"]).await;
    let (laptop, _) = new_device(relay);
    let (mallorys, _) = new_device(relay);

    // Mallory scans the laptop's code, and makes Alice scan one of hers.
    let shown = laptop.link().await.unwrap();
    let forged = mallorys.link().await.unwrap();
    let (laptops_code, forged_code) = (shown.code().clone(), forged.code().clone());
    let (at_laptop, at_mallory, at_phone, _middle) = within(async {
        tokio::join!(
            shown.scanned(),
            mallory.client.link_device(&laptops_code),
            alice.client.link_device(&forged_code),
            forged.scanned(),
        )
    })
    .await;
    let (at_laptop, at_phone) = (at_laptop.unwrap(), at_phone.unwrap());

    assert_ne!(at_laptop.emoji(), at_phone.emoji());
    at_phone.cancel().await.unwrap();
    at_laptop.cancel().await.unwrap();
    let refused = within(at_mallory.unwrap().confirm()).await;
    assert_eq!(refused.unwrap_err().code(), "link_cancelled");
    assert_eq!(alice.client.devices().await.unwrap().len(), 1);
    assert_eq!(mallory.client.devices().await.unwrap().len(), 1);
}

async fn a_code_that_somebody_else_has_answered_is_answered_by_nobody_else(relay: &Stand) {
    let [alice, mallory] = people(relay, ["alice", "mallory"]).await;
    let (laptop, _) = new_device(relay);
    let shown = laptop.link().await.unwrap();
    let code = shown.code().clone();

    let (at_laptop, at_mallory) =
        within(async { tokio::join!(shown.scanned(), mallory.client.link_device(&code)) }).await;
    let too_late = within(alice.client.link_device(&code)).await;

    assert_eq!(too_late.unwrap_err().code(), "link_not_authentic");
    at_laptop.unwrap().cancel().await.unwrap();
    drop(at_mallory);
    assert_eq!(mallory.client.devices().await.unwrap().len(), 1);
}

async fn a_relay_that_puts_its_own_hello_into_the_mailbox_is_noticed(relay: &Stand) {
    let [alice] = people(relay, ["alice"]).await;
    let line = Meddling::at(relay.node(0).url());
    let clock = clock();
    let phone = builder(relay.node(0).url(), &clock).transport(line.clone()).in_memory();
    let phone = phone.login("alice", crate::people::PASSWORD).await.unwrap();
    let shown = new_device(relay).0.link().await.unwrap();
    line.meddle(|request| {
        let message = Some(Bytes::new(vec![0xa0; 1200]).unwrap());
        if request.path == "/v1/linking/read" { says(&LinkMessage { message }) } else { None }
    });

    let noticed = within(phone.link_device(shown.code())).await;

    assert_eq!(noticed.unwrap_err().code(), "link_not_authentic");
    assert_eq!(alice.client.devices().await.unwrap().len(), 2, "phone and tablet");
}

async fn either_person_can_refuse(relay: &Stand) {
    let [alice] = people(relay, ["alice"]).await;

    let (at_phone, at_laptop) = compare(relay, &alice).await;
    let (said_no, heard) =
        within(async { tokio::join!(at_phone.cancel(), at_laptop.confirm()) }).await;
    said_no.unwrap();
    assert_eq!(heard.unwrap_err().code(), "link_cancelled");

    let (at_phone, at_laptop) = compare(relay, &alice).await;
    let (heard, said_no) =
        within(async { tokio::join!(at_phone.confirm(), at_laptop.cancel()) }).await;
    said_no.unwrap();
    assert_eq!(heard.unwrap_err().code(), "link_cancelled");

    assert_eq!(alice.client.devices().await.unwrap().len(), 1);
}

async fn a_code_is_good_for_ten_minutes(relay: &Stand) {
    let [alice] = people(relay, ["alice"]).await;
    let (laptop, clock) = new_device(relay);
    let shown = laptop.link().await.unwrap();
    let scanned = shown.code().clone();

    clock.advance(Duration::from_secs(10 * 60 + 1));
    alice.clock.advance(Duration::from_secs(20 * 60));
    let at_phone = within(alice.client.link_device(&scanned)).await;
    assert_eq!(at_phone.unwrap_err().code(), "link_expired");

    let (laptop, clock) = new_device(relay);
    let (at_phone, at_laptop) = {
        let (phone_clock, fresh) = (clock.clone(), laptop);
        alice.clock.set(chat_sdk::Clock::now(&phone_clock));
        let shown = fresh.link().await.unwrap();
        let code = shown.code().clone();
        within(async { tokio::join!(alice.client.link_device(&code), shown.scanned()) }).await
    };
    drop(at_phone);
    clock.advance(Duration::from_secs(10 * 60 + 1));
    let too_late = within(at_laptop.unwrap().confirm()).await;
    assert_eq!(too_late.unwrap_err().code(), "link_expired");
    assert_eq!(alice.client.devices().await.unwrap().len(), 1);
}

async fn two_devices_of_the_same_kind_do_not_link(relay: &Stand) {
    let [alice, bob] = people(relay, ["alice", "bob"]).await;
    let shown = alice.client.show_link_code().await.unwrap();
    let (one, another) = (new_device(relay).0, new_device(relay).0);
    let fresh = one.link().await.unwrap();

    let by_bob = bob.client.link_device(shown.code()).await;
    let by_fresh = another.link_by(fresh.code()).await;
    let nonsense = bob.client.link_device(&LinkCode::from_bytes(b"nonsense").unwrap()).await;

    for refused in [by_bob.err(), by_fresh.err(), nonsense.err()] {
        assert_eq!(refused.unwrap().code(), "link_code_invalid");
    }
}

async fn a_linking_goes_on_where_the_new_device_was_interrupted(relay: &Stand) {
    let [alice] = people(relay, ["alice"]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("laptop.store");
    let line = Meddling::at(relay.node(1).url());
    let clock = clock();
    let on_disk = || {
        let key = StoreKey::from_bytes([7; 32]);
        builder(relay.node(1).url(), &clock).transport(line.clone()).store(&path, key)
    };
    let shown = on_disk().link().await.unwrap();
    let code = shown.code().clone();
    let (at_phone, at_laptop) =
        within(async { tokio::join!(alice.client.link_device(&code), shown.scanned()) }).await;
    line.meddle(|request| {
        let is_log_in = request.path == "/v1/auth/device/start";
        is_log_in.then(|| Err(Kind::Internal.into()))
    });
    let (device, interrupted) =
        within(async { tokio::join!(at_phone.unwrap().confirm(), at_laptop.unwrap().confirm()) })
            .await;
    assert_eq!(interrupted.unwrap_err().code(), "internal");

    line.stop();
    let laptop = within(on_disk().open()).await.unwrap();

    assert_eq!(laptop.device(), device.unwrap());
    assert_eq!(laptop.username(), "alice");
    laptop.close().await.unwrap();
    let again = on_disk().open().await.unwrap();
    assert_eq!(again.account(), alice.client.account());
}

fn new_device(relay: &Stand) -> (ClientBuilder, ManualClock) {
    let clock = clock();
    (builder(relay.node(1).url(), &clock).in_memory(), clock)
}

type Compared = (
    chat_sdk::linking::Comparison<chat_sdk::linking::Linker>,
    chat_sdk::linking::Comparison<chat_sdk::linking::Newcomer>,
);

async fn compare(relay: &Stand, alice: &Person) -> Compared {
    let shown = new_device(relay).0.link().await.unwrap();
    let code = shown.code().clone();
    let (phones, laptops) =
        within(async { tokio::join!(alice.client.link_device(&code), shown.scanned()) }).await;
    (phones.unwrap(), laptops.unwrap())
}
