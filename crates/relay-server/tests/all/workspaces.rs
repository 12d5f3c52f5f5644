//! Workspaces: what stays inside one, who decides, how people come and go.

use std::time::Duration;

use chat_core::api::account::{AccountKeys, AccountName};
use chat_core::api::conversations::{MembershipPage, MessagePage};
use chat_core::api::prekeys::{Bundles, FetchBundles};
use chat_core::api::workspaces::{
    AccountState, ChannelPage, CreatedWorkspace, DocumentConversation, InvitationPage,
    IssuedInvitation, MemberPage, NamePage, NewInvitation, NewWorkspace, Sessions, SetRole,
    SetState, WorkspaceRole,
};
use chat_core::codec::List;
use chat_core::frame::RelayFrame;
use chat_core::id::{AccountId, WorkspaceId};
use chat_core::membership::{Change, ConversationKind, Member, Policy, Role};
use chat_core::reject::RejectCode::{
    self, AccountSuspended, DeviceRemoved, Forbidden, InvalidCredentials, InvitationInvalid,
    LastOwner, Malformed, NotAMember, NotFound, RegistrationClosed,
};
use chat_core::time::Timestamp;
use relay_server::clock::{Clock as _, SystemClock};
use relay_server::config::{Accounts, Registration, WorkspacesBy};
use relay_server::operator::workspaces as operator;
use relay_server::testing::TestRelay;

use crate::people::{PASSWORD, Person, Rest};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn nothing_crosses_a_workspace() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let bob = Person::register(&relay, "bob").await;
    let [erin] = elsewhere(&relay, ["erin"]).await;
    let chat = alice.direct(&bob).await;

    // She looks for them by name, by the beginning of a name, by id, and for their prekeys.
    let by_name = erin.get::<AccountName>("/v1/accounts/by-name/alice").await;
    let names: NamePage = erin.get("/v1/accounts?search=").await.unwrap();
    let keys = erin.get::<AccountKeys>(&format!("/v1/accounts/{}/keys", alice.account)).await;
    let wanted = FetchBundles { devices: List::new(vec![alice.device.address]).unwrap() };
    let bundles: Bundles = erin.post("/v1/prekeys/fetch", &wanted).await.unwrap();
    let members: MemberPage = erin.get("/v1/workspace/members").await.unwrap();
    // She begins a conversation with them, in her workspace and in theirs, and reads one of theirs.
    let direct = ConversationKind::Direct;
    let with_her = erin.begin(direct, &[&alice], Policy::DEFAULT).await;
    let theirs = alice.workspace().await.workspace;
    let in_theirs = begin_in(&erin, theirs, direct, &[&alice]).await;
    let alone = begin_in(&erin, theirs, ConversationKind::Channel, &[]).await;
    let log = format!("/v1/conversations/{}/membership", chat.id());
    let read = erin.get::<MembershipPage>(&log).await;
    // And they begin one with her.
    let with_them = alice.begin(ConversationKind::Group, &[&erin], Policy::DEFAULT).await;

    assert_eq!(code(by_name), NotFound);
    assert_eq!(names.accounts.iter().map(|one| one.account).collect::<Vec<_>>(), [erin.account]);
    assert_eq!(code(keys), NotFound);
    assert!(bundles.bundles.is_empty());
    assert_eq!(members.members.iter().map(|one| one.account).collect::<Vec<_>>(), [erin.account]);
    assert_eq!(code(with_her), NotFound);
    assert_eq!((in_theirs, alone), (Err(NotFound), Err(NotFound)));
    assert_eq!(code(read), NotAMember);
    assert_eq!(code(with_them), NotFound);
}

#[tokio::test]
async fn an_owner_of_one_workspace_decides_nothing_in_another() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let [erin] = elsewhere(&relay, ["erin"]).await;
    let ours = alice.workspace().await.workspace;
    let storage = relay.storage();
    let invitation = operator::invite(storage, ours, WorkspaceRole::Member, 1, DAY).await.unwrap();
    let member = format!("/v1/workspace/members/{}", alice.account);

    let revoked = format!("/v1/workspace/invitations/{}", invitation.invitation);
    let role = SetRole { role: WorkspaceRole::Guest };
    let state = SetState { state: AccountState::Suspended };

    assert_eq!(code(erin.delete(&member).await), NotFound);
    assert_eq!(code(erin.put(&format!("{member}/role"), &role).await), NotFound);
    assert_eq!(code(erin.put(&format!("{member}/state"), &state).await), NotFound);
    assert_eq!(code(erin.delete(&revoked).await), NotFound);
    let hers: InvitationPage = erin.get("/v1/workspace/invitations").await.unwrap();
    assert!(hers.invitations.is_empty());
    assert!(Person::invited(&alice.rest, "bob", &invitation.token).await.is_ok());
}

#[tokio::test]
async fn a_guest_knows_only_those_it_shares_a_conversation_with() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let bob = Person::register(&relay, "bob").await;
    let guest = guest(&relay, &alice, "gus").await;
    let keys = |of: &Person| format!("/v1/accounts/{}/keys", of.account);
    let before = guest.get::<AccountName>("/v1/accounts/by-name/alice").await;

    let mut group = alice.group(&[&guest]).await;

    assert_eq!(code(before), NotFound);
    assert!(guest.get::<AccountName>("/v1/accounts/by-name/alice").await.is_ok());
    assert!(guest.get::<AccountKeys>(&keys(&alice)).await.is_ok());
    assert_eq!(code(guest.get::<AccountKeys>(&keys(&bob)).await), NotFound);
    let names: NamePage = guest.get("/v1/accounts?search=").await.unwrap();
    let names: Vec<_> = names.accounts.iter().map(|one| one.username.as_str()).collect();
    assert_eq!(names, ["alice", "gus"]);
    assert_eq!(code(guest.get::<MemberPage>("/v1/workspace/members").await), Forbidden);
    assert_eq!(code(guest.get::<ChannelPage>("/v1/workspace/channels").await), Forbidden);
    let (direct, shared) = (ConversationKind::Direct, ConversationKind::Channel);
    assert_eq!(code(guest.begin(shared, &[&alice], Policy::DEFAULT).await), Forbidden);
    assert_eq!(code(guest.begin(direct, &[&bob], Policy::DEFAULT).await), NotFound);
    assert!(guest.begin(direct, &[&alice], Policy::DEFAULT).await.is_ok());
    // An admin of the group, but still a guest: adds nobody it does not know.
    let promote = Change::SetRole { account: guest.account, role: Role::Admin };
    alice.change(&mut group, promote).await.unwrap();
    let stranger = Member { account: bob.account, role: Role::Member };
    let add = Change::Add { members: List::new(vec![stranger]).unwrap() };
    assert_eq!(code(guest.change(&mut group, add.clone()).await), NotFound);
    assert!(alice.change(&mut group, add).await.is_ok());
}

#[tokio::test]
async fn an_invitation_is_issued_listed_used_and_revoked() {
    let relay = TestRelay::start().await;
    let admin = admin(&relay, "ada").await;
    let issue = async |role, uses| {
        let new = NewInvitation { role, uses, expires_at: soon() };
        let issued = admin.post::<IssuedInvitation>("/v1/workspace/invitations", &new).await;
        issued.map_err(|reject| reject.code)
    };

    let once = issue(WorkspaceRole::Guest, 1).await.unwrap();
    let revoked = issue(WorkspaceRole::Member, 2).await.unwrap();
    let gus = Person::invited(&admin.rest, "gus", &once.token).await.unwrap();
    let spent = Person::invited(&admin.rest, "ida", &once.token).await;
    let path = format!("/v1/workspace/invitations/{}", revoked.invitation);
    admin.delete(&path).await.unwrap();
    let late = Person::invited(&admin.rest, "ida", &revoked.token).await;

    assert_eq!(gus.workspace().await.role, WorkspaceRole::Guest);
    assert_eq!((refusal(spent), refusal(late)), (InvitationInvalid, InvitationInvalid));
    for nonsense in ["", "AAAA", "not base64!", &"A".repeat(43)] {
        let refused = Person::invited(&admin.rest, "ida", nonsense).await;
        assert_eq!(refusal(refused), InvitationInvalid, "{nonsense}");
    }
    let page: InvitationPage = admin.get("/v1/workspace/invitations").await.unwrap();
    assert!(page.invitations.is_empty());
    // Nobody invites to more than they may give.
    assert_eq!(issue(WorkspaceRole::Admin, 1).await.err(), Some(Forbidden));
    assert_eq!(issue(WorkspaceRole::Guest, 0).await.err(), Some(Malformed));
    assert_eq!(issue(WorkspaceRole::Guest, 10_001).await.err(), Some(Malformed));
    // The token is in no file of the relay.
    relay.relay().flush_audit().await;
    let token = chat_core::codec::from_base64url(&once.token).unwrap();
    for file in std::fs::read_dir(relay.folder()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(32).any(|window| window == token));
        assert!(!bytes.windows(43).any(|window| window == once.token.as_bytes()));
    }
}

#[tokio::test]
async fn registration_is_open_by_invitation_or_closed() {
    let with = async |registration| {
        let accounts = Accounts { registration, ..Accounts::DEFAULT };
        TestRelay::builder().accounts(accounts).start().await
    };
    let (invited, closed) =
        (with(Registration::Invitation).await, with(Registration::Closed).await);
    for relay in [&invited, &closed] {
        let refused = Person::try_register(&Rest::at(relay), "alice").await;
        assert_eq!(refusal(refused), RegistrationClosed);
    }

    let token = async |relay: &TestRelay| {
        let workspace = Rest::at(relay).limits().await.default_workspace;
        let role = WorkspaceRole::Owner;
        operator::invite(relay.storage(), workspace, role, 1, DAY).await.unwrap().token
    };
    let alice =
        Person::invited(&Rest::at(&invited), "alice", &token(&invited).await).await.unwrap();
    let nobody = Person::invited(&Rest::at(&closed), "alice", &token(&closed).await).await;

    assert_eq!(alice.workspace().await.role, WorkspaceRole::Owner);
    assert_eq!(refusal(nobody), RegistrationClosed);
}

#[tokio::test]
async fn owners_make_workspaces_where_the_operator_lets_them() {
    let accounts = Accounts { workspaces: WorkspacesBy::Owners, ..Accounts::DEFAULT };
    let relay = TestRelay::builder().accounts(accounts).start().await;
    let owner = owner(&relay, "olga").await;
    let admin = admin(&relay, "ada").await;
    let new = |name: &str| NewWorkspace { name: name.to_owned() };

    let made: CreatedWorkspace = owner.post("/v1/workspaces", &new("Abroad")).await.unwrap();
    let theirs = Person::invited(&owner.rest, "otto", &made.owner.token).await.unwrap();

    let workspace = theirs.workspace().await;
    assert_eq!((workspace.workspace, workspace.name.as_str()), (made.workspace, "Abroad"));
    assert_eq!(workspace.role, WorkspaceRole::Owner);
    let refused = admin.post::<CreatedWorkspace>("/v1/workspaces", &new("Mine")).await;
    assert_eq!(code(refused), Forbidden);
    for name in ["", " padded", "line\nbreak", &"x".repeat(65)] {
        let refused = owner.post::<CreatedWorkspace>("/v1/workspaces", &new(name)).await;
        assert_eq!(code(refused), Malformed, "{name:?}");
    }
}

#[tokio::test]
async fn roles_are_handed_out_by_the_table_and_the_last_owner_stays() {
    let relay = TestRelay::start().await;
    let (owner, admin) = (owner(&relay, "olga").await, admin(&relay, "ada").await);
    let bob = Person::register(&relay, "bob").await;
    let set = async |by: &Person, of: &Person, role| {
        let path = format!("/v1/workspace/members/{}/role", of.account);
        by.put(&path, &SetRole { role }).await.map_err(|reject| reject.code)
    };
    use WorkspaceRole::{Admin, Guest, Member, Owner};

    assert_eq!(set(&bob, &bob, Admin).await, Err(Forbidden));
    assert_eq!(set(&admin, &bob, Guest).await, Ok(()));
    assert_eq!(bob.workspace().await.role, Guest);
    assert_eq!(set(&admin, &bob, Admin).await, Err(Forbidden));
    assert_eq!(set(&admin, &owner, Member).await, Err(Forbidden));
    assert_eq!(set(&owner, &owner, Member).await, Err(LastOwner));
    let delete = format!("/v1/workspace/members/{}", owner.account);
    assert_eq!(code(owner.delete(&delete).await), LastOwner);
    assert_eq!(code(owner.delete_account().await), LastOwner);
    // She hands over and steps down; an admin steps down too.
    assert_eq!(set(&owner, &bob, Owner).await, Ok(()));
    assert_eq!(set(&owner, &owner, Member).await, Ok(()));
    assert_eq!(set(&admin, &admin, Guest).await, Ok(()));
    assert_eq!(bob.workspace().await.role, Owner);
    assert_eq!(set(&bob, &nobody(&bob), Member).await, Err(NotFound));
}

#[tokio::test]
async fn who_is_suspended_is_cut_off_at_once_and_comes_back_whole() {
    let relay = TestRelay::start().await;
    let admin = admin(&relay, "ada").await;
    let bob = Person::register(&relay, "bob").await;
    let chat = admin.direct(&bob).await;
    let mut socket = bob.connect_idle().await;
    let path = format!("/v1/workspace/members/{}/state", bob.account);
    let set = async |state| admin.put(&path, &SetState { state }).await;

    set(AccountState::Suspended).await.unwrap();
    assert_eq!(socket.refusal().await, AccountSuspended);
    assert_eq!(socket.close_code().await, 1008);
    let asked = bob.get::<MessagePage>("/v1/conversations").await;
    let by_device = bob.log_in_by_device(relay.url()).await.map(drop);
    let enrolment = Person::log_in(&bob.rest, "bob", PASSWORD).await.unwrap();
    let by_password: Result<serde_json::Value, _> =
        bob.rest.get("/v1/account/keyring", &enrolment.token).await;
    admin.connect_idle().await.send_message(&admin.message(&chat, &[&bob]).seal()).await.unwrap();
    let gone = set(AccountState::Gone).await;
    set(AccountState::Active).await.unwrap();

    assert_eq!(code(asked), AccountSuspended);
    assert_eq!(code(by_device), AccountSuspended);
    assert_eq!(code(by_password), AccountSuspended);
    assert_eq!(code(gone), Malformed);
    let tokens = bob.log_in_by_device(relay.url()).await.unwrap();
    let bob = Person { tokens: tokens.into(), ..bob };
    assert_eq!(bob.connect().await.until_caught_up().await, [1]);
}

#[tokio::test]
async fn who_is_removed_leaves_a_tombstone_and_no_way_in() {
    let relay = TestRelay::start().await;
    let admin = admin(&relay, "ada").await;
    let bob = Person::register(&relay, "bob").await;
    let mut group = admin.group(&[&bob]).await;
    let (mut theirs, mut ours) = (bob.connect_idle().await, admin.connect_idle().await);

    admin.delete(&format!("/v1/workspace/members/{}", bob.account)).await.unwrap();

    assert_eq!(theirs.refusal().await, DeviceRemoved);
    let deleted = ours
        .wait_for(|frame| match frame {
            RelayFrame::AccountDeleted { account } => Some(account),
            _ => None,
        })
        .await;
    assert_eq!(deleted, bob.account);
    assert_eq!(code(bob.get::<MemberPage>("/v1/workspace/members").await), DeviceRemoved);
    assert!(bob.log_in_by_device(relay.url()).await.is_err());
    assert_eq!(code(Person::log_in(&bob.rest, "bob", PASSWORD).await), InvalidCredentials);
    let keys: AccountKeys = admin.get(&format!("/v1/accounts/{}/keys", bob.account)).await.unwrap();
    assert!(keys.deleted_at.is_some());
    // He stands in the signed log; a message wraps for him no more, and must not.
    let with = admin.message(&group, &[&bob]).seal();
    assert_eq!(code(ours.send_message(&with).await), RejectCode::StaleDevices);
    assert_eq!(ours.send_message(&admin.message(&group, &[]).seal()).await, Ok(1));
    let remove = Change::Remove { account: bob.account };
    assert_eq!(admin.change(&mut group, remove).await, Ok(()));
    let again = admin.delete(&format!("/v1/workspace/members/{}", bob.account)).await;
    assert_eq!(code(again), NotFound);
}

#[tokio::test]
async fn an_account_is_deleted_only_by_its_devices_signature_of_now() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let mallory = Person::register(&relay, "mallory").await;
    let (url, address) = (alice.rest.url.as_str(), alice.device.address);
    let delete = async |request| {
        let body = serde_json::to_vec(&request).unwrap();
        let token = Some(alice.tokens.access.as_str());
        let answer = alice.rest.call::<()>("DELETE", "/v1/account", token, Some(body)).await;
        answer.map_err(|reject| reject.code)
    };

    let elsewhere = alice.deletion("https://other.example", address).await;
    assert_eq!(delete(elsewhere).await, Err(InvalidCredentials));
    let by_another = mallory.deletion(url, address).await;
    assert_eq!(delete(by_another).await, Err(InvalidCredentials));
    let mut of_login = alice.deletion(url, address).await;
    let login = chat_core::api::auth::device_login_input(url, &of_login.nonce, address);
    of_login.signature = alice.device.sign(chat_core::label::DEVICE_LOGIN, &login);
    assert_eq!(delete(of_login).await, Err(InvalidCredentials));
    let good = alice.deletion(url, address).await;
    assert_eq!(delete(good.clone()).await, Ok(()));
    // It is good once, and there is nobody left to ask.
    assert_eq!(delete(good).await, Err(DeviceRemoved));
    assert_eq!(refusal(Person::try_register(&alice.rest, "alice").await), RejectCode::NameTaken);
    relay.relay().flush_audit().await;
    let events = relay.storage().read_audit(0, 1_000).await.unwrap();
    let deletions = events.iter().map(|entry| entry.read().unwrap());
    let outcomes: Vec<_> =
        deletions.filter(|one| one.event == "account_deleted").map(|one| one.outcome).collect();
    assert_eq!(outcomes.len(), 4);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_or_all() {
    let relay = TestRelay::start().await;
    let phone = Person::register(&relay, "alice").await;
    let tablet = phone.with_another_device().await;
    let list = async |by: &Person| by.get::<Sessions>("/v1/account/sessions").await.unwrap();
    let mut connected = tablet.connect_idle().await;

    let both = list(&phone).await.sessions;
    let path = format!("/v1/account/sessions/{}", tablet.device.address.device);
    phone.delete(&path).await.unwrap();

    assert_eq!(both.len(), 2);
    let current: Vec<_> = both.iter().filter(|one| one.is_current).map(|one| one.device).collect();
    assert_eq!(current, [phone.device.address.device]);
    assert_eq!(connected.refusal().await, RejectCode::TokenInvalid);
    assert_eq!(
        code(tablet.get::<Sessions>("/v1/account/sessions").await),
        RejectCode::TokenInvalid
    );
    assert_eq!(code(phone.delete(&path).await), NotFound);
    // Its key still opens the door; then all others go at once.
    let tokens = tablet.log_in_by_device(relay.url()).await.unwrap();
    let tablet = Person { tokens: tokens.into(), ..tablet };
    tablet.delete("/v1/account/sessions").await.unwrap();
    assert_eq!(code(phone.get::<Sessions>("/v1/account/sessions").await), RejectCode::TokenInvalid);
    assert_eq!(list(&tablet).await.sessions.len(), 1);
}

#[tokio::test]
async fn a_channel_is_found_joined_and_left_by_whoever_is_no_guest() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let bob = Person::register(&relay, "bob").await;
    let gus = guest(&relay, &alice, "gus").await;
    let [erin] = elsewhere(&relay, ["erin"]).await;
    let shared = ConversationKind::Channel;
    let channel = alice.begin(shared, &[], Policy::CHANNEL).await.unwrap();
    let closed = Policy { join: chat_core::membership::Joining::Added, ..Policy::CHANNEL };
    let hidden = alice.begin(shared, &[], closed).await.unwrap();
    let log = format!("/v1/conversations/{}/membership", channel.id());
    let messages = format!("/v1/conversations/{}/messages", channel.id());

    let listed: ChannelPage = bob.get("/v1/workspace/channels").await.unwrap();
    assert_eq!(listed.channels.len(), 1);
    assert_eq!(listed.channels[0].conversation, channel.id());
    assert_eq!(bob.get::<MembershipPage>(&log).await.unwrap().entries.len(), 1);
    assert_eq!(code(bob.get::<MessagePage>(&messages).await), NotAMember);
    for (who, membership) in [(&gus, &channel), (&erin, &channel), (&bob, &hidden)] {
        let log = format!("/v1/conversations/{}/membership", membership.id());
        assert_eq!(code(who.get::<MembershipPage>(&log).await), NotAMember);
        let joined = who.change(&mut membership.clone(), Change::Join).await;
        assert_eq!(code(joined), NotAMember, "{}", who.name);
    }
    let mut channel = channel;
    let takes = Change::SetRole { account: bob.account, role: Role::Admin };
    assert_eq!(code(bob.change(&mut channel.clone(), takes).await), Forbidden);
    bob.change(&mut channel, Change::Join).await.unwrap();
    assert_eq!(channel.role(bob.account), Some(Role::Member));
    assert!(bob.get::<MessagePage>(&messages).await.is_ok());
    bob.change(&mut channel, Change::Leave).await.unwrap();
    assert_eq!(channel.role(bob.account), None);
}

#[tokio::test]
async fn the_conversation_of_a_document_is_found_by_who_may_see_it() {
    let relay = TestRelay::start().await;
    let alice = Person::register(&relay, "alice").await;
    let bob = Person::register(&relay, "bob").await;
    let carol = Person::register(&relay, "carol").await;
    let find = async |by: &Person| {
        let path = "/v1/workspace/documents?document=plans%2F2030%20%C3%A9";
        by.get::<DocumentConversation>(path).await.map_err(|reject| reject.code)
    };
    assert_eq!(find(&alice).await, Err(NotFound));

    let begun = begin_document(&alice, "plans/2030 é", &[&bob]).await.unwrap();
    let second = begin_document(&carol, "plans/2030 é", &[]).await;

    assert_eq!(find(&alice).await.unwrap().conversation, begun);
    assert_eq!(find(&bob).await.unwrap().conversation, begun);
    assert_eq!(find(&carol).await, Err(NotFound));
    assert_eq!(second, Err(RejectCode::ConversationExists));
    let empty = alice.get::<DocumentConversation>("/v1/workspace/documents?document=").await;
    assert_eq!(code(empty), NotFound);
}

async fn begin_document(
    by: &Person,
    document: &str,
    others: &[&Person],
) -> Result<chat_core::id::ConversationId, RejectCode> {
    let kind = ConversationKind::Document;
    let mut entry = by.creation(kind, others, Policy::DOCUMENT).await;
    if let Change::Create { document: attached, .. } = &mut entry.change {
        *attached = Some(document.to_owned());
    }
    hand_in(by, &entry).await
}

async fn begin_in(
    by: &Person,
    workspace: WorkspaceId,
    kind: ConversationKind,
    others: &[&Person],
) -> Result<(), RejectCode> {
    let entry = by.creation_in(workspace, kind, others, Policy::DEFAULT);
    hand_in(by, &entry).await.map(drop)
}

async fn hand_in(
    by: &Person,
    entry: &chat_core::membership::MembershipEntry,
) -> Result<chat_core::id::ConversationId, RejectCode> {
    let entry = by.device.entry(entry);
    let append = chat_core::api::conversations::AppendEntry { entry };
    let head: Result<chat_core::api::conversations::MembershipHead, _> =
        by.post("/v1/conversations", &append).await;
    head.map(|head| head.conversation).map_err(|reject| reject.code)
}

/// People of another workspace, the first of whom owns it.
async fn elsewhere<const N: usize>(relay: &TestRelay, names: [&str; N]) -> [Person; N] {
    let storage = relay.storage();
    let workspace = operator::create(storage, "Elsewhere").await.unwrap();
    let mut people = Vec::new();
    for name in names {
        let role = if people.is_empty() { WorkspaceRole::Owner } else { WorkspaceRole::Member };
        let issued = operator::invite(storage, workspace, role, 1, DAY).await.unwrap();
        people.push(Person::invited(&Rest::at(relay), name, &issued.token).await.unwrap());
    }
    people.try_into().ok().unwrap()
}

async fn guest(relay: &TestRelay, host: &Person, name: &str) -> Person {
    let workspace = host.workspace().await.workspace;
    let role = WorkspaceRole::Guest;
    let issued = operator::invite(relay.storage(), workspace, role, 1, DAY).await.unwrap();
    Person::invited(&host.rest, name, &issued.token).await.unwrap()
}

async fn owner(relay: &TestRelay, name: &str) -> Person {
    with_role(relay, name, WorkspaceRole::Owner).await
}

async fn admin(relay: &TestRelay, name: &str) -> Person {
    with_role(relay, name, WorkspaceRole::Admin).await
}

async fn with_role(relay: &TestRelay, name: &str, role: WorkspaceRole) -> Person {
    let person = Person::register(relay, name).await;
    operator::set_role(relay.storage(), person.account, role).await.unwrap();
    person
}

/// Somebody whose account there is not.
fn nobody(like: &Person) -> Person {
    Person { account: AccountId::from_bytes([0xee; 16]), ..like.clone() }
}

fn soon() -> Timestamp {
    SystemClock.now().after(DAY)
}

fn code<T>(answer: Result<T, chat_core::reject::Reject>) -> RejectCode {
    answer.err().expect("a refusal").code
}

fn refusal(answer: Result<Person, chat_core::reject::Reject>) -> RejectCode {
    code(answer)
}
