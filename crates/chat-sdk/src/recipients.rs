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
use chat_core::envelope::{EnvelopeKeys, ListNumbers, WrapScheme};
use chat_core::id::{AccountId, DeviceAddress};
use chat_core::key::IdentityKey;
use chat_core::membership::Membership;
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
    pub(crate) lists: ListNumbers,
}

/// An account that a message is wrapped for.
pub(crate) struct AccountRecipient {
    pub(crate) keys: Verified<EnvelopeKeys>,
    pub(crate) lists: ListNumbers,
}

/// For whom a message is.
pub(crate) enum Recipients {
    /// Devices, each on its session.
    Devices(Vec<DeviceRecipient>),
    /// Accounts, each by its envelope keys.
    Accounts(WrapScheme, Vec<AccountRecipient>),
    /// The lists of these accounts have to be fetched first.
    Unknown(BTreeSet<AccountId>),
}

/// Lists the recipients of the next message to the members of `membership`.
pub(crate) fn of(tx: &Transaction<'_>, own: &Own, membership: &Membership) -> Result<Recipients> {
    let mut lists = Vec::new();
    let mut unknown = BTreeSet::new();
    for member in membership.members() {
        match newest_known(tx, member.account)? {
            Some(list) => lists.push(list),
            None => drop(unknown.insert(member.account)),
        }
    }
    if !unknown.is_empty() {
        return Ok(Recipients::Unknown(unknown));
    }
    let ours = lists.iter().find(|list| list.account() == own.account());
    let sender = ours.map(AccountDevices::number).ok_or(Kind::NotAMember)?;
    match membership.policy().scheme {
        WrapScheme::Ratchet => Ok(Recipients::Devices(by_device(own, &lists, sender))),
        scheme => Ok(Recipients::Accounts(scheme, by_account(tx, own, &lists, sender)?)),
    }
}

fn by_device(own: &Own, lists: &[AccountDevices], sender: u32) -> Vec<DeviceRecipient> {
    lists
        .iter()
        .flat_map(|list| list.active().map(move |certificate| (list, certificate)))
        .filter(|(_, certificate)| certificate.address != own.address)
        .map(|(list, certificate)| DeviceRecipient {
            certificate: certificate.clone(),
            identity: list.identity_key(),
            lists: ListNumbers { recipient: list.number(), sender },
        })
        .collect()
}

fn by_account(
    tx: &Transaction<'_>,
    own: &Own,
    lists: &[AccountDevices],
    sender: u32,
) -> Result<Vec<AccountRecipient>> {
    lists
        .iter()
        .map(|list| {
            let keys = envelope_keys(tx, own, list.account())?;
            let lists = ListNumbers { recipient: list.number(), sender };
            Ok(AccountRecipient { keys, lists })
        })
        .collect()
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
        let identity = own.keyring.identity();
        let public = own.keyring.current_envelope_secrets().public(Timestamp::default());
        return Ok(identity.sign_envelope_keys(&public).verify(&identity.key())?);
    }
    let peer = peers::load(tx, account)?.ok_or(Kind::NoDevices)?;
    let keys: Unverified<EnvelopeKeys> = from_bytes(&peer.envelope_keys).map_err(unreadable)?;
    keys.verify(&peer.identity_key).map_err(unreadable)
}
