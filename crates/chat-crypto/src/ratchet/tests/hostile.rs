//! Messages from somebody who has keys, and does with them what nobody should.

use super::*;

/// Encodings of all points of small order, on Curve25519 and its twist, that a decoder may meet:
/// canonical, not reduced, and with the bit set that X25519 ignores (RFC 7748 §5).
fn small_order() -> Vec<[u8; 32]> {
    let little_endian = |low: u8, rest: u8, high: u8| {
        let mut bytes = [rest; 32];
        (bytes[0], bytes[31]) = (low, high);
        bytes
    };
    let mut encodings = vec![
        little_endian(0, 0, 0),
        little_endian(1, 0, 0),
        // p - 1, p, p + 1
        little_endian(0xec, 0xff, 0x7f),
        little_endian(0xed, 0xff, 0x7f),
        little_endian(0xee, 0xff, 0x7f),
        // The two of order 8.
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
            0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16,
            0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83,
            0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd,
            0xd0, 0x9f, 0x11, 0x57,
        ],
    ];
    let with_high_bit: Vec<_> = encodings.iter().map(|key| with_high_bit(*key)).collect();
    encodings.extend(with_high_bit);
    encodings
}

fn with_high_bit(mut key: [u8; 32]) -> [u8; 32] {
    key[31] |= 0x80;
    key
}

#[test]
fn a_ratchet_key_of_small_order_is_refused_in_every_encoding() {
    let mut pair = Pair::turned(1);
    let began = pair.alice.says(b"begins a chain");
    let before = pair.bob.snapshot();

    for key in small_order() {
        let forged = pair.alice.forges(Header {
            ratchet_key: AgreementKey::from_bytes(key),
            previous: 1,
            number: 1,
            carries: Carries::Nothing,
        });
        assert_eq!(pair.bob.hears(&forged), Err(NotAuthentic), "{key:02x?}");
    }

    assert_eq!(pair.bob.snapshot(), before);
    assert_eq!(pair.bob.hears(&began), Ok(b"begins a chain".to_vec()));
}

/// Both encodings are the same key to X25519, so both sides go on alike.
#[test]
fn a_ratchet_key_in_another_encoding_leads_to_the_same_chain() {
    let mut pair = Pair::turned(2);
    let began = pair.alice.says(b"begins a chain");
    let ours = pair.alice.sending().ours.public();
    let ratchet_key = AgreementKey::from_bytes(with_high_bit(*ours.as_bytes()));

    let forged = pair.alice.forges(Header {
        ratchet_key,
        previous: 1,
        number: 1,
        carries: Carries::Nothing,
    });

    assert_eq!(pair.bob.hears(&forged), Ok(b"forged".to_vec()));
    assert_eq!(pair.bob.hears(&began), Ok(b"begins a chain".to_vec()));
    let answer = pair.bob.says(b"answer");
    assert_eq!(pair.alice.hears(&answer), Ok(b"answer".to_vec()));
}

#[test]
fn huge_counters_are_refused_at_once() {
    let mut pair = Pair::turned(3);
    let began = pair.alice.says(b"begins a chain");
    let ratchet_key = pair.alice.sending().ours.public();
    let carries = Carries::Nothing;
    let before = pair.bob.snapshot();

    for (previous, number) in [
        (u32::MAX, 1),
        (CHAIN_LENGTH_MAX, 1),
        (2002, 1),
        (0, 1),
        (1, u32::MAX),
        (1, CHAIN_LENGTH_MAX),
        (1, 2001),
        (u32::MAX, u32::MAX),
    ] {
        let forged = pair.alice.forges(Header { ratchet_key, previous, number, carries });
        assert_eq!(pair.bob.hears(&forged), Err(NotAuthentic), "{previous}, {number}");
    }

    assert_eq!(pair.bob.snapshot(), before);
    assert!(pair.bob.hears(&began).is_ok());
}

#[test]
fn a_message_forged_with_a_chain_key_stolen_three_turns_ago_is_refused() {
    let mut pair = Pair::new(4);
    let missing = pair.alice.says(b"still on the road");
    let mut thief = pair.alice.twin(8);
    pair.round_trip();
    let answer = pair.bob.says(b"the third turn");
    pair.alice.hears(&answer).unwrap();

    for _ in 0..20 {
        let forged = thief.says(b"forged");
        assert_eq!(pair.bob.hears(&forged), Err(NotAuthentic));
    }
    assert_eq!(pair.bob.hears(&missing), Ok(b"still on the road".to_vec()));
}

/// Whoever records everything, and takes both devices at the end, reads nothing of it.
#[test]
fn nothing_that_was_opened_opens_with_what_is_left() {
    let mut pair = Pair::new(5);
    let mut recorded = Vec::new();
    for turn in 0..70 {
        for _ in 0..=turn % 3 {
            let message = pair.bob.says(b"to alice");
            assert!(pair.alice.hears(&message).is_ok());
            recorded.push(message);
        }
        let message = pair.alice.says(b"to bob");
        assert!(pair.bob.hears(&message).is_ok());
        recorded.push(message);
    }

    for message in &recorded {
        assert_eq!(pair.alice.twin(1).hears(message), Err(NotAuthentic));
        assert_eq!(pair.bob.twin(1).hears(message), Err(NotAuthentic));
    }
}

impl Pair {
    /// Bob has answered, so Alice's next message begins a chain.
    fn turned(seed: u64) -> Self {
        let mut pair = Self::new(seed);
        let answer = pair.bob.says(b"answer");
        pair.alice.hears(&answer).unwrap();
        pair
    }
}

impl Peer {
    /// A message with any header, under the key that its chain has next.
    fn forges(&self, header: Header) -> Vec<u8> {
        forge(self.sending(), header, &[])
    }
}
