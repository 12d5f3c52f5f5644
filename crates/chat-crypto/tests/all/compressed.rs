//! Compressed bodies: what comes back, and what does not blow up.

use chat_core::codec::Bytes;
use chat_core::envelope::{Content, Suite};
use chat_core::limits::PAYLOAD_BYTES_MAX;
use chat_crypto::compression::{BODY_BYTES_MIN, deflated};
use chat_crypto::envelope::{OpenError, Via, open, seal};
use chat_crypto::wrap::MessageSecret;
use miniz_oxide::deflate::compress_to_vec;

use crate::people::{Person, content, header, rng};
use crate::spec;

#[test]
fn what_was_compressed_comes_back_and_is_shorter_on_the_way() {
    let alice = Person::new(1);
    let text = "All happy families are alike. ".repeat(100);
    let plain = content(&alice, text.as_bytes());
    let length = |content: &Content| {
        let header = header(&alice, Suite::Deniable);
        let sealed = seal(&header, content, None, &mut rng(5)).unwrap();
        let secret = sealed.secret().clone();
        let envelope = sealed.into_envelope();
        let via = Via::Session(alice.address);
        let opened = open(&envelope, &secret, &alice.certificate, via).unwrap();
        assert_eq!(opened.content, plain);
        envelope.payload.len()
    };

    assert_eq!(length(&deflated(plain.clone())), 256 + 16);
    assert_eq!(length(&plain), 3_328 + 16);
}

#[test]
fn what_does_not_get_shorter_by_a_step_stays_as_it_is() {
    let alice = Person::new(1);
    let mut noise = vec![0; 2_000];
    rand_core::Rng::fill_bytes(&mut rng(5), &mut noise);
    let short = vec![b'x'; BODY_BYTES_MIN - 1];

    for body in [noise, short, vec![]] {
        let plain = content(&alice, &body);
        assert_eq!(deflated(plain.clone()), plain);
    }
}

#[test]
fn a_body_is_not_compressed_twice() {
    let alice = Person::new(1);
    let once = deflated(content(&alice, &[b'x'; 100_000]));

    assert_eq!(deflated(once.clone()), once);
}

#[test]
fn the_shortest_body_that_is_compressed_is_a_step_of_the_padding_long() {
    let alice = Person::new(1);

    let compressed = deflated(content(&alice, &[b'x'; BODY_BYTES_MIN]));

    assert_eq!(compressed.inflated_length, Some(256));
    assert!(compressed.body.len() < 20);
}

#[test]
fn a_body_that_somebody_says_is_compressed_is_left_alone() {
    let alice = Person::new(1);
    let said = Content { inflated_length: Some(5), ..content(&alice, &[b'x'; 1_000]) };

    assert_eq!(deflated(said.clone()), said);
}

#[test]
fn a_bomb_does_not_go_off() {
    let alice = Person::new(1);
    // A thousand to one: a hundred MiB in a hundred KiB.
    let bomb = compress_to_vec(&vec![0; 100 << 20], 9);
    let most = u32::try_from(PAYLOAD_BYTES_MAX).unwrap();

    for stated in [most, most + 1, 100 << 20, u32::MAX, 0, 1] {
        assert_eq!(refusal(&alice, bomb.clone(), stated), OpenError::NotAuthentic, "{stated}");
    }
}

#[test]
fn a_body_that_is_not_what_it_states_is_refused() {
    let alice = Person::new(1);
    let deflate = compress_to_vec(&[b'x'; 1_000], 6);
    let cut = deflate[..deflate.len() - 1].to_vec();
    let longer = [&deflate[..], &[0]].concat();

    for (body, stated) in
        [(deflate.clone(), 999), (deflate, 1_001), (cut, 1_000), (longer, 1_000), (vec![], 0)]
    {
        assert_eq!(refusal(&alice, body, stated), OpenError::NotAuthentic);
    }
}

fn refusal(sender: &Person, body: Vec<u8>, stated: u32) -> OpenError {
    let secret = [9; 32];
    let content = content(sender, &[]);
    let content =
        Content { body: Bytes::new(body).unwrap(), inflated_length: Some(stated), ..content };
    let header = header(sender, Suite::Deniable);
    let sealed = chat_core::codec::to_bytes(&chat_core::envelope::SealedContent {
        content: Bytes::new(chat_core::codec::to_bytes(&content)).unwrap(),
        signature: None,
    });
    let padded = chat_crypto::padding::pad(&sealed).unwrap();
    let envelope = spec::seal_padded(&secret, &chat_core::codec::to_bytes(&header), &padded);
    let secret = MessageSecret::from_bytes(secret);
    open(&envelope, &secret, &sender.certificate, Via::Session(sender.address)).unwrap_err()
}
