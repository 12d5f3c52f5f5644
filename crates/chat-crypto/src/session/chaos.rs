//! Hundreds of conversations over a network that loses, reorders, repeats and damages, between two
//! to four devices that restart, start sessions anew at any time, and whose clocks jump.
//!
//! A seed decides everything, so a failure is found again by its number.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::prekey::PrekeyBundle;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::people::{AD, Person};
use super::*;

const SEEDS: u64 = 40;
const STEPS: usize = 220;
const HOUR: Duration = Duration::from_secs(3600);
/// Shortest message with a post-quantum key or ciphertext, and the longest with neither.
const CARRIES_FROM: usize = 1 + OVERHEAD_BYTES + 1088;

#[test]
fn whatever_happens_messages_open_once_as_sent_and_everybody_agrees_when_it_is_quiet() {
    let mut seen = Seen::default();
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
        seen.renewed += world.seen.renewed;
        seen.crossed += world.seen.crossed;
        seen.refused += world.seen.refused;
    }

    // What was not rare in these runs is what they show something about.
    assert!(seen.renewed > 200 && seen.crossed > 40 && seen.refused > 400, "{seen:?}");
}

/// What came to pass, so that a test that no longer tests anything is noticed.
#[derive(Debug, Default)]
struct Seen {
    renewed: usize,
    crossed: usize,
    refused: usize,
}

/// From one device to another.
type Way = (usize, usize);

struct World {
    seed: u64,
    people: Vec<Person>,
    sessions: BTreeMap<Way, Sessions>,
    /// What is on the road.
    road: BTreeMap<Way, Vec<Vec<u8>>>,
    /// What was opened.
    opened: BTreeSet<Text>,
    sent: u32,
    chance: ChaCha20Rng,
    seen: Seen,
}

/// Sender, reader, number.
type Text = [u8; 6];

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = ChaCha20Rng::seed_from_u64(seed);
        let devices = 2 + usize::try_from(seed % 3).unwrap();
        // Sometimes there are enough one-time prekeys, sometimes the last-resort ones must do.
        let one_time = [0, 3, 12][chance.next_u32() as usize % 3];
        let people: Vec<_> = (0..devices)
            .map(|place| Person::new((seed << 8) | u64::try_from(place).unwrap(), one_time))
            .collect();
        let mut sessions = BTreeMap::new();
        for (from, to) in ways(devices) {
            sessions.insert((from, to), Sessions::new(people[to].address));
        }
        Self {
            seed,
            people,
            sessions,
            road: BTreeMap::new(),
            opened: BTreeSet::new(),
            sent: 0,
            chance,
            seen: Seen::default(),
        }
    }

    fn below(&mut self, many: u32) -> u32 {
        self.chance.next_u32() % many
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.below(many) == 0
    }

    fn way(&mut self) -> Way {
        let devices = u32::try_from(self.people.len()).unwrap();
        let from = self.below(devices);
        let to = (from + 1 + self.below(devices - 1)) % devices;
        (from as usize, to as usize)
    }

    fn step(&mut self) {
        let way = self.way();
        match self.below(40) {
            0..=13 => self.send(way),
            14..=31 => self.deliver(way),
            32..=34 => self.restart(way),
            35..=36 => self.start(way),
            37..=38 => self.damage(way),
            _ => self.jump(way.0),
        }
        let minutes = u64::from(self.below(10));
        for person in &mut self.people {
            person.now = person.now.after(Duration::from_secs(60 * minutes));
        }
    }

    /// A clock is set: mostly ahead by hours or days, sometimes back.
    fn jump(&mut self, who: usize) {
        let hours = 1 + self.below(72);
        let is_back = self.one_in(3);
        let now = &mut self.people[who].now;
        *now = if is_back {
            Timestamp::from_millis(now.as_millis() - u64::from(hours) * 3_600_000)
        } else {
            now.after(HOUR * hours)
        };
    }

    /// What the relay hands out: each one-time prekey once.
    fn bundle(&mut self, of: usize) -> VerifiedBundle {
        let person = &mut self.people[of];
        let mut left = person.upload.one_time.to_vec();
        let one_time = (!left.is_empty()).then(|| left.remove(0));
        person.upload.one_time = chat_core::codec::List::new(left).unwrap();
        let set = person.upload.set.clone();
        let bundle = PrekeyBundle { address: person.address, set, one_time };
        bundle.verify(&person.certificate).unwrap()
    }

    /// Does something with the sessions of one way.
    fn with<T>(&mut self, (us, them): Way, act: impl FnOnce(&mut Person, &Person) -> T) -> T {
        let ours = self.sessions.remove(&(us, them)).unwrap();
        let (low, high) = self.people.split_at_mut(us.max(them));
        let (person, other) =
            if us < them { (&mut low[us], &high[0]) } else { (&mut high[0], &low[them]) };
        person.sessions = ours;
        let outcome = act(person, other);
        let ours = person.sessions.clone();
        self.sessions.insert((us, them), ours);
        outcome
    }

    fn start(&mut self, way: Way) {
        let bundle = self.bundle(way.1);
        self.with(way, |person, other| person.start_with(other, &bundle).unwrap());
    }

    fn restart(&mut self, way: Way) {
        self.with(way, |person, _| person.restarts());
    }

    /// As the SDK does it: on a new session if there is none, or none that was renewed in a month.
    fn send(&mut self, way: Way) {
        let age = self.sessions[&way].pq_age(self.people[way.0].now);
        if age.is_none_or(|age| age >= HOUR * 24 * 30) {
            self.start(way);
        }
        let text = self.next_text(way);
        let message = self.with(way, |person, _| person.says(&text));
        let handshake = if message[0] == FIRST_MESSAGE { handshake::HEADER_BYTES } else { 0 };
        self.seen.renewed += usize::from(message.len() - handshake > CARRIES_FROM);
        self.road.entry(way).or_default().push(message);
    }

    fn next_text(&mut self, (from, to): Way) -> Text {
        self.sent += 1;
        let [a, b, c, d] = self.sent.to_be_bytes();
        [u8::try_from(from).unwrap(), u8::try_from(to).unwrap(), a, b, c, d]
    }

    /// Takes any of the messages on the road; some are lost, some come again later.
    fn deliver(&mut self, way: Way) {
        let waiting = self.road.get(&way).map_or(0, Vec::len);
        if waiting == 0 {
            return;
        }
        // Mostly in order.
        let first = self.one_in(2);
        let place = if first { 0 } else { self.chance.next_u32() as usize % waiting };
        let message = self.road.get_mut(&way).unwrap().remove(place);
        if self.one_in(8) {
            return;
        }
        if self.one_in(4) {
            self.road.get_mut(&way).unwrap().push(message.clone());
        }
        self.open(way, &message);
    }

    /// Opens a message at the other end; whether that was the first time.
    fn open(&mut self, (from, to): Way, message: &[u8]) -> bool {
        let seed = self.seed;
        let before = self.sessions[&(to, from)].clone();
        let heard = self.with((to, from), |reader, sender| reader.hears(sender, message));
        match heard {
            Ok(plaintext) => {
                let text: Text = plaintext.try_into().unwrap();
                assert_eq!(text[..2], [u8::try_from(from).unwrap(), u8::try_from(to).unwrap()]);
                assert!(self.opened.insert(text), "seed {seed}: {text:?} opened twice");
                let active = |way| self.sessions[&way].active.as_ref().map(|s| s.handshake);
                self.seen.crossed += usize::from(active((from, to)) != active((to, from)));
                true
            }
            Err(error) => {
                assert_eq!(error, SessionError::NotAuthentic);
                let after = &self.sessions[&(to, from)];
                assert_eq!(after.to_snapshot(), before.to_snapshot(), "seed {seed}");
                self.seen.refused += 1;
                false
            }
        }
    }

    fn damage(&mut self, way: Way) {
        let Some(mut message) = self.road.get(&way).and_then(|road| road.last()).cloned() else {
            return;
        };
        let place = self.chance.next_u32() as usize % message.len();
        message[place] ^= 1 << (self.chance.next_u32() % 8);
        let back = (way.1, way.0);
        let refused = self.with(back, |reader, sender| reader.tries(sender, &message, AD).err());
        assert_eq!(refused, Some(SessionError::NotAuthentic), "seed {}", self.seed);
    }

    /// The network becomes reliable and the clocks right; whatever happened, everybody understands
    /// everybody else again, and each two devices use one session.
    fn settle(&mut self) {
        for (way, messages) in std::mem::take(&mut self.road) {
            for message in messages {
                self.open(way, &message);
            }
        }
        let latest = self.people.iter().map(|person| person.now).max().unwrap();
        let pause = if self.one_in(2) { HOUR } else { HOUR * 24 * 40 };
        for round in 0..5u32 {
            for person in &mut self.people {
                person.now = latest.after(pause + HOUR * round);
            }
            for way in ways(self.people.len()) {
                self.send(way);
                let message = self.road.get_mut(&way).unwrap().pop().unwrap();
                let is_opened = self.open(way, &message);
                assert!(is_opened || round < 1, "seed {}: round {round}, {way:?}", self.seed);
            }
        }
        for (us, them) in ways(self.people.len()) {
            let active = |way| self.sessions[&way].active.as_ref().map(|session| session.handshake);
            assert_eq!(active((us, them)), active((them, us)), "seed {}", self.seed);
            assert!(self.sessions[&(us, them)].is_answered());
            assert!(self.sessions[&(us, them)].to_snapshot().len() < 24 * 1024);
        }
    }
}

/// All ways between so many devices.
fn ways(devices: usize) -> Vec<Way> {
    let all = (0..devices).flat_map(|from| (0..devices).map(move |to| (from, to)));
    all.filter(|(from, to)| from != to).collect()
}
