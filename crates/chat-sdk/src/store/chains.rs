//! `sending_chains`, `chain_holders`, `hand_outs`, `received_chains`: sender chains, ours and others'.
//!
//! ```text
//!  sending_chains   ours in a conversation       1 ─── n   chain_holders   who can open it
//!  hand_outs        at most one a conversation, sealed, until the relay has it; then its devices hold it
//!  received_chains  those of each device of others
//! ```
//!
//! As with sessions, a chain is loaded, moved and saved in one transaction, or it moves twice.

use std::collections::BTreeMap;

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::envelope::Envelope;
use chat_core::id::{AccountId, ConversationId, DeviceAddress, MessageId};
use chat_crypto::sender_chain::{ReceivingChains, SendingChain};
use rusqlite::{OptionalExtension as _, Transaction, params};
use zeroize::Zeroizing;

use super::columns::blob;
use super::unreadable;
use crate::error::Result;

/// The devices that hold a chain, each with the number of its account's list then.
pub type Holders = BTreeMap<DeviceAddress, u32>;

/// Our chain in a conversation.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn sending(tx: &Transaction<'_>, conversation: ConversationId) -> Result<Option<SendingChain>> {
    let snapshot: Option<Vec<u8>> = tx
        .prepare_cached("SELECT snapshot FROM sending_chains WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(snapshot) = snapshot.map(Zeroizing::new) else { return Ok(None) };
    SendingChain::from_snapshot(&snapshot).map(Some).map_err(unreadable)
}

/// Stores our chain in place of the one before, whose holders go if it is another one.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn save_sending(tx: &Transaction<'_>, chain: &SendingChain) -> Result<()> {
    let conversation = chain.conversation();
    tx.prepare_cached(
        "INSERT INTO sending_chains (conversation, epoch, snapshot) VALUES (?1, ?2, ?3)
         ON CONFLICT (conversation) DO UPDATE SET
            epoch = excluded.epoch, snapshot = excluded.snapshot",
    )?
    .execute(params![
        conversation.as_bytes(),
        chain.epoch(),
        chain.to_snapshot().as_slice()
    ])?;
    tx.prepare_cached("DELETE FROM chain_holders WHERE conversation = ?1 AND epoch <> ?2")?
        .execute(params![conversation.as_bytes(), chain.epoch()])?;
    Ok(())
}

/// Who holds our chain in a conversation.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn holders(tx: &Transaction<'_>, conversation: ConversationId) -> Result<Holders> {
    let mut statement = tx.prepare_cached(
        "SELECT account, device, list FROM chain_holders WHERE conversation = ?1",
    )?;
    let rows = statement.query_map([conversation.as_bytes()], |row| {
        let address =
            DeviceAddress { account: blob(row, "account")?, device: blob(row, "device")? };
        Ok((address, row.get("list")?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Keeps a sealed hand-out of the chain of this epoch, until the relay has it.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn keep_hand_out(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    message: MessageId,
    epoch: u32,
    envelope: &Envelope,
    to: &Holders,
) -> Result<()> {
    tx.execute(
        "INSERT INTO hand_outs (conversation, message, epoch, envelope) VALUES (?1, ?2, ?3, ?4)",
        params![conversation.as_bytes(), message.as_bytes(), epoch, to_bytes(envelope)],
    )?;
    let mut statement = tx.prepare_cached(
        "INSERT INTO hand_out_devices (conversation, account, device, list)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (DeviceAddress { account, device }, list) in to {
        statement.execute(params![
            conversation.as_bytes(),
            account.as_bytes(),
            device.as_bytes(),
            list
        ])?;
    }
    Ok(())
}

/// The hand-out that the relay does not have yet.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn hand_out(
    tx: &Transaction<'_>,
    conversation: ConversationId,
) -> Result<Option<(MessageId, Envelope)>> {
    let found = tx
        .prepare_cached("SELECT message, envelope FROM hand_outs WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| {
            Ok((blob(row, "message")?, row.get::<_, Vec<u8>>("envelope")?))
        })
        .optional()?;
    let Some((message, bytes)) = found else { return Ok(None) };
    Ok(Some((message, from_bytes(&bytes).map_err(unreadable)?)))
}

/// The conversation of a hand-out; none if the message is not one, or is done with.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn conversation_of(tx: &Transaction<'_>, id: MessageId) -> Result<Option<ConversationId>> {
    Ok(tx
        .prepare_cached("SELECT conversation FROM hand_outs WHERE message = ?1")?
        .query_row([id.as_bytes()], |row| blob(row, "conversation"))
        .optional()?)
}

/// Notes that the relay has the hand-out: its devices hold the chain from here on.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn handed_out(tx: &Transaction<'_>, conversation: ConversationId) -> Result<()> {
    tx.execute(
        "INSERT OR REPLACE INTO chain_holders (conversation, account, device, epoch, list)
         SELECT d.conversation, d.account, d.device, h.epoch, d.list
         FROM hand_out_devices d JOIN hand_outs h ON h.conversation = d.conversation
         WHERE d.conversation = ?1",
        [conversation.as_bytes()],
    )?;
    withdraw(tx, conversation)
}

/// Drops the hand-out, since the relay did not take it; nobody has it.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn withdraw(tx: &Transaction<'_>, conversation: ConversationId) -> Result<()> {
    tx.execute("DELETE FROM hand_outs WHERE conversation = ?1", [conversation.as_bytes()])?;
    Ok(())
}

/// The chains of a device of somebody in a conversation; none yet, if there are none.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn received(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    sender: DeviceAddress,
) -> Result<ReceivingChains> {
    let snapshot: Option<Vec<u8>> = tx
        .prepare_cached(
            "SELECT snapshot FROM received_chains
             WHERE conversation = ?1 AND account = ?2 AND device = ?3",
        )?
        .query_row(
            params![conversation.as_bytes(), sender.account.as_bytes(), sender.device.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    let Some(snapshot) = snapshot.map(Zeroizing::new) else {
        return Ok(ReceivingChains::new(conversation, sender));
    };
    ReceivingChains::from_snapshot(&snapshot).map_err(unreadable)
}

/// Stores the chains of a device of somebody in place of those before.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn save_received(tx: &Transaction<'_>, chains: &ReceivingChains) -> Result<()> {
    let sender = chains.sender();
    tx.prepare_cached(
        "INSERT INTO received_chains (conversation, account, device, snapshot)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (conversation, account, device) DO UPDATE SET snapshot = excluded.snapshot",
    )?
    .execute(params![
        chains.conversation().as_bytes(),
        sender.account.as_bytes(),
        sender.device.as_bytes(),
        chains.to_snapshot().as_slice()
    ])?;
    Ok(())
}

/// Erases what we hold of the chains of `account`, when its identity key changed.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn forget_account(tx: &Transaction<'_>, account: AccountId) -> Result<()> {
    tx.execute("DELETE FROM received_chains WHERE account = ?1", [account.as_bytes()])?;
    Ok(())
}

/// Erases what we hold of the chains of the device at `sender`, when it was removed.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn forget(tx: &Transaction<'_>, sender: DeviceAddress) -> Result<()> {
    tx.execute(
        "DELETE FROM received_chains WHERE account = ?1 AND device = ?2",
        params![sender.account.as_bytes(), sender.device.as_bytes()],
    )?;
    Ok(())
}
