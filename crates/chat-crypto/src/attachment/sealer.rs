//! Sealing: content goes in, in any portions, and the blob comes out.
//!
//! ```text
//!             seal(input, output)
//!  filling ──the chunk is full──▶ draining ──handed out──▶ filling … ──the last──▶ done
//!     ▲                              │
//!     └──────── snapshot: the chunks that were handed out, and nothing of the next ────┘
//! ```
//!
//! One chunk is held at most. A snapshot may be restored twice, or long after: each time the
//! sealer goes on under a new salt, so no key and nonce meet two plaintexts.
//! Normative: `docs/protocol/attachment.md` §4, §6.

use std::fmt;

use chat_core::codec::{Digest, List};
use chat_core::label;
use chat_core::limits::ATTACHMENT_RUNS_MAX;
use chat_core::merkle::{self, Frontier};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::description::{AttachmentDescription, Run, are_in_order};
use super::keys::{FileKey, RunCipher};
use super::layout::{HEADER_BYTES, Layout, within_chunk};
use super::pipe::Pipe;
use super::{Position, Progress, ResumeError};
use crate::aead::TAG_BYTES;
use crate::erasure::{erased, erases};
use crate::snapshot::{self, SnapshotError};

const SEALER_SNAPSHOT: u8 = 1;

/// Why an attachment was not sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The content exceeds [`chat_core::limits::ATTACHMENT_BYTES_MAX`].
    #[error("the file is too large for an attachment")]
    TooLarge,
    /// More content came than was announced.
    #[error("the file is longer than it was when sealing began")]
    Longer,
    /// Less content came than was announced, or not all of the blob was taken.
    #[error("the attachment is not sealed to its end")]
    Unfinished,
}

/// Seals one attachment.
pub struct AttachmentSealer {
    state: SealerState,
    layout: Layout,
    cipher: RunCipher,
    /// How much of the header was handed out.
    header: usize,
    /// Content of the next chunk while it fills, its sealed form while it drains.
    pipe: Pipe,
}

erases!(AttachmentSealer, AttachmentSealer { state, layout: _, cipher, header: _, pipe } => {
    erased(state);
    erased(cipher);
    erased(pipe);
});

#[derive(Encode, Decode)]
#[cbor(map)]
struct SealerState {
    #[n(0)]
    key: FileKey,
    #[n(1)]
    size: u64,
    #[n(2)]
    runs: List<Run, ATTACHMENT_RUNS_MAX>,
    /// Over the chunks that were handed out.
    #[n(3)]
    tree: Frontier,
}

erases!(SealerState, SealerState { key, size: _, runs: _, tree: _ } => {
    erased(key);
});

impl AttachmentSealer {
    /// Begins to seal content of `size` bytes under a new key.
    ///
    /// # Errors
    ///
    /// [`SealError::TooLarge`].
    pub fn new(size: u64, rng: &mut impl CryptoRng) -> Result<Self, SealError> {
        let layout = Layout::of(size).ok_or(SealError::TooLarge)?;
        let key = FileKey::generate(rng);
        let state = SealerState { key, size, runs: List::default(), tree: Frontier::new() };
        Ok(Self::at(state, layout, &[0; 16]))
    }

    fn at(state: SealerState, layout: Layout, salt: &[u8; 16]) -> Self {
        let cipher = RunCipher::derive(&state.key, salt);
        let header = if state.tree.leaves() == 0 { 0 } else { HEADER_BYTES };
        Self { state, layout, cipher, header, pipe: Pipe::new(&layout) }
    }

    /// How many bytes the blob will have.
    #[must_use]
    pub const fn blob_length(&self) -> u64 {
        self.layout.blob_length()
    }

    /// Takes content from `input` and gives pieces of the blob to `output`, as far as both reach.
    ///
    /// Call it until the blob is complete: with the content that was not consumed, and with an
    /// empty `input` once all of it was. It is fastest when `input` begins at a chunk
    /// ([`super::CHUNK_BYTES`]) and both hold a whole one: nothing is copied then.
    ///
    /// # Errors
    ///
    /// [`SealError::Longer`], and nothing was consumed.
    pub fn seal(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, SealError> {
        if input.len() as u64 > self.missing() {
            return Err(SealError::Longer);
        }
        let mut progress = Progress { consumed: 0, written: self.give_header(output) };
        while self.header == HEADER_BYTES && !self.is_done() {
            let (_, input) = input.split_at(progress.consumed);
            let (_, output) = output.split_at_mut(progress.written);
            let step = self.step(input, output);
            if step == Progress::default() {
                break;
            }
            progress = progress + step;
        }
        Ok(progress)
    }

    /// How many bytes of content have yet to come.
    fn missing(&self) -> u64 {
        let content = self.layout.content(self.chunk());
        let filled = if self.is_done() || self.pipe.is_draining() {
            content.end - content.start
        } else {
            self.pipe.filled() as u64
        };
        self.layout.size() - content.start - filled
    }

    /// The chunk in work.
    const fn chunk(&self) -> u32 {
        self.state.tree.leaves()
    }

    /// Tells whether the whole blob was handed out.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.chunk() == self.layout.chunks()
    }

    fn give_header(&mut self, output: &mut [u8]) -> usize {
        if self.header == HEADER_BYTES {
            return 0;
        }
        let header = self.state.key.commitment(self.layout.size());
        let rest = header.iter().skip(self.header);
        let written = output.iter_mut().zip(rest).map(|(to, from)| *to = *from).count();
        self.header += written;
        written
    }

    /// One chunk's worth: nothing consumed and nothing written means that more of either is needed.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Progress {
        if self.pipe.is_draining() {
            return self.drain(output);
        }
        let chunk = self.chunk();
        let length = self.layout.chunk_length(chunk);
        let content = self.layout.content(chunk);
        let content = within_chunk(content.end - content.start);
        let at_once = (input.get(..length), output.get_mut(..length + TAG_BYTES));
        if self.pipe.filled() == 0
            && content == length
            && let (Some(input), Some(output)) = at_once
        {
            self.cipher.seal_into(&self.layout, chunk, input, output);
            self.state.tree.push(merkle::leaf(output));
            return Progress { consumed: length, written: output.len() };
        }

        let consumed = self.pipe.fill(input, content);
        if self.pipe.filled() < content {
            return Progress { consumed, written: 0 };
        }
        let buffer = self.pipe.complete(length + TAG_BYTES);
        self.cipher.seal_in_place(&self.layout, chunk, buffer);
        self.pipe.release(0..length + TAG_BYTES);
        Progress { consumed, ..self.drain(output) }
    }

    /// Hands out the sealed chunk; when all of it went, it counts.
    fn drain(&mut self, output: &mut [u8]) -> Progress {
        let written = self.pipe.drain(output);
        if self.pipe.is_drained() {
            self.state.tree.push(merkle::leaf(self.pipe.bytes()));
            self.pipe.clear();
        }
        Progress { consumed: 0, written }
    }

    /// The description of the attachment, once the whole blob was handed out.
    ///
    /// # Errors
    ///
    /// [`SealError::Unfinished`].
    pub fn finish(self) -> Result<AttachmentDescription, SealError> {
        if !self.is_done() {
            return Err(SealError::Unfinished);
        }
        let header = self.state.key.commitment(self.layout.size());
        let digest = digest(&header, &self.state.tree, &self.state.runs);
        let SealerState { key, runs, .. } = self.state;
        Ok(AttachmentDescription::new(key, self.layout, digest, runs))
    }

    /// Where a sealer that is restored from a snapshot of now goes on.
    #[must_use]
    pub fn position(&self) -> Position {
        Position::before(&self.layout, self.chunk())
    }

    /// What is needed to go on at [`Self::position`], to be stored encrypted.
    ///
    /// A chunk that was handed out in part only is not in it, and is sealed again.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        snapshot::write(SEALER_SNAPSHOT, &self.state)
    }

    /// Goes on from a snapshot, under a new salt from `rng`.
    ///
    /// The content from [`Self::position`] on has to be fed again. If it changed in between, the
    /// attachment becomes what was sealed before and what is fed now; nothing else is given away.
    ///
    /// # Errors
    ///
    /// [`ResumeError::Snapshot`]; [`ResumeError::TooOften`] after
    /// [`chat_core::limits::ATTACHMENT_RUNS_MAX`] times that got some way.
    pub fn resume(bytes: &[u8], rng: &mut impl CryptoRng) -> Result<Self, ResumeError> {
        let mut state: SealerState = snapshot::read(bytes, SEALER_SNAPSHOT)?;
        let layout = Layout::of(state.size).ok_or(SnapshotError::Malformed)?;
        let first = state.tree.leaves();
        let begun = state.runs.iter().all(|run| run.first <= first);
        if first > layout.chunks() || !begun || !are_in_order(&state.runs, &layout) {
            return Err(SnapshotError::Malformed.into());
        }
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        if first < layout.chunks() {
            let mut runs = std::mem::take(&mut state.runs).into_vec();
            // A run that got nowhere has sealed nothing that counts.
            runs.retain(|run| run.first < first);
            runs.push(Run { first, salt });
            state.runs = List::new(runs).map_err(|_| ResumeError::TooOften)?;
        }
        Ok(Self::at(state, layout, &salt))
    }
}

/// `SHA-256(label ‖ header ‖ root ‖ runs)`: everything that, with the key, decides the content.
pub(super) fn digest(header: &[u8; HEADER_BYTES], tree: &Frontier, runs: &[Run]) -> Digest {
    let mut written = Vec::with_capacity(20 * runs.len());
    for run in runs {
        written.extend_from_slice(&run.first.to_be_bytes());
        written.extend_from_slice(&run.salt);
    }
    let root = tree.root();
    Digest::of_parts(&[label::ATTACHMENT_DIGEST.as_bytes(), header, root.as_bytes(), &written])
}

impl fmt::Debug for AttachmentSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttachmentSealer(..)")
    }
}
