//! Hundreds of conversations over a network that loses, reorders and repeats, with restarts.
//!
//! A seed decides everything, so a failure is found again by its number.

use std::collections::BTreeSet;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::people::{AD, Person, strangers};
use super::*;

const SEEDS: u64 = 300;
const STEPS: usize = 120;

#[test]
fn every_message_opens_at_most_once_and_as_it_was_sent() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
    }
}

struct World {
    seed: u64,
    people: [Person; 2],
    /// What is on the road to each of the two.
    road: [Vec<Vec<u8>>; 2],
    /// What each has opened.
    opened: [BTreeSet<u32>; 2],
    sent: u32,
    chance: ChaCha20Rng,
}

impl World {
    fn new(seed: u64) -> Self {
        let one_time = usize::from(seed.is_multiple_of(2));
        let (alice, bob) = strangers(seed << 16, one_time);
        Self {
            seed,
            people: [alice, bob],
            road: Default::default(),
            opened: Default::default(),
            sent: 0,
            chance: ChaCha20Rng::seed_from_u64(seed),
        }
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.chance.next_u32().is_multiple_of(many)
    }

    fn step(&mut self) {
        let who = usize::from(self.one_in(2));
        match self.chance.next_u32() % 8 {
            0..=2 => self.send(who),
            3..=5 => self.deliver(who),
            6 => self.people[who].restarts(),
            _ => self.damage(who),
        }
        let minutes = u64::from(self.chance.next_u32() % 10);
        for person in &mut self.people {
            person.now = person.now.after(Duration::from_secs(60 * minutes));
        }
    }

    fn send(&mut self, who: usize) {
        let [alice, bob] = &mut self.people;
        let (sender, other) = if who == 0 { (alice, bob) } else { (bob, alice) };
        if !sender.sessions.has_active() {
            sender.start(other);
        }
        let message = sender.says(&self.sent.to_be_bytes());
        self.sent += 1;
        self.road[1 - who].push(message);
    }

    /// Takes any of the messages on the road; some are lost, some come again later.
    fn deliver(&mut self, who: usize) {
        if self.road[who].is_empty() {
            return;
        }
        let place = self.chance.next_u32() as usize % self.road[who].len();
        let message = self.road[who].swap_remove(place);
        if self.one_in(8) {
            return;
        }
        if self.one_in(4) {
            self.road[who].push(message.clone());
        }
        self.open(who, &message);
    }

    fn open(&mut self, who: usize, message: &[u8]) {
        let [alice, bob] = &mut self.people;
        let (reader, other) = if who == 0 { (alice, bob) } else { (bob, alice) };
        let before = reader.sessions.to_snapshot();
        match reader.hears(other, message) {
            Ok(plaintext) => {
                let number = u32::from_be_bytes(plaintext.try_into().unwrap());
                let is_new = self.opened[who].insert(number);
                assert!(is_new, "seed {}: message {number} opened twice", self.seed);
                assert!(number < self.sent);
            }
            Err(error) => {
                assert_eq!(error, SessionError::NotAuthentic);
                assert_eq!(reader.sessions.to_snapshot(), before, "seed {}", self.seed);
            }
        }
    }

    fn damage(&mut self, who: usize) {
        let Some(mut message) = self.road[who].last().cloned() else { return };
        let place = self.chance.next_u32() as usize % message.len();
        message[place] ^= 1 << (self.chance.next_u32() % 8);
        let [alice, bob] = &self.people;
        let (reader, other) = if who == 0 { (alice, bob) } else { (bob, alice) };
        let refused = reader.tries(other, &message, AD).err();
        assert_eq!(refused, Some(SessionError::NotAuthentic), "seed {}", self.seed);
    }

    /// The network becomes reliable; whatever happened, both understand each other again.
    fn settle(&mut self) {
        for who in [0, 1] {
            for message in std::mem::take(&mut self.road[who]) {
                self.open(who, &message);
            }
        }
        for round in 0..6 {
            for who in [0, 1] {
                self.send(who);
                let message = self.road[1 - who].pop().unwrap();
                let before = self.opened[1 - who].len();
                self.open(1 - who, &message);
                assert_eq!(
                    self.opened[1 - who].len(),
                    before + 1,
                    "seed {}: round {round}",
                    self.seed
                );
            }
        }
        let [alice, bob] =
            self.people.each_ref().map(|p| p.sessions.active.as_ref().unwrap().handshake);
        assert_eq!(alice, bob, "seed {}: one session in the end", self.seed);
    }
}
