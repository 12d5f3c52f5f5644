//! Typing: told to the other members, kept nowhere.

use chat_core::frame::Typing;
use chat_core::id::ConversationId;
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services};
use crate::bus::BusEvent;
use crate::limits::{Class, Subject};

/// Tells the other members.
///
/// # Errors
///
/// [`RejectCode::NotAMember`], [`RejectCode::RateLimited`].
pub async fn tell(
    services: &Services,
    caller: Caller,
    conversation: ConversationId,
    state: Typing,
) -> Result<(), Reject> {
    let account = caller.address.account;
    services.take(Class::TypingAnywhere, Subject::Account(account)).await?;
    services.take(Class::Typing, Subject::Member(account, conversation)).await?;
    let known = services.directory.conversation(conversation).await?;
    let known = known.ok_or(RejectCode::NotAMember)?;
    known.membership.role(account).ok_or(RejectCode::NotAMember)?;
    let event = BusEvent::Typing { conversation, sender: caller.address, state };
    services.bus.publish(&known.recipients, event);
    Ok(())
}
