//! Log-out: the account removes this device, and the device forgets everything.

use crate::context::Context;
use crate::devices;
use crate::error::{Kind, Result};
use crate::store::account as stored;

/// Removes this device from its account and erases the store.
///
/// # Errors
///
/// [`Kind::RelayUnreachable`] if the relay cannot be told; then nothing is erased.
pub async fn log_out(context: &Context) -> Result<()> {
    match devices::remove_own(context, context.own.address.device).await {
        Ok(()) => {}
        // The relay, or the account, was first.
        Err(error) if matches!(error.kind(), Kind::DeviceRemoved | Kind::NotFound) => {}
        Err(error) => return Err(error),
    }
    context.store.write(stored::erase_everything).await?;
    context.store.scrub().await
}
