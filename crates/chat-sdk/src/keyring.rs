//! The account's keyring on this device: the newest that is known, and how it changes.
//!
//! ```text
//!  relay ──sealed, number──▶ lock opens it ─▶ holds all of ours? ─▶ store ─▶ everybody here
//!
//!  change: copy ─▶ epoch, lock … ─▶ sealed, number + 1 ─▶ relay ─▶ store
//!             ▲                                              │ conflict: another device was first
//!             └───────────── what it sealed ◀────────────────┘
//!
//!  fresh lock: ours, written down before the relay has it  ┐
//!              another device's, handed over by a message  ┴▶ tried where the one before fails
//! ```
//!
//! A change is on the relay before it is here, and is made again on top of another device's. An
//! older keyring than one seen before, and one that lacks a key of ours, is refused.
//! Normative: `docs/protocol/keyring.md` §3.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use chat_core::api::account::Keyring as PublishedKeyring;
use chat_core::api::auth::OpaqueMessage;
use chat_core::api::recovery::PasswordFinish;
use chat_core::codec::Bytes;
use chat_crypto::keyring::{Keyring, KeyringError, KeyringLock};
use rusqlite::Transaction;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::content::HandedLock;
use crate::context::Context;
use crate::error::{Kind, Result};
use crate::random::Rng;
use crate::relay::Relay;
use crate::store::{account, unreadable};

/// How often a change is made anew when another device was first.
const ATTEMPTS: usize = 4;

/// The names of the facts that hold locks under which the relay's keyring may be: one of ours, and
/// one that another device has handed over.
const CANDIDATE: &str = "keyring_lock_candidate";
const HANDED: &str = "keyring_lock_handed";

/// The newest keyring this device knows; clones are the same one.
#[derive(Clone)]
pub struct SharedKeyring {
    newest: Arc<RwLock<Arc<Keyring>>>,
    /// Held by whoever follows the relay or changes something: who comes second finds what the first
    /// has kept, and does not put back what it had read before.
    following: Arc<Mutex<()>>,
}

impl SharedKeyring {
    pub(crate) fn new(keyring: Keyring) -> Self {
        Self { newest: Arc::new(RwLock::new(Arc::new(keyring))), following: Arc::default() }
    }

    /// The newest.
    #[must_use]
    pub fn get(&self) -> Arc<Keyring> {
        Arc::clone(&self.newest.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, keyring: Keyring) {
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring);
    }
}

impl fmt::Debug for SharedKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKeyring(..)")
    }
}

/// Keyring and lock as this device has them, to be changed.
pub(crate) struct Held {
    pub(crate) keyring: Keyring,
    pub(crate) lock: KeyringLock,
}

pub(crate) async fn held(context: &Context) -> Result<Held> {
    let row = context.store.read(account::load).await?;
    Ok(Held {
        keyring: Keyring::from_snapshot(row.keyring.as_bytes()).map_err(unreadable)?,
        lock: KeyringLock::from_snapshot(row.keyring_lock.as_bytes()).map_err(unreadable)?,
    })
}

/// Fetches the account's keyring, and takes it if it is newer.
///
/// # Errors
///
/// [`Kind::KeyringLocked`] if another device put it under a lock that did not come here yet;
/// [`Kind::KeyringInvalid`] if it leads back or lacks a key; [`Kind::RelayUnreachable`].
pub(crate) async fn refresh(context: &Context) -> Result<Held> {
    let _one_at_a_time = context.own.keyring.following.lock().await;
    follow(context).await
}

async fn follow(context: &Context) -> Result<Held> {
    let mut held = held(context).await?;
    let sealed = context.relay.keyring().await?;
    if sealed.number == held.lock.number() {
        return Ok(held);
    }
    let account = context.own.account();
    let newer = match held.lock.open(&sealed.sealed, account, sealed.number) {
        Err(KeyringError::NotAuthentic) => {
            let (newer, lock) = open_waiting(context, &sealed).await?;
            held.lock = lock;
            newer
        }
        outcome => outcome.map_err(|error| Kind::KeyringInvalid.because(error))?,
    };
    held.keyring.check_successor(&newer).map_err(|error| Kind::KeyringInvalid.because(error))?;
    held.keyring = newer;
    keep(context, held).await
}

/// Opens a keyring under a lock that is newer than ours, if it is one of those that wait here.
async fn open_waiting(
    context: &Context,
    sealed: &PublishedKeyring,
) -> Result<(Keyring, KeyringLock)> {
    let read = |tx: &Transaction<'_>| Ok([waiting(tx, CANDIDATE)?, waiting(tx, HANDED)?]);
    let account = context.own.account();
    for mut lock in context.store.read(read).await?.into_iter().flatten() {
        if let Ok(keyring) = lock.open(&sealed.sealed, account, sealed.number) {
            return Ok((keyring, lock));
        }
    }
    // The number is higher, so this is not the relay going back.
    Err(Kind::KeyringLocked.because(KeyringError::NotAuthentic))
}

fn waiting(tx: &Transaction<'_>, name: &str) -> Result<Option<KeyringLock>> {
    let lock = account::fact(tx, name)?.map(Zeroizing::new);
    lock.map(|lock| KeyringLock::from_snapshot(&lock).map_err(unreadable)).transpose()
}

/// Keeps a lock that another device has handed over, until the relay's keyring is asked for; tells
/// whether it is one that may be of use.
///
/// # Errors
///
/// [`Kind::StoreFailed`].
pub(crate) fn hear(tx: &Transaction<'_>, handed: &HandedLock) -> Result<bool> {
    // SECURITY: whatever it is, a keyring that it opens has to hold all that ours does.
    let Ok(lock) = KeyringLock::from_snapshot(handed.as_bytes()) else { return Ok(false) };
    let known = waiting(tx, HANDED)?.map_or(0, |lock| lock.number());
    if lock.number() <= account::load(tx)?.keyring_number.max(known) {
        return Ok(false);
    }
    account::set_fact(tx, HANDED, handed.as_bytes()).map(|()| true)
}

/// Opens the keyring that another device locked anew, by what a person typed.
pub(crate) async fn unlock(
    context: &Context,
    open: impl FnOnce(&PublishedKeyring) -> Result<(Keyring, KeyringLock), KeyringError>,
) -> Result<Held> {
    let _one_at_a_time = context.own.keyring.following.lock().await;
    let known = held(context).await?;
    let sealed = context.relay.keyring().await?;
    if sealed.number < known.lock.number() {
        return Err(Kind::KeyringInvalid.because(KeyringError::RolledBack));
    }
    let (keyring, lock) = open(&sealed).map_err(|error| Kind::WrongPassword.because(error))?;
    known.keyring.check_successor(&keyring).map_err(|error| Kind::KeyringInvalid.because(error))?;
    keep(context, Held { keyring, lock }).await
}

/// What the relay takes a changed keyring with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Publish<'a> {
    /// Nothing else.
    Alone,
    /// What checks the password that opens it from now on.
    WithPassword(&'a OpaqueMessage),
}

impl Publish<'_> {
    async fn to(self, relay: &Relay, keyring: PublishedKeyring) -> Result<()> {
        match self {
            Self::Alone => relay.put_keyring(&keyring).await,
            Self::WithPassword(record) => {
                relay.password_finish(&PasswordFinish { record: record.clone(), keyring }).await
            }
        }
    }
}

/// Makes a change, has the relay take it, and keeps it.
pub(crate) async fn change(
    context: &Context,
    make: impl Fn(&mut Held, &mut Rng) -> Result<()>,
    publish: Publish<'_>,
) -> Result<Held> {
    let _one_at_a_time = context.own.keyring.following.lock().await;
    for _ in 0..ATTEMPTS {
        let mut held = follow(context).await?;
        let sealed = {
            let rng = &mut context.rng();
            make(&mut held, rng)?;
            let resealed = held.lock.reseal(&held.keyring, rng);
            resealed.map_err(|error| Kind::KeyringInvalid.because(error))?
        };
        let number = held.lock.number();
        // If the relay takes it and we do not hear of that, this is all that opens it.
        let lock = held.lock.to_snapshot();
        let note = move |tx: &Transaction<'_>| account::set_fact(tx, CANDIDATE, &lock);
        context.store.write(note).await?;
        let published = PublishedKeyring { number, sealed: Bytes::new(sealed)? };
        match publish.to(&context.relay, published).await {
            Ok(()) => return keep(context, held).await,
            Err(error) if error.kind() == Kind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(Kind::Conflict.into())
}

async fn keep(context: &Context, held: Held) -> Result<Held> {
    let number = held.lock.number();
    let (keyring, lock) = (held.keyring.to_snapshot().into(), held.lock.to_snapshot().into());
    let store = move |tx: &Transaction<'_>| {
        account::set_keyring(tx, &keyring, &lock, number)?;
        for name in [CANDIDATE, HANDED] {
            if waiting(tx, name)?.is_some_and(|lock| lock.number() <= number) {
                account::forget_fact(tx, name)?;
            }
        }
        Ok(())
    };
    context.store.write(store).await?;
    let shared = Keyring::from_snapshot(&held.keyring.to_snapshot()).map_err(unreadable)?;
    context.own.keyring.replace(shared);
    Ok(held)
}
