//! The limits are those of `wire.md` §6: a number that moves by accident is another protocol.

use std::time::Duration;

use chat_core::envelope::WrapScheme;
use chat_core::limits;
use chat_core::membership::{Allowed, Departed, History, Joining, Policy};

const MIB: usize = 1_048_576;

#[test]
fn the_sizes_are_those_of_the_page() {
    assert_eq!(limits::SIGNED_OBJECT_BYTES_MAX, 65_536);
    assert_eq!(limits::PAYLOAD_BYTES_MAX, 131_072);
    assert_eq!(limits::SEALED_PAYLOAD_BYTES_MAX, 131_088);
    assert_eq!(limits::HEADER_BYTES_MAX, 512);
    assert_eq!(limits::WRAP_BYTES_MAX, 4096);
    assert_eq!(limits::FRAME_BYTES_MAX, MIB);
    assert_eq!(limits::BODY_BYTES_MAX, MIB);
    assert_eq!(limits::KEYRING_BYTES_MAX, 262_144);
    assert_eq!(limits::DELIVERY_WINDOW_BYTES, 262_144);
    assert_eq!(limits::ATTACHMENT_BYTES_MAX, 5_368_709_120 - 67_108_864);
    assert_eq!(limits::BLOB_BYTES_MAX, 5_368_709_120);
    assert_eq!((limits::BLOB_PIECE_BYTES_MIN, limits::BLOB_PIECE_BYTES_MAX), (65_536, 4_194_304));
    assert_eq!(limits::BACKUP_HEAD_BYTES_MAX, 4096);
    assert_eq!(limits::BLOBS_AN_ACCOUNT_KEEPS_MAX, 16);
    assert_eq!(limits::BACKUP_SEGMENTS_AN_UPDATE_MAX, 10_000);
    assert_eq!(limits::BACKUP_RECORD_BYTES_MAX, 262_144);
    assert_eq!(limits::BACKUP_SEGMENT_BYTES_MAX, 524_287);
}

#[test]
fn the_counts_are_those_of_the_page() {
    assert_eq!(limits::WRAPS_MAX, 5000);
    assert_eq!(limits::GROUP_MEMBERS_MAX, 1000);
    assert_eq!(limits::CHANNEL_MEMBERS_MAX, 5000);
    assert_eq!(limits::MEMBERS_AN_ENTRY_MAX, 1000);
    assert_eq!((limits::DEVICES_ACTIVE_MAX, limits::DEVICES_LISTED_MAX), (10, 200));
    assert_eq!((limits::ONE_TIME_PREKEYS_MAX, limits::ONE_TIME_PREKEYS_LOW), (100, 20));
    assert_eq!((limits::BUNDLES_A_REQUEST_MAX, limits::PAGE_MAX), (100, 100));
    assert_eq!((limits::DELIVERY_WINDOW_MESSAGES, limits::OUTBOUND_FRAMES_MAX), (128, 256));
    assert_eq!((limits::ATTACHMENT_RUNS_MAX, limits::BLOBS_A_MESSAGE_MAX), (256, 32));
}

#[test]
fn the_times_are_those_of_the_page() {
    assert_eq!(limits::EXPIRY_MAX, Duration::from_secs(31_536_000));
    assert_eq!(limits::AUTHENTICATE_WITHIN, Duration::from_secs(5));
    assert_eq!(limits::HEARTBEAT_EVERY, Duration::from_secs(25));
    assert_eq!(limits::DEAD_AFTER, Duration::from_secs(60));
    assert_eq!(limits::ACCESS_TOKEN_LIFETIME, Duration::from_secs(900));
    assert_eq!(limits::ENTRY_AHEAD_MAX, Duration::from_secs(300));
    assert_eq!(limits::LOGIN_WITHIN, Duration::from_secs(60));
}

#[test]
fn a_username_has_3_to_50_plain_characters() {
    let (longest, too_long) = ("a".repeat(50), "a".repeat(51));

    for name in ["abc", "a.b", "a_b-9", "0-9", &longest] {
        assert!(limits::is_username(name), "{name}");
    }
    for name in ["", "ab", "Abc", "a c", "a@c", "äbc", "a\0c", &too_long] {
        assert!(!limits::is_username(name), "{name}");
    }
}

#[test]
fn a_document_begins_with_the_rules_that_are_said_of_it() {
    let rules = Policy {
        post: Allowed::Members,
        add: Allowed::Members,
        rename: Allowed::Members,
        scheme: WrapScheme::HpkeXwing,
        timer: None,
        delete: None,
        join: Joining::Added,
        history: History::FromBeginning,
        departed: Departed::Keep,
    };

    assert_eq!(Policy::DOCUMENT, rules);
}
