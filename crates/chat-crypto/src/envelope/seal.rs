//! Sealing: from content to an envelope, and from its secret to one wrap after the other.

use std::fmt;

use chat_core::codec::{Bytes, DecodeError, Digest, List, to_bytes};
use chat_core::envelope::{
    Content, Envelope, EnvelopeKeys, Header, Recipient, SignedContent, Suite, VERSION, Wrap,
    WrapScheme,
};
use chat_core::id::{ConversationId, DeviceAddress};
use chat_core::label;
use chat_core::limits::WRAPS_MAX;
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::inner::Inner;
use super::keys::PayloadKeys;
use crate::identity::DeviceSecrets;
use crate::padding::{PaddingError, pad};
use crate::sender_chain::{HAND_OUT, SendingChain};
use crate::session::{SessionError, Sessions};
use crate::snapshot;
use crate::wrap::{MessageSecret, WrapError, ratchet};

/// Why a message was not sealed, or not wrapped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Header and content do not name the same version, sender and conversation.
    #[error("header and content contradict each other")]
    Contradiction,
    /// The signed suite was asked for without a signer, or the deniable one with one.
    #[error("the suite of the message says otherwise about a signature")]
    SuiteMismatch,
    /// Header or content exceed what an envelope holds.
    #[error("the message is too long")]
    TooLong,
    /// The envelope holds as many wraps as it may.
    #[error("the message has too many recipients")]
    TooManyWraps,
    /// A message shows its sender by what its suite says, so nothing else may carry it.
    #[error("the suite of the message does not allow this wrap")]
    SchemeMismatch,
    /// Content that hands out a sender chain goes with its own suite, and nothing else does.
    #[error("the suite of the message does not allow this kind of content")]
    KindMismatch,
    /// The sender chain has sealed all it can.
    #[error("the sender chain is at its end; replace it")]
    ChainEnded,
    /// The recipient's key cannot be wrapped for.
    #[error(transparent)]
    Wrap(#[from] WrapError),
    /// The session with the recipient's device cannot encrypt.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl From<PaddingError> for SealError {
    fn from(_: PaddingError) -> Self {
        Self::TooLong
    }
}

impl From<DecodeError> for SealError {
    fn from(_: DecodeError) -> Self {
        Self::TooLong
    }
}

/// A sealed message on its way to become an envelope: it still has its secret, to wrap it.
pub struct Sealed {
    suite: Suite,
    conversation: ConversationId,
    sender: DeviceAddress,
    envelope: Envelope,
    binding: Digest,
    secret: MessageSecret,
    wraps: Vec<Wrap>,
}

/// Seals `content` under `header`, with a signature if the suite is [`Suite::Signed`].
///
/// # Errors
///
/// [`SealError::Contradiction`], [`SealError::SuiteMismatch`] if `signer` is there and the suite
/// is not [`Suite::Signed`] or the other way round, [`SealError::KindMismatch`],
/// [`SealError::TooLong`].
pub fn seal(
    header: &Header,
    content: &Content,
    signer: Option<&DeviceSecrets>,
    rng: &mut impl CryptoRng,
) -> Result<Sealed, SealError> {
    let consistent = header.version == VERSION
        && content.version == VERSION
        && content.sender == header.sender
        && content.conversation == header.conversation;
    if !consistent {
        return Err(SealError::Contradiction);
    }
    if (content.kind == HAND_OUT) != (header.suite == Suite::HandOut) {
        return Err(SealError::KindMismatch);
    }
    let header_bytes = Bytes::new(to_bytes(header))?;
    let secret = MessageSecret::generate(rng);
    let keys = PayloadKeys::derive(&secret, &header_bytes);

    let sealed_content = encode(header, &header_bytes, content, signer, keys.commitment())?;
    let padded = pad(&sealed_content)?;
    let payload = Bytes::new(keys.seal(&padded, &header_bytes))?;

    let commitment = keys.commitment();
    let envelope = Envelope { header: header_bytes, commitment, payload, wraps: List::default() };
    let binding = envelope.binding();
    let Header { suite, conversation, sender, .. } = *header;
    Ok(Sealed { suite, conversation, sender, envelope, binding, secret, wraps: Vec::new() })
}

/// Encodes `content`, signed if there is a signer.
fn encode(
    header: &Header,
    header_bytes: &[u8],
    content: &Content,
    signer: Option<&DeviceSecrets>,
    commitment: Digest,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let content = snapshot::encode(content);
    let signature = match (header.suite, signer) {
        (Suite::Deniable | Suite::Chained | Suite::HandOut, None) => None,
        (Suite::Signed, Some(signer)) => {
            let signed = signed_content(header, header_bytes, &content, commitment);
            Some(signer.sign(label::CONTENT, &signed.to_bytes()))
        }
        _ => return Err(SealError::SuiteMismatch),
    };
    Ok(Inner::new(&content, signature).to_bytes())
}

/// What the signature of a message covers.
pub(super) fn signed_content(
    header: &Header,
    header_bytes: &[u8],
    content: &[u8],
    commitment: Digest,
) -> SignedContent {
    SignedContent {
        suite: header.suite,
        message: header.message,
        conversation: header.conversation,
        recipients: header.membership_head,
        content: Digest::of(content),
        header: Digest::of(header_bytes),
        commitment,
    }
}

impl Sealed {
    /// Wraps the secret for the device that `sessions` are with.
    ///
    /// Gives the sessions as they are afterwards: to be committed before the envelope leaves.
    ///
    /// # Errors
    ///
    /// [`SealError::SchemeMismatch`] for a message on a sender chain, [`SealError::TooManyWraps`],
    /// [`SealError::Session`].
    pub fn wrap_for_device(
        &mut self,
        sessions: &Sessions,
        list: u32,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Sessions, SealError> {
        if self.suite == Suite::Chained {
            return Err(SealError::SchemeMismatch);
        }
        self.check_room()?;
        let (bytes, advanced) =
            ratchet::seal(sessions, &self.secret, list, &self.binding, now, rng)?;
        let theirs = sessions.theirs();
        self.wraps.push(Wrap {
            scheme: WrapScheme::Ratchet,
            to: Recipient::Device(theirs),
            epoch: 0,
            bytes: Bytes::new(bytes)?,
        });
        Ok(advanced)
    }

    /// Wraps the secret for all devices of an account, present and future.
    ///
    /// # Errors
    ///
    /// [`SealError::SchemeMismatch`] for a message that is not signed, [`SealError::TooManyWraps`],
    /// [`SealError::Wrap`].
    pub fn wrap_for_account(
        &mut self,
        keys: &Verified<EnvelopeKeys>,
        scheme: WrapScheme,
        list: u32,
        rng: &mut impl CryptoRng,
    ) -> Result<(), SealError> {
        if self.suite != Suite::Signed {
            return Err(SealError::SchemeMismatch);
        }
        self.check_room()?;
        self.wraps.push(self.secret.rewrap(self.binding, keys, scheme, list, rng)?);
        Ok(())
    }

    /// Wraps the secret for everybody who holds `chain`: the one wrap of a message of
    /// [`Suite::Chained`].
    ///
    /// Gives the chain as it is afterwards: to be committed before the envelope leaves.
    ///
    /// # Errors
    ///
    /// [`SealError::SchemeMismatch`] for every other suite, [`SealError::Contradiction`] for the
    /// chain of another conversation or device, [`SealError::TooManyWraps`] for a second time,
    /// [`SealError::ChainEnded`].
    pub fn wrap_by_chain(&mut self, chain: &SendingChain) -> Result<SendingChain, SealError> {
        if self.suite != Suite::Chained {
            return Err(SealError::SchemeMismatch);
        }
        if (chain.conversation(), chain.sender()) != (self.conversation, self.sender) {
            return Err(SealError::Contradiction);
        }
        if !self.wraps.is_empty() {
            return Err(SealError::TooManyWraps);
        }
        let (bytes, advanced) =
            chain.seal(&self.secret, &self.binding).ok_or(SealError::ChainEnded)?;
        self.wraps.push(Wrap {
            scheme: WrapScheme::SenderChain,
            to: Recipient::Everyone,
            epoch: 0,
            bytes: Bytes::new(bytes)?,
        });
        Ok(advanced)
    }

    fn check_room(&self) -> Result<(), SealError> {
        if self.wraps.len() < WRAPS_MAX { Ok(()) } else { Err(SealError::TooManyWraps) }
    }

    /// The message's secret: to be stored by whoever will rewrap the message.
    #[must_use]
    pub fn secret(&self) -> &MessageSecret {
        &self.secret
    }

    /// The envelope's binding: what the sender's next message names as the one before.
    #[must_use]
    pub fn binding(&self) -> Digest {
        self.binding
    }

    /// The envelope with all its wraps, to be sent.
    #[must_use]
    pub fn into_envelope(self) -> Envelope {
        // INVARIANT: every wrap was counted against the limit before it was added.
        Envelope { wraps: List::new(self.wraps).unwrap_or_default(), ..self.envelope }
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(..)")
    }
}
