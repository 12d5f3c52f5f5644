//! Opening a whole blob while it arrives.
//!
//! ```text
//!  header ──the key's and the size's?──▶ chunk ──authentic?──▶ content, handed out
//!                                          │
//!                                          └─▶ tree ──before the last chunk is decrypted──▶ digest?
//! ```
//!
//! Every chunk is authenticated before it is handed out. The digest shows that the blob is the one
//! that the sender described to everybody; it is checked before the last chunk leaves, so what is
//! not the described file never becomes complete.
//! Normative: `docs/protocol/attachment.md` §7.

use std::fmt;

use chat_core::codec::Digest;
use chat_core::merkle::{self, Frontier};
use minicbor::{Decode, Encode};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::description::AttachmentDescription;
use super::layout::HEADER_BYTES;
use super::opening::Opening;
use super::sealer::digest;
use super::{NotAuthentic, Position, Progress, ResumeError};
use crate::erasure::{erased, erases};
use crate::snapshot::{self, SnapshotError};

const OPENER_SNAPSHOT: u8 = 1;

/// Opens one attachment from its beginning to its end.
pub struct AttachmentOpener {
    description: AttachmentDescription,
    /// As much of the header as has arrived.
    header: Vec<u8>,
    opening: Opening,
    hashed: Hashed,
}

erases!(
    AttachmentOpener,
    AttachmentOpener { description, header: _, opening, hashed: _ } => {
        erased(description);
        erased(opening);
    }
);

/// The tree over the chunks that were opened, the last of them kept apart: it may not have been
/// handed out, and a snapshot stands before it then.
struct Hashed {
    tree: Frontier,
    last: Option<Digest>,
}

/// `[digest of the description, tree over the chunks that were handed out]`
#[derive(Encode, Decode)]
#[cbor(map)]
struct OpenerState {
    #[n(0)]
    description: Digest,
    #[n(1)]
    tree: Frontier,
}

impl AttachmentOpener {
    /// Begins to open the blob that `description` describes.
    #[must_use]
    pub fn new(description: &AttachmentDescription) -> Self {
        Self::at(description, Frontier::new())
    }

    fn at(description: &AttachmentDescription, tree: Frontier) -> Self {
        let layout = description.layout();
        let chunks = tree.leaves()..layout.chunks();
        let opening = Opening::new(description.ciphers(), layout, chunks, 0..layout.size());
        let mut header = Vec::with_capacity(HEADER_BYTES);
        if tree.leaves() > 0 {
            // Checked before the snapshot was written.
            header.extend_from_slice(&description.key().commitment(layout.size()));
        }
        let hashed = Hashed { tree, last: None };
        Self { description: description.clone(), header, opening, hashed }
    }

    /// Takes pieces of the blob from `input` and gives content to `output`, as far as both reach.
    ///
    /// Call it until all of `input` is consumed and `output` was not filled. It is fastest when
    /// both hold whole chunks ([`super::SEALED_CHUNK_BYTES`], [`super::CHUNK_BYTES`]) behind a
    /// header that was fed before: nothing is copied then.
    ///
    /// # Errors
    ///
    /// [`NotAuthentic`], now and from now on. What was handed out before is from somebody who has
    /// the key, but not the described file: throw it away.
    pub fn open(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, NotAuthentic> {
        let consumed = self.take_header(input)?;
        if self.header.len() < HEADER_BYTES {
            return Ok(Progress { consumed, written: 0 });
        }
        let (_, input) = input.split_at(consumed);
        let (description, header, hashed) = (&self.description, &self.header, &mut self.hashed);
        let progress = self.opening.open(input, output, |chunk, sealed| {
            hashed.add(merkle::leaf(sealed));
            if description.layout().is_last(chunk) {
                hashed.check(header, description)?;
            }
            Ok(())
        })?;
        Ok(Progress { consumed: consumed + progress.consumed, ..progress })
    }

    /// Gathers the header and checks it once it is there.
    fn take_header(&mut self, input: &[u8]) -> Result<usize, NotAuthentic> {
        let missing = HEADER_BYTES - self.header.len();
        if missing == 0 {
            return Ok(0);
        }
        let (taken, _) = input.split_at(missing.min(input.len()));
        self.header.extend_from_slice(taken);
        if taken.len() == missing {
            let checked = self.description.key().check(self.description.size(), &self.header);
            checked.map_err(|_| {
                self.header.clear();
                self.opening.fail()
            })?;
        }
        Ok(taken.len())
    }

    /// Tells whether the whole content was handed out, all of it authenticated.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.opening.is_done()
    }

    /// Ends the opening: the file is whole.
    ///
    /// # Errors
    ///
    /// [`NotAuthentic`] if the blob was cut short, or not all of its content was taken.
    pub fn finish(self) -> Result<(), NotAuthentic> {
        if self.is_done() { Ok(()) } else { Err(NotAuthentic) }
    }

    /// Where an opener that is restored from a snapshot of now goes on.
    #[must_use]
    pub fn position(&self) -> Position {
        Position::before(&self.description.layout(), self.settled().leaves())
    }

    /// What is needed to go on at [`Self::position`], beside the description.
    ///
    /// A chunk whose content was handed out in part only is not in it, and is opened again.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        let state = OpenerState { description: name(&self.description), tree: self.settled() };
        snapshot::write(OPENER_SNAPSHOT, &state)
    }

    /// The tree over the chunks that were handed out.
    fn settled(&self) -> Frontier {
        let mut tree = self.hashed.tree.clone();
        if self.opening.is_handed_out() && tree.leaves() < self.opening.next() {
            self.hashed.last.into_iter().for_each(|leaf| tree.push(leaf));
        }
        tree
    }

    /// Goes on from a snapshot of the opening of this attachment.
    ///
    /// # Errors
    ///
    /// [`ResumeError::Snapshot`]; [`ResumeError::Another`] if it is another attachment's.
    pub fn resume(description: &AttachmentDescription, bytes: &[u8]) -> Result<Self, ResumeError> {
        let state: OpenerState = snapshot::read(bytes, OPENER_SNAPSHOT)?;
        let same: bool = state.description.as_bytes().ct_eq(name(description).as_bytes()).into();
        if !same {
            return Err(ResumeError::Another);
        }
        if state.tree.leaves() > description.layout().chunks() {
            return Err(SnapshotError::Malformed.into());
        }
        Ok(Self::at(description, state.tree))
    }
}

impl Hashed {
    fn add(&mut self, leaf: Digest) {
        self.last.replace(leaf).into_iter().for_each(|before| self.tree.push(before));
    }

    /// Compares the tree with the digest of the description.
    fn check(
        &self,
        header: &[u8],
        description: &AttachmentDescription,
    ) -> Result<(), NotAuthentic> {
        let mut tree = self.tree.clone();
        self.last.into_iter().for_each(|leaf| tree.push(leaf));
        let header = header.try_into().map_err(|_| NotAuthentic)?;
        let digest = digest(header, &tree, description.runs());
        let same: bool = digest.as_bytes().ct_eq(description.digest().as_bytes()).into();
        if same { Ok(()) } else { Err(NotAuthentic) }
    }
}

/// Which description a snapshot belongs to.
fn name(description: &AttachmentDescription) -> Digest {
    Digest::of(&description.to_bytes())
}

impl fmt::Debug for AttachmentOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttachmentOpener(..)")
    }
}
