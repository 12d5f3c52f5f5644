//! Reading what is stored: conversations, membership logs, history, receipts.

use chat_core::api::conversations::{ConversationPage, MembershipPage, MessagePage, Receipts};
use chat_core::id::ConversationId;
use chat_core::limits::PAGE_MAX;
use chat_core::receipt::Sequence;
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services, channels, retention};

/// A page of the caller's conversations.
///
/// # Errors
///
/// [`RejectCode::Unavailable`].
pub async fn conversations(
    services: &Services,
    caller: Caller,
    after: Option<ConversationId>,
) -> Result<ConversationPage, Reject> {
    Ok(services.storage.conversations_of(caller.address, after, PAGE_MAX).await?)
}

/// A page of a membership log, to members and, up to their leaving, to former ones; the whole of it
/// to those who may join.
///
/// # Errors
///
/// [`RejectCode::NotAMember`].
pub async fn membership(
    services: &Services,
    caller: Caller,
    conversation: ConversationId,
    from: u64,
) -> Result<MembershipPage, Reject> {
    let account = caller.address.account;
    let known = services.directory.conversation(conversation).await?;
    if let Some(known) = &known
        && known.membership.role(account).is_none()
        && channels::is_open_to(services, account, &known.membership).await?
    {
        return Ok(services.storage.whole_log(conversation, from, PAGE_MAX).await?);
    }
    let page = services.storage.membership_page(conversation, account, from, PAGE_MAX).await?;
    if page.entries.is_empty() && !is_member(services, caller, conversation).await? {
        return Err(RejectCode::NotAMember.into());
    }
    Ok(page)
}

/// A page of history, from the caller's time in the conversation.
///
/// # Errors
///
/// [`RejectCode::NotAMember`].
pub async fn messages(
    services: &Services,
    caller: Caller,
    conversation: ConversationId,
    after: Sequence,
) -> Result<MessagePage, Reject> {
    let page = retention::read(services, caller.address, conversation, after, PAGE_MAX).await?;
    if page.messages.is_empty() && !is_member(services, caller, conversation).await? {
        return Err(RejectCode::NotAMember.into());
    }
    Ok(page)
}

/// Every device's furthest receipts.
///
/// # Errors
///
/// [`RejectCode::NotAMember`].
pub async fn receipts(
    services: &Services,
    caller: Caller,
    conversation: ConversationId,
) -> Result<Receipts, Reject> {
    if !is_member(services, caller, conversation).await? {
        return Err(RejectCode::NotAMember.into());
    }
    Ok(Receipts { receipts: services.storage.receipts(conversation).await? })
}

async fn is_member(
    services: &Services,
    caller: Caller,
    conversation: ConversationId,
) -> Result<bool, Reject> {
    let known = services.directory.conversation(conversation).await?;
    Ok(known.is_some_and(|known| known.membership.role(caller.address.account).is_some()))
}
