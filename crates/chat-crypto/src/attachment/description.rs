//! What somebody must know to open an attachment: it travels inside sealed content.
//!
//! Whoever has it can open the blob, so it is as secret as the message that carries it. Forwarding
//! an attachment is sending its description again: the blob stays where it is.
//! Normative: `docs/protocol/attachment.md` §5.

use std::fmt;

use chat_core::codec::{DecodeError, Digest, List};
use chat_core::limits::ATTACHMENT_RUNS_MAX;
use minicbor::{Decode, Decoder, Encode, Encoder};
use zeroize::Zeroizing;

use super::keys::{Ciphers, FileKey};
use super::layout::Layout;
use crate::erasure::{erased, erases};

/// The version of descriptions and blobs: it stands for the cipher, the size of chunks, the
/// padding and the digest.
const VERSION: u8 = 1;

/// Where a sealer was restored, and what its chunks are keyed with from there on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Run {
    /// The first chunk of the run.
    #[n(0)]
    pub(super) first: u32,
    /// Drawn when the sealer was restored.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) salt: [u8; 16],
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Fields {
    #[n(0)]
    version: u8,
    #[n(1)]
    key: FileKey,
    #[n(2)]
    size: u64,
    #[n(3)]
    digest: Digest,
    #[n(4)]
    runs: Option<List<Run, ATTACHMENT_RUNS_MAX>>,
}

/// Key, size and digest of an attachment, and how its upload went on after restarts.
#[derive(Clone)]
pub struct AttachmentDescription {
    key: FileKey,
    layout: Layout,
    digest: Digest,
    /// Their first chunks rise and are chunks of this attachment.
    runs: List<Run, ATTACHMENT_RUNS_MAX>,
}

erases!(
    AttachmentDescription,
    AttachmentDescription { key, layout: _, digest: _, runs: _ } => {
        erased(key);
    }
);

impl AttachmentDescription {
    /// Puts together what a sealer knows at its end.
    pub(super) fn new(
        key: FileKey,
        layout: Layout,
        digest: Digest,
        runs: List<Run, ATTACHMENT_RUNS_MAX>,
    ) -> Self {
        Self { key, layout, digest, runs }
    }

    /// How many bytes the content has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.layout.size()
    }

    /// How many bytes the blob has: all that a relay learns about the size.
    #[must_use]
    pub const fn blob_length(&self) -> u64 {
        self.layout.blob_length()
    }

    /// The digest of the blob and of how it opens: equal digests, equal files.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    pub(super) const fn key(&self) -> &FileKey {
        &self.key
    }

    pub(super) const fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    pub(super) fn ciphers(&self) -> Ciphers {
        Ciphers::new(self.key.clone(), self.runs.to_vec())
    }

    /// The description's encoding: to be sealed, never to be shown to a relay.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Enough for all runs: growing would leave copies of the key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(128 + 32 * self.runs.len()));
        // INVARIANT: writing to a Vec cannot fail, and no encoder here returns an error itself.
        let _ = Encoder::new(&mut *bytes).encode(self);
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; [`DecodeError::UnknownKind`] for another version,
    /// [`DecodeError::TooLong`] above [`chat_core::limits::ATTACHMENT_BYTES_MAX`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let fields: Fields = chat_core::codec::from_bytes(bytes)?;
        fields.check()
    }
}

impl Fields {
    fn check(self) -> Result<AttachmentDescription, DecodeError> {
        if self.version != VERSION {
            return Err(DecodeError::UnknownKind);
        }
        let layout = Layout::of(self.size).ok_or(DecodeError::TooLong)?;
        let runs = self.runs.unwrap_or_default();
        if !are_in_order(&runs, &layout) {
            return Err(DecodeError::Malformed);
        }
        Ok(AttachmentDescription { key: self.key, layout, digest: self.digest, runs })
    }
}

/// Tells whether the runs begin at rising chunks that there are.
pub(super) fn are_in_order(runs: &[Run], layout: &Layout) -> bool {
    runs.iter().all(|run| run.first < layout.chunks())
        && runs.iter().zip(runs.iter().skip(1)).all(|(run, next)| run.first < next.first)
}

impl<C> Encode<C> for AttachmentDescription {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let fields = Fields {
            version: VERSION,
            key: self.key.clone(),
            size: self.size(),
            digest: self.digest,
            runs: (!self.runs.is_empty()).then(|| self.runs.clone()),
        };
        fields.encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for AttachmentDescription {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let fields = Fields::decode(d, ctx)?;
        fields.check().map_err(minicbor::decode::Error::message)
    }
}

impl fmt::Debug for AttachmentDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttachmentDescription({} bytes, ..)", self.size())
    }
}
