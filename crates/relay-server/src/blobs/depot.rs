//! Objects, and the spool before them, as the services use them.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use chat_core::id::BlobId;
use chat_core::time::Timestamp;

use super::block::BlockReader;
use super::disk::DiskBlobs;
use super::s3::{BadS3, S3Blobs};
use super::spool::{Spool, Spooled};
use super::{BlobError, Blobs};
use crate::config::{BlobConfig, BlobLimits, BlobStore};
use crate::storage::{Piece, Storage, StorageError};

/// How many pieces are looked up at a time.
const PIECES_A_LOOK: usize = 64;

/// Where blobs are kept, and how many bytes there may be.
#[derive(Clone, Debug)]
pub struct Depot {
    /// The objects.
    pub objects: Arc<dyn Blobs>,
    /// Where bodies are taken in.
    pub spool: Spool,
    /// How many bytes.
    pub limits: BlobLimits,
}

impl Depot {
    /// As `config` says; what is not said is under `data`.
    ///
    /// # Errors
    ///
    /// [`BadS3`].
    pub fn open(config: &BlobConfig, data: &Path) -> Result<Self, BadS3> {
        let limits = config.limits;
        let in_data = BlobStore::Disk(data.join("blobs"));
        Ok(match config.store.as_ref().unwrap_or(&in_data) {
            BlobStore::Disk(folder) => Self {
                objects: Arc::new(DiskBlobs::at(folder.join("objects"))),
                spool: Spool::at(folder.join("spool")),
                limits,
            },
            BlobStore::S3(place) => Self {
                objects: Arc::new(S3Blobs::open(place)?),
                spool: Spool::at(data.join("blobs/spool")),
                limits,
            },
        })
    }

    /// Copies the beginning of a piece into an object of its own.
    ///
    /// # Errors
    ///
    /// [`BlobError`].
    pub async fn copy(&self, piece: Piece, length: u64) -> Result<Spooled, BlobError> {
        let mut from =
            BlockReader::open(&*self.objects, piece.object, piece.length, 0, length).await?;
        let mut to = self.spool.begin().await?;
        while let Some(block) = from.next().await? {
            to.write(&block).await?;
        }
        to.finish().await
    }

    /// Deletes what was taken in before `before` and never kept.
    ///
    /// # Errors
    ///
    /// [`BlobError`].
    pub async fn sweep_spool(&self, before: Timestamp) -> Result<usize, BlobError> {
        self.spool.sweep(before).await
    }
}

/// Hands out a part of a blob, block by block, each checked before; it holds one block at a time.
#[derive(Debug)]
pub struct Reading {
    objects: Arc<dyn Blobs>,
    storage: Arc<dyn Storage>,
    blob: BlobId,
    position: u64,
    end: u64,
    pieces: VecDeque<Piece>,
    block: Option<BlockReader>,
}

impl Reading {
    /// The bytes of `blob` from `start` to before `end`.
    #[must_use]
    pub fn of(
        depot: &Depot,
        storage: &Arc<dyn Storage>,
        blob: BlobId,
        start: u64,
        end: u64,
    ) -> Self {
        Self {
            objects: depot.objects.clone(),
            storage: storage.clone(),
            blob,
            position: start,
            end,
            pieces: VecDeque::new(),
            block: None,
        }
    }

    /// What comes next; nothing at the end.
    ///
    /// # Errors
    ///
    /// [`BlobError::Missing`] also when the blob is deleted meanwhile.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        while self.position < self.end {
            if let Some(reader) = &mut self.block {
                if let Some(bytes) = reader.next().await? {
                    self.position += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                self.block = None;
            }
            if self.position < self.end {
                self.open_next().await?;
            }
        }
        Ok(None)
    }

    async fn open_next(&mut self) -> Result<(), BlobError> {
        if self.pieces.is_empty() {
            let found = self.storage.blob_pieces(self.blob, self.position, PIECES_A_LOOK).await;
            self.pieces = found.map_err(of_storage)?.into();
        }
        let piece = self.pieces.pop_front().ok_or(BlobError::Missing)?;
        // Pieces follow each other, unless the blob was changed while it is read.
        if !(piece.start..piece.end()).contains(&self.position) {
            return Err(BlobError::Missing);
        }
        let start = self.position - piece.start;
        let end = self.end.saturating_sub(piece.start);
        let reader =
            BlockReader::open(&*self.objects, piece.object, piece.length, start, end).await?;
        self.block = Some(reader);
        Ok(())
    }
}

fn of_storage(error: StorageError) -> BlobError {
    tracing::warn!(%error, "the pieces of a blob cannot be looked up");
    BlobError::Unavailable
}
