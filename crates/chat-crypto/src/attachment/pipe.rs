//! Room for one chunk: it fills, becomes something else in place, and drains.

use std::ops::Range;

use zeroize::Zeroizing;

use super::layout::Layout;
use crate::aead::TAG_BYTES;
use crate::erasure::{erased, erases};

/// A buffer of one sealed chunk, erased when dropped.
pub(super) struct Pipe {
    buffer: Zeroizing<Vec<u8>>,
    /// What has yet to be drained, once there is something.
    ready: Option<Range<usize>>,
}

erases!(Pipe, Pipe { buffer, ready: _ } => {
    erased(buffer);
});

impl Pipe {
    /// Room for any chunk of this layout: the first is as long as any.
    pub(super) fn new(layout: &Layout) -> Self {
        let longest = layout.chunk_length(0) + TAG_BYTES;
        Self { buffer: Zeroizing::new(Vec::with_capacity(longest)), ready: None }
    }

    /// How many bytes are in it.
    pub(super) fn filled(&self) -> usize {
        self.buffer.len()
    }

    /// What is in it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes from `input` until `length` bytes are there, and says how many it took.
    pub(super) fn fill(&mut self, input: &[u8], length: usize) -> usize {
        let wanted = length.saturating_sub(self.filled()).min(input.len());
        let (taken, _) = input.split_at(wanted);
        self.buffer.extend_from_slice(taken);
        wanted
    }

    /// Fills the rest up to `length` with zeros, and gives all of it to be worked on.
    pub(super) fn complete(&mut self, length: usize) -> &mut [u8] {
        self.buffer.resize(length, 0);
        &mut self.buffer
    }

    /// From here on `range` is drained.
    pub(super) fn release(&mut self, range: Range<usize>) {
        self.ready = Some(range);
    }

    /// Tells whether it drains, or did and was not cleared.
    pub(super) const fn is_draining(&self) -> bool {
        self.ready.is_some()
    }

    /// Tells whether it has drained.
    pub(super) fn is_drained(&self) -> bool {
        self.ready.as_ref().is_some_and(Range::is_empty)
    }

    /// Moves as much as fits into `output`, and says how much that was.
    pub(super) fn drain(&mut self, output: &mut [u8]) -> usize {
        let Some(ready) = &mut self.ready else { return 0 };
        let rest = self.buffer.get(ready.clone()).unwrap_or_default();
        let length = rest.len().min(output.len());
        let (output, _) = output.split_at_mut(length);
        output.copy_from_slice(rest.split_at(length).0);
        ready.start += length;
        length
    }

    /// Empties it, to be filled again.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.ready = None;
    }
}
