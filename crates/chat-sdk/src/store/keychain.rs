//! The key of a store in the operating system's own keeping (features `keychain`, `keychain-over`).
//!
//! ```text
//!  Keychain::key_of(path, name)
//!    entry there ────────────────────────────────────────▶ StoreKey
//!    no entry, no store ─▶ 32 random bytes ─▶ kept, read back ─▶ StoreKey
//!    no entry, a store ──▶ StoreKeyMissing: another key would not open it
//! ```
//!
//! | system | where the key is |
//! |---|---|
//! | Linux, BSD | the Secret Service over D-Bus: GNOME's key ring, KDE's wallet, KeePassXC |
//! | macOS | the login keychain |
//! | Windows | the Credential Manager |
//! | others | where the app says: [`Keychain::over`] |
//!
//! Who may read an entry is the system's decision; on most desktops every program of the same
//! person may. The key is kept as base64url, since not every key store takes bytes. See ADR 0040.
//!
//! Absent: passwords and the recovery phrase; people remember those, and nothing is to.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chat_core::codec::{from_base64url, to_base64url};
use keyring_core::{CredentialStore, Entry, Error as Refusal};
use zeroize::Zeroizing;

use super::StoreKey;
use super::key::TURNS;
use crate::error::{Error, Kind, Result};

/// The entries of one app in a key store.
///
/// ```no_run
/// use chat_sdk::{Client, Keychain};
///
/// # async fn example(keychain: Keychain) -> chat_sdk::Result<()> {
/// // let keychain = Keychain::system("com.example.app").await?;
/// let key = keychain.key_of("alice.store", "alice").await?;
/// let client = Client::builder("https://relay.example").store("alice.store", key).open().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Keychain {
    store: Arc<CredentialStore>,
    app: Arc<str>,
}

impl Keychain {
    /// The key store of this system, for the app of this name, such as `com.example.app`.
    ///
    /// # Errors
    ///
    /// [`Kind::KeychainUnavailable`] where there is none: a Linux without a desktop, a system that
    /// this crate knows no key store of.
    #[cfg(feature = "keychain")]
    pub async fn system(app: &str) -> Result<Self> {
        Ok(Self::over(blocking(|| system().map_err(refused)).await?, app))
    }

    /// Another key store, by the crate `keyring-core`: Android's and iOS's, or one that tests give up.
    #[must_use]
    pub fn over(store: Arc<CredentialStore>, app: &str) -> Self {
        Self { store, app: app.into() }
    }

    /// The key of the store in the file `path`, under `name`. The first time, when there is neither
    /// key nor store, a key is drawn and kept.
    ///
    /// Waits for the person where the system asks them to unlock their keys.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreKeyMissing`] if there is a store and its key is gone, or what is kept is no key;
    /// [`Kind::KeychainUnavailable`] if the key store is locked or fails; [`Kind::StoreFailed`] if
    /// nothing can be made beside the store.
    pub async fn key_of(&self, path: impl Into<PathBuf>, name: &str) -> Result<StoreKey> {
        let (path, entry) = (path.into(), self.entry(name)?);
        blocking(move || {
            // Two processes that come first at once would each draw a key, and one would be lost.
            let turns = turns(&path).map_err(|error| Kind::StoreFailed.because(error))?;
            let key = match read(&entry)? {
                Some(key) => key,
                None if is_begun(&path) => return Err(Kind::StoreKeyMissing.into()),
                None => draw(&entry)?,
            };
            drop(turns);
            Ok(key)
        })
        .await
    }

    /// Throws a key away, for example after [`Client::wipe`](crate::Client::wipe): what was kept
    /// under it cannot be read any more, by anybody. Where there is none, nothing is done.
    ///
    /// # Errors
    ///
    /// [`Kind::KeychainUnavailable`].
    pub async fn forget(&self, name: &str) -> Result<()> {
        let entry = self.entry(name)?;
        blocking(move || match entry.delete_credential() {
            Ok(()) | Err(Refusal::NoEntry) => Ok(()),
            Err(refusal) => Err(refused(refusal)),
        })
        .await
    }

    fn entry(&self, name: &str) -> Result<Entry> {
        self.store.build(&self.app, name, None).map_err(refused)
    }
}

impl fmt::Debug for Keychain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keychain(..)")
    }
}

#[cfg(feature = "keychain")]
fn system() -> Result<Arc<CredentialStore>, Refusal> {
    #[cfg(all(unix, not(any(target_vendor = "apple", target_os = "android"))))]
    let store = zbus_secret_service_keyring_store::Store::new()?;
    #[cfg(target_os = "macos")]
    let store = apple_native_keyring_store::keychain::Store::new()?;
    #[cfg(windows)]
    let store = windows_native_keyring_store::Store::new()?;
    #[cfg(any(all(target_vendor = "apple", not(target_os = "macos")), target_os = "android"))]
    let store = Err::<Arc<CredentialStore>, _>(Refusal::NotSupportedByStore(
        "the app brings this system's key store".to_owned(),
    ))?;
    Ok(store)
}

/// Key stores talk to other processes, and wait for people.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Kind::Internal.because(error))?
}

/// Waits for this process's turn to look for a key and to draw one; it ends with the file.
fn turns(path: &Path) -> io::Result<File> {
    let mut beside = OsString::from(path);
    beside.push(TURNS);
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(beside)?;
    file.lock()?;
    Ok(file)
}

/// Tells whether something is in the store: an empty file is what an interrupted beginning leaves.
fn is_begun(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.len() > 0)
}

fn read(entry: &Entry) -> Result<Option<StoreKey>> {
    let kept = match entry.get_password() {
        Ok(text) => Zeroizing::new(text),
        Err(Refusal::NoEntry) => return Ok(None),
        Err(refusal) => return Err(refused(refusal)),
    };
    let bytes = from_base64url(&kept).map(Zeroizing::new);
    let key = bytes.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    match key {
        Some(bytes) => Ok(Some(StoreKey::from_bytes(bytes))),
        None => Err(Kind::StoreKeyMissing.because("what is kept under this name is no key")),
    }
}

fn draw(entry: &Entry) -> Result<StoreKey> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| Kind::Internal.because(error))?;
    let text = Zeroizing::new(to_base64url(bytes.as_slice()));
    entry.set_password(&text).map_err(refused)?;
    // A key store that forgets would take the store with it: better to know before there is one.
    read(entry)?
        .ok_or_else(|| Kind::KeychainUnavailable.because("it does not keep what it is given"))
}

/// What a key store's refusal means.
///
/// SECURITY: some refusals carry what is kept, so that a caller may look at it. None of that may get
/// into an error that is logged.
fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::BadEncoding(kept) | Refusal::BadDataFormat(kept, _) => {
            drop(Zeroizing::new(kept));
            Kind::StoreKeyMissing.because("what is kept under this name is no text")
        }
        Refusal::Ambiguous(entries) => {
            Kind::KeychainUnavailable.because(format!("{} entries have this name", entries.len()))
        }
        refusal => Kind::KeychainUnavailable.because(refusal),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use keyring_core::mock;

    use super::*;
    use crate::store::{Place, Store};

    const APP: &str = "org.example.app";

    #[tokio::test]
    async fn a_store_opens_with_the_key_that_the_key_store_has_kept() {
        let stand = Stand::new();
        let first = stand.keychain.key_of(&stand.path, "alice").await.unwrap();
        Store::open(stand.place(first)).await.unwrap().close().await;

        let again = stand.keychain.key_of(&stand.path, "alice").await.unwrap();
        let opened = Store::open(stand.place(again)).await;

        assert!(opened.is_ok(), "{opened:?}");
    }

    #[tokio::test]
    async fn each_name_has_a_key_of_its_own() {
        let stand = Stand::new();
        let alices = stand.keychain.key_of(&stand.path, "alice").await.unwrap();
        let bobs = stand.keychain.key_of(stand.beside("bob.store"), "bob").await.unwrap();

        assert_ne!(*alices.pragma(), *bobs.pragma());
    }

    #[tokio::test]
    async fn no_key_is_drawn_for_a_store_that_has_one() {
        let stand = Stand::new();
        let key = stand.keychain.key_of(&stand.path, "alice").await.unwrap();
        Store::open(stand.place(key)).await.unwrap().close().await;
        stand.keychain.forget("alice").await.unwrap();

        let error = stand.keychain.key_of(&stand.path, "alice").await.unwrap_err();

        assert_eq!(error.kind(), Kind::StoreKeyMissing);
        assert!(matches!(stand.entry("alice").get_password(), Err(Refusal::NoEntry)));
    }

    #[tokio::test]
    async fn what_is_no_key_is_neither_used_nor_replaced_nor_shown() {
        for kept in ["", "hush", "!!!", "AAAA", &"A".repeat(44)] {
            let stand = Stand::new();
            stand.entry("alice").set_password(kept).unwrap();

            let error = stand.keychain.key_of(&stand.path, "alice").await.unwrap_err();

            assert_eq!(error.kind(), Kind::StoreKeyMissing, "{kept:?}");
            assert!(kept.is_empty() || !format!("{error:?}").contains(kept), "{error:?}");
            assert_eq!(stand.entry("alice").get_password().unwrap(), kept);
        }
    }

    #[tokio::test]
    async fn a_refusal_shows_nothing_of_what_is_kept() {
        let locked = || Refusal::NoStorageAccess("locked".into());
        let bytes = || Refusal::BadEncoding(vec![171; 32]);
        let format = || Refusal::BadDataFormat(vec![171; 32], "torn".into());

        for (refusal, kind) in [
            (locked(), Kind::KeychainUnavailable),
            (bytes(), Kind::StoreKeyMissing),
            (format(), Kind::StoreKeyMissing),
        ] {
            let stand = Stand::new();
            stand.refuse_next("alice", refusal);

            let error = stand.keychain.key_of(&stand.path, "alice").await.unwrap_err();

            assert_eq!(error.kind(), kind);
            assert!(!error.is_transient());
            assert!(!format!("{error:?}").contains("171"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn to_forget_what_is_not_there_is_done_at_once() {
        let stand = Stand::new();

        assert!(stand.keychain.forget("alice").await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn who_comes_first_at_once_agrees_on_one_key() {
        let stand = Stand::new();
        let barrier = Arc::new(Barrier::new(4));
        let coming = (0..4).map(|_| {
            let (keychain, path) = (stand.keychain.clone(), stand.path.clone());
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                tokio::task::block_in_place(|| barrier.wait());
                keychain.key_of(path, "alice").await.unwrap()
            })
        });

        let mut keys = Vec::new();
        for came in coming.collect::<Vec<_>>() {
            keys.push(came.await.unwrap().pragma());
        }

        assert!(keys.iter().all(|key| **key == *keys[0]));
    }

    #[tokio::test]
    async fn nothing_is_left_beside_a_store_that_was_wiped() {
        let stand = Stand::new();
        let key = stand.keychain.key_of(&stand.path, "alice").await.unwrap();
        Store::open(stand.place(key)).await.unwrap().wipe().await.unwrap();

        let left = std::fs::read_dir(stand.folder.path()).unwrap().count();

        assert_eq!(left, 0);
    }

    /// A folder, and a key store that gives up its secrets.
    struct Stand {
        folder: tempfile::TempDir,
        path: PathBuf,
        store: Arc<CredentialStore>,
        keychain: Keychain,
    }

    impl Stand {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store: Arc<CredentialStore> = mock::Store::new().unwrap();
            let path = folder.path().join("alice.store");
            let keychain = Keychain::over(Arc::clone(&store), APP);
            Self { folder, path, store, keychain }
        }

        fn beside(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn place(&self, key: StoreKey) -> Place {
            Place::File { path: self.path.clone(), key }
        }

        fn entry(&self, name: &str) -> Entry {
            self.store.build(APP, name, None).unwrap()
        }

        fn refuse_next(&self, name: &str, refusal: Refusal) {
            let entry = self.entry(name);
            let credential: &mock::Cred = entry.as_any().downcast_ref().unwrap();
            credential.set_error(refusal);
        }
    }
}
