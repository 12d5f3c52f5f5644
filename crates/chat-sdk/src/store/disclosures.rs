//! `disclosures`: what opens a message once more, in case its reader reports it.
//!
//! A secret is kept as long as the words that it opens, in the same file; it is no way to anything
//! that is not here anyway.

use chat_core::id::MessageId;
use chat_crypto::wrap::MessageSecret;
use rusqlite::{OptionalExtension as _, Transaction, params};
use zeroize::Zeroize as _;

use crate::error::Result;

/// Keeps the secret of a message that is in the store, in place of the one there was.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn keep(tx: &Transaction<'_>, message: MessageId, secret: &MessageSecret) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO disclosures (message, secret) VALUES (?1, ?2)
         ON CONFLICT (message) DO UPDATE SET secret = excluded.secret",
    )?
    .execute(params![message.as_bytes(), secret.as_bytes()])?;
    Ok(())
}

/// The secret of a message, if it is known here.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn secret(tx: &Transaction<'_>, message: MessageId) -> Result<Option<MessageSecret>> {
    let found: Option<[u8; 32]> = tx
        .prepare_cached("SELECT secret FROM disclosures WHERE message = ?1")?
        .query_row([message.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(found.map(|mut bytes| {
        let secret = MessageSecret::from_bytes(bytes);
        bytes.zeroize();
        secret
    }))
}
