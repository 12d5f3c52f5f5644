//! The end of a store: its files are overwritten, and then they are gone.
//!
//! ```text
//!  close ─▶ the store, its -wal, its -shm, its -journal: zeros over everything, to the disk ─▶ deleted
//! ```
//!
//! What is in the files is encrypted, so what a file system or a flash disk keeps of an older state
//! opens with the store's key only: whoever wipes a store throws away its key too. May be repeated,
//! and may begin where it was interrupted. In a browser nobody can say what is written where: there
//! the files are deleted as they are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::key::TURNS;
use super::{Store, file};
use crate::error::Result;

/// What SQLite puts beside a store, and who takes turns to draw its key.
const BESIDE: [&str; 4] = ["-wal", "-shm", "-journal", TURNS];

/// Overwrites and deletes a store that nobody has open, whether its key is known or not. Where there
/// is none, nothing is done.
///
/// # Errors
///
/// [`Kind::StoreFailed`](crate::Kind::StoreFailed) if a file can be neither written nor deleted: call
/// it again.
pub async fn wipe(path: impl Into<PathBuf>) -> Result<()> {
    file::remove(files_of(&path.into())).await
}

/// The files of a store, in the order in which they go.
fn files_of(path: &Path) -> Vec<PathBuf> {
    // What holds the newest content goes first, and the store, by which the rest is found, last.
    let beside = BESIDE.iter().map(|suffix| {
        let mut beside = OsString::from(path);
        beside.push(suffix);
        PathBuf::from(beside)
    });
    beside.chain([path.to_owned()]).collect()
}

impl Store {
    /// Finishes what was begun, closes the store for all handles, overwrites its files and deletes
    /// them. Of a store in memory nothing is left anyway.
    ///
    /// Other processes that have the store open write into files that nobody finds any more: end
    /// them first.
    ///
    /// # Errors
    ///
    /// As [`wipe`].
    pub async fn wipe(&self) -> Result<()> {
        self.close().await;
        match &self.path {
            Some(path) => wipe(path.as_ref()).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::stage::{NOW, Person, file, group};
    use crate::store::{Place, drafts};

    const WORDS: &[u8] = b"wolfram for the baker";

    #[tokio::test]
    async fn nothing_is_left_of_a_store_neither_by_name_nor_in_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plain.store");
        let elsewhere = folder.path().join("what the disk held");
        let alice = Person::new("alice", 1, Place::Plain(path.clone())).await;
        let bob = Person::new("bob", 2, Place::Memory).await;
        let chat = group(&[&alice, &bob], chat_core::membership::Policy::DEFAULT).await;
        alice.write(move |tx, _, _| drafts::save(tx, chat, None, WORDS, NOW)).await;
        alice.store.scrub().await.unwrap();
        // Another name for the same bytes: what was overwritten shows in it.
        std::fs::hard_link(&path, &elsewhere).unwrap();
        let before = std::fs::read(&elsewhere).unwrap();

        alice.store.wipe().await.unwrap();

        let after = std::fs::read(&elsewhere).unwrap();
        assert!(before.windows(WORDS.len()).any(|window| window == WORDS));
        assert!(!after.is_empty() && after.iter().all(|byte| *byte == 0));
        assert_eq!(names(folder.path()), ["what the disk held"]);
    }

    #[tokio::test]
    async fn a_store_is_wiped_without_its_key_and_more_than_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alice.store");
        Store::open(file(&path)).await.unwrap().close().await;
        for suffix in BESIDE {
            std::fs::write(folder.path().join(format!("alice.store{suffix}")), b"left").unwrap();
        }
        std::fs::write(folder.path().join("alice.storehouse"), b"another's").unwrap();

        wipe(&path).await.unwrap();
        wipe(&path).await.unwrap();

        assert_eq!(names(folder.path()), ["alice.storehouse"]);
    }

    #[tokio::test]
    async fn a_wiped_store_is_closed_and_its_place_is_free_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alice.store");
        let store = Store::open(file(&path)).await.unwrap();

        store.wipe().await.unwrap();
        store.wipe().await.unwrap();

        assert_eq!(store.read(|_| Ok(())).await.unwrap_err().kind(), Kind::Closed);
        assert!(!path.exists());
        Store::open(file(&path)).await.unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_wiped_is_said() {
        let folder = tempfile::tempdir().unwrap();

        let failed = wipe(folder.path()).await;

        assert_eq!(failed.unwrap_err().kind(), Kind::StoreFailed);
        assert!(folder.path().exists());
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}
