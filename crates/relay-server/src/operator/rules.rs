//! A workspace's own rules for how long messages are kept and how many, as an operator sets them.

use chat_core::id::WorkspaceId;
use serde::Serialize;

use super::OperatorError;
use super::workspaces::note;
use crate::audit::{AuditEvent, Note};
use crate::retention::{Rules, WrittenRules};
use crate::storage::Storage;

/// What a workspace has asked for, and what comes of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WorkspaceRules {
    /// The workspace's own rules.
    pub own: WrittenRules,
    /// These and the relay's, of each the stricter one.
    pub in_force: WrittenRules,
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
