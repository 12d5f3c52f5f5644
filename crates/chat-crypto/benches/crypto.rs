//! What sessions cost, beside vodozemac's Olm in the same run.
//!
//! One thread; every figure is the best of several batches, so that whatever else the machine does
//! disturbs it least. Olm has no post-quantum part and no header encryption, and it changes a
//! session in place, where ours gives a new one to be stored. Run with
//! `cargo bench -p chat-crypto --bench crypto`.
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

use chat_crypto::prekey::PrekeySecrets;
use chat_crypto::session::{Decrypted, Sessions};
use people::{NOW, Person, rng};
use vodozemac::olm::{Account, OlmMessage, Session, SessionConfig, SessionPickle};

/// Many short batches: on a busy machine some of them are not interrupted.
const BATCHES: usize = 60;
const TEXT: [u8; 1024] = [b'x'; 1024];
const GAP: usize = 2_000;

fn main() {
    table::head("session, message of 1 KiB");
    starting();
    same_chain();
    turns();
    gap();
    stored();
    sizes();
}

fn starting() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let bundle = bob.bundle.clone().verify(&bob.certificate).unwrap();
    let start = || {
        let mut rng = rng(3);
        let theirs = bob.keyring.identity().key();
        let sessions =
            Sessions::new(bob.address).start(&alice.local(), theirs, &bundle, NOW, &mut rng);
        sessions.unwrap().encrypt(&TEXT, b"", NOW, &mut rng).unwrap()
    };
    let olm_alice = Account::new();
    let mut olm_bob = Account::new();
    let olm_start = |bob: &mut Account| {
        let key = bob.generate_one_time_keys(1).created[0];
        let mut session = olm_alice
            .create_outbound_session(SessionConfig::version_1(), bob.curve25519_key(), key)
            .unwrap();
        let message = session.encrypt(TEXT).unwrap();
        (session, message)
    };
    let key = olm_bob.generate_one_time_keys(1).created[0];
    let bobs = olm_bob.curve25519_key();
    table::time(
        "session from a bundle, first message",
        best(4, || (), |()| start()),
        Some(best(
            4,
            || (),
            |()| {
                let config = SessionConfig::version_1();
                let mut session = olm_alice.create_outbound_session(config, bobs, key).unwrap();
                session.encrypt(TEXT).unwrap()
            },
        )),
        Some(450.0),
    );

    let (first, _) = start();
    let fresh = Sessions::new(alice.address);
    let alices = olm_alice.curve25519_key();
    table::time(
        "session from a first message",
        best(4, || (), |()| decrypt(&bob, &fresh, &alice, &first)),
        Some(best(
            4,
            || {
                let mut bob = Account::new();
                let (_, message) = olm_start(&mut bob);
                (bob, message)
            },
            |(mut bob, message)| {
                let OlmMessage::PreKey(message) = message else { unreachable!() };
                bob.create_inbound_session(SessionConfig::version_1(), alices, &message).unwrap()
            },
        )),
        None,
    );

    table::time(
        "bundle verified",
        best(4, || bob.bundle.clone(), |b| b.verify(&bob.certificate)),
        None,
        None,
    );
    let mut rng = rng(4);
    let prekeys =
        || PrekeySecrets::generate(&bob.device, bob.address, 1, 100, NOW, black_box(&mut rng));
    let mut prekeys = prekeys;
    table::time("prekey set with 100 one-time prekeys", best(1, || (), |()| prekeys()), None, None);
}

fn same_chain() {
    let (ours, olm) = (Pair::new(), OlmPair::new());
    let mut rng = rng(5);
    let mut sending = ours.to_bob.clone();
    let mut olm_sending = copy(&olm.to_bob);
    table::time(
        "encrypt, same chain",
        best(
            200,
            || (),
            |()| {
                let (message, next) = sending.encrypt(&TEXT, b"", NOW, &mut rng).unwrap();
                sending = next;
                message
            },
        ),
        Some(best(200, || (), |()| olm_sending.encrypt(TEXT).unwrap())),
        Some(4.0),
    );

    let mut pair = ours;
    let mut receiving = pair.to_alice.clone();
    let mut olm = olm;
    let mut olm_receiving = copy(&olm.to_alice);
    table::time(
        "decrypt, in order",
        best(
            200,
            || pair.alice_says(),
            |message| {
                let decrypted = decrypt(pair_bob(), &receiving, pair_alice(), &message);
                receiving = decrypted.sessions;
                decrypted.plaintext
            },
        ),
        Some(best(
            200,
            || olm.to_bob.encrypt(TEXT).unwrap(),
            |message| olm_receiving.decrypt(&message).unwrap(),
        )),
        Some(4.0),
    );
}

fn turns() {
    let (mut ours, mut olm) = (Pair::new(), OlmPair::new());
    table::time(
        "two messages with a turn each",
        best(
            4,
            || (),
            |()| {
                let message = ours.alice_says();
                ours.bob_hears(&message);
                let answer = ours.bob_says();
                ours.alice_hears(&answer);
            },
        ),
        Some(best(
            4,
            || (),
            |()| {
                let message = olm.to_bob.encrypt(TEXT).unwrap();
                olm.to_alice.decrypt(&message).unwrap();
                let answer = olm.to_alice.encrypt(TEXT).unwrap();
                olm.to_bob.decrypt(&answer).unwrap();
            },
        )),
        Some(260.0),
    );
}

fn gap() {
    let (mut ours, mut olm) = (Pair::new(), OlmPair::new());
    for _ in 0..GAP {
        ours.alice_says();
        olm.to_bob.encrypt(TEXT).unwrap();
    }
    let message = ours.alice_says();
    let olm_message = olm.to_bob.encrypt(TEXT).unwrap();
    table::time(
        "decrypt after 2 000 missing messages",
        best(2, || (), |()| decrypt(pair_bob(), &ours.to_alice, pair_alice(), &message)),
        Some(best(
            2,
            || copy(&olm.to_alice),
            |mut session| {
                session.decrypt(&olm_message).unwrap();
                session
            },
        )),
        Some(2_000.0),
    );
    ours.bob_hears(&message);
    ours.bob_says();
    let sending = ours.to_alice.clone();
    table::time(
        "encrypt with 1 000 skipped keys kept",
        best(200, || (), |()| sending.encrypt(&TEXT, b"", NOW, &mut rng(6)).unwrap()),
        None,
        None,
    );
}

/// Storing a session and taking it from the store, as every message does.
fn stored() {
    let mut ours = Pair::new();
    let snapshot = ours.to_alice.to_snapshot();
    table::time("session stored", best(200, || (), |()| ours.to_alice.to_snapshot()), None, None);
    let load = best(200, || (), |()| Sessions::from_snapshot(&snapshot).unwrap());
    table::time("session loaded", load, None, None);
    for _ in 0..1_000 {
        ours.alice_says();
    }
    let message = ours.alice_says();
    ours.bob_hears(&message);
    let snapshot = ours.to_alice.to_snapshot();
    let store = best(20, || (), |()| ours.to_alice.to_snapshot());
    table::time("session with 1 000 skipped keys stored", store, None, None);
    let load = best(20, || (), |()| Sessions::from_snapshot(&snapshot).unwrap());
    table::time("session with 1 000 skipped keys loaded", load, None, None);
}

fn sizes() {
    let (mut ours, mut olm) = (Pair::new(), OlmPair::new());
    let message = ours.alice_says();
    let OlmMessage::Normal(olm_message) = olm.to_bob.encrypt(TEXT).unwrap() else { unreachable!() };
    let pickle = serde_json::to_vec(&olm.to_bob.pickle()).unwrap();
    table::head("bytes");
    let (ratchet, olm) = (message.len(), olm_message.to_bytes().len());
    table::bytes("ratchet message of 1 KiB", ratchet, Some(olm), None);
    let idle = ours.to_bob.to_snapshot().len();
    table::bytes("stored session, idle (vodozemac: JSON)", idle, Some(pickle.len()), Some(1024));
}

/// Alice and Bob, past the handshake and the first turns.
struct Pair {
    to_bob: Sessions,
    to_alice: Sessions,
    rng: rand_chacha::ChaCha20Rng,
}

static ALICE: std::sync::LazyLock<Person> = std::sync::LazyLock::new(|| Person::new(1));
static BOB: std::sync::LazyLock<Person> = std::sync::LazyLock::new(|| Person::new(2));

fn pair_alice() -> &'static Person {
    &ALICE
}

fn pair_bob() -> &'static Person {
    &BOB
}

impl Pair {
    fn new() -> Self {
        let to_bob = ALICE.start_with(&BOB, 7);
        let mut pair = Self { to_bob, to_alice: Sessions::new(ALICE.address), rng: rng(8) };
        for _ in 0..2 {
            let message = pair.alice_says();
            pair.bob_hears(&message);
            let answer = pair.bob_says();
            pair.alice_hears(&answer);
        }
        let message = pair.alice_says();
        pair.bob_hears(&message);
        pair
    }

    fn alice_says(&mut self) -> Vec<u8> {
        let (message, next) = self.to_bob.encrypt(&TEXT, b"", NOW, &mut self.rng).unwrap();
        self.to_bob = next;
        message
    }

    fn bob_says(&mut self) -> Vec<u8> {
        let (message, next) = self.to_alice.encrypt(&TEXT, b"", NOW, &mut self.rng).unwrap();
        self.to_alice = next;
        message
    }

    fn bob_hears(&mut self, message: &[u8]) {
        self.to_alice = decrypt(&BOB, &self.to_alice, &ALICE, message).sessions;
    }

    fn alice_hears(&mut self, message: &[u8]) {
        self.to_bob = decrypt(&ALICE, &self.to_bob, &BOB, message).sessions;
    }
}

fn decrypt(reader: &Person, sessions: &Sessions, other: &Person, message: &[u8]) -> Decrypted {
    let theirs = other.keyring.identity().key();
    let prekeys = &[&reader.prekeys];
    sessions
        .decrypt(&reader.local(), &other.certificate, theirs, prekeys, message, b"", NOW)
        .unwrap()
}

/// The same pair with Olm.
struct OlmPair {
    to_bob: Session,
    to_alice: Session,
}

impl OlmPair {
    fn new() -> Self {
        let (alice, mut bob) = (Account::new(), Account::new());
        let key = bob.generate_one_time_keys(1).created[0];
        let config = SessionConfig::version_1();
        let mut to_bob = alice.create_outbound_session(config, bob.curve25519_key(), key).unwrap();
        let OlmMessage::PreKey(first) = to_bob.encrypt(TEXT).unwrap() else { unreachable!() };
        let inbound = bob.create_inbound_session(config, alice.curve25519_key(), &first).unwrap();
        let mut to_alice = inbound.session;
        let answer = to_alice.encrypt(TEXT).unwrap();
        to_bob.decrypt(&answer).unwrap();
        let message = to_bob.encrypt(TEXT).unwrap();
        to_alice.decrypt(&message).unwrap();
        Self { to_bob, to_alice }
    }
}

/// vodozemac's sessions are copied by way of their pickles.
fn copy(session: &Session) -> Session {
    let pickle = serde_json::to_vec(&session.pickle()).unwrap();
    Session::from_pickle(serde_json::from_slice::<SessionPickle>(&pickle).unwrap())
}

/// The best time of one call of `what`, over batches of `times`; `setup` is not counted.
fn best<S, T>(times: u32, mut setup: impl FnMut() -> S, mut what: impl FnMut(S) -> T) -> Duration {
    let batch = |_| {
        let inputs: Vec<S> = (0..times).map(|_| setup()).collect();
        let mut outputs = Vec::with_capacity(inputs.len());
        let started = Instant::now();
        for input in inputs {
            outputs.push(black_box(what(input)));
        }
        started.elapsed() / times
    };
    (0..BATCHES).map(batch).min().unwrap()
}
