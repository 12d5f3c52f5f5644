//! Snapshots: how every secret state is written down, to be stored by the caller.
//!
//! ```text
//!  snapshot = [ version, state ]     deterministic CBOR; what state is depends on whose it is
//! ```
//!
//! A snapshot is as secret as what it holds: it lives in erasing buffers here and belongs into
//! encrypted storage. A version that this code does not know is refused, never guessed at.

use std::ops::Deref;
use std::sync::Arc;

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};
use zeroize::Zeroizing;

/// Why a snapshot was not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Another version of this software wrote it.
    #[error("the snapshot was written by a version that this one does not know")]
    UnknownVersion,
    /// The bytes are not a snapshot of this kind.
    #[error("the bytes are not a snapshot of this kind")]
    Malformed,
}

impl From<minicbor::decode::Error> for SnapshotError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Malformed
    }
}

/// Writes `state` under `version`.
pub(crate) fn write<T: Encode<()>>(version: u8, state: &T) -> Zeroizing<Vec<u8>> {
    encode(&(version, state))
}

/// Encodes something secret, as [`chat_core::codec::to_bytes`] does, in memory that erases itself.
#[expect(clippy::expect_used, reason = "a buffer in memory takes everything")]
pub(crate) fn encode<T: Encode<()>>(value: &T) -> Zeroizing<Vec<u8>> {
    let mut encoder = Encoder::new(ErasingBuffer(Zeroizing::new(Vec::with_capacity(1024))));
    // INVARIANT: the writer never fails, and no encoder of ours fails by itself.
    encoder.encode(value).expect("memory takes it");
    encoder.into_writer().0
}

/// Reads a state that was written under `version`.
pub(crate) fn read<'b, T: Decode<'b, ()>>(
    bytes: &'b [u8],
    version: u8,
) -> Result<T, SnapshotError> {
    let mut decoder = Decoder::new(bytes);
    if decoder.array()? != Some(2) {
        return Err(SnapshotError::Malformed);
    }
    if decoder.u8()? != version {
        return Err(SnapshotError::UnknownVersion);
    }
    let state = decoder.decode()?;
    if decoder.position() != bytes.len() {
        return Err(SnapshotError::Malformed);
    }
    Ok(state)
}

/// Reads a list into a vector of exactly its length: one that grows leaves secrets where it was.
pub(crate) fn exact_list<'b, C, T: Decode<'b, C>>(
    d: &mut Decoder<'b>,
    ctx: &mut C,
) -> Result<Vec<T>, minicbor::decode::Error> {
    let wrong = || minicbor::decode::Error::message("wrong length of a list");
    let length = d.array()?.and_then(|length| usize::try_from(length).ok()).ok_or_else(wrong)?;
    // Each element takes a byte at least, so the input bounds what is allocated.
    if length > d.input().len().saturating_sub(d.position()) {
        return Err(wrong());
    }
    let mut list = Vec::with_capacity(length);
    for _ in 0..length {
        list.push(d.decode_with(ctx)?);
    }
    Ok(list)
}

/// State that successive snapshots of a whole share, so that copying the whole stays cheap.
#[derive(Debug)]
pub(crate) struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    pub(crate) fn new(state: T) -> Self {
        Self(Arc::new(state))
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<C, T: Encode<C>> Encode<C> for Shared<T> {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C, T: Decode<'b, C>> Decode<'b, C> for Shared<T> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        T::decode(d, ctx).map(Self::new)
    }
}

/// A buffer that erases what it outgrows.
struct ErasingBuffer(Zeroizing<Vec<u8>>);

impl Write for ErasingBuffer {
    type Error = std::convert::Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed * 2));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_as_it_was() {
        let state = vec![7u32; 5000];

        let snapshot = write(3, &state);

        assert_eq!(read::<Vec<u32>>(&snapshot, 3), Ok(state));
    }

    /// A vector that grew by itself would have left what it held where it was.
    #[test]
    fn a_buffer_moves_by_its_own_hand_and_only_when_it_is_full() {
        let mut buffer = ErasingBuffer(Zeroizing::new(Vec::with_capacity(4)));

        buffer.write_all(&[1, 2]).unwrap();
        buffer.write_all(&[3, 4]).unwrap();
        assert_eq!(buffer.0.capacity(), 4);
        buffer.write_all(&[5]).unwrap();

        assert_eq!((&buffer.0[..], buffer.0.capacity()), (&[1, 2, 3, 4, 5][..], 10));
    }

    #[test]
    fn a_list_is_read_into_exactly_its_length_and_no_length_is_believed() {
        let written = minicbor::to_vec([1u8, 2, 3, 4, 5]).unwrap();
        let claimed = [0x9b, 0, 0, 0, 1, 0, 0, 0, 0, 1];

        let read: Vec<u8> = exact_list(&mut Decoder::new(&written), &mut ()).unwrap();

        assert_eq!((&read[..], read.capacity()), (&[1, 2, 3, 4, 5][..], 5));
        assert!(exact_list::<_, u8>(&mut Decoder::new(&claimed), &mut ()).is_err());
    }

    #[test]
    fn an_unknown_version_is_told_from_damage() {
        let snapshot = write(2, &7u32);

        assert_eq!(read::<u32>(&snapshot, 1), Err(SnapshotError::UnknownVersion));
        assert_eq!(read::<u32>(&snapshot[1..], 1), Err(SnapshotError::Malformed));
        assert_eq!(read::<u32>(&[&snapshot[..], &[0]].concat(), 2), Err(SnapshotError::Malformed));
        assert_eq!(read::<String>(&snapshot, 2), Err(SnapshotError::Malformed));
    }
}
