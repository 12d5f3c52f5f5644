//! Membership entries: what a relay could hand on, and what whoever checks it runs into.

use chat_core::codec::{Bytes, DecodeError, Digest, List};
use chat_core::device::AccountDevices;
use chat_core::id::WorkspaceId;
use chat_core::membership::{
    Change, ConversationKind, Member, Membership, MembershipEntry, MembershipError, Policy, Role,
    SignedEntry, VERSION,
};
use chat_core::signed::VerifyError;
use chat_core::time::Timestamp;

use crate::people::{NOON, Person, sign_with};
use crate::signed::signed;

const ALICE: u8 = 1;
const MALLORY: u8 = 66;

#[test]
fn nobody_goes_on_behind_an_entry_that_cannot_be_read() {
    let mut group = group();
    let unread = next(&group, NOON);
    // A change of a kind that is not known, where `leave` stood: the entry ends in [4, {}].
    let mut bytes = unread.entry.signed_bytes().to_vec();
    let kind = bytes.len() - 2;
    assert_eq!(bytes[kind], 4);
    bytes[kind] = 23;
    let newer =
        SignedEntry { entry: signed(&Person::device_key(ALICE), &bytes), signer: unread.signer };
    let mut behind = group.next_entry(unread.signer, Change::Leave, NOON);
    (behind.index, behind.previous) = (2, newer.entry.digest());

    let read = newer.verify(&devices(ALICE));
    let applied = group.apply(&sign(&behind).verify(&devices(ALICE)).unwrap());

    assert_eq!(read, Err(VerifyError::Unreadable(DecodeError::UnknownKind)));
    assert_eq!(applied, Err(MembershipError::Stale));
}

#[test]
fn an_entry_is_not_checked_by_another_accounts_list() {
    let entry = next(&group(), NOON);

    let by_mallorys_list = entry.clone().verify(&devices(MALLORY));
    let by_alices_list = entry.verify(&devices(ALICE));

    assert_eq!(by_mallorys_list, Err(VerifyError::Misplaced));
    assert!(by_alices_list.is_ok());
}

#[test]
fn an_entry_is_refused_for_the_first_thing_that_is_wrong_with_it() {
    let group = group();
    let honest = next(&group, NOON);
    let unknown_device = SignedEntry { signer: Person::new(ALICE).address(9), ..honest.clone() };
    let forged_nonsense =
        SignedEntry { entry: signed(&Person::device_key(MALLORY), &[0xff]), ..honest.clone() };
    let nonsense =
        SignedEntry { entry: signed(&Person::device_key(ALICE), &[0xff]), ..honest.clone() };
    let mallorys = group.next_entry(Person::new(MALLORY).address(MALLORY), Change::Leave, NOON);
    let of_another_author = SignedEntry { signer: honest.signer, ..sign(&mallorys) };

    for (entry, error) in [
        (unknown_device, VerifyError::Misplaced),
        (forged_nonsense, VerifyError::Forged),
        (nonsense, VerifyError::Unreadable(DecodeError::Malformed)),
        (of_another_author, VerifyError::Misplaced),
    ] {
        assert_eq!(entry.verify(&devices(ALICE)), Err(error));
    }
}

#[test]
fn an_entry_that_a_device_dates_after_its_removal_is_misplaced() {
    let group = group();
    let person = Person::new(ALICE);
    let removed = person.list(2, Digest::ZERO, &[9], &[(ALICE, at(5))]);
    let devices = AccountDevices::verify(person.account, removed).unwrap();

    for (moment, counts) in [(4, true), (5, false), (6, false)] {
        let verified = next(&group, at(moment)).verify(&devices);

        assert_eq!(verified.is_ok(), counts, "{moment}");
        assert!(counts || verified == Err(VerifyError::Misplaced));
    }
}

#[test]
fn a_writer_whose_clock_is_behind_takes_the_heads_time() {
    let group = group();
    let address = Person::new(ALICE).address(ALICE);

    let behind = group.next_entry(address, Change::Leave, Timestamp::from_millis(1));
    let ahead = group.next_entry(address, Change::Leave, at(7));

    assert_eq!(behind.at, group.at());
    assert_eq!(ahead.at, at(7));
}

#[test]
fn the_highest_index_is_followed_by_none() {
    let mut group = group();
    let mut entry = group.next_entry(Person::new(ALICE).address(ALICE), Change::Leave, NOON);

    for index in [0, 2, u64::MAX] {
        entry.index = index;
        let far = sign(&entry).verify(&devices(ALICE)).unwrap();

        assert_eq!(group.apply(&far), Err(MembershipError::Stale), "{index}");
    }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(NOON.as_millis() + millis)
}

fn devices(number: u8) -> AccountDevices {
    let person = Person::new(number);
    AccountDevices::verify(person.account, person.first_list(&[number])).unwrap()
}

fn next(group: &Membership, now: Timestamp) -> SignedEntry {
    sign(&group.next_entry(Person::new(ALICE).address(ALICE), Change::Leave, now))
}

fn sign(entry: &MembershipEntry) -> SignedEntry {
    let signer = Person::new(ALICE).address(ALICE);
    SignedEntry { signer, entry: sign_with(&Person::device_key(ALICE), entry) }
}

/// Alice's own, in which she is alone.
fn group() -> Membership {
    let alice = Person::new(ALICE);
    let member = Member { account: alice.account, role: Role::Admin };
    let entry = MembershipEntry {
        version: VERSION,
        conversation: None,
        index: 0,
        previous: Digest::ZERO,
        author: alice.address(ALICE),
        at: NOON,
        change: Change::Create {
            kind: ConversationKind::Group,
            workspace: WorkspaceId::from_bytes([9; 16]),
            members: List::new(vec![member]).unwrap(),
            policy: Policy::DEFAULT,
            nonce: Bytes::new(vec![0; 16]).unwrap(),
            document: None,
        },
    };
    Membership::create(&sign(&entry).verify(&devices(ALICE)).unwrap()).unwrap()
}
