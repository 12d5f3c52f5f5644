//! Badges: what an account has not seen, as far as a relay can know.

use std::collections::BTreeMap;

use chat_core::api::unread::{Unread, UnreadWorkspace};
use chat_core::codec::List;
use chat_core::id::WorkspaceId;
use chat_core::limits::UNREAD_CONVERSATIONS_MAX;
use chat_core::reject::Reject;

use super::{Caller, Services};

/// What the caller's account has not seen.
///
/// # Errors
///
/// [`RejectCode::Unavailable`](chat_core::reject::RejectCode::Unavailable).
pub async fn counts(services: &Services, caller: Caller) -> Result<Unread, Reject> {
    let limit = UNREAD_CONVERSATIONS_MAX.saturating_add(1);
    let mut found = services.storage.unread(caller.address.account, limit).await?;
    let more = found.len() > UNREAD_CONVERSATIONS_MAX;
    found.truncate(UNREAD_CONVERSATIONS_MAX);
    let mut sums: BTreeMap<WorkspaceId, UnreadWorkspace> = BTreeMap::new();
    for one in &found {
        let workspace = one.workspace;
        let empty = UnreadWorkspace { workspace, conversations: 0, messages: 0 };
        let sum = sums.entry(workspace).or_insert(empty);
        sum.conversations = sum.conversations.saturating_add(1);
        sum.messages = sum.messages.saturating_add(one.messages);
    }
    // INVARIANT: the list was cut to what fits.
    let conversations = List::new(found).unwrap_or_default();
    Ok(Unread { conversations, workspaces: sums.into_values().collect(), more })
}
