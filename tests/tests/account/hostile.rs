//! A relay that lies about accounts and keys.

use chat_core::api::account::{AccountKeys, AccountName, Keyring};
use chat_sdk::verification::accept_identity;
use chat_tests::forgery::Forger;

use super::*;

#[tokio::test]
async fn a_swapped_identity_key_is_not_used_until_it_is_accepted() {
    let relay = TestRelay::start().await;
    let (line, alice, bob) = alice_and_bob(&relay).await;
    let honest = safety_number(&alice, bob).await.unwrap().to_string();
    mark_verified(&alice, bob).await.unwrap();
    let mallory = forged_keys(bob, "bob");
    line.answer(keys_of(bob), &mallory);

    let fetched = devices::fetch(&alice, bob).await.unwrap().into_devices().unwrap_err();

    assert_eq!(fetched.code(), "identity_changed");
    assert_eq!(trust(&alice, bob).await.unwrap(), Trust::Changed);
    assert_eq!(safety_number(&alice, bob).await.unwrap().to_string(), honest);
    let known = devices::current(&alice, &[bob]).await.unwrap();
    assert_ne!(known[0].identity_key(), mallory.devices.identity_key);

    accept_identity(&alice, bob).await.unwrap();

    assert_eq!(trust(&alice, bob).await.unwrap(), Trust::FirstUse, "no longer verified");
    assert_ne!(safety_number(&alice, bob).await.unwrap().to_string(), honest);
}

#[tokio::test]
async fn a_key_that_changes_once_more_while_people_decide_is_not_accepted() {
    let relay = TestRelay::start().await;
    let (line, alice, bob) = alice_and_bob(&relay).await;
    line.answer(keys_of(bob), &forged_keys(bob, "bob"));
    devices::fetch(&alice, bob).await.unwrap().into_devices().unwrap_err();
    line.answer(keys_of(bob), &forged_keys(bob, "bob"));

    let accepted = accept_identity(&alice, bob).await;

    assert_eq!(accepted.unwrap_err().code(), "identity_changed");
    assert_eq!(trust(&alice, bob).await.unwrap(), Trust::Changed);
}

#[tokio::test]
async fn an_honest_answer_ends_the_alarm() {
    let relay = TestRelay::start().await;
    let (line, alice, bob) = alice_and_bob(&relay).await;
    let honest = alice.relay.account_keys(bob).await.unwrap();
    line.answer(keys_of(bob), &forged_keys(bob, "bob"));
    devices::fetch(&alice, bob).await.unwrap().into_devices().unwrap_err();

    line.answer(keys_of(bob), &honest);
    devices::fetch(&alice, bob).await.unwrap().into_devices().unwrap();

    assert_eq!(trust(&alice, bob).await.unwrap(), Trust::FirstUse);
}

#[tokio::test]
async fn somebody_known_is_not_found_under_another_name() {
    let relay = TestRelay::start().await;
    let (line, alice, bob) = alice_and_bob(&relay).await;
    let lie = AccountName { account: bob, username: "carol".into() };
    line.answer("/v1/accounts/by-name/carol", &lie);

    let found = devices::find(&alice, "carol").await;

    assert_eq!(found.unwrap_err().code(), "not_verified");
}

#[tokio::test]
async fn keys_of_another_account_than_was_asked_for_are_refused() {
    let relay = TestRelay::start().await;
    let (line, alice, bob) = alice_and_bob(&relay).await;
    let carol = registered(&relay, "carol").await.own.account();
    let carols = alice.relay.account_keys(carol).await.unwrap();
    let dave = AccountId::from_bytes([0xda; 16]);
    line.answer(keys_of(dave), &carols);

    let fetched = devices::fetch(&alice, dave).await.unwrap().into_devices();

    assert_eq!(fetched.unwrap_err().code(), "device_list_forged");
    let known = alice.store.read(move |tx| devices::known(tx, dave)).await.unwrap();
    assert!(known.is_none());
    devices::fetch(&alice, bob).await.unwrap().into_devices().unwrap();
}

#[tokio::test]
async fn a_keyring_that_is_not_the_accounts_is_not_opened() {
    let relay = TestRelay::start().await;
    let alice = registered(&relay, "alice").await;
    let carols = registered(&relay, "carol").await.relay.keyring().await.unwrap();
    let alices = alice.relay.keyring().await.unwrap();
    let renumbered = Keyring { number: 2, ..alices };
    let nonsense = Keyring { number: 1, sealed: Forger::nonsense() };

    for lie in [carols, renumbered, nonsense] {
        let (line, setup) = bad_line(&relay).await;
        line.answer("/v1/account/keyring", &lie);

        let error = account::log_in(setup, "alice", PASSWORD).await.unwrap_err();

        assert_eq!(error.code(), "keyring_invalid");
    }
    let left = devices::refresh_own(&alice).await.unwrap();
    assert_eq!(left.active().count(), 1, "nothing was enrolled");
}

#[tokio::test]
async fn a_device_does_not_certify_itself_beside_devices_that_are_not_the_accounts() {
    let relay = TestRelay::start().await;
    let alice = registered(&relay, "alice").await;
    let (line, setup) = bad_line(&relay).await;
    line.answer(keys_of(alice.own.account()), &forged_keys(alice.own.account(), "alice"));

    let error = account::log_in(setup, "alice", PASSWORD).await.unwrap_err();

    assert_eq!(error.code(), "keyring_invalid");
}

#[tokio::test]
async fn our_own_list_cannot_be_forged_or_taken_back() {
    let relay = TestRelay::start().await;
    let (line, setup) = bad_line(&relay).await;
    let (phone, _) = account::register(setup, "alice", PASSWORD).await.unwrap();
    let own = phone.own.account();
    let before = phone.relay.account_keys(own).await.unwrap();
    logged_in(&relay, "alice").await;
    devices::refresh_own(&phone).await.unwrap();

    for lie in [before, forged_keys(own, "alice")] {
        line.answer(keys_of(own), &lie);
        let error = devices::refresh_own(&phone).await.unwrap_err();
        assert_eq!(error.code(), "device_list_forged");
    }
    assert_eq!(devices::list_own(&phone).await.unwrap().len(), 2);
}

// ── helpers ─────────────────────────────────────────────────────────────────────────────────────

/// Alice, who reaches the relay over a line that can be tampered with, and has looked Bob up.
async fn alice_and_bob(relay: &TestRelay) -> (Arc<Line>, Context, AccountId) {
    let (line, setup) = bad_line(relay).await;
    let (alice, _) = account::register(setup, "alice", PASSWORD).await.unwrap();
    registered(relay, "bob").await;
    let bob = devices::find(&alice, "bob").await.unwrap().account;
    (line, alice, bob)
}

fn keys_of(account: AccountId) -> String {
    format!("/v1/accounts/{account}/keys")
}

/// Keys for `account` that somebody else made: consistent in themselves.
fn forged_keys(account: AccountId, username: &str) -> AccountKeys {
    Forger::new(rand::random()).keys_for(account, username)
}
