//! The post-quantum exchange inside the ratchet: its pace, its losses, and what it heals.

use chat_core::codec::{Digest, to_bytes};

use super::super::kem::KemSeed;
use super::super::pq::{RENEWED_EVERY, RENEWED_EVERY_TURNS, Renewal};
use super::*;

const PLAIN: usize = OVERHEAD_BYTES + 1;
const WITH_KEY: usize = PLAIN + 1184 + 16;
const WITH_CIPHERTEXT: usize = PLAIN + 1088 + 16;

#[test]
fn every_thirty_second_turn_mixes_a_secret_that_the_turn_before_asked_for() {
    let mut pair = Pair::new(1);

    // The handshake was turn 0, Alice's first chain turn 1.
    let lengths: Vec<_> = (2..=96).map(|turn| (turn, pair.turn(turn).len())).collect();

    for (turn, length) in lengths {
        let expected = match turn % RENEWED_EVERY_TURNS {
            31 => WITH_KEY,
            0 => WITH_CIPHERTEXT,
            _ => PLAIN,
        };
        assert_eq!(length, expected, "turn {turn}");
    }
}

#[test]
fn a_secret_is_for_32_turns_and_a_day() {
    assert_eq!((RENEWED_EVERY_TURNS, RENEWED_EVERY.as_secs()), (32, 86_400));
}

#[test]
fn a_turn_a_day_after_the_newest_secret_asks_for_another() {
    let mut pair = Pair::new(2);
    let day = NOW.after(RENEWED_EVERY);
    pair.bob.now = Timestamp::from_millis(day.as_millis() - 1);
    pair.alice.now = day;

    let plain = pair.turn(2);
    let offer = pair.turn(3);
    let answer = pair.turn(4);
    let plain_again = pair.turn(5);

    let lengths = [plain, offer, answer, plain_again].map(|message| message.len());
    assert_eq!(lengths, [PLAIN, WITH_KEY, WITH_CIPHERTEXT, PLAIN]);
}

#[test]
fn a_session_begun_with_last_resort_keys_is_renewed_by_its_first_answer() {
    let mut pair = Pair::begun_with(HandshakeKem::LastResort, 3);

    let still_first = pair.alice.says(b"a");
    let answer = pair.turn(2);
    let next = pair.turn(3);

    assert_eq!(still_first.len(), WITH_KEY);
    assert_eq!((answer.len(), next.len()), (WITH_CIPHERTEXT, PLAIN));
}

#[test]
fn a_last_resort_start_that_asks_for_nothing_is_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let prekey = AgreementSecret::generate(&mut rng);
    let kem = HandshakeKem::OneTime;
    let careless = Ratchet::initiate(session_key(), prekey.public(), 1, kem, NOW);
    let message = Peer { ratchet: careless, rng, now: NOW }.says(b"first");
    let begin = |kem| {
        let message = Message::from_bytes(&message).unwrap();
        Ratchet::respond(session_key(), &prekey, kem, message, AD, NOW).map(drop)
    };

    assert_eq!(begin(HandshakeKem::OneTime), Ok(()));
    assert_eq!(begin(HandshakeKem::LastResort), Err(NotAuthentic));
}

#[test]
fn any_one_message_of_a_chain_is_enough_and_the_others_open_later() {
    for arriving in 0..5 {
        let mut pair = Pair::offering(5);
        let mut offers: Vec<_> = (0..5).map(|_| pair.alice.says(b"o")).collect();
        let offer = offers.remove(arriving);
        assert_eq!(pair.bob.hears(&offer), Ok(b"o".to_vec()));
        let mut answers: Vec<_> = (0..5).map(|_| pair.bob.says(b"a")).collect();
        let answer = answers.remove(4 - arriving);
        assert_eq!(pair.alice.hears(&answer), Ok(b"a".to_vec()));

        assert!(offers.iter().all(|message| message.len() == WITH_KEY));
        assert!(answers.iter().all(|message| message.len() == WITH_CIPHERTEXT));
        pair.round_trip();
        for (offer, answer) in offers.iter().rev().zip(&answers) {
            assert_eq!(pair.bob.hears(offer), Ok(b"o".to_vec()));
            assert_eq!(pair.alice.hears(answer), Ok(b"a".to_vec()));
            assert_eq!(pair.bob.hears(offer), Err(NotAuthentic), "a replay");
        }
    }
}

#[test]
fn what_both_say_at_the_same_time_does_not_disturb_the_exchange() {
    let mut pair = Pair::offering(6);
    // Alice's offer and another message of Bob's running chain cross.
    let from_bob = pair.bob.says(b"b");
    let offer = pair.alice.says(b"o");

    assert_eq!(pair.alice.hears(&from_bob), Ok(b"b".to_vec()));
    assert_eq!(pair.bob.hears(&offer), Ok(b"o".to_vec()));

    assert_eq!(pair.bob.says(b"a").len(), WITH_CIPHERTEXT);
}

#[test]
fn any_changed_bit_of_key_or_ciphertext_is_not_authentic_and_moves_nothing() {
    let mut pair = Pair::offering(7);
    let offer = pair.alice.says(b"o");
    refuses_all_changes(&pair.bob, &offer);
    pair.bob.hears(&offer).unwrap();

    let answer = pair.bob.says(b"a");
    refuses_all_changes(&pair.alice, &answer);

    pair.alice.hears(&answer).unwrap();
}

#[test]
fn extensions_of_other_messages_of_the_chain_do_not_fit() {
    let mut pair = Pair::offering(8);
    let (first, second) = (pair.alice.says(b"o"), pair.alice.says(b"o"));
    let (header, body) = (SEALED_HEADER_BYTES, WITH_KEY - TAG_BYTES - 1);
    let spliced = [&first[..header], &second[header..body], &first[body..]].concat();

    assert_eq!(pair.bob.hears(&spliced), Err(NotAuthentic));
    assert_eq!(pair.bob.hears(&first), Ok(b"o".to_vec()));
}

#[test]
fn opening_an_offer_and_an_answer_gives_the_same_state_every_time() {
    let mut pair = Pair::offering(9);
    let offer = pair.alice.says(b"o");
    let mut twin = pair.bob.twin(1);
    pair.bob.hears(&offer).unwrap();
    twin.hears(&offer).unwrap();
    assert_eq!(pair.bob.snapshot(), twin.snapshot());

    let answer = pair.bob.says(b"a");
    let mut twin = pair.alice.twin(2);
    pair.alice.hears(&answer).unwrap();
    twin.hears(&answer).unwrap();

    assert_eq!(pair.alice.snapshot(), twin.snapshot());
}

#[test]
fn who_was_asked_must_answer_and_who_was_not_must_not() {
    let mut pair = Pair::offering(10);
    let offer = pair.alice.says(b"o");
    pair.bob.hears(&offer).unwrap();
    let mut forgetful = pair.bob.twin(1);
    forgetful.ratchet.pq = PostQuantum::new(HandshakeKem::OneTime, NOW);
    let mut insistent = pair.bob.twin(2);
    insistent.ratchet.pq = PostQuantum::new(HandshakeKem::LastResort, NOW);

    for message in [forgetful.says(b"no answer"), insistent.says(b"another key")] {
        assert_eq!(pair.alice.hears(&message), Err(NotAuthentic));
    }
    let answer = pair.bob.says(b"a");
    let mut never_asked = pair.alice.twin(3);
    never_asked.ratchet.pq = PostQuantum::new(HandshakeKem::OneTime, NOW);
    assert_eq!(never_asked.hears(&answer), Err(NotAuthentic));
    assert_eq!(pair.alice.hears(&answer), Ok(b"a".to_vec()));
}

#[test]
fn a_key_that_is_none_is_refused() {
    let mut pair = Pair::offering(11);
    let offer = pair.alice.says(b"o");
    let forged = |extension: &[u8; 1184]| {
        let sending = pair.alice.sending();
        let ratchet_key = sending.ours.public();
        let header = Header { ratchet_key, previous: 1, number: 1, carries: Carries::Key };
        forge(sending, header, extension)
    };

    let before = pair.bob.snapshot();
    assert_eq!(pair.bob.hears(&forged(&[0xff; 1184])), Err(NotAuthentic));
    assert_eq!(pair.bob.snapshot(), before);
    let valid = KemSeed::generate(&mut pair.bob.rng).public();
    assert!(pair.bob.hears(&forged(&valid)).is_ok(), "but for its key it is as it should be");
    assert!(pair.bob.hears(&offer).is_ok());
}

#[test]
fn nothing_of_an_exchange_stays_behind() {
    let mut pair = Pair::offering(12);
    let offer = pair.alice.says(b"o");
    let seed = pair.seeds().pop().unwrap();
    let key = seed.public();
    let seed = to_bytes(&seed);
    assert!(holds(&pair.alice, &seed[2..]) && !holds(&pair.alice, &key[..64]));
    pair.bob.hears(&offer).unwrap();
    assert!(holds(&pair.bob, &key[..64]));

    let answer = pair.bob.says(b"a");
    assert!(!holds(&pair.bob, &key[..64]), "the key is answered");
    pair.alice.hears(&answer).unwrap();
    assert!(!holds(&pair.alice, &seed[2..]), "the seed is used");
    let acknowledged = pair.alice.says(b"a");
    pair.bob.hears(&acknowledged).unwrap();

    for peer in [&pair.alice, &pair.bob] {
        assert!(peer.snapshot().len() < 500, "{} bytes", peer.snapshot().len());
    }
}

/// Whoever has both sides' whole state, and solves each X25519 that follows, reads along until
/// one exchange is over, and never again.
#[test]
fn a_quantum_attacker_is_shut_out_by_the_first_exchange_that_begins_after_the_theft() {
    let mut pair = Pair::new(13);
    let mut thief = Thief::of(&pair);

    let followed: Vec<_> = (2..=100).map(|turn| thief.follows(&mut pair, turn)).collect();

    assert!(followed[..30].iter().all(|followed| *followed), "turns 2 to 31 mix X25519 only");
    assert!(followed[30..].iter().all(|followed| !followed), "turn 32 mixes ML-KEM");
}

/// The seed is what counts: whoever steals it too reads along until the next exchange.
#[test]
fn a_seed_stolen_during_an_exchange_is_worthless_after_the_next_one() {
    let mut pair = Pair::new(14);
    let mut thief = Thief::of(&pair);
    for turn in 2..=31 {
        assert!(thief.follows(&mut pair, turn));
    }
    thief.seeds = pair.seeds();
    assert_eq!(thief.seeds.len(), 1);

    let followed: Vec<_> = (32..=70).map(|turn| thief.follows(&mut pair, turn)).collect();

    assert!(followed[..32].iter().all(|followed| *followed), "turns 32 to 63");
    assert!(followed[32..].iter().all(|followed| !followed), "turn 64 mixes another secret");
}

/// Without a quantum computer the ratchet keys themselves are enough.
#[test]
fn a_classical_attacker_is_shut_out_by_one_turn_of_each_side() {
    let mut pair = Pair::new(15);
    pair.turn(2);
    let mut thief = Thief { solves: Solves::Nothing, ..Thief::of(&pair) };

    let followed: Vec<_> = (3..=10).map(|turn| thief.follows(&mut pair, turn)).collect();

    assert!(followed[0], "Alice answers the ratchet key that was stolen from Bob");
    assert!(followed[1..].iter().all(|followed| !followed));
}

#[test]
fn the_age_counts_from_when_our_part_was_drawn() {
    let mut pair = Pair::offering(16);
    let hour = |hours: u64| Duration::from_secs(hours * 3600);
    let began = pair.alice.now;
    let offer = pair.alice.says(b"o");
    pair.bob.hears(&offer).unwrap();
    pair.bob.now = began.after(hour(2));
    let answer = pair.bob.says(b"a");
    pair.alice.now = began.after(hour(5));
    assert!(pair.alice.ratchet.pq_age(pair.alice.now) > hour(5), "unanswered: the old secret's");

    pair.alice.hears(&answer).unwrap();

    assert_eq!(pair.alice.ratchet.pq_age(pair.alice.now), hour(5));
    assert_eq!(pair.bob.ratchet.pq_age(pair.alice.now), hour(3));
}

#[test]
fn a_clock_set_back_makes_no_secret_younger() {
    let mut pair = Pair::new(17);
    let correct = Timestamp::from_millis(NOW.as_millis() / 2);
    pair.alice.now = correct;

    pair.alice.says(b"a");
    let later = correct.after(RENEWED_EVERY);

    assert_eq!(pair.alice.ratchet.pq_age(later), RENEWED_EVERY);
}

#[test]
fn a_message_that_was_overtaken_makes_no_secret_younger_either() {
    let mut pair = Pair::new(18);
    let overtaken = pair.alice.says(b"overtaken");
    let message = pair.alice.says(b"first to come");
    pair.bob.hears(&message).unwrap();
    let correct = Timestamp::from_millis(NOW.as_millis() / 2);
    pair.bob.now = correct;

    pair.bob.hears(&overtaken).unwrap();

    assert_eq!(pair.bob.ratchet.pq_age(correct.after(RENEWED_EVERY)), RENEWED_EVERY);
}

/// Every change of one bit in what is not the body's text, and every truncation.
fn refuses_all_changes(peer: &Peer, message: &[u8]) {
    let before = peer.snapshot();
    for bit in (0..message.len() * 8).step_by(7) {
        let mut changed = message.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(peer.twin(0).hears(&changed), Err(NotAuthentic), "bit {bit}");
    }
    for length in (0..message.len()).step_by(13) {
        assert_eq!(peer.twin(0).hears(&message[..length]), Err(NotAuthentic));
    }
    assert_eq!(peer.snapshot(), before);
}

fn holds(peer: &Peer, bytes: &[u8]) -> bool {
    peer.snapshot().windows(bytes.len()).any(|window| window == bytes)
}

impl Pair {
    /// Alice's next message begins an exchange.
    fn offering(seed: u64) -> Self {
        let mut pair = Self::new(seed);
        pair.turn(2);
        pair.alice.now = NOW.after(RENEWED_EVERY);
        pair
    }

    /// The turn with this number, of Alice if it is odd: one message, opened.
    fn turn(&mut self, number: u32) -> Vec<u8> {
        let (speaker, listener) = match number % 2 {
            1 => (&mut self.alice, &mut self.bob),
            _ => (&mut self.bob, &mut self.alice),
        };
        let message = speaker.says(b"t");
        assert_eq!(listener.hears(&message), Ok(b"t".to_vec()), "turn {number}");
        message
    }

    fn seeds(&self) -> Vec<KemSeed> {
        [&self.alice, &self.bob].iter().filter_map(|peer| peer.ratchet.pq.seed()).collect()
    }
}

/// What a thief can do beyond what was stolen.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Solves {
    Nothing,
    /// The private key of every X25519 key on the wire, whose headers the thief is given as well.
    X25519,
}

/// Somebody who copied the state of both sides and sees all that they send.
struct Thief {
    root: RootKey,
    ratchet_keys: Vec<AgreementSecret>,
    seeds: Vec<KemSeed>,
    solves: Solves,
}

impl Thief {
    fn of(pair: &Pair) -> Self {
        let peers = [&pair.alice, &pair.bob];
        let newest =
            peers.iter().max_by_key(|peer| matches!(peer.ratchet.sending, Sending::Due(_)));
        let ratchet_keys = peers.iter().filter_map(|peer| match &peer.ratchet.sending {
            Sending::Chain(sending) => Some(sending.0.ours.clone()),
            Sending::Due(_) => None,
        });
        Self {
            root: newest.unwrap().ratchet.root.clone(),
            ratchet_keys: ratchet_keys.collect(),
            seeds: pair.seeds(),
            solves: Solves::X25519,
        }
    }

    /// Lets the turn happen; whether the thief has the root key after it.
    fn follows(&mut self, pair: &mut Pair, turn: u32) -> bool {
        let [speaker, listener] = match turn % 2 {
            1 => [&pair.alice, &pair.bob],
            _ => [&pair.bob, &pair.alice],
        };
        assert!(matches!(speaker.ratchet.sending, Sending::Due(_)));
        let theirs = listener.sending().ours.clone();
        pair.turn(turn);
        let speaker = if turn % 2 == 1 { &pair.alice } else { &pair.bob };
        let ours = &speaker.sending().ours;

        let knows = |key: &AgreementSecret| {
            self.solves == Solves::X25519
                || self.ratchet_keys.iter().any(|stolen| stolen.public() == key.public())
        };
        if !knows(&theirs) && !knows(ours) {
            return false;
        }
        let shared = ours.agree(&theirs.public()).unwrap();
        let real = to_bytes(&speaker.ratchet.root);
        let ciphertext: Option<[u8; 1088]> = speaker.ratchet.pq.carried().try_into().ok();
        let renewals = self.seeds.iter().zip(ciphertext.as_ref()).map(|(seed, ciphertext)| {
            let (key, secret) = seed.decapsulate(ciphertext);
            Some(Renewal { secret, transcript: Digest::of_parts(&[&key, ciphertext]) })
        });
        let mut roots: Vec<RootKey> = renewals
            .chain([None])
            .map(|renewal| self.root.turn(&shared, renewal.as_ref()).0)
            .collect();
        let found = roots.iter().position(|root| to_bytes(root) == real);
        self.root = roots.swap_remove(found.unwrap_or(0));
        found.is_some()
    }
}
