//! Giving the past: members wrap for newcomers what was said before they came.
//!
//! ```text
//!  may the caller? ─▶ are these wraps, for members? ─▶ for keys they have? ─▶ room? ─▶ kept
//! ```
//!
//! Nothing is delivered: whoever came later asks for history and finds their wraps there. That
//! somebody may read the past was decided, signed and noted for auditors when they were added; this
//! only carries it out.

use std::collections::BTreeMap;

use chat_core::api::conversations::{AddedWrap, WrapsAdded};
use chat_core::id::{AccountId, ConversationId};
use chat_core::reject::{Reject, RejectCode};

use super::{Caller, Services, retention};
use crate::policy::rewrap::{check_wraps, may_give, not_for};
use crate::writer::wrap_size;

/// Adds wraps to messages that were accepted before. The same again adds nothing.
///
/// What they take counts as stored by whoever brings them.
///
/// # Errors
///
/// [`RejectCode::NotAMember`]; [`RejectCode::Forbidden`] for who may not add members, or where
/// newcomers do not read from the beginning; [`RejectCode::NotVerified`] for what is no wrap of the
/// policy's scheme for an account; [`RejectCode::StaleDevices`] with the accounts that are no
/// members or have no such keys; [`RejectCode::QuotaExceeded`].
pub async fn add(
    services: &Services,
    caller: Caller,
    conversation: ConversationId,
    wraps: &[AddedWrap],
) -> Result<WrapsAdded, Reject> {
    let giver = caller.address.account;
    // From the store, not from memory: whom they are for may have come a moment ago, elsewhere.
    let stored = services.storage.conversation(conversation).await?;
    let membership = stored.ok_or(RejectCode::NotAMember)?.membership;
    may_give(&membership, giver)?;
    check_keys(services, check_wraps(&membership, wraps)?).await?;
    let workspace = membership.workspace();
    let bytes: usize = wraps.iter().map(|added| wrap_size(&added.wrap)).sum();
    retention::check(services, workspace, giver, u64::try_from(bytes).unwrap_or(u64::MAX)).await?;
    let added = services.storage.add_wraps(conversation, wraps).await?;
    services.metrics.rewrapped.add(added);
    // INVARIANT: they are of one scheme, and so of one size.
    let each = wraps.first().map_or(0, |added| wrap_size(&added.wrap));
    let each = u64::try_from(each).unwrap_or(u64::MAX);
    services.retention.count(workspace, giver, added.saturating_mul(each));
    Ok(WrapsAdded { added })
}

/// Checks that each account is there and has had envelope keys of the epoch named.
///
/// SECURITY: there are few epochs, so there is an end to what can be hung on a message.
async fn check_keys(services: &Services, epochs: BTreeMap<AccountId, u32>) -> Result<(), Reject> {
    let mut wrong = Vec::new();
    for (account, epoch) in epochs {
        let keys = services.storage.account_keys(account).await?;
        let Some(keys) = keys.filter(|keys| keys.deleted_at.is_none()) else {
            wrong.push(account);
            continue;
        };
        let newest = keys.envelope_keys.verify(&keys.devices.identity_key).map_err(|error| {
            tracing::error!(%account, %error, "stored envelope keys do not verify");
            RejectCode::Internal
        })?;
        if epoch > newest.epoch {
            wrong.push(account);
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(not_for(wrong)) }
}
