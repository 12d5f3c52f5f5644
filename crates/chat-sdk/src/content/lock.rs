//! A fresh lock of the account's keyring, from the device that made it to the others: `{ 0: lock }`.
//!
//! Counts only in a conversation of the account with itself, in one whose messages go on the sessions
//! with its devices: a device that was removed has the account's envelope keys, and a lock that came
//! wrapped for them would be fresh for it too. Normative: `docs/protocol/keyring.md` §3.4.

use std::fmt;

use chat_core::codec::{Bytes, from_bytes, to_bytes};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::error::{Kind, Result};

pub(crate) const KIND: &str = "keyring-lock";

/// A lock has two public keys and some bytes.
const LOCK_BYTES_MAX: usize = 4096;

/// A lock on its way, as a snapshot.
#[derive(Clone, Eq, PartialEq)]
pub struct HandedLock(Zeroizing<Vec<u8>>);

impl HandedLock {
    pub(crate) fn new(snapshot: Zeroizing<Vec<u8>>) -> Self {
        Self(snapshot)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for HandedLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandedLock(..)")
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    lock: Bytes<LOCK_BYTES_MAX>,
}

pub(super) fn encode(lock: &HandedLock) -> Result<Vec<u8>> {
    let lock = Bytes::new(lock.0.to_vec()).map_err(|error| Kind::TooLarge.because(error))?;
    Ok(to_bytes(&Body { lock }))
}

pub(super) fn decode(body: &[u8]) -> Option<HandedLock> {
    let Body { lock } = from_bytes(body).ok()?;
    Some(HandedLock(Zeroizing::new(lock.into_vec())))
}
