//! Accounts: registering, logging in by password, keyrings, prekeys.

use chat_core::api::account::{AccountKeys, AccountName, Keyring, OwnAccount};
use chat_core::api::auth::{LoginAnswer, OpaqueStart, RegistrationFinish};
use chat_core::api::prekeys::{Bundles, FetchBundles, PrekeyCount};
use chat_core::codec::{Bytes, List};
use chat_core::frame::RelayFrame;
use chat_core::reject::RejectCode;
use ed25519_dalek::SigningKey;
use relay_server::testing::TestRelay;

use crate::people::{
    Device, PASSWORD, Person, Rest, envelope_keys, first_list, new_device, next_list,
    random_account,
};

#[tokio::test]
async fn somebody_who_registers_can_be_found_and_is_logged_in() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let bob = Person::register(&relay, "bob").await;

    let found: AccountName = alice.get("/v1/accounts/by-name/bob").await.unwrap();
    let keys: AccountKeys = alice.get(&format!("/v1/accounts/{}/keys", bob.account)).await.unwrap();
    let own: OwnAccount = alice.get("/v1/account").await.unwrap();

    assert_eq!((found.account, found.username.as_str()), (bob.account, "bob"));
    assert_eq!(keys.devices, bob.devices.to_published());
    assert_eq!((own.account, own.username.as_str()), (alice.account, "alice"));
}

#[tokio::test]
async fn a_taken_name_and_a_name_that_is_none_are_refused() {
    let relay = TestRelay::start().await;
    Person::register(&relay, "alice").await;
    let rest = Rest::at(&relay);

    for (name, code) in [
        ("alice", RejectCode::NameTaken),
        ("al", RejectCode::NameInvalid),
        ("Alice", RejectCode::NameInvalid),
        ("al ice", RejectCode::NameInvalid),
    ] {
        let refused = Person::try_register(&rest, name).await.err().unwrap();
        assert_eq!(refused.code, code, "{name}");
    }
}

#[tokio::test]
async fn an_account_begins_at_the_beginning_or_not_at_all() {
    let relay = TestRelay::start().await;
    let rest = Rest::at(&relay);
    type Alter = fn(&mut RegistrationFinish, &SigningKey, &Device);
    let alterations: [(&str, Alter); 4] = [
        ("a second keyring", |finish, _, _| finish.keyring.number = 2),
        ("a second epoch", |finish, identity, _| {
            finish.envelope_keys = envelope_keys(finish.account, identity, 2);
        }),
        ("a second list", |finish, identity, device| {
            let first = first_list(finish.account, identity, device);
            finish.devices = next_list(&first, identity, None, None).to_published();
        }),
        ("another account's list", |finish, identity, _| {
            let other = random_account();
            let device = new_device(other, identity);
            finish.devices = first_list(other, identity, &device).to_published();
        }),
    ];

    for (what, alter) in alterations {
        let refused = Person::try_register_with(&rest, "alice", alter).await.err().unwrap();
        assert_eq!(refused.code, RejectCode::NotVerified, "{what}");
    }
    Person::try_register(&rest, "alice").await.unwrap();
}

#[tokio::test]
async fn the_right_password_leads_to_a_token_that_only_enrols() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let bob = Person::register(&relay, "bob").await;

    let enrolment = Person::log_in(&alice.rest, "alice", PASSWORD).await.unwrap();

    assert_eq!(enrolment.account, alice.account);
    let token = enrolment.token.as_str();
    let rest = &alice.rest;
    let keyring: Keyring = rest.get("/v1/account/keyring", token).await.unwrap();
    assert_eq!(keyring.number, 1);
    let own = format!("/v1/accounts/{}/keys", alice.account);
    assert!(rest.get::<AccountKeys>(&own, token).await.is_ok());
    let other = format!("/v1/accounts/{}/keys", bob.account);
    for path in [other.as_str(), "/v1/prekeys", "/v1/conversations"] {
        let refused = rest.get::<serde_json::Value>(path, token).await.unwrap_err();
        assert_eq!(refused.code, RejectCode::Forbidden, "{path}");
    }
    let refused = rest.put("/v1/account/keyring", token, &keyring).await.unwrap_err();
    assert_eq!(refused.code, RejectCode::Forbidden);
}

#[tokio::test]
async fn an_unknown_name_cannot_be_told_from_a_wrong_password() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let rest = &alice.rest;

    let wrong = Person::log_in(rest, "alice", b"guess").await.unwrap_err();
    let unknown = Person::log_in(rest, "nobody", b"guess").await.unwrap_err();
    let impossible = Person::log_in(rest, "No Such Name!", b"guess").await.unwrap_err();

    assert_eq!(wrong.code, RejectCode::InvalidCredentials);
    assert_eq!(unknown, wrong);
    assert_eq!(impossible, wrong);
    // The first halves look alike too.
    let start = |name: &str| OpaqueStart { username: name.to_owned(), request: first_half() };
    let of_alice: LoginAnswer =
        rest.post("/v1/auth/login/start", None, &start("alice")).await.unwrap();
    let of_nobody: LoginAnswer =
        rest.post("/v1/auth/login/start", None, &start("nobody")).await.unwrap();
    assert_eq!(of_alice.response.len(), of_nobody.response.len());
    assert_eq!(of_alice.login.len(), of_nobody.login.len());
}

#[tokio::test]
async fn the_second_half_of_a_log_in_is_good_once() {
    let relay = TestRelay::start().await;
    Person::register(&relay, "alice").await;
    let rest = Rest::at(&relay);
    let start = OpaqueStart { username: "alice".into(), request: first_half() };
    let answer: LoginAnswer = rest.post("/v1/auth/login/start", None, &start).await.unwrap();
    let finish = serde_json::json!({
        "login": answer.login,
        "finalization": Bytes::<1024>::new(vec![1; 64]).unwrap(),
    });

    for _ in 0..2 {
        let refused = rest
            .post::<serde_json::Value>("/v1/auth/login/finish", None, &finish)
            .await
            .unwrap_err();
        assert_eq!(refused.code, RejectCode::InvalidCredentials);
    }
}

#[tokio::test]
async fn a_keyring_is_replaced_by_the_next_number_only() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let numbered = |number| Keyring { number, sealed: Bytes::new(vec![9; 10]).unwrap() };

    assert_eq!(alice.put("/v1/account/keyring", &numbered(2)).await, Ok(()));
    let refused = alice.put("/v1/account/keyring", &numbered(2)).await;
    let skipped = alice.put("/v1/account/keyring", &numbered(4)).await;

    // The same keyring again is the same answer; another of that number is not.
    assert_eq!(refused, Ok(()));
    assert_eq!(skipped.unwrap_err().code, RejectCode::Conflict);
    let other = Keyring { number: 2, sealed: Bytes::new(vec![8; 10]).unwrap() };
    let refused = alice.put("/v1/account/keyring", &other).await;
    assert_eq!(refused.unwrap_err().code, RejectCode::Conflict);
}

#[tokio::test]
async fn envelope_keys_are_replaced_by_the_next_epoch_signed_by_the_identity() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let bob = Person::register(&relay, "bob").await;
    let path = "/v1/account/envelope-keys";

    let forged = envelope_keys(alice.account, &bob.identity, 2);
    let others = envelope_keys(bob.account, &alice.identity, 2);
    let next = envelope_keys(alice.account, &alice.identity, 2);

    assert_eq!(alice.put(path, &forged).await.unwrap_err().code, RejectCode::NotVerified);
    assert_eq!(alice.put(path, &others).await.unwrap_err().code, RejectCode::NotVerified);
    assert_eq!(alice.put(path, &next).await, Ok(()));
    let keys: AccountKeys = bob.get(&format!("/v1/accounts/{}/keys", alice.account)).await.unwrap();
    assert_eq!(keys.envelope_keys, next);
}

#[tokio::test]
async fn each_one_time_prekey_goes_out_once_and_its_owner_hears_when_few_are_left() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let bob = Person::register(&relay, "bob").await;
    let mut socket = bob.connect_idle().await;
    let fetch = FetchBundles { devices: List::new(vec![bob.device.address]).unwrap() };

    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..11 {
        let fetched: Bundles = alice.post("/v1/prekeys/fetch", &fetch).await.unwrap();
        assert!(seen.insert(fetched.bundles[0].one_time.clone().unwrap().index));
    }

    let remaining = socket
        .wait_for(|frame| match frame {
            RelayFrame::PrekeysLow { remaining } => Some(remaining),
            _ => None,
        })
        .await;
    assert_eq!(remaining, 19);
    assert_eq!(bob.put("/v1/prekeys", &bob.device.prekeys(2, 100)).await, Ok(()));
    let count: PrekeyCount = bob.get("/v1/prekeys").await.unwrap();
    assert_eq!((count.number, count.remaining), (2, 100));
}

#[tokio::test]
async fn prekeys_of_another_device_or_of_an_older_set_are_refused() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let bob = Person::register(&relay, "bob").await;

    let others = alice.put("/v1/prekeys", &bob.device.prekeys(2, 5)).await;
    let older = alice.put("/v1/prekeys", &alice.device.prekeys(1, 5)).await;

    assert_eq!(others.unwrap_err().code, RejectCode::NotVerified);
    assert_eq!(older.unwrap_err().code, RejectCode::Conflict);
}

#[tokio::test]
async fn what_is_not_there_and_what_cannot_be_read_are_rejects_too() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let rest = &alice.rest;
    let token = Some(alice.tokens.access.as_str());

    for (method, path, body, code) in [
        ("GET", "/nowhere", None, RejectCode::NotFound),
        ("PATCH", "/v1/account", None, RejectCode::MethodNotAllowed),
        ("GET", "/v1/accounts/by-name/nobody", None, RejectCode::NotFound),
        ("GET", "/v1/accounts/not-an-id/keys", None, RejectCode::NotFound),
        ("GET", "/v1/conversations?after=x", None, RejectCode::Malformed),
        ("POST", "/v1/conversations", Some("hello".into()), RejectCode::Malformed),
        ("POST", "/v1/conversations", Some("{}".into()), RejectCode::Malformed),
        ("POST", "/v1/conversations", Some(vec![b' '; 1_100_000]), RejectCode::TooLarge),
        ("GET", "/v1/socket", None, RejectCode::Malformed),
    ] {
        let refused = rest.call::<serde_json::Value>(method, path, token, body).await.unwrap_err();
        assert_eq!(refused.code, code, "{method} {path}");
        assert!(refused.message.len() > 20);
    }
}

#[tokio::test]
async fn the_relay_says_how_it_is() {
    let relay = TestRelay::start().await;
    let rest = Rest::at(&relay);

    for path in ["/healthz", "/readyz", "/.well-known/jwks.json", "/v1/limits"] {
        assert_eq!(rest.raw("GET", path, None, None).await.0, 200, "{path}");
    }
    let (_, metrics) = rest.raw("GET", "/metrics", None, None).await;
    assert!(String::from_utf8(metrics).unwrap().contains("sealwire_accepted_total 0"));
}

fn first_half() -> Bytes<1024> {
    use opaque_ke::ClientLogin;
    use relay_server::auth::opaque::Suite;
    use relay_server::random::OpaqueRng;
    let client = ClientLogin::<Suite>::start(&mut OpaqueRng, b"guess").unwrap();
    Bytes::new(client.message.serialize().to_vec()).unwrap()
}
