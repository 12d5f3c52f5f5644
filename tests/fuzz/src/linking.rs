//! Linking a device: each step takes the message that is due, or ends the linking.
//!
//! ```text
//!  which ‖ message          which mod 8: the step; which / 8 mod 2: who shows the code
//!
//!  0  a code that was scanned           4  the introduction, at the existing device
//!  1  the hello, also of a code that    5  the admission, at the new one
//!     stands for whatever came          6  the receipt, at the existing one
//!  2  the answer    3  the reveal
//! ```
//!
//! What comes before the step is always the same two devices. From 4 on messages are sealed, so
//! that only the very bytes open; what is in them is read by `snapshots`, in an admission's.

use std::sync::LazyLock;

use chat_core::codec::{Digest, List};
use chat_core::device::{
    self, AccountDevices, DeviceCertificate, DeviceList, ListedDevice, PublishedDevices,
};
use chat_core::envelope::WrapScheme;
use chat_core::id::DeviceId;
use chat_core::signed::Unverified;
use chat_crypto::identity::DeviceSecrets;
use chat_crypto::keyring::KeyringLock;
use chat_crypto::linking::{
    Admission, Admitted, Answered, Candidate, Comparing, Confirmed, Existing, Introduced, LIFETIME,
    LinkCode, LinkError, MESSAGE_BYTES_MAX, New, Scanned, Showing, Side, VERSION,
};
use chat_crypto::recovery::RecoveryPhrase;

use crate::people::{BOB, NOW, rng};

const STEPS: u8 = 7;
/// Set in `which`: the existing device shows the code.
const EXISTING_SHOWS: u8 = 8;

/// What stays the same in every linking: Bob's account and the device that joins it.
struct World {
    devices: AccountDevices,
    lock: KeyringLock,
    joining: DeviceSecrets,
    id: DeviceId,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let rng = &mut rng(20);
    let phrase = RecoveryPhrase::generate(rng);
    let (_, lock) = BOB.keyring.seal(1, &[0xe1; 64], &phrase, rng);
    let (joining, id) = (DeviceSecrets::generate(rng), DeviceId::random(rng));
    World { devices: devices(), lock, joining, id }
});

/// The messages of a linking in which nobody disturbs, by who shows the code: new, existing.
static HONEST: LazyLock<[Honest; 2]> =
    LazyLock::new(|| [honest::<New, Existing>(pairing), honest::<Existing, New>(existing_shows)]);

struct Honest {
    /// From the code to the receipt, by step.
    messages: [Vec<u8>; 7],
    /// With which either device says no.
    cancels: [Vec<u8>; 2],
}

/// The step that `bytes` name, with the message that they carry.
///
/// # Panics
///
/// When it goes on with a message that nobody sent.
pub fn linking(bytes: &[u8]) {
    let [which, message @ ..] = bytes else { return };
    let step = (which % EXISTING_SHOWS).min(STEPS - 1);
    let existing_shows = which & EXISTING_SHOWS != 0;
    let honest = &HONEST[usize::from(existing_shows)];
    match step {
        0 => code(message),
        1..=3 if existing_shows => pair::<Existing, New>(step, message, honest),
        1..=3 => pair::<New, Existing>(step, message, honest),
        _ => transfer(step, message, existing_shows, honest),
    }
}

fn code(bytes: &[u8]) {
    let Ok(code) = LinkCode::read(bytes, NOW) else { return };
    assert_eq!(code.as_bytes(), bytes, "it is read as it was scanned");
    let is_new = Scanned::<New>::of(code.clone()).is_ok();
    assert_ne!(is_new, Scanned::<Existing>::of(code).is_ok(), "one of two may scan it");
}

fn pair<A: Side, B: Side>(step: u8, message: &[u8], honest: &Honest) {
    let is_due = message == honest.messages[usize::from(step)];
    match step {
        1 => {
            let expecting = scanned::<B>(showing::<A>().code().as_bytes());
            let error = expecting.answer(message, NOW, &mut rng(22)).map(drop).err();
            assert_eq!(error, (!is_due).then_some(LinkError::NotAuthentic));
            let misled = scanned::<B>(&code_for::<A>(message));
            if let Ok((_, answer)) = misled.answer(message, NOW, &mut rng(22)) {
                assert!(message.len().max(answer.len()) <= MESSAGE_BYTES_MAX);
            }
        }
        2 => {
            let Ok((shower, reveal)) = showing::<A>().answered(message, NOW) else {
                assert!(!is_due, "a good answer was refused");
                return;
            };
            assert_eq!(reveal, honest.messages[3], "the nonce was drawn before");
            let scanner = answered::<A, B>().revealed(&reveal, NOW).expect("it is the nonce");
            assert_eq!(shower.emoji() == scanner.emoji(), is_due, "the emoji tell who answered");
        }
        _ => match answered::<A, B>().revealed(message, NOW) {
            Ok(scanner) => {
                let (shower, _) = pairing::<A, B>();
                assert_eq!(shower.emoji(), scanner.emoji(), "another nonce than was committed to");
            }
            Err(_) => assert!(!is_due, "a good nonce was refused"),
        },
    }
}

fn transfer(step: u8, message: &[u8], existing_shows_code: bool, honest: &Honest) {
    let (new, existing) =
        if existing_shows_code { existing_shows() } else { pairing::<New, Existing>() };
    let error = match step {
        4 => existing.confirm().introduced(message, NOW).map(drop).err(),
        5 => introduced(new).0.admitted(message, &WORLD.joining, NOW).map(drop).err(),
        _ => {
            let (confirmed, (_, introduction)) = (existing.confirm(), introduced(new));
            let (admitted, _) = admitted(confirmed, &introduction);
            admitted.received(message, NOW).map(drop).err()
        }
    };
    let is_due = message == honest.messages[usize::from(step)];
    assert_eq!(error.is_none(), is_due, "nobody sent this");
    let is_cancel = honest.cancels.iter().any(|cancel| cancel == message);
    assert!(is_cancel || error != Some(LinkError::Cancelled), "nobody said no");
}

fn showing<A: Side>() -> Showing<A> {
    Showing::begin(NOW, &mut rng(21))
}

fn scanned<B: Side>(code: &[u8]) -> Scanned<B> {
    Scanned::of(LinkCode::read(code, NOW).expect("it is good")).expect("it is the other one's")
}

fn answered<A: Side, B: Side>() -> Answered<B> {
    answer::<A, B>().0
}

fn answer<A: Side, B: Side>() -> (Answered<B>, Vec<u8>) {
    let showing = showing::<A>();
    let scanned = scanned::<B>(showing.code().as_bytes());
    scanned.answer(showing.hello(), NOW, &mut rng(22)).expect("it is the hello")
}

fn pairing<A: Side, B: Side>() -> (Comparing<A>, Comparing<B>) {
    let (answered, answer) = answer::<A, B>();
    let (shower, reveal) = showing::<A>().answered(&answer, NOW).expect("it is the answer");
    (shower, answered.revealed(&reveal, NOW).expect("it is the nonce"))
}

fn existing_shows() -> (Comparing<New>, Comparing<Existing>) {
    let (existing, new) = pairing::<Existing, New>();
    (new, existing)
}

fn honest<A: Side, B: Side>(both: fn() -> (Comparing<New>, Comparing<Existing>)) -> Honest {
    let showing = showing::<A>();
    let (code, hello) = (showing.code().as_bytes().to_vec(), showing.hello().to_vec());
    let (_, answer) = answer::<A, B>();
    let (_, reveal) = showing.answered(&answer, NOW).expect("it is the answer");
    let (new, existing) = both();
    let (introduced, introduction) = introduced(new);
    let (admitted, admission) = admitted(existing.confirm(), &introduction);
    let (_, receipt) =
        introduced.admitted(&admission, &WORLD.joining, NOW).expect("it is the admission");
    admitted.received(&receipt, NOW).expect("it is the receipt");
    let (new, existing) = both();
    Honest {
        messages: [code, hello, answer, reveal, introduction, admission, receipt],
        cancels: [new.cancel(), existing.cancel()],
    }
}

fn introduced(new: Comparing<New>) -> (Introduced, Vec<u8>) {
    let schemes = List::new(vec![WrapScheme::Ratchet]).expect("one is few");
    new.confirm(WORLD.id, &WORLD.joining, schemes)
}

fn admitted(confirmed: Confirmed, introduction: &[u8]) -> (Admitted, Vec<u8>) {
    let candidate: Candidate = confirmed.introduced(introduction, NOW).expect("it is good");
    let World { devices, lock, .. } = &*WORLD;
    candidate.admit(&BOB.keyring, lock, devices, NOW, &mut rng(23)).expect("it is new")
}

/// A code that stands for `hello`, as somebody draws it who made up both.
fn code_for<A: Side>(hello: &[u8]) -> Vec<u8> {
    let digest = Digest::of(hello);
    let expires = NOW.after(LIFETIME).as_millis().to_be_bytes();
    let fields = [&[0xa5, 0, VERSION, 1, 0x50][..], &[7; 16], &[2, A::ROLE as u8, 3, 0x58, 0x20]];
    [fields.concat(), digest.as_bytes().to_vec(), vec![4, 0x1b], expires.to_vec()].concat()
}

/// Bob's devices: one.
fn devices() -> AccountDevices {
    let certificate: &Unverified<DeviceCertificate> = BOB.certificate.source();
    let identity = BOB.keyring.identity();
    let listed = ListedDevice {
        device: BOB.address.device,
        certificate: BOB.certificate.digest(),
        removed_at: None,
    };
    let list = DeviceList {
        version: device::VERSION,
        account: BOB.address.account,
        number: 1,
        previous: Digest::ZERO,
        devices: List::new(vec![listed]).expect("one is few"),
        created_at: NOW,
    };
    let published = PublishedDevices {
        identity_key: identity.key(),
        list: identity.sign_list(&list),
        certificates: List::new(vec![certificate.clone()]).expect("one is few"),
    };
    AccountDevices::verify(BOB.address.account, published).expect("we signed it")
}

/// An admission as the new device stores it.
pub(crate) fn admission() -> Admission {
    let (new, existing) = pairing::<New, Existing>();
    let (introduced, introduction) = introduced(new);
    let (_, admission) = admitted(existing.confirm(), &introduction);
    introduced.admitted(&admission, &WORLD.joining, NOW).expect("it is good").0
}

/// Each message of both linkings where it is due, and both ways to say no.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let at = |which: u8, message: &Vec<u8>| [&[which][..], message].concat();
    let of = |(high, honest): (u8, &Honest)| {
        let steps = (0..STEPS).zip(&honest.messages).map(|(step, it)| at(step + high, it));
        let noes = honest.cancels.iter().flat_map(|no| [4, 5].map(|step| at(step + high, no)));
        steps.chain(noes).collect::<Vec<_>>()
    };
    [0, EXISTING_SHOWS].into_iter().zip(HONEST.iter()).flat_map(of).collect()
}
