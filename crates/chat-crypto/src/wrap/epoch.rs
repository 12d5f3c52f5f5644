//! The secret half of an account's envelope keys, one epoch of them.
//!
//! ```text
//!  epoch n ┬ X25519     32 bytes
//!          ├ X-Wing     32 bytes, from which both of its halves are expanded
//!          └ RSA        PKCS #8, only for accounts that want Web Crypto clients to read
//! ```
//!
//! Every device of the account holds all epochs, in the keyring; an old epoch reads old messages.
//! Normative: `docs/protocol/envelope.md` §5.

use std::fmt;

use chat_core::codec::{Bytes, Digest};
use chat_core::envelope::{EnvelopeKeys, VERSION, Wrap, WrapScheme};
use chat_core::id::AccountId;
use chat_core::key::{AgreementKey, XWingKey};
use chat_core::time::Timestamp;
use hpke::{Deserializable as _, Kem, Serializable as _};
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use rsa::RsaPrivateKey;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::hpke::{X25519, XWing};
use super::{Carried, WrapError, context, hpke as hpke_wrap, rsa_oaep};
use crate::erasure::erases;
use crate::snapshot::{self, SnapshotError};

const EPOCH_SNAPSHOT: u8 = 1;

/// An epoch of an account's envelope keys, with what opens wraps made for them.
///
/// All three private keys erase themselves when dropped.
pub struct EnvelopeSecrets {
    account: AccountId,
    epoch: u32,
    x25519: <X25519 as Kem>::PrivateKey,
    xwing: <XWing as Kem>::PrivateKey,
    /// Boxed: where there is none, the room for one would carry along what the stack held before.
    rsa: Option<Box<RsaPrivateKey>>,
}

erases!(EnvelopeSecrets, EnvelopeSecrets { account: _, epoch: _, x25519: _, xwing: _, rsa } => {
    // The two keys of `hpke` are erased without saying so in their types; a test looks for them.
    const fn one(_: &Option<Box<impl ZeroizeOnDrop>>) {}
    one(rsa);
});

impl EnvelopeSecrets {
    /// Draws the keys of `epoch`, without RSA.
    pub fn generate(account: AccountId, epoch: u32, rng: &mut impl CryptoRng) -> Self {
        let (x25519, _) = X25519::gen_keypair_with_rng(rng);
        let (xwing, _) = XWing::gen_keypair_with_rng(rng);
        Self { account, epoch, x25519, xwing, rsa: None }
    }

    /// Adds an RSA key of 4096 bits. Searching its primes takes seconds.
    ///
    /// # Errors
    ///
    /// [`WrapError::UnusableKey`] if no primes were found, which no good generator brings about.
    pub fn with_rsa(self, rng: &mut impl CryptoRng) -> Result<Self, WrapError> {
        Ok(Self { rsa: Some(Box::new(rsa_oaep::generate(rng)?)), ..self })
    }

    /// Whose keys.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// 1 for the first, then rising.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The public half, for the account's identity key to sign.
    #[must_use]
    pub fn public(&self, now: Timestamp) -> EnvelopeKeys {
        EnvelopeKeys {
            version: VERSION,
            account: self.account,
            epoch: self.epoch,
            x25519: AgreementKey::from_bytes(X25519::sk_to_pk(&self.x25519).to_bytes().into()),
            xwing: XWingKey::from_bytes(XWing::sk_to_pk(&self.xwing).to_bytes().into()),
            rsa: self.rsa.as_deref().map(rsa_oaep::public_der).and_then(|der| Bytes::new(der).ok()),
            created_at: now,
        }
    }

    /// Opens a wrap for this account and epoch; `None` for every other.
    pub(crate) fn open(
        &self,
        wrap: &Wrap,
        binding: &Digest,
        rng: &mut impl CryptoRng,
    ) -> Option<Carried> {
        // Whatever the wrap says of its recipient is authenticated with it.
        let context = context(wrap.scheme, wrap.to, wrap.epoch);
        let aad = binding.as_bytes();
        let opened = match wrap.scheme {
            WrapScheme::Ratchet | WrapScheme::SenderChain => None,
            WrapScheme::HpkeX25519 => {
                hpke_wrap::open::<X25519>(&self.x25519, &context, aad, &wrap.bytes)
            }
            WrapScheme::HpkeXwing => {
                hpke_wrap::open::<XWing>(&self.xwing, &context, aad, &wrap.bytes)
            }
            WrapScheme::RsaOaep4096 => {
                let label = [&context[..], aad].concat();
                rsa_oaep::open(self.rsa.as_ref()?, label, &wrap.bytes, rng)
            }
        };
        Carried::from_bytes(&opened?)
    }
}

/// An epoch as it is kept; borrowed on both ways, so that no copy of a key is left behind.
#[derive(Encode, Decode)]
#[cbor(map)]
struct EpochState<'a> {
    #[n(0)]
    account: AccountId,
    #[n(1)]
    epoch: u32,
    #[b(2)]
    x25519: &'a ByteSlice,
    #[b(3)]
    xwing: &'a ByteSlice,
    #[b(4)]
    rsa: Option<&'a ByteSlice>,
}

impl EnvelopeSecrets {
    /// The secrets, to be stored encrypted.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        let x25519 = Zeroizing::new(self.x25519.to_bytes());
        let xwing = Zeroizing::new(self.xwing.to_bytes());
        let rsa = self.rsa.as_deref().map(rsa_oaep::private_der);
        let state = EpochState {
            account: self.account,
            epoch: self.epoch,
            x25519: x25519.as_slice().into(),
            xwing: xwing.as_slice().into(),
            rsa: rsa.as_ref().map(|der| der.as_bytes().into()),
        };
        snapshot::write(EPOCH_SNAPSHOT, &state)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let state: EpochState<'_> = snapshot::read(bytes, EPOCH_SNAPSHOT)?;
        let read_rsa = |der: &ByteSlice| {
            rsa_oaep::read_private(der).map(Box::new).ok_or(SnapshotError::Malformed)
        };
        Ok(Self {
            account: state.account,
            epoch: state.epoch,
            x25519: <X25519 as Kem>::PrivateKey::from_bytes(state.x25519)
                .map_err(|_| SnapshotError::Malformed)?,
            xwing: <XWing as Kem>::PrivateKey::from_bytes(state.xwing)
                .map_err(|_| SnapshotError::Malformed)?,
            rsa: state.rsa.map(read_rsa).transpose()?,
        })
    }
}

impl fmt::Debug for EnvelopeSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvelopeSecrets(..)")
    }
}
