//! `/v1/account/backup`: a sealed head, and the blobs that hold its segments.

use chat_core::api::backup::{BackupHead, PutBackup, SegmentPage};

use super::Relay;
use crate::error::Result;

impl Relay {
    /// `GET /v1/account/backup`: the head as it was put there.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`](crate::Kind::NotFound) if there is none.
    pub async fn backup(&self) -> Result<BackupHead> {
        self.get("/v1/account/backup".into()).await
    }

    /// `PUT /v1/account/backup`: the next head.
    ///
    /// # Errors
    ///
    /// [`Kind::Conflict`](crate::Kind::Conflict) if another device was first.
    pub async fn put_backup(&self, next: &PutBackup) -> Result<()> {
        self.put("/v1/account/backup".into(), next).await
    }

    /// `GET /v1/account/backup/segments`: those below `before`, the newest first.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn backup_segments(&self, before: u64) -> Result<SegmentPage> {
        self.get(format!("/v1/account/backup/segments?before={before}")).await
    }
}
