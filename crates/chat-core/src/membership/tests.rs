use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::codec::{Bytes, List};
use crate::id::DeviceId;
use crate::key::{DeviceKey, Signature, signature_input};
use crate::signed::Unverified;

const ALICE: AccountId = AccountId::from_bytes([1; 16]);
const BOB: AccountId = AccountId::from_bytes([2; 16]);
const CAROL: AccountId = AccountId::from_bytes([3; 16]);

#[test]
fn the_id_is_the_beginning_of_the_creation_entrys_hash() {
    let entry = creation(ConversationKind::Group, &[(ALICE, Role::Admin)]);

    let group = Membership::create(&entry).unwrap();

    assert_eq!(group.id().as_bytes(), &entry.digest().as_bytes()[..16]);
}

#[test]
fn an_admin_adds_and_removes() {
    let mut group = group();

    group.apply(&next(&group, ALICE, add(CAROL, Role::Member))).unwrap();
    group.apply(&next(&group, ALICE, Change::Remove { account: BOB })).unwrap();

    assert_eq!(group.members().map(|m| m.account).collect::<Vec<_>>(), [ALICE, CAROL]);
    assert_eq!(group.index(), 2);
}

#[test]
fn a_member_decides_nothing_that_admins_decide() {
    let mut group = group();
    let before = group.clone();

    for change in [
        add(CAROL, Role::Member),
        Change::Remove { account: ALICE },
        Change::SetRole { account: BOB, role: Role::Admin },
        Change::SetPolicy { policy: Policy { add: Allowed::Members, ..Policy::DEFAULT } },
    ] {
        assert_eq!(group.apply(&next(&group, BOB, change)), Err(MembershipError::NotAllowed));
    }

    assert_eq!(group, before);
}

#[test]
fn who_may_add_may_not_add_admins() {
    let mut group = group();
    let policy = Policy { add: Allowed::Members, ..Policy::DEFAULT };
    group.apply(&next(&group, ALICE, Change::SetPolicy { policy })).unwrap();

    let granted = group.apply(&next(&group, BOB, add(CAROL, Role::Admin)));

    assert_eq!(granted, Err(MembershipError::NotAllowed));
    assert_eq!(group.apply(&next(&group, BOB, add(CAROL, Role::Member))), Ok(()));
}

#[test]
fn the_loser_of_a_race_is_stale() {
    let mut group = group();
    let first = next(&group, ALICE, add(CAROL, Role::Member));
    let second = next(&group, ALICE, Change::Remove { account: BOB });

    group.apply(&first).unwrap();

    assert_eq!(group.apply(&second), Err(MembershipError::Stale));
    assert_eq!(group.apply(&first), Err(MembershipError::Stale));
}

#[test]
fn the_last_admin_cannot_leave_the_others_alone() {
    let mut group = group();

    assert_eq!(group.apply(&next(&group, ALICE, Change::Leave)), Err(MembershipError::Senseless));
    assert_eq!(group.apply(&next(&group, BOB, Change::Leave)), Ok(()));
    assert_eq!(group.apply(&next(&group, ALICE, Change::Leave)), Ok(()));
}

#[test]
fn nobody_joins_a_direct_conversation() {
    let both = [(ALICE, Role::Admin), (BOB, Role::Admin)];
    let mut direct = Membership::create(&creation(ConversationKind::Direct, &both)).unwrap();

    for change in [add(CAROL, Role::Member), Change::Remove { account: BOB }, Change::Leave] {
        assert_eq!(direct.apply(&next(&direct, ALICE, change)), Err(MembershipError::NotAllowed));
    }
}

#[test]
fn an_entry_of_another_conversation_is_misplaced() {
    let mut group = group();
    let other =
        Membership::create(&creation(ConversationKind::Group, &[(ALICE, Role::Admin)])).unwrap();

    let entry = next(&other, ALICE, add(CAROL, Role::Member));

    assert_eq!(group.apply(&entry), Err(MembershipError::Misplaced));
}

#[test]
fn nobody_is_a_member_twice() {
    let twice = [(ALICE, Role::Admin), (ALICE, Role::Admin)];
    let mut group = group();

    assert_eq!(
        Membership::create(&creation(ConversationKind::Group, &twice)),
        Err(MembershipError::Senseless)
    );
    assert_eq!(
        group.apply(&next(&group, ALICE, add(BOB, Role::Member))),
        Err(MembershipError::Senseless)
    );
}

#[test]
fn a_stored_membership_continues_where_it_was() {
    let mut group = group();
    group.apply(&next(&group, ALICE, add(CAROL, Role::Member))).unwrap();

    let mut stored: Membership = crate::codec::from_bytes(&crate::codec::to_bytes(&group)).unwrap();

    assert_eq!(stored, group);
    assert_eq!(stored.apply(&next(&group, ALICE, Change::Remove { account: BOB })), Ok(()));
}

fn group() -> Membership {
    let members = [(ALICE, Role::Admin), (BOB, Role::Member)];
    Membership::create(&creation(ConversationKind::Group, &members)).unwrap()
}

fn add(account: AccountId, role: Role) -> Change {
    Change::Add { members: List::new(vec![Member { account, role }]).unwrap() }
}

fn creation(kind: ConversationKind, members: &[(AccountId, Role)]) -> Verified<MembershipEntry> {
    let members = members.iter().map(|(account, role)| Member { account: *account, role: *role });
    let change = Change::Create {
        kind,
        workspace: WorkspaceId::from_bytes([9; 16]),
        members: List::new(members.collect()).unwrap(),
        policy: Policy::DEFAULT,
        nonce: Bytes::new(vec![0; 16]).unwrap(),
        document: None,
    };
    sign(MembershipEntry {
        version: VERSION,
        conversation: None,
        index: 0,
        previous: Digest::ZERO,
        author: device(ALICE),
        at: Timestamp::from_millis(1),
        change,
    })
}

fn next(membership: &Membership, author: AccountId, change: Change) -> Verified<MembershipEntry> {
    sign(membership.next_entry(device(author), change, Timestamp::from_millis(2)))
}

fn device(account: AccountId) -> DeviceAddress {
    DeviceAddress { account, device: DeviceId::from_bytes(*account.as_bytes()) }
}

fn sign(entry: MembershipEntry) -> Verified<MembershipEntry> {
    let secret = SigningKey::from_bytes(&[5; 32]);
    let signed = Unverified::sign(&entry, |label, bytes| {
        Signature::from_bytes(secret.sign(&signature_input(label, bytes)).to_bytes())
    });
    signed.unwrap().verify(&DeviceKey::from_bytes(secret.verifying_key().to_bytes())).unwrap()
}
