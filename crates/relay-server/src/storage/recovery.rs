//! What storage keeps for who comes back: the recovery phrase's key, and another password's record.

use async_trait::async_trait;
use chat_core::api::account::Keyring;
use chat_core::id::AccountId;
use chat_core::key::RecoveryKey;

use super::StorageError;

/// Ways back into an account.
#[async_trait]
pub trait RecoveryStorage {
    /// Keeps the public half of the recovery phrase's key, in place of the one before.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] for an unknown account.
    async fn put_recovery_key(
        &self,
        account: AccountId,
        key: RecoveryKey,
    ) -> Result<(), StorageError>;

    /// The account of this name, without regard to case, and its recovery key if it has one.
    async fn recovery_key(
        &self,
        username: &str,
    ) -> Result<Option<(AccountId, RecoveryKey)>, StorageError>;

    /// Replaces what checks the password together with the keyring that it opens: both or neither.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`]; [`StorageError::Conflict`] if the keyring's number is not the
    /// next.
    async fn put_password(
        &self,
        account: AccountId,
        opaque_record: &[u8],
        keyring: &Keyring,
    ) -> Result<(), StorageError>;
}
