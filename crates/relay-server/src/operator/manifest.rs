//! What is in a backup: `manifest.json`, written last, so that without it a folder is no backup.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use chat_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::OperatorError;

/// The manifest's name in a backup.
pub const MANIFEST: &str = "manifest.json";
/// The form of backups that this relay makes and reads.
const FORM: u32 = 1;
const BUFFER_BYTES: usize = 256 * 1024;

/// Which database a backup is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `relay.db`, a SQLite file.
    Sqlite,
    /// `relay.pgdump`, as `pg_dump` writes it.
    Postgres,
}

impl Kind {
    /// The file with the database.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Sqlite => "relay.db",
            Self::Postgres => "relay.pgdump",
        }
    }
}

/// What is in a backup.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the backup: 1.
    pub form: u32,
    /// The version of the relay that made it.
    pub relay: String,
    /// When it was begun; everything accepted before that is in it.
    pub began_at: Timestamp,
    /// Which database.
    pub database: Kind,
    /// The version of its schema.
    pub schema: i64,
    /// The epoch of the store.
    pub epoch: u64,
    /// Every file but this one.
    pub files: Vec<Listed>,
}

/// A file of a backup.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// Its path in the backup, with forward slashes.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// The beginning of one.
    #[must_use]
    pub fn of(database: Kind, schema: i64, epoch: u64, began_at: Timestamp) -> Self {
        let relay = env!("CARGO_PKG_VERSION").to_owned();
        Self { form: FORM, relay, began_at, database, schema, epoch, files: Vec::new() }
    }

    /// Lists every file below `folder`, each flushed, and writes the manifest beside them.
    pub(super) fn seal(mut self, folder: &Path) -> io::Result<Self> {
        let mut paths = Vec::new();
        collect(folder, &mut paths)?;
        paths.sort();
        for path in paths {
            let name = path.strip_prefix(folder).map_err(io::Error::other)?;
            let name = name.to_string_lossy().replace('\\', "/");
            let mut file = File::options().read(true).write(true).open(&path)?;
            file.sync_all()?;
            let (bytes, sha256) = digest(&mut file)?;
            self.files.push(Listed { path: name, bytes, sha256 });
        }
        let text = serde_json::to_string_pretty(&self)?;
        let mut file = File::create_new(folder.join(MANIFEST))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        flush_folder(folder)?;
        Ok(self)
    }

    /// Reads the manifest of the backup in `folder` and checks every file against it.
    ///
    /// # Errors
    ///
    /// [`OperatorError::NoBackup`], [`OperatorError::Damaged`].
    pub fn read(folder: &Path) -> Result<Self, OperatorError> {
        let no_backup = || OperatorError::NoBackup(folder.to_owned());
        let text = fs::read(folder.join(MANIFEST)).map_err(|_| no_backup())?;
        let manifest: Self = serde_json::from_slice(&text).map_err(|_| no_backup())?;
        if manifest.form != FORM {
            return Err(no_backup());
        }
        for listed in &manifest.files {
            let damaged = || OperatorError::Damaged(listed.path.clone());
            let path = listed.inside(folder).ok_or_else(damaged)?;
            let mut file = File::open(path).map_err(|_| damaged())?;
            if digest(&mut file)? != (listed.bytes, listed.sha256.clone()) {
                return Err(damaged());
            }
        }
        let database = manifest.database.file();
        if manifest.files.iter().all(|listed| listed.path != database) {
            return Err(OperatorError::Damaged(database.to_owned()));
        }
        Ok(manifest)
    }
}

impl Listed {
    /// Where it lies; nothing for a path that leads out of the backup.
    pub(super) fn inside(&self, folder: &Path) -> Option<PathBuf> {
        let path = Path::new(&self.path);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        inside.then(|| folder.join(path))
    }
}

fn digest(file: &mut File) -> io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut total = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => {
                total += u64::try_from(count).unwrap_or_default();
                hash.update(buffer.get(..count).unwrap_or_default());
            }
        }
    }
    let digits = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((total, digits))
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => collect(&entry.path(), paths)?,
            kind if kind.is_file() => paths.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

/// Flushes the names in a folder, where the system can.
pub(super) fn flush_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Makes a folder that only its owner can read; it must not be there yet, or be empty.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::read_dir(folder)?.next().is_some() { Err(error) } else { Ok(()) }
        }
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(folder: &Path) -> Manifest {
        fs::write(folder.join("relay.db"), b"rows").unwrap();
        fs::create_dir(folder.join("objects")).unwrap();
        fs::write(folder.join("objects/3f"), b"sealed").unwrap();
        let manifest = Manifest::of(Kind::Sqlite, 7, 1, Timestamp::from_millis(5));
        manifest.seal(folder).unwrap()
    }

    #[test]
    fn what_was_sealed_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = sealed(folder.path());

        assert_eq!(Manifest::read(folder.path()).unwrap(), manifest);
        assert_eq!(manifest.files.len(), 2);
    }

    #[test]
    fn a_changed_missing_or_stray_file_is_noticed() {
        for harm in [
            (|folder: &Path| fs::write(folder.join("relay.db"), b"raws").unwrap()) as fn(&Path),
            |folder| fs::remove_file(folder.join("objects/3f")).unwrap(),
            |folder| {
                let text = fs::read_to_string(folder.join(MANIFEST)).unwrap();
                let text = text.replace("objects/3f", "../objects/3f");
                fs::write(folder.join(MANIFEST), text).unwrap();
            },
        ] {
            let folder = tempfile::tempdir().unwrap();
            sealed(folder.path());

            harm(folder.path());

            let read = Manifest::read(folder.path());
            assert!(matches!(read, Err(OperatorError::Damaged(_))), "{read:?}");
        }
    }

    #[test]
    fn a_folder_without_a_manifest_is_no_backup() {
        let folder = tempfile::tempdir().unwrap();

        assert!(matches!(Manifest::read(folder.path()), Err(OperatorError::NoBackup(_))));
        sealed(folder.path());
        assert!(make_private(folder.path()).is_err(), "nothing is written over a backup");
    }
}
