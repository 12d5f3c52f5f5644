//! Blobs: room for one, its pieces, its bytes, its end.
//!
//! Nothing is taken in that would not fit: room for the whole blob is reserved before its first
//! byte. Whoever knows a blob's id and is of its workspace may read it; nobody else learns whether
//! there is one. See `docs/protocol/blobs.md`.

use std::ops::Range;

use chat_core::api::blobs::{BlobCreated, BlobUpload, KeptBlobs, NewBlob};
use chat_core::codec::List;
use chat_core::id::BlobId;
use chat_core::limits::{BLOB_PIECE_BYTES_MAX, BLOB_PIECE_BYTES_MIN};
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services};
use crate::audit::{AuditEvent, Note};
use crate::blobs::depot::Reading;
use crate::blobs::spool::{Spooled, Spooling};
use crate::limits::{Class, Subject};
use crate::storage::blobs::UNNAMED_KEPT;
use crate::storage::{Piece, Placed, Reservation, Room, StorageError, StoredBlob};

/// What counts as one of [`Class::Transfer`].
const TRANSFER_UNIT: u64 = 64 * 1024;

/// Reserves room for a blob.
///
/// # Errors
///
/// [`RejectCode::Malformed`] for none, [`RejectCode::TooLarge`], [`RejectCode::QuotaExceeded`].
pub async fn create(
    services: &Services,
    caller: Caller,
    new: NewBlob,
) -> Result<BlobCreated, Reject> {
    let limits = services.depot.limits;
    if new.bytes == 0 {
        return Err(Reject::from(RejectCode::Malformed).saying("A blob has at least one byte."));
    }
    if new.bytes > limits.blob_bytes() {
        return Err(RejectCode::TooLarge.into());
    }
    let uploader = caller.address.account;
    let own = services.storage.account(uploader).await?.ok_or(RejectCode::NotFound)?;
    let blob = BlobId::random(&mut rand::rng());
    let reservation = Reservation { blob, uploader, workspace: own.workspace, bytes: new.bytes };
    let room = Room { account: limits.account_bytes(), workspace: limits.workspace_bytes() };
    let collect_at = services.now().after(UNNAMED_KEPT);
    match services.storage.reserve_blob(&reservation, room, collect_at).await {
        Err(StorageError::QuotaExceeded) => {
            let note = Note::refused(AuditEvent::QuotaExceeded).by(caller.address);
            services.audit.note(note.saying(format_args!("{} bytes", new.bytes)));
            Err(RejectCode::QuotaExceeded.into())
        }
        Err(error) => Err(error.into()),
        Ok(()) => Ok(BlobCreated {
            blob,
            piece_bytes_max: BLOB_PIECE_BYTES_MAX,
            piece_bytes_min: BLOB_PIECE_BYTES_MIN,
            kept_ms: u64::try_from(UNNAMED_KEPT.as_millis()).unwrap_or(u64::MAX),
        }),
    }
}

/// Where the caller's upload of a blob stands.
///
/// # Errors
///
/// [`RejectCode::NotFound`], for somebody else's too.
pub async fn upload(
    services: &Services,
    caller: Caller,
    blob: BlobId,
) -> Result<BlobUpload, Reject> {
    Ok(standing(own(services, caller, blob).await?))
}

fn standing(stored: StoredBlob) -> BlobUpload {
    BlobUpload { offset: stored.stored, bytes: stored.bytes }
}

async fn own(services: &Services, caller: Caller, blob: BlobId) -> Result<StoredBlob, Reject> {
    let uploader = caller.address.account;
    let found = services.storage.blob(blob, uploader).await?;
    Ok(found.filter(|stored| stored.uploader == uploader).ok_or(RejectCode::NotFound)?)
}

/// Where the upload stands, for who thought it stood elsewhere.
fn elsewhere(stored: StoredBlob) -> Reject {
    let mut reject = Reject::from(RejectCode::WrongOffset);
    reject.offset = Some(stored.stored);
    reject
}

/// A piece on its way in. Nothing of it counts before [`Incoming::finish`].
#[derive(Debug)]
pub struct Incoming {
    caller: Caller,
    blob: BlobId,
    offset: u64,
    announced: u64,
    /// A piece that reaches over `offset`, and a copy of what is before.
    kept: Option<(Piece, Spooled)>,
    body: Spooling,
}

impl Incoming {
    /// Checks a piece of `announced` bytes that is to begin at `offset`, before any of them comes.
    ///
    /// # Errors
    ///
    /// [`RejectCode::RateLimited`]; [`RejectCode::TooLarge`] for more than a piece, or than the blob
    /// has room for; [`RejectCode::Malformed`] for less than a piece; [`RejectCode::WrongOffset`];
    /// [`RejectCode::NotFound`], [`RejectCode::StorageFull`], [`RejectCode::Unavailable`].
    pub async fn begin(
        services: &Services,
        caller: Caller,
        blob: BlobId,
        offset: u64,
        announced: u64,
    ) -> Result<Self, Reject> {
        if announced > BLOB_PIECE_BYTES_MAX {
            return Err(RejectCode::TooLarge.into());
        }
        take(services, caller, announced).await?;
        let stored = own(services, caller, blob).await?;
        if offset > stored.stored || stored.stored == stored.bytes {
            return Err(elsewhere(stored));
        }
        let left = stored.bytes - offset;
        if announced > left {
            return Err(RejectCode::TooLarge.into());
        }
        if announced < BLOB_PIECE_BYTES_MIN.min(left) {
            return Err(Reject::from(RejectCode::Malformed)
                .saying("A piece that is not the last has at least 65536 bytes."));
        }
        let depot = &services.depot;
        let kept = match services.storage.blob_pieces(blob, offset, 1).await?.first() {
            Some(piece) if piece.start < offset && offset < piece.end() => {
                let kept = offset - piece.start;
                take(services, caller, kept).await?;
                Some((*piece, depot.copy(*piece, kept).await?))
            }
            _ => None,
        };
        let body = depot.spool.begin().await?;
        Ok(Self { caller, blob, offset, announced, kept, body })
    }

    /// Takes what has come.
    ///
    /// # Errors
    ///
    /// [`RejectCode::TooLarge`] for more than was announced, [`RejectCode::StorageFull`],
    /// [`RejectCode::Unavailable`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Reject> {
        if self.body.length().saturating_add(bytes.len() as u64) > self.announced {
            return Err(RejectCode::TooLarge.into());
        }
        Ok(self.body.write(bytes).await?)
    }

    /// Places the piece; returns where the upload stands then.
    ///
    /// # Errors
    ///
    /// [`RejectCode::Malformed`] if less has come than was announced; [`RejectCode::WrongOffset`] if
    /// somebody else has moved the upload meanwhile; [`RejectCode::NotFound`] if it was deleted;
    /// [`RejectCode::StorageFull`], [`RejectCode::Unavailable`].
    pub async fn finish(self, services: &Services) -> Result<BlobUpload, Reject> {
        let Self { caller, blob, offset, announced, kept, body } = self;
        if body.length() != announced {
            return Err(Reject::from(RejectCode::Malformed).saying("The piece ended early."));
        }
        let (mut pieces, mut instead_of) = (Vec::new(), None);
        if let Some((piece, copy)) = kept {
            let (start, length, object) = (piece.start, copy.length(), copy.name());
            services.depot.objects.keep(copy).await?;
            pieces.push(Piece { start, length, object });
            instead_of = Some(piece.object);
        }
        let body = body.finish().await?;
        pieces.push(Piece { start: offset, length: announced, object: body.name() });
        services.depot.objects.keep(body).await?;
        let collect_at = services.now().after(UNNAMED_KEPT);
        let uploader = caller.address.account;
        let storage = &services.storage;
        match storage.place_pieces(blob, uploader, &pieces, instead_of, collect_at).await? {
            Placed::Elsewhere(stored) => Err(elsewhere(stored)),
            Placed::Here(stored) => {
                services.metrics.blobs.bytes_in.add(announced);
                if stored.stored == stored.bytes {
                    services.metrics.blobs.completed.add(1);
                }
                Ok(standing(stored))
            }
        }
    }
}

/// What there is to read of a blob.
///
/// # Errors
///
/// [`RejectCode::RateLimited`]; [`RejectCode::NotFound`], also where the caller may not read it.
pub async fn readable(
    services: &Services,
    caller: Caller,
    blob: BlobId,
) -> Result<StoredBlob, Reject> {
    take(services, caller, 0).await?;
    let found = services.storage.blob(blob, caller.address.account).await?;
    Ok(found.ok_or(RejectCode::NotFound)?)
}

/// Begins to read the bytes of a blob within `range`, which [`readable`] has shown to be there.
///
/// # Errors
///
/// [`RejectCode::RateLimited`].
pub async fn read(
    services: &Services,
    caller: Caller,
    blob: BlobId,
    range: Range<u64>,
) -> Result<Reading, Reject> {
    take(services, caller, range.end - range.start).await?;
    Ok(Reading::of(&services.depot, &services.storage, blob, range.start, range.end))
}

/// Deletes a blob of the caller's, whatever names it.
///
/// # Errors
///
/// [`RejectCode::NotFound`], for somebody else's too.
pub async fn delete(services: &Services, caller: Caller, blob: BlobId) -> Result<(), Reject> {
    Ok(services.storage.delete_blob(blob, caller.address.account).await?)
}

/// What the caller's account keeps by itself.
///
/// # Errors
///
/// [`RejectCode::Unavailable`].
pub async fn kept(services: &Services, caller: Caller) -> Result<KeptBlobs, Reject> {
    let blobs = services.storage.kept_blobs(caller.address.account).await?;
    let blobs = List::new(blobs).map_err(StorageError::from)?;
    Ok(KeptBlobs { blobs })
}

/// Replaces that.
///
/// # Errors
///
/// [`RejectCode::BlobMissing`].
pub async fn keep(services: &Services, caller: Caller, new: &KeptBlobs) -> Result<(), Reject> {
    let account = caller.address.account;
    Ok(services.storage.keep_blobs(account, &new.blobs, services.now()).await?)
}

/// Takes so many bytes from what an account may move.
async fn take(services: &Services, caller: Caller, bytes: u64) -> Result<(), Reject> {
    let units = u32::try_from(bytes.div_ceil(TRANSFER_UNIT)).unwrap_or(u32::MAX).max(1);
    services.take_many(Class::Transfer, Subject::Account(caller.address.account), units).await
}
