//! Between columns and values: ids and keys as blobs, moments as milliseconds.

use chat_core::codec::DecodeError;
use chat_core::time::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;

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
