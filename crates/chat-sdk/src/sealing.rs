//! Sealing: the oldest unsent message of a conversation becomes bytes, in one transaction.
//!
//! ```text
//!  outbox: queued ─▶ recipients ─▶ sessions advance ─▶ envelope ─▶ outbox: sealed
//!                     │ a list or a session is missing: nothing has changed, say which
//! ```
//!
//! Ratchets, count and bytes commit together: no bytes leave whose state is not kept, and a retry
//! finds the bytes and seals nothing. A message that is sealed a second time, since the membership
//! or the devices have changed, keeps its id and its place in the count: the relay refused the
//! first bytes, so nobody has them. Sealing never sees the transport.

use std::collections::BTreeSet;

use chat_core::codec::{Bytes, Digest, to_bytes};
use chat_core::envelope::{Content, Envelope, Header, Suite, VERSION, WrapScheme};
use chat_core::id::{AccountId, ConversationId, DeviceAddress, MessageId};
use chat_core::limits::FRAME_BYTES_MAX;
use chat_core::membership::Membership;
use chat_core::time::Timestamp;
use chat_crypto::envelope::{SealError, Sealed, seal};
use chat_crypto::session::{Local, Sessions};
use rand_core::CryptoRng;
use rusqlite::Transaction;

use crate::ageing::Age;
use crate::context::Own;
use crate::error::{Error, Kind, Result};
use crate::recipients::{self, AccountRecipient, Bundles, DeviceRecipient, Recipients};
use crate::store::conversations::{self, Standing};
use crate::store::messages::{self, MessageRow};
use crate::store::{outbox, sessions};

/// Largest envelope that fits into a frame, with what a frame has around it.
const ENVELOPE_BYTES_MAX: usize = FRAME_BYTES_MAX - 64;

/// How it stands with the oldest unsent message of a conversation.
#[derive(Debug)]
pub(crate) enum Step {
    /// There is none.
    Idle,
    /// These bytes are to be sent.
    Send(MessageId, Box<Envelope>),
    /// The device lists of these accounts are to be fetched first.
    Lists(BTreeSet<AccountId>),
    /// Prekey bundles for these devices are to be fetched first.
    Bundles(Vec<DeviceAddress>),
    /// It cannot be sent, now or later.
    Refused(MessageId, Kind),
}

/// A step, and what is to be known of it.
#[derive(Debug)]
pub(crate) struct Advance {
    pub(crate) step: Step,
    /// Devices whose sessions were sent on and grow old.
    pub(crate) old: Vec<DeviceAddress>,
}

impl From<Step> for Advance {
    fn from(step: Step) -> Self {
        Self { step, old: Vec::new() }
    }
}

/// Makes the next step with the oldest unsent message of a conversation.
pub(crate) fn advance(
    tx: &Transaction<'_>,
    own: &Own,
    conversation: ConversationId,
    bundles: &Bundles,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Advance> {
    let Some(oldest) = outbox::oldest(tx, conversation)? else { return Ok(Step::Idle.into()) };
    if let Some(envelope) = oldest.envelope {
        return Ok(Step::Send(oldest.message, Box::new(envelope)).into());
    }
    let message = messages::load(tx, oldest.message)?.ok_or(Kind::Internal)?;
    match seal_message(tx, own, &message, bundles, now, rng) {
        Err(error) if is_about_this_message(&error) => {
            Ok(Step::Refused(message.id, error.kind()).into())
        }
        outcome => outcome,
    }
}

/// Tells a message that cannot be sealed from a store that cannot be written.
fn is_about_this_message(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::NotAMember | Kind::Forbidden | Kind::TooLarge | Kind::NotVerified | Kind::NoDevices
    )
}

fn seal_message(
    tx: &Transaction<'_>,
    own: &Own,
    message: &MessageRow,
    bundles: &Bundles,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Advance> {
    let row = conversations::load(tx, message.conversation)?.ok_or(Kind::NotAMember)?;
    check_may_post(own, &row.membership, row.standing)?;
    let recipients = match recipients::of(tx, own, &row.membership)? {
        Recipients::Unknown(accounts) => return Ok(Step::Lists(accounts).into()),
        recipients => recipients,
    };
    let counted = counted(tx, message)?;
    let header = header(own, message, &row.membership);
    let content = content(own, message, counted)?;
    let signer = (header.suite == Suite::Signed).then_some(&*own.device);
    let mut sealed = seal(&header, &content, signer, rng).map_err(refused)?;
    let (mut advanced, mut old) = (Vec::new(), Vec::new());
    match recipients {
        Recipients::Devices(devices) => {
            let ready = match ready_sessions(tx, own, &devices, bundles, now, rng)? {
                Ok(ready) => ready,
                Err(missing) => return Ok(Step::Bundles(missing).into()),
            };
            let aged = ready.iter().filter(|sessions| Age::of(sessions, now) == Age::Old);
            old.extend(aged.map(Sessions::theirs));
            for (recipient, sessions) in devices.iter().zip(&ready) {
                let wrapped = sealed.wrap_for_device(sessions, recipient.lists, now, rng);
                advanced.push(wrapped.map_err(refused)?);
            }
        }
        Recipients::Accounts(scheme, accounts) => {
            wrap_for_accounts(&mut sealed, scheme, &accounts, rng)?;
        }
        Recipients::Unknown(_) => {}
    }
    let binding = sealed.binding();
    let envelope = sealed.into_envelope();
    if to_bytes(&envelope).len() > ENVELOPE_BYTES_MAX {
        return Err(Kind::TooLarge.into());
    }
    // Nothing was written so far: a message that cannot be sealed has moved no ratchet.
    for sessions in &advanced {
        sessions::save(tx, sessions, now)?;
    }
    conversations::set_sent(tx, message.conversation, counted.0, binding)?;
    messages::sealed(tx, message.id, counted, header.membership_index, header.suite)?;
    outbox::seal(tx, message.id, &envelope)?;
    Ok(Advance { step: Step::Send(message.id, Box::new(envelope)), old })
}

fn check_may_post(own: &Own, membership: &Membership, standing: Standing) -> Result<()> {
    if standing == Standing::Former || membership.role(own.account()).is_none() {
        return Err(Kind::NotAMember.into());
    }
    if membership.may_post(own.account()) { Ok(()) } else { Err(Kind::Forbidden.into()) }
}

/// The message's place in this device's count, and the binding of the message before it.
fn counted(tx: &Transaction<'_>, message: &MessageRow) -> Result<(u64, Digest)> {
    if let Some(counted) = message.number.zip(message.previous) {
        return Ok(counted);
    }
    let (sent, binding) = conversations::sent_so_far(tx, message.conversation)?;
    Ok((sent.checked_add(1).ok_or(Kind::Internal)?, binding))
}

fn header(own: &Own, message: &MessageRow, membership: &Membership) -> Header {
    let suite = match membership.policy().scheme {
        WrapScheme::Ratchet => Suite::Deniable,
        _ => Suite::Signed,
    };
    Header {
        version: VERSION,
        suite,
        conversation: message.conversation,
        sender: own.address,
        message: message.id,
        sent_at: message.sent_at,
        expiry: message.expiry,
        membership_index: membership.index(),
        membership_head: membership.head(),
    }
}

fn content(own: &Own, message: &MessageRow, counted: (u64, Digest)) -> Result<Content> {
    Ok(Content {
        version: VERSION,
        sender: own.address,
        conversation: message.conversation,
        number: counted.0,
        previous: counted.1,
        kind: message.kind.clone(),
        body: Bytes::new(message.body.clone())?,
    })
}

/// The sessions with each device, started with its bundle where there is none or it is too old; or
/// the devices whose bundle is missing.
fn ready_sessions(
    tx: &Transaction<'_>,
    own: &Own,
    devices: &[DeviceRecipient],
    bundles: &Bundles,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Result<Vec<Sessions>, Vec<DeviceAddress>>> {
    let local = local(own);
    let (mut ready, mut missing) = (Vec::with_capacity(devices.len()), Vec::new());
    for device in devices {
        let address = device.certificate.address;
        let known = sessions::load(tx, address)?;
        if Age::of(&known, now) != Age::Gone {
            ready.push(known);
        } else if let Some(bundle) = bundles.get(&address) {
            let started = known
                .start(&local, device.identity, bundle, now, rng)
                .map_err(|error| refused(error.into()))?;
            ready.push(started);
        } else {
            missing.push(address);
        }
    }
    Ok(if missing.is_empty() { Ok(ready) } else { Err(missing) })
}

/// Who we are, to a session.
pub(crate) fn local(own: &Own) -> Local<'_> {
    Local { address: own.address, identity: own.identity_key, device: &own.device }
}

fn wrap_for_accounts(
    sealed: &mut Sealed,
    scheme: WrapScheme,
    accounts: &[AccountRecipient],
    rng: &mut impl CryptoRng,
) -> Result<()> {
    for account in accounts {
        sealed.wrap_for_account(&account.keys, scheme, account.lists, rng).map_err(refused)?;
    }
    Ok(())
}

fn refused(error: SealError) -> Error {
    let kind = match error {
        SealError::TooLong | SealError::TooManyWraps => Kind::TooLarge,
        SealError::Wrap(_) => Kind::NoDevices,
        SealError::Session(_) => Kind::NotVerified,
        _ => Kind::Internal,
    };
    kind.because(error)
}

#[cfg(test)]
mod tests;
