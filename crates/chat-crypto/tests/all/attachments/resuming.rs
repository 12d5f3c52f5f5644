//! Uploads and downloads that go on after a restart.

use chat_crypto::attachment::{
    AttachmentOpener, AttachmentReader, AttachmentSealer, ResumeError, SealError,
};
use chat_crypto::snapshot::SnapshotError;
use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use rand_core::Rng as _;

use super::files::{feed, fields, file, opened, sealed, take};
use super::spec::{self, CHUNK, HEADER, SEALED_CHUNK};
use crate::people::rng;

const SIZE: usize = 300_001; // five chunks

#[test]
fn an_upload_resumed_at_any_chunk_opens_to_the_file() {
    let file = file(SIZE, 1);
    for chunks in 0..=5 {
        let mut blob = Vec::new();
        let sealer = upload_until(&file, chunks, &mut blob);
        let (position, snapshot) = (sealer.position(), sealer.to_snapshot());
        drop(sealer);

        let mut sealer = AttachmentSealer::resume(&snapshot, &mut rng(9)).unwrap();
        blob.truncate(position.blob as usize);
        feed(&mut sealer, &file[position.content as usize..], &mut blob, &mut (|| 50_000));
        let description = sealer.finish().unwrap();

        assert!(opened(&description, &blob).as_ref() == Ok(&file), "after {chunks} chunks");
        assert!(fields(&description).open(&blob).as_ref() == Some(&file));
        let runs = fields(&description).runs.map_or(0, |runs| runs.len());
        assert_eq!(runs, usize::from(chunks < 5));
    }
}

#[test]
fn an_upload_resumed_after_every_chunk_opens_whole_and_in_part() {
    let file = file(SIZE, 1);
    let mut sealer = AttachmentSealer::new(SIZE as u64, &mut rng(2)).unwrap();
    let mut blob = Vec::new();
    for round in 0.. {
        let content = sealer.position().content as usize;
        let end = (content + CHUNK).min(SIZE);
        feed(&mut sealer, &file[content..end], &mut blob, &mut (|| usize::MAX));
        if sealer.is_done() {
            break;
        }
        sealer = AttachmentSealer::resume(&sealer.to_snapshot(), &mut rng(10 + round)).unwrap();
        blob.truncate(sealer.position().blob as usize);
    }
    let description = sealer.finish().unwrap();

    assert_eq!(fields(&description).runs.unwrap().len(), 4);
    assert_eq!(opened(&description, &blob).as_ref(), Ok(&file));
    let header = blob[..HEADER].try_into().unwrap();
    let reader = AttachmentReader::new(&description, header).unwrap();
    let mut part = reader.part(100_000..290_000).unwrap();
    let place = part.blob();
    let mut content = vec![0; 190_000];
    let piece = &blob[place.start as usize..place.end as usize];
    assert_eq!(part.open(piece, &mut content).unwrap().written, 190_000);
    assert!(content == file[100_000..290_000]);
}

#[test]
fn a_file_that_changed_before_the_resumption_never_meets_the_key_of_the_first_run() {
    let (before, after) = (file(SIZE, 1), file(SIZE, 2));
    let mut first = Vec::new();
    let mut sealer = upload_until(&before, 2, &mut first);
    let snapshot = sealer.to_snapshot();
    // The first run got further than its snapshot: the relay has seen these chunks.
    feed(&mut sealer, &before[2 * CHUNK..], &mut first, &mut (|| usize::MAX));

    let mut sealer = AttachmentSealer::resume(&snapshot, &mut rng(9)).unwrap();
    let mut second = first[..sealer.position().blob as usize].to_vec();
    feed(&mut sealer, &after[2 * CHUNK..], &mut second, &mut (|| usize::MAX));
    let description = sealer.finish().unwrap();

    // One key stream under two texts would show their difference.
    let difference =
        |a: &[u8], b: &[u8]| -> Vec<u8> { a.iter().zip(b).map(|(a, b)| a ^ b).collect() };
    for chunk in 2..4 {
        let at = HEADER + chunk * SEALED_CHUNK;
        let sealed = difference(&first[at..at + CHUNK], &second[at..at + CHUNK]);
        let plain = difference(&before[chunk * CHUNK..][..CHUNK], &after[chunk * CHUNK..][..CHUNK]);
        assert!(sealed.chunks(16).zip(plain.chunks(16)).all(|(sealed, plain)| sealed != plain));
    }
    let mixed = [&before[..2 * CHUNK], &after[2 * CHUNK..]].concat();
    assert_eq!(opened(&description, &second), Ok(mixed));
    assert!(opened(&description, &first).is_err());
}

#[test]
fn one_snapshot_restored_twice_seals_under_two_keys() {
    let file = file(SIZE, 1);
    let snapshot = upload_until(&file, 2, &mut Vec::new()).to_snapshot();
    let mut random = rng(9);

    let [first, second] = [(); 2].map(|()| {
        let mut sealer = AttachmentSealer::resume(&snapshot, &mut random).unwrap();
        let mut rest = Vec::new();
        feed(&mut sealer, &file[2 * CHUNK..], &mut rest, &mut (|| usize::MAX));
        (fields(&sealer.finish().unwrap()), rest)
    });

    assert_ne!(first.0.run_key(2), second.0.run_key(2));
    assert_eq!(first.0.run_key(1), second.0.run_key(1));
    assert!(first.1.chunks(16).zip(second.1.chunks(16)).all(|(first, second)| first != second));
}

#[test]
fn chunks_of_an_abandoned_run_do_not_open_in_its_successor() {
    let file = file(SIZE, 1);
    let mut first = Vec::new();
    let mut sealer = upload_until(&file, 2, &mut first);
    let snapshot = sealer.to_snapshot();
    feed(&mut sealer, &file[2 * CHUNK..], &mut first, &mut (|| usize::MAX));
    let mut sealer = AttachmentSealer::resume(&snapshot, &mut rng(9)).unwrap();
    let mut second = first[..sealer.position().blob as usize].to_vec();
    feed(&mut sealer, &file[2 * CHUNK..], &mut second, &mut (|| usize::MAX));
    let description = sealer.finish().unwrap();

    let at = HEADER + 3 * SEALED_CHUNK;
    second[at..at + SEALED_CHUNK].copy_from_slice(&first[at..at + SEALED_CHUNK]);

    assert!(opened(&description, &second).is_err());
    // Even where no digest can be checked.
    let reader = AttachmentReader::new(&description, second[..HEADER].try_into().unwrap()).unwrap();
    let mut part = reader.part(200_000..200_100).unwrap();
    assert!(part.open(&second[at..at + SEALED_CHUNK], &mut [0; 100]).is_err());
}

#[test]
fn resuming_again_and_again_without_progress_costs_nothing() {
    let file = file(SIZE, 1);
    let mut blob = Vec::new();
    let mut snapshot = upload_until(&file, 1, &mut blob).to_snapshot();
    for round in 0..1000 {
        snapshot = AttachmentSealer::resume(&snapshot, &mut rng(round)).unwrap().to_snapshot();
    }

    let mut sealer = AttachmentSealer::resume(&snapshot, &mut rng(9)).unwrap();
    feed(&mut sealer, &file[CHUNK..], &mut blob, &mut (|| usize::MAX));
    let description = sealer.finish().unwrap();

    assert_eq!(fields(&description).runs.unwrap().len(), 1);
    assert_eq!(opened(&description, &blob), Ok(file));
}

#[test]
fn an_upload_goes_on_256_times_and_no_more() {
    let chunk = vec![7; CHUNK];
    let mut sealer = AttachmentSealer::new(300 * CHUNK as u64, &mut rng(1)).unwrap();
    let mut output = vec![0; SEALED_CHUNK];
    sealer.seal(&[], &mut output).unwrap();

    for round in 0..256 {
        sealer.seal(&chunk, &mut output).unwrap();
        sealer = AttachmentSealer::resume(&sealer.to_snapshot(), &mut rng(round)).unwrap();
    }
    sealer.seal(&chunk, &mut output).unwrap();

    let refused = AttachmentSealer::resume(&sealer.to_snapshot(), &mut rng(1));
    assert_eq!(refused.map(drop), Err(ResumeError::TooOften));
}

#[test]
fn a_download_resumed_anywhere_gives_the_same_content() {
    let file = file(SIZE, 1);
    let (description, blob) = sealed(&file, 2);
    let mut random = rng(7);
    let edges = [0, 1, 31, 32, 33, HEADER + SEALED_CHUNK, blob.len() - 1, blob.len()];
    let anywhere: Vec<usize> = (0..40).map(|_| random.next_u32() as usize % blob.len()).collect();

    for stop in edges.into_iter().chain(anywhere) {
        let mut opener = AttachmentOpener::new(&description);
        let mut content = Vec::new();
        take(&mut opener, &blob[..stop], &mut content, &mut (|| 70_001)).unwrap();
        let (position, snapshot) = (opener.position(), opener.to_snapshot());
        drop(opener);

        let mut opener = AttachmentOpener::resume(&description, &snapshot).unwrap();
        assert_eq!(opener.position(), position);
        content.truncate(position.content as usize);
        let rest = &blob[position.blob as usize..];
        take(&mut opener, rest, &mut content, &mut (|| 70_001)).unwrap();

        assert_eq!(opener.finish(), Ok(()), "stopped at {stop}");
        assert!(content == file, "stopped at {stop}");
        assert!(stop - (position.blob as usize) < SEALED_CHUNK + HEADER);
    }
}

#[test]
fn a_chunk_that_was_not_taken_whole_is_opened_again() {
    let file = file(SIZE, 1);
    let (description, blob) = sealed(&file, 2);
    let mut opener = AttachmentOpener::new(&description);
    opener.open(&blob[..HEADER + SEALED_CHUNK], &mut [0; CHUNK - 1]).unwrap();

    assert_eq!(opener.position().content, 0);
    opener.open(&[], &mut [0; 1]).unwrap();
    assert_eq!(opener.position().content, CHUNK as u64);
}

#[test]
fn a_download_that_met_a_forged_chunk_goes_on_before_it() {
    let file = file(SIZE, 1);
    let (description, blob) = sealed(&file, 2);
    for portion in [50_000, usize::MAX] {
        let mut forged = blob.clone();
        forged[HEADER + 2 * SEALED_CHUNK] ^= 1;
        let mut opener = AttachmentOpener::new(&description);
        take(&mut opener, &forged, &mut Vec::new(), &mut (|| portion)).unwrap_err();

        let position = opener.position();
        let mut opener = AttachmentOpener::resume(&description, &opener.to_snapshot()).unwrap();
        let rest = &blob[position.blob as usize..];
        let mut behind = Vec::new();
        take(&mut opener, rest, &mut behind, &mut (|| portion)).unwrap();

        assert_eq!(opener.finish(), Ok(()));
        assert!(behind == file[position.content as usize..]);
        assert!(position.content as usize <= 2 * CHUNK);
    }
}

#[test]
fn a_sealer_in_the_middle_of_a_chunk_is_restored_to_its_beginning() {
    let mut sealer = AttachmentSealer::new(SIZE as u64, &mut rng(2)).unwrap();
    let mut output = vec![0; SEALED_CHUNK];

    sealer.seal(&[7; CHUNK], &mut output[..HEADER + 100]).unwrap();
    let again = AttachmentSealer::resume(&sealer.to_snapshot(), &mut rng(3)).unwrap();

    assert_eq!((again.position().content, again.position().blob), (0, 0));
    assert_eq!(again.finish().map(drop), Err(SealError::Unfinished));
}

#[test]
fn a_download_goes_on_from_its_own_state_only() {
    let (ours, blob) = sealed(&file(SIZE, 1), 2);
    let (other, _) = sealed(&file(SIZE, 1), 3);
    let mut opener = AttachmentOpener::new(&ours);
    take(&mut opener, &blob[..100_000], &mut Vec::new(), &mut (|| usize::MAX)).unwrap();

    let resumed = AttachmentOpener::resume(&other, &opener.to_snapshot());

    assert_eq!(resumed.map(drop), Err(ResumeError::Another));
}

#[test]
fn an_upload_that_went_on_from_the_state_of_another_is_not_authentic() {
    let (ours, theirs) = (file(SIZE, 1), file(SIZE, 2));
    let mut blob = Vec::new();
    upload_until(&ours, 2, &mut blob);
    let snapshot = {
        let mut sealer = AttachmentSealer::new(SIZE as u64, &mut rng(77)).unwrap();
        feed(&mut sealer, &theirs[..2 * CHUNK], &mut Vec::new(), &mut (|| usize::MAX));
        sealer.to_snapshot()
    };

    let mut sealer = AttachmentSealer::resume(&snapshot, &mut rng(9)).unwrap();
    feed(&mut sealer, &ours[2 * CHUNK..], &mut blob, &mut (|| usize::MAX));

    assert!(opened(&sealer.finish().unwrap(), &blob).is_err());
}

#[test]
fn snapshots_that_nothing_wrote_are_refused() {
    let (description, _) = sealed(&file(SIZE, 1), 2);
    let sealer = |leaves, firsts: &[u32], size| {
        let state = (1u8, SealerState::new(leaves, firsts, size));
        AttachmentSealer::resume(&minicbor::to_vec(state).unwrap(), &mut rng(1)).map(drop)
    };
    let opener = AttachmentOpener::new(&description).to_snapshot();
    let malformed = Err(ResumeError::Snapshot(SnapshotError::Malformed));

    assert_eq!(sealer(4, &[1, 3], SIZE as u64), Ok(()));
    assert_eq!(sealer(6, &[], SIZE as u64), malformed);
    assert_eq!(sealer(u32::MAX, &[], SIZE as u64), malformed);
    assert_eq!(sealer(2, &[1, 3], SIZE as u64), malformed);
    assert_eq!(sealer(4, &[3, 1], SIZE as u64), malformed);
    assert_eq!(sealer(4, &[], u64::MAX), malformed);
    assert_eq!(AttachmentSealer::resume(&opener, &mut rng(1)).map(drop), malformed);
    assert_eq!(AttachmentOpener::resume(&description, b"something else").map(drop), malformed);
}

/// The state of a sealer, as it is written down.
#[derive(Encode, Decode)]
#[cbor(map)]
struct SealerState {
    #[n(0)]
    key: ByteArray<32>,
    #[n(1)]
    size: u64,
    #[n(2)]
    runs: Vec<spec::Run>,
    #[n(3)]
    tree: (u32, Vec<ByteArray<32>>),
}

impl SealerState {
    fn new(leaves: u32, firsts: &[u32], size: u64) -> Self {
        let run = |first: &u32| spec::Run { first: *first, salt: [7; 16].into() };
        let peaks = vec![[1; 32].into(); leaves.count_ones() as usize];
        let runs = firsts.iter().map(run).collect();
        Self { key: [1; 32].into(), size, runs, tree: (leaves, peaks) }
    }
}

/// A sealer that has handed out this many chunks, and what it handed out.
fn upload_until(file: &[u8], chunks: usize, blob: &mut Vec<u8>) -> AttachmentSealer {
    let mut sealer = AttachmentSealer::new(file.len() as u64, &mut rng(2)).unwrap();
    let end = (chunks * CHUNK).min(file.len());
    feed(&mut sealer, &file[..end], blob, &mut (|| 60_000));
    sealer
}
