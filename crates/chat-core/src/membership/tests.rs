mod shared;

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
fn others_messages_are_deleted_by_whom_the_policy_lets() {
    let mut group = Membership::create(&creation(
        ConversationKind::Group,
        &[(ALICE, Role::Admin), (BOB, Role::Member)],
    ))
    .unwrap();

    let before = (group.may_delete(ALICE, BOB), group.may_delete(BOB, BOB));
    let policy = Policy { delete: Some(Allowed::Admins), ..group.policy() };
    group.apply(&next(&group, ALICE, Change::SetPolicy { policy })).unwrap();

    assert_eq!(before, (false, true));
    assert!(group.may_delete(ALICE, BOB));
    assert!(!group.may_delete(BOB, ALICE));
    assert!(!group.may_delete(CAROL, BOB));
}

#[test]
fn what_is_not_a_beginning_begins_nothing() {
    let first = creation(ConversationKind::Group, &[(ALICE, Role::Admin)]).into_inner();
    let somewhere = Some(group().id());
    let odd = [
        MembershipEntry { index: 1, ..first.clone() },
        MembershipEntry { previous: Digest::of(b"before"), ..first.clone() },
        MembershipEntry { conversation: somewhere, ..first.clone() },
        MembershipEntry { version: VERSION + 1, ..first.clone() },
        MembershipEntry { change: Change::Leave, ..first.clone() },
    ];

    for entry in odd {
        assert_eq!(Membership::create(&sign(entry)), Err(MembershipError::Misplaced));
    }
    assert!(Membership::create(&sign(first)).is_ok());
}

#[test]
fn a_document_has_a_name_of_at_most_256_bytes_and_nothing_else_has_one() {
    let begins = |kind, document: Option<String>| {
        let first = creation(kind, &[(ALICE, Role::Admin)]).into_inner();
        let Change::Create { workspace, members, policy, nonce, .. } = first.change else {
            panic!("a creation creates");
        };
        let change = Change::Create { kind, workspace, members, policy, nonce, document };
        Membership::create(&sign(MembershipEntry { change, ..first }))
    };
    let (document, group) = (ConversationKind::Document, ConversationKind::Group);
    let senseless = Err(MembershipError::Senseless);

    let longest = begins(document, Some("d".repeat(256))).unwrap();
    assert_eq!(longest.document(), Some("d".repeat(256).as_str()));
    assert_eq!(begins(group, None).unwrap().document(), None);
    assert_eq!(begins(document, Some("d".repeat(257))), senseless);
    assert_eq!(begins(document, Some(String::new())), senseless);
    assert_eq!(begins(document, None), senseless);
    assert_eq!(begins(group, Some("d".to_owned())), senseless);
}

#[test]
fn a_direct_conversation_is_between_two_and_its_author_is_an_admin() {
    let begins = |members: &[(AccountId, Role)]| {
        Membership::create(&creation(ConversationKind::Direct, members)).map(drop)
    };
    let senseless = Err(MembershipError::Senseless);

    assert_eq!(begins(&[(ALICE, Role::Admin), (BOB, Role::Admin)]), Ok(()));
    assert_eq!(begins(&[(ALICE, Role::Admin)]), senseless);
    assert_eq!(begins(&[(ALICE, Role::Member), (BOB, Role::Admin)]), senseless);
    assert_eq!(begins(&[(BOB, Role::Admin), (CAROL, Role::Admin)]), senseless);
}

#[test]
fn a_membership_tells_what_it_began_with() {
    let entry = creation(ConversationKind::Group, &[(ALICE, Role::Admin), (BOB, Role::Member)]);

    let group = Membership::create(&entry).unwrap();

    assert_eq!(group.workspace(), WorkspaceId::from_bytes([9; 16]));
    assert_eq!((group.kind(), group.policy()), (ConversationKind::Group, Policy::DEFAULT));
    assert_eq!((group.index(), group.at()), (0, Timestamp::from_millis(1)));
    assert_eq!(group.head(), entry.digest());
    assert_eq!((group.role(BOB), group.role(CAROL)), (Some(Role::Member), None));
}

#[test]
fn who_may_post_is_in_the_policy() {
    let mut group = group();
    assert!(group.may_post(ALICE) && group.may_post(BOB) && !group.may_post(CAROL));
    let policy = Policy { post: Allowed::Admins, ..Policy::DEFAULT };

    group.apply(&next(&group, ALICE, Change::SetPolicy { policy })).unwrap();

    assert!(group.may_post(ALICE) && !group.may_post(BOB) && !group.may_post(CAROL));
}

#[test]
fn an_entry_continues_the_last_one_and_is_never_earlier() {
    let mut group = group();
    let good = next(&group, ALICE, add(CAROL, Role::Member)).into_inner();
    let stale = [
        MembershipEntry { index: 2, ..good.clone() },
        MembershipEntry { index: 0, ..good.clone() },
        MembershipEntry { previous: Digest::ZERO, ..good.clone() },
        MembershipEntry { at: Timestamp::from_millis(0), ..good.clone() },
    ];

    for entry in stale {
        assert_eq!(group.apply(&sign(entry)), Err(MembershipError::Stale));
    }
    let misplaced = MembershipEntry { version: VERSION + 1, ..good.clone() };
    assert_eq!(group.apply(&sign(misplaced)), Err(MembershipError::Misplaced));
    let at_once = MembershipEntry { at: group.at(), ..good };
    assert_eq!(group.apply(&sign(at_once)), Ok(()));
    assert_eq!(group.index(), 1);
}

#[test]
fn a_timer_of_the_policy_runs_a_year_at_most() {
    use crate::envelope::ExpiryMode;
    let mut group = group();
    let mut set = |after_ms| {
        let timer = Some(Expiry { mode: ExpiryMode::AfterSent, after_ms });
        let policy = Policy { timer, ..Policy::DEFAULT };
        group.apply(&next(&group, ALICE, Change::SetPolicy { policy }))
    };
    let year = 365 * 24 * 3_600_000;

    assert_eq!(set(year), Ok(()));
    assert_eq!(set(year + 1), Err(MembershipError::Senseless));
}

#[test]
fn sender_chains_are_no_policy() {
    let mut group = group();

    let policy = Policy { scheme: WrapScheme::SenderChain, ..Policy::DEFAULT };
    let change = Change::SetPolicy { policy };

    assert_eq!(group.apply(&next(&group, ALICE, change)), Err(MembershipError::Senseless));
    let policy = Policy { scheme: WrapScheme::HpkeXwing, ..Policy::DEFAULT };
    let change = Change::SetPolicy { policy };
    assert_eq!(group.apply(&next(&group, ALICE, change)), Ok(()));
}

#[test]
fn adding_nobody_and_removing_a_stranger_is_senseless() {
    let mut group = group();
    let nobody = Change::Add { members: List::default() };

    for change in [
        nobody,
        Change::Remove { account: CAROL },
        Change::SetRole { account: CAROL, role: Role::Member },
        Change::SetRole { account: ALICE, role: Role::Member },
    ] {
        assert_eq!(group.apply(&next(&group, ALICE, change)), Err(MembershipError::Senseless));
    }
    let promoted = Change::SetRole { account: BOB, role: Role::Admin };
    assert_eq!(group.apply(&next(&group, ALICE, promoted)), Ok(()));
    assert_eq!(group.role(BOB), Some(Role::Admin));
}

#[test]
fn a_full_conversation_takes_nobody_more() {
    let many = |count: u16| -> Vec<(AccountId, Role)> {
        let number = |number: u16| {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            (AccountId::from_bytes(id), Role::Member)
        };
        (1..count).map(number).chain([(ALICE, Role::Admin)]).collect()
    };
    let full = creation(ConversationKind::Group, &many(1000));
    let mut group = Membership::create(&full).unwrap();

    let one_more = group.apply(&next(&group, ALICE, add(BOB, Role::Member)));

    assert_eq!(one_more, Err(MembershipError::TooMany));
    let mut channel =
        Membership::create(&creation(ConversationKind::Channel, &many(1000))).unwrap();
    assert_eq!(channel.apply(&next(&channel, ALICE, add(BOB, Role::Member))), Ok(()));
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
