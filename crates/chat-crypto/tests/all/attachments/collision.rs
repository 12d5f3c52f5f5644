//! One blob, two keys: what AES-GCM permits and the header and the digest do not.
//!
//! A block of a chunk is chosen so that the tags of two keys are equal, as in the collision of
//! envelopes: the same bytes are a file for Bob and another for Carol.

use chat_core::codec::Digest;
use chat_crypto::attachment::{AttachmentReader, NotAuthentic};

use super::files::{description, opened};
use super::spec::{self, Description, HEADER};
use crate::collision::{hash_key, invert, multiply, power, tag_of};
use crate::spec::Keys;

const FILE: [u8; 4096] = [b'x'; 4096];
/// The block that is chosen.
const FREE: usize = 11;

#[test]
fn a_blob_that_opens_under_two_keys_opens_under_its_header_only() {
    let (mut bob, mut carol) = (with_key(0xb0, None), with_key(0xca, None));
    let blob = colliding_blob(&bob, &carol);
    bob.digest = bob.digest_of(&blob);
    carol.digest = carol.digest_of(&blob);

    // AES-GCM is content with both keys, and with both digests, which are one.
    assert!(opens_alone(&bob, &blob) && opens_alone(&carol, &blob));
    assert_eq!(bob.digest, carol.digest);

    assert_eq!(opened(&description(&bob), &blob).map(|file| file.len()), Ok(FILE.len()));
    assert_eq!(opened(&description(&carol), &blob), Err(NotAuthentic));
    let header = blob[..HEADER].try_into().unwrap();
    assert_eq!(AttachmentReader::new(&description(&carol), header).map(drop), Err(NotAuthentic));
}

/// Two runs of one file key are two keys under one header: the digest tells them apart.
#[test]
fn a_blob_that_opens_in_two_runs_has_a_digest_for_each() {
    let (mut bob, mut carol) = (with_key(0xb0, None), with_key(0xb0, Some([7; 16])));
    let blob = colliding_blob(&bob, &carol);
    bob.digest = bob.digest_of(&blob);
    carol.digest = bob.digest;

    assert!(opens_alone(&bob, &blob) && opens_alone(&carol, &blob));

    assert!(opened(&description(&bob), &blob).is_ok());
    assert_eq!(opened(&description(&carol), &blob), Err(NotAuthentic));
    assert_ne!(carol.digest_of(&blob), bob.digest);
}

fn with_key(key: u8, salt: Option<[u8; 16]>) -> Description {
    let runs = salt.map(|salt| vec![spec::Run { first: 0, salt: salt.into() }]);
    let size = FILE.len() as u64;
    Description { version: 1, key: [key; 32].into(), size, digest: Digest::ZERO, runs }
}

/// A blob of one chunk under the header of `bob`, whose tag holds for `carol` too.
fn colliding_blob(bob: &Description, carol: &Description) -> Vec<u8> {
    let blob = bob.seal_padded(&FILE);
    let (header, chunk) = blob.split_at(HEADER);
    let mut chunk = chunk[..FILE.len()].to_vec();
    chunk[FREE * 16..][..16].fill(0);

    // tag = mask ⊕ sum ⊕ free · Hⁿ under both keys; solve for the free block.
    let (bob, carol) = (keys(bob), keys(carol));
    let blocks_behind = FILE.len() / 16 - FREE + 1;
    let weight = |keys: &Keys| power(hash_key(keys), blocks_behind);
    let difference = tag_of(&bob, &chunk, &[]) ^ tag_of(&carol, &chunk, &[]);
    let free = multiply(difference, invert(weight(&bob) ^ weight(&carol)));
    chunk[FREE * 16..][..16].copy_from_slice(&free.to_be_bytes());

    let tag = tag_of(&bob, &chunk, &[]);
    assert_eq!(tag, tag_of(&carol, &chunk, &[]));
    [header, &chunk, &tag.to_be_bytes()].concat()
}

/// Tells whether the only chunk opens, with nothing else checked.
fn opens_alone(description: &Description, blob: &[u8]) -> bool {
    use aes_gcm::aead::{Aead as _, KeyInit as _};
    let keys = keys(description);
    aes_gcm::Aes256Gcm::new(&keys.key.into()).decrypt(&keys.nonce.into(), &blob[HEADER..]).is_ok()
}

/// What chunk 0, which is the last, is sealed with.
fn keys(description: &Description) -> Keys {
    let (key, prefix) = description.run_key(0);
    Keys { key, nonce: spec::nonce(prefix, 0, true), commitment: [0; 32] }
}
