//! The sender's side of a chain.

use std::fmt;

use chat_core::codec::Digest;
use chat_core::id::{ConversationId, DeviceAddress};
use chat_core::key::{SenderKey, Signature, signature_input};
use chat_core::label;
use chat_core::time::Timestamp;
use ed25519_dalek::{Signer as _, SigningKey};
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::hand_out::HandOut;
use super::link::Link;
use super::{Audience, CHAIN_LIVES_FOR, MESSAGES_A_CHAIN, Owner, cipher, signed};
use crate::erasure::{erased, erases};
use crate::secret::SecretBytes;
use crate::snapshot::{self, SnapshotError};
use crate::wrap::MessageSecret;
use crate::wrap::chain::associated;

const SNAPSHOT: u8 = 1;

/// The chain that a device sends on in one conversation.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct SendingChain {
    #[n(0)]
    owner: Owner,
    #[n(1)]
    epoch: u32,
    #[n(2)]
    link: Link,
    #[n(3)]
    header_key: SecretBytes<32>,
    #[n(4)]
    signer: ChainSigner,
    #[n(5)]
    previous_length: u32,
    #[n(6)]
    started_at: Timestamp,
}

impl SendingChain {
    /// Begins the first chain of the device at `sender` in a conversation.
    pub fn begin(
        conversation: ConversationId,
        sender: DeviceAddress,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Self {
        Self::draw(Owner { conversation, sender }, 1, 0, now, rng)
    }

    /// Begins the chain after this one, for whoever may read from now on.
    ///
    /// Nothing of this chain is in it. It has to be handed out to everybody before it is used.
    pub fn replaced(&self, now: Timestamp, rng: &mut impl CryptoRng) -> Self {
        // 2³² epochs outlast the device at any rate at which messages can be sent.
        Self::draw(self.owner, self.epoch.saturating_add(1), self.link.index(), now, rng)
    }

    fn draw(
        owner: Owner,
        epoch: u32,
        previous_length: u32,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Self {
        Self {
            owner,
            epoch,
            link: Link::new(SecretBytes::random(rng), 0),
            header_key: SecretBytes::random(rng),
            signer: ChainSigner(SigningKey::from_bytes(SecretBytes::random(rng).as_bytes())),
            previous_length,
            started_at: now,
        }
    }

    /// 1 for the device's first chain in the conversation, then rising.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// How many messages were sealed on it.
    #[must_use]
    pub const fn length(&self) -> u32 {
        self.link.index()
    }

    /// The conversation it is for.
    #[must_use]
    pub const fn conversation(&self) -> ConversationId {
        self.owner.conversation
    }

    /// The device that sends on it.
    #[must_use]
    pub const fn sender(&self) -> DeviceAddress {
        self.owner.sender
    }

    /// Whether it is to be replaced, because of its age or its length.
    #[must_use]
    pub fn is_worn(&self, now: Timestamp) -> bool {
        self.length() >= MESSAGES_A_CHAIN || now.since(self.started_at) >= CHAIN_LIVES_FOR
    }

    /// What hands the chain out, from the next message on: the body of content of the kind
    /// [`HAND_OUT`](super::HAND_OUT), for a message on sessions.
    #[must_use]
    pub fn hand_out(&self, audience: Audience) -> Zeroizing<Vec<u8>> {
        let hand_out = HandOut::new(
            self.epoch,
            self.link.index(),
            self.link.key().clone(),
            self.header_key.clone(),
            self.signer.key(),
            self.previous_length,
            audience,
            self.started_at,
        );
        snapshot::encode(&hand_out)
    }

    /// Wraps `secret` for everybody who holds the chain. **Store the chain before the bytes leave.**
    ///
    /// `None` at the chain's end.
    pub(crate) fn seal(&self, secret: &MessageSecret, binding: &Digest) -> Option<(Vec<u8>, Self)> {
        let number = self.link.index();
        let (link, key) = self.link.clone().step()?;
        let id = self.owner.chain_id(self.epoch, &self.signer.key());
        let signature = self.signer.sign(&signed(&id, number, binding));

        let mut wrap = cipher::seal(&self.header_key, &number.to_be_bytes(), &[]);
        let mut carried = Zeroizing::new([0; 96]);
        let fields = secret.as_bytes().iter().chain(signature.as_bytes());
        carried.iter_mut().zip(fields).for_each(|(to, from)| *to = *from);
        wrap.extend(cipher::seal(&key, &*carried, &associated(binding, &wrap)));
        Some((wrap, Self { link, ..self.clone() }))
    }

    /// The chain, to be stored encrypted.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        snapshot::write(SNAPSHOT, self)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        snapshot::read(bytes, SNAPSHOT)
    }
}

/// The secret half of the chain's signing key; it erases itself when dropped.
#[derive(Clone)]
struct ChainSigner(SigningKey);

erases!(ChainSigner, ChainSigner(signing) => { erased(signing) });

impl ChainSigner {
    fn key(&self) -> SenderKey {
        SenderKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Signature {
        let input = signature_input(label::SENDER_CHAIN, message);
        Signature::from_bytes(self.0.sign(&input).to_bytes())
    }
}

impl fmt::Debug for ChainSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainSigner(..)")
    }
}

impl<C> Encode<C> for ChainSigner {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(self.0.as_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for ChainSigner {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let seed = SecretBytes::<32>::decode(d, ctx)?;
        Ok(Self(SigningKey::from_bytes(seed.as_bytes())))
    }
}
