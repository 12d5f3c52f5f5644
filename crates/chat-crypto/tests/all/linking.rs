//! Devices that are linked by a code and by what two people see, with a relay that helps nobody.

mod dishonest;
mod relay;

use std::time::Duration;

use chat_core::codec::Digest;
use chat_core::device::{AccountDevices, DeviceCertificate};
use chat_core::signed::{Unverified, VerifyError};
use chat_core::time::Timestamp;
use chat_crypto::identity::DeviceSecrets;
use chat_crypto::keyring::{Keyring, KeyringError};
use chat_crypto::linking::{
    Admission, Admitted, Candidate, Comparing, Existing, LIFETIME, LinkCode, LinkError,
    MESSAGE_BYTES_MAX, New, Role, Showing,
};
use chat_crypto::snapshot::SnapshotError;
use chat_crypto::wrap::EnvelopeSecrets;

use crate::household::{Household, NewDevice, link, list, pair, scan, schemes};
use crate::linking_spec as spec;
use crate::people::{NOW, Person, rng};

/// Some moment at which an existing device says no; it has got an introduction.
type Cancel = fn(Comparing<Existing>, &[u8]) -> Vec<u8>;

#[test]
fn a_new_device_that_shows_the_code_becomes_one_of_the_account() {
    let (household, device) = (Household::new(1), NewDevice::new(2));
    let (new, existing) = pair::<New, Existing>(3);

    assert_eq!(new.emoji(), existing.emoji());
    let (admission, certificate) = link(&household, &device, (new, existing));

    it_is_one_of_the_account(&household, &device, &admission, certificate);
}

#[test]
fn an_existing_device_may_show_the_code_as_well() {
    let (household, device) = (Household::new(1), NewDevice::new(2));
    let (existing, new) = pair::<Existing, New>(3);

    assert_eq!(new.emoji(), existing.emoji());
    let (admission, certificate) = link(&household, &device, (new, existing));

    it_is_one_of_the_account(&household, &device, &admission, certificate);
}

fn it_is_one_of_the_account(
    household: &Household,
    device: &NewDevice,
    admission: &Admission,
    certificate: Unverified<DeviceCertificate>,
) {
    let identity = household.owner.keyring.identity().key();
    assert_eq!((admission.account(), admission.identity_key()), (account(household), identity));
    assert_eq!(admission.certificate().source(), &certificate);
    assert_eq!(admission.certificate().address.device, device.id);
    let (keyring, lock) = admission.open_keyring(&household.sealed, 3).unwrap();
    assert_eq!(*keyring.to_snapshot(), *household.owner.keyring.to_snapshot());
    assert_eq!(*lock.to_snapshot(), *household.lock.to_snapshot());
    assert_eq!(admission.check_devices(&household.next_list(vec![certificate])), Ok(()));
}

#[test]
fn an_admission_survives_its_snapshot() {
    let (household, device) = (Household::new(1), NewDevice::new(2));
    let (admission, certificate) = link(&household, &device, pair::<New, Existing>(3));

    let stored = admission.to_snapshot();
    let again = Admission::from_snapshot(&stored).unwrap();

    it_is_one_of_the_account(&household, &device, &again, certificate);
    let identity = household.owner.keyring.identity().key();
    let at = stored.windows(32).position(|bytes| bytes == identity.as_bytes()).unwrap();
    let mut changed = stored.to_vec();
    changed[at] ^= 1;
    let read = |bytes: &[u8]| Admission::from_snapshot(bytes).map(drop);
    assert_eq!(read(&changed), Err(SnapshotError::Malformed), "the certificate is checked again");
    assert_eq!(read(&stored[1..]), Err(SnapshotError::Malformed));
}

#[test]
fn a_code_is_small_and_says_who_shows_it() {
    let showing = Showing::<New>::begin(NOW, &mut rng(1));

    let code = LinkCode::read(showing.code().as_bytes(), NOW).unwrap();

    assert!(code.as_bytes().len() < 80, "a picture that every camera reads");
    assert_eq!(code.shown_by(), Role::New);
    assert_eq!(code.rendezvous(), showing.code().rendezvous());
    assert!(showing.hello().len() <= MESSAGE_BYTES_MAX);
}

#[test]
fn two_devices_of_the_same_kind_do_not_link() {
    let new = Showing::<New>::begin(NOW, &mut rng(1));
    let existing = Showing::<Existing>::begin(NOW, &mut rng(1));

    assert_eq!(scan::<New>(new.code().as_bytes()).unwrap_err(), LinkError::WrongRole);
    assert_eq!(scan::<Existing>(existing.code().as_bytes()).unwrap_err(), LinkError::WrongRole);
}

#[test]
fn swapped_roles_in_a_code_end_in_different_emoji() {
    let showing = Showing::<New>::begin(NOW, &mut rng(1));
    let mut code = showing.code().as_bytes().to_vec();
    let role = code.iter().rposition(|byte| *byte == 2).unwrap();
    let place = code.windows(2).position(|pair| pair == [2, 1]).unwrap();
    assert!(place + 1 != role, "the key of the field is found, and its value behind it");
    code[place + 1] = 2;

    // Somebody held another picture before the camera: two new devices meet.
    let scanned = scan::<New>(&code).unwrap();
    let (answered, answer) = scanned.answer(showing.hello(), NOW, &mut rng(2)).unwrap();
    let (shower, reveal) = showing.answered(&answer, NOW).unwrap();
    let scanner = answered.revealed(&reveal, NOW).unwrap();

    assert_ne!(shower.emoji(), scanner.emoji());
}

#[test]
fn a_relay_in_the_middle_with_its_own_key_is_not_answered() {
    let showing = Showing::<New>::begin(NOW, &mut rng(1));
    let relay = Showing::<New>::begin(NOW, &mut rng(2));

    let scanned = scan::<Existing>(showing.code().as_bytes()).unwrap();
    let refused = scanned.answer(relay.hello(), NOW, &mut rng(3)).unwrap_err();

    assert_eq!(refused, LinkError::NotAuthentic);
}

#[test]
fn a_photographed_code_that_another_device_answers_first_shows_other_emoji() {
    let showing = Showing::<New>::begin(NOW, &mut rng(1));
    let code = showing.code().as_bytes().to_vec();
    let hello = showing.hello().to_vec();
    let thief = scan::<Existing>(&code).unwrap();
    let owner = scan::<Existing>(&code).unwrap();

    // The thief is faster, and a code is answered once.
    let (thief, first) = thief.answer(&hello, NOW, &mut rng(2)).unwrap();
    let (owner, _second) = owner.answer(&hello, NOW, &mut rng(3)).unwrap();
    let (new, reveal) = showing.answered(&first, NOW).unwrap();
    let thief = thief.revealed(&reveal, NOW).unwrap();
    let owner = owner.revealed(&reveal, NOW).unwrap();

    assert_eq!(new.emoji(), thief.emoji());
    assert_ne!(new.emoji(), owner.emoji(), "the person sees that it is not their phone");
    let device = NewDevice::new(4);
    let (_, introduction) = new.confirm(device.id, &device.secrets, schemes());
    let refused = owner.confirm().introduced(&introduction, NOW).unwrap_err();
    assert_eq!(refused, LinkError::NotAuthentic, "and if nobody looks, nothing goes over");
}

#[test]
fn who_stands_in_the_middle_with_two_codes_shows_two_sets_of_emoji() {
    let honest = Showing::<New>::begin(NOW, &mut rng(1));
    let middle = Showing::<New>::begin(NOW, &mut rng(2));
    let answering = scan::<Existing>(honest.code().as_bytes()).unwrap();
    let owner = scan::<Existing>(middle.code().as_bytes()).unwrap();

    let (answering, answer) = answering.answer(honest.hello(), NOW, &mut rng(3)).unwrap();
    let (owner, owners) = owner.answer(middle.hello(), NOW, &mut rng(4)).unwrap();
    let (new, reveal) = honest.answered(&answer, NOW).unwrap();
    let (_, middles) = middle.answered(&owners, NOW).unwrap();

    assert_eq!(answering.revealed(&reveal, NOW).unwrap().emoji(), new.emoji());
    assert_ne!(owner.revealed(&middles, NOW).unwrap().emoji(), new.emoji());
}

#[test]
fn a_nonce_that_was_not_committed_to_is_refused() {
    let showing = Showing::<New>::begin(NOW, &mut rng(1));
    let scanned = scan::<Existing>(showing.code().as_bytes()).unwrap();
    let (answered, _) = scanned.answer(showing.hello(), NOW, &mut rng(2)).unwrap();

    let refused = answered.revealed(&spec::reveal(1, &[7; 32]), NOW).unwrap_err();

    assert_eq!(refused, LinkError::NotAuthentic);
}

#[test]
fn a_replayed_answer_to_an_older_code_agrees_on_nothing() {
    let older = Showing::<New>::begin(NOW, &mut rng(1));
    let scanned = scan::<Existing>(older.code().as_bytes()).unwrap();
    let (answered, answer) = scanned.answer(older.hello(), NOW, &mut rng(2)).unwrap();
    let (_, reveal) = older.answered(&answer, NOW).unwrap();
    let old = answered.revealed(&reveal, NOW).unwrap();

    let newer = Showing::<New>::begin(NOW, &mut rng(3));
    let (new, _) = newer.answered(&answer, NOW).unwrap();

    assert_ne!(new.emoji(), old.emoji());
    let device = NewDevice::new(4);
    let (_, introduction) = new.confirm(device.id, &device.secrets, schemes());
    assert_eq!(old.confirm().introduced(&introduction, NOW).unwrap_err(), LinkError::NotAuthentic);
}

#[test]
fn reflected_messages_are_refused() {
    let device = NewDevice::new(4);
    let showing = Showing::<New>::begin(NOW, &mut rng(1));
    let scanned = scan::<Existing>(showing.code().as_bytes()).unwrap();
    let (answered, answer) = scanned.answer(showing.hello(), NOW, &mut rng(2)).unwrap();
    let hello = showing.hello().to_vec();

    assert_eq!(showing.answered(&hello, NOW).unwrap_err(), LinkError::Unreadable);
    assert_eq!(answered.revealed(&answer, NOW).unwrap_err(), LinkError::Unreadable);

    let (new, existing) = pair::<New, Existing>(3);
    let (introduced, introduction) = new.confirm(device.id, &device.secrets, schemes());
    let back = introduced.admitted(&introduction, &device.secrets, NOW).unwrap_err();
    assert_eq!(back, LinkError::NotAuthentic);
    drop(existing);

    let (new, other) = pair::<New, Existing>(3);
    let (introduced, _) = new.confirm(device.id, &device.secrets, schemes());
    let (same, _) = pair::<New, Existing>(3);
    let own_cancel = introduced.admitted(&same.cancel(), &device.secrets, NOW).unwrap_err();
    assert_eq!(own_cancel, LinkError::NotAuthentic, "nobody cancels with their own word");
    drop(other);
}

#[test]
fn messages_that_come_twice_or_in_another_order_end_the_linking() {
    let (household, device) = (Household::new(1), NewDevice::new(2));
    let (new, existing) = pair::<New, Existing>(3);
    let (_, introduction) = new.confirm(device.id, &device.secrets, schemes());
    let candidate = existing.confirm().introduced(&introduction, NOW).unwrap();
    let (admitted, admission) = admit(&household, candidate).unwrap();

    assert_eq!(admitted.received(&introduction, NOW).unwrap_err(), LinkError::NotAuthentic);

    let (_, existing) = pair::<New, Existing>(3);
    let early = existing.confirm().introduced(&admission, NOW).unwrap_err();
    assert_eq!(early, LinkError::NotAuthentic);
}

#[test]
fn a_cancelled_linking_is_cancelled_on_both_sides() {
    let (household, device) = (Household::new(1), NewDevice::new(2));
    let introduce = |new: Comparing<New>| new.confirm(device.id, &device.secrets, schemes());

    // The new device says no to the emoji.
    let (new, existing) = pair::<New, Existing>(3);
    let heard = existing.confirm().introduced(&new.cancel(), NOW).unwrap_err();
    assert_eq!(heard, LinkError::Cancelled);

    // The new device changes its mind while it waits.
    let (new, existing) = pair::<New, Existing>(3);
    let (introduced, introduction) = introduce(new);
    let candidate = existing.confirm().introduced(&introduction, NOW).unwrap();
    let (admitted, _) = admit(&household, candidate).unwrap();
    let cancel = introduced.cancel();
    // Behind the admission its word is not the receipt: the device will not be listed.
    assert_eq!(admitted.received(&cancel, NOW).unwrap_err(), LinkError::NotAuthentic);

    // Or before its introduction arrives.
    let (new, existing) = pair::<New, Existing>(3);
    let heard = existing.confirm().introduced(&introduce(new).0.cancel(), NOW).unwrap_err();
    assert_eq!(heard, LinkError::Cancelled);

    // The existing device says no: to the emoji, while it waits, and to what was introduced.
    let cancels: [Cancel; 3] = [
        |existing, _| existing.cancel(),
        |existing, _| existing.confirm().cancel(),
        |existing, message| existing.confirm().introduced(message, NOW).unwrap().cancel(),
    ];
    for cancel in cancels {
        let (new, existing) = pair::<New, Existing>(3);
        let (introduced, introduction) = introduce(new);
        let word = cancel(existing, &introduction);
        let heard = introduced.admitted(&word, &device.secrets, NOW).unwrap_err();
        assert_eq!(heard, LinkError::Cancelled);
    }
}

#[test]
fn a_stale_code_is_refused_in_either_direction() {
    let showing = Showing::<New>::begin(NOW, &mut rng(1));
    let code = showing.code().as_bytes();
    let read = |now| LinkCode::read(code, now).map(drop);
    let minutes = |minutes: u64| NOW.after(Duration::from_secs(minutes * 60));

    assert_eq!(read(minutes(10)), Ok(()));
    assert_eq!(read(minutes(15)), Ok(()), "clocks may be five minutes apart");
    assert_eq!(read(minutes(15).after(Duration::from_millis(1))), Err(LinkError::Stale));
    let behind = Timestamp::from_millis(NOW.as_millis() - 5 * 60 * 1000);
    assert_eq!(read(behind), Ok(()));
    let far_behind = Timestamp::from_millis(behind.as_millis() - 1);
    assert_eq!(read(far_behind), Err(LinkError::Stale), "a code for the wall");
}

#[test]
fn nothing_happens_after_the_deadline() {
    let (household, device) = (Household::new(1), NewDevice::new(2));
    let last = NOW.after(LIFETIME);
    let late = last.after(Duration::from_millis(1));

    let showing = Showing::<New>::begin(NOW, &mut rng(1));
    let scanned = scan::<Existing>(showing.code().as_bytes()).unwrap();
    let (answered, answer) = scanned.answer(showing.hello(), NOW, &mut rng(2)).unwrap();
    let again = Showing::<New>::begin(NOW, &mut rng(1));
    assert_eq!(showing.answered(&answer, late).unwrap_err(), LinkError::Stale);
    let (_, reveal) = again.answered(&answer, last).unwrap();
    assert_eq!(answered.revealed(&reveal, late).unwrap_err(), LinkError::Stale);

    let (new, existing) = pair::<New, Existing>(3);
    let (_, introduction) = new.confirm(device.id, &device.secrets, schemes());
    let refused = existing.confirm().introduced(&introduction, late).unwrap_err();
    assert_eq!(refused, LinkError::Stale);

    let candidate = || {
        let (_, existing) = pair::<New, Existing>(3);
        existing.confirm().introduced(&introduction, last).unwrap()
    };
    let Household { owner, lock, devices, .. } = &household;
    let refused = candidate().admit(&owner.keyring, lock, devices, late, &mut rng(9)).unwrap_err();
    assert_eq!(refused, LinkError::Stale);

    let (admitted, admission) = admit(&household, candidate()).unwrap();
    let (new, _) = pair::<New, Existing>(3);
    let (introduced, _) = new.confirm(device.id, &device.secrets, schemes());
    let refused = introduced.admitted(&admission, &device.secrets, late).unwrap_err();
    assert_eq!(refused, LinkError::Stale);
    let (new, _) = pair::<New, Existing>(3);
    let (introduced, _) = new.confirm(device.id, &device.secrets, schemes());
    let (_, receipt) = introduced.admitted(&admission, &device.secrets, last).unwrap();
    assert_eq!(admitted.received(&receipt, late).unwrap_err(), LinkError::Stale);
}

#[test]
fn no_bit_of_a_sealed_message_can_be_changed_and_no_byte_be_missing() {
    let device = NewDevice::new(2);
    let (new, _) = pair::<New, Existing>(3);
    let (_, introduction) = new.confirm(device.id, &device.secrets, schemes());
    let existing = |message: &[u8]| {
        let (_, existing) = pair::<New, Existing>(3);
        existing.confirm().introduced(message, NOW).map(drop)
    };

    assert_eq!(existing(&introduction), Ok(()));
    for place in (0..introduction.len()).step_by(13) {
        let mut changed = introduction.clone();
        changed[place] ^= 1 << (place % 8);
        assert_eq!(existing(&changed), Err(LinkError::NotAuthentic), "byte {place}");
        let cut = &introduction[..place];
        assert_eq!(existing(cut), Err(LinkError::NotAuthentic), "{place} bytes");
    }
    let longest = vec![0; MESSAGE_BYTES_MAX];
    assert_eq!(existing(&longest), Err(LinkError::NotAuthentic));
    assert_eq!(existing(&[&longest[..], &[0]].concat()), Err(LinkError::Unreadable));
}

#[test]
fn a_device_that_the_account_knows_is_not_admitted_again() {
    let (household, device) = (Household::new(1), NewDevice::new(2));
    let introduced = |device: &NewDevice| {
        let (new, existing) = pair::<New, Existing>(3);
        let (_, introduction) = new.confirm(device.id, &device.secrets, schemes());
        existing.confirm().introduced(&introduction, NOW).unwrap()
    };
    let owner = &household.owner;
    let same_id = NewDevice { id: owner.address.device, ..NewDevice::new(5) };
    let secrets = DeviceSecrets::from_snapshot(&owner.device.to_snapshot()).unwrap();
    let same_key = NewDevice { secrets, ..NewDevice::new(6) };

    let refused = [same_id, same_key].map(|it| admit(&household, introduced(&it)).unwrap_err());
    assert_eq!(refused, [LinkError::DeviceKnown; 2]);
    assert!(admit(&household, introduced(&device)).is_ok());
}

#[test]
fn an_account_with_ten_devices_takes_no_more() {
    let mut household = Household::new(1);
    let certificate = |seed: u64| {
        let device = NewDevice::new(seed);
        let (new, existing) = pair::<New, Existing>(3);
        link(&household, &device, (new, existing)).1
    };
    let more: Vec<_> = (20..29).map(certificate).collect();
    household.devices = household.next_list(more);
    let device = NewDevice::new(2);

    let (new, existing) = pair::<New, Existing>(3);
    let (_, introduction) = new.confirm(device.id, &device.secrets, schemes());
    let candidate = existing.confirm().introduced(&introduction, NOW).unwrap();

    assert_eq!(admit(&household, candidate).unwrap_err(), LinkError::TooManyDevices);
}

#[test]
fn a_rolled_back_keyring_or_one_of_another_identity_is_refused() {
    let (mut household, device) = (Household::new(1), NewDevice::new(2));
    let older = household.sealed.clone();
    let newer = household.lock.reseal(&household.owner.keyring, &mut rng(7)).unwrap();
    let (admission, _) = link(&household, &device, pair::<New, Existing>(3));

    // Sealed by somebody who has the lock, for the same account, with another identity.
    let epoch = household.owner.keyring.current_envelope_secrets().to_snapshot();
    let epoch = EnvelopeSecrets::from_snapshot(&epoch).unwrap();
    let other = Person::with_epoch(epoch, &mut rng(8)).keyring;
    let foreign = household.lock.clone().reseal(&other, &mut rng(9)).unwrap();

    let open = |sealed: &[u8], number| admission.open_keyring(sealed, number).map(drop);
    assert_eq!(open(&newer, 4), Ok(()));
    assert_eq!(open(&older, 3), Err(KeyringError::RolledBack));
    assert_eq!(open(&older, 4), Err(KeyringError::NotAuthentic));
    assert_eq!(open(&foreign, 5), Err(KeyringError::NotAuthentic));
}

#[test]
fn a_list_that_is_old_forked_foreign_or_without_the_new_device_is_refused() {
    let (household, device) = (Household::new(1), NewDevice::new(2));
    let (admission, certificate) = link(&household, &device, pair::<New, Existing>(3));
    let owner = &household.owner;
    let known = household.devices.list().digest();
    let both = vec![owner.certificate.source().clone(), certificate.clone()];
    let served = |number, previous| list(owner, number, previous, both.clone());
    let check = |devices: &AccountDevices| admission.check_devices(devices);

    assert_eq!(check(&served(5, known)), Ok(()));
    assert_eq!(check(&served(6, Digest::of(b"list 5"))), Ok(()), "another device was faster");
    assert_eq!(check(&served(5, Digest::of(b"fork"))), Err(VerifyError::Discontinuous));
    assert_eq!(check(&served(4, Digest::of(b"list 3"))), Err(VerifyError::Discontinuous));
    assert_eq!(check(&served(3, Digest::of(b"list 2"))), Err(VerifyError::Discontinuous));
    assert_eq!(check(&household.next_list(vec![])), Err(VerifyError::Misplaced));
    assert_eq!(check(&Household::new(30).devices), Err(VerifyError::Misplaced));
}

#[test]
fn a_list_of_another_identity_is_refused_even_if_it_certifies_the_same_device_for_the_account() {
    let (household, device) = (Household::new(1), NewDevice::new(2));
    let (admission, certificate) = link(&household, &device, pair::<New, Existing>(3));
    let epoch = household.owner.keyring.current_envelope_secrets().to_snapshot();
    let epoch = EnvelopeSecrets::from_snapshot(&epoch).unwrap();
    let impostor = Person::with_epoch(epoch, &mut rng(8));

    let same = certificate.verify(&household.owner.keyring.identity().key()).unwrap();
    let certified = impostor.keyring.identity().certify(&same);
    let forged = list(&impostor, 5, household.devices.list().digest(), vec![certified]);

    assert_eq!(forged.account(), admission.account());
    assert_eq!(admission.check_devices(&forged), Err(VerifyError::Misplaced));
}

#[test]
fn nothing_of_a_linking_is_printed() {
    let device = NewDevice::new(2);
    let showing = Showing::<New>::begin(NOW, &mut rng(1));
    let (new, existing) = pair::<New, Existing>(3);
    let comparing = format!("{new:?}");
    let (introduced, introduction) = new.confirm(device.id, &device.secrets, schemes());
    let confirmed = existing.confirm();
    let code = showing.code();

    // Whoever has the code may answer it first.
    assert_eq!(format!("{code:?} {:?}", code.rendezvous()), "LinkCode(..) Rendezvous(..)");
    assert_eq!((format!("{showing:?}"), comparing), ("Showing(..)".into(), "Comparing(..)".into()));
    assert_eq!(format!("{introduced:?} {confirmed:?}"), "Introduced(..) Confirmed(..)");
    let candidate = confirmed.introduced(&introduction, NOW).unwrap();
    assert_eq!(format!("{candidate:?}"), "Candidate(..)");
}

fn admit(household: &Household, candidate: Candidate) -> Result<(Admitted, Vec<u8>), LinkError> {
    let Household { owner, lock, devices, .. } = household;
    let keyring: &Keyring = &owner.keyring;
    candidate.admit(keyring, lock, devices, NOW, &mut rng(9))
}

fn account(household: &Household) -> chat_core::id::AccountId {
    household.owner.address.account
}
