//! Beside vodozemac's Olm: over the same schedule of sends, losses and reorderings, ours opens
//! whatever Olm opens.
//!
//! Olm keeps 40 keys of a chain and five chains; ours keeps more, and closes chains. Two independent
//! implementations of the Double Ratchet have to agree on everything else.

use chat_crypto::session::Sessions;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;
use vodozemac::olm::{Account, OlmMessage, Session, SessionConfig};

use crate::people::{NOW, Person, rng};

const SEEDS: u64 = 40;
const STEPS: usize = 150;

#[test]
fn whatever_olm_opens_ours_opens_too() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let (mut opened, mut only_ours) = (0, 0);
    for seed in 0..SEEDS {
        let mut chance = rng(seed);
        let mut both = Both::new(&alice, &bob, seed);
        for step in 0..STEPS {
            let who = (chance.next_u32() % 2) as usize;
            // Sometimes one side says much and hears nothing.
            if chance.next_u32() % 20 < 11 {
                both.says(who, step);
            } else if let Some((by_olm, by_ours)) = both.hears(who, &mut chance) {
                assert!(by_ours || !by_olm, "seed {seed}, step {step}: only Olm opens it");
                opened += usize::from(by_ours);
                only_ours += usize::from(by_ours && !by_olm);
            }
        }
    }

    assert!(opened > 1500 && only_ours < opened / 10, "{opened}, {only_ours}");
}

/// Alice and Bob, once on ours and once on Olm, past the first answer.
struct Both<'a> {
    people: [&'a Person; 2],
    ours: [Sessions; 2],
    olm: [Session; 2],
    /// What is on the road to each of them.
    road: [Vec<Sent>; 2],
    rng: ChaCha20Rng,
}

/// By ours, by Olm, and what it says.
type Sent = (Vec<u8>, OlmMessage, Vec<u8>);

impl<'a> Both<'a> {
    fn new(alice: &'a Person, bob: &'a Person, seed: u64) -> Self {
        let mut both = Self {
            people: [alice, bob],
            ours: [alice.start_with(bob, seed), Sessions::new(alice.address)],
            olm: olm(),
            road: Default::default(),
            rng: rng(seed),
        };
        for who in [0, 1] {
            both.says(who, 0);
            let (message, olm, text) = both.road[1 - who].pop().unwrap();
            assert!(both.ours_opens(1 - who, &message, &text));
            both.olm[1 - who].decrypt(&olm).unwrap();
        }
        both
    }

    fn says(&mut self, who: usize, step: usize) {
        let text = format!("{who} {step}").into_bytes();
        let (message, next) = self.ours[who].encrypt(&text, b"", NOW, &mut self.rng).unwrap();
        self.ours[who] = next;
        let olm = self.olm[who].encrypt(&text).unwrap();
        self.road[1 - who].push((message, olm, text));
    }

    /// Delivers any message to `who`, or loses it; whether Olm and ours have opened it.
    fn hears(&mut self, who: usize, chance: &mut ChaCha20Rng) -> Option<(bool, bool)> {
        let waiting = self.road[who].len();
        if waiting == 0 {
            return None;
        }
        let place = if chance.next_u32().is_multiple_of(3) {
            chance.next_u32() as usize % waiting
        } else {
            0
        };
        let (message, olm, text) = self.road[who].remove(place);
        if chance.next_u32().is_multiple_of(8) {
            return None;
        }
        let by_olm = self.olm[who].decrypt(&olm);
        assert!(by_olm.as_ref().is_ok_and(|opened| *opened == text) || by_olm.is_err());
        Some((by_olm.is_ok(), self.ours_opens(who, &message, &text)))
    }

    fn ours_opens(&mut self, who: usize, message: &[u8], text: &[u8]) -> bool {
        let (us, them) = (self.people[who], self.people[1 - who]);
        let theirs = them.keyring.identity().key();
        let opened = self.ours[who].decrypt(
            &us.local(),
            &them.certificate,
            theirs,
            &[&us.prekeys],
            message,
            b"",
            NOW,
        );
        let Ok(opened) = opened else { return false };
        assert_eq!(opened.plaintext.as_slice(), text);
        self.ours[who] = opened.sessions;
        true
    }
}

fn olm() -> [Session; 2] {
    let (alice, mut bob) = (Account::new(), Account::new());
    let key = bob.generate_one_time_keys(1).created[0];
    let config = SessionConfig::version_1();
    let mut to_bob = alice.create_outbound_session(config, bob.curve25519_key(), key).unwrap();
    let OlmMessage::PreKey(first) = to_bob.encrypt(b"first").unwrap() else { unreachable!() };
    let inbound = bob.create_inbound_session(config, alice.curve25519_key(), &first).unwrap();
    [to_bob, inbound.session]
}
