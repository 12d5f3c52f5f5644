//! What the store knows of blobs: how far each has come, where its pieces lie, what names it.
//!
//! ```text
//!  reserve ─▶ place … place ─▶ complete ─▶ named by a message, a backup, an account
//!     │          │                │                          │ the last name goes
//!     └──────────┴── nothing happens for a day ──────────────┴──▶ collected: the row goes,
//!                                                  its objects are garbage, then they are deleted
//! ```
//!
//! A blob's bytes are in objects of the blob store (`crate::blobs`), which this module only names.
//! An object is written before a row names it and deleted after no row does, so a crash leaves
//! objects without rows, never rows without objects.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::id::{AccountId, BlobId, WorkspaceId};
use chat_core::time::Timestamp;

use super::StorageError;
use crate::blobs::ObjectName;

/// A blob to come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reservation {
    /// Which.
    pub blob: BlobId,
    /// Whose room it takes.
    pub uploader: AccountId,
    /// Who may read it, and whose room it takes too.
    pub workspace: WorkspaceId,
    /// How many bytes there will be, at least one.
    pub bytes: u64,
}

/// How many bytes all blobs together may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    /// Those of one account.
    pub account: u64,
    /// Those of one workspace; absent: as many as its accounts may have.
    pub workspace: Option<u64>,
}

/// A blob that is there, at least its beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoredBlob {
    /// Whose it is.
    pub uploader: AccountId,
    /// How many bytes there will be.
    pub bytes: u64,
    /// How many from the beginning there are; all of them: it is complete, and never changes.
    pub stored: u64,
}

/// A part of a blob, and the object that holds it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Piece {
    /// Its first byte's place in the blob.
    pub start: u64,
    /// How many bytes it has, at least one.
    pub length: u64,
    /// Where they lie.
    pub object: ObjectName,
}

impl Piece {
    /// The place behind its last byte.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }
}

/// Where an upload stands after pieces were to be placed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Placed {
    /// They are there; the upload goes on here.
    Here(StoredBlob),
    /// They do not fit: the upload stands elsewhere, or somebody else has moved it meanwhile.
    Elsewhere(StoredBlob),
}

/// The part of the durable state that is about blobs.
#[async_trait]
pub trait BlobStorage {
    /// Reserves room for a blob; until something comes, it is collected at `collect_at`.
    ///
    /// # Errors
    ///
    /// [`StorageError::QuotaExceeded`]: the account or the workspace has no such room left.
    async fn reserve_blob(
        &self,
        new: &Reservation,
        room: Room,
        collect_at: Timestamp,
    ) -> Result<(), StorageError>;

    /// A blob as `reader` may see it: its uploader always, others of its workspace when it is
    /// complete.
    async fn blob(
        &self,
        blob: BlobId,
        reader: AccountId,
    ) -> Result<Option<StoredBlob>, StorageError>;

    /// Up to `limit` pieces of a blob, in order, the first of which holds the byte at `from`.
    async fn blob_pieces(
        &self,
        blob: BlobId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Piece>, StorageError>;

    /// Places `pieces`, which follow each other, in a blob that is not complete; what was there
    /// from the first one on becomes garbage. It is collected at `collect_at` unless more comes.
    ///
    /// `instead_of` is the object whose place the first piece takes because it holds its beginning.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] if `uploader` has no such blob.
    async fn place_pieces(
        &self,
        blob: BlobId,
        uploader: AccountId,
        pieces: &[Piece],
        instead_of: Option<ObjectName>,
        collect_at: Timestamp,
    ) -> Result<Placed, StorageError>;

    /// Deletes a blob, whatever names it; its objects become garbage.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] if `uploader` has no such blob.
    async fn delete_blob(&self, blob: BlobId, uploader: AccountId) -> Result<(), StorageError>;

    /// Makes everything that an account has uploaded due for collection, whatever names it.
    async fn abandon_blobs(&self, uploader: AccountId, now: Timestamp)
    -> Result<u64, StorageError>;

    /// Deletes up to `limit` blobs that are due and that nothing names; returns how many. Nodes
    /// that collect at once get different ones.
    async fn collect_blobs(&self, now: Timestamp, limit: usize) -> Result<u64, StorageError>;

    /// Up to `limit` objects that are to be deleted.
    async fn blob_garbage(&self, limit: usize) -> Result<Vec<ObjectName>, StorageError>;

    /// Forgets objects that were deleted.
    async fn forget_garbage(&self, objects: &[ObjectName]) -> Result<(), StorageError>;

    /// All objects that a row knows, also as garbage, and whose names begin with `shard`.
    async fn known_objects(&self, shard: u8) -> Result<BTreeSet<ObjectName>, StorageError>;

    /// Makes `blobs` the list of those that an account keeps by itself; what falls off it is let go.
    ///
    /// # Errors
    ///
    /// [`StorageError::BlobMissing`] if one is no complete blob of the account's.
    async fn keep_blobs(
        &self,
        account: AccountId,
        blobs: &[BlobId],
        now: Timestamp,
    ) -> Result<(), StorageError>;

    /// The list of blobs that an account keeps by itself.
    async fn kept_blobs(&self, account: AccountId) -> Result<Vec<BlobId>, StorageError>;

    /// How many bytes the blobs of an account have reserved.
    async fn blob_bytes_of(&self, account: AccountId) -> Result<u64, StorageError>;
}

/// How long a blob is kept while nothing comes and nothing names it.
pub const UNNAMED_KEPT: Duration = Duration::from_secs(24 * 3600);
