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
    /// In a bucket of S3.
    S3(S3Place),
}

/// Where in S3.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct S3Place {
    /// Which bucket.
    pub bucket: String,
    /// What the names of all objects begin with.
    pub prefix: String,
    /// The URL of the server; absent: Amazon's for the region.
    pub endpoint: Option<String>,
    /// The region; absent: as the environment has it.
    pub region: Option<String>,
}

impl fmt::Display for BlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(folder) => folder.display().fmt(f),
            Self::S3(S3Place { bucket, prefix, .. }) => write!(f, "s3://{bucket}/{prefix}"),
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
            if let BlobStore::S3(S3Place { endpoint, region, .. }) = store {
                for (key, value) in [("s3_endpoint", endpoint), ("s3_region", region)] {
                    if let Some(value) = value {
                        writeln!(f, "{key} = {}", toml::Value::from(value.as_str()))?;
                    }
                }
            }
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
    let wanted = "the path of a folder, or s3://bucket/prefix";
    let text = text.trim();
    if let Some(place) = text.strip_prefix("s3://") {
        let (bucket, prefix) = place.trim_end_matches('/').split_once('/').unwrap_or((place, ""));
        let (bucket, prefix) = (bucket.trim_end_matches('/'), prefix.trim_matches('/'));
        if bucket.is_empty() || place.contains(['?', '#', '@', ' ']) {
            return Err(wanted);
        }
        let prefix = if prefix.is_empty() { "blobs" } else { prefix };
        let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
        return Ok(BlobStore::S3(S3Place { bucket, prefix, endpoint: None, region: None }));
    }
    match text {
        "" => Err(wanted),
        other if other.contains("://") => Err(wanted),
        path => Ok(BlobStore::Disk(PathBuf::from(path))),
    }
}

/// Reads `blobs.s3_endpoint`, and servers of push.
pub(super) fn s3_endpoint(text: &str) -> Result<String, &'static str> {
    let is_url = text.starts_with("https://") || text.starts_with("http://");
    if is_url && !text.contains(['@', '?', '#', ' ']) {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("a URL like https://server.example")
    }
}

/// Reads `blobs.s3_region`.
pub(super) fn s3_region(text: &str) -> Result<String, &'static str> {
    let fits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    if fits { Ok(text.to_owned()) } else { Err("a region like eu-central-1") }
}

/// Reads `blobs.mebibytes_a_blob`.
pub(super) fn mebibytes_a_blob(text: &str) -> Result<u32, &'static str> {
    let most = u32::try_from(BLOB_BYTES_MAX / MEBIBYTE).unwrap_or(u32::MAX);
    match text.parse() {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        _ => Err("a whole number from 1 to 5120"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_or_a_bucket() {
        let s3 = |bucket: &str, prefix: &str| {
            let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
            Ok(BlobStore::S3(S3Place { bucket, prefix, endpoint: None, region: None }))
        };
        for (text, expected) in [
            ("/srv/blobs", Ok(BlobStore::Disk("/srv/blobs".into()))),
            ("s3://attic", s3("attic", "blobs")),
            ("s3://attic/", s3("attic", "blobs")),
            ("s3://attic/a/b/", s3("attic", "a/b")),
        ] {
            assert_eq!(store(text), expected, "{text}");
        }
        for text in ["", " ", "s3://", "s3:///a", "ftp://attic", "s3://key:secret@attic"] {
            assert!(store(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_blob_is_larger_than_the_protocol_allows() {
        assert_eq!(mebibytes_a_blob("5120"), Ok(5_120));
        for text in ["0", "5121", "-1", "many"] {
            assert!(mebibytes_a_blob(text).is_err(), "{text}");
        }
    }
}
