//! From a wrap to what is in the envelope: by a session, a sender chain, or the account's keys.
//!
//! ```text
//!  wrap for us ─▶ sender's device, as pinned ─▶ secret, session or chain advanced ─▶ content, all checks
//! ```
//!
//! What does not hold is refused with a warning; only keys that have not come here yet may come.

use chat_core::codec::Digest;
use chat_core::device::DeviceCertificate;
use chat_core::envelope::{Content as SealedContent, Envelope, Header, Suite, Wrap, WrapScheme};
use chat_core::id::AccountId;
use chat_core::key::IdentityKey;
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use chat_crypto::envelope::{
    OpenError, Unwrapped, Via, open, unwrap_by_chain, unwrap_for_account, unwrap_for_device,
};
use chat_crypto::session::SpentPrekey;
use chat_crypto::wrap::MessageSecret;
use rand_core::CryptoRng;
use rusqlite::Transaction;

use super::lists::{Lists, compare};
use super::{Arrival, not_authentic};
use crate::context::Own;
use crate::devices;
use crate::error::Result;
use crate::event::Warning;
use crate::prekeys;
use crate::sealing::local;
use crate::store::{chains, sessions};

/// Why a message was not opened.
pub(super) enum Closed {
    /// It is not what it claims to be, or not for us.
    Not(Warning),
    /// It is under envelope keys of ours that have not come here yet.
    Awaits { epoch: u32 },
}

impl From<Warning> for Closed {
    fn from(warning: Warning) -> Self {
        Self::Not(warning)
    }
}

/// A message that passed every check of the cryptography.
pub(super) struct Opened {
    pub(super) content: SealedContent,
    /// What opens it once more.
    pub(super) secret: MessageSecret,
    pub(super) binding: Digest,
    /// Accounts of which the sender knows a newer device list than we do.
    pub(super) stale: Vec<AccountId>,
    pub(super) warning: Option<Warning>,
}

/// Finds the wrap for us and opens the envelope; a session that it came on moves on.
pub(super) fn open_for_us(
    tx: &Transaction<'_>,
    own: &Own,
    arrival: &Arrival,
    now: Timestamp,
    rng: &mut impl CryptoRng,
) -> Result<Result<Opened, Closed>> {
    let Header { conversation, sender, message, .. } = arrival.header;
    let not_authentic = not_authentic(&arrival.header);
    let envelope = &arrival.envelope;
    let ours = envelope.wraps.iter().filter(|wrap| wrap.is_for(own.address)).collect::<Vec<_>>();
    let Some(wrap) = ours.first() else {
        return Ok(Err(Warning::NotForThisDevice { conversation, sender, message }.into()));
    };
    let Some(theirs) = devices::known(tx, sender.account)? else {
        return Ok(Err(not_authentic.into()));
    };
    // SECURITY: a removed device counts up to its removal, by the relay's time and not its own.
    let Some(certificate) = theirs.device_at(sender.device, arrival.at) else {
        return Ok(Err(not_authentic.into()));
    };
    let unwrapped = match wrap.scheme {
        WrapScheme::Ratchet => {
            let identity = theirs.identity_key();
            unwrap_on_session(tx, own, envelope, wrap, certificate, identity, now)?
        }
        WrapScheme::SenderChain => unwrap_on_chain(tx, envelope, wrap, &arrival.header, now)?,
        _ => unwrap_by_any(own, envelope, &ours, rng),
    };
    let (secret, list, via) = match unwrapped {
        Ok(unwrapped) => unwrapped,
        Err(OpenError::UnknownEpoch) => {
            let epochs = ours.iter().map(|wrap| wrap.epoch);
            let newer = epochs.filter(|epoch| *epoch > newest_epoch(own)).min();
            return Ok(Err(match newer {
                Some(epoch) => Closed::Awaits { epoch },
                None => not_authentic.into(),
            }));
        }
        Err(_) => return Ok(Err(not_authentic.into())),
    };
    let Ok(opened) = open(envelope, &secret, certificate, via) else {
        return Ok(Err(not_authentic.into()));
    };
    if arrival.header.suite == Suite::HandOut
        && !accept_chain(tx, &arrival.header, &opened.content, now)?
    {
        return Ok(Err(not_authentic.into()));
    }
    let ours = devices::known(tx, own.account())?;
    let lists = Lists { ours: list, theirs: opened.content.sender_list };
    let (stale, warning) = compare(own, ours.as_ref(), &theirs, lists, &opened.header);
    let (content, binding) = (opened.content, envelope.binding());
    Ok(Ok(Opened { content, secret, binding, stale, warning }))
}

/// The newest epoch of our envelope keys that is here.
fn newest_epoch(own: &Own) -> u32 {
    own.keyring.get().current_envelope_secrets().epoch()
}

/// The secret, and the number of our device list where the wrap was made for us alone.
type Secret = (MessageSecret, Option<u32>, Via);

/// Opens the first wrap for our account that opens. There is more than one where somebody has wrapped
/// a message of the past again, for newer keys of ours.
///
/// SECURITY: a wrap of somebody who knows no better, or means no good, does not hide another.
fn unwrap_by_any(
    own: &Own,
    envelope: &Envelope,
    wraps: &[&Wrap],
    rng: &mut impl CryptoRng,
) -> Result<Secret, OpenError> {
    let keyring = own.keyring.get();
    let mut refused = OpenError::NotAuthentic;
    for wrap in wraps {
        match unwrap_for_account(envelope, wrap, &keyring, rng) {
            Ok((secret, list)) => return Ok((secret, Some(list), Via::Account)),
            Err(OpenError::UnknownEpoch) => refused = OpenError::UnknownEpoch,
            Err(_) => {}
        }
    }
    Err(refused)
}

/// Opens a wrap on a sender chain. The advanced chain is stored at once.
fn unwrap_on_chain(
    tx: &Transaction<'_>,
    envelope: &Envelope,
    wrap: &Wrap,
    header: &Header,
    now: Timestamp,
) -> Result<Result<Secret, OpenError>> {
    let held = chains::received(tx, header.conversation, header.sender)?;
    let unwrapped = match unwrap_by_chain(envelope, wrap, &held, now) {
        Ok(unwrapped) => unwrapped,
        Err(error) => return Ok(Err(error)),
    };
    chains::save_received(tx, &unwrapped.chains)?;
    Ok(Ok((unwrapped.secret, None, unwrapped.via)))
}

/// Takes a chain that was handed to us; tells whether it could be.
fn accept_chain(
    tx: &Transaction<'_>,
    header: &Header,
    content: &SealedContent,
    now: Timestamp,
) -> Result<bool> {
    let held = chains::received(tx, header.conversation, header.sender)?;
    match held.accept(&content.body, now) {
        Ok(next) => chains::save_received(tx, &next).map(|()| true),
        Err(error) => {
            tracing::debug!(%error, "a sender chain was not accepted");
            Ok(false)
        }
    }
}

/// Decrypts a ratchet wrap. The advanced session and the spent prekey are stored at once: whatever
/// is in the payload, it was this device that wrapped for us.
fn unwrap_on_session(
    tx: &Transaction<'_>,
    own: &Own,
    envelope: &Envelope,
    wrap: &Wrap,
    certificate: &Verified<DeviceCertificate>,
    identity: IdentityKey,
    now: Timestamp,
) -> Result<Result<Secret, OpenError>> {
    let sessions = sessions::load(tx, certificate.address)?;
    let local = local(own);
    let attempt = |prekeys: &[&_]| {
        let (envelope, sessions) = (envelope, &sessions);
        unwrap_for_device(envelope, wrap, sessions, &local, certificate, identity, prekeys, now)
    };
    // Most messages need no prekeys, and all of them together are a megabyte.
    let mut outcome = attempt(&[]);
    if outcome.is_err() {
        let prekeys = prekeys::load(tx)?;
        outcome = attempt(&prekeys.iter().collect::<Vec<_>>());
    }
    let unwrapped = match outcome {
        Ok(unwrapped) => unwrapped,
        Err(error) => return Ok(Err(error)),
    };
    let Unwrapped { secret, list, via, sessions, spent } = unwrapped;
    spend(tx, spent)?;
    sessions::save(tx, &sessions, now)?;
    Ok(Ok((secret, Some(list), via)))
}

/// Erases the one-time prekey that began a session. Handshakes over last-resort prekeys are
/// remembered by the session itself.
fn spend(tx: &Transaction<'_>, spent: Option<SpentPrekey>) -> Result<()> {
    let Some(SpentPrekey { set, one_time: Some(index) }) = spent else { return Ok(()) };
    for mut secrets in prekeys::load(tx)? {
        if secrets.number() == set {
            secrets.spend(index);
            prekeys::save(tx, &secrets)?;
        }
    }
    Ok(())
}
