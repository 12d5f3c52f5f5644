//! Opening: find the secret in our wrap, then believe only what all checks agree on.
//!
//! ```text
//!  unwrap   the wrap is ours · tied to this very envelope                          secret
//!  open     commitment · payload · padding · one encoding only
//!           sender and conversation in content = in header = in certificate
//!           deniable: came on a session with the sender's device, unsigned
//!           chained: came on a chain of the sender's device in this conversation, unsigned
//!           hand-out: as deniable, and of the kind that hands out a chain
//!           signed: the sender's device signed header, commitment and content     content
//! ```
//!
//! What fails afterwards is all one error. Absent: whether the sender was a member, whether the
//! message came before, whether its timer has run out; those are the caller's.

use chat_core::codec::{DecodeError, from_bytes};
use chat_core::device::DeviceCertificate;
use chat_core::envelope::{Content, Envelope, Header, Recipient, Suite, VERSION, Wrap, WrapScheme};
use chat_core::id::DeviceAddress;
use chat_core::key::{IdentityKey, Verifier as _};
use chat_core::label;
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::inner::Inner;
use super::keys::PayloadKeys;
use super::seal::signed_content;
use crate::compression::inflated;
use crate::keyring::Keyring;
use crate::padding::unpad;
use crate::prekey::PrekeySecrets;
use crate::sender_chain::{HAND_OUT, ReceivingChains};
use crate::session::{Local, Sessions, SpentPrekey};
use crate::wrap::{Carried, MessageSecret, ratchet};

/// Why an envelope was not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Not made by this sender, for us, in this form.
    #[error("the message is not authentic")]
    NotAuthentic,
    /// The header, which anybody can read, is of a version or form that this code does not know.
    #[error("the message's header cannot be read: {0}")]
    UnreadableHeader(DecodeError),
    /// The wrap names an epoch of envelope keys that this keyring does not hold.
    #[error("the message is for envelope keys that are not in the keyring")]
    UnknownEpoch,
}

/// How the secret came: it decides what the message proves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Via {
    /// On a session with this device.
    Session(DeviceAddress),
    /// In a wrap for our account, which anybody could have made.
    Account,
    /// On a sender chain of this device, in the conversation that the header names.
    Chain(DeviceAddress),
}

/// What a ratchet wrap held.
#[derive(Debug)]
pub struct Unwrapped {
    /// The message's secret.
    pub secret: MessageSecret,
    /// The number of our device list that the sender went by.
    pub list: u32,
    /// How the secret came; for [`open`].
    pub via: Via,
    /// The sessions as they are afterwards: to be committed together with the message.
    pub sessions: Sessions,
    /// The one-time prekey that this message used up, if it began a session.
    pub spent: Option<SpentPrekey>,
}

/// A message that passed every check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// Where, when, from whom.
    pub header: Header,
    /// What it says, its body as it was before it was compressed.
    pub content: Content,
}

/// Finds the secret in a wrap for our device.
///
/// Nothing has moved unless this succeeds: `sessions` stays as it was, the result has the new one.
///
/// # Errors
///
/// [`OpenError::NotAuthentic`].
#[expect(clippy::too_many_arguments, reason = "everything a session's first message needs")]
pub fn unwrap_for_device(
    envelope: &Envelope,
    wrap: &Wrap,
    sessions: &Sessions,
    local: &Local<'_>,
    their_certificate: &Verified<DeviceCertificate>,
    their_identity: IdentityKey,
    prekeys: &[&PrekeySecrets],
    now: Timestamp,
) -> Result<Unwrapped, OpenError> {
    let is_ours = wrap.to == Recipient::Device(local.address) && wrap.epoch == 0;
    if wrap.scheme != WrapScheme::Ratchet || !is_ours {
        return Err(OpenError::NotAuthentic);
    }
    let associated = ratchet::associated(local.address, &envelope.binding());
    let decrypted = sessions
        .decrypt(local, their_certificate, their_identity, prekeys, &wrap.bytes, &associated, now)
        .map_err(|_| OpenError::NotAuthentic)?;
    let carried = Carried::from_bytes(&decrypted.plaintext).ok_or(OpenError::NotAuthentic)?;
    Ok(Unwrapped {
        secret: carried.secret,
        list: carried.list,
        via: Via::Session(sessions.theirs()),
        sessions: decrypted.sessions,
        spent: decrypted.spent,
    })
}

/// Finds the secret in a wrap for our account, and the number of our device list that its maker
/// went by.
///
/// `rng` blinds RSA; the other schemes draw nothing.
///
/// # Errors
///
/// [`OpenError::UnknownEpoch`], [`OpenError::NotAuthentic`].
pub fn unwrap_for_account(
    envelope: &Envelope,
    wrap: &Wrap,
    keyring: &Keyring,
    rng: &mut impl CryptoRng,
) -> Result<(MessageSecret, u32), OpenError> {
    let secrets = keyring.epoch(wrap.epoch).ok_or(OpenError::UnknownEpoch)?;
    let carried = secrets.open(wrap, &envelope.binding(), rng).ok_or(OpenError::NotAuthentic)?;
    Ok((carried.secret, carried.list))
}

/// What a shared wrap held.
#[derive(Debug)]
pub struct UnwrappedByChain {
    /// The message's secret.
    pub secret: MessageSecret,
    /// How the secret came; for [`open`].
    pub via: Via,
    /// The chains as they are afterwards: to be committed together with the message.
    pub chains: ReceivingChains,
}

/// Finds the secret in a wrap that all who hold the sender's chain share.
///
/// Nothing has moved unless this succeeds: `chains` stays as it was, the result has the new one.
///
/// # Errors
///
/// [`OpenError::UnreadableHeader`], [`OpenError::NotAuthentic`].
pub fn unwrap_by_chain(
    envelope: &Envelope,
    wrap: &Wrap,
    chains: &ReceivingChains,
    now: Timestamp,
) -> Result<UnwrappedByChain, OpenError> {
    let header = envelope.read_header().map_err(OpenError::UnreadableHeader)?;
    let is_shared = wrap.scheme == WrapScheme::SenderChain && wrap.to == Recipient::Everyone;
    let is_theirs =
        (chains.conversation(), chains.sender()) == (header.conversation, header.sender);
    if !is_shared || !is_theirs || wrap.epoch != 0 || header.suite != Suite::Chained {
        return Err(OpenError::NotAuthentic);
    }
    let (secret, advanced) =
        chains.open(&wrap.bytes, &envelope.binding(), now).ok_or(OpenError::NotAuthentic)?;
    Ok(UnwrappedByChain { secret, via: Via::Chain(chains.sender()), chains: advanced })
}

/// Opens an envelope whose secret is known and checks everything there is to check.
///
/// `sender` is the certificate of the device that the header names.
///
/// # Errors
///
/// [`OpenError::UnreadableHeader`], [`OpenError::NotAuthentic`].
pub fn open(
    envelope: &Envelope,
    secret: &MessageSecret,
    sender: &Verified<DeviceCertificate>,
    via: Via,
) -> Result<Opened, OpenError> {
    open_if(envelope, secret, |header, sealed| {
        sender.address == header.sender && is_from_sender(envelope, header, sealed, sender, via)
    })
}

/// Opens a reported envelope by the secret that one of its recipients has disclosed.
///
/// The commitment holds, so this is what every recipient was shown. Who sent it is what the relay
/// says that kept the envelope: nothing here shows that, not even to who knows the sender.
///
/// # Errors
///
/// [`OpenError::UnreadableHeader`], [`OpenError::NotAuthentic`]; so for what hands out a sender
/// chain, which is not a message.
pub fn open_disclosed(envelope: &Envelope, secret: &MessageSecret) -> Result<Opened, OpenError> {
    open_if(envelope, secret, |header, _| header.suite != Suite::HandOut)
}

/// Opens an envelope that agrees with itself, if its sender is shown to be who it says.
fn open_if(
    envelope: &Envelope,
    secret: &MessageSecret,
    is_shown: impl FnOnce(&Header, Inner<'_>) -> bool,
) -> Result<Opened, OpenError> {
    let header = envelope.read_header().map_err(OpenError::UnreadableHeader)?;
    let padded = decrypt(envelope, secret).ok_or(OpenError::NotAuthentic)?;
    let encoded = unpad(&padded).map_err(|_| OpenError::NotAuthentic)?;
    let sealed = Inner::from_bytes(encoded).ok_or(OpenError::NotAuthentic)?;
    let content: Content = from_bytes(sealed.content()).map_err(|_| OpenError::NotAuthentic)?;

    let consistent = content.version == VERSION
        && content.sender == header.sender
        && content.conversation == header.conversation
        && (content.kind == HAND_OUT) == (header.suite == Suite::HandOut);
    if consistent && is_shown(&header, sealed) {
        // The one step that may cost more than the message has bytes comes last.
        let content = inflated(content).ok_or(OpenError::NotAuthentic)?;
        Ok(Opened { header, content })
    } else {
        Err(OpenError::NotAuthentic)
    }
}

/// Checks the commitment, then decrypts; `None` for all that can be wrong.
fn decrypt(envelope: &Envelope, secret: &MessageSecret) -> Option<Zeroizing<Vec<u8>>> {
    let keys = PayloadKeys::derive(secret, &envelope.header);
    if !keys.are_committed_to_by(&envelope.commitment) {
        return None;
    }
    keys.open(&envelope.payload, &envelope.header).ok()
}

fn is_from_sender(
    envelope: &Envelope,
    header: &Header,
    sealed: Inner<'_>,
    sender: &DeviceCertificate,
    via: Via,
) -> bool {
    match (header.suite, &sealed.signature) {
        // SECURITY: recipients know the secret too. Only the session shows that it was the sender
        // who wrapped it for this payload.
        (Suite::Deniable | Suite::HandOut, None) => via == Via::Session(header.sender),
        // The signature in the shared wrap shows the same.
        (Suite::Chained, None) => via == Via::Chain(header.sender),
        (Suite::Signed, Some(signature)) => {
            let signed =
                signed_content(header, &envelope.header, sealed.content(), envelope.commitment);
            sender.key.verifies(label::CONTENT, &signed.to_bytes(), signature)
        }
        _ => false,
    }
}
