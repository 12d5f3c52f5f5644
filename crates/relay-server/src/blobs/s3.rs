//! Objects in S3, or in anything that speaks its API: `s3://bucket/prefix/3f/3f52…`.
//!
//! Credentials come from where Amazon's own tools find them (`AWS_ACCESS_KEY_ID` and its relatives,
//! a role of the machine), never from the configuration. A body is spooled to a local file first, so
//! a slow sender holds no memory; it is in memory while it is sent on, and only so many are at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::time::Timestamp;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    ClientOptions, GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _, RetryConfig,
};
use tokio::sync::Semaphore;
use tokio_util::io::StreamReader;

use super::spool::Spooled;
use super::{BlobError, Blobs, Listed, ObjectName, ObjectReader};
use crate::config::S3Place;

/// How many objects are sent at once, each at most a piece.
const SENDING_MAX: usize = 16;
/// How long a request that fails is tried again.
const RETRY_MAX: Duration = Duration::from_secs(20);
const RETRIES_MAX: usize = 4;
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long one request may take.
const REQUEST_MAX: Duration = Duration::from_secs(60);

/// Why S3 cannot be used as it is configured; in the words of its client, which hold no secrets.
#[derive(Debug, thiserror::Error)]
#[error("S3 cannot be used: {0}")]
pub struct BadS3(#[from] object_store::Error);

/// The objects of one bucket.
#[derive(Clone, Debug)]
pub struct S3Blobs {
    store: Arc<AmazonS3>,
    prefix: String,
    sending: Arc<Semaphore>,
}

impl S3Blobs {
    /// Keeps objects in `place`, with the credentials of the environment. Nothing is asked of S3 yet.
    ///
    /// # Errors
    ///
    /// [`BadS3`].
    pub fn open(place: &S3Place) -> Result<Self, BadS3> {
        Self::with(place, AmazonS3Builder::from_env())
    }

    /// The same, with the credentials that `builder` has.
    ///
    /// # Errors
    ///
    /// [`BadS3`].
    pub fn with(place: &S3Place, builder: AmazonS3Builder) -> Result<Self, BadS3> {
        let options =
            ClientOptions::new().with_connect_timeout(CONNECT_MAX).with_timeout(REQUEST_MAX);
        let retry = RetryConfig {
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_MAX,
            ..RetryConfig::default()
        };
        let mut builder =
            builder.with_bucket_name(&place.bucket).with_client_options(options).with_retry(retry);
        if let Some(region) = &place.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &place.endpoint {
            let is_plain = endpoint.starts_with("http://");
            builder = builder.with_endpoint(endpoint).with_allow_http(is_plain);
        }
        Ok(Self {
            store: Arc::new(builder.build()?),
            prefix: place.prefix.clone(),
            sending: Arc::new(Semaphore::new(SENDING_MAX)),
        })
    }

    fn shard(&self, shard: u8) -> Path {
        Path::from(format!("{}/{shard:02x}", self.prefix))
    }

    fn path(&self, name: ObjectName) -> Path {
        Path::from(format!("{}/{:02x}/{name}", self.prefix, name.shard()))
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn keep(&self, spooled: Spooled) -> Result<(), BlobError> {
        // INVARIANT: nobody closes the semaphore.
        let _turn = self.sending.acquire().await.map_err(|_| BlobError::Unavailable)?;
        let bytes = tokio::fs::read(spooled.path()).await?;
        self.store.put(&self.path(spooled.name()), bytes.into()).await.map_err(failed)?;
        Ok(())
    }

    async fn read(
        &self,
        name: ObjectName,
        start: u64,
        length: u64,
    ) -> Result<ObjectReader, BlobError> {
        let range = GetRange::Bounded(start..start.saturating_add(length));
        let options = GetOptions { range: Some(range), ..GetOptions::default() };
        let found = self.store.get_opts(&self.path(name), options).await.map_err(failed)?;
        Ok(Box::pin(StreamReader::new(found.into_stream().map_err(io::Error::other))))
    }

    async fn delete(&self, name: ObjectName) -> Result<(), BlobError> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    async fn list(&self, shard: u8) -> Result<Vec<Listed>, BlobError> {
        let mut found = self.store.list(Some(&self.shard(shard)));
        let mut listed = Vec::new();
        while let Some(object) = found.next().await {
            let object = object.map_err(failed)?;
            if let Some(name) = object.location.filename().and_then(ObjectName::parse) {
                let at = u64::try_from(object.last_modified.timestamp_millis());
                let written_at = Timestamp::from_millis(at.unwrap_or_default());
                listed.push(Listed { name, written_at });
            }
        }
        Ok(listed)
    }
}

fn failed(error: object_store::Error) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::Missing,
        error => {
            tracing::warn!(%error, "S3 failed");
            BlobError::Unavailable
        }
    }
}

#[cfg(test)]
mod tests;
