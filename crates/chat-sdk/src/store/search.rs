//! `search`: messages by their words, found on this device only.
//!
//! The index is SQLite's FTS5 inside the encrypted file. Triggers keep it: whatever writes, changes
//! or erases a message, also by its timer, does the same to the index, which is overwritten where
//! something goes. It holds no words of its own, only where each is.

use chat_core::id::ConversationId;
use chat_core::time::Timestamp;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Transaction, params};

use super::columns::millis;
use super::messages::{MessageRow, read};
use crate::content::Content;
use crate::error::Result;

/// Most words of a search that count.
const WORDS_MAX: usize = 16;

/// Adds the SQL function that the triggers call: `words_of(kind, body)`.
pub(super) fn add_function(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("words_of", 2, flags, |context| {
        let kind = context.get_raw(0).as_str()?;
        let content = Content::read(kind, context.get_raw(1).as_blob()?);
        Ok(content.words().map(str::to_owned))
    })?;
    Ok(())
}

/// Messages that have every word of `words`, or one that begins with it; the newest first.
///
/// A message that was edited is found by what it says now.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed).
pub fn find(
    tx: &Transaction<'_>,
    words: &str,
    conversation: Option<ConversationId>,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<MessageRow>> {
    let Some(query) = query(words) else { return Ok(Vec::new()) };
    let mut statement = tx.prepare_cached(
        "SELECT message.* FROM search
         JOIN messages hit ON hit.place = search.rowid
         JOIN messages message ON message.id = ifnull(hit.target, hit.id)
         WHERE search MATCH ?1 AND message.kind = 'text'
            AND (?2 IS NULL OR message.conversation = ?2)
            AND (message.deadline IS NULL OR message.deadline > ?3)
            AND hit.place = ifnull(
                (SELECT edit.place FROM messages edit
                 WHERE edit.target = message.id AND edit.conversation = message.conversation
                    AND edit.kind = 'edit' AND edit.sender_account = message.sender_account
                    AND edit.status <> 5
                 ORDER BY ifnull(edit.sequence, 9223372036854775807) DESC, edit.place DESC LIMIT 1),
                message.place)
         ORDER BY message.sent_at DESC, message.place DESC LIMIT ?4",
    )?;
    let conversation = conversation.as_ref().map(ConversationId::as_bytes);
    let rows = statement.query_map(params![query, conversation, millis(now), limit], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Each word in quotes, so that nothing of what was typed is taken for an operator.
fn query(words: &str) -> Option<String> {
    let quoted: Vec<_> = words
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(WORDS_MAX)
        .map(|word| format!("\"{word}\"*"))
        .collect();
    (!quoted.is_empty()).then(|| quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_never_an_operator() {
        assert_eq!(
            query("tea OR \"milk* NEAR(").as_deref(),
            Some("\"tea\"* \"OR\"* \"milk\"* \"NEAR\"*")
        );
        assert_eq!(query(" \"*() "), None);
    }
}
