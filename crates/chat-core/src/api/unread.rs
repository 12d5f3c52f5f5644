//! Unread counts, for a device that has just connected and wants to show badges before it has
//! caught up.

use serde::{Deserialize, Serialize};

use crate::codec::List;
use crate::id::{ConversationId, WorkspaceId};
use crate::limits::UNREAD_CONVERSATIONS_MAX;

/// `GET /v1/unread`: what the caller's account has not seen, as far as a relay can know.
///
/// Counted are messages of others after the furthest *seen* receipt of any of the account's
/// devices. A relay cannot tell words from reactions, and hears nothing of who reads without telling,
/// so this is the most it can be; devices know better once they have caught up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unread {
    /// The conversations with something unread, in the order of their ids.
    pub conversations: List<UnreadConversation, UNREAD_CONVERSATIONS_MAX>,
    /// The sums for each workspace.
    pub workspaces: Vec<UnreadWorkspace>,
    /// Whether there are more conversations than fit.
    pub more: bool,
}

/// What is unread of a conversation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnreadConversation {
    /// Which.
    pub conversation: ConversationId,
    /// Where it is.
    pub workspace: WorkspaceId,
    /// How many messages; [`UNREAD_COUNTED_MAX`](crate::limits::UNREAD_COUNTED_MAX) stands for
    /// that many or more.
    pub messages: u32,
}

/// What is unread in a workspace.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnreadWorkspace {
    /// Which.
    pub workspace: WorkspaceId,
    /// In how many conversations.
    pub conversations: u32,
    /// How many messages.
    pub messages: u32,
}
