//! Several sessions with one device: which one both sides send on.

use chat_core::codec::Digest;

use super::people::{AD, NOW, Person, friends, strangers};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn two_who_start_at_once_end_in_one_session() {
    for seed in 0..8 {
        let (mut alice, mut bob) = strangers(100 + seed, 3);
        alice.start(&bob);
        bob.start(&alice);
        let (from_alice, from_bob) = (alice.says(b"a"), bob.says(b"b"));

        assert_eq!(alice.hears(&bob, &from_bob), Ok(b"b".to_vec()));
        assert_eq!(bob.hears(&alice, &from_alice), Ok(b"a".to_vec()));
        assert_eq!(active(&alice), active(&bob));

        for _ in 0..3 {
            let (from_alice, from_bob) = (alice.says(b"a"), bob.says(b"b"));
            assert_eq!(alice.hears(&bob, &from_bob), Ok(b"b".to_vec()));
            assert_eq!(bob.hears(&alice, &from_alice), Ok(b"a".to_vec()));
        }
        assert_eq!(active(&alice), active(&bob));
        assert_eq!((alice.sessions.inactive.len(), bob.sessions.inactive.len()), (1, 1));
    }
}

#[test]
fn what_was_on_the_road_opens_after_a_simultaneous_start() {
    let (mut alice, mut bob) = strangers(11, 3);
    alice.start(&bob);
    bob.start(&alice);
    let from_alice: Vec<_> = (0..3).map(|_| alice.says(b"a")).collect();
    let from_bob: Vec<_> = (0..3).map(|_| bob.says(b"b")).collect();

    for (to_bob, to_alice) in from_alice.iter().zip(&from_bob).rev() {
        assert!(alice.hears(&bob, to_alice).is_ok());
        assert!(bob.hears(&alice, to_bob).is_ok());
    }
    assert_eq!(active(&alice), active(&bob));
}

/// The answer overtakes the other side's first message, so one side cannot see that they crossed.
#[test]
fn crossed_starts_converge_even_if_a_first_message_is_late() {
    for seed in 0..8 {
        let (mut alice, mut bob) = strangers(200 + seed, 3);
        alice.start(&bob);
        bob.start(&alice);
        let (from_alice, late) = (alice.says(b"a"), bob.says(b"late"));
        bob.hears(&alice, &from_alice).unwrap();
        let answer = bob.says(b"answer");

        alice.hears(&bob, &answer).unwrap();
        alice.hears(&bob, &late).ok();
        for _ in 0..2 {
            let (from_alice, from_bob) = (alice.says(b"a"), bob.says(b"b"));
            assert_eq!(alice.hears(&bob, &from_bob), Ok(b"b".to_vec()));
            assert_eq!(bob.hears(&alice, &from_alice), Ok(b"a".to_vec()));
        }

        assert_eq!(active(&alice), active(&bob), "seed {seed}");
    }
}

#[test]
fn a_start_that_was_unanswered_for_a_day_does_not_win() {
    for seed in 0..4 {
        let (mut alice, mut bob) = strangers(300 + seed, 0);
        alice.start(&bob);
        alice.says(b"never arrives");
        alice.now = NOW.after(SILENT_AFTER);
        bob.start(&alice);

        let hello = bob.says(b"hello");
        alice.hears(&bob, &hello).unwrap();

        assert_eq!(active(&alice), active(&bob));
    }
}

/// Everything that can be started, in every order of arrival: the one that leads is active.
#[test]
fn the_session_started_last_is_active_whatever_arrives_first() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (mut alice, mut bob) = strangers(400, 0);
        let messages = [b"0", b"1", b"2"].map(|text| {
            alice.start(&bob);
            alice.says(text)
        });

        for place in order {
            bob.hears(&alice, &messages[place]).unwrap();
        }

        assert_eq!(active(&alice), active(&bob), "{order:?}");
        let answer = bob.says(b"answer");
        assert_eq!(alice.hears(&bob, &answer), Ok(b"answer".to_vec()));
    }
}

#[test]
fn a_start_over_a_session_of_theirs_that_nobody_answered_is_followed() {
    for seed in 0..8 {
        let (mut alice, mut bob) = strangers(500 + seed, 3);
        bob.start(&alice);
        let from_bob: Vec<_> = (0..3).map(|_| bob.says(b"b")).collect();
        alice.hears(&bob, &from_bob[0]).unwrap();
        alice.start(&bob);
        let from_alice = alice.says(b"a");

        // What Bob sent before he hears of it pulls nobody back.
        alice.hears(&bob, &from_bob[1]).unwrap();
        bob.hears(&alice, &from_alice).unwrap();
        alice.hears(&bob, &from_bob[2]).unwrap();

        assert_eq!(active(&alice), active(&bob), "seed {seed}");
        let answer = bob.says(b"answer");
        alice.hears(&bob, &answer).unwrap();
        assert!(alice.sessions.is_answered() && bob.sessions.is_answered());
    }
}

#[test]
fn an_answer_that_crosses_a_new_start_leads_nobody_astray() {
    for seed in 0..8 {
        let (mut alice, mut bob) = strangers(600 + seed, 3);
        bob.start(&alice);
        let hello = bob.says(b"hello");
        alice.hears(&bob, &hello).unwrap();
        let answer = alice.says(b"answer");
        alice.start(&bob);
        let again = alice.says(b"again");
        let (first, second) = if seed % 2 == 0 { (&again, &answer) } else { (&answer, &again) };

        bob.hears(&alice, first).unwrap();
        bob.hears(&alice, second).unwrap();

        assert_eq!(active(&alice), active(&bob), "seed {seed}");
    }
}

/// Alice's clock was years ahead when she started, and then Bob lost his sessions.
#[test]
fn who_lost_a_session_with_a_number_from_the_future_is_followed_after_a_day() {
    let (mut alice, mut bob) = strangers(23, 3);
    let correct = alice.now;
    alice.now = correct.after(INACTIVE_KEPT_FOR * 100);
    alice.start(&bob);
    let hello = alice.says(b"hello");
    bob.hears(&alice, &hello).unwrap();
    let answer = bob.says(b"answer");
    alice.hears(&bob, &answer).unwrap();
    (alice.now, bob.now) = (correct.after(SECOND), correct.after(SECOND));
    bob.sessions = Sessions::new(alice.address);
    bob.start(&alice);

    let at_once = bob.says(b"can you hear me?");
    alice.hears(&bob, &at_once).unwrap();
    assert_ne!(active(&alice), active(&bob));
    alice.now = alice.now.after(SILENT_AFTER);
    let again = bob.says(b"and now?");
    alice.hears(&bob, &again).unwrap();

    assert_eq!(active(&alice), active(&bob));
}

/// A thief of an old session can still say something on it, but is told nothing.
#[test]
fn a_stolen_session_that_was_replaced_is_never_sent_on_again() {
    let (mut alice, mut bob) = friends(24);
    let stolen = alice.sessions.clone();
    let later = alice.now.after(SECOND);
    (alice.now, bob.now) = (later, later);
    alice.start_with(&bob, &without_one_time(&bob)).unwrap();
    let again = alice.says(b"a new session");
    bob.hears(&alice, &again).unwrap();

    let mut thief = Person::new(24, 1);
    thief.sessions = stolen;
    for days in 0..29 {
        bob.now = later.after(Duration::from_secs(days * 24 * 3600));
        let lure = thief.says(b"answer me here");
        bob.hears(&alice, &lure).unwrap();
        assert_eq!(active(&bob), active(&alice), "day {days}");
    }

    let secret = bob.says(b"secret");
    assert!(thief.tries(&bob, &secret, AD).is_err());
    assert!(alice.hears(&bob, &secret).is_ok());
}

#[test]
fn a_session_with_an_accepted_new_identity_replaces_that_with_the_old_one() {
    let (mut alice, mut bob) = friends(25);
    bob.sessions.active = bob.sessions.active.as_ref().map(|active| {
        let ahead = Session { number: u32::MAX, ..Session::clone(active) };
        Shared::new(ahead)
    });
    // Alice begins anew, as the same device of an account with another identity key.
    let other = Person::new(99, 0);
    alice.certificate =
        other.identity.certify(&alice.certificate).verify(&other.identity.key()).unwrap();
    alice.identity = other.identity;
    alice.sessions = Sessions::new(bob.address);
    alice.start_with(&bob, &without_one_time(&bob)).unwrap();

    let hello = alice.says(b"it is still me");
    bob.hears(&alice, &hello).unwrap();

    assert_eq!(bob.sessions.their_identity(), Some(alice.identity.key()));
    assert_eq!(active(&alice), active(&bob));
}

#[test]
fn numbers_rise_with_the_clock_and_with_what_is_known() {
    let (mut alice, bob) = strangers(26, 3);
    let seconds = u32::try_from(alice.now.as_millis() / 1000).unwrap();
    let mut numbers = Vec::new();
    for now in [alice.now, alice.now, Timestamp::from_millis(0), alice.now.after(SECOND * 100)] {
        alice.now = now;
        alice.start(&bob);
        numbers.push(alice.sessions.active.as_ref().unwrap().number);
    }
    alice.now = Timestamp::from_millis(u64::MAX);
    alice.start(&bob);
    alice.start(&bob);
    numbers.push(alice.sessions.active.as_ref().unwrap().number);

    assert_eq!(numbers, [seconds, seconds + 1, seconds + 2, seconds + 100, u32::MAX]);
}

fn active(person: &Person) -> Digest {
    person.sessions.active.as_ref().unwrap().handshake
}

fn without_one_time(person: &Person) -> VerifiedBundle {
    VerifiedBundle { one_time: None, ..person.bundle() }
}
