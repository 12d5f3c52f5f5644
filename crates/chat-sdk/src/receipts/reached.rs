//! How far a message got with each of its recipients.

use chat_core::id::{AccountId, MessageId};
use rusqlite::Transaction;

use crate::conversation::Conversation;
use crate::devices;
use crate::error::{Kind, Result};
use crate::message::{Contact, Status};
use crate::store::{conversations, messages, receipts};

/// How far a message got with somebody.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reached {
    /// Who.
    pub contact: Contact,
    /// As that of a message: queued, sent, delivered or seen. On one of their devices is enough.
    pub status: Status,
}

impl Conversation {
    /// How far a message of this account got with each who is a member now and was when it was
    /// sent, in the order of their ids; accounts that were deleted are left out. By signed receipts: the
    /// relay can delay them, not make them.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if there is no such message of this account here; [`Kind::StoreFailed`].
    pub async fn reached(&self, message: MessageId) -> Result<Vec<Reached>> {
        let (id, ours) = (self.id, self.hub.context.own.account());
        let read = move |tx: &Transaction<'_>| {
            let row = messages::load(tx, message)?
                .filter(|row| row.conversation == id && row.outgoing)
                .ok_or(Kind::NotFound)?;
            let membership = conversations::load(tx, id)?.ok_or(Kind::NotFound)?.membership;
            let named = row.named_index.unwrap_or(membership.index());
            let mut reached = Vec::new();
            for member in membership.members().filter(|member| member.account != ours) {
                let was_there = conversations::was_member(tx, id, member.account, named)?;
                if !was_there || devices::is_deleted(tx, member.account)? {
                    continue;
                }
                let status = status_with(tx, &row, member.account)?;
                reached.push(Reached { contact: devices::contact(tx, member.account)?, status });
            }
            Ok(reached)
        };
        self.hub.context.store.read(read).await
    }
}

fn status_with(
    tx: &Transaction<'_>,
    message: &messages::MessageRow,
    account: AccountId,
) -> Result<Status> {
    let Some(place) = message.sequence else { return Ok(message.status) };
    let (delivered, seen) = receipts::furthest_of(tx, message.conversation, account)?;
    Ok(if seen >= place {
        Status::Seen
    } else if delivered >= place {
        Status::Delivered
    } else {
        Status::Sent
    })
}
