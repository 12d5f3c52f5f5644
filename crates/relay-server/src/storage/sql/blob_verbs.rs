//! The verbs of [`BlobStorage`], each a transaction.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chat_core::id::{AccountId, BlobId};
use chat_core::time::Timestamp;

use super::{StorageError, Store, blobs, naming};
use crate::blobs::ObjectName;
use crate::storage::{BlobStorage, Piece, Placed, Reservation, Room, StoredBlob};

#[async_trait]
impl BlobStorage for Store {
    async fn reserve_blob(
        &self,
        new: &Reservation,
        room: Room,
        collect_at: Timestamp,
    ) -> Result<(), StorageError> {
        grow!(self, blobs::reserve(new, room, collect_at))
    }

    async fn blob(
        &self,
        blob: BlobId,
        reader: AccountId,
    ) -> Result<Option<StoredBlob>, StorageError> {
        read!(self, blobs::readable(blob, reader))
    }

    async fn blob_pieces(
        &self,
        blob: BlobId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Piece>, StorageError> {
        read!(self, blobs::pieces(blob, from, limit))
    }

    async fn place_pieces(
        &self,
        blob: BlobId,
        uploader: AccountId,
        pieces: &[Piece],
        instead_of: Option<ObjectName>,
        collect_at: Timestamp,
    ) -> Result<Placed, StorageError> {
        grow!(self, blobs::place(blob, uploader, pieces, instead_of, collect_at))
    }

    async fn delete_blob(&self, blob: BlobId, uploader: AccountId) -> Result<(), StorageError> {
        write!(self, blobs::delete(blob, uploader))
    }

    async fn abandon_blobs(
        &self,
        uploader: AccountId,
        now: Timestamp,
    ) -> Result<u64, StorageError> {
        write!(self, blobs::abandon(uploader, now))
    }

    async fn collect_blobs(&self, now: Timestamp, limit: usize) -> Result<u64, StorageError> {
        write!(self, blobs::collect(now, limit))
    }

    async fn blob_garbage(&self, limit: usize) -> Result<Vec<ObjectName>, StorageError> {
        read!(self, blobs::garbage(limit))
    }

    async fn forget_garbage(&self, objects: &[ObjectName]) -> Result<(), StorageError> {
        write!(self, blobs::forget_garbage(objects))
    }

    async fn known_objects(&self, shard: u8) -> Result<BTreeSet<ObjectName>, StorageError> {
        read!(self, blobs::known(shard))
    }

    async fn keep_blobs(
        &self,
        account: AccountId,
        blobs: &[BlobId],
        now: Timestamp,
    ) -> Result<(), StorageError> {
        write!(self, naming::keep(account, blobs, now))
    }

    async fn kept_blobs(&self, account: AccountId) -> Result<Vec<BlobId>, StorageError> {
        read!(self, naming::kept(account))
    }

    async fn blob_bytes_of(&self, account: AccountId) -> Result<u64, StorageError> {
        read!(self, blobs::bytes_of(account))
    }
}
