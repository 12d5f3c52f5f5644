//! The relay's durable state, behind one trait with two implementations.
//!
//! ```text
//!  accounts ─┬─ devices ─┬─ prekeys                conversations ─┬─ entries    signed, append-only
//!            │           ├─ refresh families                      ├─ stays      who was in, from … to
//!            ├─ keys     └─ cursors ◀────────────────────────────▶├─ messages   sequence 1, 2, 3 …
//!            └─ keyring                                            └─ receipts
//! ```
//!
//! Every verb is one transaction, and one that may be repeated: who does not know whether a call
//! was carried out calls again and gets the first answer. (The exceptions hand something out once:
//! [`Storage::take_pending`] and [`Storage::take_bundles`].) When a verb has returned, what it
//! wrote survives a power cut.
//!
//! One message is one row, whatever the number of members. A device's place in a conversation is
//! its *cursor*: absent, it stands before the first message that its account may read. A device
//! that joins an account later begins at the end; what was before, it asks for as history.
//!
//! Absent: policy. Storage keeps what it is given, checks that nobody was faster, and never lets an
//! account read what was said before it joined or after it left.

pub mod administration;
mod backup;
pub mod blobs;
#[cfg(test)]
mod conformance;
mod deletion;
mod error;
pub mod linking;
mod month;
pub mod postgres;
mod presence;
pub mod push;
mod records;
pub mod recovery;
pub mod reports;
pub mod restoring;
mod retention;
mod rewrap;
mod row;
pub mod schema;
pub mod sqlite;
mod unread;
pub mod vitals;
pub mod workspaces;

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

use crate::audit::{AuditRecord, Chained};

pub use backup::BackupStorage;
pub use blobs::{BlobStorage, Piece, Placed, Reservation, Room, StoredBlob};
pub use deletion::DeletionStorage;
pub use error::StorageError;
pub use linking::LinkingStorage;
pub use presence::{LastSeen, PresenceStorage};
pub use push::{PushStorage, WakeUp};
pub use records::{
    Acknowledgement, ActiveDevices, AppendError, Appended, AuditEnds, Backlog, Conversation,
    DeviceState, DevicesReplaced, Expired, FamilyId, Freshness, LoginRecord, NewAccount,
    NewMessage, NewPrekeys, PendingKind, ReceiptOutcome, RefreshOutcome, Session, SessionState,
};
pub use retention::{Erased, Erasure, RetentionStorage, Usage};
pub use rewrap::RewrapStorage;
pub use unread::UnreadStorage;
pub use workspaces::{
    AccountErased, InvitationRecord, Joins, SessionRecord, Standing, WorkspaceRecord,
    WorkspaceStorage,
};

pub use recovery::RecoveryStorage;
pub use reports::{NewReport, ReportStorage, ReportSummary, Reportable, Which};

/// A page of messages ends after this many bytes of envelopes, however many were asked for.
pub const READ_BYTES_MAX: usize = 1024 * 1024;

/// The relay's durable state.
#[async_trait]
pub trait Storage:
    BackupStorage
    + BlobStorage
    + DeletionStorage
    + PresenceStorage
    + PushStorage
    + RetentionStorage
    + RewrapStorage
    + UnreadStorage
    + administration::Administration
    + vitals::Measured
    + LinkingStorage
    + RecoveryStorage
    + ReportStorage
    + WorkspaceStorage
    + std::fmt::Debug
    + Send
    + Sync
    + 'static
{
    // ── the store itself ────────────────────────────────────────────────────────────────────────

    /// Asks the backend whether it is there and has the schema that this relay needs.
    ///
    /// # Errors
    ///
    /// [`StorageError::Unavailable`], [`StorageError::TooOld`].
    async fn check(&self) -> Result<(), StorageError>;

    /// The epoch of the store: raised when it was restored from a backup.
    ///
    /// # Errors
    ///
    /// [`StorageError::Unavailable`], [`StorageError::Corrupt`], as every verb below.
    async fn epoch(&self) -> Result<u64, StorageError>;

    /// Returns the server secret called `name`; `candidate` becomes it if there is none yet.
    ///
    /// All nodes that race get the same bytes: the first candidate.
    async fn secret(
        &self,
        name: &str,
        candidate: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StorageError>;

    /// Returns the default workspace; `candidate` becomes it if there is none yet.
    async fn default_workspace(
        &self,
        candidate: WorkspaceId,
        now: Timestamp,
    ) -> Result<WorkspaceId, StorageError>;

    /// Ends every connection to the backend, once what runs has finished.
    async fn close(&self);

    // ── accounts and devices ────────────────────────────────────────────────────────────────────

    /// Stores a registration, and makes the account a member of its workspace.
    ///
    /// The same registration again is accepted again, and spends no invitation again.
    ///
    /// # Errors
    ///
    /// [`StorageError::NameTaken`], also for a name that a deleted account has left a short while
    /// ago; [`StorageError::InvitationInvalid`]; [`StorageError::AlreadyExists`] for another account of this id;
    /// [`StorageError::NotFound`] for an unknown workspace.
    async fn create_account(&self, new: &NewAccount, now: Timestamp) -> Result<(), StorageError>;

    /// What a log-in as `username` needs, without regard to case.
    async fn login_record(&self, username: &str) -> Result<Option<LoginRecord>, StorageError>;

    /// An account's name and workspace.
    async fn account(&self, account: AccountId) -> Result<Option<OwnAccount>, StorageError>;

    /// Everything public of an account, as it was uploaded.
    async fn account_keys(&self, account: AccountId) -> Result<Option<AccountKeys>, StorageError>;

    /// Whether a device may act.
    async fn device_state(&self, address: DeviceAddress) -> Result<DeviceState, StorageError>;

    /// Whether each of `sessions` may act, in their order.
    async fn session_states(&self, sessions: &[Session])
    -> Result<Vec<SessionState>, StorageError>;

    /// The active devices of `accounts`, in the order of the accounts' ids; unknown ones are left out.
    async fn active_devices(
        &self,
        accounts: &[AccountId],
    ) -> Result<Vec<ActiveDevices>, StorageError>;

    /// Who shares a conversation with `account` now, without the account itself: whom a new device
    /// list concerns.
    async fn acquaintances(&self, account: AccountId) -> Result<Vec<AccountId>, StorageError>;

    /// Replaces an account's device list by its successor.
    ///
    /// Devices that are active in the stored list but not in the new one lose their refresh tokens,
    /// prekeys and cursors; devices that were not listed get `prekeys`, if these are theirs, and
    /// begin at the end of each conversation. The same list again is accepted and changes nothing.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] for an unknown account; [`StorageError::Conflict`] if the stored
    /// list is not the one that the new list names as the one before.
    async fn replace_devices(
        &self,
        devices: &AccountDevices,
        prekeys: Option<&NewPrekeys>,
        now: Timestamp,
    ) -> Result<DevicesReplaced, StorageError>;

    /// Replaces an account's envelope keys by the next epoch's.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`]; [`StorageError::Conflict`] if it is not the next epoch.
    async fn put_envelope_keys(&self, keys: &Verified<EnvelopeKeys>) -> Result<(), StorageError>;

    /// An account's sealed keyring.
    async fn keyring(&self, account: AccountId) -> Result<Option<Keyring>, StorageError>;

    /// Replaces an account's sealed keyring by the one numbered next.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`]; [`StorageError::Conflict`] if the number is not the next.
    async fn put_keyring(&self, account: AccountId, keyring: &Keyring) -> Result<(), StorageError>;

    // ── log-in ──────────────────────────────────────────────────────────────────────────────────

    /// Keeps single-use state under `key` until `expires_at`.
    ///
    /// # Errors
    ///
    /// [`StorageError::Conflict`] if there is state of this kind and key already.
    async fn put_pending(
        &self,
        kind: PendingKind,
        key: &[u8],
        state: &[u8],
        expires_at: Timestamp,
    ) -> Result<(), StorageError>;

    /// Takes single-use state: to be had once, and not after it expired.
    async fn take_pending(
        &self,
        kind: PendingKind,
        key: &[u8],
        now: Timestamp,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StorageError>;

    /// Begins a family of refresh tokens with the token whose hash is given.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] if the device is not an active one.
    async fn insert_refresh(
        &self,
        family: FamilyId,
        address: DeviceAddress,
        hash: Digest,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StorageError>;

    /// Spends the refresh token whose hash is given, and makes `successor` valid in its place.
    ///
    /// A token that was spent before means theft: its family is revoked in the same transaction.
    /// Only the very same call, within `forgiven` and with a successor that is itself unspent, is
    /// [`RefreshOutcome::Repeated`]: the caller decides whether to believe it.
    async fn spend_refresh(
        &self,
        hash: Digest,
        successor: Digest,
        expires_at: Timestamp,
        forgiven: Duration,
        now: Timestamp,
    ) -> Result<RefreshOutcome, StorageError>;

    /// Revokes a family; an unknown one is no error.
    async fn revoke_family(&self, family: FamilyId) -> Result<(), StorageError>;

    /// Revokes all families of a device.
    async fn revoke_device(&self, address: DeviceAddress) -> Result<(), StorageError>;

    // ── prekeys ─────────────────────────────────────────────────────────────────────────────────

    /// Replaces a device's prekeys, what is left of the older set's included.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] if the device is not an active one; [`StorageError::Conflict`] if
    /// the stored set has the same number or a higher one, and is another.
    async fn put_prekeys(&self, prekeys: &NewPrekeys) -> Result<(), StorageError>;

    /// Takes a bundle for each device that has prekeys; each one-time prekey goes out once.
    async fn take_bundles(
        &self,
        devices: &[DeviceAddress],
    ) -> Result<Vec<PrekeyBundle>, StorageError>;

    /// How many one-time prekeys a device has left, and of which set.
    async fn prekey_count(&self, address: DeviceAddress) -> Result<PrekeyCount, StorageError>;

    // ── conversations ───────────────────────────────────────────────────────────────────────────

    /// Begins a conversation with its creation entry, from which `membership` was made.
    ///
    /// # Errors
    ///
    /// [`StorageError::ConversationExists`] if the two members of a direct conversation, or the
    /// document, have one in this workspace; [`StorageError::NotFound`] if a member is no account
    /// of it, or the workspace does not exist.
    async fn create_conversation(
        &self,
        entry: &Verified<MembershipEntry>,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<(), StorageError>;

    /// Appends the entry to its membership log; `membership` is what it leads to.
    ///
    /// Accounts that join read from the next message on or, where the policy says so, from the
    /// first; accounts that leave, up to the last one.
    /// Timers that waited for somebody who has left begin to run.
    ///
    /// # Errors
    ///
    /// [`StorageError::Conflict`] if the entry does not continue the stored head (and is not itself
    /// the stored entry of its index); [`StorageError::NotFound`] for an unknown conversation or a
    /// new member that is no account of its workspace.
    async fn append_entry(
        &self,
        entry: &Verified<MembershipEntry>,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<(), StorageError>;

    /// A conversation's members, rules, head and last sequence.
    async fn conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Conversation>, StorageError>;

    /// Up to `limit` entries of a membership log from index `from` on, as far as `reader` may read:
    /// a member all of it, a former member up to the entry with which it left, others nothing.
    async fn membership_page(
        &self,
        conversation: ConversationId,
        reader: AccountId,
        from: u64,
        limit: usize,
    ) -> Result<MembershipPage, StorageError>;

    /// Up to `limit` conversations that the account of `address` is a member of now, in the order
    /// of their ids, after the one given.
    async fn conversations_of(
        &self,
        address: DeviceAddress,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<ConversationPage, StorageError>;

    // ── messages ────────────────────────────────────────────────────────────────────────────────

    /// How many batches gain from being appended side by side; more would wait for each other.
    fn appenders(&self) -> usize;

    /// Appends `messages` to their conversations' logs in one transaction and returns, in their
    /// order, where each stands.
    ///
    /// Sequences are gapless per conversation, also with many writers and nodes. A message whose id
    /// its conversation already holds is not stored again; its first sequence is returned, also
    /// when the membership has moved on. Messages of one batch to one conversation are stored in
    /// the order given. A refused message does not hinder the others.
    ///
    /// # Errors
    ///
    /// [`StorageError::Unavailable`] or [`StorageError::Full`]: none of them is stored, as far as
    /// the backend could tell.
    async fn append(
        &self,
        messages: &[NewMessage],
        now: Timestamp,
    ) -> Result<Vec<Result<Appended, AppendError>>, StorageError>;

    /// Up to `limit` messages after `after`, oldest first, that the account of `address` may read:
    /// those from its time in the conversation, each with the wraps for this device only.
    ///
    /// A page also ends after [`READ_BYTES_MAX`], but never before its first message; its `more`
    /// says whether others follow. A message whose time is over has no envelope.
    async fn read_after(
        &self,
        address: DeviceAddress,
        conversation: ConversationId,
        after: Sequence,
        limit: usize,
        now: Timestamp,
    ) -> Result<MessagePage, StorageError>;

    /// Advances cursors, all in one statement; none ever goes back, or past the last message.
    ///
    /// Devices that are not active and conversations the account never was in are passed over.
    async fn acknowledge(&self, acknowledged: &[Acknowledgement]) -> Result<(), StorageError>;

    /// The conversations in which the devices have something to read after their cursors, for a
    /// device that connects, and for all connected ones when publishes may have been lost.
    async fn backlog(&self, devices: &[DeviceAddress]) -> Result<Vec<Backlog>, StorageError>;

    /// Keeps a receipt if it goes further than the device's last of its kind.
    ///
    /// A *seen* receipt may be the last one that an `after_seen` message waits for: when every
    /// other account that could read it and is still a member has seen it on some device, its timer
    /// runs from `now`.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] if the reader is no member, or there is no such message yet.
    async fn put_receipt(
        &self,
        receipt: &Verified<Receipt>,
        now: Timestamp,
    ) -> Result<ReceiptOutcome, StorageError>;

    /// The furthest receipts of a conversation: one of each kind for each device.
    async fn receipts(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<SignedReceipt>, StorageError>;

    // ── audit ───────────────────────────────────────────────────────────────────────────────────

    /// Appends to the audit log, in the order given.
    async fn append_audit(&self, records: &[AuditRecord]) -> Result<(), StorageError>;

    /// Up to `limit` entries of the audit log after the one numbered `after`.
    async fn read_audit(&self, after: u64, limit: usize) -> Result<Vec<Chained>, StorageError>;

    /// Where the audit log begins and ends.
    async fn audit_ends(&self) -> Result<AuditEnds, StorageError>;

    /// Forgets the entries of the audit log before the first that is not older than `before`;
    /// returns how many.
    async fn prune_audit(&self, before: Timestamp) -> Result<u64, StorageError>;

    // ── housekeeping ────────────────────────────────────────────────────────────────────────────

    /// Erases up to `limit` messages whose time is over: header, commitment, payload and wraps.
    ///
    /// Their places and ids stay. Nodes that sweep at once get different messages. On SQLite the
    /// erased bytes are gone from the file and its log when this returns, unless a reader held the
    /// log open; then the next sweep does it.
    async fn expire_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Expired>, StorageError>;

    /// Forgets single-use state, refresh tokens, invitations, reserved names and reports that have
    /// run out; returns how many.
    async fn forget_expired(&self, now: Timestamp) -> Result<u64, StorageError>;
}
