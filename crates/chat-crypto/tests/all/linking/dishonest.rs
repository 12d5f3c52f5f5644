//! A device at the other end that holds the channel's keys and says what it should not.

use chat_core::codec::Digest;
use chat_core::device::DeviceCertificate;
use chat_core::id::{DeviceAddress, DeviceId};
use chat_core::key::signature_input;
use chat_core::label;
use chat_core::signed::Unverified;
use chat_crypto::identity::DeviceSecrets;
use chat_crypto::linking::{
    Candidate, Comparing, Existing, LinkCode, LinkError, MESSAGE_BYTES_MAX, New, Scanned, Side,
};
use ed25519_dalek::{Signer as _, SigningKey};
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};

use crate::household::{Household, NewDevice, scan, schemes};
use crate::linking_spec::{
    self as spec, ADMISSION, Agreement, EXISTING, INTRODUCTION, NEW, RECEIPT, Shower,
};
use crate::people::{NOW, Person, rng};

const EXPIRES_AT: u64 = NOW.as_millis() + 600_000;
/// Points of order 1, 2 and 4 on Curve25519 and its twist.
const SMALL_ORDER: [[u8; 32]; 3] = [[0; 32], ending_in(1, 0), {
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    minus_one[31] = 0x7f;
    minus_one
}];

const fn ending_in(first: u8, last: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// What an admission holds, borrowed from what was sealed.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Admission<'a> {
    #[n(0)]
    certificate: Unverified<DeviceCertificate>,
    #[b(1)]
    identity_key: &'a ByteSlice,
    #[b(2)]
    lock: &'a ByteSlice,
    #[n(3)]
    list: u32,
    #[n(4)]
    list_digest: Digest,
    #[b(5)]
    ephemeral: &'a ByteSlice,
}

#[test]
fn codes_of_another_version_shape_or_role_are_unreadable() {
    let read = |code: &[u8]| LinkCode::read(code, NOW).map(drop);
    let right = spec::code(1, &[1; 16], NEW, &[2; 32], EXPIRES_AT);
    assert_eq!(read(&right), Ok(()));

    let broken = [
        spec::code(2, &[1; 16], NEW, &[2; 32], EXPIRES_AT),
        spec::code(0, &[1; 16], NEW, &[2; 32], EXPIRES_AT),
        spec::code(1, &[1; 15], NEW, &[2; 32], EXPIRES_AT),
        spec::code(1, &[1; 17], NEW, &[2; 32], EXPIRES_AT),
        spec::code(1, &[1; 16], 0, &[2; 32], EXPIRES_AT),
        spec::code(1, &[1; 16], 3, &[2; 32], EXPIRES_AT),
        spec::code(1, &[1; 16], NEW, &[2; 31], EXPIRES_AT),
        [&right[..], &[0]].concat(),
    ];
    for code in &broken {
        assert_eq!(read(code), Err(LinkError::Unreadable), "{code:02x?}");
    }
    for length in 0..right.len() {
        assert_eq!(read(&right[..length]), Err(LinkError::Unreadable), "{length} bytes");
    }
}

#[test]
fn hellos_of_another_version_or_with_no_key_are_unreadable() {
    let public = spec::public(&[7; 32]);
    let out_of_field = vec![0xff; 1216];
    let hellos = [
        spec::hello(2, &public, &[1; 32]),
        spec::hello(1, &public[1..], &[1; 32]),
        spec::hello(1, &[&public[..], &[0]].concat(), &[1; 32]),
        spec::hello(1, &public, &[1; 31]),
        spec::hello(1, &out_of_field, &[1; 32]),
        [&spec::hello(1, &public, &[1; 32])[..], &[0]].concat(),
        Vec::new(),
    ];

    for hello in hellos {
        let code = spec::code(1, &[1; 16], NEW, &spec::sha256(&[&hello]), EXPIRES_AT);
        let scanned: Scanned<Existing> = scan(&code).unwrap();
        let refused = scanned.answer(&hello, NOW, &mut rng(1)).unwrap_err();
        assert_eq!(refused, LinkError::Unreadable, "{} bytes", hello.len());
    }
}

#[test]
fn answers_and_reveals_of_another_version_or_length_are_unreadable() {
    for (version, length) in [(2, 1120), (0, 1120), (1, 1119), (1, 1121), (1, 0), (1, 32)] {
        let showing = chat_crypto::linking::Showing::<New>::begin(NOW, &mut rng(1));
        let refused = showing.answered(&spec::reveal(version, &vec![1; length]), NOW).unwrap_err();
        assert_eq!(refused, LinkError::Unreadable, "answer {version} of {length}");
    }
    // Unknown keys are skipped, but not without end: `{0: 1, 1: enc, 2: many bytes}`.
    let with_more = |length: u16| {
        let mut answer = spec::reveal(1, &[1; 1120]);
        answer[0] += 1;
        answer.extend([2, 0x59]);
        answer.extend(length.to_be_bytes());
        answer.resize(answer.len() + usize::from(length), 0);
        let showing = chat_crypto::linking::Showing::<New>::begin(NOW, &mut rng(1));
        showing.answered(&answer, NOW).map(drop)
    };
    let room = MESSAGE_BYTES_MAX - spec::reveal(1, &[1; 1120]).len() - 4;
    let room = u16::try_from(room).unwrap();
    assert_eq!(with_more(room), Ok(()));
    assert_eq!(with_more(room + 1), Err(LinkError::Unreadable));
    for (version, length) in [(2, 32), (0, 32), (1, 31), (1, 33), (1, 0)] {
        let shower = Shower::new(NEW, EXPIRES_AT, 7);
        let scanned: Scanned<Existing> = scan(&shower.code).unwrap();
        let (answered, _) = scanned.answer(&shower.hello, NOW, &mut rng(2)).unwrap();
        let refused = answered.revealed(&spec::reveal(version, &vec![8; length]), NOW).unwrap_err();
        assert_eq!(refused, LinkError::Unreadable, "reveal {version} of {length}");
    }
}

#[test]
fn an_answer_of_small_order_in_x25519_does_not_decide_the_emoji() {
    // The X25519 half of X-Wing hashes both public values and ML-KEM has its own secret: two
    // showers with one answer have nothing in common.
    for point in SMALL_ORDER {
        let answer = spec::reveal(1, &[&[3; 1088][..], &point].concat());
        let [one, other] = [1, 2].map(|seed| {
            let showing = chat_crypto::linking::Showing::<New>::begin(NOW, &mut rng(seed));
            showing.answered(&answer, NOW).unwrap().0.emoji()
        });
        assert_ne!(one, other);
    }
}

#[test]
fn an_introduction_must_be_signed_by_the_key_it_names_and_for_this_linking() {
    let device = NewDevice::new(2);
    let claim = claim_of(&device.id, &device.secrets);
    let signed = |by: &DeviceSecrets, label, agreement: &Agreement, claim: &[u8]| {
        by.sign(label, &[&agreement.transcript[..], claim].concat()).as_bytes().to_vec()
    };
    let try_with = |signature: &dyn Fn(&Agreement) -> Vec<u8>| {
        let (agreement, existing) = dishonest::<Existing>(NEW);
        let introduction = spec::introduction(&claim, &signature(&agreement));
        introduce(&agreement, existing, &introduction).map(drop)
    };
    let label = label::LINK_INTRODUCTION;
    let other = NewDevice::new(3).secrets;
    let elsewhere = Agreement { secret: [0; 32], transcript: [1; 32] };

    assert_eq!(try_with(&|a| signed(&device.secrets, label, a, &claim)), Ok(()));
    let refused = [
        try_with(&|a| signed(&other, label, a, &claim)),
        try_with(&|a| signed(&device.secrets, label::DEVICE_LOGIN, a, &claim)),
        try_with(&|_| signed(&device.secrets, label, &elsewhere, &claim)),
        try_with(&|a| signed(&device.secrets, label, a, &claim[1..])),
        try_with(&|_| vec![0; 64]),
        try_with(&|_| vec![0; 63]),
    ];
    assert_eq!(refused, [Err(LinkError::NotAuthentic); 6]);
}

#[test]
fn a_device_key_of_small_order_signs_nothing() {
    // With the identity point for key, R the identity and s = 0 satisfy the loose equation.
    let (agreement, existing) = dishonest::<Existing>(NEW);
    let claim = spec::claim(&[1; 16], &ending_in(1, 0), &[9; 32], &[1]);
    let mut signature = [0; 64];
    signature[0] = 1;

    let introduction = spec::introduction(&claim, &signature);

    let refused = introduce(&agreement, existing, &introduction).unwrap_err();
    assert_eq!(refused, LinkError::NotAuthentic);
}

#[test]
fn introductions_of_another_shape_are_not_authentic() {
    let key = SigningKey::from_bytes(&[5; 32]);
    let public = key.verifying_key().to_bytes();
    let claims = [
        spec::claim(&[1; 15], &public, &[9; 32], &[1]),
        spec::claim(&[1; 16], &public, &[9; 31], &[1]),
        spec::claim(&[1; 16], &public, &[9; 32], &[9]),
        spec::claim(&[1; 16], &public, &[9; 32], &[1; 9]),
        [&spec::claim(&[1; 16], &public, &[9; 32], &[1])[..], &[0]].concat(),
        Vec::new(),
    ];

    for claim in claims {
        let (agreement, existing) = dishonest::<Existing>(NEW);
        let signed = [&agreement.transcript[..], &claim].concat();
        let signature = key.sign(&signature_input(label::LINK_INTRODUCTION, &signed)).to_bytes();
        let introduction = spec::introduction(&claim, &signature);
        let refused = introduce(&agreement, existing, &introduction).unwrap_err();
        assert_eq!(refused, LinkError::NotAuthentic, "{claim:02x?}");
    }
}

#[test]
fn a_new_device_with_an_agreement_key_of_small_order_is_not_admitted() {
    let household = Household::new(1);
    let key = SigningKey::from_bytes(&[5; 32]);

    for point in SMALL_ORDER {
        let (agreement, existing) = dishonest::<Existing>(NEW);
        let claim = spec::claim(&[1; 16], &key.verifying_key().to_bytes(), &point, &[1]);
        let signed = [&agreement.transcript[..], &claim].concat();
        let signature = key.sign(&signature_input(label::LINK_INTRODUCTION, &signed)).to_bytes();
        let introduction = spec::introduction(&claim, &signature);
        let candidate = introduce(&agreement, existing, &introduction).unwrap();

        assert_eq!(super::admit(&household, candidate).unwrap_err(), LinkError::NotAuthentic);
    }
}

#[test]
fn who_does_not_have_the_agreement_key_it_named_gives_no_receipt() {
    let household = Household::new(1);
    let (mine, theirs) = (NewDevice::new(2), NewDevice::new(3));
    let (agreement, existing) = dishonest::<Existing>(NEW);
    let (key, stolen) = (mine.secrets.key(), theirs.secrets.agreement());
    let claim = spec::claim(mine.id.as_bytes(), key.as_bytes(), stolen.as_bytes(), &[1]);
    let signed = [&agreement.transcript[..], &claim].concat();
    let signature = mine.secrets.sign(label::LINK_INTRODUCTION, &signed);
    let introduction = spec::introduction(&claim, signature.as_bytes());
    let candidate = introduce(&agreement, existing, &introduction).unwrap();

    let (admitted, _) = super::admit(&household, candidate).unwrap();

    let receipt = agreement.seal(NEW, RECEIPT, &[]);
    assert_eq!(admitted.received(&receipt, NOW).unwrap_err(), LinkError::NotAuthentic);
}

#[test]
fn an_admission_must_certify_this_very_device() {
    let household = Household::new(1);
    let identity = household.owner.keyring.identity();
    let (device, other) = (NewDevice::new(2), NewDevice::new(3));
    let admitted = |change: &dyn Fn(&mut DeviceCertificate)| {
        let mut certificate = certificate(&household, &device);
        change(&mut certificate);
        let signed = identity.certify(&certificate);
        receive(&device, &household, signed, identity.key().as_bytes(), &[4; 32])
    };

    assert_eq!(admitted(&|_| ()), Ok(()));
    let refused = [
        admitted(&|it| it.address.device = other.id),
        admitted(&|it| it.key = other.secrets.key()),
        admitted(&|it| it.agreement = other.secrets.agreement()),
        admitted(&|it| it.schemes = chat_core::codec::List::default()),
        admitted(&|it| it.version = 2),
    ];
    assert_eq!(refused, [Err(LinkError::NotAuthentic); 5]);
}

#[test]
fn an_admission_must_be_signed_by_the_identity_that_it_names() {
    let household = Household::new(1);
    let device = NewDevice::new(2);
    let signed = household.owner.keyring.identity().certify(&certificate(&household, &device));
    let mallory = Person::new(9).keyring.identity().key();

    let refused = receive(&device, &household, signed, mallory.as_bytes(), &[4; 32]);

    assert_eq!(refused, Err(LinkError::NotAuthentic));
}

#[test]
fn an_admission_with_a_key_of_small_order_is_refused() {
    let household = Household::new(1);
    let device = NewDevice::new(2);
    let identity = household.owner.keyring.identity();

    for point in SMALL_ORDER {
        let signed = identity.certify(&certificate(&household, &device));
        let refused = receive(&device, &household, signed, identity.key().as_bytes(), &point);
        assert_eq!(refused, Err(LinkError::NotAuthentic));
    }
}

#[test]
fn an_admission_of_another_shape_is_not_authentic() {
    let device = NewDevice::new(2);

    for written in [vec![], vec![0x82, 1, 0xa0], vec![0x82, 2, 0xa0], vec![0; 500]] {
        let (agreement, new) = dishonest::<New>(EXISTING);
        let (introduced, _) = new.confirm(device.id, &device.secrets, schemes());
        let sealed = agreement.seal(EXISTING, ADMISSION, &written);
        let refused = introduced.admitted(&sealed, &device.secrets, NOW).unwrap_err();
        assert_eq!(refused, LinkError::NotAuthentic);
    }
}

/// A device that we are, with nothing but primitives, and the honest one `S` that scanned its code.
fn dishonest<S: Side>(role: u8) -> (Agreement, Comparing<S>) {
    let shower = Shower::new(role, EXPIRES_AT, 7);
    let scanned: Scanned<S> = scan(&shower.code).unwrap();
    let (answered, answer) = scanned.answer(&shower.hello, NOW, &mut rng(2)).unwrap();
    let honest = answered.revealed(&shower.reveal(), NOW).unwrap();
    let agreement = shower.agree(&answer);
    assert_eq!(honest.emoji().map(|emoji| emoji.place()), agreement.emoji()[..]);
    (agreement, honest)
}

fn introduce(
    agreement: &Agreement,
    existing: Comparing<Existing>,
    introduction: &[u8],
) -> Result<Candidate, LinkError> {
    existing.confirm().introduced(&agreement.seal(NEW, INTRODUCTION, introduction), NOW)
}

fn claim_of(id: &DeviceId, secrets: &DeviceSecrets) -> Vec<u8> {
    let (key, agreement) = (secrets.key(), secrets.agreement());
    spec::claim(id.as_bytes(), key.as_bytes(), agreement.as_bytes(), &[1])
}

fn certificate(household: &Household, device: &NewDevice) -> DeviceCertificate {
    DeviceCertificate {
        version: chat_core::device::VERSION,
        address: DeviceAddress { account: household.owner.address.account, device: device.id },
        key: device.secrets.key(),
        agreement: device.secrets.agreement(),
        schemes: schemes(),
        created_at: NOW,
    }
}

/// What an honest new device says to an admission with these parts.
fn receive(
    device: &NewDevice,
    household: &Household,
    certificate: Unverified<DeviceCertificate>,
    identity_key: &[u8; 32],
    ephemeral: &[u8; 32],
) -> Result<(), LinkError> {
    let (agreement, new) = dishonest::<New>(EXISTING);
    let (introduced, _) = new.confirm(device.id, &device.secrets, schemes());
    let lock = household.lock.to_snapshot();
    let admission = Admission {
        certificate,
        identity_key: identity_key.as_slice().into(),
        lock: lock.as_slice().into(),
        list: 4,
        list_digest: Digest::ZERO,
        ephemeral: ephemeral.as_slice().into(),
    };
    let written = minicbor::to_vec((1u8, &admission)).unwrap();
    let sealed = agreement.seal(EXISTING, ADMISSION, &written);
    introduced.admitted(&sealed, &device.secrets, NOW).map(drop)
}
