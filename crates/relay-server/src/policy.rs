//! What the relay can demand of a message it cannot read.
//!
//! Pure functions over the header, the wraps and what the directory knows: whether the sender may
//! post, whether the scheme is the conversation's, and whether exactly those are addressed who
//! have to be.

pub mod disclosure;
pub mod rewrap;
pub mod workspace;

use std::collections::{BTreeMap, BTreeSet};

use chat_core::codec::List;
use chat_core::envelope::{Envelope, Header, Recipient, Suite, Wrap, WrapScheme};
use chat_core::id::{AccountId, DeviceAddress};
use chat_core::membership::Membership;
use chat_core::reject::{Reject, RejectCode};

use crate::directory::KnownDevices;

/// Most accounts that a refusal names.
const ACCOUNTS_NAMED_MAX: usize = 100;

/// Checks everything below, in this order.
///
/// # Errors
///
/// The first refusal; [`RejectCode::StaleMembership`] for a header that names another head.
pub fn check(
    membership: &Membership,
    sender: DeviceAddress,
    header: &Header,
    envelope: &Envelope,
    devices: &[KnownDevices],
) -> Result<(), Reject> {
    may_post(membership, sender.account)?;
    if !names_head(membership, header) {
        return Err(RejectCode::StaleMembership.into());
    }
    check_scheme(membership, header, envelope)?;
    match header.suite {
        // The one wrap is for whoever holds the chain, which the relay does not know.
        Suite::Chained => Ok(()),
        suite => check_wraps(membership, sender, suite, envelope, devices),
    }
}

/// Tells whether a header names the head of the membership log.
#[must_use]
pub fn names_head(membership: &Membership, header: &Header) -> bool {
    header.membership_index == membership.index() && header.membership_head == membership.head()
}

/// Checks that an account may send messages.
///
/// # Errors
///
/// [`RejectCode::NotAMember`], [`RejectCode::Forbidden`].
pub fn may_post(membership: &Membership, account: AccountId) -> Result<(), Reject> {
    if membership.role(account).is_none() {
        return Err(RejectCode::NotAMember.into());
    }
    if !membership.may_post(account) {
        return Err(Reject::from(RejectCode::Forbidden)
            .saying("In this conversation only admins may send messages."));
    }
    Ok(())
}

/// Checks that all wraps are of the conversation's scheme, and that the suite goes with it.
///
/// Wraps that do not show who sent them need a signature inside. Where wraps go by sessions, one on
/// a sender chain may stand for all of them, and chains may be handed out.
///
/// # Errors
///
/// [`RejectCode::NotVerified`].
pub fn check_scheme(
    membership: &Membership,
    header: &Header,
    envelope: &Envelope,
) -> Result<(), Reject> {
    let scheme = match header.suite {
        Suite::Chained if membership.policy().scheme.is_per_device() => WrapScheme::SenderChain,
        _ => membership.policy().scheme,
    };
    let fits = |wrap: &Wrap| wrap.scheme == scheme && wrap.to.fits(scheme);
    let count_fits = match header.suite {
        Suite::Chained => envelope.wraps.len() == 1,
        Suite::HandOut => !envelope.wraps.is_empty(),
        Suite::Deniable | Suite::Signed => true,
    };
    if !count_fits || !envelope.wraps.iter().all(fits) {
        return Err(Reject::from(RejectCode::NotVerified)
            .saying("The wraps are not of the scheme that the conversation's policy demands."));
    }
    let shows_sender = matches!(scheme, WrapScheme::Ratchet | WrapScheme::SenderChain);
    if !shows_sender && header.suite != Suite::Signed {
        return Err(Reject::from(RejectCode::NotVerified)
            .saying("Messages of this conversation must be signed by their sender."));
    }
    Ok(())
}

/// Checks that the wraps are for exactly those who are to have one: every active device of every
/// member but the sending one or, where wraps are for accounts, every member. A chain is handed to
/// any of them.
///
/// # Errors
///
/// [`RejectCode::StaleDevices`] with the accounts that have too few wraps, or too many.
pub fn check_wraps(
    membership: &Membership,
    sender: DeviceAddress,
    suite: Suite,
    envelope: &Envelope,
    devices: &[KnownDevices],
) -> Result<(), Reject> {
    let mut given: BTreeMap<AccountId, BTreeSet<Recipient>> = BTreeMap::new();
    let mut wrong = BTreeSet::new();
    for wrap in &envelope.wraps {
        // INVARIANT: a wrap for everyone does not fit the schemes that get here.
        let Some(account) = wrap.to.account() else { continue };
        if !given.entry(account).or_default().insert(wrap.to) {
            wrong.insert(account);
        }
    }
    let is_per_device = membership.policy().scheme.is_per_device();
    for known in devices {
        let wanted: BTreeSet<_> = if is_per_device {
            let addresses = known
                .devices
                .iter()
                .map(|device| DeviceAddress { account: known.account, device: *device });
            addresses.filter(|address| *address != sender).map(Recipient::Device).collect()
        } else if known.is_deleted {
            BTreeSet::new()
        } else {
            BTreeSet::from([Recipient::Account(known.account)])
        };
        let given = given.remove(&known.account).unwrap_or_default();
        let fits = if suite == Suite::HandOut { given.is_subset(&wanted) } else { given == wanted };
        if !fits {
            wrong.insert(known.account);
        }
    }
    // What is left is for nobody who is a member.
    wrong.extend(given.into_keys());
    if wrong.is_empty() {
        return Ok(());
    }
    let mut reject = Reject::from(RejectCode::StaleDevices);
    let named = wrong.into_iter().take(ACCOUNTS_NAMED_MAX).collect();
    reject.accounts = List::new(named).ok();
    Err(reject)
}

/// What the vectors write as text.
#[cfg(test)]
fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
    digits.chunks(2).map(|pair| byte(pair).unwrap()).collect()
}
