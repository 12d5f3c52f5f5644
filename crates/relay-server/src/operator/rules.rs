//! A workspace's own rules for how long messages are kept and how many, as an operator sets them.

use chat_core::id::WorkspaceId;
use serde::Serialize;

use super::OperatorError;
use super::workspaces::note;
use crate::audit::{AuditEvent, Note};
use crate::retention::{Hold, Rules};
use crate::storage::Storage;

/// What a workspace has asked for, and what comes of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WorkspaceRules {
    /// The workspace's own rules.
    pub own: RulesReport,
    /// These and the relay's, of each the stricter one.
    pub in_force: RulesReport,
}

/// Rules in the units that they are set in; what is absent is not limited.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RulesReport {
    /// Days after which a message is gone.
    pub keep_days: Option<u64>,
    /// Whether a message is gone as soon as every device has it.
    pub until_delivered: bool,
    /// Mebibytes that an account may have stored.
    pub mebibytes_an_account: Option<u64>,
    /// Mebibytes that the workspace may have stored.
    pub mebibytes_a_workspace: Option<u64>,
}

impl From<Rules> for RulesReport {
    fn from(rules: Rules) -> Self {
        let mebibytes = |bytes: u64| bytes >> 20;
        Self {
            keep_days: rules.keep.map(|keep| keep.as_secs() / (24 * 3600)),
            until_delivered: rules.hold == Hold::UntilDelivered,
            mebibytes_an_account: rules.account_bytes.map(mebibytes),
            mebibytes_a_workspace: rules.workspace_bytes.map(mebibytes),
        }
    }
}

/// The rules of a workspace beside the relay's, which the configuration sets.
///
/// # Errors
///
/// [`OperatorError::Storage`].
pub async fn show(
    storage: &dyn Storage,
    workspace: WorkspaceId,
    relay: Rules,
) -> Result<WorkspaceRules, OperatorError> {
    let all = storage.rules().await?;
    let own = all.into_iter().find(|(of, _)| *of == workspace).map(|(_, rules)| rules);
    let own = own.unwrap_or_default();
    Ok(WorkspaceRules { own: own.into(), in_force: relay.strictest(own).into() })
}

/// Sets a workspace's own rules in place of those it had; nodes go by them within five seconds.
///
/// # Errors
///
/// [`OperatorError::Storage`] for a workspace there is not.
pub async fn set(
    storage: &dyn Storage,
    workspace: WorkspaceId,
    rules: Rules,
) -> Result<(), OperatorError> {
    storage.put_rules(workspace, rules).await?;
    let words = format!("{rules:?}");
    let done = Note::done(AuditEvent::Administration).to_subject(workspace);
    note(storage, done.saying(words)).await
}
