use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::session::people::Person;

#[test]
fn both_sides_agree_with_and_without_a_one_time_prekey() {
    for one_time in [0, 1] {
        let (alice, bob) = (Person::new(1, 0), Person::new(2, one_time));

        let (key, header) = alice.starts_with(&bob);

        assert_eq!(header.one_time.is_some(), one_time == 1);
        assert_eq!(bytes(&bob.answers(&alice, &header).unwrap()), bytes(&key));
    }
}

#[test]
fn the_header_has_the_length_and_the_fields_that_are_written_down() {
    let (alice, bob) = (Person::new(1, 0), Person::new(2, 1));
    let (_, header) = alice.starts_with(&bob);

    let encoded = header.to_bytes();

    assert_eq!(encoded.len(), 1606);
    assert_eq!(encoded[..6], [0, 0, 0, 1, 0, 0]);
    assert_eq!(encoded[6..38], *header.ephemeral.as_bytes());
    let again = HandshakeHeader::from_bytes(encoded[..].try_into().unwrap()).unwrap();
    assert_eq!(again.to_bytes(), encoded);
}

#[test]
fn every_changed_byte_of_the_header_gives_another_key_or_none() {
    let (alice, bob) = (Person::new(1, 0), Person::new(2, 2));
    let (key, header) = alice.starts_with(&bob);
    let encoded: [u8; HEADER_BYTES] = header.to_bytes().try_into().unwrap();

    for place in (0..64).chain((64..HEADER_BYTES).step_by(97)) {
        let mut changed = encoded;
        changed[place] ^= 1;
        let header = HandshakeHeader::from_bytes(&changed).unwrap();
        if let Ok(other) = bob.answers(&alice, &header) {
            assert_ne!(bytes(&other), bytes(&key), "byte {place}");
        }
    }
}

#[test]
fn whoever_takes_the_initiator_for_somebody_else_gets_another_key() {
    let (alice, bob, carol) = (Person::new(1, 0), Person::new(2, 1), Person::new(3, 0));
    let (key, header) = alice.starts_with(&bob);
    let answers_to =
        |them: Party| respond(&bob.party(), &bob.device, &them, &bob.prekeys, &header).unwrap();
    let (right, wrong) = (alice.party(), carol.party());

    assert_eq!(bytes(&answers_to(right)), bytes(&key));
    for them in [
        Party { address: wrong.address, ..right },
        Party { identity: wrong.identity, ..right },
        Party { agreement: wrong.agreement, ..right },
    ] {
        assert_ne!(bytes(&answers_to(them)), bytes(&key));
    }
}

#[test]
fn a_spent_prekey_answers_no_handshake() {
    let (alice, mut bob) = (Person::new(1, 0), Person::new(2, 1));
    let (_, header) = alice.starts_with(&bob);

    bob.prekeys.spend(0);

    assert_eq!(bob.answers(&alice, &header).err(), Some(HandshakeError::UnknownPrekey));
}

#[test]
fn keys_of_small_order_are_refused_on_both_sides() {
    let (alice, bob) = (Person::new(1, 0), Person::new(2, 1));
    let (_, mut header) = alice.starts_with(&bob);
    header.ephemeral = AgreementKey::from_bytes([0; 32]);
    let mut them = alice.party();
    them.agreement = AgreementKey::from_bytes([0; 32]);
    let mut bundle = bob.bundle();
    bundle.one_time.as_mut().unwrap().agreement = AgreementKey::from_bytes([0; 32]);

    let unusable = Some(HandshakeError::UnusableKey);
    assert_eq!(bob.answers(&alice, &header).err(), unusable);
    let (_, header) = alice.starts_with(&bob);
    let answered = respond(&bob.party(), &bob.device, &them, &bob.prekeys, &header);
    assert_eq!(answered.err(), unusable);
    let started = initiate(
        &alice.party(),
        &alice.device,
        bob.identity.key(),
        &bundle,
        &mut ChaCha20Rng::seed_from_u64(9),
    );
    assert_eq!(started.err(), unusable);
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

fn bytes(key: &SessionKey) -> [u8; 32] {
    *key.0.as_bytes()
}

impl Person {
    fn starts_with(&self, other: &Self) -> (SessionKey, HandshakeHeader) {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let theirs = other.identity.key();
        initiate(&self.party(), &self.device, theirs, &other.bundle(), &mut rng).unwrap()
    }

    fn answers(
        &self,
        other: &Self,
        header: &HandshakeHeader,
    ) -> Result<SessionKey, HandshakeError> {
        respond(&self.party(), &self.device, &other.party(), &self.prekeys, header)
    }
}
