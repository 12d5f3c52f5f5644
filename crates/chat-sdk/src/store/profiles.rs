//! `profiles`, `profiles_told`, `details`: who people are and what conversations are about, by
//! their own word.

use chat_core::id::{AccountId, ConversationId};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::columns::blob;
use super::messages::{number, unsigned};
use crate::error::Result;

/// Keeps somebody's profile, if it is newer than the one known; tells whether it is.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn keep(tx: &Transaction<'_>, account: AccountId, count: u64, body: &[u8]) -> Result<bool> {
    let changed = tx
        .prepare_cached(
            "INSERT INTO profiles (account, number, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (account) DO UPDATE SET number = excluded.number, body = excluded.body
             WHERE excluded.number > profiles.number",
        )?
        .execute(params![account.as_bytes(), number(count), body])?;
    Ok(changed == 1)
}

/// Somebody's profile.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn load(tx: &Transaction<'_>, account: AccountId) -> Result<Option<Vec<u8>>> {
    let body = tx
        .prepare_cached("SELECT body FROM profiles WHERE account = ?1")?
        .query_row([account.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(body)
}

/// The number of our profile that a conversation was told last; 0 if none.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn told(tx: &Transaction<'_>, conversation: ConversationId) -> Result<u64> {
    let told: Option<i64> = tx
        .prepare_cached("SELECT number FROM profiles_told WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(told.map(unsigned).unwrap_or_default())
}

/// Notes that a conversation is told this profile of ours.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn tell(tx: &Transaction<'_>, conversation: ConversationId, count: u64) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO profiles_told (conversation, number) VALUES (?1, ?2)
         ON CONFLICT (conversation) DO UPDATE SET number = max(number, excluded.number)",
    )?
    .execute(params![conversation.as_bytes(), number(count)])?;
    Ok(())
}

/// Notes that somebody in a conversation was told nothing yet.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn forget_told(tx: &Transaction<'_>, conversation: ConversationId) -> Result<()> {
    tx.prepare_cached("DELETE FROM profiles_told WHERE conversation = ?1")?
        .execute([conversation.as_bytes()])?;
    Ok(())
}

/// The conversations that were told an older profile of ours, the most recently active first.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn told_before(tx: &Transaction<'_>, count: u64, limit: u32) -> Result<Vec<ConversationId>> {
    let mut statement = tx.prepare_cached(
        "SELECT id FROM profiles_told JOIN conversations ON conversations.id = conversation
         WHERE number < ?1 AND state = 1 ORDER BY active_at DESC LIMIT ?2",
    )?;
    let rows = statement.query_map(params![number(count), limit], |row| blob(row, "id"))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Keeps what a conversation is about; tells whether that is another than before.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn keep_details(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    body: &[u8],
) -> Result<bool> {
    let changed = tx
        .prepare_cached(
            "INSERT INTO details (conversation, body) VALUES (?1, ?2)
             ON CONFLICT (conversation) DO UPDATE SET body = excluded.body
             WHERE details.body <> excluded.body",
        )?
        .execute(params![conversation.as_bytes(), body])?;
    Ok(changed == 1)
}

/// What a conversation is about.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn load_details(tx: &Transaction<'_>, conversation: ConversationId) -> Result<Option<Vec<u8>>> {
    let body = tx
        .prepare_cached("SELECT body FROM details WHERE conversation = ?1")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(body)
}
