//! Channels and documents: who joins by themselves, and what only they may say in their policy.

use super::*;

#[test]
fn whoever_joins_a_channel_becomes_a_member_and_may_leave() {
    let mut channel = channel(Policy::CHANNEL);
    assert!(channel.may_join(BOB));

    channel.apply(&next(&channel, BOB, Change::Join)).unwrap();

    assert_eq!(channel.role(BOB), Some(Role::Member));
    assert!(!channel.may_join(BOB));
    let again = channel.clone().apply(&next(&channel, BOB, Change::Join));
    assert_eq!(again, Err(MembershipError::Senseless));
    channel.apply(&next(&channel, BOB, Change::Leave)).unwrap();
    assert!(channel.may_join(BOB));
}

#[test]
fn nobody_joins_where_the_policy_does_not_say_so() {
    let closed = Policy { join: Joining::Added, ..Policy::CHANNEL };
    let mut direct = Membership::create(&creation(
        ConversationKind::Direct,
        &[(ALICE, Role::Admin), (BOB, Role::Admin)],
    ))
    .unwrap();

    for membership in [&mut channel(closed), &mut group(), &mut direct] {
        assert!(!membership.may_join(CAROL));
        let joined = membership.apply(&next(membership, CAROL, Change::Join));
        assert_eq!(joined, Err(MembershipError::NotAllowed));
    }
}

#[test]
fn a_channel_that_closes_lets_nobody_in_any_more() {
    let mut channel = channel(Policy::CHANNEL);
    let closed = Policy { join: Joining::Added, ..Policy::CHANNEL };

    channel.apply(&next(&channel, ALICE, Change::SetPolicy { policy: closed })).unwrap();

    let joined = channel.clone().apply(&next(&channel, BOB, Change::Join));
    assert_eq!(joined, Err(MembershipError::NotAllowed));
}

#[test]
fn a_channel_that_everybody_has_left_stays_empty() {
    let mut channel = channel(Policy::CHANNEL);
    channel.apply(&next(&channel, ALICE, Change::Leave)).unwrap();

    let joined = channel.clone().apply(&next(&channel, BOB, Change::Join));

    assert_eq!(joined, Err(MembershipError::NotAllowed));
    assert!(!channel.may_join(BOB));
}

#[test]
fn a_join_begins_nothing_and_makes_no_admin() {
    let first = creation(ConversationKind::Channel, &[(ALICE, Role::Admin)]).into_inner();
    let begun = Membership::create(&sign(MembershipEntry { change: Change::Join, ..first }));
    assert_eq!(begun, Err(MembershipError::Misplaced));

    let mut channel = channel(Policy::CHANNEL);
    channel.apply(&next(&channel, BOB, Change::Join)).unwrap();
    let takes = Change::SetRole { account: BOB, role: Role::Admin };
    let taken = channel.clone().apply(&next(&channel, BOB, takes));

    assert_eq!(taken, Err(MembershipError::NotAllowed));
}

#[test]
fn only_shared_kinds_let_the_workspace_in_or_newcomers_read_back() {
    use ConversationKind::{Channel, Direct, Document, Group};
    let join = Policy { join: Joining::Workspace, ..Policy::DEFAULT };
    let scheme = WrapScheme::HpkeXwing;
    let history = Policy { history: History::FromBeginning, scheme, ..Policy::DEFAULT };
    let senseless = Err(MembershipError::Senseless);

    for policy in [join, history] {
        for kind in [Channel, Document] {
            assert_eq!(begins(kind, policy).map(|begun| begun.policy()), Ok(policy));
        }
        for kind in [Direct, Group] {
            assert_eq!(begins(kind, policy), senseless, "{kind:?}");
        }
        let mut group = group();
        let set = group.apply(&next(&group, ALICE, Change::SetPolicy { policy }));
        assert_eq!(set, Err(MembershipError::Senseless));
    }
}

#[test]
fn nobody_reads_back_where_wraps_are_for_devices() {
    let history = History::FromBeginning;
    let policy = Policy { history, scheme: WrapScheme::Ratchet, ..Policy::DEFAULT };

    assert_eq!(begins(ConversationKind::Channel, policy), Err(MembershipError::Senseless));
}

#[test]
fn every_kind_says_what_becomes_of_who_is_deleted() {
    let departed = Policy { departed: Departed::Erase, ..Policy::DEFAULT };

    for kind in [ConversationKind::Direct, ConversationKind::Group, ConversationKind::Channel] {
        assert_eq!(begins(kind, departed).unwrap().policy().departed, Departed::Erase);
    }
}

#[test]
fn what_is_as_by_default_is_not_written() {
    let plain = crate::codec::to_bytes(&Policy::DEFAULT);
    let open = crate::codec::to_bytes(&Policy::CHANNEL);
    let read: Policy = crate::codec::from_bytes(&open).unwrap();
    let json = serde_json::to_value(Policy::DEFAULT).unwrap();

    assert_eq!(plain.first(), Some(&0xa4));
    assert_eq!(open.first(), Some(&0xa6));
    assert_eq!(read, Policy::CHANNEL);
    assert!(json.get("join").is_none());
    // What says the default in so many words means the same.
    let mut wordy = plain.clone();
    wordy[0] = 0xa5;
    wordy.extend([0x06, 0x01]);
    assert_eq!(crate::codec::from_bytes(&wordy), Ok(Policy::DEFAULT));
}

fn channel(policy: Policy) -> Membership {
    begins(ConversationKind::Channel, policy).unwrap()
}

/// A conversation of this kind with these rules, or why there is none.
fn begins(kind: ConversationKind, policy: Policy) -> Result<Membership, MembershipError> {
    let both = [(ALICE, Role::Admin), (BOB, Role::Admin)];
    let members = if kind == ConversationKind::Direct { &both[..] } else { &both[..1] };
    let mut entry = creation(kind, members).into_inner();
    if let Change::Create { policy: rules, document, .. } = &mut entry.change {
        *rules = policy;
        *document = (kind == ConversationKind::Document).then(|| "plan".to_owned());
    }
    Membership::create(&sign(entry))
}
