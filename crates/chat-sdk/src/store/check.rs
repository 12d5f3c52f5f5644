//! Looking for damage: whether the file is what was written, and whether what is in it can be used.
//!
//! ```text
//!  pages    every page is authentic (SQLCipher's HMAC), every tree whole (SQLite)
//!  rows     none refers to one that is not there; words that are searched are those that are said
//!  states   keys, sessions, chains, logs, sealed messages: each can be read by the code that uses it
//! ```
//!
//! Nothing is changed and nothing mended: what is damaged comes back from the relay, a backup or
//! another device, into a store that is whole. What is found names rows, never what is in them.

use std::fmt::Display;

use chat_core::codec::from_bytes;
use chat_core::envelope::Envelope;
use chat_core::id::{ConversationId, DeviceAddress, MessageId};
use chat_core::membership::Membership;
use chat_crypto::identity::DeviceSecrets;
use chat_crypto::keyring::{Keyring, KeyringLock};
use chat_crypto::prekey::PrekeySecrets;
use chat_crypto::sender_chain::{ReceivingChains, SendingChain};
use chat_crypto::session::Sessions;
use rusqlite::{Connection, ErrorCode, Row, Transaction};
use zeroize::Zeroizing;

use super::Store;
use super::columns::blob;
use crate::error::Result;

/// Most findings of one kind that are reported; more of them say nothing new.
const FINDINGS_MAX: usize = 100;

/// What is wrong with a store.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// Pages of the file were changed or lost. What SQLite says about it names pages and tables.
    Damaged(String),
    /// Rows of a table refer to rows that are not there.
    Dangling {
        /// Which table.
        table: String,
        /// How many.
        rows: u64,
    },
    /// The index of words is not whole: searching may miss something.
    Search,
    /// This device's own keys cannot be read: it has to be added to the account anew.
    OwnKeys,
    /// A set of our prekeys cannot be read: sessions that others begin with it will fail.
    Prekeys(u32),
    /// The sessions with a device cannot be read: nothing is sent there or opened from there.
    Session(DeviceAddress),
    /// A sender chain of ours, or one that was handed to us, cannot be read.
    Chain(ConversationId),
    /// What is known of a conversation's members cannot be read.
    Membership(ConversationId),
    /// A message that is sealed and not sent yet cannot be read.
    Outbox(MessageId),
}

/// What looking came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CheckReport {
    /// What is wrong; nothing, in a good store.
    pub findings: Vec<Finding>,
    /// How many keys, sessions, chains, logs and sealed messages were read.
    pub states_read: u64,
}

impl CheckReport {
    /// Tells whether nothing was found.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Store {
    /// Looks for damage. Reads the whole file, so it takes a while for a large one, and others wait
    /// meanwhile: not for every start, but after a crash of the device, or when something was
    /// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`](crate::Kind::StoreFailed) if the file cannot be read at all; [`Kind::StoreBusy`](crate::Kind::StoreBusy),
    /// [`Kind::Closed`](crate::Kind::Closed).
    pub async fn check(&self) -> Result<CheckReport> {
        let look_through = |connection: &mut Connection| {
            let mut report = CheckReport::default();
            // Dropped, and with it undone: a damaged file may refuse even that.
            let tx = connection.transaction()?;
            for look in [pages, rows, search, own_keys, states] {
                match look(&tx, &mut report) {
                    Err(error) if is_damage(&error) => {
                        report.findings.push(Finding::Damaged(what_sqlite_says(&error)));
                    }
                    outcome => outcome?,
                }
            }
            Ok(report)
        };
        self.executor.run(look_through).await
    }
}

/// Tells damage, which is what is looked for, from what keeps us from looking.
///
/// Of a page that is not authentic SQLCipher says, by turns, that the file is corrupt, that the
/// statement is wrong, or that there is no memory; all statements here are right.
fn is_damage(error: &crate::Error) -> bool {
    let keeps_from_looking = |code| {
        use ErrorCode::{DatabaseBusy, DatabaseLocked, OperationInterrupted};
        matches!(code, DatabaseBusy | DatabaseLocked | OperationInterrupted)
    };
    sqlite_error(error)
        .and_then(rusqlite::Error::sqlite_error_code)
        .is_some_and(|code| !keeps_from_looking(code))
}

fn what_sqlite_says(error: &crate::Error) -> String {
    sqlite_error(error).map(ToString::to_string).unwrap_or_default()
}

fn sqlite_error(error: &crate::Error) -> Option<&rusqlite::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

fn pages(tx: &Transaction<'_>, report: &mut CheckReport) -> Result<()> {
    for pragma in ["PRAGMA cipher_integrity_check", "PRAGMA integrity_check(100)"] {
        let mut statement = tx.prepare(pragma)?;
        let said = statement.query_map([], |row| row.get::<_, String>(0))?;
        for said in said.take(FINDINGS_MAX) {
            let said = said?;
            if said != "ok" {
                report.findings.push(Finding::Damaged(said));
            }
        }
    }
    Ok(())
}

fn rows(tx: &Transaction<'_>, report: &mut CheckReport) -> Result<()> {
    let mut statement = tx.prepare(
        "SELECT \"table\", count(*) FROM pragma_foreign_key_check GROUP BY \"table\" ORDER BY 1",
    )?;
    let dangling = statement.query_map([], |row| {
        let rows = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
        Ok(Finding::Dangling { table: row.get(0)?, rows })
    })?;
    for finding in dangling {
        report.findings.push(finding?);
    }
    Ok(())
}

fn search(tx: &Transaction<'_>, report: &mut CheckReport) -> Result<()> {
    // What this writes is undone; it writes nothing.
    let checked = tx.execute("INSERT INTO search (search) VALUES ('integrity-check')", []);
    match checked.map_err(crate::Error::from) {
        Err(error) if is_damage(&error) => report.findings.push(Finding::Search),
        outcome => drop(outcome?),
    }
    Ok(())
}

fn own_keys(tx: &Transaction<'_>, report: &mut CheckReport) -> Result<()> {
    each(tx, report, "SELECT device_secrets, keyring, keyring_lock FROM account", |row| {
        let can_be_read = is_read(DeviceSecrets::from_snapshot(&secret(row, "device_secrets")?))
            && is_read(Keyring::from_snapshot(&secret(row, "keyring")?))
            && is_read(KeyringLock::from_snapshot(&secret(row, "keyring_lock")?));
        Ok((!can_be_read).then_some(Finding::OwnKeys))
    })?;
    each(tx, report, "SELECT number, secrets FROM prekey_sets", |row| {
        let can_be_read = is_read(PrekeySecrets::from_snapshot(&secret(row, "secrets")?));
        let number = row.get("number")?;
        Ok((!can_be_read).then_some(Finding::Prekeys(number)))
    })
}

fn states(tx: &Transaction<'_>, report: &mut CheckReport) -> Result<()> {
    each(tx, report, "SELECT account, device, snapshot FROM sessions", |row| {
        let device = DeviceAddress { account: blob(row, "account")?, device: blob(row, "device")? };
        let sessions = Sessions::from_snapshot(&secret(row, "snapshot")?);
        let is_theirs = sessions.is_ok_and(|sessions| sessions.theirs() == device);
        Ok((!is_theirs).then_some(Finding::Session(device)))
    })?;
    each(tx, report, "SELECT conversation, snapshot FROM sending_chains", |row| {
        let can_be_read = is_read(SendingChain::from_snapshot(&secret(row, "snapshot")?));
        Ok((!can_be_read).then_some(Finding::Chain(blob(row, "conversation")?)))
    })?;
    each(tx, report, "SELECT conversation, snapshot FROM received_chains", |row| {
        let can_be_read = is_read(ReceivingChains::from_snapshot(&secret(row, "snapshot")?));
        Ok((!can_be_read).then_some(Finding::Chain(blob(row, "conversation")?)))
    })?;
    each(tx, report, "SELECT id, membership FROM conversations", |row| {
        let id = blob(row, "id")?;
        let read = from_bytes::<Membership>(row.get_ref("membership")?.as_blob()?);
        let is_its_own = read.is_ok_and(|membership| membership.id() == id);
        Ok((!is_its_own).then_some(Finding::Membership(id)))
    })?;
    each(tx, report, "SELECT message, envelope FROM outbox WHERE state = 2", |row| {
        let can_be_read = is_read(from_bytes::<Envelope>(row.get_ref("envelope")?.as_blob()?));
        Ok((!can_be_read).then_some(Finding::Outbox(blob(row, "message")?)))
    })
}

/// Reads every row that a query gives.
fn each(
    tx: &Transaction<'_>,
    report: &mut CheckReport,
    query: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<Option<Finding>>,
) -> Result<()> {
    let mut statement = tx.prepare(query)?;
    let mut found = 0;
    for finding in statement.query_map([], |row| read(row))? {
        report.states_read += 1;
        let finding = finding?.filter(|_| found < FINDINGS_MAX);
        found += usize::from(finding.is_some());
        report.findings.extend(finding);
    }
    Ok(())
}

fn secret(row: &Row<'_>, column: &str) -> rusqlite::Result<Zeroizing<Vec<u8>>> {
    row.get(column).map(Zeroizing::new)
}

/// Whether something could be read; why not is for the log.
fn is_read<T, E: Display>(read: Result<T, E>) -> bool {
    read.inspect_err(|error| tracing::warn!(%error, "a state in the store cannot be read")).is_ok()
}

#[cfg(test)]
mod tests;
