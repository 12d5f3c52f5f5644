//! The backup of an account's history: a sealed head, and segments that are blobs.
//!
//! ```text
//!  segments (blobs) ─▶ PUT /v1/account/backup {number, …, head, segments} ─▶ 204, or conflict
//!                      GET /v1/account/backup                              ─▶ {number, …, head}
//!                      GET /v1/account/backup/segments?before=17           ─▶ 16, 15, 14 …
//! ```
//!
//! What head and segments hold is sealed; the relay keeps both, and the segments as long as a head
//! stands for them. Normative: `docs/protocol/backup.md` §8.

use serde::{Deserialize, Serialize};

use crate::codec::{Bytes, List};
use crate::id::{BackupId, BlobId};
use crate::limits::{BACKUP_HEAD_BYTES_MAX, BACKUP_SEGMENTS_AN_UPDATE_MAX, PAGE_MAX};

/// `GET /v1/account/backup`: the head as it was put there.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BackupHead {
    /// 1 for the first, then rising by one; the head's own revision.
    pub number: u64,
    /// Which backup it stands for.
    pub backup: BackupId,
    /// The number of the oldest segment that is kept; at least 1.
    pub first: u64,
    /// The number of the newest segment; `first - 1` if there is none.
    pub last: u64,
    /// The sealed head.
    pub head: Bytes<BACKUP_HEAD_BYTES_MAX>,
}

/// `PUT /v1/account/backup`: another head in the place of the one numbered before.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PutBackup {
    /// The number of the head that it replaces plus one; 1 where there is none.
    pub number: u64,
    /// Which backup it stands for; another one than before begins anew.
    pub backup: BackupId,
    /// The number of the oldest segment that is kept; segments before it go.
    pub first: u64,
    /// The number of the newest segment.
    pub last: u64,
    /// The sealed head.
    pub head: Bytes<BACKUP_HEAD_BYTES_MAX>,
    /// The segments that are new with it, from the one after the last known to `last`.
    pub segments: List<BackupSegment, BACKUP_SEGMENTS_AN_UPDATE_MAX>,
}

/// A segment, and the blob that holds it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BackupSegment {
    /// Its number, from 1.
    pub number: u64,
    /// A complete blob of the account's.
    pub blob: BlobId,
}

/// The query of `GET /v1/account/backup/segments`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SegmentQuery {
    /// Only segments with lower numbers; absent: from the newest on.
    #[serde(default)]
    pub before: Option<u64>,
}

/// What it answers: segments of the backup that the head stands for, the newest first.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SegmentPage {
    /// At most a page of them.
    pub segments: List<BackupSegment, PAGE_MAX>,
    /// Whether there are older ones.
    pub more: bool,
}
