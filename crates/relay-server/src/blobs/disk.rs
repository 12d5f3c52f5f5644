//! Objects as files: `objects/3f/3f52…`, on this machine's disk or one that all nodes share.
//!
//! ```text
//!  spool/3f52… ──flushed──▶ rename ──▶ objects/3f/3f52… ──▶ flush the folder ──▶ kept
//! ```
//!
//! A power cut in between leaves a file in the spool, or one in its place that no row names: both
//! are swept. The spool has to be on the same file system.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::spool::{Spooled, make_folder, written_at};
use super::{BlobError, Blobs, Listed, ObjectName, ObjectReader};

/// The files of one folder.
#[derive(Clone, Debug)]
pub struct DiskBlobs {
    folder: PathBuf,
}

impl DiskBlobs {
    /// Keeps objects under `folder`, which is made when it is needed.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn shard(&self, shard: u8) -> PathBuf {
        self.folder.join(format!("{shard:02x}"))
    }

    fn path(&self, name: ObjectName) -> PathBuf {
        self.shard(name.shard()).join(name.to_string())
    }
}

#[async_trait]
impl Blobs for DiskBlobs {
    async fn keep(&self, spooled: Spooled) -> Result<(), BlobError> {
        let (folder, path) = (self.shard(spooled.name().shard()), self.path(spooled.name()));
        match tokio::fs::rename(spooled.path(), &path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_folder(&folder).await?;
                flush_folder(&self.folder).await?;
                if let Some(parent) = self.folder.parent() {
                    flush_folder(parent).await?;
                }
                tokio::fs::rename(spooled.path(), &path).await?;
            }
            renamed => renamed?,
        }
        Ok(flush_folder(&folder).await?)
    }

    async fn read(
        &self,
        name: ObjectName,
        start: u64,
        length: u64,
    ) -> Result<ObjectReader, BlobError> {
        let mut file = File::open(self.path(name)).await?;
        if start > 0 {
            file.seek(io::SeekFrom::Start(start)).await?;
        }
        Ok(Box::pin(file.take(length)))
    }

    async fn delete(&self, name: ObjectName) -> Result<(), BlobError> {
        match tokio::fs::remove_file(self.path(name)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn list(&self, shard: u8) -> Result<Vec<Listed>, BlobError> {
        let mut entries = match tokio::fs::read_dir(self.shard(shard)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name().to_str().and_then(ObjectName::parse);
            // What is deleted meanwhile is not there.
            if let (Some(name), Ok(metadata)) = (name, entry.metadata().await) {
                found.push(Listed { name, written_at: written_at(&metadata) });
            }
        }
        Ok(found)
    }
}

/// Waits until what was done to a folder's names is on disk.
async fn flush_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder).await?.sync_all().await?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::blobs::conformance;
    use crate::blobs::spool::Spool;

    conformance::suite!(with_blobs);

    async fn with_blobs<F>(test: impl FnOnce(Arc<dyn Blobs>, Spool) -> F)
    where
        F: Future<Output = ()>,
    {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::at(folder.path().join("spool"));
        test(Arc::new(DiskBlobs::at(folder.path().join("objects"))), spool).await;
    }

    #[tokio::test]
    async fn what_was_never_finished_is_swept_when_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::at(folder.path());
        let mut body = spool.begin().await.unwrap();
        body.write(b"hello").await.unwrap();
        std::mem::forget(body);
        let now = crate::clock::Clock::now(&crate::clock::SystemClock);
        let later = now.after(std::time::Duration::from_secs(60));

        assert_eq!(spool.sweep(chat_core::time::Timestamp::default()).await, Ok(0));
        assert_eq!(spool.sweep(later).await, Ok(1));
        assert_eq!(spool.sweep(later).await, Ok(0));
    }
}
