//! The objects of blobs, copied into a backup and out of it.
//!
//! An object is written once and never changed, so a copy of it is whole or not there, and one that
//! is there already is the same.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{BlobStore, Config};

/// Where they lie in a backup.
pub(super) const IN_BACKUP: &str = "objects";

/// Where they lie.
///
/// Nothing for those in S3: a bucket has its own versions and its own copies.
pub(super) fn folder(config: &Config) -> Option<PathBuf> {
    let folder = match &config.blobs.store {
        Some(BlobStore::S3(_)) => return None,
        Some(BlobStore::Disk(folder)) => folder.clone(),
        None => config.data.join("blobs"),
    };
    Some(folder.join("objects"))
}

/// Copies all objects below `from`, if there are any, to where they are not yet.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    make(to)?;
    for entry in entries {
        let entry = entry?;
        let place = to.join(entry.file_name());
        match entry.file_type()? {
            kind if kind.is_dir() => copy(&entry.path(), &place)?,
            kind if kind.is_file() => copy_one(&entry.path(), &place)?,
            _ => {}
        }
    }
    Ok(())
}

fn copy_one(from: &Path, to: &Path) -> io::Result<()> {
    let length = match fs::metadata(from) {
        // Deleted since it was listed: nobody names it any more.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?.len(),
    };
    if fs::metadata(to).is_ok_and(|there| there.len() == length) {
        return Ok(());
    }
    match fs::copy(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => Ok(()),
        copied => {
            copied?;
            fs::File::open(to)?.sync_all()
        }
    }
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_copied_with_their_folders_and_none_twice() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("3f")).unwrap();
        fs::write(from.join("3f/3f52"), b"sealed").unwrap();
        make(&to.join("3f")).unwrap();
        fs::write(to.join("3f/3f99"), b"was here").unwrap();

        copy(&from, &to).unwrap();
        copy(&from, &to).unwrap();

        assert_eq!(fs::read(to.join("3f/3f52")).unwrap(), b"sealed");
        assert_eq!(fs::read(to.join("3f/3f99")).unwrap(), b"was here");
        assert!(copy(&folder.path().join("nowhere"), &to).is_ok());
    }
}
