//! Files, and the ways through sealers and openers that the tests take.

use chat_crypto::attachment::{
    AttachmentDescription, AttachmentOpener, AttachmentSealer, NotAuthentic,
};
use rand_core::Rng as _;

use super::spec;
use crate::people::rng;

/// Sizes around everything that has an edge: nothing, the least padding, chunks.
pub(crate) const SIZES: [usize; 14] = [
    0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 67_584, 67_585, 131_072, 131_073, 196_608,
    300_001,
];

/// A file of `size` bytes that look like nothing.
pub(crate) fn file(size: usize, seed: u64) -> Vec<u8> {
    let mut file = vec![0; size];
    rng(seed).fill_bytes(&mut file);
    file
}

/// A sealed file: its blob and how to open it.
pub(crate) fn sealed(file: &[u8], seed: u64) -> (AttachmentDescription, Vec<u8>) {
    let mut sealer = AttachmentSealer::new(file.len() as u64, &mut rng(seed)).unwrap();
    let mut blob = Vec::new();
    feed(&mut sealer, file, &mut blob, &mut (|| usize::MAX));
    (sealer.finish().unwrap(), blob)
}

/// Feeds all of `input`, and takes the blob to its end, if this is the end, in portions of the
/// lengths that `portion` gives.
pub(crate) fn feed(
    sealer: &mut AttachmentSealer,
    mut input: &[u8],
    blob: &mut Vec<u8>,
    portion: &mut impl FnMut() -> usize,
) {
    loop {
        let fed = &input[..portion().min(input.len())];
        let mut output = vec![0xee; portion().clamp(1, 200_000)];
        let progress = sealer.seal(fed, &mut output).unwrap();
        assert!(progress.consumed <= fed.len());
        assert!(output[progress.written..].iter().all(|byte| *byte == 0xee));
        input = &input[progress.consumed..];
        blob.extend_from_slice(&output[..progress.written]);
        if input.is_empty() && (sealer.is_done() || progress.written < output.len()) {
            return;
        }
    }
}

/// Opens `blob` to its end.
pub(crate) fn opened(
    description: &AttachmentDescription,
    blob: &[u8],
) -> Result<Vec<u8>, NotAuthentic> {
    opened_in(description, blob, &mut (|| usize::MAX))
}

/// Opens `blob` to its end, in portions of the lengths that `portion` gives.
pub(crate) fn opened_in(
    description: &AttachmentDescription,
    blob: &[u8],
    portion: &mut impl FnMut() -> usize,
) -> Result<Vec<u8>, NotAuthentic> {
    let mut opener = AttachmentOpener::new(description);
    let mut content = Vec::new();
    take(&mut opener, blob, &mut content, portion)?;
    opener.finish().map(|()| content)
}

/// Feeds all of `input`, and takes all content that it gives.
pub(crate) fn take(
    opener: &mut AttachmentOpener,
    mut input: &[u8],
    content: &mut Vec<u8>,
    portion: &mut impl FnMut() -> usize,
) -> Result<(), NotAuthentic> {
    loop {
        let fed = &input[..portion().min(input.len())];
        let mut output = vec![0xee; portion().clamp(1, 200_000)];
        let progress = opener.open(fed, &mut output)?;
        assert!(output[progress.written..].iter().all(|byte| *byte == 0xee));
        input = &input[progress.consumed..];
        content.extend_from_slice(&output[..progress.written]);
        if input.is_empty() && progress.written < output.len() {
            return Ok(());
        }
    }
}

/// The fields of a description.
pub(crate) fn fields(description: &AttachmentDescription) -> spec::Description {
    minicbor::decode(&description.to_bytes()).unwrap()
}

/// A description with these fields.
pub(crate) fn description(fields: &spec::Description) -> AttachmentDescription {
    AttachmentDescription::from_bytes(&fields.to_bytes()).unwrap()
}
