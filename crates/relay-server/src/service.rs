//! What the relay does for people, one verb a file. Nothing here has heard of HTTP or sockets.
//!
//! | verb | file |
//! |---|---|
//! | register, log in, refresh, log out | [`register`], [`login`], [`device_login`], [`tokens`] |
//! | enrol, replace devices and keys | [`enrol`], [`devices`], [`keyring`], [`prekeys`] |
//! | look somebody up | [`accounts`] |
//! | what there is in a workspace, and who decides | [`workspaces`], [`invitations`], [`members`], [`channels`] |
//! | log-ins that last, and the end of an account | [`sessions`], [`ending`] |
//! | begin a conversation, change its members, read it | [`membership`], [`read`] |
//! | wake devices | [`push`] |
//! | keep a backup of history | [`backup`] |
//! | take what is disclosed about messages | [`reports`] |
//! | take in, hand out and delete blobs | [`blobs`] |
//! | give the past to who came later | [`rewrap`] |
//! | send, acknowledge, tell what was read, type | [`send`], [`receipts`], [`typing`] |
//! | what an operator does to accounts, on the machine itself | [`administration`] |
//!
//! Every verb but an operator's takes [`Services`] first; all refuse with a [`Reject`].

pub mod accounts;
pub mod administration;
pub mod authenticate;
pub mod backup;
pub mod blobs;
pub mod channels;
pub mod deletions;
pub mod device_login;
pub mod devices;
pub mod ending;
pub mod enrol;
pub mod invitations;
pub mod keyring;
pub mod linking;
pub mod login;
pub mod members;
pub mod membership;
pub mod prekeys;
pub mod presence;
pub mod push;
pub mod read;
pub mod receipts;
pub mod recovery;
pub mod register;
pub mod reports;
pub mod retention;
pub mod rewrap;
pub mod send;
pub mod sessions;
pub mod tokens;
pub mod typing;
pub mod unread;
pub mod workspaces;

use std::sync::Arc;
use std::time::Duration;

use chat_core::device::AccountDevices;
use chat_core::id::{AccountId, DeviceAddress, WorkspaceId};
use chat_core::reject::{Reject, RejectCode};
use chat_core::signed::VerifyError;
use chat_core::time::Timestamp;

use crate::acknowledgements::Acknowledgements;
use crate::audit::Audit;
use crate::auth::opaque::Opaque;
use crate::auth::refresh::RefreshSecret;
use crate::auth::tokens::Tokens;
use crate::blobs::depot::Depot;
use crate::bus::redis::meter::RedisMeter;
use crate::bus::{Bus, NodeId};
use crate::clock::Clock;
use crate::config::{Accounts, Rates};
use crate::directory::Directory;
use crate::limits::{Class, Limits, Subject};
use crate::metrics::{Metrics, vitals};
use crate::push::Pushers;
use crate::push::guard::Reach;
use crate::registry::Registry;
use crate::retention::ledger::Ledger;
use crate::storage::{FamilyId, Storage, StorageError};
use crate::writer::Writers;

use self::presence::Presences;

/// Everything the verbs work with.
#[derive(Debug)]
pub struct Services {
    /// The durable state.
    pub storage: Arc<dyn Storage>,
    /// The other nodes.
    pub bus: Arc<dyn Bus>,
    /// How Redis does, if there is one.
    pub redis: RedisMeter,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Which node this is.
    pub node: NodeId,
    /// The URLs that clients may know the relay by; the first signs tokens.
    pub origins: Vec<String>,
    /// Where accounts belong that come without an invitation.
    pub workspace: WorkspaceId,
    /// Who may register, and what becomes of names.
    pub accounts: Accounts,
    /// The epoch of the store.
    pub epoch: u64,
    /// Passwords.
    pub opaque: Opaque,
    /// Access tokens.
    pub tokens: Tokens,
    /// Where refresh tokens come from.
    pub refresh_secret: RefreshSecret,
    /// How often.
    pub limits: Arc<dyn Limits>,
    /// How often, in numbers.
    pub rates: Rates,
    /// Where the bytes of blobs are.
    pub depot: Depot,
    /// Who wakes devices.
    pub pushers: Pushers,
    /// Where web hooks may lead, if there are any.
    pub web_hooks: Option<Reach>,
    /// What is asked for with every message, remembered.
    pub directory: Directory,
    /// Who is connected here.
    pub registry: Registry,
    /// Who is there, and who is told.
    pub presence: Presences,
    /// How long messages are kept, and how many.
    pub retention: Arc<Ledger>,
    /// Where messages become durable.
    pub writers: Writers,
    /// Cursors on their way to the store.
    pub acknowledgements: Acknowledgements,
    /// Who waits at a mailbox.
    pub mailboxes: linking::Mailboxes,
    /// What is noted for the operator's auditors.
    pub audit: Audit,
    /// For how long that is kept.
    pub audit_kept: Duration,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// A device that has shown who it is, and is still one of its account's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caller {
    /// Which device.
    pub address: DeviceAddress,
    /// The refresh tokens it came with.
    pub family: FamilyId,
}

impl Services {
    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes one from what `subject` may do of `class`.
    ///
    /// # Errors
    ///
    /// As [`Limits::take`].
    pub async fn take(&self, class: Class, subject: Subject) -> Result<(), Reject> {
        self.take_many(class, subject, 1).await
    }

    /// Takes `count` at once.
    ///
    /// # Errors
    ///
    /// As [`Limits::take_many`].
    pub async fn take_many(
        &self,
        class: Class,
        subject: Subject,
        count: u32,
    ) -> Result<(), Reject> {
        let taken = self.limits.take_many(class, subject, count, self.now()).await;
        if taken.is_err() {
            self.metrics.limited(class);
            self.audit.note_limited(class, subject);
        }
        taken
    }

    /// What is counted, in Prometheus' text format.
    #[must_use]
    pub fn render_metrics(&self) -> String {
        let (bus, limits) = (self.bus.health(), self.limits.health());
        let mut text = self.metrics.render(bus, limits, self.audit.counts());
        vitals::render_storage(&mut text, self.storage.meter().counts(), self.storage.pool());
        vitals::render_redis(&mut text, self.redis.counts());
        text
    }

    /// An account's devices as they are stored, every signature checked.
    ///
    /// # Errors
    ///
    /// [`RejectCode::NotFound`], [`RejectCode::Internal`] if what is stored does not verify.
    pub async fn devices_of(&self, account: AccountId) -> Result<AccountDevices, Reject> {
        let keys = self.storage.account_keys(account).await?.ok_or(RejectCode::NotFound)?;
        AccountDevices::verify(account, keys.devices).map_err(|error| {
            tracing::error!(%account, %error, "stored devices do not verify");
            RejectCode::Internal.into()
        })
    }
}

/// A refusal for a signed object that is not believed.
pub(crate) fn not_verified(error: VerifyError) -> Reject {
    Reject::from(RejectCode::NotVerified).saying(format!("A signed object is refused: {error}."))
}

impl From<StorageError> for Reject {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NameTaken => RejectCode::NameTaken.into(),
            StorageError::AlreadyExists => RejectCode::AlreadyExists.into(),
            StorageError::ConversationExists(conversation) => {
                let mut reject = Self::from(RejectCode::ConversationExists);
                reject.conversation = Some(conversation);
                reject
            }
            StorageError::Conflict => RejectCode::Conflict.into(),
            StorageError::InvitationInvalid => RejectCode::InvitationInvalid.into(),
            StorageError::LastOwner => RejectCode::LastOwner.into(),
            StorageError::NotFound => RejectCode::NotFound.into(),
            StorageError::Unavailable => RejectCode::Unavailable.into(),
            StorageError::BlobMissing => RejectCode::BlobMissing.into(),
            StorageError::QuotaExceeded => RejectCode::QuotaExceeded.into(),
            StorageError::Full => RejectCode::StorageFull.into(),
            StorageError::Unstorable
            | StorageError::Corrupt
            | StorageError::TooNew { .. }
            | StorageError::TooOld { .. }
            | StorageError::Unfinished
            | StorageError::NotDurable(_) => {
                tracing::error!(%error, "storage failed");
                RejectCode::Internal.into()
            }
        }
    }
}
