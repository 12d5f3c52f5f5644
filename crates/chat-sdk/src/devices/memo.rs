//! What was verified a moment ago: a list that is read for every message is checked once.
//!
//! Three signatures a member are 15 ms for a group of a hundred, for each message. An entry counts
//! for exactly the bytes it was made from, so a changed row is verified anew. One memory a thread:
//! all reading happens on the store's own.

use std::cell::RefCell;
use std::collections::HashMap;

use chat_core::codec::Digest;
use chat_core::device::AccountDevices;
use chat_core::id::AccountId;

/// Beyond this many accounts it begins anew: about 4 MB.
const ACCOUNTS_MAX: usize = 4096;

thread_local! {
    static VERIFIED: RefCell<HashMap<AccountId, (Digest, AccountDevices)>> = RefCell::default();
}

/// What `verify` says of `bytes`, which it is asked only if it was not asked about them before.
pub(super) fn verified<E>(
    account: AccountId,
    bytes: &[u8],
    verify: impl FnOnce() -> Result<AccountDevices, E>,
) -> Result<AccountDevices, E> {
    let digest = Digest::of(bytes);
    let known = VERIFIED.with_borrow(|memo| {
        memo.get(&account).filter(|(of, _)| *of == digest).map(|(_, devices)| devices.clone())
    });
    if let Some(devices) = known {
        return Ok(devices);
    }
    let devices = verify()?;
    VERIFIED.with_borrow_mut(|memo| {
        if memo.len() >= ACCOUNTS_MAX {
            memo.clear();
        }
        memo.insert(account, (digest, devices.clone()));
    });
    Ok(devices)
}
