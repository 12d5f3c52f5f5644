//! What the relay kept: its own files, read as a thief would read them.

use std::fs;
use std::path::{Path, PathBuf};

use chat_sdk::Message;
use rusqlite::{Connection, OpenFlags};

use crate::Outcome;

/// A relay's data folder.
pub(crate) struct Evidence {
    folder: PathBuf,
}

/// What stands in its message table.
pub(crate) struct Tally {
    /// Messages whose ciphertext is there.
    pub(crate) messages: i64,
    /// Places whose ciphertext is gone.
    pub(crate) tombstones: i64,
    /// Bytes of ciphertext, headers and wraps.
    pub(crate) bytes: i64,
}

impl Evidence {
    /// In `folder`, which must hold a database.
    pub(crate) fn in_folder(folder: &Path) -> Outcome<Self> {
        let evidence = Self { folder: folder.to_owned() };
        evidence.database()?;
        Ok(evidence)
    }

    /// Counts what the relay holds.
    pub(crate) fn tally(&self) -> Outcome<Tally> {
        let count = "SELECT count(payload), count(*) - count(payload), \
                     coalesce(sum(length(payload) + length(wraps) + length(header)), 0) \
                     FROM messages";
        Ok(self.database()?.query_row(count, [], |row| {
            Ok(Tally { messages: row.get(0)?, tombstones: row.get(1)?, bytes: row.get(2)? })
        })?)
    }

    /// Tells whether the ciphertext of `message` is still there.
    pub(crate) fn holds(&self, message: &Message) -> Outcome<bool> {
        let holds = "SELECT count(payload) FROM messages WHERE message = ?";
        let count: i64 =
            self.database()?
                .query_row(holds, [message.id.as_bytes().as_slice()], |row| row.get(0))?;
        Ok(count > 0)
    }

    /// All bytes of all files of the relay, and how often one of `words` stands in them.
    pub(crate) fn search(&self, words: &[&str]) -> Outcome<(u64, usize)> {
        let (mut size, mut found) = (0, 0);
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = fs::read(path)?;
                size += bytes.len() as u64;
                found += words.iter().filter(|word| contains(&bytes, word.as_bytes())).count();
            }
        }
        Ok((size, found))
    }

    fn database(&self) -> Outcome<Connection> {
        let name = |path: &PathBuf| path.extension().is_some_and(|e| e == "db" || e == "sqlite");
        let path = fs::read_dir(&self.folder)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .find(name)
            .ok_or("the relay has no database in its folder")?;
        Ok(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
