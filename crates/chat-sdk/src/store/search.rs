//! `search`: messages by their words, found on this device only.
//!
//! The index is SQLite's FTS5 inside the encrypted file. Triggers keep it: whatever writes, changes
//! or erases a message, also by its timer, does the same to the index, which is overwritten where
//! something goes. It holds no words of its own, only where each is.

use chat_core::id::ConversationId;
use chat_core::time::Timestamp;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::columns::millis;
use super::messages::{MessageRow, ORDER, read};
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
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let Some(query) = query(words).filter(|_| limit > 0) else { return Ok(Vec::new()) };
    let mut hits = tx.prepare_cached(HITS)?;
    let mut shown = tx.prepare_cached(&shown())?;
    let conversation = conversation.as_ref().map(ConversationId::as_bytes);
    let mut hits = hits.query(params![query, conversation])?;
    let mut found: Vec<Found> = Vec::new();
    let mut end = i64::MIN;
    while let Some(hit) = hits.next()? {
        let place: i64 = hit.get("place")?;
        if place < end {
            break;
        }
        let read = |row: &Row<'_>| {
            Ok(Found { at: (row.get("sent_at")?, row.get("place")?), row: read(row)? })
        };
        let Some(next) = shown.query_row(params![place, millis(now)], read).optional()? else {
            continue;
        };
        let before = found.partition_point(|before| before.at > next.at);
        found.insert(before, next);
        if let Some(oldest) = found.get(limit.saturating_sub(1))
            && (end == i64::MIN || found.len() > limit.saturating_mul(2))
        {
            end = newer_begin_at(tx, oldest.at.0)?;
            found.truncate(limit);
        }
    }
    found.truncate(limit);
    Ok(found.into_iter().map(|found| found.row).collect())
}

/// A message that was found, when it was sent, and its place.
struct Found {
    at: (i64, i64),
    row: MessageRow,
}

/// Where words occur, by place from the last, as the index of the words gives them.
///
/// A frequent word occurs in most messages, and to put all of them in order takes time that grows
/// with them. Places are nearly in the order of time: what came last was mostly sent last.
const HITS: &str = "
    SELECT search.rowid AS place FROM search
    WHERE search MATCH ?1 AND (?2 IS NULL OR EXISTS (
        SELECT 1 FROM messages hit INDEXED BY messages_by_conversation
        WHERE hit.conversation = ?2 AND hit.place = search.rowid))
    ORDER BY search.rowid DESC";

/// The first place of a message that was sent at `sent_at` or later. What changes a message is sent
/// after it, so before this place nothing is about a newer one.
fn newer_begin_at(tx: &Transaction<'_>, sent_at: i64) -> Result<i64> {
    let first = tx
        .prepare_cached(
            "SELECT min(place) FROM messages INDEXED BY messages_by_time WHERE sent_at >= ?1",
        )?
        .query_row([sent_at], |row| row.get(0))?;
    Ok(first)
}

/// The message that shows a hit: itself, or the one that it edits, if that is its last edit.
fn shown() -> String {
    format!(
        "SELECT message.* FROM messages hit
    JOIN messages message ON message.id = ifnull(hit.target, hit.id)
    WHERE hit.place = ?1 AND message.kind = 'text'
        AND (message.deadline IS NULL OR message.deadline > ?2)
        AND hit.place = ifnull(
            (SELECT edit.place FROM messages edit
             WHERE edit.target = message.id AND edit.conversation = message.conversation
                AND edit.kind = 'edit' AND edit.sender_account = message.sender_account
                AND edit.status <> 5
             ORDER BY {ORDER} DESC, place DESC LIMIT 1),
            message.place)"
    )
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
    use chat_core::id::MessageId;
    use chat_core::membership::Policy;

    use super::*;
    use crate::content::Edit;
    use crate::message::Draft;
    use crate::stage::{NOW, Person, group};
    use crate::store::Place;

    #[tokio::test]
    async fn the_newest_come_first_and_no_more_than_asked_for() {
        let alice = Person::new("alice", 1, Place::Memory).await;
        let bob = Person::new("bob", 2, Place::Memory).await;
        let carol = Person::new("carol", 3, Place::Memory).await;
        let two = group(&[&alice, &bob], Policy::DEFAULT).await;
        let three = group(&[&alice, &bob, &carol], Policy::DEFAULT).await;
        // What came out of the past last was said first.
        for (said, at) in [("red tea", 3), ("green tea", 4), ("black tea", 1), ("coffee", 5)] {
            says_at(&alice, two, said, at).await;
        }
        says_at(&alice, three, "white tea", 2).await;

        let all = found(&alice, "tea", None, 10).await;
        let some = found(&alice, "tea", None, 2).await;
        let here = found(&alice, "te", Some(two), 10).await;

        assert_eq!(all, ["green tea", "red tea", "white tea", "black tea"]);
        assert_eq!(some, ["green tea", "red tea"]);
        assert_eq!(here, ["green tea", "red tea", "black tea"]);
        assert!(found(&alice, "tea", None, 0).await.is_empty());
    }

    #[tokio::test]
    async fn an_edited_message_stands_where_it_was_said() {
        let alice = Person::new("alice", 1, Place::Memory).await;
        let bob = Person::new("bob", 2, Place::Memory).await;
        let chat = group(&[&alice, &bob], Policy::DEFAULT).await;
        let first = says_at(&alice, chat, "coffee", 1).await;
        for (said, at) in [("green tea", 2), ("black tea", 3)] {
            says_at(&alice, chat, said, at).await;
        }
        let edit = alice.says_with(chat, edit(first, "herbal tea")).await;
        sent(&alice, edit, 4).await;

        // The edit is the newest hit, and its message the oldest of three.
        assert_eq!(found(&alice, "tea", None, 3).await, ["black tea", "green tea", "coffee"]);
        assert_eq!(found(&alice, "tea", None, 2).await, ["black tea", "green tea"]);
        assert_eq!(found(&alice, "tea", None, 1).await, ["black tea"]);
        assert_eq!(found(&alice, "coffee", None, 3).await, [""; 0]);
    }

    /// What the messages that were found said first.
    async fn found(
        who: &Person,
        words: &'static str,
        conversation: Option<ConversationId>,
        limit: u32,
    ) -> Vec<String> {
        let rows =
            who.store.read(move |tx| find(tx, words, conversation, limit, NOW)).await.unwrap();
        let said = |row: &MessageRow| Content::read(&row.kind, &row.body).text().map(str::to_owned);
        rows.iter().map(|row| said(row).unwrap()).collect()
    }

    fn edit(of: MessageId, text: &str) -> Draft {
        Draft::of(Content::Edit(Edit::new(of, text.to_owned().into())))
    }

    async fn says_at(who: &Person, chat: ConversationId, words: &str, at: i64) -> MessageId {
        let id = who.says(chat, words).await;
        sent(who, id, at).await;
        id
    }

    async fn sent(who: &Person, id: MessageId, at: i64) {
        let set = move |tx: &Transaction<'_>| {
            let sql = "UPDATE messages SET sent_at = ?2 WHERE id = ?1";
            Ok(tx.execute(sql, params![id.as_bytes(), at])?)
        };
        assert_eq!(who.store.write(set).await.unwrap(), 1);
    }

    #[test]
    fn what_is_typed_is_never_an_operator() {
        assert_eq!(
            query("tea OR \"milk* NEAR(").as_deref(),
            Some("\"tea\"* \"OR\"* \"milk\"* \"NEAR\"*")
        );
        assert_eq!(query(" \"*() "), None);
    }
}
