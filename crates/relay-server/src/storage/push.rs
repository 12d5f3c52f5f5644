//! Where devices can be woken, and the queue of wake-ups: one row for each device that has mail.
//!
//! ```text
//!  wake ─▶ due ─▶ leased ─▶ delivered: gone, unless there is more mail since
//!           ▲        │
//!           └────────┴─ failed: due later, until it is dead
//! ```
//!
//! A lease is a due time in the future: of several nodes one gets the row, and when that node dies
//! the next one does, after the lease.

use async_trait::async_trait;
use chat_core::api::push::PushTarget;
use chat_core::id::{AccountId, DeviceAddress};
use chat_core::time::Timestamp;

use super::StorageError;

/// A wake-up that is to be delivered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WakeUp {
    /// Whom.
    pub address: DeviceAddress,
    /// Where.
    pub target: PushTarget,
    /// Which state of its row this is.
    pub number: u64,
    /// How often it was tried before.
    pub attempts: u32,
}

/// The part of the durable state that is about push.
#[async_trait]
pub trait PushStorage {
    /// Makes `target` the one place where the device is woken; none: nowhere.
    async fn set_push_target(
        &self,
        address: DeviceAddress,
        target: Option<&PushTarget>,
    ) -> Result<(), StorageError>;

    /// Forgets where a device was to be woken, unless it is another place by now.
    async fn drop_push_target(
        &self,
        address: DeviceAddress,
        target: &PushTarget,
    ) -> Result<(), StorageError>;

    /// Devices that have a target, after the one given, in the order of their addresses.
    async fn push_devices(
        &self,
        after: Option<DeviceAddress>,
        limit: usize,
    ) -> Result<Vec<DeviceAddress>, StorageError>;

    /// Queues a wake-up at `due_at` for each device of `accounts` that has a target. One that is
    /// queued already stands for this too; a dead one lives again.
    async fn wake(&self, accounts: &[AccountId], due_at: Timestamp) -> Result<(), StorageError>;

    /// Takes up to `limit` wake-ups that are due; nobody else gets them until `leased_until`.
    async fn lease_wake_ups(
        &self,
        now: Timestamp,
        leased_until: Timestamp,
        limit: usize,
    ) -> Result<Vec<WakeUp>, StorageError>;

    /// Ends a wake-up. If it stands for more since it was leased, it is due again at `again_at`.
    async fn wake_up_done(
        &self,
        address: DeviceAddress,
        number: u64,
        again_at: Timestamp,
    ) -> Result<(), StorageError>;

    /// Counts an attempt that failed; the next one is at `due_at`, or, without, there is none.
    async fn wake_up_failed(
        &self,
        address: DeviceAddress,
        due_at: Option<Timestamp>,
    ) -> Result<(), StorageError>;

    /// How many wake-ups wait, and how many are dead.
    async fn wake_ups_waiting(&self) -> Result<(u64, u64), StorageError>;
}
