//! Workspaces: who belongs to one, with which role, and how somebody comes in or goes.
//!
//! ```text
//!  operator or owner ─▶ invitation (role, uses, expiry) ─▶ register/finish ─▶ member of the workspace
//!  member: active ⇄ suspended ─▶ gone                      keys, sessions, name: gone with them
//! ```
//!
//! Normative: `docs/protocol/workspaces.md`. Who may do what stands in one table, there in §2 and in
//! the relay in `policy::workspace`.

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::account::AccountName;
use super::auth::device_login_input;
use crate::codec::{Bytes, List};
use crate::id::{AccountId, ConversationId, DeviceAddress, DeviceId, InvitationId, WorkspaceId};
use crate::limits::PAGE_MAX;
use crate::time::Timestamp;

/// The longest name of a workspace, in bytes.
pub const WORKSPACE_NAME_BYTES_MAX: usize = 64;
/// The longest identifier of a document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 256;
/// Most accounts that may come in by one invitation.
pub const INVITATION_USES_MAX: u32 = 10_000;

/// What somebody may do in a workspace, from the least to the most.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum WorkspaceRole {
    /// Sees only the conversations it was added to, and who is in them.
    #[n(1)]
    Guest,
    /// Finds everybody, joins and begins channels.
    #[n(2)]
    Member,
    /// Also manages members and invitations.
    #[n(3)]
    Admin,
    /// Also decides who is an admin or an owner.
    #[n(4)]
    Owner,
}

/// Whether an account of a workspace may act.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// It may.
    #[n(1)]
    Active,
    /// It may not until it is reinstated; nothing of it is lost.
    #[n(2)]
    Suspended,
    /// It was deleted, or removed by an admin; it does not come back.
    #[n(3)]
    Gone,
}

/// `GET /v1/workspace`: the caller's own.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Workspace {
    /// Which.
    pub workspace: WorkspaceId,
    /// What its operator calls it.
    pub name: String,
    /// What the caller is in it.
    pub role: WorkspaceRole,
}

/// `GET /v1/workspace/members?after={account}`, in the order of the accounts' ids.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberPage {
    /// At most [`PAGE_MAX`]; those who are gone are left out.
    pub members: List<WorkspaceMember, PAGE_MAX>,
    /// Whether more follow.
    pub more: bool,
}

/// Somebody of a workspace.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkspaceMember {
    /// Who.
    pub account: AccountId,
    /// Under which name.
    pub username: String,
    /// What they are.
    pub role: WorkspaceRole,
    /// Whether they may act.
    pub state: AccountState,
    /// Since when they are here.
    pub joined_at: Timestamp,
}

/// `PUT /v1/workspace/members/{account}/role`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetRole {
    /// What they are to be.
    pub role: WorkspaceRole,
}

/// `PUT /v1/workspace/members/{account}/state`: [`AccountState::Gone`] is not set but by `DELETE`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetState {
    /// Whether they may act.
    pub state: AccountState,
}

/// `POST /v1/workspace/invitations`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewInvitation {
    /// What whoever comes by it becomes.
    pub role: WorkspaceRole,
    /// How many may; from 1 to [`INVITATION_USES_MAX`].
    pub uses: u32,
    /// When it runs out.
    pub expires_at: Timestamp,
}

/// The answer: the only time that the token is said.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IssuedInvitation {
    /// Which invitation.
    pub invitation: InvitationId,
    /// What is passed on to whoever is invited: 43 characters of base64url.
    pub token: String,
}

impl fmt::Debug for IssuedInvitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedInvitation")
            .field("invitation", &self.invitation)
            .finish_non_exhaustive()
    }
}

/// `GET /v1/workspace/invitations?after={id}`: those that can still be used.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InvitationPage {
    /// At most [`PAGE_MAX`], in the order of their ids.
    pub invitations: List<Invitation, PAGE_MAX>,
    /// Whether more follow.
    pub more: bool,
}

/// An invitation, without its token, which the relay does not know.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Invitation {
    /// Which.
    pub invitation: InvitationId,
    /// What whoever comes by it becomes.
    pub role: WorkspaceRole,
    /// How many more may.
    pub uses_left: u32,
    /// When it runs out.
    pub expires_at: Timestamp,
    /// Who issued it; nobody of the workspace, if it was the operator.
    pub issued_by: Option<AccountId>,
}

/// `POST /v1/workspaces`, where the operator lets owners do that.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewWorkspace {
    /// What it is called: 1 to [`WORKSPACE_NAME_BYTES_MAX`] bytes without control characters.
    pub name: String,
}

/// The answer: the workspace, and the invitation for its first owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedWorkspace {
    /// Which.
    pub workspace: WorkspaceId,
    /// Good once, for a week.
    pub owner: IssuedInvitation,
}

/// `GET /v1/accounts?search={prefix}&after={username}`, in the order of the names.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NamePage {
    /// At most [`PAGE_MAX`].
    pub accounts: List<AccountName, PAGE_MAX>,
    /// Whether more follow.
    pub more: bool,
}

/// `GET /v1/workspace/channels?after={id}`: conversations that the caller may join by itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChannelPage {
    /// At most [`PAGE_MAX`], in the order of their ids.
    pub channels: List<Channel, PAGE_MAX>,
    /// Whether more follow.
    pub more: bool,
}

/// A channel as those see it who are not in it. Its name is sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Channel {
    /// Which.
    pub conversation: ConversationId,
    /// How many are in it.
    pub members: u32,
    /// Whether the caller is.
    pub is_member: bool,
}

/// `GET /v1/workspace/documents?document={id}`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DocumentConversation {
    /// The conversation that is attached to the document.
    pub conversation: ConversationId,
}

/// `GET /v1/account/sessions`: the log-ins of the caller's account that last.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sessions {
    /// The most recently used first.
    pub sessions: Vec<SessionInfo>,
}

/// A log-in that lasts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionInfo {
    /// By which device.
    pub device: DeviceId,
    /// Since when.
    pub begun_at: Timestamp,
    /// When its tokens were last renewed: at most 15 minutes before it was last used.
    pub used_at: Timestamp,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

/// `DELETE /v1/account`: for good.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeleteAccount {
    /// From `POST /v1/auth/device/start`; good once, for a minute.
    pub nonce: Bytes<32>,
    /// By the device key, with [`crate::label::ACCOUNT_DELETION`], over [`deletion_input`].
    pub signature: crate::key::Signature,
}

/// What a device signs to delete its account: a log-in's answer, under a label of its own.
///
/// So a token that was stolen deletes nothing, and neither does an answer to a log-in.
#[must_use]
pub fn deletion_input(origin: &str, nonce: &[u8], address: DeviceAddress) -> Vec<u8> {
    device_login_input(origin, nonce, address)
}

/// Tells whether `name` may be the name of a workspace.
#[must_use]
pub fn is_workspace_name(name: &str) -> bool {
    (1..=WORKSPACE_NAME_BYTES_MAX).contains(&name.len())
        && name.trim() == name
        && !name.chars().any(char::is_control)
}
