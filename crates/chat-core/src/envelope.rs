//! Envelopes: one sealed message, as it travels and as the relay stores it.
//!
//! ```text
//!  Envelope ┬ header       clear, authenticated: who, where, when, under which membership
//!           ├ commitment   32 bytes; checked before anything is decrypted
//!           ├ payload      AES-256-GCM over the padded content
//!           └ wraps        the secret, once for each recipient, each tied to the payload
//! ```
//!
//! The header travels as the bytes that were sealed with; nothing encodes it again. How the pieces
//! are made and opened is chat-crypto's; normative: `docs/protocol/envelope.md`.

use std::time::Duration;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec::{Bytes, DecodeError, Digest, List, from_bytes, to_bytes};
use crate::id::{AccountId, ConversationId, DeviceAddress, DeviceId, MessageId};
use crate::key::{AgreementKey, Signature, XWingKey};
use crate::label::{self, Label};
use crate::limits::{
    EXPIRY_MAX, HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX, SEALED_PAYLOAD_BYTES_MAX, WRAP_BYTES_MAX,
    WRAPS_MAX,
};
use crate::signed::Signable;
use crate::time::Timestamp;

/// The version of header and content.
pub const VERSION: u8 = 1;

/// How a message shows who sent it. One for all its recipients.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Suite {
    /// By the ratchet sessions that carry its wraps; nothing a recipient could show to others.
    #[n(1)]
    Deniable,
    /// By a device signature inside the content; wraps of any kind but the shared one.
    #[n(2)]
    Signed,
    /// By the sender chain that carries its one wrap, which all recipients share.
    #[n(3)]
    Chained,
    /// As [`Suite::Deniable`], but for some of the recipients only: it hands a sender chain to the
    /// devices that miss it, and means nothing else.
    #[n(4)]
    HandOut,
}

/// How the secret of a message reaches one recipient.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum WrapScheme {
    /// On a Double Ratchet session, to one device.
    #[n(1)]
    Ratchet,
    /// HPKE with X25519 (RFC 9180), to an account's envelope key.
    #[n(2)]
    HpkeX25519,
    /// HPKE with X-Wing, to an account's envelope key.
    #[n(3)]
    HpkeXwing,
    /// RSA-OAEP with SHA-256 and 4096 bits (RFC 8017), for recipients that only have Web Crypto.
    #[n(4)]
    RsaOaep4096,
    /// On a sender chain, to everybody who holds it: one wrap a message.
    #[n(5)]
    SenderChain,
}

impl WrapScheme {
    /// Tells whether a wrap is for one device rather than for an account.
    #[must_use]
    pub const fn is_per_device(self) -> bool {
        matches!(self, Self::Ratchet)
    }
}

/// For whom a wrap is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// Whoever holds the sender chain it is on.
    Everyone,
    /// All devices of an account, present and future.
    Account(AccountId),
    /// One device.
    Device(DeviceAddress),
}

impl Recipient {
    /// The account, if it is for one or for one of its devices.
    #[must_use]
    pub const fn account(self) -> Option<AccountId> {
        match self {
            Self::Everyone => None,
            Self::Account(account) | Self::Device(DeviceAddress { account, .. }) => Some(account),
        }
    }

    /// Tells whether the device at `address` is meant, be it among others.
    #[must_use]
    pub fn includes(self, address: DeviceAddress) -> bool {
        match self {
            Self::Everyone => true,
            Self::Account(account) => account == address.account,
            Self::Device(device) => device == address,
        }
    }

    /// Tells whether this scheme makes wraps for such a recipient.
    #[must_use]
    pub const fn fits(self, scheme: WrapScheme) -> bool {
        match self {
            Self::Everyone => matches!(scheme, WrapScheme::SenderChain),
            Self::Device(_) => matches!(scheme, WrapScheme::Ratchet),
            Self::Account(_) => !matches!(scheme, WrapScheme::SenderChain | WrapScheme::Ratchet),
        }
    }
}

/// Nothing, an account, or an account and its device: 0, 16 or 32 bytes.
impl<C> Encode<C> for Recipient {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            Self::Everyone => e.bytes(&[])?.ok(),
            Self::Account(account) => e.bytes(account.as_bytes())?.ok(),
            Self::Device(DeviceAddress { account, device }) => {
                e.bytes(&[*account.as_bytes(), *device.as_bytes()].concat())?.ok()
            }
        }
    }
}

impl<'b, C> Decode<'b, C> for Recipient {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = d.bytes()?;
        let Some((account, device)) = bytes.split_first_chunk::<16>() else {
            let wrong = || minicbor::decode::Error::message("wrong length of a recipient");
            return bytes.is_empty().then_some(Self::Everyone).ok_or_else(wrong);
        };
        let account = AccountId::from_bytes(*account);
        if device.is_empty() {
            return Ok(Self::Account(account));
        }
        let device = device
            .try_into()
            .map_err(|_| minicbor::decode::Error::message("wrong length of a recipient"))?;
        Ok(Self::Device(DeviceAddress { account, device: DeviceId::from_bytes(device) }))
    }
}

/// From when a self-destruct timer runs.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryMode {
    /// From the moment the relay accepted the message.
    #[n(1)]
    AfterSent,
    /// From the moment a recipient saw it; on the relay, from when all recipients have.
    #[n(2)]
    AfterSeen,
}

/// A self-destruct timer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct Expiry {
    /// From when it runs.
    #[n(0)]
    pub mode: ExpiryMode,
    /// How long it runs, in milliseconds; at most [`EXPIRY_MAX`].
    #[n(1)]
    pub after_ms: u64,
}

impl Expiry {
    /// How long it runs.
    #[must_use]
    pub fn after(self) -> Duration {
        Duration::from_millis(self.after_ms).min(EXPIRY_MAX)
    }
}

/// What a message says in clear; everything here is authenticated.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct Header {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// How the sender is shown.
    #[n(1)]
    pub suite: Suite,
    /// Where it belongs.
    #[n(2)]
    pub conversation: ConversationId,
    /// Who sent it, from which device.
    #[n(3)]
    pub sender: DeviceAddress,
    /// Chosen by the sender; the same for every resend.
    #[n(4)]
    pub message: MessageId,
    /// The sender's clock.
    #[n(5)]
    pub sent_at: Timestamp,
    /// Its self-destruct timer.
    #[n(6)]
    pub expiry: Option<Expiry>,
    /// The index of the last membership entry the sender knew.
    #[n(7)]
    pub membership_index: u64,
    /// The digest of that entry.
    #[n(8)]
    pub membership_head: Digest,
}

/// The secret of a message, for one recipient or for all that share a sender chain.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(array)]
pub struct Wrap {
    /// How it was wrapped.
    #[n(0)]
    pub scheme: WrapScheme,
    /// For whom.
    #[n(1)]
    pub to: Recipient,
    /// The epoch of the account's envelope keys; zero where the scheme has none.
    #[n(2)]
    pub epoch: u32,
    /// The wrap itself.
    #[n(3)]
    pub bytes: Bytes<WRAP_BYTES_MAX>,
}

impl Wrap {
    /// Tells whether the device at `address` can be expected to open it.
    #[must_use]
    pub fn is_for(&self, address: DeviceAddress) -> bool {
        self.to.includes(address)
    }
}

/// A sealed message.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct Envelope {
    /// An encoded [`Header`].
    #[n(0)]
    pub header: Bytes<HEADER_BYTES_MAX>,
    /// Commits to the key of the payload.
    #[n(1)]
    pub commitment: Digest,
    /// The sealed content.
    #[n(2)]
    pub payload: Bytes<SEALED_PAYLOAD_BYTES_MAX>,
    /// For a recipient: theirs. For the relay: everybody's.
    #[n(3)]
    pub wraps: List<Wrap, WRAPS_MAX>,
}

impl Envelope {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; [`DecodeError::UnknownKind`] for another [`VERSION`].
    pub fn read_header(&self) -> Result<Header, DecodeError> {
        let header: Header = from_bytes(&self.header)?;
        if header.version != VERSION {
            return Err(DecodeError::UnknownKind);
        }
        Ok(header)
    }

    /// `SHA-256(label ‖ header ‖ commitment ‖ payload)`: what every wrap is tied to.
    ///
    /// Header and commitment have their lengths in front, so that no other split has this digest.
    #[must_use]
    pub fn binding(&self) -> Digest {
        let length = u32::try_from(self.header.len()).unwrap_or(u32::MAX).to_be_bytes();
        Digest::of_parts(&[
            label::BINDING.as_bytes(),
            &length,
            &self.header,
            self.commitment.as_bytes(),
            &self.payload,
        ])
    }
}

/// What a message means, before sealing.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Content {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// Must equal the header's and the session's.
    #[n(1)]
    pub sender: DeviceAddress,
    /// Must equal the header's.
    #[n(2)]
    pub conversation: ConversationId,
    /// Counts this device's messages in this conversation, from 1.
    #[n(3)]
    pub number: u64,
    /// The binding of this device's message before; [`Digest::ZERO`] for the first.
    #[n(4)]
    pub previous: Digest,
    /// What kind of thing the body is, for example `text`.
    #[n(5)]
    pub kind: String,
    /// The thing itself, encoded as its kind says.
    #[n(6)]
    pub body: Bytes<PAYLOAD_BYTES_MAX>,
    /// The number of the sender's own device list, as it went by it. Recipients compare, so that a
    /// stale list served to the sender is noticed.
    #[n(7)]
    pub sender_list: u32,
    /// How long the body was, in bytes, before it was compressed; absent if it was not.
    #[n(8)]
    pub inflated_length: Option<u32>,
}

/// What is encrypted: content, and a signature where wraps do not show who sent it.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct SealedContent {
    /// An encoded [`Content`].
    #[n(0)]
    pub content: Bytes<PAYLOAD_BYTES_MAX>,
    /// By the sending device, over [`SignedContent`]; with [`Suite::Signed`] only.
    #[n(1)]
    pub signature: Option<Signature>,
}

/// What the signature of a [`Suite::Signed`] message covers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Encode)]
#[cbor(map)]
pub struct SignedContent {
    /// [`Suite::Signed`].
    #[n(0)]
    pub suite: Suite,
    /// The message's id.
    #[n(1)]
    pub message: MessageId,
    /// Where it belongs.
    #[n(2)]
    pub conversation: ConversationId,
    /// The digest of its membership head: who the recipients were.
    #[n(3)]
    pub recipients: Digest,
    /// The digest of the encoded content.
    #[n(4)]
    pub content: Digest,
    /// The digest of the encoded header, so that no recipient can give the content another time
    /// or another timer.
    #[n(5)]
    pub header: Digest,
    /// The envelope's commitment: with it, what was signed has one binding only.
    #[n(6)]
    pub commitment: Digest,
}

impl SignedContent {
    /// The bytes to sign with [`label::CONTENT`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }
}

/// An epoch of an account's envelope keys, signed by its identity key.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct EnvelopeKeys {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// Whose keys.
    #[n(1)]
    pub account: AccountId,
    /// 1 for the first, then rising.
    #[n(2)]
    pub epoch: u32,
    /// For [`WrapScheme::HpkeX25519`].
    #[n(3)]
    pub x25519: AgreementKey,
    /// For [`WrapScheme::HpkeXwing`].
    #[n(4)]
    pub xwing: XWingKey,
    /// For [`WrapScheme::RsaOaep4096`]: an RSA public key as DER `SubjectPublicKeyInfo`.
    #[n(5)]
    pub rsa: Option<Bytes<1024>>,
    /// When the epoch began.
    #[n(6)]
    pub created_at: Timestamp,
}

impl Signable for EnvelopeKeys {
    const LABEL: Label = label::ENVELOPE_KEYS;

    fn is_known_version(&self) -> bool {
        self.version == VERSION
    }
}
