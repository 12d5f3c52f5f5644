//! Where the bytes of blobs lie: objects that are written once, read in part, and deleted.
//!
//! ```text
//!  body ─▶ spool ─▶ a file, blocks with checksums, flushed ─▶ Blobs::keep ─▶ object
//!  Blobs::read ─▶ whole blocks ─▶ each one checked ─▶ the part that was asked for
//! ```
//!
//! A blob is one or more *pieces*, each of which came with one request and is one *object*, under a
//! random name. Objects never change, so nothing that is interrupted leaves one half written:
//! which objects make a blob is the database's to say, in one transaction. See
//! `docs/protocol/blobs.md` and ADR 0022.
//!
//! | module | what it does |
//! |---|---|
//! | [`block`] | the form of an object: blocks, each with a checksum |
//! | [`spool`] | takes a body in, as a file beside the objects |
//! | [`disk`], [`s3`] | objects as files, and in S3; both do what `conformance` says |
//! | [`depot`] | both together, as the services use them |

pub mod block;
#[cfg(test)]
mod conformance;
pub mod depot;
pub mod disk;
pub mod s3;
pub mod spool;

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use chat_core::codec::DecodeError;
use chat_core::reject::{Reject, RejectCode};
use chat_core::time::Timestamp;
use tokio::io::AsyncRead;

use self::spool::Spooled;

/// The name of an object: 16 random bytes, 32 hexadecimal digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ObjectName([u8; 16]);

impl ObjectName {
    /// Takes the bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Draws a new one.
    #[must_use]
    pub fn random() -> Self {
        Self(crate::random::bytes())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Which of 256 folders it is in.
    #[must_use]
    pub const fn shard(&self) -> u8 {
        let [first, ..] = self.0;
        first
    }

    /// Reads what [`fmt::Display`] writes; nothing for other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .bytes()
            .map(|c| match c {
                b'0'..=b'9' => Some(c - b'0'),
                b'a'..=b'f' => Some(c - b'a' + 10),
                _ => None,
            })
            .collect::<Option<_>>()?;
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        Some(Self(bytes.try_into().ok()?))
    }
}

impl TryFrom<&[u8]> for ObjectName {
    type Error = DecodeError;
    fn try_from(bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self(bytes.try_into().map_err(|_| DecodeError::Malformed)?))
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectName({self})")
    }
}

/// Why bytes could not be kept or had. What the backend said is in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// There is no such object.
    #[error("there is no such object")]
    Missing,
    /// The object is not as it was written.
    #[error("an object is damaged")]
    Damaged,
    /// There is no room left.
    #[error("there is no room left for objects")]
    Full,
    /// The backend could not be reached or failed.
    #[error("the store of objects is not available")]
    Unavailable,
}

impl From<std::io::Error> for BlobError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::NotFound => Self::Missing,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full,
            // An object ends before its end.
            ErrorKind::UnexpectedEof => Self::Damaged,
            _ => {
                tracing::warn!(%error, "the store of objects failed");
                Self::Unavailable
            }
        }
    }
}

impl From<BlobError> for Reject {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Full => RejectCode::StorageFull.into(),
            BlobError::Unavailable => RejectCode::Unavailable.into(),
            BlobError::Missing | BlobError::Damaged => {
                tracing::error!(%error, "a blob cannot be read");
                RejectCode::Internal.into()
            }
        }
    }
}

/// The bytes of an object as they are stored.
pub type ObjectReader = Pin<Box<dyn AsyncRead + Send>>;

/// An object that was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Listed {
    /// Which.
    pub name: ObjectName,
    /// When it was written, by the clock of whoever keeps it.
    pub written_at: Timestamp,
}

/// Keeps objects.
#[async_trait]
pub trait Blobs: fmt::Debug + Send + Sync + 'static {
    /// Keeps what was spooled, under the name that it was spooled for. When this returns, the
    /// object survives a power cut; until then there is no object of this name.
    ///
    /// # Errors
    ///
    /// [`BlobError::Full`], [`BlobError::Unavailable`].
    async fn keep(&self, spooled: Spooled) -> Result<(), BlobError>;

    /// Reads an object's bytes from `start` on; not more than `length` of them.
    ///
    /// # Errors
    ///
    /// [`BlobError::Missing`], [`BlobError::Unavailable`]; also later, from the reader.
    async fn read(
        &self,
        name: ObjectName,
        start: u64,
        length: u64,
    ) -> Result<ObjectReader, BlobError>;

    /// Deletes an object; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// [`BlobError::Unavailable`].
    async fn delete(&self, name: ObjectName) -> Result<(), BlobError>;

    /// All objects whose name begins with this byte.
    ///
    /// # Errors
    ///
    /// [`BlobError::Unavailable`].
    async fn list(&self, shard: u8) -> Result<Vec<Listed>, BlobError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let name = ObjectName::from_bytes(*b"0123456789abcdef");

        assert_eq!(ObjectName::parse(&name.to_string()), Some(name));
        for other in ["", "00", "../../etc/passwd", &name.to_string()[1..], &"F".repeat(32)] {
            assert_eq!(ObjectName::parse(other), None, "{other}");
        }
    }
}
