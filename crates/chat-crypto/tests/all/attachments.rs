//! Attachments: what is sealed opens, whole and in part, and nothing else does.
#![allow(clippy::cast_possible_truncation, reason = "the files here are small")]

mod collision;
mod files;
mod forgeries;
mod resuming;
pub(crate) mod spec;

use chat_core::codec::DecodeError;
use chat_core::limits::ATTACHMENT_BYTES_MAX;
use chat_crypto::attachment::{
    AttachmentDescription, AttachmentOpener, AttachmentReader, AttachmentSealer, HEADER_BYTES,
    OutOfRange, Progress, SealError,
};
use rand_core::Rng as _;

use self::files::{SIZES, description, feed, fields, file, opened, opened_in, sealed};
use self::spec::{CHUNK, SEALED_CHUNK};
use crate::people::rng;

#[test]
fn every_size_around_every_edge_comes_back() {
    for size in SIZES {
        let file = file(size, 1);

        let (description, blob) = sealed(&file, 2);

        assert_eq!(opened(&description, &blob).as_ref(), Ok(&file), "{size} bytes");
        assert_eq!(description.size(), size as u64);
        assert_eq!(description.blob_length(), blob.len() as u64);
    }
}

#[test]
fn a_second_implementation_seals_and_opens_the_same_bytes() {
    for size in SIZES {
        let file = file(size, 1);
        let (ours, blob) = sealed(&file, 2);

        let mut theirs = fields(&ours);

        assert_eq!(theirs.open(&blob).as_ref(), Some(&file), "{size} bytes");
        assert_eq!(theirs.seal(&file), blob, "{size} bytes");
        assert_eq!(theirs.to_bytes(), *ours.to_bytes());
    }
}

#[test]
fn an_empty_file_is_a_chunk_of_padding() {
    let (description, blob) = sealed(&[], 1);

    assert_eq!(blob.len(), HEADER_BYTES + 4096 + 16);
    assert_eq!(opened(&description, &blob), Ok(Vec::new()));
}

#[test]
fn an_exact_multiple_of_the_chunk_ends_in_a_whole_chunk() {
    let (description, blob) = sealed(&file(2 * CHUNK, 1), 2);

    assert_eq!(blob.len(), HEADER_BYTES + 2 * SEALED_CHUNK);
    assert!(opened(&description, &blob).is_ok());
}

#[test]
fn any_portioning_gives_the_same_blob_and_the_same_content() {
    for (round, size) in (0..60).zip(SIZES.into_iter().cycle()) {
        let file = file(size, 1);
        let (description, blob) = sealed(&file, 2);
        let mut lengths = rng(100 + round);
        let longest = [3000, 70_000, 200_000][round as usize % 3];
        let mut portion = || lengths.next_u32() as usize % longest;

        let mut sealer = AttachmentSealer::new(size as u64, &mut rng(2)).unwrap();
        let mut portioned = Vec::new();
        feed(&mut sealer, &file, &mut portioned, &mut portion);
        while !sealer.is_done() {
            feed(&mut sealer, &[], &mut portioned, &mut portion);
        }

        assert!(portioned == blob, "{size} bytes, round {round}");
        assert_eq!(*sealer.finish().unwrap().to_bytes(), *description.to_bytes());
        assert!(opened_in(&description, &blob, &mut portion) == Ok(file), "round {round}");
    }
}

#[test]
fn single_bytes_go_through_as_well() {
    let file = file(70_000, 1);
    let (description, blob) = sealed(&file, 2);
    let mut sealer = AttachmentSealer::new(70_000, &mut rng(2)).unwrap();
    let mut byte_by_byte = Vec::new();

    feed(&mut sealer, &file, &mut byte_by_byte, &mut (|| 1));
    while !sealer.is_done() {
        feed(&mut sealer, &[], &mut byte_by_byte, &mut (|| 1));
    }

    assert!(byte_by_byte == blob);
    assert_eq!(opened_in(&description, &blob, &mut (|| 1)), Ok(file));
}

#[test]
fn without_room_or_input_nothing_moves() {
    let (description, blob) = sealed(b"hello", 2);
    let mut sealer = AttachmentSealer::new(5, &mut rng(2)).unwrap();
    let mut opener = AttachmentOpener::new(&description);

    assert_eq!(sealer.seal(&[], &mut []), Ok(Progress::default()));
    assert_eq!(sealer.seal(b"hello", &mut []), Ok(Progress::default()));
    assert_eq!(opener.open(&[], &mut []), Ok(Progress::default()));
    let all = Progress { consumed: blob.len(), written: 0 };
    assert_eq!(opener.open(&blob, &mut []), Ok(all));
    assert!(!opener.is_done());
    assert_eq!(opener.open(&[], &mut [0; 4]), Ok(Progress { consumed: 0, written: 4 }));
    assert_eq!(opener.open(&[], &mut [0; 4]), Ok(Progress { consumed: 0, written: 1 }));
    assert!(opener.is_done());
}

#[test]
fn any_range_is_the_slice_of_the_content_from_the_chunks_it_touches() {
    let file = file(300_001, 1);
    let (description, blob) = sealed(&file, 2);
    let reader = AttachmentReader::new(&description, blob[..32].try_into().unwrap()).unwrap();
    let mut random = rng(7);
    let edges = [0, 1, 65_535, 65_536, 65_537, 131_072, 300_000, 300_001];
    let at_edges = edges.iter().flat_map(|start| edges.iter().map(|end| (*start, *end)));
    let anywhere = (0..200).map(|_| {
        let mut byte = || random.next_u64() % 300_002;
        (byte(), byte())
    });

    for (start, end) in at_edges.chain(anywhere).filter(|(start, end)| start <= end) {
        let mut part = reader.part(start..end).unwrap();
        let place = part.blob();
        let mut content = vec![0; (end - start) as usize];
        let mut written = 0;
        for mut input in blob[place.start as usize..place.end as usize].chunks(50_000) {
            while !input.is_empty() {
                let progress = part.open(input, &mut content[written..]).unwrap();
                written += progress.written;
                input = &input[progress.consumed..];
            }
        }

        assert!(part.finish().is_ok());
        assert!(content == file[start as usize..end as usize], "{start}..{end}");
        let chunks = if start == end { 0 } else { (end - 1) / 65_536 - start / 65_536 + 1 };
        assert!(place.end - place.start <= chunks * SEALED_CHUNK as u64);
    }
}

#[test]
fn ranges_outside_the_content_are_refused() {
    let (description, blob) = sealed(&file(70_000, 1), 2);
    let reader = AttachmentReader::new(&description, blob[..32].try_into().unwrap()).unwrap();
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let backwards = 2..1;

    assert_eq!(reader.part(backwards).map(drop), Err(OutOfRange));
    assert_eq!(reader.part(0..70_001).map(drop), Err(OutOfRange));
    assert_eq!(reader.part(70_001..70_001).map(drop), Err(OutOfRange));
    assert_eq!(reader.part(u64::MAX..u64::MAX).map(drop), Err(OutOfRange));
    assert_eq!(reader.part(0..u64::MAX).map(drop), Err(OutOfRange));
    assert!(reader.part(70_000..70_000).unwrap().finish().is_ok());
}

#[test]
fn a_sealer_takes_what_was_announced_no_more_and_no_less() {
    let mut output = vec![0; 10_000];
    let mut sealer = AttachmentSealer::new(5, &mut rng(1)).unwrap();

    assert_eq!(sealer.seal(b"longer", &mut output), Err(SealError::Longer));
    assert_eq!(sealer.seal(b"hel", &mut output).map(|progress| progress.consumed), Ok(3));
    assert_eq!(sealer.seal(b"lo!", &mut output), Err(SealError::Longer));
    assert_eq!(sealer.finish().map(drop), Err(SealError::Unfinished));
    let mut sealer = AttachmentSealer::new(5, &mut rng(1)).unwrap();
    sealer.seal(b"hello", &mut output).unwrap();
    assert!(sealer.is_done());
    assert_eq!(sealer.seal(b"!", &mut output), Err(SealError::Longer));
    assert!(sealer.finish().is_ok());
}

#[test]
fn files_above_the_limit_are_refused_on_both_sides() {
    let sealer = |size| AttachmentSealer::new(size, &mut rng(1)).map(drop);
    let mut fields = fields(&sealed(b"hello", 2).0);
    let mut read = |size| {
        fields.size = size;
        AttachmentDescription::from_bytes(&fields.to_bytes()).map(drop)
    };

    assert_eq!(sealer(ATTACHMENT_BYTES_MAX), Ok(()));
    assert_eq!(sealer(ATTACHMENT_BYTES_MAX + 1), Err(SealError::TooLarge));
    assert_eq!(sealer(u64::MAX), Err(SealError::TooLarge));
    assert_eq!(read(ATTACHMENT_BYTES_MAX), Ok(()));
    assert_eq!(read(ATTACHMENT_BYTES_MAX + 1), Err(DecodeError::TooLong));
    assert_eq!(read(u64::MAX), Err(DecodeError::TooLong));
}

#[test]
fn descriptions_that_no_sealer_makes_are_refused() {
    let good = fields(&sealed(&file(200_000, 1), 2).0);
    let runs = |firsts: &[u32]| {
        let run = |first: &u32| spec::Run { first: *first, salt: [7; 16].into() };
        Some(firsts.iter().map(run).collect::<Vec<_>>())
    };
    let read =
        |fields: spec::Description| AttachmentDescription::from_bytes(&fields.to_bytes()).map(drop);

    assert_eq!(read(good.clone()), Ok(()));
    assert_eq!(read(spec::Description { runs: runs(&[0, 1, 3]), ..good.clone() }), Ok(()));
    for firsts in [&[1, 1][..], &[2, 1], &[4], &[u32::MAX]] {
        let fields = spec::Description { runs: runs(firsts), ..good.clone() };
        assert_eq!(read(fields), Err(DecodeError::Malformed), "{firsts:?}");
    }
    let many: Vec<u32> = (0..257).collect();
    let too_many = spec::Description { runs: runs(&many), size: 1 << 30, ..good.clone() };
    assert_eq!(read(too_many), Err(DecodeError::TooLong));
    let another_version = spec::Description { version: 2, ..good };
    assert_eq!(read(another_version), Err(DecodeError::UnknownKind));
}

#[test]
fn a_forwarded_description_opens_the_blob_that_is_already_there() {
    let file = file(100_000, 1);
    let (ours, blob) = sealed(&file, 2);

    let forwarded = AttachmentDescription::from_bytes(&ours.to_bytes()).unwrap();
    let again = AttachmentDescription::from_bytes(&forwarded.to_bytes()).unwrap();

    assert_eq!(*again.to_bytes(), *ours.to_bytes());
    assert_eq!(again.digest(), ours.digest());
    assert_eq!(opened(&again, &blob), Ok(file));
}

#[test]
fn a_description_can_be_a_field_of_other_content() {
    let (ours, blob) = sealed(b"hello", 2);

    let bytes = minicbor::to_vec(("voice.ogg", &ours)).unwrap();
    let (name, theirs): (&str, AttachmentDescription) = minicbor::decode(&bytes).unwrap();

    assert_eq!(name, "voice.ogg");
    assert_eq!(opened(&theirs, &blob), Ok(b"hello".to_vec()));
}

#[test]
fn one_file_sealed_twice_shows_nothing_in_common() {
    let file = file(100_000, 1);

    let (first, first_blob) = sealed(&file, 2);
    let (second, second_blob) = sealed(&file, 3);

    assert_ne!(first.digest(), second.digest());
    let chunks = |blob: &[u8]| blob.chunks(16).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (first, second) = (chunks(&first_blob), chunks(&second_blob));
    assert!(first.iter().zip(&second).all(|(first, second)| first != second));
}

#[test]
fn a_relay_sees_a_rounded_length_only() {
    let lengths = |from: usize, to: usize| {
        let mut lengths: Vec<u64> = (from..=to)
            .step_by(251)
            .map(|size| AttachmentSealer::new(size as u64, &mut rng(1)).unwrap().blob_length())
            .collect();
        lengths.dedup();
        lengths.len()
    };

    assert_eq!(lengths(0, 4096), 1);
    assert_eq!(lengths(65_537, 67_584), 1);
    assert_eq!(lengths(1_000_000, 1_015_808), 1);
    assert!(lengths(4097, 1_000_000) <= 192);
}

#[test]
fn nothing_secret_prints() {
    let (ours, blob) = sealed(b"hello", 2);
    let reader = AttachmentReader::new(&ours, blob[..32].try_into().unwrap()).unwrap();
    let part = reader.part(0..5).unwrap();

    assert_eq!(format!("{ours:?}"), "AttachmentDescription(5 bytes, ..)");
    assert_eq!(format!("{part:?}"), "AttachmentPart(..)");
    assert_eq!(format!("{:?}", AttachmentOpener::new(&ours)), "AttachmentOpener(..)");
    let sealer = AttachmentSealer::new(5, &mut rng(1)).unwrap();
    assert_eq!(format!("{sealer:?}"), "AttachmentSealer(..)");
    let described = description(&fields(&ours));
    assert_eq!(format!("{described:?}"), format!("{ours:?}"));
}
