//! Appending to SQLite: a few statements for a whole batch, whatever its size.
//!
//! ```text
//!  1  where the conversations stand          2  which of the messages are known
//!  3  decided here: this is the only writer  4  the new rows, many at a time
//!  5  the conversations' new ends
//! ```
//!
//! A statement goes to the connection's own thread and back, which takes longer than what SQLite
//! does there for a row. So rows go in [`ROWS`] at a time; there are few sizes, so that each
//! statement is prepared once. A row that is refused rolls everything back: SQLite would otherwise
//! keep what each statement overwrites, to undo that one alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chat_core::codec::{Digest, to_bytes};
use chat_core::id::{ConversationId, DeviceAddress, MessageId};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use sqlx::{QueryBuilder, Sqlite};

use super::super::row::{address, fixed, signed, timers, unsigned};
use super::Connection;
use crate::storage::{AppendError, Appended, Freshness, NewMessage, StorageError};

/// How many rows a statement takes; what is left over goes by the next smaller number.
const ROWS: [usize; 4] = [64, 16, 4, 1];

/// Where a conversation stands while a batch is appended to it.
struct Head {
    index: u64,
    digest: Digest,
    last: Sequence,
    is_moved: bool,
}

type Heads = BTreeMap<ConversationId, Head>;

/// Where a message stands, and whose it is.
struct Place {
    sequence: Sequence,
    at: Timestamp,
    sender: DeviceAddress,
}

type Places = HashMap<(ConversationId, MessageId), Place>;
/// Conversation, message, sequence, when it was received, and the sender's account and device.
type PlaceRow = (Vec<u8>, Vec<u8>, i64, i64, Vec<u8>, Vec<u8>);

pub(super) async fn append(
    connection: &mut Connection,
    messages: &[NewMessage],
    now: Timestamp,
) -> Result<Vec<Result<Appended, AppendError>>, StorageError> {
    let mut heads = heads(connection, messages).await?;
    let mut places = places(connection, messages).await?;
    let mut new = Vec::with_capacity(messages.len());
    let answers = messages
        .iter()
        .map(|message| {
            let appended = place(&mut heads, &mut places, message, now)?;
            if appended.freshness == Freshness::New {
                new.push((message, appended.sequence));
            }
            Ok(appended)
        })
        .collect();
    insert(connection, &new, now).await?;
    move_ends(connection, &heads).await?;
    Ok(answers)
}

/// Where a message stands that is known, or is to stand that is new.
fn place(
    heads: &mut Heads,
    places: &mut Places,
    message: &NewMessage,
    now: Timestamp,
) -> Result<Appended, AppendError> {
    let header = &message.header;
    let head = heads.get_mut(&header.conversation).ok_or(AppendError::NotFound)?;
    let key = (header.conversation, header.message);
    if let Some(place) = places.get(&key) {
        if place.sender != header.sender {
            return Err(AppendError::Conflict);
        }
        let Place { sequence, at, .. } = *place;
        return Ok(Appended { sequence, at, freshness: Freshness::Duplicate });
    }
    if header.membership_index != head.index || header.membership_head != head.digest {
        return Err(AppendError::StaleMembership);
    }
    head.last = head.last.saturating_add(1);
    head.is_moved = true;
    places.insert(key, Place { sequence: head.last, at: now, sender: header.sender });
    Ok(Appended { sequence: head.last, at: now, freshness: Freshness::New })
}

async fn heads(
    connection: &mut Connection,
    messages: &[NewMessage],
) -> Result<Heads, StorageError> {
    let ids: BTreeSet<_> = messages.iter().map(|message| message.header.conversation).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let mut heads = Heads::new();
    for ids in pieces(&ids) {
        let mut sql = QueryBuilder::<Sqlite>::new("WITH input (id) AS (");
        sql.push_values(ids, |mut row, id| {
            row.push_bind(id.as_bytes().as_slice());
        });
        sql.push(
            ") SELECT c.id, c.head_index, c.head, c.last \
             FROM input i CROSS JOIN conversations c ON c.id = i.id",
        );
        let rows: Vec<(Vec<u8>, i64, Vec<u8>, i64)> =
            sql.build_query_as().fetch_all(&mut *connection).await?;
        for (id, index, digest, last) in rows {
            let (index, last) = (unsigned(index)?, unsigned(last)?);
            let head = Head { index, digest: fixed(&digest)?, last, is_moved: false };
            heads.insert(fixed(&id)?, head);
        }
    }
    Ok(heads)
}

/// The messages that are stored already.
async fn places(
    connection: &mut Connection,
    messages: &[NewMessage],
) -> Result<Places, StorageError> {
    let mut places = Places::new();
    for messages in pieces(messages) {
        let mut sql = QueryBuilder::<Sqlite>::new("WITH input (conversation, message) AS (");
        sql.push_values(messages, |mut row, NewMessage { header, .. }| {
            row.push_bind(header.conversation.as_bytes().as_slice());
            row.push_bind(header.message.as_bytes().as_slice());
        });
        sql.push(
            ") SELECT m.conversation, m.message, m.sequence, m.received_at, m.sender_account, \
                 m.sender_device \
             FROM input i CROSS JOIN messages m \
                 ON m.conversation = i.conversation AND m.message = i.message",
        );
        let rows: Vec<PlaceRow> = sql.build_query_as().fetch_all(&mut *connection).await?;
        for (conversation, message, sequence, at, account, device) in rows {
            let place = Place {
                sequence: unsigned(sequence)?,
                at: Timestamp::from_millis(unsigned(at)?),
                sender: address(&account, &device)?,
            };
            places.insert((fixed(&conversation)?, fixed(&message)?), place);
        }
    }
    Ok(places)
}

async fn insert(
    connection: &mut Connection,
    new: &[(&NewMessage, Sequence)],
    now: Timestamp,
) -> Result<(), StorageError> {
    for new in pieces(new) {
        let mut sql = QueryBuilder::<Sqlite>::new(
            "INSERT OR ROLLBACK INTO messages (conversation, sequence, message, sender_account, \
                 sender_device, received_at, expires_at, seen_timer_ms, header, commitment, \
                 payload, wraps) ",
        );
        sql.push_values(new, |mut row, (message, sequence)| {
            let NewMessage { header, envelope, .. } = message;
            let (expires_at, seen_timer_ms) = timers(header, now);
            row.push_bind(header.conversation.as_bytes().as_slice());
            row.push_bind(signed(*sequence));
            row.push_bind(header.message.as_bytes().as_slice());
            row.push_bind(header.sender.account.as_bytes().as_slice());
            row.push_bind(header.sender.device.as_bytes().as_slice());
            row.push_bind(signed(now.as_millis()));
            row.push_bind(expires_at);
            row.push_bind(seen_timer_ms);
            row.push_bind(&*envelope.header);
            row.push_bind(envelope.commitment.as_bytes().as_slice());
            row.push_bind(&*envelope.payload);
            row.push_bind(to_bytes(&envelope.wraps));
        });
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn move_ends(connection: &mut Connection, heads: &Heads) -> Result<(), StorageError> {
    let moved: Vec<_> = heads.iter().filter(|(_, head)| head.is_moved).collect();
    for moved in pieces(&moved) {
        let mut sql = QueryBuilder::<Sqlite>::new("WITH input (id, last) AS (");
        sql.push_values(moved, |mut row, (id, head)| {
            row.push_bind(id.as_bytes().as_slice());
            row.push_bind(signed(head.last));
        });
        sql.push(
            ") UPDATE conversations SET last = input.last FROM input \
             WHERE conversations.id = input.id",
        );
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Cuts into pieces of the sizes of [`ROWS`], the largest first.
pub(super) fn pieces<T>(mut all: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = ROWS.into_iter().find(|size| *size <= all.len())?;
        let (piece, rest) = all.split_at(size);
        all = rest;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_piece_of_few_sizes() {
        let rows: Vec<usize> = (0..150).collect();

        let sizes: Vec<_> = pieces(&rows).map(<[usize]>::len).collect();

        assert_eq!(sizes, [64, 64, 16, 4, 1, 1]);
        assert_eq!(pieces(&rows).flatten().copied().collect::<Vec<_>>(), rows);
        assert_eq!(pieces(&rows[..0]).count(), 0);
    }
}
