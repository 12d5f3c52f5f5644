//! Workspaces, members, invitations, and the end of an account.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::workspaces::{AccountState, Invitation, WorkspaceRole};
use chat_core::codec::{Bytes, Digest, List};
use chat_core::id::{BlobId, InvitationId, WorkspaceId};
use chat_core::membership::{
    Change, ConversationKind, Departed, Member, Membership, MembershipEntry, Policy, Role,
};
use chat_core::presence::Availability;
use chat_core::receipt::ReceiptKind;
use chat_core::signed::Verified;
use chat_core::time::Timestamp;

use super::people::{NOW, Person, WORKSPACE, group, people, stored};
use crate::presence::Word;
use crate::presence::circle::Gone;
use crate::storage::{
    FamilyId, InvitationRecord, Joins, NewAccount, Reservation, Room, Session, SessionState,
    Standing, Storage, StorageError,
};

const ELSEWHERE: WorkspaceId = WorkspaceId::from_bytes([0xbb; 16]);
const FAMILY: FamilyId = FamilyId::from_bytes([7; 16]);

pub(crate) async fn an_invitation_brings_its_role_and_is_spent(store: Arc<dyn Storage>) {
    people(&store, []).await;
    invite(&store, 1, WorkspaceRole::Guest, 1).await;
    let (alice, bob) = (invited("alice", 1), invited("bob", 1));

    let first = store.create_account(&alice, NOW).await;
    let again = store.create_account(&alice, NOW).await;
    let spent = store.create_account(&bob, NOW).await;

    assert_eq!((first, again), (Ok(()), Ok(())));
    assert_eq!(spent, Err(StorageError::InvitationInvalid));
    let standing = store.standing(Person::named("alice").account).await.unwrap().unwrap();
    assert_eq!((standing.workspace, standing.role), (ELSEWHERE, WorkspaceRole::Guest));
    assert!(store.login_record("bob").await.unwrap().is_none());
}

pub(crate) async fn of_many_who_spend_the_last_use_one_comes_in(store: Arc<dyn Storage>) {
    people(&store, []).await;
    invite(&store, 1, WorkspaceRole::Member, 1).await;
    let names = ["anna", "berta", "carla", "dora", "emma", "frida", "greta", "hanna"];

    let register = |name: &'static str| {
        let store = store.clone();
        tokio::spawn(async move { store.create_account(&invited(name, 1), NOW).await })
    };
    let mut answers = Vec::new();
    for one in names.map(register) {
        answers.push(one.await.unwrap());
    }

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let refused = Err(StorageError::InvitationInvalid);
    assert_eq!(answers.iter().filter(|answer| **answer == refused).count(), 7);
}

pub(crate) async fn what_was_repeated_is_not_spent_twice(store: Arc<dyn Storage>) {
    people(&store, []).await;
    invite(&store, 1, WorkspaceRole::Member, 3).await;
    let alice = invited("alice", 1);

    for _ in 0..3 {
        store.create_account(&alice, NOW).await.unwrap();
    }
    let taken = NewAccount { username: "alice".into(), ..invited("bob", 1) };
    let taken = store.create_account(&taken, NOW).await;

    assert_eq!(taken, Err(StorageError::NameTaken));
    let (_, left) = store.invitation(token(1), NOW).await.unwrap().unwrap();
    assert_eq!(left.uses_left, 2);
}

pub(crate) async fn an_invitation_runs_out_and_is_revoked(store: Arc<dyn Storage>) {
    people(&store, []).await;
    let first = invite(&store, 1, WorkspaceRole::Member, 5).await;
    invite(&store, 2, WorkspaceRole::Member, 5).await;
    let listed = async || {
        let page = store.invitations(ELSEWHERE, None, 10, NOW).await.unwrap();
        page.invitations.len()
    };
    assert_eq!(listed().await, 2);

    let others = store.revoke_invitation(WORKSPACE, first, NOW).await;
    store.revoke_invitation(ELSEWHERE, first, NOW).await.unwrap();
    store.revoke_invitation(ELSEWHERE, first, NOW).await.unwrap();

    assert_eq!(others, Err(StorageError::NotFound));
    assert_eq!(listed().await, 1);
    let refused = Err(StorageError::InvitationInvalid);
    assert_eq!(store.create_account(&invited("alice", 1), NOW).await, refused);
    assert_eq!(store.create_account(&invited("alice", 2), day(2)).await, refused);
    assert_eq!(store.create_account(&invited("alice", 9), NOW).await, refused);
    assert_eq!(store.invitation(token(2), day(2)).await, Ok(None));
    assert!(store.forget_expired(day(2)).await.unwrap() >= 2);
}

pub(crate) async fn nobody_of_another_workspace_gets_into_a_conversation(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    invite(&store, 1, WorkspaceRole::Member, 1).await;
    store.create_account(&invited("erin", 1), NOW).await.unwrap();
    let erin = Person::named("erin");

    let (entry, begun) = alice.creates(ConversationKind::Group, &[&erin], 1);
    let together = store.create_conversation(&entry, &begun, NOW).await;
    let membership = group(&store, &alice, &[&bob], 2).await;
    let (entry, after) = alice.adds(&membership, &erin);
    let added = store.append_entry(&entry, &after, NOW).await;

    assert_eq!((together, added), (Err(StorageError::NotFound), Err(StorageError::NotFound)));
    assert_eq!(store.conversation(begun.id()).await, Ok(None));
    let stored = store.conversation(membership.id()).await.unwrap().unwrap();
    assert_eq!(stored.membership.index(), 0);
    let known = store.of_workspace(WORKSPACE, &[alice.account, erin.account]).await.unwrap();
    assert_eq!(known, [alice.account]);
}

pub(crate) async fn members_come_in_pages_and_names_by_their_beginning(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["bea", "ben", "bert"]).await;
    group(&store, &alice, &[&bob], 1).await;

    let page = store.workspace_members(WORKSPACE, None, 2).await.unwrap();
    let last = page.members.last().unwrap().account;
    let rest = store.workspace_members(WORKSPACE, Some(last), 2).await.unwrap();
    let found = store.names(WORKSPACE, "be", "", None, 2).await.unwrap();
    let after = store.names(WORKSPACE, "be", "ben", None, 2).await.unwrap();
    let among = store.names(WORKSPACE, "be", "", Some(alice.account), 9).await.unwrap();
    let elsewhere = store.names(ELSEWHERE, "be", "", None, 9).await.unwrap();

    assert_eq!((page.members.len(), page.more), (2, true));
    assert_eq!((rest.members.len(), rest.more), (1, false));
    let names = |page: &chat_core::api::workspaces::NamePage| {
        page.accounts.iter().map(|one| one.username.clone()).collect::<Vec<_>>()
    };
    assert_eq!((names(&found), found.more), (vec!["bea".into(), "ben".into()], true));
    assert_eq!((names(&after), after.more), (vec!["bert".to_owned()], false));
    assert_eq!(names(&among), ["bea", "ben"]);
    assert_eq!(names(&elsewhere), Vec::<String>::new());
    let others = [bob.account, carol.account];
    assert_eq!(store.known_to(alice.account, &others).await, Ok(vec![bob.account]));
}

pub(crate) async fn two_owners_do_not_both_step_down(store: Arc<dyn Storage>) {
    let [alice, bob, _] = people(&store, ["alice", "bob", "carol"]).await;
    let owner = Standing { role: WorkspaceRole::Owner, ..member() };
    for one in [&alice, &bob] {
        store.set_workspace_role(one.account, member(), WorkspaceRole::Owner).await.unwrap();
    }

    let step_down = |person: &Person| {
        let (store, account) = (store.clone(), person.account);
        tokio::spawn(async move {
            store.set_workspace_role(account, owner, WorkspaceRole::Member).await
        })
    };
    let both = [step_down(&alice), step_down(&bob)];
    let mut answers = Vec::new();
    for one in both {
        answers.push(one.await.unwrap());
    }

    answers.sort_by_key(Result::is_err);
    assert_eq!(answers, [Ok(()), Err(StorageError::LastOwner)]);
    let suspended = AccountState::Suspended;
    for one in [&alice, &bob] {
        let refused = store.set_account_state(one.account, owner, suspended).await;
        assert!(matches!(refused, Err(StorageError::LastOwner | StorageError::Conflict)));
    }
}

pub(crate) async fn who_is_suspended_has_no_session_until_reinstated(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let address = alice.address(0);
    store.insert_refresh(FAMILY, address, token(3), day(9), NOW).await.unwrap();
    let state = async || {
        let session = Session { address, family: FAMILY };
        store.session_states(&[session]).await.unwrap()[0]
    };
    assert_eq!(state().await, SessionState::Active);

    let suspended = Standing { state: AccountState::Suspended, ..member() };
    store.set_account_state(alice.account, member(), suspended.state).await.unwrap();
    let while_suspended = state().await;
    let raced = store.set_account_state(alice.account, member(), suspended.state).await;
    store.set_account_state(alice.account, suspended, AccountState::Active).await.unwrap();

    assert_eq!(while_suspended, SessionState::Suspended);
    assert_eq!(raced, Err(StorageError::Conflict));
    assert_eq!(state().await, SessionState::Ended);
    assert_eq!(store.sessions(alice.account).await, Ok(vec![]));
}

pub(crate) async fn sessions_tell_when_they_were_used(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    let other = FamilyId::from_bytes([8; 16]);
    store.insert_refresh(FAMILY, alice.address(0), token(1), day(9), NOW).await.unwrap();
    store.insert_refresh(other, alice.address(0), token(2), day(9), day(1)).await.unwrap();

    let patience = Duration::from_secs(10);
    store.spend_refresh(token(1), token(3), day(9), patience, day(2)).await.unwrap();

    let sessions = store.sessions(alice.account).await.unwrap();
    let told: Vec<_> = sessions.iter().map(|s| (s.family, s.begun_at, s.used_at)).collect();
    assert_eq!(told, [(FAMILY, NOW, day(2)), (other, day(1), day(1))]);
    store.revoke_account(alice.account).await.unwrap();
    assert_eq!(store.sessions(alice.account).await, Ok(vec![]));
}

pub(crate) async fn of_a_deleted_account_only_its_public_keys_are_left(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let membership = group(&store, &alice, &[&bob], 1).await;
    stored(&store, alice.writes(&membership, "hello")).await;
    store.insert_refresh(FAMILY, alice.address(0), token(1), day(9), NOW).await.unwrap();
    let seen = alice.receipt(0, &membership, ReceiptKind::Seen, 1);
    store.put_receipt(&seen, NOW).await.unwrap();
    let gone =
        [Gone { account: alice.account, word: Word::everywhere(Availability::Online), at: NOW }];
    store.put_last_seen(&gone).await.unwrap();
    let blob = Reservation {
        blob: BlobId::from_bytes([5; 16]),
        uploader: alice.account,
        workspace: WORKSPACE,
        bytes: 9,
    };
    let room = Room { account: 9, workspace: None };
    store.reserve_blob(&blob, room, day(1)).await.unwrap();

    let erased = store.delete_account(alice.account, member(), day(30), NOW).await.unwrap();
    let again = store.delete_account(alice.account, member(), day(30), NOW).await.unwrap();

    assert_eq!(erased.conversations, [membership.id()]);
    assert_eq!(erased.acquaintances, [bob.account]);
    assert!(again.conversations.is_empty() && again.acquaintances.is_empty());
    let session = Session { address: alice.address(0), family: FAMILY };
    assert_eq!(store.session_states(&[session]).await, Ok(vec![SessionState::Removed]));
    assert!(store.login_record("alice").await.unwrap().is_none());
    assert!(store.keyring(alice.account).await.unwrap().unwrap().sealed.is_empty());
    assert_eq!(store.prekey_count(alice.address(0)).await.unwrap().remaining, 0);
    assert!(store.receipts(membership.id()).await.unwrap().is_empty());
    assert_eq!(store.collect_blobs(NOW, 9).await, Ok(1));
    // Her last connection ends after she is gone.
    store.put_last_seen(&gone).await.unwrap();
    assert!(store.last_seen(&[alice.account]).await.unwrap().is_empty());
    let keys = store.account_keys(alice.account).await.unwrap().unwrap();
    assert_eq!((keys.devices, keys.deleted_at), (alice.devices.to_published(), Some(NOW)));
    let active = store.active_devices(&[alice.account]).await.unwrap();
    assert!(active[0].devices.is_empty() && active[0].is_deleted);
    assert_eq!(store.acquaintances(bob.account).await, Ok(vec![]));
    // What she said stays, by this conversation's policy.
    let page = store.read_after(bob.address(0), membership.id(), 0, 9, NOW).await.unwrap();
    assert!(page.messages[0].envelope.is_some());
}

pub(crate) async fn a_deleted_accounts_name_is_kept_for_a_while(store: Arc<dyn Storage>) {
    let [alice] = people(&store, ["alice"]).await;
    store.delete_account(alice.account, member(), day(30), NOW).await.unwrap();
    let heir = NewAccount { username: "alice".into(), ..Person::named("heir").registration() };

    let soon = store.create_account(&heir, day(29)).await;
    let later = store.create_account(&heir, day(30)).await;

    assert_eq!((soon, later), (Err(StorageError::NameTaken), Ok(())));
    let record = store.login_record("alice").await.unwrap().unwrap();
    assert_eq!(record.account, Person::named("heir").account);
}

pub(crate) async fn messages_go_with_their_account_where_the_policy_says_so(
    store: Arc<dyn Storage>,
) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let membership = group(&store, &alice, &[&bob], 1).await;
    let policy = Policy { departed: Departed::Erase, ..Policy::DEFAULT };
    let (entry, membership) = alice.changes(&membership, Change::SetPolicy { policy });
    store.append_entry(&entry, &membership, NOW).await.unwrap();
    stored(&store, alice.writes(&membership, "hers")).await;
    stored(&store, bob.writes(&membership, "his")).await;

    store.delete_account(alice.account, member(), day(30), NOW).await.unwrap();

    let page = store.read_after(bob.address(0), membership.id(), 0, 9, NOW).await.unwrap();
    let left: Vec<_> = page.messages.iter().map(|one| one.envelope.is_some()).collect();
    assert_eq!(left, [false, true]);
    assert_eq!(store.expire_due(NOW, 10).await.unwrap().len(), 1);
}

pub(crate) async fn who_was_deleted_is_not_added_and_does_not_come_back(store: Arc<dyn Storage>) {
    let [alice, bob, carol] = people(&store, ["alice", "bob", "carol"]).await;
    let membership = group(&store, &alice, &[&bob], 1).await;
    store.delete_account(bob.account, member(), day(30), NOW).await.unwrap();
    store.delete_account(carol.account, member(), day(30), NOW).await.unwrap();

    // The log still has Bob; what follows in it brings no stay of his back.
    let change = Change::SetPolicy { policy: Policy::DEFAULT };
    let (entry, membership) = alice.changes(&membership, change);
    let next = store.append_entry(&entry, &membership, NOW).await;
    let (entry, after) = alice.adds(&membership, &carol);
    let added = store.append_entry(&entry, &after, NOW).await;

    assert_eq!((next, added), (Ok(()), Err(StorageError::NotFound)));
    assert_eq!(store.acquaintances(alice.account).await, Ok(vec![]));
}

pub(crate) async fn a_document_has_one_conversation_in_a_workspace(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let (first, begun) = of_document(&alice, "plan", 1);
    let (second, other) = of_document(&bob, "plan", 2);
    store.create_conversation(&first, &begun, NOW).await.unwrap();

    let refused = store.create_conversation(&second, &other, NOW).await;

    assert_eq!(refused, Err(StorageError::ConversationExists(begun.id())));
    assert_eq!(store.create_conversation(&first, &begun, NOW).await, Ok(()));
    let found = store.conversation_of_document(WORKSPACE, "plan").await;
    assert_eq!(found, Ok(Some(begun.id())));
    assert_eq!(store.conversation_of_document(ELSEWHERE, "plan").await, Ok(None));
    assert_eq!(store.conversation_of_document(WORKSPACE, "Plan").await, Ok(None));
}

pub(crate) async fn who_joins_a_channel_may_read_it_from_its_beginning(store: Arc<dyn Storage>) {
    let [alice, bob] = people(&store, ["alice", "bob"]).await;
    let (entry, channel) = alice.begins(ConversationKind::Channel, Policy::CHANNEL, None, 1);
    store.create_conversation(&entry, &channel, NOW).await.unwrap();
    stored(&store, alice.writes(&channel, "first")).await;
    let listed = async |asking: &Person| {
        store.channels(WORKSPACE, asking.account, None, 9).await.unwrap().channels.into_vec()
    };
    let before = listed(&bob).await;
    assert_eq!(store.whole_log(channel.id(), 0, 9).await.unwrap().entries.len(), 1);

    let (entry, after) = bob.changes(&channel, Change::Join);
    store.append_entry(&entry, &after, NOW).await.unwrap();

    assert_eq!((before[0].members, before[0].is_member), (1, false));
    let now = listed(&bob).await;
    assert_eq!((now[0].conversation, now[0].members, now[0].is_member), (channel.id(), 2, true));
    let page = store.read_after(bob.address(0), channel.id(), 0, 9, NOW).await.unwrap();
    assert_eq!(page.messages.len(), 1);
    // It is there to be asked for, and not delivered.
    assert_eq!(store.backlog(&[bob.address(0)]).await, Ok(vec![]));
    assert!(store.channels(ELSEWHERE, bob.account, None, 9).await.unwrap().channels.is_empty());
}

pub(crate) async fn workspaces_are_made_and_listed(store: Arc<dyn Storage>) {
    people(&store, ["alice"]).await;
    store.create_workspace(ELSEWHERE, "Elsewhere", NOW).await.unwrap();
    store.create_workspace(ELSEWHERE, "Elsewhere", NOW).await.unwrap();

    let renamed = store.create_workspace(ELSEWHERE, "Another", NOW).await;
    let all = store.workspaces(None, 9).await.unwrap();
    let after = store.workspaces(Some(WORKSPACE), 9).await.unwrap();

    assert_eq!(renamed, Err(StorageError::AlreadyExists));
    let told: Vec<_> = all.iter().map(|w| (w.name.as_str(), w.is_default, w.accounts)).collect();
    assert_eq!(told, [("default", true, 1), ("Elsewhere", false, 0)]);
    assert_eq!(after.len(), 1);
    let one = store.workspace(ELSEWHERE).await.unwrap().unwrap();
    assert_eq!((one.name.as_str(), one.created_at), ("Elsewhere", NOW));
}

fn member() -> Standing {
    let (role, state) = (WorkspaceRole::Member, AccountState::Active);
    Standing { workspace: WORKSPACE, role, state }
}

fn token(number: u8) -> Digest {
    Digest::of(&[number])
}

fn day(number: u32) -> Timestamp {
    NOW.after(Duration::from_secs(24 * 3600) * number)
}

/// Somebody who comes by the invitation of this number.
fn invited(name: &'static str, number: u8) -> NewAccount {
    NewAccount { joins: Joins::Invited(token(number)), ..Person::named(name).registration() }
}

/// An invitation to the other workspace, for a day.
async fn invite(
    store: &Arc<dyn Storage>,
    number: u8,
    role: WorkspaceRole,
    uses_left: u32,
) -> InvitationId {
    store.create_workspace(ELSEWHERE, "Elsewhere", NOW).await.unwrap();
    let invitation = InvitationId::from_bytes([number; 16]);
    let expires_at = day(1);
    let invitation = Invitation { invitation, role, uses_left, expires_at, issued_by: None };
    let record = InvitationRecord { workspace: ELSEWHERE, hash: token(number), invitation };
    store.add_invitation(&record, NOW).await.unwrap();
    invitation.invitation
}

fn of_document(
    person: &Person,
    document: &str,
    nonce: u8,
) -> (Verified<MembershipEntry>, Membership) {
    let document = Some(document.to_owned());
    person.begins(ConversationKind::Document, Policy::DOCUMENT, document, nonce)
}

impl Person {
    /// A conversation that this person begins alone.
    pub(crate) fn begins(
        &self,
        kind: ConversationKind,
        policy: Policy,
        document: Option<String>,
        nonce: u8,
    ) -> (Verified<MembershipEntry>, Membership) {
        let members = vec![Member { account: self.account, role: Role::Admin }];
        self.creates_with(Change::Create {
            kind,
            workspace: WORKSPACE,
            members: List::new(members).unwrap(),
            policy,
            nonce: Bytes::new(vec![nonce; 16]).unwrap(),
            document,
        })
    }
}
