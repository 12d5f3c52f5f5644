//! Learning whose devices are whose: asking the relay, and warning of what does not hold.
//!
//! What is believed, and what is not, is decided in [`crate::devices`]; this tells people.

use chat_core::id::AccountId;
use rusqlite::Transaction;

use crate::devices::{self, Learned};
use crate::error::{Kind, Result};
use crate::event::{Event, Warning};
use crate::hub::Hub;
use crate::store::progress;
use crate::workspaces::is_deleted;

/// Asks the relay for an account's devices; what does not hold is warned of.
///
/// # Errors
///
/// What may pass, and what the store fails with.
pub(crate) async fn learn(hub: &Hub, account: AccountId) -> Result<()> {
    if account == hub.context.own.account() {
        return match devices::refresh_own(&hub.context).await {
            Err(error) if error.kind() == Kind::DeviceListForged => {
                hub.warn(Warning::DeviceListForged { account });
                Ok(())
            }
            outcome => outcome.map(drop),
        };
    }
    let was_deleted = is_deleted(&hub.context, account).await?;
    match devices::fetch(&hub.context, account).await {
        Ok(Learned::Known(_)) => {
            if !was_deleted && is_deleted(&hub.context, account).await? {
                hub.emit(Event::AccountDeleted { account });
                wait_no_longer(hub).await?;
            }
        }
        Ok(Learned::IdentityChanged { first_time: false }) => {}
        Ok(Learned::IdentityChanged { first_time: true }) => {
            hub.warn(Warning::IdentityChanged { account });
        }
        Ok(Learned::Refused(_)) => hub.warn(Warning::DeviceListForged { account }),
        Err(error) if error.kind() == Kind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// What waited for a word of somebody who is gone gets further without it.
async fn wait_no_longer(hub: &Hub) -> Result<()> {
    let (ours, now) = (hub.context.own.account(), hub.now());
    let raise = move |tx: &Transaction<'_>| {
        let mut raised = Vec::new();
        for conversation in progress::awaiting(tx)? {
            for (message, status) in
                progress::raise(tx, conversation, progress::EVERYWHERE, ours, now)?
            {
                raised.push(Event::Status { conversation, message, status });
            }
        }
        Ok(raised)
    };
    for event in hub.context.store.write(raise).await? {
        hub.emit(event);
    }
    Ok(())
}
