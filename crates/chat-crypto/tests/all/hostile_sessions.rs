//! Sessions whose stored state is rolled back, exchanged or damaged, and messages that are none.

use chat_crypto::session::{Decrypted, SessionError, Sessions};

use crate::people::{NOW, Person, rng};

const AD: &[u8] = b"associated";

#[test]
fn a_session_that_was_swapped_with_anothers_opens_and_says_nothing() {
    let (alice, bob, carol) = (Person::new(1), Person::new(2), Person::new(3));
    let (with_bob, bobs) = talk(&alice, &bob, 10);
    let (with_carol, _) = talk(&alice, &carol, 20);
    let (from_bob, _) = bobs.encrypt(b"for alice", AD, NOW, &mut rng(30)).unwrap();

    // Alice's store hands out her session with Carol where that with Bob should be.
    let heard = hear(&with_carol, &alice, &bob, &from_bob);
    let (said, _) = with_carol.encrypt(b"for carol", AD, NOW, &mut rng(31)).unwrap();
    let at_bob = hear(&bobs, &bob, &alice, &said);

    assert_eq!(heard.unwrap_err(), SessionError::NotAuthentic);
    assert_eq!(at_bob.unwrap_err(), SessionError::NotAuthentic);
    assert_eq!(*hear(&with_bob, &alice, &bob, &from_bob).unwrap().plaintext, *b"for alice");
}

#[test]
fn a_sender_that_was_rolled_back_within_its_chain_is_heard_once_and_goes_on() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (alices, bobs) = talk(&alice, &bob, 10);
    let (turn, alices) = alices.encrypt(b"turn", AD, NOW, &mut rng(29)).unwrap();
    let bobs = hear(&bobs, &bob, &alice, &turn).unwrap().sessions;
    let copy = Sessions::from_snapshot(&alices.to_snapshot()).unwrap();

    let (first, _) = alices.encrypt(b"first", AD, NOW, &mut rng(30)).unwrap();
    // The store was restored from a copy: the same message key, for another text.
    let (again, after) = copy.encrypt(b"again", AD, NOW, &mut rng(31)).unwrap();
    let (next, _) = after.encrypt(b"next", AD, NOW, &mut rng(32)).unwrap();

    let bobs = hear(&bobs, &bob, &alice, &first).unwrap().sessions;
    assert_eq!(hear(&bobs, &bob, &alice, &again).unwrap_err(), SessionError::NotAuthentic);
    assert_eq!(*hear(&bobs, &bob, &alice, &next).unwrap().plaintext, *b"next");
}

#[test]
fn a_sender_that_was_rolled_back_to_before_its_turn_is_refused_and_starts_anew() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (alices, bobs) = talk(&alice, &bob, 10);
    let copy = Sessions::from_snapshot(&alices.to_snapshot()).unwrap();
    let (first, _) = alices.encrypt(b"first", AD, NOW, &mut rng(30)).unwrap();
    let bobs = hear(&bobs, &bob, &alice, &first).unwrap().sessions;

    // Another ratchet key for a turn that Bob has seen: a fork, of which he follows one branch.
    let (fork, _) = copy.encrypt(b"fork", AD, NOW, &mut rng(31)).unwrap();
    let refused = hear(&bobs, &bob, &alice, &fork);
    let anew = alice.start_with(&bob, 40).encrypt(b"anew", AD, NOW, &mut rng(41)).unwrap().0;

    assert_eq!(refused.unwrap_err(), SessionError::NotAuthentic);
    assert_eq!(*hear(&bobs, &bob, &alice, &anew).unwrap().plaintext, *b"anew");
}

#[test]
fn a_receiver_that_was_rolled_back_opens_the_same_once_more() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (alices, bobs) = talk(&alice, &bob, 10);
    let copy = Sessions::from_snapshot(&bobs.to_snapshot()).unwrap();
    let (message, alices) = alices.encrypt(b"hello", AD, NOW, &mut rng(30)).unwrap();
    let (next, _) = alices.encrypt(b"and on", AD, NOW, &mut rng(31)).unwrap();

    let before = hear(&bobs, &bob, &alice, &message).unwrap();
    let after = hear(&copy, &bob, &alice, &message).unwrap();

    assert_eq!(before.plaintext, after.plaintext);
    assert_eq!(before.sessions.to_snapshot(), after.sessions.to_snapshot());
    assert_eq!(*hear(&after.sessions, &bob, &alice, &next).unwrap().plaintext, *b"and on");
}

#[test]
fn a_stored_session_with_a_changed_byte_is_refused_or_opens_nothing_else() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (alices, bobs) = talk(&alice, &bob, 10);
    let (message, _) = alices.encrypt(b"hello", AD, NOW, &mut rng(30)).unwrap();
    let whole = bobs.to_snapshot();
    let mut usable = 0;

    for place in 0..whole.len() {
        let mut bytes = whole.to_vec();
        bytes[place] ^= 0x01;
        let Ok(sessions) = Sessions::from_snapshot(&bytes) else { continue };
        usable += 1;
        if let Ok(opened) = hear(&sessions, &bob, &alice, &message) {
            assert_eq!(*opened.plaintext, *b"hello", "byte {place}");
        }
    }

    assert!(usable > 0 && usable < whole.len());
}

#[test]
fn a_stored_session_that_was_cut_short_or_prolonged_is_refused() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (_, bobs) = talk(&alice, &bob, 10);
    let whole = bobs.to_snapshot();

    for length in 0..whole.len() {
        assert!(Sessions::from_snapshot(&whole[..length]).is_err(), "{length}");
    }
    assert!(Sessions::from_snapshot(&[&whole[..], &[0]].concat()).is_err());
}

#[test]
fn no_beginning_of_a_message_is_a_message() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let starting = alice.start_with(&bob, 10);
    let (first, _) = starting.encrypt(b"hello", AD, NOW, &mut rng(11)).unwrap();
    let (alices, bobs) = talk(&alice, &bob, 20);
    let (later, _) = alices.encrypt(b"hello", AD, NOW, &mut rng(30)).unwrap();
    let strangers = Sessions::new(alice.address);

    for length in 0..first.len() {
        let cut = hear(&strangers, &bob, &alice, &first[..length]);
        assert_eq!(cut.unwrap_err(), SessionError::NotAuthentic, "first, {length}");
    }
    for length in 0..later.len() {
        let cut = hear(&bobs, &bob, &alice, &later[..length]);
        assert_eq!(cut.unwrap_err(), SessionError::NotAuthentic, "later, {length}");
    }
    for message in [&first, &later] {
        let longer = [&message[..], &[0]].concat();
        assert!(hear(&bobs, &bob, &alice, &longer).is_err());
    }
}

#[test]
fn a_message_for_one_recipient_opens_for_no_other() {
    let (alice, bob, carol) = (Person::new(1), Person::new(2), Person::new(3));
    let starting = alice.start_with(&bob, 10);
    let (first, _) = starting.encrypt(b"for bob", AD, NOW, &mut rng(11)).unwrap();

    let at_carol = hear(&Sessions::new(alice.address), &carol, &alice, &first);
    let at_bob = hear(&Sessions::new(alice.address), &bob, &alice, &first);

    assert_eq!(at_carol.unwrap_err(), SessionError::NotAuthentic);
    assert_eq!(*at_bob.unwrap().plaintext, *b"for bob");
}

/// A session of two who have heard from each other: first its initiator's half.
fn talk(one: &Person, other: &Person, seed: u64) -> (Sessions, Sessions) {
    let starting = one.start_with(other, seed);
    let (hello, starting) = starting.encrypt(b"hello", AD, NOW, &mut rng(seed + 1)).unwrap();
    let heard = hear(&Sessions::new(one.address), other, one, &hello).unwrap();
    let (answer, others) =
        heard.sessions.encrypt(b"hello yourself", AD, NOW, &mut rng(seed + 2)).unwrap();
    (hear(&starting, one, other, &answer).unwrap().sessions, others)
}

fn hear(
    sessions: &Sessions,
    listener: &Person,
    speaker: &Person,
    message: &[u8],
) -> Result<Decrypted, SessionError> {
    sessions.decrypt(
        &listener.local(),
        &speaker.certificate,
        speaker.keyring.identity().key(),
        &[&listener.prekeys],
        message,
        AD,
        NOW,
    )
}
