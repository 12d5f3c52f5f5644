//! One ciphertext, two keys: what AES-GCM permits and the commitment does not.
//!
//! The tag is `E(K, N ‖ 1) ⊕ GHASH(H, …)`, and GHASH is linear in the ciphertext. With two keys in
//! hand, one free block is enough to make the tags equal (Dodis et al., "Fast Message Franking",
//! 2018): a sender could show Bob a text and Carol noise, or, with more work, another text.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use chat_core::codec::{Bytes, Digest, List, to_bytes};
use chat_core::envelope::{Envelope, SealedContent, Suite};
use chat_crypto::envelope::{OpenError, Via, open};
use chat_crypto::wrap::MessageSecret;

use crate::people::{Person, content, header};
use crate::spec;

const BOBS: [u8; 32] = [0xb0; 32];
const CAROLS: [u8; 32] = [0xca; 32];
/// The free block: in the middle of the text, so that Bob's reading stays well-formed.
const FREE: usize = 11;

#[test]
fn a_ciphertext_that_opens_under_two_keys_opens_under_its_commitment_only() {
    let alice = Person::new(1);
    let envelope = colliding_envelope(&alice);

    // AES-GCM is content with both keys.
    assert!(spec::open_padded(&BOBS, &envelope).is_some());
    assert!(spec::open_padded(&CAROLS, &envelope).is_some());
    assert_ne!(spec::open_padded(&BOBS, &envelope), spec::open_padded(&CAROLS, &envelope));

    let open = |secret| {
        let secret = MessageSecret::from_bytes(secret);
        open(&envelope, &secret, &alice.certificate, Via::Session(alice.address))
    };
    assert_eq!(open(BOBS).unwrap().content.kind, "text");
    assert_eq!(open(CAROLS).unwrap_err(), OpenError::NotAuthentic);
}

/// An envelope committed to Bob's secret whose payload carries a valid tag under Carol's too.
fn colliding_envelope(alice: &Person) -> Envelope {
    let header = to_bytes(&header(alice, Suite::Deniable));
    let text = content(alice, &[b'x'; 100]);
    let content = Bytes::new(to_bytes(&text)).unwrap();
    let padded = spec::pad(&to_bytes(&SealedContent { content, signature: None }));
    assert_eq!(padded[FREE * 16..][..16], [b'x'; 16]);

    let (bob, carol) = (spec::keys(&BOBS, &header), spec::keys(&CAROLS, &header));
    let aad = [&header[..], &bob.commitment].concat();
    let mut payload = encrypt(&bob, &padded, &aad);
    payload.truncate(padded.len());
    payload[FREE * 16..][..16].fill(0);

    // tag = mask ⊕ sum ⊕ free · Hⁿ under both keys; solve for the free block.
    let blocks_behind = padded.len() / 16 - FREE + 1;
    let weight = |keys: &spec::Keys| power(hash_key(keys), blocks_behind);
    let without = |keys: &spec::Keys| tag_of(keys, &payload, &aad);
    let difference = without(&bob) ^ without(&carol);
    let free = multiply(difference, invert(weight(&bob) ^ weight(&carol)));
    payload[FREE * 16..][..16].copy_from_slice(&free.to_be_bytes());

    let tag = tag_of(&bob, &payload, &aad);
    payload.extend_from_slice(&tag.to_be_bytes());
    Envelope {
        header: Bytes::new(header).unwrap(),
        commitment: Digest::from_bytes(bob.commitment),
        payload: Bytes::new(payload).unwrap(),
        wraps: List::default(),
    }
}

fn encrypt(keys: &spec::Keys, plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
    Aes256Gcm::new(&keys.key.into())
        .encrypt(&keys.nonce.into(), Payload { msg: plaintext, aad })
        .unwrap()
}

/// The tag that `keys` put behind this ciphertext.
pub(crate) fn tag_of(keys: &spec::Keys, ciphertext: &[u8], aad: &[u8]) -> u128 {
    // Encrypting zeros gives the key stream, and with it the plaintext of the ciphertext.
    let stream = encrypt(keys, &vec![0; ciphertext.len()], aad);
    let plaintext: Vec<u8> = stream.iter().zip(ciphertext).map(|(a, b)| a ^ b).collect();
    let sealed = encrypt(keys, &plaintext, aad);
    assert_eq!(sealed[..ciphertext.len()], *ciphertext);
    u128::from_be_bytes(sealed[ciphertext.len()..].try_into().unwrap())
}

/// GHASH's key: the cipher over a block of zeros.
pub(crate) fn hash_key(keys: &spec::Keys) -> u128 {
    use aes_gcm::aes::cipher::BlockCipherEncrypt as _;
    let mut block = [0; 16].into();
    aes_gcm::aes::Aes256::new(&keys.key.into()).encrypt_block(&mut block);
    u128::from_be_bytes(block.into())
}

/// Multiplication in GHASH's field: NIST SP 800-38D, algorithm 1.
pub(crate) fn multiply(a: u128, b: u128) -> u128 {
    let mut product = 0;
    let mut shifted = b;
    for bit in (0..128).rev() {
        if a >> bit & 1 == 1 {
            product ^= shifted;
        }
        let carry = shifted & 1;
        shifted = (shifted >> 1) ^ (carry * (0xe1 << 120));
    }
    product
}

pub(crate) fn power(base: u128, exponent: usize) -> u128 {
    (1..exponent).fold(base, |product, _| multiply(product, base))
}

/// The inverse of `a`, as its power to 2¹²⁸ - 2.
pub(crate) fn invert(a: u128) -> u128 {
    let mut result = 1 << 127; // the one of this field
    let mut square = a;
    for _ in 1..128 {
        square = multiply(square, square);
        result = multiply(result, square);
    }
    result
}
