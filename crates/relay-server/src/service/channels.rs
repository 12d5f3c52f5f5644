//! Conversations that are shared with the workspace: which there are, and whose document is which.

use chat_core::api::workspaces::{ChannelPage, DOCUMENT_BYTES_MAX, DocumentConversation};
use chat_core::id::{AccountId, ConversationId};
use chat_core::limits::PAGE_MAX;
use chat_core::membership::{Joining, Membership};
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services};
use crate::policy::workspace::{Act, allows};

/// A page of the conversations that the caller may join, or has joined.
///
/// # Errors
///
/// [`RejectCode::Forbidden`] for guests.
pub async fn list(
    services: &Services,
    caller: Caller,
    after: Option<ConversationId>,
) -> Result<ChannelPage, Reject> {
    let standing = services.allowed(caller, Act::UseChannels).await?;
    let account = caller.address.account;
    Ok(services.storage.channels(standing.workspace, account, after, PAGE_MAX).await?)
}

/// The conversation of a document, to those who are in it or may join it.
///
/// # Errors
///
/// [`RejectCode::NotFound`].
pub async fn of_document(
    services: &Services,
    caller: Caller,
    document: &str,
) -> Result<DocumentConversation, Reject> {
    let account = caller.address.account;
    if document.is_empty() || document.len() > DOCUMENT_BYTES_MAX {
        return Err(RejectCode::NotFound.into());
    }
    let workspace = services.standing(account).await?.workspace;
    let found = services.storage.conversation_of_document(workspace, document).await?;
    let conversation = found.ok_or(RejectCode::NotFound)?;
    let known = services.directory.conversation(conversation).await?;
    let known = known.ok_or(RejectCode::NotFound)?;
    let is_member = known.membership.role(account).is_some();
    if is_member || is_open_to(services, account, &known.membership).await? {
        return Ok(DocumentConversation { conversation });
    }
    Err(RejectCode::NotFound.into())
}

/// Whether somebody who is no member may see the conversation and join it.
///
/// # Errors
///
/// [`RejectCode::NotFound`] for an account there is not.
pub(super) async fn is_open_to(
    services: &Services,
    account: AccountId,
    membership: &Membership,
) -> Result<bool, Reject> {
    if membership.policy().join != Joining::Workspace {
        return Ok(false);
    }
    let standing = services.standing(account).await?;
    Ok(standing.workspace == membership.workspace() && allows(standing.role, Act::UseChannels))
}
