//! Backups: what goes in and what comes back.
#![allow(clippy::cast_possible_truncation, reason = "the backups here are short")]

mod devices;
mod forgeries;
pub(crate) mod spec;

use chat_core::codec::Digest;
use chat_core::envelope::{Expiry, ExpiryMode};
use chat_core::limits::{BACKUP_RECORD_BYTES_MAX, BACKUP_SEGMENT_BYTES_MAX};
use chat_crypto::backup::{BackupError, BackupHead, BackupReader, RecordError, Records, Segment};
use chat_crypto::keyring::Keyring;

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
fn nothing_secret_prints() {
    let device = Device::with_segments(1);
    let segment = device.head.reader().open(&device.segments[0], &device.keyring).unwrap();

    assert_eq!(format!("{segment:?}"), "Segment(1, 2 records)");
    assert_eq!(format!("{:?}", Records::default()), "Records(0 of them)");
    assert_eq!(segment.previous(), Digest::ZERO);
}

/// A device, and what it has sent to the relay.
pub(crate) struct Device {
    pub(crate) keyring: Keyring,
    pub(crate) head: BackupHead,
    pub(crate) segments: Vec<Vec<u8>>,
    /// Seeds the next segment.
    sealed: u64,
}

impl Clone for Device {
    fn clone(&self) -> Self {
        let keyring = Keyring::from_snapshot(&self.keyring.to_snapshot()).unwrap();
        Self { keyring, segments: self.segments.clone(), ..*self }
    }
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
