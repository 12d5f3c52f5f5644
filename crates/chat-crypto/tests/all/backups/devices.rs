//! What devices remember of their backup, and what several of them do to it.

use chat_crypto::backup::{BackupError, BackupHead, Records};
use rand_core::Rng as _;

use super::{Device, restore, spec, texts};
use crate::people::rng;

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
