//! Devices: joining, being removed, connecting anew.

use chat_core::api::account::OwnAccount;
use chat_core::frame::RelayFrame;
use chat_core::reject::RejectCode;
use relay_server::testing::TestRelay;

use crate::people::Person;
use crate::socket::Socket;

#[tokio::test]
async fn a_new_device_is_told_to_whom_it_concerns() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let bob = Person::register(&relay, "bob").await;
    alice.direct(&bob).await;
    let mut socket = alice.connect().await;

    bob.with_another_device().await;

    let told = socket
        .wait_for(|frame| match frame {
            RelayFrame::DevicesChanged { account, number } => Some((account, number)),
            _ => None,
        })
        .await;
    assert_eq!(told, (bob.account, 2));
}

#[tokio::test]
async fn a_removed_device_is_cut_off_at_once() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let laptop = alice.with_another_device().await;
    let mut socket = laptop.connect_idle().await;
    let phone = Person { devices: laptop.devices.clone(), ..alice.clone() };

    let list = phone.list_without(laptop.device.address.device);
    assert_eq!(phone.put("/v1/account/devices", &list).await, Ok(()));

    assert_eq!(socket.refusal().await, RejectCode::DeviceRemoved);
    assert_eq!(socket.close_code().await, 1008);
    let refused = laptop.get::<OwnAccount>("/v1/account").await.unwrap_err();
    assert_eq!(refused.code, RejectCode::DeviceRemoved);
    let refused = Socket::open(relay.url(), Some(&laptop.tokens.access)).await.err().unwrap();
    assert_eq!(refused.code, RejectCode::DeviceRemoved);
    let refused = laptop.log_in_by_device(relay.url()).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::DeviceRemoved);
}

#[tokio::test]
async fn a_device_list_that_does_not_continue_is_a_conflict_and_a_forged_one_does_not_verify() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let mallory = Person::register(&relay, "mallory").await;
    let laptop = alice.with_another_device().await;

    // Made from the first list, while the second is stored.
    let late = alice.list_without(alice.device.address.device);
    let refused = alice.put("/v1/account/devices", &late).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::Conflict);

    let forged = Person { identity: mallory.identity.clone(), ..laptop.clone() };
    let mut list = laptop.list_without(alice.device.address.device);
    list.list = crate::people::next_list(
        &mallory.devices,
        &forged.identity,
        None,
        Some(mallory.device.address.device),
    )
    .to_published()
    .list;
    let refused = alice.put("/v1/account/devices", &list).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::NotVerified);
}

#[tokio::test]
async fn a_newer_connection_of_a_device_displaces_the_older() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let mut older = alice.connect_idle().await;

    let mut newer = alice.connect_idle().await;

    assert_eq!(older.refusal().await, RejectCode::Displaced);
    assert_eq!(older.close_code().await, 1008);
    assert_eq!(newer.settle().await, []);
}
