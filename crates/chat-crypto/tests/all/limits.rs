//! Lengths, limits and times, as the pages of the protocol state them: no number follows another.

use std::time::Duration;

use chat_crypto::{
    attachment, compression, linking, padding, safety_number, sender_chain, session,
};

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

#[test]
fn sessions_keep_what_ratchet_md_says_for_as_long() {
    assert_eq!(session::INACTIVE_MAX, 5);
    assert_eq!(session::INACTIVE_KEPT_FOR, days(30));
    assert_eq!(session::HANDSHAKES_REMEMBERED_FOR, days(40));
    assert_eq!(session::HANDSHAKES_REMEMBERED_MAX, 256);
    assert_eq!(session::SILENT_AFTER, days(1));
    assert_eq!(session::PLAINTEXT_BYTES_MAX, 131_072);
}

#[test]
fn sender_chains_live_as_sender_chains_md_says() {
    assert_eq!(sender_chain::MESSAGES_A_CHAIN, 100);
    assert_eq!(sender_chain::CHAIN_LIVES_FOR, days(1));
    assert_eq!(sender_chain::CHAIN_LENGTH_MAX, 2_000);
    assert_eq!(sender_chain::CHAINS_KEPT_MAX, 5);
    assert_eq!(sender_chain::SKIPPED_KEPT_MAX, 1_000);
    assert_eq!(sender_chain::SKIPPED_KEPT_FOR, days(7));
}

#[test]
fn a_linking_ends_as_linking_md_says() {
    assert_eq!(linking::LIFETIME, Duration::from_secs(600));
    assert_eq!(linking::CLOCKS_APART_MAX, Duration::from_secs(300));
    assert_eq!(linking::MESSAGE_BYTES_MAX, 8_192);
    assert_eq!(linking::EMOJI, 7);
}

#[test]
fn contents_and_attachments_are_cut_as_their_pages_say() {
    assert_eq!(padding::CONTENT_BYTES_MAX, 131_071);
    assert_eq!(compression::BODY_BYTES_MIN, 256);
    assert_eq!(attachment::HEADER_BYTES, 32);
    assert_eq!(attachment::CHUNK_BYTES, 65_536);
    assert_eq!(attachment::SEALED_CHUNK_BYTES, 65_552);
}

#[test]
fn a_safety_number_has_as_many_emoji_as_keyring_md_says() {
    assert_eq!(safety_number::EMOJI, 36);
}
