//! `/v1/blobs`: opaque bytes, up in pieces and down in parts.

use bytes::Bytes;
use chat_core::api::blobs::{BlobCreated, BlobUpload, NewBlob};
use chat_core::id::BlobId;

use super::Relay;
use crate::api;
use crate::error::{Kind, Result};
use crate::transport::Method;

impl Relay {
    /// `POST /v1/blobs`: room for a blob of this many bytes.
    ///
    /// # Errors
    ///
    /// [`Kind::TooLarge`], [`Kind::QuotaExceeded`].
    pub async fn create_blob(&self, bytes: u64) -> Result<BlobCreated> {
        self.post("/v1/blobs".into(), &NewBlob { bytes }).await
    }

    /// `GET /v1/blobs/{blob}/upload`: how far a blob of ours is.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`].
    pub async fn upload_of(&self, blob: BlobId) -> Result<BlobUpload> {
        self.get(format!("/v1/blobs/{blob}/upload")).await
    }

    /// `PUT /v1/blobs/{blob}?offset={offset}`: a piece of a blob.
    ///
    /// # Errors
    ///
    /// [`Kind::Conflict`] if the upload does not stand there, with where it does in
    /// [`Error::reject`](crate::Error::reject); [`Kind::NotFound`].
    pub async fn put_piece(&self, blob: BlobId, offset: u64, piece: Vec<u8>) -> Result<BlobUpload> {
        let path = format!("/v1/blobs/{blob}?offset={offset}");
        api::read(&self.exchange(Method::PutOctets, path, Some(piece)).await?)
    }

    /// `GET /v1/blobs/{blob}`, at most `bytes` of it from `from` on.
    ///
    /// What the relay gives may be shorter; it is not longer.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] for a blob that is gone, or not complete; [`Kind::RelayFault`] for
    /// another part than was asked for.
    pub async fn get_part(&self, blob: BlobId, from: u64, bytes: u64) -> Result<Bytes> {
        let last = from.saturating_add(bytes.saturating_sub(1));
        let method = Method::GetPart { first: from, last };
        let answer = self.exchange(method, format!("/v1/blobs/{blob}"), None).await?;
        let is_part = answer.status == 206 || from == 0;
        if !is_part || answer.body.len() as u64 > bytes {
            return Err(Kind::RelayFault.into());
        }
        Ok(answer.body)
    }

    /// `DELETE /v1/blobs/{blob}`.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if it is gone, or somebody else's.
    pub async fn delete_blob(&self, blob: BlobId) -> Result<()> {
        self.exchange(Method::Delete, format!("/v1/blobs/{blob}"), None).await.map(drop)
    }
}
