//! The recovery phrase's key, and another password.

use async_trait::async_trait;
use chat_core::api::account::Keyring;
use chat_core::id::AccountId;
use chat_core::key::RecoveryKey;
use sqlx::{query, query_as};

use super::row::fixed;
use super::{Store, accounts};
use crate::storage::StorageError;
use crate::storage::recovery::RecoveryStorage;

#[async_trait]
impl RecoveryStorage for Store {
    async fn put_recovery_key(
        &self,
        account: AccountId,
        key: RecoveryKey,
    ) -> Result<(), StorageError> {
        write!(self, |transaction| {
            let kept = query(
                "INSERT INTO recovery_keys (account, key) \
                 SELECT id, $2 FROM accounts WHERE id = $1 \
                 ON CONFLICT (account) DO UPDATE SET key = excluded.key",
            )
            .bind(account.as_bytes().as_slice())
            .bind(key.as_bytes().as_slice())
            .execute(&mut *transaction)
            .await?
            .rows_affected();
            if kept == 0 {
                return Err(StorageError::NotFound);
            }
            Ok(())
        })
    }

    async fn recovery_key(
        &self,
        username: &str,
    ) -> Result<Option<(AccountId, RecoveryKey)>, StorageError> {
        read!(self, |connection| {
            let found: Option<(Vec<u8>, Vec<u8>)> = query_as(
                "SELECT account, key FROM recovery_keys JOIN accounts ON accounts.id = account \
                 WHERE lower(username) = lower($1)",
            )
            .bind(username)
            .fetch_optional(&mut *connection)
            .await?;
            found.map(|(account, key)| Ok((fixed(&account)?, fixed(&key)?))).transpose()
        })
    }

    async fn put_password(
        &self,
        account: AccountId,
        opaque_record: &[u8],
        keyring: &Keyring,
    ) -> Result<(), StorageError> {
        write!(self, |transaction| {
            accounts::put_keyring(&mut transaction, account, keyring).await?;
            query("UPDATE accounts SET opaque_record = $2 WHERE id = $1")
                .bind(account.as_bytes().as_slice())
                .bind(opaque_record)
                .execute(&mut *transaction)
                .await?;
            Ok(())
        })
    }
}
