//! Blobs: where their bytes lie, and how many there may be.

use std::fmt;
use std::path::PathBuf;

use chat_core::limits::BLOB_BYTES_MAX;

const MEBIBYTE: u64 = 1024 * 1024;

/// Where the bytes of blobs lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BlobStore {
    /// In a folder; one that all nodes share, if there are several.
    Disk(PathBuf),
}

impl fmt::Display for BlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(folder) => folder.display().fmt(f),
        }
    }
}

/// How many bytes blobs may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlobLimits {
    /// One blob, in MiB.
    pub mebibytes_a_blob: u32,
    /// All blobs of an account, in MiB.
    pub mebibytes_an_account: u32,
    /// All blobs of a workspace, in MiB; absent: as many as its accounts may have.
    pub mebibytes_a_workspace: Option<u32>,
}

impl BlobLimits {
    /// What a relay allows when nobody says otherwise.
    pub const DEFAULT: Self =
        Self { mebibytes_a_blob: 100, mebibytes_an_account: 1024, mebibytes_a_workspace: None };

    /// Largest blob, in bytes.
    #[must_use]
    pub fn blob_bytes(&self) -> u64 {
        (u64::from(self.mebibytes_a_blob) * MEBIBYTE).min(BLOB_BYTES_MAX)
    }

    /// Most bytes of an account.
    #[must_use]
    pub fn account_bytes(&self) -> u64 {
        u64::from(self.mebibytes_an_account) * MEBIBYTE
    }

    /// Most bytes of a workspace.
    #[must_use]
    pub fn workspace_bytes(&self) -> Option<u64> {
        self.mebibytes_a_workspace.map(|count| u64::from(count) * MEBIBYTE)
    }
}

/// Everything that is set about blobs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BlobConfig {
    /// Where; absent: in the data folder.
    pub store: Option<BlobStore>,
    /// How many bytes.
    pub limits: BlobLimits,
}

impl BlobConfig {
    /// What a relay does when nobody says otherwise.
    pub const DEFAULT: Self = Self { store: None, limits: BlobLimits::DEFAULT };
}

/// As it stands in a file.
impl fmt::Display for BlobConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, limits } = self;
        writeln!(f, "\n[blobs]")?;
        if let Some(store) = store {
            writeln!(f, "store = {}", toml::Value::from(store.to_string()))?;
        }
        writeln!(f, "mebibytes_a_blob = {}", limits.mebibytes_a_blob)?;
        writeln!(f, "mebibytes_an_account = {}", limits.mebibytes_an_account)?;
        match limits.mebibytes_a_workspace {
            Some(count) => writeln!(f, "mebibytes_a_workspace = {count}"),
            None => Ok(()),
        }
    }
}

/// Reads `blobs.store`.
pub(super) fn store(text: &str) -> Result<BlobStore, &'static str> {
    let wanted = "the path of a folder";
    match text.trim() {
        "" => Err(wanted),
        other if other.contains("://") => Err(wanted),
        path => Ok(BlobStore::Disk(PathBuf::from(path))),
    }
}

/// Reads `blobs.mebibytes_a_blob`.
pub(super) fn mebibytes_a_blob(text: &str) -> Result<u32, &'static str> {
    let most = u32::try_from(BLOB_BYTES_MAX / MEBIBYTE).unwrap_or(u32::MAX);
    match text.parse() {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        _ => Err("a whole number from 1 to 5120"),
    }
}
