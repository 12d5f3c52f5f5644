//! Recipients: for whom exactly a message is sealed.
//!
//! ```text
//!  members of the conversation ──pinned, verified device lists──▶ active devices, but this one
//!                              ──pinned envelope keys───────────▶ accounts, this one too
//! ```
//!
//! The lists are the ones this device has verified, never the relay's word at the moment. A list
//! that is missing, or that the relay said is no longer the newest, is named, to be fetched first.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::codec::from_bytes;
use chat_core::device::{AccountDevices, DeviceCertificate};
use chat_core::envelope::{EnvelopeKeys, WrapScheme};
use chat_core::id::{AccountId, DeviceAddress};
use chat_core::key::IdentityKey;
use chat_core::membership::{ConversationKind, Membership};
use chat_core::prekey::VerifiedBundle;
use chat_core::signed::{Unverified, Verified};
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use crate::context::Own;
use crate::devices;
use crate::error::{Kind, Result};
use crate::store::{peers, unreadable};

/// Prekey bundles that were fetched and verified for a message.
pub(crate) type Bundles = BTreeMap<DeviceAddress, VerifiedBundle>;

/// A device that a message is wrapped for.
pub(crate) struct DeviceRecipient {
    pub(crate) certificate: Verified<DeviceCertificate>,
    pub(crate) identity: IdentityKey,
    /// The number of its account's device list.
    pub(crate) list: u32,
}

/// An account that a message is wrapped for.
pub(crate) struct AccountRecipient {
    pub(crate) keys: Verified<EnvelopeKeys>,
    /// The number of its device list.
    pub(crate) list: u32,
}

/// For whom a message is, and the number of our own device list.
pub(crate) struct Audience {
    pub(crate) recipients: Recipients,
    pub(crate) sender_list: u32,
}

/// Whom a message is wrapped for.
pub(crate) enum Recipients {
    /// Devices, each on its session or all on our sender chain.
    Devices(Vec<DeviceRecipient>),
    /// Accounts, each by its envelope keys.
    Accounts(WrapScheme, Vec<AccountRecipient>),
}

/// Lists the recipients of the next message to the members of `membership`; or the accounts whose
/// device lists have to be fetched first.
pub(crate) fn of(
    tx: &Transaction<'_>,
    own: &Own,
    membership: &Membership,
) -> Result<Result<Audience, BTreeSet<AccountId>>> {
    let mut lists = Vec::new();
    let mut unknown = BTreeSet::new();
    for member in membership.members() {
        if devices::is_deleted(tx, member.account)? {
            continue;
        }
        match newest_known(tx, member.account)? {
            Some(list) => lists.push(list),
            None => drop(unknown.insert(member.account)),
        }
    }
    if !unknown.is_empty() {
        return Ok(Err(unknown));
    }
    let ours = lists.iter().find(|list| list.account() == own.account());
    let sender_list = ours.map(AccountDevices::number).ok_or(Kind::NotAMember)?;
    let recipients = match membership.policy().scheme {
        WrapScheme::Ratchet => Recipients::Devices(by_device(own, &lists)),
        scheme => Recipients::Accounts(scheme, by_account(tx, own, &lists)?),
    };
    Ok(Ok(Audience { recipients, sender_list }))
}

/// Whether the other one of a direct conversation is gone: what is said there nobody reads.
pub(crate) fn is_alone(tx: &Transaction<'_>, own: &Own, membership: &Membership) -> Result<bool> {
    if membership.kind() != ConversationKind::Direct {
        return Ok(false);
    }
    let other = membership.members().find(|member| member.account != own.account());
    other.map_or(Ok(false), |other| devices::is_deleted(tx, other.account))
}

fn by_device(own: &Own, lists: &[AccountDevices]) -> Vec<DeviceRecipient> {
    lists
        .iter()
        .flat_map(|list| list.active().map(move |certificate| (list, certificate)))
        .filter(|(_, certificate)| certificate.address != own.address)
        .map(|(list, certificate)| DeviceRecipient {
            certificate: certificate.clone(),
            identity: list.identity_key(),
            list: list.number(),
        })
        .collect()
}

fn by_account(
    tx: &Transaction<'_>,
    own: &Own,
    lists: &[AccountDevices],
) -> Result<Vec<AccountRecipient>> {
    lists
        .iter()
        .map(|list| {
            let keys = envelope_keys(tx, own, list.account())?;
            Ok(AccountRecipient { keys, list: list.number() })
        })
        .collect()
}

/// An account that something is wrapped for; nothing where its devices have to be fetched first.
pub(crate) fn account(
    tx: &Transaction<'_>,
    own: &Own,
    account: AccountId,
) -> Result<Option<AccountRecipient>> {
    let Some(list) = newest_known(tx, account)? else { return Ok(None) };
    Ok(by_account(tx, own, &[list])?.pop())
}

/// The devices of an account, unless the relay has said that there is a newer list.
fn newest_known(tx: &Transaction<'_>, account: AccountId) -> Result<Option<AccountDevices>> {
    match peers::load(tx, account)? {
        Some(peer) if peer.stale => Ok(None),
        _ => devices::known(tx, account),
    }
}

fn envelope_keys(
    tx: &Transaction<'_>,
    own: &Own,
    account: AccountId,
) -> Result<Verified<EnvelopeKeys>> {
    if account == own.account() {
        let keyring = own.keyring.get();
        let identity = keyring.identity();
        let public = keyring.current_envelope_secrets().public(Timestamp::default());
        return Ok(identity.sign_envelope_keys(&public).verify(&identity.key())?);
    }
    let peer = peers::load(tx, account)?.ok_or(Kind::NoDevices)?;
    let keys: Unverified<EnvelopeKeys> = from_bytes(&peer.envelope_keys).map_err(unreadable)?;
    keys.verify(&peer.identity_key).map_err(unreadable)
}
