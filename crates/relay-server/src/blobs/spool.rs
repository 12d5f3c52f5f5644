//! Bodies on their way in: each a file of its own, complete and flushed before anybody keeps it.
//!
//! A slow sender costs a file and one block of memory. What is dropped before it is kept is
//! deleted; what a crash leaves is swept after a day.

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use chat_core::time::Timestamp;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::block::{BLOCK_BYTES, checksum};
use super::{BlobError, ObjectName};

/// Where bodies are taken in.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
}

impl Spool {
    /// Takes bodies in under `folder`, which is made when it is needed.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Begins a file for an object of a new name.
    ///
    /// # Errors
    ///
    /// [`BlobError::Full`], [`BlobError::Unavailable`].
    pub async fn begin(&self) -> Result<Spooling, BlobError> {
        let name = ObjectName::random();
        let path = self.folder.join(name.to_string());
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        let file = match options.open(&path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_folder(&self.folder).await?;
                options.open(&path).await?
            }
            opened => opened?,
        };
        let spooled = Spooled { name, path, length: 0 };
        let block = Vec::with_capacity(BLOCK);
        Ok(Spooling { spooled, file, block })
    }

    /// Deletes files that were begun before `before` and never finished; returns how many.
    ///
    /// # Errors
    ///
    /// [`BlobError::Unavailable`].
    pub async fn sweep(&self, before: Timestamp) -> Result<usize, BlobError> {
        let mut swept = 0;
        let mut entries = match tokio::fs::read_dir(&self.folder).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        while let Some(entry) = entries.next_entry().await? {
            // Somebody else may have been faster.
            let Ok(metadata) = entry.metadata().await else { continue };
            if written_at(&metadata) < before && tokio::fs::remove_file(entry.path()).await.is_ok()
            {
                swept += 1;
            }
        }
        Ok(swept)
    }
}

/// Makes a folder that nobody else can read.
pub(super) async fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = tokio::fs::DirBuilder::new();
    #[cfg(unix)]
    builder.mode(0o700);
    builder.recursive(true).create(folder).await
}

/// When a file was written, by the clock of whoever keeps it.
pub(super) fn written_at(metadata: &std::fs::Metadata) -> Timestamp {
    let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Timestamp::default().after(modified.unwrap_or_default())
}

#[allow(clippy::cast_possible_truncation)]
const BLOCK: usize = BLOCK_BYTES as usize;

/// A body that is being taken in.
#[derive(Debug)]
pub struct Spooling {
    spooled: Spooled,
    file: File,
    block: Vec<u8>,
}

impl Spooling {
    /// How many bytes have come.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.spooled.length
    }

    /// Takes more.
    ///
    /// # Errors
    ///
    /// [`BlobError::Full`], [`BlobError::Unavailable`].
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), BlobError> {
        while !bytes.is_empty() {
            let room = BLOCK.saturating_sub(self.block.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.block.extend_from_slice(now);
            bytes = later;
            self.spooled.length += now.len() as u64;
            if self.block.len() == BLOCK {
                self.end_block().await?;
            }
        }
        Ok(())
    }

    /// Writes the last block, and waits until everything is on disk.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub async fn finish(mut self) -> Result<Spooled, BlobError> {
        if !self.block.is_empty() {
            self.end_block().await?;
        }
        self.file.flush().await?;
        self.file.sync_all().await?;
        Ok(self.spooled)
    }

    async fn end_block(&mut self) -> Result<(), BlobError> {
        let number = (self.spooled.length - 1) / BLOCK_BYTES;
        let checksum = checksum(self.spooled.name, number, &self.block);
        self.file.write_all(&self.block).await?;
        self.file.write_all(&checksum).await?;
        self.block.clear();
        Ok(())
    }
}

/// A body that has come whole. Its file goes when this is dropped, unless it was moved away.
#[derive(Debug)]
pub struct Spooled {
    name: ObjectName,
    path: PathBuf,
    length: u64,
}

impl Spooled {
    /// What the object is to be called.
    #[must_use]
    pub fn name(&self) -> ObjectName {
        self.name
    }

    /// How many bytes it holds, without checksums.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Its file, in the form of an object.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        // It is gone already where it was kept; what cannot be deleted now is swept later.
        let _ = std::fs::remove_file(&self.path);
    }
}
