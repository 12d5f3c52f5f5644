//! `settings`: registers that all devices of an account end up having alike.
//!
//! ```text
//!  set here      counter = highest seen + 1, our device        pending until it is on its way
//!  heard         counter, device of who set it                 kept if (counter, device) is higher
//! ```
//!
//! No clock decides: a device that was set wrong wins nothing. Two devices that set the same thing
//! without having heard of each other have the same counter, and the higher device id wins on both.
//! Normative: `docs/protocol/settings.md`.

use chat_core::id::{ConversationId, DeviceId};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::columns::blob;
use super::messages::{MessageRow, number, read, unsigned};
use crate::content::Register;
use crate::error::Result;

/// Highest counter that is believed: no account sets something so often.
const COUNTER_MAX: u64 = 1 << 48;
/// Most registers that one account has.
const REGISTERS_MAX: u64 = 100_000;

/// The value of a register, if it was ever set.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn get(tx: &Transaction<'_>, name: &str, subject: &[u8]) -> Result<Option<Vec<u8>>> {
    let value = tx
        .prepare_cached("SELECT value FROM settings WHERE name = ?1 AND subject = ?2")?
        .query_row(params![name, subject], |row| row.get(0))
        .optional()?;
    Ok(value)
}

/// The subjects for which a register of this name has this value.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn subjects(tx: &Transaction<'_>, name: &str, value: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut statement = tx.prepare_cached(
        "SELECT subject FROM settings WHERE name = ?1 AND value = ?2 ORDER BY subject",
    )?;
    let rows = statement.query_map(params![name, value], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Sets a register on this device, to be told to the others; tells whether that changes anything.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn set(
    tx: &Transaction<'_>,
    ours: DeviceId,
    name: &str,
    subject: &[u8],
    value: &[u8],
) -> Result<bool> {
    if get(tx, name, subject)?.as_deref() == Some(value) {
        return Ok(false);
    }
    let highest: i64 =
        tx.query_row("SELECT ifnull(max(counter), 0) FROM settings", [], |row| row.get(0))?;
    tx.prepare_cached(
        "INSERT INTO settings (name, subject, value, counter, device, pending)
         VALUES (?1, ?2, ?3, ?4, ?5, 1)
         ON CONFLICT (name, subject) DO UPDATE SET value = excluded.value,
            counter = excluded.counter, device = excluded.device, pending = 1",
    )?
    .execute(params![name, subject, value, highest.saturating_add(1), ours.as_bytes()])?;
    Ok(true)
}

/// Keeps what another device has set, if it was set later; tells whether it was.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn merge(tx: &Transaction<'_>, heard: &Register) -> Result<bool> {
    if heard.counter == 0 || heard.counter > COUNTER_MAX {
        return Ok(false);
    }
    let count: i64 = tx.query_row("SELECT count(*) FROM settings", [], |row| row.get(0))?;
    if unsigned(count) >= REGISTERS_MAX && get(tx, &heard.name, &heard.subject)?.is_none() {
        return Ok(false);
    }
    let changed = tx
        .prepare_cached(
            "INSERT INTO settings (name, subject, value, counter, device, pending)
             VALUES (?1, ?2, ?3, ?4, ?5, 0)
             ON CONFLICT (name, subject) DO UPDATE SET value = excluded.value,
                counter = excluded.counter, device = excluded.device, pending = 0
             WHERE (excluded.counter, excluded.device) > (settings.counter, settings.device)",
        )?
        .execute(params![
            heard.name,
            &*heard.subject,
            &*heard.value,
            number(heard.counter),
            heard.device.as_bytes(),
        ])?;
    Ok(changed == 1)
}

/// What our other devices were not told yet, at most `limit`.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn pending(tx: &Transaction<'_>, limit: usize) -> Result<Vec<Register>> {
    let mut statement = tx.prepare_cached(
        "SELECT name, subject, value, counter, device FROM settings WHERE pending = 1
         ORDER BY counter LIMIT ?1",
    )?;
    let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        let (subject, value): (Vec<u8>, Vec<u8>) = (row.get("subject")?, row.get("value")?);
        let counter = unsigned(row.get("counter")?);
        Ok((row.get::<_, String>("name")?, subject, value, counter, blob(row, "device")?))
    })?;
    rows.map(|row| {
        let (name, subject, value, counter, device) = row?;
        Register::new(name, subject, value, counter, device)
    })
    .collect()
}

/// Notes that these are on their way to our other devices.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn told(tx: &Transaction<'_>, registers: &[Register]) -> Result<()> {
    set_pending(tx, registers, false)
}

/// Notes that these did not get to our other devices after all.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn untold(tx: &Transaction<'_>, registers: &[Register]) -> Result<()> {
    set_pending(tx, registers, true)
}

fn set_pending(tx: &Transaction<'_>, registers: &[Register], pending: bool) -> Result<()> {
    for register in registers {
        tx.prepare_cached(
            "UPDATE settings SET pending = ?5
             WHERE name = ?1 AND subject = ?2 AND counter = ?3 AND device = ?4",
        )?
        .execute(params![
            register.name,
            &*register.subject,
            number(register.counter),
            register.device.as_bytes(),
            pending,
        ])?;
    }
    Ok(())
}

/// What was settled or said of oneself and the relay has refused for good.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn refused(tx: &Transaction<'_>) -> Result<Vec<MessageRow>> {
    let mut statement = tx.prepare_cached(
        "SELECT * FROM messages
         WHERE status = 5 AND outgoing = 1 AND kind IN ('settings', 'profile', 'keyring-lock')",
    )?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

// ── where they are told ─────────────────────────────────────────────────────────────────────────

/// Notes that a conversation is one of this account with itself.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn add_own_conversation(tx: &Transaction<'_>, id: ConversationId) -> Result<()> {
    tx.execute(
        "INSERT OR IGNORE INTO own_conversations (conversation) VALUES (?1)",
        [id.as_bytes()],
    )?;
    Ok(())
}

/// The conversations of this account with itself. Devices that began one each write to the first.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn own_conversations(tx: &Transaction<'_>) -> Result<Vec<ConversationId>> {
    let mut statement =
        tx.prepare_cached("SELECT conversation FROM own_conversations ORDER BY conversation")?;
    let rows = statement.query_map([], |row| blob(row, "conversation"))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Tells whether a conversation is one of this account with itself.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn is_own_conversation(tx: &Transaction<'_>, id: ConversationId) -> Result<bool> {
    let is_own = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM own_conversations WHERE conversation = ?1)")?
        .query_row([id.as_bytes()], |row| row.get(0))?;
    Ok(is_own)
}
