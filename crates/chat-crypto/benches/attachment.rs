//! What attachments cost: sealing and opening in memory, beside the two primitives that bound it.
//!
//! One thread; every row is the best of several batches, so that whatever else the machine does
//! disturbs it least. Run with `cargo bench -p chat-crypto --bench attachment`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use chat_core::codec::Digest;
use chat_crypto::attachment::{
    AttachmentDescription, AttachmentOpener, AttachmentReader, AttachmentSealer, CHUNK_BYTES,
    HEADER_BYTES, SEALED_CHUNK_BYTES,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

/// Many short ones: each fits a slice of time that nobody interrupts.
const BATCHES: usize = 100;
const FILE_BYTES: usize = 4 * 1024 * 1024;
/// How much of a file is in memory at once.
const PART_CHUNKS: usize = 4;

fn main() {
    let file = vec![0x5a; PART_CHUNKS * CHUNK_BYTES];
    println!("{:<54}{:>14}", "attachment, 4 MiB", "best");
    // First, while the peak is low.
    memory();
    primitives();

    throughput("sealed, four chunks at a time", || seal(&file, None));
    throughput("sealed, 4 096 bytes at a time", || seal_in_portions(&file, 4096));

    let mut blob = Vec::new();
    let description = seal(&file, Some(&mut blob));
    let part = PART_CHUNKS * SEALED_CHUNK_BYTES;
    throughput("opened, four chunks at a time", || open(&description, &blob, part));
    throughput("opened, 4 096 bytes at a time", || open(&description, &blob, 4096));
    row("64 KiB from the middle", 20, || open_middle(&description, &blob));
}

/// What bounds it: each byte goes through both.
fn primitives() {
    let cipher = Aes256Gcm::new(&[1; 32].into());
    let (input, mut output) = (vec![7; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
    throughput("AES-256-GCM alone", || {
        for chunk in 0..FILE_BYTES / CHUNK_BYTES {
            let mut nonce = [0; 12];
            nonce[..8].copy_from_slice(&chunk.to_be_bytes());
            let buffer = InOutBuf::new(&input, &mut output).unwrap();
            black_box(cipher.encrypt_inout_detached(&Nonce::from(nonce), &[], buffer).unwrap());
        }
    });
    throughput("SHA-256 alone", || {
        for _ in 0..FILE_BYTES / CHUNK_BYTES {
            black_box(Digest::of(black_box(&input)));
        }
    });
}

/// Seals a file that repeats `piece`, into one buffer again and again or to the end of `blob`.
fn seal(piece: &[u8], mut blob: Option<&mut Vec<u8>>) -> AttachmentDescription {
    let mut sealer =
        AttachmentSealer::new(FILE_BYTES as u64, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
    let mut output = vec![0; PART_CHUNKS * SEALED_CHUNK_BYTES];
    // The header first, so that chunks stand where they are copied from.
    let mut written = sealer.seal(&[], &mut output).unwrap().written;
    for _ in 0..FILE_BYTES / piece.len() {
        blob.iter_mut().for_each(|blob| blob.extend_from_slice(&output[..written]));
        let progress = sealer.seal(piece, &mut output).unwrap();
        assert_eq!(progress.consumed, piece.len());
        written = progress.written;
    }
    blob.iter_mut().for_each(|blob| blob.extend_from_slice(&output[..written]));
    sealer.finish().unwrap()
}

fn seal_in_portions(file: &[u8], portion: usize) -> AttachmentDescription {
    let mut sealer =
        AttachmentSealer::new(FILE_BYTES as u64, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
    let mut output = vec![0; portion];
    for _ in 0..FILE_BYTES / file.len() {
        for mut input in file.chunks(portion) {
            while !input.is_empty() {
                input = &input[sealer.seal(input, &mut output).unwrap().consumed..];
            }
        }
    }
    while !sealer.is_done() {
        sealer.seal(&[], &mut output).unwrap();
    }
    sealer.finish().unwrap()
}

fn open(description: &AttachmentDescription, blob: &[u8], portion: usize) {
    let mut opener = AttachmentOpener::new(description);
    let mut output = vec![0; portion.max(CHUNK_BYTES)];
    let (header, chunks) = blob.split_at(HEADER_BYTES);
    opener.open(header, &mut output).unwrap();
    for mut input in chunks.chunks(portion) {
        while !input.is_empty() {
            input = &input[opener.open(input, &mut output).unwrap().consumed..];
        }
    }
    opener.finish().unwrap();
}

fn open_middle(description: &AttachmentDescription, blob: &[u8]) {
    let header = blob[..HEADER_BYTES].try_into().unwrap();
    let middle = description.size() / 2;
    let reader = AttachmentReader::new(description, header).unwrap();
    let mut part = reader.part(middle..middle + CHUNK_BYTES as u64).unwrap();
    let place = part.blob();
    let input = &blob[usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap()];
    let mut output = vec![0; CHUNK_BYTES];
    black_box(part.open(input, &mut output).unwrap());
    part.finish().unwrap();
}

/// How much memory a file takes that is larger than everything before: nothing is kept of it, so
/// it is sealed once for its description and once more to be opened as it comes.
fn memory() {
    const LARGE: u64 = 256 * 1024 * 1024;
    let piece = vec![0x5a; PART_CHUNKS * CHUNK_BYTES];
    // Not zeros, which would take no memory until they are written over.
    let mut output = vec![1; PART_CHUNKS * SEALED_CHUNK_BYTES];
    let mut opened = vec![1; PART_CHUNKS * CHUNK_BYTES];
    let before = peak();
    let mut pass = |mut opener: Option<AttachmentOpener>| {
        let mut sealer = AttachmentSealer::new(LARGE, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        let mut input: &[u8] = &[];
        while !sealer.is_done() {
            let progress = sealer.seal(input, &mut output).unwrap();
            let mut arrived = &output[..progress.written];
            while let (Some(opener), false) = (&mut opener, arrived.is_empty()) {
                arrived = &arrived[opener.open(arrived, &mut opened).unwrap().consumed..];
            }
            input = &piece;
        }
        opener.into_iter().for_each(|opener| opener.finish().unwrap());
        sealer.finish().unwrap()
    };
    let description = pass(None);
    pass(Some(AttachmentOpener::new(&description)));
    println!("{:<54}{:>11} KiB", "256 MiB sealed and opened, beside the buffers", peak() - before);
}

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn throughput<T>(name: &str, what: impl FnMut() -> T) {
    let best = best(1, what);
    println!("{name:<54}{:>9.2} GB/s", FILE_BYTES as f64 / best.as_secs_f64() / 1e9);
}

fn row<T>(name: &str, times: u32, what: impl FnMut() -> T) {
    println!("{name:<54}{:>11.1} µs", best(times, what).as_secs_f64() * 1e6);
}

/// The best time of `what`, over batches of `times`.
fn best<T>(times: u32, mut what: impl FnMut() -> T) -> Duration {
    (0..BATCHES)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..times {
                black_box(what());
            }
            start.elapsed() / times
        })
        .min()
        .unwrap_or(Duration::MAX)
}
