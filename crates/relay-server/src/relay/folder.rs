//! The folder of a relay: nobody else reads it, and one process at a time works in it.

use std::fs::File;
use std::path::Path;

use super::StartError;

/// Keeps other processes out of a folder while it lives.
#[derive(Debug)]
pub(crate) struct FolderLock(File);

impl Drop for FolderLock {
    /// Said, and not left to closing the file: a program that is just being started has a copy of
    /// every open file for a moment, and would hold the lock for as long.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Makes the folder and the database file readable for nobody else, and takes the folder's lock.
pub(crate) fn prepare(folder: &Path, database: &Path) -> Result<FolderLock, StartError> {
    let failed = |source| StartError::Folder { path: folder.to_owned(), source };
    let mut builder = std::fs::DirBuilder::new();
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        builder.mode(0o700);
        options.mode(0o600);
    }
    builder.recursive(true).create(folder).map_err(failed)?;
    if let Some(parent) = database.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        builder.recursive(true).create(parent).map_err(failed)?;
    }
    let lock = options.open(folder.join("relay.lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            return Err(StartError::InUse { path: folder.to_owned() });
        }
        Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
    }
    options.open(database).map_err(failed)?;
    Ok(FolderLock(lock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_relays_and_free_afterwards_whoever_holds_a_copy_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("relay.db");

        let lock = prepare(folder.path(), &database).unwrap();
        let copy = lock.0.try_clone().unwrap();

        assert!(matches!(prepare(folder.path(), &database), Err(StartError::InUse { .. })));
        drop(lock);
        prepare(folder.path(), &database).unwrap();
        drop(copy);
    }
}
