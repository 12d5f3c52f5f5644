//! What devices sign to log in and to refresh, written by hand; and tokens that do not print.

use chat_core::api::auth::{Refresh, Tokens, device_login_input, refresh_input};

use crate::people::{NOON, Person};
use crate::vectors::spec;

#[test]
fn a_log_in_is_signed_for_one_relay_challenge_and_device() {
    let address = Person::new(1).address(2);

    let input = device_login_input("https://relay.example", &[9; 32], address);

    let device = spec::map(&[(0, spec::bytes(&[1; 16])), (1, spec::bytes(&[2; 16]))]);
    let written = spec::map(&[
        (0, spec::text("https://relay.example")),
        (1, spec::bytes(&[9; 32])),
        (2, device),
    ]);
    assert_eq!(input, written);
}

#[test]
fn a_refresh_is_signed_for_one_relay_and_token() {
    let input = refresh_input("https://relay.example", "abc");

    let written = spec::map(&[(0, spec::text("https://relay.example")), (1, spec::text("abc"))]);
    assert_eq!(input, written);
}

#[test]
fn tokens_do_not_print() {
    let tokens = Tokens {
        address: Person::new(1).address(2),
        access: "hush-access".to_owned(),
        expires_at: NOON,
        refresh: "hush-refresh".to_owned(),
    };
    let refresh = Refresh { refresh: tokens.refresh.clone(), signature: None };

    assert_eq!(format!("{refresh:?}"), "Refresh(..)");
    let printed = format!("{tokens:?}");
    assert!(printed.starts_with("Tokens") && !printed.contains("hush"), "{printed}");
}
