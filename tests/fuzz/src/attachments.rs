//! Attachments: whatever becomes of a blob on its way, what is handed out is the file's beginning,
//! and it is called whole only if it is.
//!
//! ```text
//!  which blob ‖ portion: 2 bytes ‖ restarts ‖ cut: 3 bytes ‖ (place: 3 bytes ‖ mask)*
//!
//!  the blob loses `cut` bytes at its end, byte[place] ^= mask, it arrives in portions, and the
//!  opener goes on from a snapshot before every portion whose bit of `restarts` is set
//! ```

use std::sync::LazyLock;

use chat_core::codec::DecodeError;
use chat_crypto::attachment::{AttachmentDescription, AttachmentOpener, AttachmentSealer};

use crate::people::rng;

/// Nothing, one chunk of the shortest, and two whose second holds one byte.
const SIZES: [usize; 3] = [0, 100, 65_537];
/// Changes beyond these say nothing that fewer do not.
const CHANGES_MAX: usize = 16;
/// More portions than this would only take time.
const PORTIONS_MAX: usize = 64;

struct Sealed {
    file: Vec<u8>,
    description: AttachmentDescription,
    blob: Vec<u8>,
}

static SEALED: LazyLock<[Sealed; 3]> = LazyLock::new(|| SIZES.map(seal));

/// Takes `bytes` as a description, then as what happens to a blob.
pub fn attachment(bytes: &[u8]) {
    if let Ok(description) = AttachmentDescription::from_bytes(bytes) {
        let written = description.to_bytes();
        let read = AttachmentDescription::from_bytes(&written).map(|read| read.to_bytes());
        assert_eq!(read, Ok::<_, DecodeError>(written), "a description says something else");
    }
    if let [which, portion_high, portion_low, restarts, a, b, c, changes @ ..] = bytes {
        let sealed = &SEALED[usize::from(*which) % SEALED.len()];
        let mut blob = sealed.blob.clone();
        let cut = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).expect("24 bits fit");
        blob.truncate(blob.len() - cut % blob.len());
        let (changes, _) = changes.as_chunks::<4>();
        for [high, middle, low, mask] in changes.iter().take(CHANGES_MAX) {
            let place = u32::from_be_bytes([0, *high, *middle, *low]);
            let length = blob.len();
            blob[usize::try_from(place).expect("24 bits fit") % length] ^= mask;
        }
        let portion = usize::from(u16::from_be_bytes([*portion_high, *portion_low]));
        open(sealed, &blob, portion, *restarts);
    }
}

fn open(sealed: &Sealed, blob: &[u8], portion: usize, restarts: u8) {
    let portion = portion.max(blob.len().div_ceil(PORTIONS_MAX)).max(1);
    let mut opener = AttachmentOpener::new(&sealed.description);
    let (mut at, mut handed_out) = (0, Vec::new());
    let mut output = vec![0; portion];
    // Twice as often as a blob has portions: each restart goes back by less than one chunk.
    for turn in 0..8 * PORTIONS_MAX {
        if turn < 8 && restarts & (1 << turn) != 0 {
            let position = opener.position();
            let snapshot = opener.to_snapshot();
            opener = AttachmentOpener::resume(&sealed.description, &snapshot).expect("we wrote it");
            at = usize::try_from(position.blob).expect("the blob is in memory").min(blob.len());
            handed_out.truncate(usize::try_from(position.content).expect("the file is in memory"));
        }
        let arrived = &blob[at..(at + portion).min(blob.len())];
        let Ok(progress) = opener.open(arrived, &mut output) else {
            assert_ne!(blob, sealed.blob, "a good blob was refused");
            return;
        };
        at += progress.consumed;
        handed_out.extend_from_slice(&output[..progress.written]);
        assert!(sealed.file.starts_with(&handed_out), "this is not the file's beginning");
        if progress.consumed == 0 && progress.written == 0 {
            break;
        }
    }
    let whole = opener.finish().is_ok();
    assert_eq!(whole, blob == sealed.blob, "only the whole blob is whole");
    assert!(!whole || handed_out == sealed.file, "the file is another");
}

fn seal(size: usize) -> Sealed {
    let file: Vec<u8> = (0u8..251).cycle().take(size).collect();
    let mut sealer = AttachmentSealer::new(size as u64, &mut rng(10)).expect("it is small");
    let (mut blob, mut part, mut rest) = (Vec::new(), vec![0; 16 * 1024], &file[..]);
    while !sealer.is_done() {
        let progress = sealer.seal(rest, &mut part).expect("it is as long as was said");
        rest = &rest[progress.consumed..];
        blob.extend_from_slice(&part[..progress.written]);
    }
    let description = sealer.finish().expect("it is done");
    Sealed { file, description, blob }
}

/// Descriptions, and things that happen to blobs.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let described = SEALED.iter().map(|sealed| sealed.description.to_bytes().to_vec());
    let happenings: [&[u8]; 6] = [
        &[0, 0, 1, 0, 0, 0, 0],
        &[1, 16, 0, 0b101, 0, 0, 0],
        &[2, 255, 255, 0b10, 0, 0, 0],
        &[2, 128, 0, 0b1010_1010, 0, 0, 1],
        &[2, 255, 255, 0, 0, 0, 0, 1, 0, 40, 1],
        &[1, 4, 0, 0, 0, 0, 0, 0, 0, 3, 128],
    ];
    described.chain(happenings.map(<[u8]>::to_vec)).collect()
}
