//! Backups: a relay that serves what it likes restores a head's own records, or nothing.
//!
//! ```text
//!  head ‖ seen ‖ (segment ‖ place: 2 bytes ‖ mask)*
//!
//!  head     of five: two of one backup, a fork of the second, one trimmed, one of another backup
//!  seen     the head that the device remembers; none beyond the five
//!  segment  of four, served for the one that is wanted, after byte[place] ^= mask
//! ```
//!
//! The same bytes are tried as a sealed head and as a sealed segment too.

use std::sync::LazyLock;

use chat_crypto::backup::{BackupError, BackupHead, BackupReader, Records};
use zeroize::Zeroizing;

use crate::people::{BOB, rng};

/// What is served beyond this says nothing that less does not.
const SERVED_MAX: usize = 16;

/// Which segments a head stands for, oldest first.
struct State {
    head: BackupHead,
    sealed: Vec<u8>,
    first: usize,
    segments: &'static [usize],
}

struct Relay {
    states: [State; 5],
    segments: [Vec<u8>; 4],
}

static RELAY: LazyLock<Relay> = LazyLock::new(relay);

/// Restores from what the bytes say.
///
/// # Panics
///
/// When something is restored that is not the head's.
pub fn backups(bytes: &[u8]) {
    anything(bytes);
    let [head, seen, served @ ..] = bytes else { return };
    let state = &RELAY.states[usize::from(*head) % RELAY.states.len()];
    let seen = RELAY.states.get(usize::from(*seen)).map(|seen| &seen.head);
    let opened = BackupHead::open(&state.sealed, &BOB.keyring, seen);
    match (opened, seen) {
        (Ok(opened), _) => assert_eq!(opened, state.head, "nobody sealed this"),
        (Err(error), Some(seen)) => {
            let is_older = state.head.revision() < seen.revision();
            assert_eq!(error == BackupError::RolledBack, is_older);
            return;
        }
        (Err(error), None) => panic!("a good head was refused: {error}"),
    }
    let reader = seen.map_or_else(|| state.head.reader(), |seen| state.head.reader_since(seen));
    restore(state, reader, served);
}

/// Serves segments until the bytes end; each that opens must be the one that was wanted.
fn restore(state: &State, mut reader: BackupReader, served: &[u8]) {
    let (served, _) = served.as_chunks::<4>();
    for [which, high, low, mask] in served.iter().take(SERVED_MAX) {
        let which = usize::from(*which) % RELAY.segments.len();
        let mut segment = RELAY.segments[which].clone();
        let length = segment.len();
        segment[usize::from(u16::from_be_bytes([*high, *low])) % length] ^= mask;

        let (before, wanted) = (reader.clone(), reader.wanted());
        let due = wanted.map(|number| state.segments[place(number, state.first)]);
        let is_due = due == Some(which) && *mask == 0;
        match reader.open(&segment, &BOB.keyring) {
            Ok(opened) => {
                assert!(is_due, "this segment is not the head's");
                assert_eq!(Some(opened.number()), wanted);
                assert!(opened.records().eq(records(which)), "the records are others");
            }
            Err(error) => {
                assert!(!is_due || error == BackupError::Forked, "a good segment was refused");
                assert_eq!(reader, before, "a refused segment left a trace");
            }
        }
        reader = BackupReader::from_snapshot(&reader.to_snapshot()).expect("we wrote it");
    }
}

/// Takes bytes as a head, and as a segment at every place.
fn anything(bytes: &[u8]) {
    if let Ok(head) = BackupHead::open(bytes, &BOB.keyring, None) {
        assert!(RELAY.states.iter().any(|state| state.head == head), "nobody sealed this");
    }
    for state in &RELAY.states {
        for number in state.head.segments() {
            let Ok(segment) = state.head.open_segment(number, bytes, &BOB.keyring) else {
                continue;
            };
            let sealed =
                (0..RELAY.segments.len()).any(|which| segment.records().eq(records(which)));
            assert!(sealed, "nobody sealed this");
        }
    }
}

fn place(number: u64, first: usize) -> usize {
    usize::try_from(number).expect("there are few") - first
}

/// What was put into a segment.
fn records(which: usize) -> impl Iterator<Item = &'static [u8]> {
    const RECORDS: [&[&[u8]]; 4] = [&[b"one", b"two"], &[b"three"], &[], &[b"another"]];
    RECORDS[which].iter().copied()
}

fn relay() -> Relay {
    let (keyring, rng) = (&BOB.keyring, &mut rng(30));
    let filled = |which| {
        let mut kept = Records::new();
        records(which).for_each(|record| kept.push(record, None).expect("it is short"));
        kept
    };
    let (first, one) = BackupHead::begin(rng).append(keyring, &filled(0), rng);
    let (second, two) = one.append(keyring, &filled(1), rng);
    let (fork, forked) = one.append(keyring, &filled(2), rng);
    let (other, anew) = two.anew(rng).append(keyring, &filled(3), rng);
    let heads = [one, two, forked, two.trim(2), anew];
    let seals = heads.map(|head| head.seal(keyring, rng));
    let known: [&[usize]; 5] = [&[0], &[0, 1], &[0, 2], &[1], &[3]];
    let mut parts = heads.into_iter().zip(seals).zip(known);
    let states = std::array::from_fn(|_| {
        let ((head, sealed), segments) = parts.next().expect("there are five");
        State { head, sealed, first: place(*head.segments().start(), 0), segments }
    });
    Relay { states, segments: [first, second, fork, other] }
}

/// What a device that restores keeps.
pub(crate) fn snapshots() -> Vec<Zeroizing<Vec<u8>>> {
    let [one, two, ..] = &RELAY.states;
    let reader = two.head.reader_since(&one.head);
    vec![one.head.to_snapshot(), two.head.reader().to_snapshot(), reader.to_snapshot()]
}

/// Heads, segments, and restorings: good ones, forked ones, and one with a changed byte.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let heads = RELAY.states.iter().map(|state| state.sealed.clone());
    let restorings: [&[u8]; 6] = [
        &[1, 255, 1, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 1, 0, 0, 0],
        &[2, 255, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
        &[3, 1, 1, 0, 0, 0],
        &[4, 1, 3, 0, 200, 1, 3, 0, 0, 0],
        &[0, 1, 0, 0, 0, 0],
    ];
    let segments = RELAY.segments.iter().cloned();
    heads.chain(segments).chain(restorings.map(<[u8]>::to_vec)).collect()
}
