//! Opening some chunks of a blob, one after the other: what a whole download and a part share.
//!
//! A chunk is gathered, checked, decrypted and handed out, in this order. Where a whole sealed
//! chunk is in the input and the output has room for it, it is opened from one into the other.

use std::ops::Range;

use super::keys::Ciphers;
use super::layout::{Layout, within_chunk};
use super::pipe::Pipe;
use super::{NotAuthentic, Progress};
use crate::aead::TAG_BYTES;
use crate::erasure::{erased, erases};

/// The opening of consecutive chunks.
pub(super) struct Opening {
    ciphers: Ciphers,
    layout: Layout,
    /// The next to be opened, and where to end.
    chunks: Range<u32>,
    /// The bytes of the content that are wanted.
    window: Range<u64>,
    pipe: Pipe,
    /// After one failure everything fails.
    failed: bool,
}

erases!(
    Opening,
    Opening { ciphers, layout: _, chunks: _, window: _, pipe, failed: _ } => {
        erased(ciphers);
        erased(pipe);
    }
);

impl Opening {
    /// Opens `chunks` and hands out what of `window` they hold.
    pub(super) fn new(
        ciphers: Ciphers,
        layout: Layout,
        chunks: Range<u32>,
        window: Range<u64>,
    ) -> Self {
        Self { ciphers, layout, chunks, window, pipe: Pipe::new(&layout), failed: false }
    }

    /// The first chunk that was not opened yet.
    pub(super) const fn next(&self) -> u32 {
        self.chunks.start
    }

    /// Tells whether everything that was opened was handed out.
    pub(super) const fn is_handed_out(&self) -> bool {
        !self.pipe.is_draining()
    }

    /// Tells whether all chunks were opened and handed out.
    pub(super) fn is_done(&self) -> bool {
        !self.failed && self.chunks.is_empty() && self.is_handed_out()
    }

    /// Makes everything fail from here on.
    pub(super) fn fail(&mut self) -> NotAuthentic {
        self.failed = true;
        NotAuthentic
    }

    /// Takes sealed chunks from `input` and gives content to `output`, as far as both reach.
    ///
    /// `check` sees every sealed chunk before it is decrypted.
    pub(super) fn open(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        mut check: impl FnMut(u32, &[u8]) -> Result<(), NotAuthentic>,
    ) -> Result<Progress, NotAuthentic> {
        let mut progress = Progress::default();
        while !self.failed {
            let (_, input) = input.split_at(progress.consumed);
            let (_, output) = output.split_at_mut(progress.written);
            match self.step(input, output, &mut check) {
                Ok(step) if step == Progress::default() => return Ok(progress),
                Ok(step) => progress = progress + step,
                Err(NotAuthentic) => break,
            }
        }
        Err(self.fail())
    }

    /// One chunk's worth: nothing consumed and nothing written means that more of either is needed.
    fn step(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        check: &mut impl FnMut(u32, &[u8]) -> Result<(), NotAuthentic>,
    ) -> Result<Progress, NotAuthentic> {
        if self.pipe.is_draining() {
            return Ok(self.drain(output));
        }
        if self.chunks.is_empty() {
            // SECURITY: bytes behind the last chunk would be bytes that nothing authenticates.
            return if input.is_empty() { Ok(Progress::default()) } else { Err(NotAuthentic) };
        }
        let chunk = self.chunks.start;
        let length = self.layout.chunk_length(chunk);
        let wanted = self.wanted(chunk);
        let at_once = (input.get(..length + TAG_BYTES), output.get_mut(..length));
        if self.pipe.filled() == 0
            && wanted == (0..length)
            && let (Some(input), Some(output)) = at_once
        {
            check(chunk, input)?;
            self.ciphers.of(chunk).open_into(&self.layout, chunk, input, output)?;
            self.chunks.start += 1;
            return Ok(Progress { consumed: input.len(), written: output.len() });
        }

        let consumed = self.pipe.fill(input, length + TAG_BYTES);
        if self.pipe.filled() < length + TAG_BYTES {
            return Ok(Progress { consumed, written: 0 });
        }
        check(chunk, self.pipe.bytes())?;
        self.open_in_pipe(chunk, length)?;
        self.pipe.release(wanted);
        self.chunks.start += 1;
        Ok(Progress { consumed, ..self.drain(output) })
    }

    /// Decrypts the chunk that was gathered, and checks its padding.
    fn open_in_pipe(&mut self, chunk: u32, length: usize) -> Result<(), NotAuthentic> {
        let content = self.layout.content(chunk);
        let content = within_chunk(content.end - content.start);
        let buffer = self.pipe.complete(length + TAG_BYTES);
        self.ciphers.of(chunk).open_in_place(&self.layout, chunk, buffer)?;
        let padding = buffer.get(content..length).ok_or(NotAuthentic)?;
        if padding.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(NotAuthentic) }
    }

    /// Where in `chunk` the wanted bytes are.
    fn wanted(&self, chunk: u32) -> Range<usize> {
        let content = self.layout.content(chunk);
        let within =
            |byte: u64| within_chunk(byte.clamp(content.start, content.end) - content.start);
        within(self.window.start)..within(self.window.end)
    }

    fn drain(&mut self, output: &mut [u8]) -> Progress {
        let written = self.pipe.drain(output);
        if self.pipe.is_drained() {
            self.pipe.clear();
        }
        Progress { consumed: 0, written }
    }
}
