//! Who may give the past to members that came later, and by which wraps.
//!
//! The relay cannot see whether a wrap opens. It demands what it can: that the conversation's rules
//! let newcomers read from the beginning, that whoever gives may also add, and that each wrap has
//! the form of one that a sender would have made. Normative: `docs/protocol/envelope.md` §8.1.

use std::collections::BTreeMap;

use chat_core::api::conversations::AddedWrap;
use chat_core::codec::List;
use chat_core::envelope::{Recipient, Wrap, WrapScheme};
use chat_core::id::AccountId;
use chat_core::membership::{History, Membership};
use chat_core::reject::{Reject, RejectCode};

use super::ACCOUNTS_NAMED_MAX;

/// Checks that an account may give the past to others.
///
/// # Errors
///
/// [`RejectCode::NotAMember`], [`RejectCode::Forbidden`].
pub fn may_give(membership: &Membership, giver: AccountId) -> Result<(), Reject> {
    membership.role(giver).ok_or(RejectCode::NotAMember)?;
    if membership.may_give_history(giver) {
        return Ok(());
    }
    Err(Reject::from(RejectCode::Forbidden).saying(match membership.policy().history {
        History::FromJoining => "In this conversation nobody reads what was said before they came.",
        History::FromBeginning => "Only who may add members may give them what was said before.",
    }))
}

/// Checks the form of wraps and that they are for members; gives for each of those the highest
/// epoch that is named, which the directory must know.
///
/// # Errors
///
/// [`RejectCode::NotVerified`]; [`RejectCode::StaleDevices`] with the accounts that are no members.
pub fn check_wraps(
    membership: &Membership,
    wraps: &[AddedWrap],
) -> Result<BTreeMap<AccountId, u32>, Reject> {
    let scheme = membership.policy().scheme;
    let mut epochs: BTreeMap<AccountId, u32> = BTreeMap::new();
    for AddedWrap { wrap, .. } in wraps {
        let Recipient::Account(account) = wrap.to else { return Err(misshapen()) };
        if wrap.scheme != scheme || !is_well_formed(wrap) {
            return Err(misshapen());
        }
        let highest = epochs.entry(account).or_default();
        *highest = wrap.epoch.max(*highest);
    }
    let strangers: Vec<_> =
        epochs.keys().filter(|account| membership.role(**account).is_none()).copied().collect();
    if strangers.is_empty() { Ok(epochs) } else { Err(not_for(strangers)) }
}

/// A refusal of wraps for accounts that are no members, or for keys that they do not have.
pub fn not_for(accounts: Vec<AccountId>) -> Reject {
    let mut reject = Reject::from(RejectCode::StaleDevices)
        .saying("Some wraps are for accounts that are no members, or for keys they do not have.");
    reject.accounts = List::new(accounts.into_iter().take(ACCOUNTS_NAMED_MAX).collect()).ok();
    reject
}

fn misshapen() -> Reject {
    Reject::from(RejectCode::NotVerified)
        .saying("The wraps are not for accounts, or not of the scheme that the policy demands.")
}

/// Whether a wrap for an account is as long as its scheme makes them, for an epoch that may be.
fn is_well_formed(wrap: &Wrap) -> bool {
    wrap.epoch > 0 && length(wrap.scheme) == Some(wrap.bytes.len())
}

/// How long a wrap for an account is; `docs/protocol/envelope.md` §6.
const fn length(scheme: WrapScheme) -> Option<usize> {
    match scheme {
        WrapScheme::HpkeX25519 => Some(84),
        WrapScheme::HpkeXwing => Some(1_172),
        WrapScheme::RsaOaep4096 => Some(512),
        WrapScheme::Ratchet | WrapScheme::SenderChain => None,
    }
}

#[cfg(test)]
mod tests {
    use chat_core::codec::from_bytes;
    use serde_json::Value;

    use super::super::unhex;
    use super::*;

    #[test]
    fn the_wraps_of_the_vectors_are_well_formed_and_cut_ones_are_not() {
        for wrap in vectors() {
            let cut = |by| {
                let bytes = wrap.bytes[by..].to_vec();
                Wrap { bytes: chat_core::codec::Bytes::new(bytes).unwrap(), ..wrap.clone() }
            };

            assert!(is_well_formed(&wrap), "{:?}", wrap.scheme);
            assert!(is_well_formed(&Wrap { epoch: u32::MAX, ..wrap.clone() }));
            assert!(!is_well_formed(&Wrap { epoch: 0, ..wrap.clone() }));
            assert!(!is_well_formed(&cut(1)));
            assert!(!is_well_formed(&cut(wrap.bytes.len())));
            for scheme in [WrapScheme::Ratchet, WrapScheme::SenderChain] {
                assert!(!is_well_formed(&Wrap { scheme, ..wrap.clone() }));
            }
        }
    }

    /// One of each scheme for accounts.
    fn vectors() -> Vec<Wrap> {
        let text = include_str!("../../../../docs/protocol/vectors/wrap.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        let cases = vectors["cases"].as_array().unwrap().iter();
        let wraps: Vec<Wrap> = cases
            .map(|case| from_bytes(&unhex(case["wrap_cbor"].as_str().unwrap())).unwrap())
            .filter(|wrap: &Wrap| matches!(wrap.to, Recipient::Account(_)))
            .collect();
        let schemes: Vec<_> = wraps.iter().map(|wrap| wrap.scheme).collect();
        for scheme in [WrapScheme::HpkeX25519, WrapScheme::HpkeXwing, WrapScheme::RsaOaep4096] {
            assert!(schemes.contains(&scheme), "{scheme:?}");
        }
        wraps
    }
}
