//! What storage keeps of devices that are being linked: messages in slots, for a quarter of an hour.

use async_trait::async_trait;
use chat_core::api::linking::LinkRow;
use chat_core::codec::Digest;
use chat_core::time::Timestamp;

use super::StorageError;

/// A slot of a mailbox, which is named by the digest of its rendezvous.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MailboxSlot {
    /// Which mailbox.
    pub mailbox: Digest,
    /// Whose row.
    pub row: LinkRow,
    /// Which place in it.
    pub slot: u8,
}

/// Mailboxes of devices that are being linked.
#[async_trait]
pub trait LinkingStorage {
    /// Fills a slot, and begins its mailbox, until `expires_at`, if there is none; the same message
    /// again changes nothing.
    ///
    /// # Errors
    ///
    /// [`StorageError::Conflict`] if the slot holds another message; [`StorageError::Full`] if it
    /// would be a mailbox more than `mailboxes_max`.
    async fn write_slot(
        &self,
        slot: MailboxSlot,
        message: &[u8],
        expires_at: Timestamp,
        mailboxes_max: u64,
        now: Timestamp,
    ) -> Result<(), StorageError>;

    /// What a slot holds; nothing any more once its mailbox's time is over.
    async fn read_slot(
        &self,
        slot: MailboxSlot,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StorageError>;

    /// Forgets mailboxes whose time is over; returns how many.
    async fn forget_mailboxes(&self, now: Timestamp) -> Result<u64, StorageError>;
}
