//! Backups: what comes back, what is refused, and what a relay can try.
#![allow(clippy::cast_possible_truncation, reason = "the backups here are short")]

pub(crate) mod spec;

use chat_core::codec::{DecodeError, Digest};
use chat_core::envelope::{Expiry, ExpiryMode};
use chat_core::limits::{BACKUP_RECORD_BYTES_MAX, BACKUP_SEGMENT_BYTES_MAX};
use chat_crypto::backup::{BackupError, BackupHead, BackupReader, RecordError, Records, Segment};
use chat_crypto::keyring::Keyring;
use chat_crypto::snapshot::SnapshotError;
use rand_core::Rng as _;

use crate::people::{Person, rng};

#[test]
fn history_comes_back_newest_first() {
    let device = Device::with_segments(5);

    let restored = restore(&device.head, &device.segments, &device.keyring);

    let numbers: Vec<u64> = restored.iter().map(Segment::number).collect();
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
    assert_eq!(texts(&restored[0]), ["5a", "5b"]);
    assert_eq!(texts(&restored[4]), ["1a", "1b"]);
}

#[test]
fn a_new_device_restores_with_nothing_but_the_keyring() {
    let mut device = Device::with_segments(3);
    let sealed = device.head.seal(&device.keyring, &mut rng(5));
    let keyring = Keyring::from_snapshot(&device.keyring.to_snapshot()).unwrap();

    let head = BackupHead::open(&sealed, &keyring, None).unwrap();

    assert_eq!(head, device.head);
    assert_eq!(restore(&head, &device.segments, &keyring).len(), 3);
    // And appends to it.
    device.head = head;
    device.append("new device");
    assert_eq!(restore(&device.head, &device.segments, &keyring).len(), 4);
}

#[test]
fn restoring_goes_on_from_any_point() {
    let device = Device::with_segments(6);
    for stop in 0..=6 {
        let mut reader = device.head.reader();
        for _ in 0..stop {
            device.read_next(&mut reader).unwrap();
        }

        let mut reader = BackupReader::from_snapshot(&reader.to_snapshot()).unwrap();

        let mut left = 0;
        while reader.wanted().is_some() {
            device.read_next(&mut reader).unwrap();
            left += 1;
        }
        assert_eq!(stop + left, 6);
    }
}

#[test]
fn any_segment_opens_alone() {
    let device = Device::with_segments(4);

    for number in [3, 1, 4, 2] {
        let sealed = &device.segments[number as usize - 1];
        let segment = device.head.open_segment(number, sealed, &device.keyring).unwrap();

        assert_eq!(segment.number(), number);
        assert_eq!(texts(&segment), [format!("{number}a"), format!("{number}b")]);
        assert_eq!(segment.digest(), spec::digest(sealed));
    }
}

#[test]
fn a_device_reads_only_what_is_new_and_checks_that_it_continues() {
    let mut device = Device::with_segments(3);
    let seen = device.head;
    device.append("4a");
    device.append("5a");

    let mut reader = device.head.reader_since(&seen);
    assert_eq!(texts(&device.read_next(&mut reader).unwrap()), ["5a"]);
    assert_eq!(texts(&device.read_next(&mut reader).unwrap()), ["4a"]);

    assert_eq!(reader.wanted(), None);
    assert_eq!(device.head.reader_since(&device.head).wanted(), None);
}

#[test]
fn a_backup_without_segments_is_one() {
    let device = Device::new(1);
    let sealed = device.head.seal(&device.keyring, &mut rng(5));

    let head = BackupHead::open(&sealed, &device.keyring, None).unwrap();

    assert!(head.segments().is_empty());
    assert_eq!(head.reader().wanted(), None);
    let nothing = head.reader().open(b"", &device.keyring).map(drop);
    assert_eq!(nothing, Err(BackupError::NotAuthentic));
}

#[test]
fn a_second_implementation_seals_and_opens_the_same() {
    let device = Device::with_segments(2);
    let account = device.keyring.account();
    let key = device.key();
    let sealed = device.head.seal(&device.keyring, &mut rng(5));

    let head = key.open_head(account, &sealed);
    let place = spec::place(account, *head.backup, 2);
    let content = key.open_segment(&place, &device.segments[1]);

    assert_eq!((head.revision, head.first, head.last), (3, 1, 2));
    assert_eq!(*head.newest, *spec::digest(&device.segments[1]).as_bytes());
    assert_eq!(*content.previous, *spec::digest(&device.segments[0]).as_bytes());
    assert_eq!(content.records, [b"2a".to_vec().into(), b"2b".to_vec().into()]);
    let salt = |sealed: &[u8]| *minicbor::decode::<spec::Sealed>(sealed).unwrap().salt;
    assert_eq!(key.seal_head(account, &head, salt(&sealed)), sealed);
    let again = key.seal_segment(&place, &content, salt(&device.segments[1]));
    assert_eq!(again, device.segments[1]);
}

#[test]
fn a_rolled_back_head_is_refused_by_a_device_that_saw_a_newer_one() {
    let mut device = Device::with_segments(2);
    let old = device.head.seal(&device.keyring, &mut rng(5));
    device.append("more");
    let open = |remembered| BackupHead::open(&old, &device.keyring, remembered);

    assert_eq!(open(Some(&device.head)), Err(BackupError::RolledBack));
    // Who has seen nothing cannot know: the page says so.
    assert!(open(None).is_ok());
}

#[test]
fn an_old_head_is_refused_also_after_the_device_was_restarted() {
    let mut device = Device::with_segments(2);
    let old = device.head.seal(&device.keyring, &mut rng(5));
    device.append("more");

    let remembered = BackupHead::from_snapshot(&device.head.to_snapshot()).unwrap();

    assert_eq!(remembered, device.head);
    let opened = BackupHead::open(&old, &device.keyring, Some(&remembered));
    assert_eq!(opened, Err(BackupError::RolledBack));
}

#[test]
fn two_heads_of_one_revision_are_a_fork() {
    let mut device = Device::with_segments(2);
    let mut other = device.clone();
    device.append("here");
    other.append("there");

    let sealed = other.head.seal(&other.keyring, &mut rng(5));

    let opened = BackupHead::open(&sealed, &device.keyring, Some(&device.head));
    assert_eq!(opened, Err(BackupError::Forked));
}

#[test]
fn a_backup_that_became_shorter_or_lost_its_end_is_a_fork() {
    let mut device = Device::with_segments(3);
    let mut shorter = Device::with_segments(2);
    for _ in 0..2 {
        shorter.head = shorter.head.trim(1);
    }
    assert!(shorter.head.revision() > device.head.revision());
    let sealed = shorter.head.seal(&shorter.keyring, &mut rng(5));

    let opened = BackupHead::open(&sealed, &device.keyring, Some(&device.head));
    assert_eq!(opened, Err(BackupError::Forked));
    let trimmed = device.head.trim(3);
    device.append("4a");
    let sealed = device.head.trim(1).seal(&device.keyring, &mut rng(5));
    let opened = BackupHead::open(&sealed, &device.keyring, Some(&trimmed));
    assert_eq!(opened, Err(BackupError::Forked), "what was given up does not come back");
}

#[test]
fn a_longer_backup_that_does_not_continue_what_was_seen_is_a_fork() {
    let mut device = Device::with_segments(3);
    let mut other = Device::with_segments(2);
    other.append("another third");
    other.append("a fourth");
    assert_eq!(other.head.backup(), device.head.backup());

    // The head alone shows nothing; the first new segment does.
    let sealed = other.head.seal(&other.keyring, &mut rng(5));
    let head = BackupHead::open(&sealed, &device.keyring, Some(&device.head)).unwrap();
    let mut reader = head.reader_since(&device.head);
    let opened = reader.open(&other.segments[3], &device.keyring).map(drop);

    assert_eq!(opened, Err(BackupError::Forked));
    device.append("4a");
    let mut reader = device.head.reader_since(&Device::with_segments(3).head);
    assert!(device.read_next(&mut reader).is_ok());
}

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
fn a_segment_that_lost_the_race_is_not_the_one_the_head_names() {
    let device = Device::with_segments(2);
    let (mut winner, mut loser) = (device.clone(), device);
    winner.append("from the phone");
    loser.append("from the laptop");

    let opened = winner.head.reader().open(&loser.segments[2], &winner.keyring).map(drop);

    assert_eq!(opened, Err(BackupError::NotAuthentic));
    // Alone it opens: it was sealed for this place. The page says what that is worth.
    let alone = winner.head.open_segment(3, &loser.segments[2], &winner.keyring).unwrap();
    assert_ne!(alone.digest(), spec::digest(&winner.segments[2]));
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
fn after_the_key_was_replaced_old_segments_open_and_new_ones_do_not_open_with_the_old_key() {
    let mut device = Device::with_segments(2);
    let removed = device.clone();
    device.keyring.rotate_backup_key(&mut rng(7)).unwrap();
    device.append("3a");

    assert_eq!(restore(&device.head, &device.segments, &device.keyring).len(), 3);
    let opened = BackupHead::open(&device.sealed_head(), &removed.keyring, None);
    assert_eq!(opened, Err(BackupError::UnknownKey));
    let opened = device.head.reader().open(&device.segments[2], &removed.keyring).map(drop);
    assert_eq!(opened, Err(BackupError::UnknownKey));
}

#[test]
fn a_head_under_a_replaced_key_is_refused_unless_it_is_the_one_remembered() {
    let mut device = Device::with_segments(2);
    let mut removed = device.clone();
    let before = device.sealed_head();
    device.keyring.rotate_backup_key(&mut rng(7)).unwrap();
    removed.append("a lie");
    let forged = removed.sealed_head();
    let open = |sealed: &[u8], remembered| BackupHead::open(sealed, &device.keyring, remembered);

    assert_eq!(open(&forged, None), Err(BackupError::Superseded));
    assert_eq!(open(&forged, Some(&device.head)), Err(BackupError::Superseded));
    assert_eq!(open(&before, None), Err(BackupError::Superseded));
    assert_eq!(open(&before, Some(&device.head)), Ok(device.head));
    let anew = device.head.seal(&device.keyring, &mut rng(8));
    assert_eq!(open(&anew, None), Ok(device.head));
}

#[test]
fn messages_with_a_timer_are_not_backed_up() {
    let mut records = Records::new();
    let timer = |mode| Some(Expiry { mode, after_ms: 1000 });

    assert_eq!(records.push(b"gone", timer(ExpiryMode::AfterSent)), Err(RecordError::Vanishing));
    assert_eq!(records.push(b"gone", timer(ExpiryMode::AfterSeen)), Err(RecordError::Vanishing));
    assert_eq!(records.count(), 0);
    assert_eq!(records.push(b"stays", None), Ok(()));
}

#[test]
fn records_have_a_limit_and_a_full_segment_is_sealed() {
    let mut device = Device::new(1);
    let mut records = Records::new();
    let longest = vec![7; BACKUP_RECORD_BYTES_MAX];

    assert_eq!(records.push(&[0; BACKUP_RECORD_BYTES_MAX + 1], None), Err(RecordError::TooLong));
    records.push(&longest, None).unwrap();
    assert_eq!(records.push(&longest, None), Err(RecordError::Full));
    while records.push(b"small", None).is_ok() {}
    let count = records.count();
    device.append_records(&records);

    let segment = device.head.reader().open(&device.segments[0], &device.keyring).unwrap();
    assert_eq!(segment.records().len(), count);
    assert_eq!(segment.records().next(), Some(&longest[..]));
    assert_eq!(segment.records().next_back(), Some(&b"small"[..]));
    assert!(device.segments[0].len() <= BACKUP_SEGMENT_BYTES_MAX + 128);
}

#[test]
fn a_segment_of_the_longest_content_is_sealed_and_opened() {
    let mut device = Device::new(1);
    let mut records = Records::new();
    let beside = BACKUP_SEGMENT_BYTES_MAX - 48;

    records.push(&vec![7; BACKUP_RECORD_BYTES_MAX], None).unwrap();
    records.push(&vec![8; beside - BACKUP_RECORD_BYTES_MAX - 10], None).unwrap();
    assert_eq!(records.push(b"", None), Err(RecordError::Full));
    device.append_records(&records);

    assert_eq!(restore(&device.head, &device.segments, &device.keyring).len(), 1);
}

#[test]
fn a_relay_sees_rounded_lengths_of_segments() {
    let length = |text: usize| {
        let mut device = Device::new(1);
        device.append(&"x".repeat(text));
        device.segments[0].len()
    };

    assert_eq!(length(1), length(200));
    assert_eq!(length(5000), length(5060));
    assert_ne!(length(200), length(300));
    assert_eq!(Device::with_segments(1).sealed_head().len(), Device::of(1, 9).sealed_head().len());
}

#[test]
fn history_that_is_too_old_can_be_given_up() {
    let mut device = Device::with_segments(4);
    device.head = device.head.trim(3);

    let sealed = device.sealed_head();
    let head = BackupHead::open(&sealed, &device.keyring, None).unwrap();

    assert_eq!(head.segments(), 3..=4);
    let restored = restore(&head, &device.segments, &device.keyring);
    assert_eq!(restored.iter().map(Segment::number).collect::<Vec<_>>(), [4, 3]);
    let gone = head.open_segment(2, &device.segments[1], &device.keyring).map(drop);
    assert_eq!(gone, Err(BackupError::NotAuthentic));
    assert!(head.trim(u64::MAX).segments().is_empty());
    assert_eq!(head.trim(0).segments(), 3..=4);
}

#[test]
fn a_backup_made_anew_keeps_what_was_copied_and_follows_the_old_one() {
    let old = Device::with_segments(3);
    let mut new = old.clone();
    new.head = old.head.anew(&mut rng(6));
    new.segments.clear();
    for segment in restore(&old.head, &old.segments, &old.keyring).iter().rev() {
        let mut records = Records::new();
        segment.records().skip(1).for_each(|record| records.push(record, None).unwrap());
        new.append_records(&records);
    }

    let head = BackupHead::open(&new.sealed_head(), &new.keyring, Some(&old.head)).unwrap();

    let restored = restore(&head, &new.segments, &new.keyring);
    assert_eq!(restored.iter().flat_map(texts).collect::<Vec<_>>(), ["3b", "2b", "1b"]);
    let back = BackupHead::open(&old.sealed_head(), &old.keyring, Some(&head));
    assert_eq!(back, Err(BackupError::RolledBack));
    assert_eq!(head.reader_since(&old.head).wanted(), Some(3));
}

#[test]
fn devices_that_append_the_same_records_seal_different_bytes() {
    let device = Device::with_segments(2);
    let mut records = Records::new();
    records.push(b"the same", None).unwrap();
    let mut random = rng(8);

    let (first, _) = device.head.append(&device.keyring, &records, &mut random);
    let (second, _) = device.head.append(&device.keyring, &records, &mut random);

    let parts = |sealed: &[u8]| minicbor::decode::<spec::Sealed>(sealed).unwrap();
    assert_ne!(parts(&first).commitment, parts(&second).commitment);
    assert_ne!(parts(&first).ciphertext, parts(&second).ciphertext);
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

/// Several devices, any order: everybody ends with one history, or with a typed error.
#[test]
fn devices_that_take_turns_in_any_order_agree_on_one_history() {
    for seed in 0..20 {
        let mut random = rng(seed);
        let first = Device::new(1);
        let mut relay = (first.sealed_head(), Vec::<Vec<u8>>::new());
        let mut devices = [first.clone(), first.clone(), first];
        let mut expected = Vec::new();

        for step in 0..40 {
            let device = &mut devices[random.next_u32() as usize % 3];
            if random.next_u32().is_multiple_of(4) {
                device.head = BackupHead::from_snapshot(&device.head.to_snapshot()).unwrap();
            }
            // Catch up, as before every append; the link to what was seen is checked.
            let head = BackupHead::open(&relay.0, &device.keyring, Some(&device.head)).unwrap();
            let mut reader = head.reader_since(&device.head);
            while let Some(number) = reader.wanted() {
                reader.open(&relay.1[number as usize - 1], &device.keyring).unwrap();
            }
            device.head = head;
            device.segments.clone_from(&relay.1);
            let text = format!("step {step}");
            device.append(&text);
            if random.next_u32().is_multiple_of(3) {
                // Died before the head arrived: the segment stays, and is taken the place of.
                device.head = head;
                continue;
            }
            relay = (device.sealed_head(), device.segments.clone());
            expected.push(text);
        }

        let device = &devices[0];
        let head = BackupHead::open(&relay.0, &device.keyring, None).unwrap();
        let mut restored: Vec<String> =
            restore(&head, &relay.1, &device.keyring).iter().flat_map(texts).collect();
        restored.reverse();
        assert_eq!(restored, expected, "seed {seed}");
    }
}

#[test]
fn nothing_secret_prints() {
    let device = Device::with_segments(1);
    let segment = device.head.reader().open(&device.segments[0], &device.keyring).unwrap();

    assert_eq!(format!("{segment:?}"), "Segment(1, 2 records)");
    assert_eq!(format!("{:?}", Records::default()), "Records(0 of them)");
    assert_eq!(segment.previous(), Digest::ZERO);
}

/// A device, and what it has sent to the relay.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) keyring: Keyring,
    pub(crate) head: BackupHead,
    pub(crate) segments: Vec<Vec<u8>>,
    /// Seeds the next segment.
    sealed: u64,
}

impl Device {
    fn new(seed: u64) -> Self {
        let keyring = Person::new(seed).keyring;
        Self { keyring, head: BackupHead::begin(&mut rng(2)), segments: Vec::new(), sealed: 100 }
    }

    /// The same account every time, with this many segments of two records.
    pub(crate) fn with_segments(count: u64) -> Self {
        Self::of(1, count)
    }

    fn of(seed: u64, count: u64) -> Self {
        let mut device = Self::new(seed);
        for number in 1..=count {
            let mut records = Records::new();
            records.push(format!("{number}a").as_bytes(), None).unwrap();
            records.push(format!("{number}b").as_bytes(), None).unwrap();
            device.append_records(&records);
        }
        device
    }

    fn append(&mut self, text: &str) {
        let mut records = Records::new();
        records.push(text.as_bytes(), None).unwrap();
        self.append_records(&records);
    }

    fn append_records(&mut self, records: &Records) {
        self.sealed += 1;
        let (segment, head) = self.head.append(&self.keyring, records, &mut rng(self.sealed));
        self.segments.truncate(*self.head.segments().end() as usize);
        self.segments.push(segment);
        self.head = head;
    }

    pub(crate) fn sealed_head(&self) -> Vec<u8> {
        self.head.seal(&self.keyring, &mut rng(50))
    }

    /// The backup key in force, for the second implementation.
    pub(crate) fn key(&self) -> spec::Key {
        let number = u32::try_from(self.keyring.backup_key_number()).unwrap();
        spec::Key(number, *self.keyring.backup_key().as_bytes())
    }

    fn read_next(&self, reader: &mut BackupReader) -> Result<Segment, BackupError> {
        let number = reader.wanted().unwrap();
        reader.open(&self.segments[number as usize - 1], &self.keyring)
    }
}

fn restore(head: &BackupHead, segments: &[Vec<u8>], keyring: &Keyring) -> Vec<Segment> {
    let mut reader = head.reader();
    let mut restored = Vec::new();
    while let Some(number) = reader.wanted() {
        restored.push(reader.open(&segments[number as usize - 1], keyring).unwrap());
    }
    restored
}

fn texts(segment: &Segment) -> Vec<String> {
    segment.records().map(|record| String::from_utf8(record.to_vec()).unwrap()).collect()
}
