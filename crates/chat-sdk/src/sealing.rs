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
//! first bytes, so nobody has them. In large groups the sender chain is handed out first, see
//! [`chains`]. Sealing never sees the transport.

mod chains;

use std::collections::BTreeSet;

use chat_core::codec::{Bytes, Digest, to_bytes};
use chat_core::envelope::{Content, Envelope, Header, Suite, VERSION, WrapScheme};
use chat_core::id::{AccountId, ConversationId, DeviceAddress, MessageId};
use chat_core::limits::FRAME_BYTES_MAX;
use chat_core::membership::Membership;
use chat_core::time::Timestamp;
use chat_crypto::compression::deflated;
use chat_crypto::envelope::{SealError, Sealed, seal};
use chat_crypto::sender_chain::SendingChain;
use chat_crypto::session::{Local, SessionError, Sessions};
use rand_core::CryptoRng;
use rusqlite::Transaction;

use crate::ageing::Age;
use crate::context::Own;
use crate::error::{Error, Kind, Result};
use crate::message::Compression;
use crate::recipients::{self, AccountRecipient, Audience, Bundles, DeviceRecipient, Recipients};
use crate::store::conversations::{self, Standing};
use crate::store::messages::{self, MessageRow};
use crate::store::{chains as stored_chains, disclosures, outbox, sessions};

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
    if let Some((message, envelope)) = stored_chains::hand_out(tx, conversation)? {
        return Ok(Step::Send(message, Box::new(envelope)).into());
    }
    if let Some(envelope) = oldest.envelope {
        return Ok(Step::Send(oldest.message, Box::new(envelope)).into());
    }
    let message = messages::load(tx, oldest.message)?.ok_or(Kind::Internal)?;
    match seal_message(tx, own, &message, oldest.compression, bundles, now, rng) {
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
    compression: Compression,
    bundles: &Bundles,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Advance> {
    let row = conversations::load(tx, message.conversation)?.ok_or(Kind::NotAMember)?;
    check_may_post(own, &row.membership, row.standing)?;
    let membership = &row.membership;
    let Audience { recipients, sender_list } = match recipients::of(tx, own, membership)? {
        Ok(audience) => audience,
        Err(unknown) => return Ok(Step::Lists(unknown).into()),
    };
    if recipients::is_alone(tx, own, &row.membership)? {
        return Err(Kind::NoDevices.into());
    }
    let way = match way(tx, own, &row.membership, recipients, sender_list, bundles, now, rng)? {
        Ok(way) => way,
        Err(step) => return Ok(step),
    };
    let counted = counted(tx, message)?;
    let header = header(own, message, membership, way.suite());
    let content = content(own, message, counted, sender_list)?;
    let content = match compression {
        Compression::Allowed => deflated(content),
        Compression::Never => content,
    };
    let signer = (header.suite == Suite::Signed).then_some(&*own.device);
    let mut sealed = seal(&header, &content, signer, rng).map_err(refused)?;
    let (advanced, chain) = match wrap(&mut sealed, &way, now, rng)? {
        Ok(wrapped) => wrapped,
        Err(worn) => return Ok(Step::Bundles(vec![worn]).into()),
    };
    let (binding, secret) = (sealed.binding(), sealed.secret().clone());
    let envelope = sealed.into_envelope();
    if to_bytes(&envelope).len() > ENVELOPE_BYTES_MAX {
        return Err(Kind::TooLarge.into());
    }
    // Nothing was written so far: a message that cannot be sealed has moved no ratchet.
    for sessions in &advanced {
        sessions::save(tx, sessions, now)?;
    }
    if let Some(chain) = &chain {
        stored_chains::save_sending(tx, chain)?;
    }
    conversations::set_sent(tx, message.conversation, counted.0, binding)?;
    messages::sealed(tx, message.id, counted, header.membership_index, header.suite)?;
    outbox::seal(tx, message.id, &envelope)?;
    disclosures::keep(tx, message.id, &secret)?;
    Ok(Advance { step: Step::Send(message.id, Box::new(envelope)), old: way.old(now) })
}

/// How a message gets to its recipients, with all that it takes.
enum Way {
    Sessions(Vec<(Sessions, u32)>),
    Chain(Box<SendingChain>),
    Accounts(WrapScheme, Vec<AccountRecipient>),
}

impl Way {
    fn suite(&self) -> Suite {
        match self {
            Self::Sessions(_) => Suite::Deniable,
            Self::Chain(_) => Suite::Chained,
            Self::Accounts(..) => Suite::Signed,
        }
    }

    /// The devices whose sessions should have been renewed.
    fn old(&self, now: Timestamp) -> Vec<DeviceAddress> {
        match self {
            Self::Sessions(ready) => old(ready.iter().map(|(sessions, _)| sessions), now),
            Self::Chain(_) | Self::Accounts(..) => Vec::new(),
        }
    }
}

fn old<'a>(sessions: impl Iterator<Item = &'a Sessions>, now: Timestamp) -> Vec<DeviceAddress> {
    sessions.filter(|sessions| Age::of(sessions, now) == Age::Old).map(Sessions::theirs).collect()
}

/// Chooses how a message goes; or says what has to be fetched or sent before.
#[expect(clippy::too_many_arguments, reason = "what a message is sealed with")]
fn way(
    tx: &Transaction<'_>,
    own: &Own,
    membership: &Membership,
    recipients: Recipients,
    sender_list: u32,
    bundles: &Bundles,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Result<Way, Advance>> {
    let devices = match recipients {
        Recipients::Accounts(scheme, accounts) => return Ok(Ok(Way::Accounts(scheme, accounts))),
        Recipients::Devices(devices) => devices,
    };
    if chains::are_wanted(own, &devices) {
        let ready = chains::ready(tx, own, membership, &devices, sender_list, bundles, now, rng)?;
        return Ok(ready.map(|chain| Way::Chain(Box::new(chain))));
    }
    let devices: Vec<&DeviceRecipient> = devices.iter().collect();
    Ok(match ready_sessions(tx, own, &devices, bundles, now, rng)? {
        Ok(ready) => {
            let lists = devices.iter().map(|device| device.list);
            Ok(Way::Sessions(ready.into_iter().zip(lists).collect()))
        }
        Err(missing) => Err(Step::Bundles(missing).into()),
    })
}

/// Sessions and chain as they are after wrapping.
type Wrapped = (Vec<Sessions>, Option<SendingChain>);

/// Wraps the secret for everybody; gives the sessions and the chain as they are then, or a device
/// with which a new session has to be started first.
fn wrap(
    sealed: &mut Sealed,
    way: &Way,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Result<Wrapped, DeviceAddress>> {
    let mut advanced = Vec::new();
    match way {
        Way::Sessions(ready) => {
            for (sessions, list) in ready {
                match sealed.wrap_for_device(sessions, *list, now, rng) {
                    Ok(sessions) => advanced.push(sessions),
                    Err(error) if is_worn(&error) => return Ok(Err(sessions.theirs())),
                    Err(error) => return Err(refused(error)),
                }
            }
        }
        Way::Chain(chain) => {
            let chain = sealed.wrap_by_chain(chain).map_err(refused)?;
            return Ok(Ok((advanced, Some(chain))));
        }
        Way::Accounts(scheme, accounts) => {
            for account in accounts {
                let wrapped = sealed.wrap_for_account(&account.keys, *scheme, account.list, rng);
                wrapped.map_err(refused)?;
            }
        }
    }
    Ok(Ok((advanced, None)))
}

/// Tells a session that has sent all it can from a message that cannot be sealed.
fn is_worn(error: &SealError) -> bool {
    matches!(error, SealError::Session(SessionError::Exhausted | SessionError::NoSession))
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

fn header(own: &Own, message: &MessageRow, membership: &Membership, suite: Suite) -> Header {
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

fn content(
    own: &Own,
    message: &MessageRow,
    counted: (u64, Digest),
    sender_list: u32,
) -> Result<Content> {
    Ok(Content {
        version: VERSION,
        sender: own.address,
        conversation: message.conversation,
        number: counted.0,
        previous: counted.1,
        kind: message.kind.clone(),
        body: Bytes::new(message.body.clone())?,
        sender_list,
        inflated_length: None,
    })
}

/// The sessions with each device, started with its bundle where there is none or it is too old; or
/// the devices whose bundle is missing.
fn ready_sessions(
    tx: &Transaction<'_>,
    own: &Own,
    devices: &[&DeviceRecipient],
    bundles: &Bundles,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Result<Vec<Sessions>, Vec<DeviceAddress>>> {
    let local = local(own);
    let (mut ready, mut missing) = (Vec::with_capacity(devices.len()), Vec::new());
    for device in devices {
        let address = device.certificate.address;
        let known = sessions::load(tx, address)?;
        // A bundle is only fetched where there is no session, or one that can send no more.
        if let Some(bundle) = bundles.get(&address) {
            let started = known
                .start(&local, device.identity, bundle, now, rng)
                .map_err(|error| refused(error.into()))?;
            ready.push(started);
        } else if Age::of(&known, now) != Age::Gone {
            ready.push(known);
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
