use super::people::{AD, NOW, Person, friends, strangers};
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const NOT_AUTHENTIC: Option<SessionError> = Some(SessionError::NotAuthentic);

#[test]
fn a_conversation_begins_and_goes_both_ways() {
    let (mut alice, mut bob) = strangers(1, 1);
    alice.start(&bob);

    let hello = alice.says(b"hello");
    assert_eq!(bob.hears(&alice, &hello), Ok(b"hello".to_vec()));
    let answer = bob.says(b"hello yourself");
    assert_eq!(alice.hears(&bob, &answer), Ok(b"hello yourself".to_vec()));

    assert!(alice.sessions.is_answered() && bob.sessions.is_answered());
    assert_eq!(alice.sessions.their_identity(), Some(bob.identity.key()));
}

#[test]
fn the_handshake_is_repeated_until_the_first_answer() {
    let (mut alice, mut bob) = strangers(2, 1);
    alice.start(&bob);
    let first: Vec<_> = (0..3).map(|_| alice.says(b"hello")).collect();

    assert!(first.iter().all(|message| message.len() == 1 + 1606 + 57 + 5 + 16));
    for message in first.iter().rev() {
        bob.hears(&alice, message).unwrap();
    }
    assert_eq!(bob.spent, [SpentPrekey { set: 1, one_time: Some(0) }]);
    let answer = bob.says(b"yes?");
    alice.hears(&bob, &answer).unwrap();

    assert_eq!(alice.says(b"hello").len(), 1 + 57 + 5 + 16);
}

#[test]
fn before_the_first_answer_there_is_a_session_and_no_answer() {
    let (mut alice, bob) = strangers(2, 1);

    assert!(!alice.sessions.has_active() && !alice.sessions.is_answered());
    alice.start(&bob);

    assert!(alice.sessions.has_active() && !alice.sessions.is_answered());
}

#[test]
fn a_message_takes_the_room_it_needs_and_the_longest_is_as_long_as_allowed() {
    let (mut carol, dave) = strangers(3, 1);
    carol.start(&dave);
    let first = carol.says(b"hello");
    assert_eq!((first.len(), first.capacity()), (1 + 1606 + 73 + 5, 1 + 1606 + 73 + 5));

    let (mut alice, mut bob) = friends(2);

    for length in [0, 32, PLAINTEXT_BYTES_MAX] {
        let message = alice.says(&vec![7; length]);

        // One that grew would have left what was in it behind.
        assert_eq!((message.len(), message.capacity()), (74 + length, 74 + length));
        assert_eq!(bob.hears(&alice, &message), Ok(vec![7; length]));
    }
}

#[test]
fn nothing_is_said_without_a_session() {
    let (mut alice, bob) = strangers(3, 1);

    let refused = alice.sessions.encrypt(b"hello", AD, NOW, &mut alice.rng).err();
    assert_eq!(refused, Some(SessionError::NoSession));
    alice.start(&bob);
    let long = vec![0; PLAINTEXT_BYTES_MAX + 1];
    let refused = alice.sessions.encrypt(&long, AD, NOW, &mut alice.rng).err();
    assert_eq!(refused, Some(SessionError::TooLong));
}

#[test]
fn any_changed_byte_of_a_first_message_is_not_authentic_and_moves_nothing() {
    let (mut alice, mut bob) = strangers(4, 1);
    alice.start(&bob);
    let message = alice.says(b"hello");
    let before = bob.sessions.to_snapshot();

    for place in (0..50).chain((50..1600).step_by(61)).chain(1600..message.len()) {
        let mut changed = message.clone();
        changed[place] ^= 0x20;
        assert_eq!(bob.tries(&alice, &changed, AD).err(), NOT_AUTHENTIC, "byte {place}");
    }
    for length in (0..message.len()).step_by(41) {
        assert_eq!(bob.tries(&alice, &message[..length], AD).err(), NOT_AUTHENTIC);
    }
    assert_eq!(bob.tries(&alice, &message, b"other").err(), NOT_AUTHENTIC);
    assert_eq!(bob.sessions.to_snapshot(), before);
    assert!(bob.hears(&alice, &message).is_ok());
}

#[test]
fn any_changed_byte_of_a_later_message_is_not_authentic() {
    let (mut alice, mut bob) = friends(5);
    let message = alice.says(b"hello");

    for place in 0..message.len() {
        let mut changed = message.clone();
        changed[place] ^= 0x20;
        assert_eq!(bob.tries(&alice, &changed, AD).err(), NOT_AUTHENTIC, "byte {place}");
    }
    assert!(bob.hears(&alice, &message).is_ok());
    assert_eq!(bob.tries(&alice, &message, AD).err(), NOT_AUTHENTIC, "a replay");
}

#[test]
fn a_one_time_prekey_begins_one_session_only() {
    let (mut alice, mut bob) = strangers(6, 1);
    let mut twin = Person::new(6, 1);
    twin.sessions = Sessions::new(bob.address);
    twin.rng = Person::new(99, 0).rng;
    alice.start(&bob);
    twin.start(&bob);
    let (first, second) = (alice.says(b"first"), twin.says(b"second"));

    assert!(bob.hears(&alice, &first).is_ok());

    assert_eq!(bob.prekeys.one_time_left(), 0);
    assert_eq!(bob.hears(&alice, &second).err(), NOT_AUTHENTIC);
}

#[test]
fn a_first_message_opens_again_while_nothing_was_committed() {
    let (mut alice, mut bob) = strangers(7, 1);
    alice.start(&bob);
    let message = alice.says(b"hello");

    let lost = bob.tries(&alice, &message, AD).unwrap();
    drop(lost);

    assert_eq!(bob.hears(&alice, &message), Ok(b"hello".to_vec()));
}

#[test]
fn a_last_resort_start_is_marked_and_not_replayed() {
    let (mut alice, mut bob) = strangers(8, 0);
    alice.start(&bob);
    let messages = [alice.says(b"one"), alice.says(b"two")];

    bob.hears(&alice, &messages[0]).unwrap();

    assert_eq!(bob.spent, [SpentPrekey { set: 1, one_time: None }]);
    assert_eq!(bob.hears(&alice, &messages[0]).err(), NOT_AUTHENTIC);
    assert_eq!(bob.hears(&alice, &messages[1]), Ok(b"two".to_vec()));
    assert_eq!(bob.spent.len(), 1);
}

#[test]
fn a_last_resort_start_is_not_replayed_when_its_session_is_long_gone() {
    let (mut alice, mut bob) = strangers(9, 0);
    alice.start(&bob);
    let first = alice.says(b"pay me");
    bob.hears(&alice, &first).unwrap();
    for _ in 0..=INACTIVE_MAX {
        alice.sessions = Sessions::new(bob.address);
        alice.start(&bob);
        let message = alice.says(b"again");
        bob.hears(&alice, &message).unwrap();
    }

    bob.restarts();
    bob.now = NOW.after(Duration::from_secs(39 * 24 * 3600));

    assert_eq!(bob.sessions.inactive.len(), INACTIVE_MAX);
    assert_eq!(bob.hears(&alice, &first).err(), NOT_AUTHENTIC);
}

#[test]
fn too_many_handshakes_are_refused_rather_than_forgotten() {
    let (mut alice, mut bob) = strangers(10, 0);
    alice.start(&bob);
    let message = alice.says(b"hello");
    let seen = SeenHandshake { handshake: Digest::ZERO, seen_at: NOW, set: 99 };
    bob.sessions.handshakes = vec![seen; HANDSHAKES_REMEMBERED_MAX];

    assert_eq!(bob.hears(&alice, &message).err(), NOT_AUTHENTIC);
    bob.now = NOW.after(HANDSHAKES_REMEMBERED_FOR);
    assert!(bob.hears(&alice, &message).is_ok());
}

/// A clock that was wrong for a moment must not open the door to a replay.
#[test]
fn a_handshake_is_remembered_as_long_as_its_prekeys_are_kept() {
    let (mut alice, mut bob) = strangers(22, 0);
    alice.start(&bob);
    let first = alice.says(b"pay me");
    bob.hears(&alice, &first).unwrap();
    bob.now = NOW.after(HANDSHAKES_REMEMBERED_FOR * 10);
    alice.start(&bob);
    let later = alice.says(b"later");
    bob.hears(&alice, &later).unwrap();
    bob.sessions.inactive.clear();

    bob.now = NOW;

    assert_eq!(bob.hears(&alice, &first).err(), NOT_AUTHENTIC);
}

#[test]
fn who_lost_their_sessions_starts_again_and_is_followed() {
    let (mut alice, mut bob) = friends(12);
    let on_the_road = bob.says(b"for the old session");
    let old = std::mem::replace(&mut alice.sessions, Sessions::new(bob.address));
    alice.now = NOW.after(SECOND);
    alice.start_with(&bob, &without_one_time(&bob)).unwrap();

    let again = alice.says(b"it is me again");
    bob.hears(&alice, &again).unwrap();
    let answer = bob.says(b"welcome back");

    assert_eq!(alice.hears(&bob, &answer), Ok(b"welcome back".to_vec()));
    assert_eq!(alice.hears(&bob, &on_the_road).err(), NOT_AUTHENTIC);
    alice.sessions = old;
    assert!(alice.hears(&bob, &on_the_road).is_ok());
}

#[test]
fn inactive_sessions_go_after_thirty_days() {
    let (mut alice, mut bob) = friends(13);
    let late = alice.says(b"late");
    alice.sessions = Sessions::new(bob.address);
    alice.now = NOW.after(SECOND);
    alice.start_with(&bob, &without_one_time(&bob)).unwrap();
    let again = alice.says(b"again");
    bob.hears(&alice, &again).unwrap();
    assert!(bob.tries(&alice, &late, AD).is_ok());

    bob.now = NOW.after(INACTIVE_KEPT_FOR);

    assert_eq!(bob.tries(&alice, &late, AD).err(), NOT_AUTHENTIC);
    bob.says(b"anything");
    assert!(bob.sessions.inactive.is_empty());
}

#[test]
fn a_bundle_of_another_device_starts_nothing() {
    let (mut alice, bob) = strangers(14, 1);
    let carol = Person::new(77, 1);

    let started = alice.start_with(&carol, &carol.bundle());
    assert_eq!(started, Err(SessionError::WrongDevice));
    alice.sessions = Sessions::new(alice.address);
    let ours = alice.bundle();
    assert_eq!(alice.start_with(&bob, &ours), Err(SessionError::WrongDevice));
}

#[test]
fn keys_that_are_no_keys_start_nothing() {
    let (mut alice, bob) = strangers(15, 1);
    let mut small = bob.bundle();
    small.one_time.as_mut().unwrap().agreement = chat_core::key::AgreementKey::from_bytes([0; 32]);
    let mut malformed = bob.bundle();
    malformed.one_time.as_mut().unwrap().kem = chat_core::key::KemKey::from_bytes([0xff; 1568]);

    for bundle in [small, malformed] {
        assert_eq!(alice.start_with(&bob, &bundle), Err(SessionError::UnusableKey));
    }
    assert!(!alice.sessions.has_active());
}

#[test]
fn a_message_of_another_device_or_identity_is_not_authentic() {
    let (mut alice, bob) = friends(16);
    let carol = Person::new(78, 0);
    let message = alice.says(b"hello");
    let local = Local { address: bob.address, identity: bob.identity.key(), device: &bob.device };
    let decrypt = |certificate, identity| {
        bob.sessions.decrypt(&local, certificate, identity, &[], &message, AD, NOW).map(drop)
    };

    let (hers, other) = (alice.identity.key(), carol.identity.key());
    assert_eq!(decrypt(&carol.certificate, hers), Err(SessionError::NotAuthentic));
    assert_eq!(decrypt(&alice.certificate, other), Err(SessionError::NotAuthentic));
    assert_eq!(decrypt(&alice.certificate, hers), Ok(()));
}

#[test]
fn a_message_that_comes_back_to_its_sender_is_not_authentic() {
    let (mut alice, mut bob) = strangers(17, 1);
    alice.start(&bob);
    let first = alice.says(b"hello");
    assert_eq!(alice.tries(&bob, &first, AD).err(), NOT_AUTHENTIC);
    bob.hears(&alice, &first).unwrap();
    let answer = bob.says(b"yes?");

    assert_eq!(bob.tries(&alice, &answer, AD).err(), NOT_AUTHENTIC);
}

#[test]
fn a_conversation_goes_on_from_snapshots() {
    let (mut alice, mut bob) = strangers(18, 1);
    alice.start(&bob);
    let skipped = alice.says(b"skipped");
    for round in 0..5u8 {
        alice.restarts();
        bob.restarts();
        let message = alice.says(&[round]);
        assert_eq!(bob.hears(&alice, &message), Ok(vec![round]));
        bob.restarts();
        let answer = bob.says(&[round]);
        assert_eq!(alice.hears(&bob, &answer), Ok(vec![round]));
    }

    bob.restarts();
    assert_eq!(bob.hears(&alice, &skipped), Ok(b"skipped".to_vec()));
}

/// What a store that was restored from a copy leads to. Nothing that was lost comes back, and
/// nobody is deceived: but two texts were sealed under one key.
#[test]
fn a_session_rolled_back_opens_again_and_what_it_seals_is_refused() {
    let (mut alice, mut bob) = friends(27);
    let copies = [alice.sessions.clone(), bob.sessions.clone()];
    let message = alice.says(b"before");
    bob.hears(&alice, &message).unwrap();

    bob.sessions = copies[1].clone();
    assert_eq!(bob.hears(&alice, &message), Ok(b"before".to_vec()), "as if for the first time");
    alice.sessions = copies[0].clone();
    let again = alice.says(b"after!");
    assert_eq!(bob.hears(&alice, &again).err(), NOT_AUTHENTIC, "its number has been");

    // The remedy: both understand each other on a new session.
    let later = alice.now.after(SECOND);
    (alice.now, bob.now) = (later, later);
    alice.start_with(&bob, &without_one_time(&bob)).unwrap();
    let anew = alice.says(b"anew");
    assert_eq!(bob.hears(&alice, &anew), Ok(b"anew".to_vec()));
}

#[test]
fn sessions_swapped_with_those_of_another_peer_open_and_seal_nothing() {
    let (mut alice, mut bob) = friends(28);
    let mut carol = Person::new(79, 1);
    carol.sessions = Sessions::new(alice.address);
    let with_bob = std::mem::replace(&mut alice.sessions, Sessions::new(carol.address));
    alice.start(&carol);
    let hello = alice.says(b"hello");
    carol.hears(&alice, &hello).unwrap();
    let (from_bob, from_carol) = (bob.says(b"from bob"), carol.says(b"from carol"));

    // Alice's store holds the sessions with Bob where those with Carol should be.
    let with_carol = std::mem::replace(&mut alice.sessions, with_bob);
    assert_eq!(alice.sessions.theirs(), bob.address, "a snapshot says whose it is");
    assert_eq!(alice.hears(&carol, &from_carol).err(), NOT_AUTHENTIC);
    assert_eq!(alice.hears(&carol, &from_bob).err(), NOT_AUTHENTIC);
    let for_carol = alice.says(b"for carol");
    assert_eq!(carol.hears(&alice, &for_carol).err(), NOT_AUTHENTIC);
    assert_eq!(alice.start_with(&carol, &carol.bundle()), Err(SessionError::WrongDevice));

    alice.sessions = with_carol;
    assert_eq!(alice.hears(&carol, &from_carol), Ok(b"from carol".to_vec()));
}

#[test]
fn skipped_keys_go_after_a_week_from_every_session_whatever_is_opened() {
    let (mut alice, mut bob) = friends(29);
    let skip = |alice: &mut Person, bob: &mut Person| {
        let missing = alice.says(b"missing");
        let message = alice.says(b"here");
        bob.hears(alice, &message).unwrap();
        missing
    };
    let old = skip(&mut alice, &mut bob);
    let later = alice.now.after(SECOND);
    (alice.now, bob.now) = (later, later);
    alice.start_with(&bob, &without_one_time(&bob)).unwrap();
    let new = skip(&mut alice, &mut bob);
    let with_keys = bob.sessions.to_snapshot().len();

    bob.now = later.after(Duration::from_secs(7 * 24 * 3600));
    bob.sessions = bob.sessions.tidied(bob.now);

    assert!(bob.sessions.to_snapshot().len() < with_keys - 150);
    bob.now = later;
    for missing in [old, new] {
        assert_eq!(bob.hears(&alice, &missing).err(), NOT_AUTHENTIC);
    }
}

#[test]
fn a_clock_set_back_neither_panics_nor_keeps_sessions_for_longer() {
    let (mut alice, mut bob) = friends(30);
    let late = alice.says(b"late");
    alice.now = alice.now.after(SECOND);
    alice.start_with(&bob, &without_one_time(&bob)).unwrap();
    let again = alice.says(b"again");
    bob.hears(&alice, &again).unwrap();

    let correct = Timestamp::from_millis(1_000_000);
    (alice.now, bob.now) = (correct, correct);
    let answer = bob.says(b"answer");
    alice.hears(&bob, &answer).unwrap();
    assert_eq!(alice.sessions.pq_age(correct), Some(Duration::ZERO));
    assert!(bob.tries(&alice, &late, AD).is_ok());
    bob.now = correct.after(INACTIVE_KEPT_FOR);

    assert_eq!(bob.tries(&alice, &late, AD).err(), NOT_AUTHENTIC);
    assert_eq!(bob.sessions.pq_age(bob.now), Some(INACTIVE_KEPT_FOR));
    bob.now = Timestamp::from_millis(0);
    assert!(!bob.says(b"in the year 1970").is_empty());
}

#[test]
fn the_age_of_the_newest_secret_is_shown_and_a_new_session_has_none() {
    let (mut alice, bob) = friends(31);
    let week = Duration::from_secs(7 * 24 * 3600);
    let later = alice.now.after(week);

    assert_eq!(Sessions::new(bob.address).pq_age(later), None);
    assert_eq!(alice.sessions.pq_age(later), Some(week));
    alice.now = later;
    alice.start_with(&bob, &without_one_time(&bob)).unwrap();

    assert_eq!(alice.sessions.pq_age(later), Some(Duration::ZERO));
}

#[test]
fn the_longest_wrap_fits() {
    let (mut alice, bob) = strangers(32, 0);
    alice.start(&bob);

    let message = alice.says(&[0; CARRIED_BYTES]);

    assert_eq!(message.len(), 2916);
    assert!(message.len() <= WRAP_BYTES_MAX);
}

#[test]
fn a_snapshot_of_an_unknown_version_is_refused() {
    let (alice, _) = friends(19);
    let mut snapshot = alice.sessions.to_snapshot().to_vec();

    snapshot[1] = SNAPSHOT + 1;
    assert_eq!(Sessions::from_snapshot(&snapshot).err(), Some(SnapshotError::UnknownVersion));
    snapshot.truncate(40);
    assert!(Sessions::from_snapshot(&snapshot).is_err());
    assert_eq!(Sessions::from_snapshot(&[]).err(), Some(SnapshotError::Malformed));
}

#[test]
fn a_quiet_session_takes_less_than_a_kilobyte() {
    let (mut alice, mut bob) = friends(20);
    let message = alice.says(b"hello");
    bob.hears(&alice, &message).unwrap();

    for sessions in [&alice.sessions, &bob.sessions] {
        let length = sessions.to_snapshot().len();
        assert!(length < 700, "{length} bytes");
    }
}

#[test]
fn nothing_secret_prints() {
    let (mut alice, mut bob) = friends(21);
    let _skipped = alice.says(b"skipped");
    let message = alice.says(b"hello");
    bob.hears(&alice, &message).unwrap();

    let printed = format!("{:?}", bob.sessions);

    // Byte strings of secrets print as nothing; those of public keys show four bytes.
    assert!(printed.contains("RootKey(..)") && printed.contains("ChainKey(2, ..)"), "{printed}");
    assert!(!printed.contains("[1") && !printed.contains("SecretBytes(["), "{printed}");
}

fn without_one_time(person: &Person) -> VerifiedBundle {
    VerifiedBundle { one_time: None, ..person.bundle() }
}
