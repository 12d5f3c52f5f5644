//! Everybody who may call, and what their calls are about.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::auth::Tokens;
use chat_core::api::workspaces::{AccountState, WorkspaceRole};
use chat_core::id::{DeviceId, InvitationId, WorkspaceId};
use chat_core::membership::{Allowed, Change, ConversationKind, Joining, Membership, Policy};
use chat_core::reject::{Reject, RejectCode};
use relay_server::clock::ManualClock;
use relay_server::operator::workspaces as operator;
use relay_server::testing::TestRelay;

use super::Outcome;
use super::rows::Row;
use crate::people::{NOW, Person, Rest};
use crate::socket::Socket;

/// A column of the matrix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Who {
    /// Nobody: there is no token.
    NoToken,
    /// An admin of everything, whose token has run out.
    Expired,
    /// A device of a member that was removed from its account; its token has not run out.
    RevokedDevice,
    /// Somebody whose account an admin has suspended; the token has not run out.
    Suspended,
    /// The owner of another workspace.
    OtherWorkspace,
    /// A guest of the workspace, who shares no conversation with anybody.
    Guest,
    /// Somebody of the workspace who is not in the group.
    NotAMember,
    /// Somebody who was in the group and was removed.
    RemovedMember,
    /// A member of the group.
    Member,
    /// Who began the group, and an admin of the workspace.
    Admin,
}

impl Who {
    /// All columns; whoever may do most comes last.
    pub const ALL: [Self; 10] = [
        Self::NoToken,
        Self::Expired,
        Self::RevokedDevice,
        Self::Suspended,
        Self::OtherWorkspace,
        Self::Guest,
        Self::NotAMember,
        Self::RemovedMember,
        Self::Member,
        Self::Admin,
    ];
}

/// A relay with a group, and people in and around it.
pub struct World {
    relay: TestRelay,
    rest: Rest,
    /// Where they all are.
    pub workspace: WorkspaceId,
    /// What paths with a conversation are about.
    pub group: Membership,
    /// What the path is about by which members give each other the past: the same people.
    pub channel: Membership,
    /// Who is in nothing and calls nothing; others hand in what this one has signed.
    pub outsider: Person,
    /// Whom paths about members of the workspace are about.
    doomed: Person,
    invitation: InvitationId,
    expired: Person,
    revoked: Person,
    suspended: Person,
    other: Person,
    guest: Person,
    stranger: Person,
    removed: Person,
    member: Person,
    admin: Person,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn invited(
    relay: &TestRelay,
    name: &str,
    workspace: WorkspaceId,
    role: WorkspaceRole,
) -> Person {
    let issued = operator::invite(relay.storage(), workspace, role, 1, DAY).await.unwrap();
    Person::invited(&Rest::at(relay), name, &issued.token).await.unwrap()
}

impl World {
    pub async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let relay = TestRelay::builder().clock(clock.clone()).start().await;
        let register = async |name| Person::register(&relay, name).await;
        let (admin, removed) = (register("admin").await, register("removed").await);
        let (member, stranger) = (register("member").await, register("stranger").await);
        let (outsider, doomed) = (register("outsider").await, register("doomed").await);
        let mut group = admin.group(&[&member, &removed]).await;
        let heard = admin.message(&group, &[&member, &removed]).seal();
        admin.connect_idle().await.send_message(&heard).await.unwrap();
        admin.change(&mut group, Change::Remove { account: removed.account }).await.unwrap();
        let rules = Policy { join: Joining::Added, add: Allowed::Members, ..Policy::CHANNEL };
        let (kind, others) = (ConversationKind::Channel, [&member, &removed]);
        let mut channel = admin.begin(kind, &others, rules).await.unwrap();
        admin.change(&mut channel, Change::Remove { account: removed.account }).await.unwrap();
        let expired = admin.clone();
        clock.advance(Duration::from_secs(3600));
        let revoked = member.with_another_device().await;
        let suspended = register("suspended").await;
        let workspace = admin.rest.limits().await.default_workspace;
        let storage = relay.storage();
        let elsewhere = operator::create(storage, "Elsewhere").await.unwrap();
        operator::set_role(storage, admin.account, WorkspaceRole::Admin).await.unwrap();
        operator::set_state(storage, suspended.account, AccountState::Suspended).await.unwrap();
        let other = invited(&relay, "other", elsewhere, WorkspaceRole::Owner).await;
        let guest = invited(&relay, "guest", workspace, WorkspaceRole::Guest).await;
        let role = WorkspaceRole::Guest;
        let invitation = operator::invite(storage, workspace, role, 1, DAY).await.unwrap();
        let list = revoked.list_without(revoked.device.address.device);
        let mut world = Self {
            rest: Rest::at(&relay),
            workspace,
            relay,
            invitation: invitation.invitation,
            doomed,
            suspended,
            other,
            guest,
            group,
            channel,
            outsider,
            expired,
            revoked,
            stranger,
            removed,
            member,
            admin,
        };
        let member = Person { tokens: world.log_in(&world.member).await, ..world.member };
        member.put("/v1/account/devices", &list).await.unwrap();
        world.member = member;
        world
    }

    async fn log_in(&self, person: &Person) -> Arc<Tokens> {
        Arc::new(person.log_in_by_device(self.relay.url()).await.unwrap())
    }

    fn person(&self, who: Who) -> &Person {
        match who {
            Who::NoToken | Who::Admin => &self.admin,
            Who::Expired => &self.expired,
            Who::RevokedDevice => &self.revoked,
            Who::Suspended => &self.suspended,
            Who::OtherWorkspace => &self.other,
            Who::Guest => &self.guest,
            Who::NotAMember => &self.stranger,
            Who::RemovedMember => &self.removed,
            Who::Member => &self.member,
        }
    }

    /// A person with the token that makes them who they are; fresh, so that calls that end a
    /// session hinder nobody.
    async fn caller(&self, who: Who) -> (Person, Option<String>) {
        let person = self.person(who).clone();
        match who {
            Who::NoToken => (person, None),
            Who::Expired | Who::RevokedDevice | Who::Suspended => {
                let token = person.tokens.access.clone();
                (person, Some(token))
            }
            _ => {
                let tokens = self.log_in(&person).await;
                let token = tokens.access.clone();
                (Person { tokens, ..person }, Some(token))
            }
        }
    }

    /// The devices that a message of `person` to the group has wraps for.
    pub fn wanted(&self, person: &Person) -> Vec<&Person> {
        let members = [&self.admin, &self.member];
        members.into_iter().filter(|other| other.account != person.account).collect()
    }

    /// What is about to be a frame's connection: opened without a token, to authenticate first.
    pub async fn socket(&self, who: Who) -> (Person, Option<String>, Socket) {
        let (person, token) = self.caller(who).await;
        let socket = Socket::open(&self.rest.url, None).await.unwrap();
        (person, token, socket)
    }

    /// The path with something that there is in each placeholder.
    fn fill(&self, path: &str) -> String {
        let of_workspace = path.starts_with("/v1/workspace/");
        let account = if of_workspace { &self.doomed } else { &self.member }.account;
        let is_of_channel = path.ends_with("/wraps");
        let conversation = if is_of_channel { &self.channel } else { &self.group }.id();
        let filled = path
            .replace("{conversation}", &conversation.to_string())
            .replace("{blob}", &self.group.id().to_string())
            .replace("{account}", &account.to_string())
            .replace("{device}", &DeviceId::from_bytes([9; 16]).to_string())
            .replace("{invitation}", &self.invitation.to_string())
            .replace("{username}", &self.member.name);
        assert!(!filled.contains('{'), "{filled}: fill the placeholder in World::fill");
        filled
    }

    /// Whether the path takes the method at all.
    pub async fn takes(&self, method: &str, path: &str) -> bool {
        let asked = self.call(method, path, None, None).await;
        !asked.is_err_and(|reject| reject.code == RejectCode::MethodNotAllowed)
    }

    /// What a row's request comes to for `who`.
    pub async fn ask(&self, row: &Row, who: Who) -> Outcome {
        let (person, token) = self.caller(who).await;
        let (method, path) = row.route.split_once(' ').unwrap();
        let body = (row.body)(self, &person).map(|body| body.to_string().into_bytes());
        self.call(method, path, token.as_deref(), body).await.map_err(|reject| reject.code)
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> Result<(), Reject> {
        let (status, body) = self.rest.raw(method, &self.fill(path), token, body).await;
        match status {
            200..300 => Ok(()),
            _ => Err(serde_json::from_slice(&body).expect("every refusal is a reject")),
        }
    }
}
