//! What envelopes cost: sealing, wrapping for one and for a thousand, opening.
//!
//! One thread; every row is the best of several batches, so that whatever else the machine does
//! disturbs it least. Run with `cargo bench -p chat-crypto --bench envelope`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs
)]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/all/people.rs"]
mod people;
mod table;

use std::hint::black_box;
use std::time::{Duration, Instant};

use chat_core::codec::to_bytes;
use chat_core::envelope::{Envelope, Suite, WrapScheme};
use chat_crypto::envelope::{
    Sealed, Via, open, seal, unwrap_by_chain, unwrap_for_account, unwrap_for_device,
};
use chat_crypto::sender_chain::{Audience, ReceivingChains, SendingChain};
use chat_crypto::session::Sessions;

use people::{LIST, NOW, Person, content, header, rng};

const BATCHES: usize = 7;
const TEXT: [u8; 1024] = [b'x'; 1024];

fn main() {
    let (alice, bob) = (Person::new(1), Person::with_rsa());
    table::head("envelope, 1 KiB of text");
    sessions(&alice, &bob);
    many_devices(&alice);
    sender_chain(&alice);
    for (name, scheme) in [
        ("HPKE X25519", WrapScheme::HpkeX25519),
        ("HPKE X-Wing", WrapScheme::HpkeXwing),
        ("RSA-OAEP 4096", WrapScheme::RsaOaep4096),
    ] {
        accounts(name, scheme, &alice, &bob);
    }
}

/// One device at the other end of a session that was answered.
fn sessions(alice: &Person, bob: &Person) {
    let (to_bob, to_alice) = warm(alice, bob);
    row("envelope for one device", 2_000, Some(8.0), || {
        let mut sealed = sealed(alice, Suite::Deniable);
        black_box(sealed.wrap_for_device(&to_bob, LIST, NOW, &mut rng(5)).unwrap());
        sealed.into_envelope()
    });

    let mut sealed = sealed(alice, Suite::Deniable);
    sealed.wrap_for_device(&to_bob, LIST, NOW, &mut rng(5)).unwrap();
    let envelope = sealed.into_envelope();
    let (whole, wrap) = (to_bytes(&envelope).len(), to_bytes(&envelope.wraps[0]).len());
    table::bytes("envelope for one device", whole, None, Some(1_300));
    table::bytes("more for each further device", wrap, None, Some(150));
    row("opened by that device", 2_000, Some(8.0), || {
        open_on_session(&envelope, alice, bob, &to_alice)
    });
}

fn many_devices(alice: &Person) {
    let mut recipients = Vec::new();
    for seed in 0..1_000 {
        recipients.push(warm(alice, &Person::new(10_000 + seed)).0);
    }
    row("envelope for 1 000 devices on warm sessions", 3, Some(4_000.0), || {
        let mut sealed = sealed(alice, Suite::Deniable);
        for sessions in &recipients {
            black_box(sealed.wrap_for_device(sessions, LIST, NOW, &mut rng(5)).unwrap());
        }
        sealed.into_envelope()
    });
}

fn sender_chain(alice: &Person) {
    let chain = SendingChain::begin(people::CONVERSATION, alice.address, NOW, &mut rng(3));
    let audience = Audience::of(4, chat_core::codec::Digest::ZERO, []);
    let held = ReceivingChains::new(people::CONVERSATION, alice.address)
        .accept(&chain.hand_out(audience), NOW)
        .unwrap();
    row("envelope on a sender chain, for any number of devices", 1_000, None, || {
        let mut sealed = sealed(alice, Suite::Chained);
        black_box(sealed.wrap_by_chain(&chain).unwrap());
        sealed.into_envelope()
    });

    let message = |chain: &SendingChain| {
        let mut sealed = sealed(alice, Suite::Chained);
        let chain = sealed.wrap_by_chain(chain).unwrap();
        (sealed.into_envelope(), chain)
    };
    let (first, next) = message(&chain);
    row("opened by one of them", 1_000, None, || open_on_chain(&first, alice, &held));
    let late = (1..100).fold(next, |chain, _| message(&chain).1);
    let (late, _) = message(&late);
    row("opened after a gap of 100 messages", 200, None, || open_on_chain(&late, alice, &held));
    row("a sender chain begun and handed out, before wrapping", 1_000, None, || {
        chain.replaced(NOW, &mut rng(4)).hand_out(audience)
    });
}

fn open_on_chain(envelope: &Envelope, alice: &Person, held: &ReceivingChains) {
    let unwrapped = unwrap_by_chain(envelope, &envelope.wraps[0], held, NOW).unwrap();
    black_box(open(envelope, &unwrapped.secret, &alice.certificate, unwrapped.via).unwrap());
}

fn accounts(name: &str, scheme: WrapScheme, alice: &Person, bob: &Person) {
    let mut rng = rng(5);
    row(&format!("{name} wraps for 1 000 accounts"), 1, None, || {
        let mut sealed = sealed(alice, Suite::Signed);
        for _ in 0..1_000 {
            sealed.wrap_for_account(&bob.envelope_keys, scheme, LIST, &mut rng).unwrap();
        }
        sealed.into_envelope()
    });

    let envelope = people::signed_envelope(alice, &TEXT, scheme, &[bob]);
    let wrap = &envelope.wraps[0];
    row(&format!("{name} wrap unwrapped, signature checked"), 50, None, || {
        let (secret, _) = unwrap_for_account(&envelope, wrap, &bob.keyring, &mut rng).unwrap();
        open(&envelope, &secret, &alice.certificate, Via::Account).unwrap()
    });
}

fn sealed(alice: &Person, suite: Suite) -> Sealed {
    let signer = (suite == Suite::Signed).then_some(&alice.device);
    seal(&header(alice, suite), &content(alice, &TEXT), signer, &mut rng(4)).unwrap()
}

/// Sessions both ways, after the first message was answered.
fn warm(alice: &Person, bob: &Person) -> (Sessions, Sessions) {
    let mut rng = rng(6);
    let to_bob = alice.start_with(bob, 7);
    let (first, to_bob) = to_bob.encrypt(b"hello", b"", NOW, &mut rng).unwrap();
    let to_alice = Sessions::new(alice.address);
    let to_alice = to_alice
        .decrypt(
            &bob.local(),
            &alice.certificate,
            alice.keyring.identity().key(),
            &[&bob.prekeys],
            &first,
            b"",
            NOW,
        )
        .unwrap()
        .sessions;
    let (answer, to_alice) = to_alice.encrypt(b"hello", b"", NOW, &mut rng).unwrap();
    let to_bob = to_bob
        .decrypt(
            &alice.local(),
            &bob.certificate,
            bob.keyring.identity().key(),
            &[],
            &answer,
            b"",
            NOW,
        )
        .unwrap()
        .sessions;
    // One more each way, so that neither side has a turn of the ratchet before it.
    let (second, to_bob) = to_bob.encrypt(b"hello", b"", NOW, &mut rng).unwrap();
    let to_alice = to_alice
        .decrypt(
            &bob.local(),
            &alice.certificate,
            alice.keyring.identity().key(),
            &[],
            &second,
            b"",
            NOW,
        )
        .unwrap()
        .sessions;
    (to_bob, to_alice)
}

fn open_on_session(envelope: &Envelope, alice: &Person, bob: &Person, sessions: &Sessions) {
    let unwrapped = unwrap_for_device(
        envelope,
        &envelope.wraps[0],
        sessions,
        &bob.local(),
        &alice.certificate,
        alice.keyring.identity().key(),
        &[],
        NOW,
    )
    .unwrap();
    black_box(open(envelope, &unwrapped.secret, &alice.certificate, unwrapped.via).unwrap());
}

/// Prints the best time of `what`, over batches of `times`.
fn row<T>(name: &str, times: u32, aim: Option<f64>, mut what: impl FnMut() -> T) {
    let best = (0..BATCHES)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..times {
                black_box(what());
            }
            start.elapsed() / times
        })
        .min()
        .unwrap_or(Duration::MAX);
    table::time(name, best, None, aim);
}
