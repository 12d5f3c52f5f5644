//! Blobs that were tampered with, by a relay or by somebody who holds the key.

use chat_core::codec::Digest;
use chat_crypto::attachment::{
    AttachmentDescription, AttachmentOpener, AttachmentReader, NotAuthentic,
};

use super::files::{description, fields, file, opened, sealed, take};
use super::spec::{self, CHUNK, HEADER, SEALED_CHUNK};

const SIZE: usize = 4 * CHUNK - 100; // four chunks, the last with padding

#[test]
fn truncation_at_every_chunk_boundary_and_around_it_is_not_authentic() {
    let (description, blob) = sealed(&file(SIZE, 1), 2);
    let boundaries = (0..=4).map(|chunk| HEADER + chunk * SEALED_CHUNK);
    let cuts = boundaries.flat_map(|at| [at - 1, at, at + 1]).chain([0, 1, 16]);

    for cut in cuts.filter(|cut| *cut < blob.len()) {
        assert_eq!(opened(&description, &blob[..cut]), Err(NotAuthentic), "cut at {cut}");
    }
}

#[test]
fn truncated_input_gives_its_whole_chunks_and_no_byte_of_the_next() {
    let file = file(SIZE, 1);
    let (description, blob) = sealed(&file, 2);

    for chunks in 0..4 {
        let mut opener = AttachmentOpener::new(&description);
        let mut content = Vec::new();
        let cut = HEADER + (chunks + 1) * SEALED_CHUNK - 1;
        take(&mut opener, &blob[..cut], &mut content, &mut (|| usize::MAX)).unwrap();

        assert!(content == file[..chunks * CHUNK]);
        assert_eq!(opener.finish(), Err(NotAuthentic));
    }
}

#[test]
fn every_changed_byte_of_a_small_blob_is_not_authentic() {
    let (description, blob) = sealed(b"hello", 2);

    for place in 0..blob.len() {
        let mut changed = blob.clone();
        changed[place] ^= 1 << (place % 8);
        let mut opener = AttachmentOpener::new(&description);
        let mut output = [0; 5];

        assert_eq!(opener.open(&changed, &mut output), Err(NotAuthentic), "byte {place}");
        assert_eq!(output, [0; 5]);
    }
}

#[test]
fn a_changed_chunk_hands_out_nothing_of_itself_or_behind_it() {
    let file = file(SIZE, 1);
    let (description, blob) = sealed(&file, 2);

    for portion in [1000, 65_552, usize::MAX] {
        for chunk in 0..4 {
            let mut changed = blob.clone();
            changed[HEADER + chunk * SEALED_CHUNK + 77] ^= 1;
            let mut opener = AttachmentOpener::new(&description);
            let mut content = Vec::new();

            // One call for the header, so that the chunks can go the short way.
            take(&mut opener, &changed[..HEADER], &mut content, &mut (|| 32)).unwrap();
            let taken = take(&mut opener, &changed[HEADER..], &mut content, &mut (|| portion));

            assert_eq!(taken, Err(NotAuthentic));
            assert!(content == file[..content.len()] && content.len() <= chunk * CHUNK);
        }
    }
}

#[test]
fn after_a_failure_even_the_right_bytes_fail() {
    let (description, blob) = sealed(&file(SIZE, 1), 2);
    let mut changed = blob.clone();
    changed[HEADER] ^= 1;
    let mut output = vec![0; 2 * CHUNK];

    let mut opener = AttachmentOpener::new(&description);
    assert_eq!(opener.open(&changed[..HEADER + SEALED_CHUNK], &mut output), Err(NotAuthentic));
    assert_eq!(opener.open(&blob[HEADER..], &mut output), Err(NotAuthentic));
    assert_eq!(opener.finish(), Err(NotAuthentic));
    let mut opener = AttachmentOpener::new(&description);
    assert_eq!(opener.open(&[0; HEADER], &mut output), Err(NotAuthentic));
    assert_eq!(opener.open(&blob, &mut output), Err(NotAuthentic));
    assert_eq!(opener.finish(), Err(NotAuthentic));
}

#[test]
fn chunks_in_another_order_are_not_authentic() {
    let (description, blob) = sealed(&file(SIZE, 1), 2);

    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let mut pieces: Vec<&[u8]> = blob[HEADER..].chunks(SEALED_CHUNK).collect();
        pieces.swap(a, b);
        let swapped = [&blob[..HEADER], &pieces.concat()].concat();

        assert_eq!(opened(&description, &swapped), Err(NotAuthentic), "{a} and {b}");
        assert_eq!(part_opens(&description, &swapped, a as u64), Err(NotAuthentic));
    }
}

#[test]
fn chunks_of_another_file_are_not_authentic() {
    let (ours, blob) = sealed(&file(SIZE, 1), 2);
    let (_, other) = sealed(&file(SIZE, 1), 3);

    for chunk in 0..4 {
        let mut spliced = blob.clone();
        let at = HEADER + chunk * SEALED_CHUNK;
        let end = (at + SEALED_CHUNK).min(blob.len());
        spliced[at..end].copy_from_slice(&other[at..end]);

        assert_eq!(opened(&ours, &spliced), Err(NotAuthentic), "chunk {chunk}");
        assert_eq!(part_opens(&ours, &spliced, chunk as u64), Err(NotAuthentic));
    }
    assert_eq!(opened(&ours, &other), Err(NotAuthentic));
}

#[test]
fn a_chunk_repeated_or_left_out_is_not_authentic() {
    let (description, blob) = sealed(&file(SIZE, 1), 2);
    let pieces: Vec<&[u8]> = blob[HEADER..].chunks(SEALED_CHUNK).collect();

    for chunk in 0..4 {
        let (mut repeated, mut without) = (pieces.clone(), pieces.clone());
        repeated.insert(chunk, pieces[chunk]);
        without.remove(chunk);
        for changed in [repeated, without] {
            let changed = [&blob[..HEADER], &changed.concat()].concat();
            assert_eq!(opened(&description, &changed), Err(NotAuthentic), "chunk {chunk}");
        }
    }
}

#[test]
fn a_last_chunk_in_the_place_of_another_is_not_authentic() {
    let (description, blob) = sealed(&file(4 * CHUNK, 1), 2);
    let mut changed = blob.clone();
    let last = HEADER + 3 * SEALED_CHUNK;

    changed.copy_within(last.., HEADER + SEALED_CHUNK);

    assert_eq!(opened(&description, &changed), Err(NotAuthentic));
    assert_eq!(part_opens(&description, &changed, 1), Err(NotAuthentic));
}

#[test]
fn bytes_behind_the_last_chunk_are_not_authentic() {
    let file = file(SIZE, 1);
    let (description, blob) = sealed(&file, 2);
    let last = blob[HEADER + 3 * SEALED_CHUNK..].to_vec();

    for behind in [vec![0], last, vec![0; 2 * SEALED_CHUNK]] {
        let longer = [&blob[..], &behind].concat();
        assert_eq!(opened(&description, &longer), Err(NotAuthentic));
    }
    let mut opener = AttachmentOpener::new(&description);
    take(&mut opener, &blob, &mut Vec::new(), &mut (|| usize::MAX)).unwrap();
    assert!(opener.is_done());
    assert_eq!(opener.open(&[0], &mut []), Err(NotAuthentic));
    assert_eq!(opener.finish(), Err(NotAuthentic));
}

/// Somebody with the key moves the end: the flag is in the nonce, so a chunk sealed as the last
/// does not open in the middle, nor one of the middle at the end.
#[test]
fn a_flipped_last_flag_is_not_authentic() {
    let content = file(SIZE, 1);
    let mut fields = fields(&sealed(&content, 2).0);
    let padded = spec::pad(&content);

    for flipped in 0..4 {
        let mut blob = spec::commitment(&fields.key, fields.size).to_vec();
        for (number, chunk) in padded.chunks(CHUNK).enumerate() {
            let last = (number == 3) != (number == flipped);
            blob.extend(spec::seal_chunk(&fields.run_key(number), number, last, chunk));
        }
        fields.digest = fields.digest_of(&blob);

        assert_eq!(opened(&description(&fields), &blob), Err(NotAuthentic), "chunk {flipped}");
    }
}

/// The same, with a description that says the file ends earlier.
#[test]
fn a_file_cut_short_by_its_description_is_not_authentic() {
    let content = file(SIZE, 1);
    let (ours, blob) = sealed(&content, 2);
    let mut shorter = fields(&ours);
    shorter.size = 2 * CHUNK as u64;
    let cut = &blob[..HEADER + 2 * SEALED_CHUNK];
    shorter.digest = shorter.digest_of(cut);

    // The header shows it first.
    assert_eq!(opened(&description(&shorter), cut), Err(NotAuthentic));
    // With another header the flag of the last chunk does.
    let commitment = spec::commitment(&shorter.key, shorter.size);
    let cut = [&commitment[..], &cut[HEADER..]].concat();
    shorter.digest = shorter.digest_of(&cut);
    assert_eq!(opened(&description(&shorter), &cut), Err(NotAuthentic));
}

#[test]
fn another_key_size_digest_or_run_is_not_authentic() {
    let (ours, blob) = sealed(&file(SIZE, 1), 2);
    let right = fields(&ours);
    let run = |first| Some(vec![spec::Run { first, salt: [7; 16].into() }]);
    let wrong = [
        spec::Description { key: [9; 32].into(), ..right.clone() },
        spec::Description { size: right.size - 1, ..right.clone() },
        spec::Description { size: right.size + 1, ..right.clone() },
        spec::Description { size: 0, ..right.clone() },
        spec::Description { digest: Digest::ZERO, ..right.clone() },
        spec::Description { runs: run(0), ..right.clone() },
        spec::Description { runs: run(3), ..right.clone() },
    ];

    for wrong in wrong {
        assert_eq!(opened(&description(&wrong), &blob), Err(NotAuthentic), "{wrong:?}");
    }
    assert!(opened(&description(&right), &blob).is_ok());
}

#[test]
fn padding_of_anything_but_zeros_is_not_authentic() {
    let content = file(SIZE, 1);
    let mut fields = fields(&sealed(&content, 2).0);

    for place in [SIZE, 4 * CHUNK - 1] {
        let mut padded = spec::pad(&content);
        padded[place] = 1;
        let blob = fields.seal_padded(&padded);
        fields.digest = fields.digest_of(&blob);

        assert_eq!(opened(&description(&fields), &blob), Err(NotAuthentic));
        assert_eq!(part_opens(&description(&fields), &blob, 3), Err(NotAuthentic));
    }
}

/// A sender who conspires with the relay seals two files under one key: the digest is of one.
#[test]
fn two_blobs_under_one_key_do_not_fit_one_description() {
    let (content, other) = (file(SIZE, 1), file(SIZE, 2));
    let mut fields = fields(&sealed(&content, 2).0);
    let other_blob = fields.seal(&other);
    let blob = fields.seal(&content);

    let ours = description(&fields);

    assert_eq!(opened(&ours, &blob), Ok(content));
    let mut opener = AttachmentOpener::new(&ours);
    let mut seen = Vec::new();
    assert!(take(&mut opener, &other_blob, &mut seen, &mut (|| 10_000)).is_err());
    assert!(seen.len() <= 3 * CHUNK, "the last chunk never comes out");
}

#[test]
fn a_reader_refuses_the_header_of_another_blob() {
    let (ours, blob) = sealed(&file(SIZE, 1), 2);
    let (other, _) = sealed(&file(SIZE, 1), 3);
    let header = blob[..HEADER].try_into().unwrap();

    assert!(AttachmentReader::new(&ours, header).is_ok());
    assert_eq!(AttachmentReader::new(&other, header).map(drop), Err(NotAuthentic));
}

#[test]
fn a_part_that_is_cut_short_or_too_long_is_not_authentic() {
    let (description, blob) = sealed(&file(SIZE, 1), 2);
    let reader = AttachmentReader::new(&description, blob[..HEADER].try_into().unwrap()).unwrap();
    let mut output = vec![0; CHUNK];
    let piece = |part: std::ops::Range<u64>| &blob[part.start as usize..part.end as usize];

    let mut part = reader.part(100_000..100_100).unwrap();
    let place = part.blob();
    let (all, _) = piece(place.clone()).split_at(SEALED_CHUNK - 1);
    part.open(all, &mut output).unwrap();
    assert_eq!(part.finish(), Err(NotAuthentic));

    let mut part = reader.part(100_000..100_100).unwrap();
    let longer = [piece(place), &[0]].concat();
    assert_eq!(part.open(&longer, &mut output), Err(NotAuthentic));
    assert_eq!(part.finish(), Err(NotAuthentic));
}

/// Opens all of `chunk` as a part, as far as its content goes.
fn part_opens(
    description: &AttachmentDescription,
    blob: &[u8],
    chunk: u64,
) -> Result<(), NotAuthentic> {
    let reader = AttachmentReader::new(description, blob[..HEADER].try_into().unwrap())?;
    let start = chunk * CHUNK as u64;
    let mut part = reader.part(start..(start + 65_536).min(description.size())).unwrap();
    let place = part.blob();
    part.open(&blob[place.start as usize..place.end as usize], &mut [0; CHUNK])?;
    part.finish()
}
