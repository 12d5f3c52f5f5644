use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::chain::CHAIN_LENGTH_MAX;
use super::skipped::{SKIPPED_KEPT_FOR, SKIPPED_KEPT_MAX};
use super::*;
use crate::aead::NotAuthentic;
use crate::secret::SecretBytes;
use crate::snapshot;

mod hostile;
mod post_quantum;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const AD: &[u8] = b"associated";

#[test]
fn a_conversation_goes_both_ways() {
    let mut pair = Pair::new(1);

    for round in 0..20u8 {
        for _ in 0..round % 3 + 1 {
            let message = pair.alice.says(&[round]);
            assert_eq!(pair.bob.hears(&message), Ok(vec![round]));
        }
        let message = pair.bob.says(b"back");
        assert_eq!(pair.alice.hears(&message), Ok(b"back".to_vec()));
    }
}

#[test]
fn messages_open_in_any_order_and_once() {
    let mut pair = Pair::new(2);
    let mut messages: Vec<_> = (0..10u8).map(|number| pair.alice.says(&[number])).collect();
    let answer = pair.bob.says(b"answer");
    pair.alice.hears(&answer).unwrap();
    messages.extend((10..20u8).map(|number| pair.alice.says(&[number])));

    for place in [15, 3, 0, 19, 7, 9, 10, 1, 12, 2] {
        let expected = vec![u8::try_from(place).unwrap()];
        assert_eq!(pair.bob.hears(&messages[place]), Ok(expected));
        assert_eq!(pair.bob.hears(&messages[place]), Err(NotAuthentic), "a replay");
    }
}

#[test]
fn two_thousand_missing_messages_are_bridged_and_one_more_is_not() {
    for (missing, expected) in [(2000, Ok(b"late".to_vec())), (2001, Err(NotAuthentic))] {
        let mut pair = Pair::new(3);
        for _ in 0..missing {
            pair.alice.says(b"lost");
        }
        let message = pair.alice.says(b"late");

        assert_eq!(pair.bob.hears(&message), expected);
    }
}

#[test]
fn of_two_thousand_missing_messages_the_newest_thousand_still_open() {
    let mut pair = Pair::new(4);
    let missing: Vec<_> = (0..2000).map(|_| pair.alice.says(b"missing")).collect();
    let message = pair.alice.says(b"here");
    pair.bob.hears(&message).unwrap();

    assert_eq!(pair.bob.ratchet.skipped.len(), SKIPPED_KEPT_MAX);
    assert_eq!(pair.bob.hears(&missing[999]), Err(NotAuthentic));
    assert!(pair.bob.hears(&missing[1000]).is_ok());
    assert!(pair.bob.hears(&missing[1999]).is_ok());
}

#[test]
fn a_gap_of_more_than_the_limit_is_refused_at_a_turn_as_well() {
    let mut pair = Pair::new(5);
    for _ in 0..2001 {
        pair.alice.says(b"lost");
    }
    let answer = pair.bob.says(b"answer");
    pair.alice.hears(&answer).unwrap();
    let message = pair.alice.says(b"next chain");

    assert_eq!(pair.bob.hears(&message), Err(NotAuthentic));
}

#[test]
fn any_changed_bit_is_not_authentic_and_moves_nothing() {
    let mut pair = Pair::new(6);
    let missing = pair.alice.says(b"missing");
    let message = pair.alice.says(b"hello");
    let before = pair.bob.snapshot();

    for bit in 0..message.len() * 8 {
        let mut changed = message.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(pair.bob.hears(&changed), Err(NotAuthentic));
    }
    for length in 0..message.len() {
        assert_eq!(pair.bob.hears(&message[..length]), Err(NotAuthentic));
    }
    let other = pair.bob.ratchet.open(Message::from_bytes(&message).unwrap(), b"other", NOW);
    assert_eq!(other.map(drop), Err(NotAuthentic));

    assert_eq!(pair.bob.snapshot(), before);
    assert!(pair.bob.hears(&message).is_ok());
    assert!(pair.bob.hears(&missing).is_ok());
}

#[test]
fn opening_gives_the_same_next_state_every_time() {
    let mut pair = Pair::new(7);
    let message = pair.alice.says(b"hello");
    let mut twin = pair.bob.twin(99);

    pair.bob.hears(&message).unwrap();
    twin.hears(&message).unwrap();

    assert_eq!(pair.bob.snapshot(), twin.snapshot());
}

#[test]
fn a_stolen_chain_key_of_a_closed_chain_forges_nothing() {
    let mut pair = Pair::new(8);
    let missing = pair.alice.says(b"still on the road");
    let mut thief = pair.alice.twin(8);
    for message in [pair.bob.says(b"b"), pair.bob.says(b"b")] {
        pair.alice.hears(&message).unwrap();
    }
    let next = pair.alice.says(b"next chain");
    pair.bob.hears(&next).unwrap();

    // The thief has everything that Alice's device had: chain key, header key, ratchet key.
    for _ in 0..5 {
        let forged = thief.says(b"forged");
        assert_eq!(pair.bob.hears(&forged), Err(NotAuthentic));
    }
    assert!(pair.bob.hears(&missing).is_ok(), "what was sent before the turn still opens");
}

#[test]
fn a_thief_is_shut_out_by_the_next_turn_of_each_side() {
    let mut pair = Pair::new(9);
    let mut thief = pair.alice.twin(9);
    for _ in 0..2 {
        let answer = pair.bob.says(b"b");
        pair.alice.hears(&answer).unwrap();
        let message = pair.alice.says(b"a");
        pair.bob.hears(&message).unwrap();
    }
    let message = pair.bob.says(b"secret again");

    assert_eq!(thief.hears(&message), Err(NotAuthentic));
}

#[test]
fn a_key_that_was_used_is_nowhere_in_the_state() {
    let mut pair = Pair::new(10);
    let first = pair.alice.says(b"first");
    let second = pair.alice.says(b"second");
    pair.bob.hears(&second).unwrap();
    let (key, _) =
        pair.bob.ratchet.skipped.take(&pair.bob.receiving().header_key.clone(), 1).unwrap();
    let chain = pair.bob.receiving().chain.clone();
    let secret = |bytes: &[u8]| bytes[bytes.len() - 32..].to_vec();
    let key = secret(&chat_core::codec::to_bytes(&key));
    let chain = chat_core::codec::to_bytes(&chain);
    let chain = chain[chain.len() - 34..chain.len() - 2].to_vec();
    let holds = |state: &[u8], key: &[u8]| state.windows(32).any(|window| window == key);
    assert!(holds(&pair.bob.snapshot(), &key) && holds(&pair.bob.snapshot(), &chain));

    pair.bob.hears(&first).unwrap();
    assert!(!holds(&pair.bob.snapshot(), &key), "the skipped key is gone");
    let third = pair.alice.says(b"third");
    pair.bob.hears(&third).unwrap();
    assert!(!holds(&pair.bob.snapshot(), &chain), "the chain key is gone");
}

#[test]
fn skipped_keys_are_gone_after_seven_days() {
    let mut pair = Pair::new(11);
    let missing = pair.alice.says(b"missing");
    let message = pair.alice.says(b"here");
    pair.bob.hears(&message).unwrap();
    let later = NOW.after(SKIPPED_KEPT_FOR);

    let opened = pair.bob.ratchet.open(Message::from_bytes(&missing).unwrap(), AD, later);

    assert_eq!(opened.map(drop), Err(NotAuthentic));
    assert!(pair.bob.ratchet.has_expired_keys(later));
    assert_eq!(pair.bob.ratchet.without_expired_keys(later).skipped.len(), 0);
}

#[test]
fn a_message_is_73_bytes_longer_than_its_plaintext_and_at_most_1273() {
    assert_eq!((OVERHEAD_BYTES, OVERHEAD_BYTES_MAX), (73, 1_273));
}

#[test]
fn nothing_has_expired_a_moment_before_seven_days_or_where_nothing_was_skipped() {
    let mut pair = Pair::new(11);
    let message = pair.alice.says(b"here");
    pair.bob.hears(&message).unwrap();
    let later = NOW.after(SKIPPED_KEPT_FOR);
    assert!(!pair.bob.ratchet.has_expired_keys(later));

    pair.alice.says(b"missing");
    let message = pair.alice.says(b"here");
    pair.bob.hears(&message).unwrap();

    let just_before = Timestamp::from_millis(later.as_millis() - 1);
    assert!(!pair.bob.ratchet.has_expired_keys(just_before));
    assert!(pair.bob.ratchet.has_expired_keys(later));
}

#[test]
fn a_sealed_message_takes_room_once() {
    let mut pair = Pair::new(13);

    // A vector that grows leaves plaintext behind.
    for length in [0, 32, 5_000] {
        let message = pair.alice.says(&vec![7; length]);
        assert_eq!((message.len(), message.capacity()), (73 + length, 73 + length));
    }
}

#[test]
fn a_chain_at_its_end_seals_nothing_until_it_is_answered() {
    let mut pair = Pair::new(12);
    pair.alice.says(b"begins the chain");
    if let Sending::Chain(sending) = &mut pair.alice.ratchet.sending {
        let chain = sending.0.chain.clone().at(CHAIN_LENGTH_MAX);
        *sending = Shared::new((SendingChain { chain, ..sending.0.clone() },));
    }
    let sealed =
        pair.alice.ratchet.seal_onto(&mut Vec::new(), b"more", AD, NOW, &mut pair.alice.rng);
    assert_eq!(sealed.err(), Some(SealError::Exhausted(Exhausted)));

    let answer = pair.bob.says(b"answer");
    pair.alice.hears(&answer).unwrap();

    assert!(!pair.alice.says(b"a new chain").is_empty());
}

#[test]
fn a_message_shows_neither_key_nor_counter() {
    let mut pair = Pair::new(14);
    let messages: Vec<_> = (0..4).map(|_| pair.alice.says(b"the same")).collect();

    for (place, message) in messages.iter().enumerate() {
        assert_eq!(message.len(), OVERHEAD_BYTES + 8);
        for other in &messages[place + 1..] {
            let alike = message.iter().zip(other).filter(|(a, b)| a == b).count();
            assert!(alike < 8, "{alike} bytes in common");
        }
    }
}

struct Peer {
    ratchet: Ratchet,
    rng: ChaCha20Rng,
    now: Timestamp,
}

impl Peer {
    /// Somebody with the same state, who draws other numbers.
    fn twin(&self, seed: u64) -> Self {
        let rng = ChaCha20Rng::seed_from_u64(seed);
        Self { ratchet: self.ratchet.clone(), rng, now: self.now }
    }

    fn says(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        self.ratchet =
            self.ratchet.seal_onto(&mut message, plaintext, AD, self.now, &mut self.rng).unwrap();
        message
    }

    fn hears(&mut self, message: &[u8]) -> Result<Vec<u8>, NotAuthentic> {
        let message = Message::from_bytes(message).ok_or(NotAuthentic)?;
        let (plaintext, next) = self.ratchet.open(message, AD, self.now)?;
        self.ratchet = next;
        Ok(plaintext.to_vec())
    }

    fn snapshot(&self) -> Vec<u8> {
        snapshot::write(1, &self.ratchet).to_vec()
    }

    fn receiving(&self) -> &ReceivingChain {
        self.ratchet.receiving.current.as_ref().unwrap()
    }

    fn sending(&self) -> &SendingChain {
        let Sending::Chain(sending) = &self.ratchet.sending else { panic!("a turn is due") };
        &sending.0
    }
}

/// Alice has sent one message, and Bob has opened it.
struct Pair {
    alice: Peer,
    bob: Peer,
}

impl Pair {
    fn new(seed: u64) -> Self {
        Self::begun_with(HandshakeKem::OneTime, seed)
    }

    fn begun_with(kem: HandshakeKem, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let signed_prekey = AgreementSecret::generate(&mut rng);
        let ratchet = Ratchet::initiate(session_key(), signed_prekey.public(), 1, kem, NOW);
        let mut alice = Peer { ratchet, rng: rng.clone(), now: NOW };
        let first = alice.says(b"first");
        let first = Message::from_bytes(&first).unwrap();
        let begun = Ratchet::respond(session_key(), &signed_prekey, kem, first, AD, NOW).unwrap();
        assert_eq!((begun.plaintext.as_slice(), begun.number), (&b"first"[..], 1));
        let rng = ChaCha20Rng::seed_from_u64(!seed);
        Self { alice, bob: Peer { ratchet: begun.ratchet, rng, now: NOW } }
    }

    /// Bob says something, then Alice: two turns.
    fn round_trip(&mut self) {
        let message = self.bob.says(b"b");
        self.alice.hears(&message).unwrap();
        let message = self.alice.says(b"a");
        self.bob.hears(&message).unwrap();
    }
}

/// A message of this chain's next number, with this header, whatever it says.
fn forge(sending: &SendingChain, header: Header, extension: &[u8]) -> Vec<u8> {
    let sealed = sending.header_key.seal(header);
    let mut message = sealed.to_vec();
    if !extension.is_empty() {
        sending.header_key.seal_extension(&mut message, extension, &sealed, header.number);
    }
    let (_, key) = sending.chain.clone().step().unwrap();
    let front = message.clone();
    key.seal_onto(&mut message, b"forged", &[AD, &front].concat());
    message
}

fn session_key() -> SessionKey {
    SessionKey(SecretBytes::new([7; 32]))
}
