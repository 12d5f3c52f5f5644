//! Heads and segments that were tampered with, by a relay or by somebody who has the key.

use chat_core::codec::DecodeError;
use chat_crypto::backup::{BackupError, BackupHead, BackupReader, Records};
use chat_crypto::snapshot::SnapshotError;

use super::{Device, spec};
use crate::people::rng;

#[test]
fn segments_swapped_repeated_or_left_out_are_not_authentic() {
    let device = Device::with_segments(4);

    for wanted in (1..=4).rev() {
        for given in (1..=4).filter(|given| *given != wanted) {
            let mut reader = device.head.reader();
            (wanted..4).for_each(|_| drop(device.read_next(&mut reader).unwrap()));
            let before = reader.clone();

            let opened = reader.open(&device.segments[given - 1], &device.keyring).map(drop);

            assert_eq!(opened, Err(BackupError::NotAuthentic), "{given} for {wanted}");
            assert_eq!(reader, before, "a failure moves nothing");
        }
    }
}

#[test]
fn a_truncated_chain_never_ends_well() {
    let device = Device::with_segments(4);
    let mut reader = device.head.reader();

    device.read_next(&mut reader).unwrap();
    device.read_next(&mut reader).unwrap();

    // Two are missing, and the reader says so for as long as they are.
    assert_eq!(reader.wanted(), Some(2));
    let cut = &device.segments[1][..device.segments[1].len() - 1];
    assert!(matches!(reader.open(cut, &device.keyring), Err(BackupError::Unreadable(_))));
    assert_eq!(reader.wanted(), Some(2));
}

#[test]
fn segments_and_heads_of_another_account_are_not_authentic() {
    let (device, other) = (Device::with_segments(2), Device::of(9, 2));
    let head = other.head.seal(&other.keyring, &mut rng(5));

    let opened = BackupHead::open(&head, &device.keyring, None);
    let segment = device.head.reader().open(&other.segments[1], &device.keyring).map(drop);

    assert_eq!(opened, Err(BackupError::NotAuthentic));
    assert_eq!(segment, Err(BackupError::NotAuthentic));
    // Even if both had the same key.
    let account = other.keyring.account();
    let content = device.key().open_head(device.keyring.account(), &device.sealed_head());
    let moved = device.key().seal_head(account, &content, [1; 32]);
    let opened = BackupHead::open(&moved, &device.keyring, None);
    assert_eq!(opened, Err(BackupError::NotAuthentic));
}

#[test]
fn a_segment_of_another_backup_of_the_account_is_not_authentic() {
    let old = Device::with_segments(2);
    let mut new = old.clone();
    new.head = old.head.anew(&mut rng(6));
    new.segments.clear();
    new.append("1a");
    new.append("2a");

    let opened = new.head.open_segment(2, &old.segments[1], &new.keyring).map(drop);

    assert_eq!(opened, Err(BackupError::NotAuthentic));
}

#[test]
fn a_head_is_no_segment_and_a_segment_no_head() {
    let device = Device::with_segments(1);

    let as_segment = device.head.open_segment(1, &device.sealed_head(), &device.keyring).map(drop);
    let as_head = BackupHead::open(&device.segments[0], &device.keyring, None);

    assert_eq!(as_segment, Err(BackupError::NotAuthentic));
    assert_eq!(as_head, Err(BackupError::NotAuthentic));
}

#[test]
fn no_byte_of_a_head_or_a_segment_can_be_changed() {
    let device = Device::with_segments(1);
    let (head, segment) = (device.sealed_head(), &device.segments[0]);

    for place in 0..head.len() {
        let mut changed = head.clone();
        changed[place] ^= 1 << (place % 8);
        assert!(BackupHead::open(&changed, &device.keyring, None).is_err(), "byte {place}");
    }
    for place in 0..segment.len() {
        let mut changed = segment.clone();
        changed[place] ^= 1 << (place % 8);
        assert!(device.head.reader().open(&changed, &device.keyring).is_err(), "byte {place}");
    }
}

#[test]
fn heads_that_no_device_makes_are_not_authentic() {
    let device = Device::with_segments(2);
    let account = device.keyring.account();
    let right = device.key().open_head(account, &device.sealed_head());
    let open = |head: &spec::Head| {
        let sealed = device.key().seal_head(account, head, [1; 32]);
        BackupHead::open(&sealed, &device.keyring, None).map(drop)
    };

    assert_eq!(open(&right), Ok(()));
    for wrong in [
        spec::Head { revision: 0, ..right.clone() },
        spec::Head { first: 0, ..right.clone() },
        spec::Head { first: 4, ..right.clone() },
        spec::Head { first: u64::MAX, ..right.clone() },
        spec::Head { last: 0, ..right.clone() },
        spec::Head { newest: [0; 32].into(), ..right.clone() },
    ] {
        assert_eq!(open(&wrong), Err(BackupError::NotAuthentic), "{wrong:?}");
    }
}

#[test]
fn huge_numbers_do_not_overflow() {
    let device = Device::with_segments(1);
    let account = device.keyring.account();
    let right = device.key().open_head(account, &device.sealed_head());
    let huge = spec::Head { revision: u64::MAX, last: u64::MAX, ..right };
    let sealed = device.key().seal_head(account, &huge, [1; 32]);

    let head = BackupHead::open(&sealed, &device.keyring, None).unwrap();

    let (_, next) = head.append(&device.keyring, &Records::new(), &mut rng(1));
    assert_eq!(next.revision(), u64::MAX);
    assert_eq!(head.trim(u64::MAX).segments(), u64::MAX..=u64::MAX);
    assert_eq!(head.reader().wanted(), Some(u64::MAX));
    assert_eq!(head.reader_since(&head).wanted(), Some(u64::MAX));
}

#[test]
fn contents_with_wrong_padding_or_a_wrong_beginning_are_not_authentic() {
    let device = Device::with_segments(2);
    let place = spec::place(device.keyring.account(), device.head.backup(), 2);
    let content = device.key().open_segment(&place, &device.segments[1]);
    let open = |sealed: &[u8]| device.head.open_segment(2, sealed, &device.keyring).map(drop);
    let label = b"sealwire/1/kdf/backup-segment";
    let padded = spec::pad(&minicbor::to_vec(&content).unwrap());
    let longer = [&padded[..], &[0; 256]].concat();
    let no_chain = spec::Content { previous: [0; 32].into(), ..content };

    assert_eq!(open(&device.key().seal_padded(label, &place, &padded, [1; 32])), Ok(()));
    let wrong = [
        device.key().seal_padded(label, &place, &longer, [1; 32]),
        device.key().seal_padded(label, &place, &[0; 256], [1; 32]),
        device.key().seal_padded(label, &place, &spec::pad(b"no content"), [1; 32]),
        device.key().seal_segment(&place, &no_chain, [1; 32]),
    ];
    for wrong in wrong {
        assert_eq!(open(&wrong), Err(BackupError::NotAuthentic));
    }
}

#[test]
fn another_version_or_an_unknown_key_is_told_apart() {
    let device = Device::with_segments(1);
    let parts: spec::Sealed = minicbor::decode(&device.sealed_head()).unwrap();
    let open = |parts: spec::Sealed| {
        BackupHead::open(&minicbor::to_vec(parts).unwrap(), &device.keyring, None).map(drop)
    };

    let newer = spec::Sealed { version: 2, ..parts.clone() };
    assert_eq!(open(newer), Err(BackupError::Unreadable(DecodeError::UnknownKind)));
    for key in [0, 2, u32::MAX] {
        let other = spec::Sealed { key, ..parts.clone() };
        assert_eq!(open(other), Err(BackupError::UnknownKey));
    }
    let nothing = BackupHead::open(b"", &device.keyring, None).map(drop);
    assert_eq!(nothing, Err(BackupError::Unreadable(DecodeError::Malformed)));
}

#[test]
fn snapshots_that_nothing_wrote_are_refused() {
    let head = Device::with_segments(1).head;
    let impossible = minicbor::to_vec((
        1u8,
        spec::Head {
            revision: 1,
            backup: [1; 16].into(),
            first: 0,
            last: 0,
            newest: [0; 32].into(),
        },
    ));

    let read = |bytes: &[u8]| BackupHead::from_snapshot(bytes).map(drop);
    assert_eq!(read(&impossible.unwrap()), Err(SnapshotError::Malformed));
    assert_eq!(read(&head.reader().to_snapshot()), Err(SnapshotError::Malformed));
    let reader = BackupReader::from_snapshot(&head.to_snapshot()).map(drop);
    assert_eq!(reader, Err(SnapshotError::Malformed));
}
