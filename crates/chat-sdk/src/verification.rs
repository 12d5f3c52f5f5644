//! Verification: safety numbers, and what happens when somebody's identity key changes.
//!
//! ```text
//!  first seen ─▶ pinned ──numbers compared──▶ verified
//!                  │ another key comes up          │
//!                  ▼                               ▼
//!               not used, nothing is sent to it, a warning ──accept──▶ pinned anew, not verified
//! ```
//!
//! There is no silent acceptance, whether numbers were compared or not: an honest change is rare
//! (the account was begun anew), and a dishonest one is exactly this.

use chat_core::id::AccountId;
use chat_crypto::safety_number::SafetyNumber;

use crate::context::Context;
use crate::devices::{self, Learned};
use crate::error::{Kind, Result};
use crate::store::{chains, peers, sessions};

/// How far an identity key is believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trust {
    /// It was the first one seen.
    FirstUse,
    /// Safety numbers were compared.
    Verified,
    /// Another key has come up and waits for a decision.
    Changed,
}

/// The safety number of this account and another, by the key that is pinned.
///
/// # Errors
///
/// [`Kind::NotFound`] for somebody never looked up.
pub async fn safety_number(context: &Context, account: AccountId) -> Result<SafetyNumber> {
    let theirs = context.store.read(move |tx| devices::pinned(tx, account)).await?;
    Ok(SafetyNumber::between((context.own.account(), context.own.identity_key), (account, theirs)))
}

/// How far somebody's identity key is believed.
///
/// # Errors
///
/// [`Kind::NotFound`] for somebody never looked up.
pub async fn trust(context: &Context, account: AccountId) -> Result<Trust> {
    let row =
        context.store.read(move |tx| peers::load(tx, account)).await?.ok_or(Kind::NotFound)?;
    Ok(match (row.offered_identity, row.verified_at) {
        (Some(_), _) => Trust::Changed,
        (None, Some(_)) => Trust::Verified,
        (None, None) => Trust::FirstUse,
    })
}

/// Notes that safety numbers were compared and are equal.
///
/// # Errors
///
/// [`Kind::NotFound`] for somebody never looked up.
pub async fn mark_verified(context: &Context, account: AccountId) -> Result<()> {
    let now = context.now();
    let known = context.store.write(move |tx| peers::set_verified(tx, account, Some(now))).await?;
    if known { Ok(()) } else { Err(Kind::NotFound.into()) }
}

/// Accepts the identity key that has come up in place of the pinned one.
///
/// Sessions with the former identity's devices are erased; the new key counts as seen, not as
/// verified.
///
/// # Errors
///
/// [`Kind::NotFound`] if no other key has come up; [`Kind::IdentityChanged`] if it has changed yet
/// again; [`Kind::DeviceListForged`], [`Kind::RelayUnreachable`].
pub async fn accept_identity(context: &Context, account: AccountId) -> Result<()> {
    let row = context.store.read(move |tx| peers::load(tx, account)).await?;
    let row = row.ok_or(Kind::NotFound)?;
    let offered = row.offered_identity.ok_or(Kind::NotFound)?;
    let keys = context.relay.account_keys(account).await?;
    // What is accepted is the key that was shown, not whatever the relay says by now.
    if keys.devices.identity_key != offered || keys.username != row.username {
        return Err(Kind::IdentityChanged.into());
    }
    let now = context.now();
    let learned = context
        .store
        .write(move |tx| {
            peers::forget(tx, account)?;
            sessions::forget_account(tx, account)?;
            chains::forget_account(tx, account)?;
            match devices::learn(tx, account, keys, now)? {
                Learned::Known(devices) => Ok(devices),
                // As an error, so that nothing of this is committed.
                other => Err(other.into_devices().err().unwrap_or(Kind::Internal.into())),
            }
        })
        .await;
    learned.map(drop)
}
