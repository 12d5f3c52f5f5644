//! Between columns and values: ids and keys as blobs, moments as milliseconds.

use chat_core::codec::DecodeError;
use chat_core::id::ConversationId;
use chat_core::time::Timestamp;
use rusqlite::types::Type;
use rusqlite::{CachedStatement, OptionalExtension as _, Row};

/// Reads a blob column as an id, key or digest.
///
/// # Errors
///
/// [`rusqlite::Error`] if the column is no blob of the right length.
pub fn blob<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T: for<'a> TryFrom<&'a [u8], Error = DecodeError>,
{
    let index = row.as_ref().column_index(column)?;
    let bytes = row.get_ref(index)?.as_blob()?;
    T::try_from(bytes)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, Type::Blob, error.into()))
}

/// Reads a blob column as an id, key or digest, if there is something in it.
///
/// # Errors
///
/// As [`blob`].
pub(super) fn optional_blob<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>>
where
    T: for<'a> TryFrom<&'a [u8], Error = DecodeError>,
{
    let index = row.as_ref().column_index(column)?;
    let is_absent = row.get_ref(index)?.data_type() == Type::Null;
    if is_absent { Ok(None) } else { blob(row, column).map(Some) }
}

/// A moment as a column holds it.
#[must_use]
pub fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// A moment out of a column; the beginning of time for a negative one.
#[must_use]
pub fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or_default())
}

/// Goes from one conversation to the next by an index: `statement` gives the first row of the first
/// conversation beyond its one parameter. To read every row of all of them takes as long as there
/// are rows.
///
/// # Errors
///
/// [`rusqlite::Error`].
pub(super) fn of_each_conversation<T>(
    mut statement: CachedStatement<'_>,
    read: impl Fn(&Row<'_>, ConversationId) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut found = Vec::new();
    let mut behind = Vec::new();
    let mut next = |behind: &Vec<u8>| {
        let with_conversation = |row: &Row<'_>| {
            let conversation = blob(row, "conversation")?;
            Ok((read(row, conversation)?, conversation))
        };
        statement.query_row([behind], with_conversation).optional()
    };
    while let Some((value, conversation)) = next(&behind)? {
        found.push(value);
        behind = conversation.as_bytes().to_vec();
    }
    Ok(found)
}
