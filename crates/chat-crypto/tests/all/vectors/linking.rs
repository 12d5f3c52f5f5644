//! Vectors of a whole linking, from the code to the receipt, in both directions.

use chat_crypto::linking::{Comparing, Existing, LIFETIME, New, Showing, Side};
use hpke::kem::XWing;
use hpke::{Kem, Serializable as _};
use rand_core::Rng as _;
use serde_json::{Value, json};
use x25519_dalek::{PublicKey, StaticSecret};

use super::{check, hex};
use crate::household::{Household, NewDevice, scan, schemes};
use crate::linking_spec::{
    ADMISSION, Agreement, CANCEL, EXISTING, INTRODUCTION, NEW, RECEIPT, Shower, claim, code,
    commitment, hello, introduction, public, reveal, sha256,
};
use crate::people::{NOW, rng};

#[test]
fn linkings_are_as_written() {
    let new_shows = paired::<New, Existing>(NEW, 11);
    let existing_shows = paired::<Existing, New>(EXISTING, 21);

    let (first, second) = (
        transfer(&new_shows.2, new_shows.0, new_shows.1),
        transfer(&existing_shows.2, existing_shows.1, existing_shows.0),
    );

    let cases = [
        json!({ "shown_by": "new", "pairing": new_shows.3, "transfer": first }),
        json!({ "shown_by": "existing", "pairing": existing_shows.3, "transfer": second }),
    ];
    check("linking.json", &json!({ "specification": "linking.md", "cases": cases }));
}

/// Both sides as far as the emoji; all of it also by nothing but primitives.
fn paired<A: Side, B: Side>(role: u8, seed: u64) -> (Comparing<A>, Comparing<B>, Agreement, Value) {
    // What the device with the code draws, in this order.
    let mut drawn = rng(seed);
    let (mut rendezvous, mut nonce) = ([0; 16], [0; 32]);
    drawn.fill_bytes(&mut rendezvous);
    drawn.fill_bytes(&mut nonce);
    let (private, _) = XWing::gen_keypair_with_rng(&mut drawn);
    let private = private.to_bytes().to_vec();
    let written = hello(1, &public(&private), &commitment(&nonce));
    let expires_at = NOW.after(LIFETIME).as_millis();
    let drawn_code = code(1, &rendezvous, role, &sha256(&[&written]), expires_at);
    let shower = Shower { private, nonce, code: drawn_code, hello: written };

    let showing = Showing::<A>::begin(NOW, &mut rng(seed));
    assert_eq!(showing.code().as_bytes(), shower.code);
    assert_eq!(showing.hello(), shower.hello);
    assert_eq!(*showing.code().rendezvous().as_bytes(), rendezvous);
    let scanned = scan::<B>(&shower.code).unwrap();
    let (answered, answer) = scanned.answer(&shower.hello, NOW, &mut rng(seed + 1)).unwrap();
    let (ours, revealed) = showing.answered(&answer, NOW).unwrap();
    let theirs = answered.revealed(&revealed, NOW).unwrap();

    let agreement = shower.agree(&answer);
    assert_eq!(answer, reveal(1, &answer[answer.len() - 1120..]));
    assert_eq!(revealed, shower.reveal());
    assert_eq!(ours.emoji().map(|emoji| emoji.place()), agreement.emoji()[..]);
    assert_eq!(ours.emoji(), theirs.emoji());
    let case = json!({
        "now": NOW.as_millis(),
        "xwing_private": hex(&shower.private),
        "nonce": hex(nonce),
        "commitment": hex(commitment(&nonce)),
        "code_cbor": hex(&shower.code),
        "hello_cbor": hex(&shower.hello),
        "answer_cbor": hex(&answer),
        "reveal_cbor": hex(&revealed),
        "secret": hex(agreement.secret),
        "transcript": hex(agreement.transcript),
        "emoji": ours.emoji().map(|emoji| emoji.name()),
    });
    (ours, theirs, agreement, case)
}

/// From the emoji to the receipt.
fn transfer(agreement: &Agreement, new: Comparing<New>, existing: Comparing<Existing>) -> Value {
    let (household, device) = (Household::new(1), NewDevice::new(2));
    let (introduced, introduction_sealed) = new.confirm(device.id, &device.secrets, schemes());
    let candidate = existing.confirm().introduced(&introduction_sealed, NOW).unwrap();
    let Household { owner, lock, devices, .. } = &household;
    let (admitted, admission) =
        candidate.admit(&owner.keyring, lock, devices, NOW, &mut rng(9)).unwrap();
    let (admitted_to, receipt) = introduced.admitted(&admission, &device.secrets, NOW).unwrap();
    let certificate = admitted.received(&receipt, NOW).unwrap();

    // By nothing but primitives.
    let opened = agreement.open(NEW, INTRODUCTION, &introduction_sealed).unwrap();
    let (key, x25519) = (device.secrets.key(), device.secrets.agreement());
    let claim = claim(device.id.as_bytes(), key.as_bytes(), x25519.as_bytes(), &[1]);
    let signature = opened[opened.len() - 64..].to_vec();
    assert_eq!(opened, introduction(&claim, &signature));
    let plain = agreement.open(EXISTING, ADMISSION, &admission).unwrap();
    let ephemeral: [u8; 32] = plain[plain.len() - 32..].try_into().unwrap();
    let agreement_private = agreement_private(&device);
    let shared = StaticSecret::from(agreement_private).diffie_hellman(&PublicKey::from(ephemeral));
    let mixed = agreement.mix(shared.as_bytes());
    assert_eq!(mixed.open(NEW, RECEIPT, &receipt).unwrap(), b"");
    assert_eq!(admitted_to.certificate().source(), &certificate);

    json!({
        "introduction_key_nonce": hex(agreement.key(NEW, INTRODUCTION)),
        "claim_cbor": hex(claim),
        "introduction_cbor": hex(opened),
        "introduction": hex(introduction_sealed),
        "admission_key_nonce": hex(agreement.key(EXISTING, ADMISSION)),
        "admission_cbor": hex(plain),
        "admission": hex(admission),
        "agreement_private": hex(agreement_private),
        "ephemeral": hex(ephemeral),
        "shared": hex(shared.as_bytes()),
        "mixed_secret": hex(mixed.secret),
        "receipt_key_nonce": hex(mixed.key(NEW, RECEIPT)),
        "receipt": hex(receipt),
        "cancel_by_new": hex(agreement.seal(NEW, CANCEL, &[])),
        "cancel_by_existing": hex(agreement.seal(EXISTING, CANCEL, &[])),
    })
}

/// The private half of the device's agreement key: behind its key in its snapshot, before the
/// public half (identity.md §5).
fn agreement_private(device: &NewDevice) -> [u8; 32] {
    let snapshot = device.secrets.to_snapshot();
    let public = device.secrets.agreement();
    let both = &snapshot[snapshot.len() - 64..];
    assert_eq!(both[32..], *public.as_bytes());
    both[..32].try_into().unwrap()
}
