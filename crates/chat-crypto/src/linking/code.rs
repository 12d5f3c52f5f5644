//! What the picture says: where to meet, and the digest of what will be found there.
//!
//! ```text
//!  { 0: version, 1: rendezvous (16), 2: role of who shows it, 3: digest of hello (32), 4: expires }
//! ```
//!
//! About seventy bytes: the key of 1 216 bytes travels through the mailbox, and the digest says
//! which one it must be. So whoever scans knows that it talks to the screen it saw; the emoji are
//! what tells the other direction. Normative: `docs/protocol/linking.md` §3.

use std::fmt;

use chat_core::codec::{Digest, from_bytes, to_bytes};
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::{CLOCKS_APART_MAX, LIFETIME, LinkError, Role, VERSION};

/// The name of a mailbox: whoever knows it may read and write there.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Rendezvous([u8; 16]);

impl Rendezvous {
    pub(super) fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The bytes, to ask the relay with.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Rendezvous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rendezvous(..)")
    }
}

/// A code as it is drawn and scanned.
#[derive(Clone)]
pub struct LinkCode {
    pub(super) rendezvous: Rendezvous,
    pub(super) shown_by: Role,
    pub(super) hello: Digest,
    pub(super) expires_at: Timestamp,
    bytes: Vec<u8>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Written {
    #[n(0)]
    version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    rendezvous: [u8; 16],
    #[n(2)]
    shown_by: u8,
    #[n(3)]
    hello: Digest,
    #[n(4)]
    expires_at: Timestamp,
}

impl LinkCode {
    pub(super) fn new(
        shown_by: Role,
        rendezvous: Rendezvous,
        hello: Digest,
        now: Timestamp,
    ) -> Self {
        let expires_at = now.after(LIFETIME);
        let written = Written {
            version: VERSION,
            rendezvous: rendezvous.0,
            shown_by: shown_by as u8,
            hello,
            expires_at,
        };
        Self { rendezvous, shown_by, hello, expires_at, bytes: to_bytes(&written) }
    }

    /// Reads what was scanned.
    ///
    /// # Errors
    ///
    /// [`LinkError::Unreadable`]; [`LinkError::Stale`] by more than the clocks may be apart, in
    /// either direction.
    pub fn read(bytes: &[u8], now: Timestamp) -> Result<Self, LinkError> {
        let written: Written = from_bytes(bytes).map_err(|_| LinkError::Unreadable)?;
        let shown_by = match written.shown_by {
            1 => Role::New,
            2 => Role::Existing,
            _ => return Err(LinkError::Unreadable),
        };
        if written.version != VERSION {
            return Err(LinkError::Unreadable);
        }
        let expires_at = written.expires_at;
        let is_over = now.since(expires_at) > CLOCKS_APART_MAX;
        // SECURITY: a code that is good for a year is one that somebody hangs on a wall.
        let is_far_off = expires_at.since(now) > LIFETIME.saturating_add(CLOCKS_APART_MAX);
        if is_over || is_far_off {
            return Err(LinkError::Stale);
        }
        let rendezvous = Rendezvous(written.rendezvous);
        Ok(Self { rendezvous, shown_by, hello: written.hello, expires_at, bytes: bytes.to_vec() })
    }

    /// What the picture carries.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where both devices meet.
    #[must_use]
    pub fn rendezvous(&self) -> Rendezvous {
        self.rendezvous
    }

    /// Which device shows the code: the other role is that of whoever scans it.
    #[must_use]
    pub fn shown_by(&self) -> Role {
        self.shown_by
    }
}

unprinted!(LinkCode);
