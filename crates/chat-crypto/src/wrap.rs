//! Wraps: the secret of one message, for one recipient.
//!
//! ```text
//!  carried  =  secret (32) ‖ number of the recipient's device list (u32)
//!  context  =  label ‖ scheme (1) ‖ account (16) ‖ device (16, zero if none) ‖ epoch (u32)
//!
//!                 keyed to                       tied to context and binding by
//!  ratchet        a session between two devices  associated data  context ‖ binding
//!  HPKE           an account's envelope key      info  context,  aad  binding
//!  RSA-OAEP       an account's envelope key      label  context ‖ binding
//!  sender chain   all who hold the chain         signature and associated data; no list number
//! ```
//!
//! The binding stops a recipient, who knows the secret, from moving the wraps of others to another
//! payload. The context stops a key that is published under two names from being taken for either.
//! Normative: `docs/protocol/envelope.md` §5 and §6.

pub(crate) mod chain;
mod epoch;
pub(crate) mod hpke;
#[cfg(test)]
mod official;
pub(crate) mod ratchet;
mod rsa_oaep;

use std::fmt;

use chat_core::codec::{Bytes, Digest};
use chat_core::envelope::{EnvelopeKeys, Recipient, Wrap, WrapScheme};
use chat_core::id::DeviceAddress;
use chat_core::label;
use chat_core::signed::Verified;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::erasure::{erased, erases};

pub use self::epoch::EnvelopeSecrets;

/// How many bytes a wrap carries.
pub(crate) const CARRIED_BYTES: usize = 36;

/// Why a message's secret was not wrapped for an account.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WrapError {
    /// Ratchet wraps are made for devices on a session, shared wraps for all on a sender chain.
    #[error("this scheme does not wrap for an account")]
    NotForAccounts,
    /// The account publishes no key for this scheme.
    #[error("the recipient has no key for this wrap scheme")]
    NoKey,
    /// The account published bytes that are no key, or not one that is allowed.
    #[error("the recipient's envelope key cannot be used")]
    UnusableKey,
}

/// The secret of one message: whoever has it reads that message, and no other.
///
/// Kept to rewrap the message for a new recipient, or revealed to report it.
#[derive(Clone, ZeroizeOnDrop)]
pub struct MessageSecret([u8; 32]);

impl MessageSecret {
    /// Draws a new secret.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut secret = Self([0; 32]);
        rng.fill_bytes(&mut secret.0);
        secret
    }

    /// Takes a secret that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be stored where content may be stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Wraps the secret of the envelope with this `binding` for one more account.
    ///
    /// Header, payload and signature of the envelope stay as they are.
    ///
    /// # Errors
    ///
    /// [`WrapError`].
    pub fn rewrap(
        &self,
        binding: Digest,
        keys: &Verified<EnvelopeKeys>,
        scheme: WrapScheme,
        list: u32,
        rng: &mut impl CryptoRng,
    ) -> Result<Wrap, WrapError> {
        let carried = Carried { secret: self.clone(), list }.to_bytes();
        let to = Recipient::Account(keys.account);
        let context = context(scheme, to, keys.epoch);
        let aad = binding.as_bytes();
        let bytes = match scheme {
            WrapScheme::Ratchet | WrapScheme::SenderChain => return Err(WrapError::NotForAccounts),
            WrapScheme::HpkeX25519 => {
                let key = keys.x25519.as_bytes();
                hpke::seal::<hpke::X25519>(key, &context, aad, &carried, rng)?
            }
            WrapScheme::HpkeXwing => {
                let key = keys.xwing.as_bytes();
                hpke::seal::<hpke::XWing>(key, &context, aad, &carried, rng)?
            }
            WrapScheme::RsaOaep4096 => {
                let key = keys.rsa.as_ref().ok_or(WrapError::NoKey)?;
                rsa_oaep::seal(key, [&context[..], aad].concat(), &carried, rng)?
            }
        };
        // INVARIANT: the longest, X-Wing's, has 1 176 bytes.
        let bytes = Bytes::new(bytes).map_err(|_| WrapError::UnusableKey)?;
        Ok(Wrap { scheme, to, epoch: keys.epoch, bytes })
    }
}

/// Wraps the secrets of many messages for one more account: history for a new member, a new key.
///
/// `messages` are the bindings of the envelopes with their secrets; the wraps come in their order.
/// All of them, or none.
///
/// # Errors
///
/// [`WrapError`].
pub fn rewrap_all(
    messages: &[(Digest, MessageSecret)],
    keys: &Verified<EnvelopeKeys>,
    scheme: WrapScheme,
    list: u32,
    rng: &mut impl CryptoRng,
) -> Result<Vec<Wrap>, WrapError> {
    messages
        .iter()
        .map(|(binding, secret)| secret.rewrap(*binding, keys, scheme, list, rng))
        .collect()
}

impl PartialEq for MessageSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for MessageSecret {}

impl fmt::Debug for MessageSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageSecret(..)")
    }
}

/// What a wrap carries.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) secret: MessageSecret,
    /// The number of the recipient's device list that the maker of the wrap went by.
    pub(crate) list: u32,
}

erases!(Carried, Carried { secret, list: _ } => { erased(secret) });

impl Carried {
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(CARRIED_BYTES));
        bytes.extend_from_slice(&self.secret.0);
        bytes.extend_from_slice(&self.list.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (secret, list) = bytes.split_first_chunk::<32>()?;
        let list = u32::from_be_bytes(list.try_into().ok()?);
        Some(Self { secret: MessageSecret(*secret), list })
    }
}

/// For whom a wrap is, as all schemes bind it.
pub(crate) fn context(scheme: WrapScheme, to: Recipient, epoch: u32) -> Vec<u8> {
    let scheme = match scheme {
        WrapScheme::Ratchet => 1,
        WrapScheme::HpkeX25519 => 2,
        WrapScheme::HpkeXwing => 3,
        WrapScheme::RsaOaep4096 => 4,
        WrapScheme::SenderChain => 5,
    };
    const NONE: [u8; 16] = [0; 16];
    let (account, device) = match &to {
        Recipient::Everyone => (&NONE, &NONE),
        Recipient::Account(account) => (account.as_bytes(), &NONE),
        Recipient::Device(DeviceAddress { account, device }) => {
            (account.as_bytes(), device.as_bytes())
        }
    };
    [label::WRAP.as_bytes(), &[scheme], account, device, &epoch.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_secrets_are_the_same_if_no_bit_differs() {
        let secret = MessageSecret::from_bytes([7; 32]);

        assert_eq!(secret, secret.clone());
        for bit in 0..256 {
            let mut changed = *secret.as_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(secret, MessageSecret::from_bytes(changed), "bit {bit}");
        }
    }

    #[test]
    fn what_is_carried_has_one_length() {
        let carried = Carried { secret: MessageSecret::from_bytes([7; 32]), list: 0x0102_0304 };

        let bytes = carried.to_bytes();

        assert_eq!((bytes.len(), bytes.capacity()), (CARRIED_BYTES, CARRIED_BYTES));
        assert_eq!(Carried::from_bytes(&bytes).unwrap().list, 0x0102_0304);
        assert!(Carried::from_bytes(&bytes[..CARRIED_BYTES - 1]).is_none());
        assert!(Carried::from_bytes(&[&bytes[..], &[0]].concat()).is_none());
    }
}
