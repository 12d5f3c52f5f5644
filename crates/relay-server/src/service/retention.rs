//! Retention and quotas: what goes by which rule, and what no longer fits.
//!
//! ```text
//!  every 5 s    rules read anew, usage written
//!  every minute what is too old or delivered is erased, by the node that leads
//!  every hour   partitions made ahead and dropped
//! ```

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::conversations::MessagePage;
use chat_core::id::{AccountId, ConversationId, DeviceAddress, WorkspaceId};
use chat_core::receipt::Sequence;
use chat_core::reject::{Reject, RejectCode};
use tokio::time::sleep;

use super::Services;
use crate::retention::{Hold, Rules};
use crate::storage::{Erased, Erasure, StorageError};

/// How often rules are read anew and usage is written.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Every how many looks something is erased.
const LOOKS_AN_ERASURE: u32 = 12;
/// Every how many looks partitions are tended.
const LOOKS_A_TENDING: u32 = 720;
/// What the node that leads does for all.
const CHORE: &str = "retention";
/// How long a node leads that says nothing more.
const LEASE: Duration = Duration::from_secs(180);
/// How many conversations are looked at together.
const CONVERSATIONS_A_PAGE: usize = 200;

/// Sets a workspace's own rules, for all nodes within a few seconds.
///
/// # Errors
///
/// [`RejectCode::NotFound`] for an unknown workspace, [`RejectCode::Unavailable`].
pub async fn set(services: &Services, workspace: WorkspaceId, rules: Rules) -> Result<(), Reject> {
    services.storage.put_rules(workspace, rules).await?;
    services.retention.refresh(&*services.storage).await?;
    Ok(())
}

/// Refuses a message that no longer fits into the quota of its sender or of the workspace.
///
/// # Errors
///
/// [`RejectCode::QuotaExceeded`], [`RejectCode::Unavailable`].
pub async fn check(
    services: &Services,
    workspace: WorkspaceId,
    account: AccountId,
    bytes: u64,
) -> Result<(), Reject> {
    let rules = services.retention.of(workspace);
    let quotas = [
        (
            rules.account_bytes,
            Some(account),
            "This account has used up what it may store at the relay.",
        ),
        (rules.workspace_bytes, None, "The workspace has used up what it may store at the relay."),
    ];
    for (quota, whose, sentence) in quotas {
        let Some(quota) = quota else { continue };
        let stored = stored(services, rules, workspace, whose).await?;
        if stored.saturating_add(bytes) > quota {
            return Err(Reject::from(RejectCode::QuotaExceeded).saying(sentence));
        }
    }
    Ok(())
}

async fn stored(
    services: &Services,
    rules: Rules,
    workspace: WorkspaceId,
    account: Option<AccountId>,
) -> Result<u64, Reject> {
    let now = services.now();
    if let Some(known) = services.retention.known(workspace, account, now) {
        return Ok(known);
    }
    // What was counted by this node and is not written yet would be missing.
    services.retention.flush(&*services.storage, now).await;
    let since = rules.cutoff(now).unwrap_or_default();
    let stored = services.storage.stored(workspace, account, since).await?;
    services.retention.learn(workspace, account, stored, now);
    Ok(stored)
}

/// A page of a conversation's log as a device may read it, without what is beyond the rules.
///
/// # Errors
///
/// As [`Storage::read_after`](crate::storage::Storage::read_after).
pub async fn read(
    services: &Services,
    address: DeviceAddress,
    conversation: ConversationId,
    after: Sequence,
    limit: usize,
) -> Result<MessagePage, StorageError> {
    let now = services.now();
    let page = services.storage.read_after(address, conversation, after, limit, now);
    let mut page = page.await?;
    if services.retention.hides_nothing() {
        return Ok(page);
    }
    if let Some(known) = services.directory.conversation(conversation).await? {
        services.retention.of(known.membership.workspace()).hide(&mut page, now);
    }
    Ok(page)
}

/// Does everything at its time; does not return.
pub async fn run(services: Arc<Services>) {
    let mut looks = 0_u32;
    loop {
        if let Err(error) = look(&services, looks).await {
            tracing::warn!(%error, "retention goes on later");
        }
        looks = looks.wrapping_add(1);
        sleep(LOOK_EVERY).await;
    }
}

async fn look(services: &Services, looks: u32) -> Result<(), StorageError> {
    services.retention.refresh(&*services.storage).await?;
    services.retention.flush(&*services.storage, services.now()).await;
    if looks.is_multiple_of(LOOKS_A_TENDING) {
        tend(services).await?;
    }
    if looks.is_multiple_of(LOOKS_AN_ERASURE) {
        let now = services.now();
        let until = now.after(LEASE);
        if services.storage.lead(CHORE, services.node, until, now).await? {
            erase(services).await?;
        }
    }
    Ok(())
}

/// Lets another node lead at once.
pub async fn resign(services: &Services) {
    let now = services.now();
    if let Err(error) = services.storage.lead(CHORE, services.node, now, now).await {
        tracing::debug!(%error, "another node erases a little later");
    }
}

/// Makes room for the coming months, and drops those that are too old; returns how many.
///
/// # Errors
///
/// [`StorageError`].
pub async fn tend(services: &Services) -> Result<u64, StorageError> {
    let (ledger, now) = (&services.retention, services.now());
    services.storage.tend_partitions(ledger.relay().keep, ledger.archive(), now).await
}

/// Erases everything that the rules want to be gone and that does not go by partitions; returns how
/// many messages.
///
/// # Errors
///
/// [`StorageError`]; what was erased before it stays so.
pub async fn erase(services: &Services) -> Result<u64, StorageError> {
    let mut total = 0;
    for erasure in erasures(services) {
        loop {
            let round = erase_everywhere(services, erasure).await?;
            total += round.messages;
            if round.conversations == 0 {
                break;
            }
        }
    }
    services.metrics.expired.add(total);
    Ok(total)
}

/// One round over all conversations.
async fn erase_everywhere(services: &Services, erasure: Erasure) -> Result<Erased, StorageError> {
    let mut round = Erased::default();
    loop {
        let (storage, now) = (&services.storage, services.now());
        let erased = storage.erase(erasure, round.after, CONVERSATIONS_A_PAGE, now).await?;
        round.messages += erased.messages;
        round.conversations += erased.conversations;
        round.after = erased.after;
        if round.after.is_none() {
            return Ok(round);
        }
        tokio::task::yield_now().await;
    }
}

fn erasures(services: &Services) -> Vec<Erasure> {
    let (relay, now) = (services.retention.relay(), services.now());
    let by_partition = services.storage.has_partitions();
    let before = relay.cutoff(now).filter(|_| !by_partition);
    let mut erasures = vec![Erasure { workspace: None, before, hold: relay.hold }];
    for (workspace, own) in services.retention.workspaces() {
        let rules = relay.strictest(own);
        let before = rules.cutoff(now).filter(|_| rules.keep != relay.keep);
        let hold = if rules.hold == relay.hold { Hold::Kept } else { rules.hold };
        erasures.push(Erasure { workspace: Some(workspace), before, hold });
    }
    erasures.retain(|one| one.before.is_some() || one.hold == Hold::UntilDelivered);
    erasures
}
