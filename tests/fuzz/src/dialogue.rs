//! A dialogue of two on a network that does what the bytes say.
//!
//! ```text
//!  step = what ‖ which          what / 2 mod 10, who = what mod 2
//!
//!  0, 1  who sends              5  the message changes in one bit, and arrives
//!  2, 3  a message arrives      6  the next bytes arrive as if they were a message
//!  4     it arrives and stays   7  who restarts from a snapshot
//!        on the road as well    8  a while goes by
//!                               9  who starts a session anew
//! ```
//!
//! Whatever happens, a message opens at most once and as it was sent, or it is refused and the
//! sessions are as they were. What was changed or made up is always refused. When the road is quiet
//! at last, the two can still talk.

use std::collections::BTreeSet;
use std::time::Duration;

use chat_core::time::Timestamp;
use chat_crypto::prekey::PrekeySecrets;
use chat_crypto::session::{SessionError, Sessions};
use rand_chacha::ChaCha20Rng;

use crate::people::{ALICE, BOB, NOW, Person, rng};

/// A long dialogue finds nothing that a short one does not, only later.
const STEPS_MAX: usize = 64;
const ASSOCIATED: &[u8] = b"dialogue";

/// Runs the steps that `bytes` are.
///
/// # Panics
///
/// When the two do not agree on what was said.
pub fn dialogue(bytes: &[u8]) {
    let mut world = World::new();
    let mut rest = bytes;
    for _ in 0..STEPS_MAX {
        let [what, which, after @ ..] = rest else { break };
        rest = after;
        let who = usize::from(what % 2);
        let place = usize::from(*which);
        match (what / 2) % 10 {
            0 | 1 => world.send(who),
            2 | 3 => world.deliver(who, place, Stays::No),
            4 => world.deliver(who, place, Stays::Yes),
            5 => world.damage(who, place),
            6 => {
                let (forged, after) = rest.split_at(place.min(rest.len()));
                world.refuses(who, forged);
                rest = after;
            }
            7 => world.restart(who),
            8 => world.now = world.now.after(Duration::from_secs(60 * u64::from(*which))),
            _ => world.start(who, place),
        }
    }
    world.settle();
}

/// Whether a message that arrives is on the road again.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Stays {
    Yes,
    No,
}

struct Side {
    person: &'static Person,
    prekeys: PrekeySecrets,
    sessions: Sessions,
    /// What is on the road to this side.
    road: Vec<Vec<u8>>,
    opened: BTreeSet<u16>,
}

struct World {
    sides: [Side; 2],
    now: Timestamp,
    sent: u16,
    rng: ChaCha20Rng,
}

impl Side {
    fn new(person: &'static Person, other: &'static Person) -> Self {
        Self {
            person,
            prekeys: person.prekeys(),
            sessions: Sessions::new(other.address),
            road: Vec::new(),
            opened: BTreeSet::new(),
        }
    }
}

impl World {
    fn new() -> Self {
        let sides = [Side::new(&ALICE, &BOB), Side::new(&BOB, &ALICE)];
        Self { sides, now: NOW, sent: 0, rng: rng(3) }
    }

    fn start(&mut self, who: usize, which: usize) {
        let other = self.sides[1 - who].person;
        let side = &mut self.sides[who];
        let bundle = &other.bundles[which % 2];
        let local = side.person.local();
        let started = side.sessions.start(&local, other.identity, bundle, self.now, &mut self.rng);
        side.sessions = started.expect("the bundle is good");
    }

    fn send(&mut self, who: usize) {
        if !self.sides[who].sessions.has_active() {
            self.start(who, usize::from(self.sent));
        }
        let text = self.sent.to_be_bytes();
        self.sent += 1;
        let sessions = &self.sides[who].sessions;
        match sessions.encrypt(&text, ASSOCIATED, self.now, &mut self.rng) {
            Ok((message, next)) => {
                self.sides[who].sessions = next;
                self.sides[1 - who].road.push(message);
            }
            Err(error) => assert_ne!(error, SessionError::NoSession, "one was just started"),
        }
    }

    /// Takes the message at `place` off the road, unless it `stays`, and opens it.
    fn deliver(&mut self, who: usize, place: usize, stays: Stays) {
        let road = &mut self.sides[who].road;
        if road.is_empty() {
            return;
        }
        let message = road.remove(place % road.len());
        self.open(who, &message);
        if stays == Stays::Yes {
            self.sides[who].road.push(message);
        }
    }

    /// Changes one bit of a message, which is then refused; the message itself stays on the road.
    fn damage(&mut self, who: usize, which: usize) {
        let road = &self.sides[who].road;
        if road.is_empty() {
            return;
        }
        let mut message = road[which % road.len()].clone();
        // Steps of a prime reach every byte of a message with few of them.
        let place = which * 131 % message.len();
        message[place] ^= 1 << (which % 8);
        self.refuses(who, &message);
    }

    fn restart(&mut self, who: usize) {
        let side = &mut self.sides[who];
        let stored = side.sessions.to_snapshot();
        side.sessions = Sessions::from_snapshot(&stored).expect("we wrote it");
        assert_eq!(side.sessions.to_snapshot(), stored, "a snapshot says something else");
        let prekeys = side.prekeys.to_snapshot();
        side.prekeys = PrekeySecrets::from_snapshot(&prekeys).expect("we wrote it");
    }

    /// Opens a message that the other side has made, perhaps not for the first time.
    fn open(&mut self, who: usize, message: &[u8]) {
        let Some(plaintext) = self.try_to_open(who, message) else { return };
        let number = u16::from_be_bytes(plaintext.try_into().expect("two bytes were sent"));
        assert!(number < self.sent, "nobody has sent this");
        assert!(self.sides[who].opened.insert(number), "a message opened twice");
    }

    fn refuses(&mut self, who: usize, message: &[u8]) {
        assert_eq!(self.try_to_open(who, message), None, "nobody has sent this");
    }

    /// Opens a message and stores what has to be stored with it; a refused one changes nothing.
    fn try_to_open(&mut self, who: usize, message: &[u8]) -> Option<Vec<u8>> {
        let other = self.sides[1 - who].person;
        let side = &mut self.sides[who];
        let before = side.sessions.to_snapshot();
        let decrypted = side.sessions.decrypt(
            &side.person.local(),
            &other.certificate,
            other.identity,
            &[&side.prekeys],
            message,
            ASSOCIATED,
            self.now,
        );
        match decrypted {
            Ok(decrypted) => {
                side.sessions = decrypted.sessions;
                if let Some(one_time) = decrypted.spent.and_then(|spent| spent.one_time) {
                    side.prekeys.spend(one_time);
                }
                Some(decrypted.plaintext.to_vec())
            }
            Err(error) => {
                assert_eq!(error, SessionError::NotAuthentic, "the reason is nobody's business");
                assert_eq!(side.sessions.to_snapshot(), before, "a refused message left a trace");
                None
            }
        }
    }

    /// Loses what is on the road, then has each begin anew with the other: they understand.
    fn settle(&mut self) {
        self.sides.iter_mut().for_each(|side| side.road.clear());
        // By then no handshake of before counts as having crossed a new one.
        self.now = self.now.after(Duration::from_secs(2 * 24 * 3600));
        for who in [0, 1] {
            self.start(who, 1);
            self.send(who);
            let message = self.sides[1 - who].road.pop().expect("it was sent just now");
            assert!(self.try_to_open(1 - who, &message).is_some(), "they no longer understand");
            self.send(1 - who);
            let answer = self.sides[who].road.pop().expect("it was sent just now");
            assert!(self.try_to_open(who, &answer).is_some(), "they no longer understand");
        }
    }
}

/// Dialogues to begin with: a chat, one out of order, one where both start, one with every step.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    vec![
        [[0, 0, 5, 0, 1, 0, 4, 0]; 6].concat(),
        vec![0, 0, 0, 0, 0, 0, 0, 0, 5, 3, 5, 1, 5, 0, 5, 0, 1, 0, 4, 0],
        vec![0, 0, 1, 0, 5, 0, 4, 0, 0, 0, 1, 0, 5, 0, 4, 0],
        vec![18, 1, 0, 0, 9, 0, 11, 200, 13, 3, 1, 2, 3, 15, 0, 16, 90, 5, 0, 5, 0, 1, 0, 4, 0],
    ]
}
