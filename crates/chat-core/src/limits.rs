//! Every limit of the protocol, in one place. A relay may lower them, never raise them.
//!
//! Normative: `docs/protocol/wire.md` §6.

use std::time::Duration;

/// Largest signed object: a creation entry that names a thousand members fits.
pub const SIGNED_OBJECT_BYTES_MAX: usize = 64 * 1024;
/// Largest padded content of a message.
pub const PAYLOAD_BYTES_MAX: usize = 128 * 1024;
/// Payload plus its authentication tag.
pub const SEALED_PAYLOAD_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 16;
/// Largest envelope header.
pub const HEADER_BYTES_MAX: usize = 512;
/// Largest wrap: one that starts a session carries an ML-KEM-1024 ciphertext.
pub const WRAP_BYTES_MAX: usize = 4096;
/// Most devices whose sessions carry a message; above, it goes out on a sender chain.
pub const SESSIONS_A_MESSAGE_MAX: usize = 256;
/// Most wraps of one message.
pub const WRAPS_MAX: usize = 5_000;
/// Largest WebSocket frame, and largest REST body.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Largest REST body.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Most members of a group.
pub const GROUP_MEMBERS_MAX: usize = 1_000;
/// Most members of a channel or a document chat.
pub const CHANNEL_MEMBERS_MAX: usize = 5_000;
/// Most accounts one membership entry may name.
pub const MEMBERS_AN_ENTRY_MAX: usize = 1_000;
/// Most active devices of an account.
pub const DEVICES_ACTIVE_MAX: usize = 10;
/// Most devices a device list may name, removed ones included.
pub const DEVICES_LISTED_MAX: usize = 200;
/// Most one-time prekeys of a set.
pub const ONE_TIME_PREKEYS_MAX: usize = 100;
/// Below this many one-time prekeys the relay says `prekeys_low`.
pub const ONE_TIME_PREKEYS_LOW: usize = 20;
/// Most devices whose prekey bundles one request may fetch.
pub const BUNDLES_A_REQUEST_MAX: usize = 100;
/// Largest sealed keyring.
pub const KEYRING_BYTES_MAX: usize = 256 * 1024;
/// Largest content of an attachment: the largest whose blob, padded and sealed, stays below 5 GiB.
pub const ATTACHMENT_BYTES_MAX: u64 = (5 * 1024 - 64) * 1024 * 1024;
/// Most times that the upload of one attachment may go on after its device was restarted.
pub const ATTACHMENT_RUNS_MAX: usize = 256;
/// Largest blob that any relay takes: 5 GiB.
pub const BLOB_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Most bytes of a blob that one request uploads.
pub const BLOB_PIECE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Fewest bytes that one request uploads, unless they are the last of the blob.
pub const BLOB_PIECE_BYTES_MIN: u64 = 64 * 1024;
/// Most blobs that one message may name.
pub const BLOBS_A_MESSAGE_MAX: usize = 32;
/// Most blobs that an account may keep by itself.
pub const BLOBS_AN_ACCOUNT_KEEPS_MAX: usize = 16;
/// Largest sealed head of a backup.
pub const BACKUP_HEAD_BYTES_MAX: usize = 4096;
/// Most segments that one head may bring.
pub const BACKUP_SEGMENTS_AN_UPDATE_MAX: usize = 10_000;
/// Largest record of a backup.
pub const BACKUP_RECORD_BYTES_MAX: usize = 256 * 1024;
/// Largest content of a backup's segment, before it is padded.
pub const BACKUP_SEGMENT_BYTES_MAX: usize = 512 * 1024 - 1;
/// Shortest and longest username, in characters of `a-z 0-9 . _ -`.
pub const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=50;
/// Most messages on a page of history, or entries on a page of a membership log.
pub const PAGE_MAX: usize = 100;
/// Most messages that one report discloses.
pub const REPORT_MESSAGES_MAX: usize = 50;
/// Longest comment of a report, in bytes.
pub const REPORT_COMMENT_BYTES_MAX: usize = 2_000;
/// Longest self-destruct timer.
pub const EXPIRY_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
/// Most messages that may be on the way to a device without its acknowledgement.
pub const DELIVERY_WINDOW_MESSAGES: usize = 128;
/// Most bytes that may be on the way to a device without its acknowledgement.
pub const DELIVERY_WINDOW_BYTES: usize = 256 * 1024;
/// Most conversations that an answer about what is unread names.
pub const UNREAD_CONVERSATIONS_MAX: usize = 1_000;
/// Where counting what is unread of a conversation ends.
pub const UNREAD_COUNTED_MAX: u32 = 1_000;
/// Most accounts that a device may follow the presence of.
pub const FOLLOWED_MAX: usize = 500;
/// Most presences that one frame tells.
pub const PRESENCES_A_FRAME_MAX: usize = 100;
/// Most workspaces in which a device may be otherwise available than in the others.
pub const PRESENCE_WORKSPACES_MAX: usize = 16;
/// Most frames queued towards one connection.
pub const OUTBOUND_FRAMES_MAX: usize = 256;
/// A connection that has not authenticated after this is closed.
pub const AUTHENTICATE_WITHIN: Duration = Duration::from_secs(5);
/// How often a quiet connection is asked whether it is alive.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(25);
/// A connection that has said nothing for this long is dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(60);
/// How long an access token is good for.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How far ahead of the relay's clock a membership entry may be dated.
pub const ENTRY_AHEAD_MAX: Duration = Duration::from_secs(5 * 60);
/// How long the single-use state of a log-in waits for its second half.
pub const LOGIN_WITHIN: Duration = Duration::from_secs(60);

/// Tells whether `name` may be a username: lower-case letters, digits, `.`, `_` and `-`.
#[must_use]
pub fn is_username(name: &str) -> bool {
    USERNAME_CHARS.contains(&name.len())
        && name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}
