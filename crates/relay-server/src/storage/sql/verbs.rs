//! The verbs of [`Storage`], written once and compiled for each backend.
//!
//! ```text
//!  sqlite.rs ───┐                         ┌─▶ accounts, devices, login, prekeys,
//!               ├─ #[path] ─▶ this file ──┤    conversations, reading, receipts, audit
//!  postgres.rs ─┘                         └─▶ super: what the two do differently
//! ```
//!
//! A parent brings `Store` with `begin`, `read`, `check_room`, `make_month`, `forget_months`,
//! `note_erased` and `after_erasing`, the type `Connection`, the
//! macros `for_update!` and `for_share!`, and a module `batch` for what one of them does in one
//! statement and the other row by row. Both read `$1` as the first parameter.
//!
//! Each verb here is a transaction; its story is in the function of the same name.

// First: its macros are for all that follow.
#[macro_use]
mod transaction;

mod accounts;
mod administration;
mod audit;
mod backups;
mod blob_verbs;
mod blobs;
mod conversations;
mod deletion;
mod devices;
mod discovery;
mod ending;
mod invitations;
mod linking;
mod login;
mod messages;
mod naming;
mod prekeys;
mod presence;
mod pushes;
mod receipts;
mod recovery;
mod reports;
mod restoring;
mod retention;
mod rewrap;
mod unread;
mod workspace_verbs;
mod workspaces;

use std::time::Duration;

use async_trait::async_trait;
use chat_core::api::account::{AccountKeys, Keyring, OwnAccount};
use chat_core::api::conversations::{ConversationPage, MembershipPage, MessagePage};
use chat_core::api::prekeys::PrekeyCount;
use chat_core::codec::Digest;
use chat_core::device::AccountDevices;
use chat_core::envelope::EnvelopeKeys;
use chat_core::id::{AccountId, ConversationId, DeviceAddress, WorkspaceId};
use chat_core::membership::{Membership, MembershipEntry};
use chat_core::prekey::PrekeyBundle;
use chat_core::receipt::{Receipt, Sequence, SignedReceipt};
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use zeroize::Zeroizing;

use super::{Connection, STEPS, Store, batch};
use crate::audit::{AuditRecord, Chained};
use crate::storage::{
    Acknowledgement, ActiveDevices, AppendError, Appended, AuditEnds, Backlog, Conversation,
    DeviceState, DevicesReplaced, Expired, FamilyId, LoginRecord, NewAccount, NewMessage,
    NewPrekeys, PendingKind, ReceiptOutcome, RefreshOutcome, Session, SessionState, Storage,
    StorageError, month, row,
};

#[async_trait]
impl Storage for Store {
    async fn check(&self) -> Result<(), StorageError> {
        read!(self, accounts::check())
    }

    async fn epoch(&self) -> Result<u64, StorageError> {
        read!(self, accounts::epoch())
    }

    async fn secret(
        &self,
        name: &str,
        candidate: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        write!(self, accounts::secret(name, candidate))
    }

    async fn default_workspace(
        &self,
        candidate: WorkspaceId,
        now: Timestamp,
    ) -> Result<WorkspaceId, StorageError> {
        write!(self, accounts::default_workspace(candidate, now))
    }

    async fn close(&self) {
        self.end().await;
    }

    async fn create_account(&self, new: &NewAccount, now: Timestamp) -> Result<(), StorageError> {
        grow!(self, accounts::create(new, now))
    }

    async fn login_record(&self, username: &str) -> Result<Option<LoginRecord>, StorageError> {
        read!(self, accounts::login_record(username))
    }

    async fn account(&self, account: AccountId) -> Result<Option<OwnAccount>, StorageError> {
        read!(self, accounts::by_id(account))
    }

    async fn account_keys(&self, account: AccountId) -> Result<Option<AccountKeys>, StorageError> {
        read!(self, accounts::keys(account))
    }

    async fn device_state(&self, address: DeviceAddress) -> Result<DeviceState, StorageError> {
        read!(self, devices::state(address))
    }

    async fn session_states(
        &self,
        sessions: &[Session],
    ) -> Result<Vec<SessionState>, StorageError> {
        read!(self, login::session_states(sessions))
    }

    async fn active_devices(
        &self,
        accounts: &[AccountId],
    ) -> Result<Vec<ActiveDevices>, StorageError> {
        read!(self, devices::active(accounts))
    }

    async fn acquaintances(&self, account: AccountId) -> Result<Vec<AccountId>, StorageError> {
        read!(self, conversations::acquaintances(account))
    }

    async fn replace_devices(
        &self,
        devices: &AccountDevices,
        prekeys: Option<&NewPrekeys>,
        now: Timestamp,
    ) -> Result<DevicesReplaced, StorageError> {
        write!(self, devices::replace(devices, prekeys, now))
    }

    async fn put_envelope_keys(&self, keys: &Verified<EnvelopeKeys>) -> Result<(), StorageError> {
        write!(self, accounts::put_envelope_keys(keys))
    }

    async fn keyring(&self, account: AccountId) -> Result<Option<Keyring>, StorageError> {
        read!(self, accounts::keyring(account))
    }

    async fn put_keyring(&self, account: AccountId, keyring: &Keyring) -> Result<(), StorageError> {
        write!(self, accounts::put_keyring(account, keyring))
    }

    async fn put_pending(
        &self,
        kind: PendingKind,
        key: &[u8],
        state: &[u8],
        expires_at: Timestamp,
    ) -> Result<(), StorageError> {
        write!(self, login::put_pending(kind, key, state, expires_at))
    }

    async fn take_pending(
        &self,
        kind: PendingKind,
        key: &[u8],
        now: Timestamp,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StorageError> {
        write!(self, login::take_pending(kind, key, now))
    }

    async fn insert_refresh(
        &self,
        family: FamilyId,
        address: DeviceAddress,
        hash: Digest,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        write!(self, login::insert_refresh(family, address, hash, expires_at, now))
    }

    async fn spend_refresh(
        &self,
        hash: Digest,
        successor: Digest,
        expires_at: Timestamp,
        forgiven: Duration,
        now: Timestamp,
    ) -> Result<RefreshOutcome, StorageError> {
        write!(self, login::spend_refresh(hash, successor, expires_at, forgiven, now))
    }

    async fn revoke_family(&self, family: FamilyId) -> Result<(), StorageError> {
        write!(self, login::revoke_family(family))
    }

    async fn revoke_device(&self, address: DeviceAddress) -> Result<(), StorageError> {
        write!(self, login::revoke_device(address))
    }

    async fn put_prekeys(&self, prekeys: &NewPrekeys) -> Result<(), StorageError> {
        write!(self, prekeys::put(prekeys))
    }

    async fn take_bundles(
        &self,
        devices: &[DeviceAddress],
    ) -> Result<Vec<PrekeyBundle>, StorageError> {
        write!(self, prekeys::take(devices))
    }

    async fn prekey_count(&self, address: DeviceAddress) -> Result<PrekeyCount, StorageError> {
        read!(self, prekeys::count(address))
    }

    async fn create_conversation(
        &self,
        entry: &Verified<MembershipEntry>,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        grow!(self, conversations::create(entry, membership, now))
    }

    async fn append_entry(
        &self,
        entry: &Verified<MembershipEntry>,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        write!(self, conversations::append(entry, membership, now))
    }

    async fn conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Conversation>, StorageError> {
        read!(self, conversations::by_id(conversation))
    }

    async fn membership_page(
        &self,
        conversation: ConversationId,
        reader: AccountId,
        from: u64,
        limit: usize,
    ) -> Result<MembershipPage, StorageError> {
        read!(self, conversations::entries(conversation, reader, from, limit))
    }

    async fn conversations_of(
        &self,
        address: DeviceAddress,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<ConversationPage, StorageError> {
        read!(self, conversations::page_of(address, after, limit))
    }

    fn appenders(&self) -> usize {
        batch::APPENDERS
    }

    async fn append(
        &self,
        messages: &[NewMessage],
        now: Timestamp,
    ) -> Result<Vec<Result<Appended, AppendError>>, StorageError> {
        self.make_month(now).await?;
        match grow!(self, naming::append(messages, now)) {
            Err(StorageError::Unstorable) if self.forget_months() => {
                self.make_month(now).await?;
                grow!(self, naming::append(messages, now))
            }
            appended => appended,
        }
    }

    async fn read_after(
        &self,
        address: DeviceAddress,
        conversation: ConversationId,
        after: Sequence,
        limit: usize,
        now: Timestamp,
    ) -> Result<MessagePage, StorageError> {
        read!(self, messages::read_after(address, conversation, after, limit, now))
    }

    async fn acknowledge(&self, acknowledged: &[Acknowledgement]) -> Result<(), StorageError> {
        write!(self, batch::acknowledge(acknowledged))
    }

    async fn backlog(&self, devices: &[DeviceAddress]) -> Result<Vec<Backlog>, StorageError> {
        read!(self, batch::backlog(devices))
    }

    async fn put_receipt(
        &self,
        receipt: &Verified<Receipt>,
        now: Timestamp,
    ) -> Result<ReceiptOutcome, StorageError> {
        write!(self, receipts::put(receipt, now))
    }

    async fn receipts(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<SignedReceipt>, StorageError> {
        read!(self, receipts::of(conversation))
    }

    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StorageError> {
        write!(self, audit::append(records))
    }

    async fn read_audit(&self, after: u64, limit: usize) -> Result<Vec<Chained>, StorageError> {
        read!(self, audit::read(after, limit))
    }

    async fn audit_ends(&self) -> Result<AuditEnds, StorageError> {
        read!(self, audit::ends())
    }

    async fn prune_audit(&self, before: Timestamp) -> Result<u64, StorageError> {
        write!(self, audit::prune(before))
    }

    async fn expire_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Expired>, StorageError> {
        let expired: Result<Vec<Expired>, StorageError> =
            write!(self, naming::expire_due(now, limit));
        let expired = expired?;
        // Of many batches only the last one tidies up.
        match expired.len() < limit {
            true => self.after_erasing(expired.len()).await,
            false => self.note_erased(),
        }
        Ok(expired)
    }

    async fn forget_expired(&self, now: Timestamp) -> Result<u64, StorageError> {
        write!(self, login::forget_expired(now))
    }
}
