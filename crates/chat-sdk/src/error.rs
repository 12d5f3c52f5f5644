//! The one error that apps see: what to do about it, and underneath what happened.
//!
//! A [`Kind`] has a stable code and a sentence; the source is for logs and never holds content,
//! names or keys. A refusal of the relay keeps its [`Reject`], for the few callers that act on
//! more than its code.

use std::fmt;
use std::time::Duration;

use chat_core::codec::DecodeError;
use chat_core::reject::{Reject, RejectCode};
use chat_core::signed::VerifyError;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $code:literal $retry:ident $message:literal;)*) => {
        /// What went wrong, by what is to be done about it.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The stable code that programs act on.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// Tells whether the same call may succeed later without anybody doing anything.
            #[must_use]
            pub const fn is_transient(self) -> bool {
                match self { $(Self::$name => matches!(Retry::$retry, Retry::Later)),* }
            }

            /// A sentence that says what to do.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message),* }
            }
        }
    };
}

enum Retry {
    Later,
    Never,
}

kinds! {
    // The way to the relay.
    /// There is no connection at the moment.
    Offline "offline" Later "There is no connection to the relay at the moment; what was queued is sent when there is.";
    /// Nothing answers at the relay's address.
    RelayUnreachable "relay_unreachable" Later "No relay answers at this address; check the address and the network.";
    /// Something answers at the relay's address that cannot show to be the relay.
    RelayNotTrusted "relay_not_trusted" Later "The relay's certificate proves nothing to this device; check the address and the clock, or name the relay's authority.";
    /// The relay answered something that is not an answer.
    RelayFault "relay_fault" Later "The relay gave an answer that cannot be read; is this address a Sealwire relay?";
    /// The relay, or a part of it, cannot work at the moment.
    Unavailable "unavailable" Later "The relay cannot do this at the moment; try again.";
    /// Too many requests.
    RateLimited "rate_limited" Later "Too many requests; wait and try again.";
    /// The relay has no room, or a quota is used up.
    RelayFull "relay_full" Later "The relay has no room for this at the moment.";
    /// The relay's address is none.
    AddressInvalid "address_invalid" Never "The relay's address must be a URL like https://relay.example.";
    /// What was given as an authority's certificate is none.
    AuthorityInvalid "authority_invalid" Never "The authority's certificate cannot be read; give one in PEM or DER form.";

    // Accounts and devices.
    /// Username or password is wrong, and nobody says which.
    WrongPassword "wrong_password" Never "The username or the password is wrong.";
    /// Somebody has the username already.
    NameTaken "name_taken" Never "The username is taken; choose another.";
    /// The username breaks the rules.
    NameInvalid "name_invalid" Never "A username has 3 to 50 characters of a-z, 0-9, dot, underscore and hyphen.";
    /// The device's log-in is over and cannot be renewed.
    LoggedOut "logged_out" Never "This device is logged out; log in again.";
    /// The device was removed from its account.
    DeviceRemoved "device_removed" Never "This device was removed from its account.";
    /// The invitation was spent or revoked, has run out, or never was one.
    InvitationInvalid "invitation_invalid" Never "The invitation cannot be used any more; ask for another.";
    /// Nobody may register at the relay without an invitation, or at all.
    RegistrationClosed "registration_closed" Never "This relay registers nobody without an invitation.";
    /// An admin of the workspace has suspended the account.
    AccountSuspended "account_suspended" Never "This account is suspended; ask an admin of the workspace.";
    /// Without this account nobody would own the workspace.
    LastOwner "last_owner" Never "A workspace needs an owner; make somebody else one first.";
    /// The account has as many devices as it may have.
    TooManyDevices "too_many_devices" Never "The account has as many devices as it may have; remove one first.";
    /// The sealed keyring does not open, or is an older one.
    KeyringInvalid "keyring_invalid" Never "The account's keyring cannot be opened or is older than one seen before; the relay may be at fault.";

    /// What was scanned is no code for linking, or one of a device of the same kind.
    LinkCodeInvalid "link_code_invalid" Never "This is no code for linking, or one for the other kind of device.";
    /// A code for linking is no longer good, or somebody took too long.
    LinkExpired "link_expired" Never "The code is no longer good; show a new one.";
    /// The other person said no.
    LinkCancelled "link_cancelled" Never "Linking was cancelled on the other device.";
    /// Somebody else than the other device has answered.
    LinkNotAuthentic "link_not_authentic" Never "Somebody interfered with the linking; nothing was handed over. Show a new code.";

    /// Another device has put the account's keyring under a new lock.
    KeyringLocked "keyring_locked" Never "Another device has changed the password or the phrase; type one of them to go on.";

    // What the relay refuses.
    /// There is no such thing.
    NotFound "not_found" Never "There is no such thing.";
    /// Not a member of the conversation, or there is none.
    NotAMember "not_a_member" Never "This account is not a member of that conversation.";
    /// Known, but not allowed.
    Forbidden "forbidden" Never "This account is not allowed to do this.";
    /// It exists already.
    AlreadyExists "already_exists" Never "It exists already.";
    /// Two people have a direct conversation already.
    ConversationExists "conversation_exists" Never "There is a direct conversation of these two already; use it.";
    /// Somebody else was first.
    Conflict "conflict" Never "Somebody else was first; fetch what is new and try again.";
    /// The membership has changed since the message was sealed.
    StaleMembership "stale_membership" Never "The membership has changed; fetch it and seal the message again.";
    /// Devices have changed since the message was sealed.
    StaleDevices "stale_devices" Never "The devices of some members have changed; fetch their lists and seal the message again.";
    /// A limit is exceeded.
    TooLarge "too_large" Never "This exceeds a limit; make it smaller.";
    /// The request was not understood or makes no sense.
    Malformed "malformed" Never "The request makes no sense to the relay; the app may be older than the relay.";

    /// What this account may store at the relay is used up.
    QuotaExceeded "quota_exceeded" Never "The room of this account at the relay is used up; delete something first.";

    // Files.
    /// What is to be sent cannot be read.
    SourceFailed "source_failed" Never "The file that is to be sent cannot be read.";
    /// What is to be sent is not as long as it was.
    SourceChanged "source_changed" Never "The file has changed since it was attached; cancel, and attach it again.";
    /// What comes cannot be written.
    SinkFailed "sink_failed" Never "The file cannot be written; is there room?";
    /// The relay has given another blob, a changed one, or not all of it.
    AttachmentNotAuthentic "attachment_not_authentic" Never "The file is not the one that was sent; throw away what was saved of it.";

    /// A backup is another account's, damaged, cut short or mixed with another.
    BackupInvalid "backup_invalid" Never "This is no whole backup of this account.";

    // What does not hold.
    /// A signed object does not verify.
    NotVerified "not_verified" Never "Something that must be signed does not verify; it was not used.";
    /// A message is not from whom it claims, or was altered.
    NotAuthentic "not_authentic" Never "The message is not authentic; it was not used.";
    /// Somebody's identity key is not the one known so far.
    IdentityChanged "identity_changed" Never "The other's identity key has changed; compare safety numbers, then accept it.";
    /// A device list leads back or forks.
    DeviceListForged "device_list_forged" Never "A device list does not continue the one known so far; it was not used.";
    /// Somebody has no device that could read a message.
    NoDevices "no_devices" Never "The other has no device that could read this.";

    // The store.
    /// The key does not open the store, or the file is no store.
    StoreLocked "store_locked" Never "The key does not open this store, or the file is not a store.";
    /// The store was written by a newer version.
    StoreTooNew "store_too_new" Never "The store was written by a newer version; update the app.";
    /// There is no account in the store yet.
    StoreEmpty "store_empty" Never "There is no account in this store; register or log in.";
    /// There is an account in the store already.
    StoreInUse "store_in_use" Never "There is an account in this store already; open it, or use another file.";
    /// The system's key store is locked, fails, or there is none.
    KeychainUnavailable "keychain_unavailable" Never "The system's key store is locked or not there; unlock it, or give the store its key another way.";
    /// There is a store, and the system's key store has no key for it.
    StoreKeyMissing "store_key_missing" Never "The system's key store has no key for this store; nobody can read it without. Log in to a new one.";
    /// Another process holds the store for too long.
    StoreBusy "store_busy" Later "Another process is using the store; try again.";
    /// The disk is full.
    StoreFull "store_full" Later "There is no room left on this device; free some and try again.";
    /// The store cannot be read or written.
    StoreFailed "store_failed" Never "The store cannot be read or written; see the log for the cause.";
    /// The client was closed.
    Closed "closed" Never "The client was closed; open it again.";

    // The caller.
    /// An argument is outside its limits.
    ArgumentInvalid "argument_invalid" Never "An argument is outside its limits.";
    /// The library is at fault.
    Internal "internal" Never "Something went wrong in the library; this is a bug.";
}

impl Kind {
    /// Makes an error of this kind with a cause.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error { kind: self, source: Some(source.into()) }
    }
}

/// Why a call failed.
pub struct Error {
    kind: Kind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What calls of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What is to be done about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stable code, for example `name_taken`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// Tells whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }

    /// How long to wait before the next attempt, where the relay said so; at most
    /// [`RETRY_AFTER_MAX`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(self.reject()?)
    }

    /// The relay's refusal, if it was one.
    #[must_use]
    pub fn reject(&self) -> Option<&Reject> {
        self.source.as_ref()?.downcast_ref()
    }
}

/// The longest wait that a relay can impose: one that lies, or whose clock has gone mad, must not
/// keep a device away for good.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(15 * 60);

/// How long a refusal asks us to wait.
pub(crate) fn retry_after(reject: &Reject) -> Option<Duration> {
    reject.retry_after_ms.map(|ms| Duration::from_millis(ms).min(RETRY_AFTER_MAX))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.kind.message(), self.kind.code())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("kind", &self.kind).field("source", &self.source).finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self { kind, source: None }
    }
}

impl From<Reject> for Error {
    fn from(reject: Reject) -> Self {
        Kind::of_reject(reject.code).because(reject)
    }
}

impl From<VerifyError> for Error {
    fn from(error: VerifyError) -> Self {
        let kind = match error {
            VerifyError::Discontinuous => Kind::DeviceListForged,
            _ => Kind::NotVerified,
        };
        kind.because(error)
    }
}

/// Bytes of our own, or ones that somebody signed, that cannot be read.
impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        let kind = match error {
            DecodeError::TooLong => Kind::TooLarge,
            _ => Kind::RelayFault,
        };
        kind.because(error)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Kind::StoreLocked,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Kind::StoreBusy,
            Some(ErrorCode::DiskFull) => Kind::StoreFull,
            _ => Kind::StoreFailed,
        };
        kind.because(error)
    }
}

impl Kind {
    /// What a refusal of the relay means to an app.
    #[must_use]
    pub const fn of_reject(code: RejectCode) -> Self {
        match code {
            RejectCode::UnknownFrame | RejectCode::Malformed => Self::Malformed,
            RejectCode::TooLarge => Self::TooLarge,
            RejectCode::Unauthenticated
            | RejectCode::TokenExpired
            | RejectCode::TokenInvalid
            | RejectCode::TokenReplayed => Self::LoggedOut,
            RejectCode::InvalidCredentials => Self::WrongPassword,
            // What a newer relay says no to, or an older one has not, is not to be tried again.
            RejectCode::Forbidden | RejectCode::Unknown | RejectCode::MethodNotAllowed => {
                Self::Forbidden
            }
            RejectCode::NotAMember => Self::NotAMember,
            RejectCode::NotFound => Self::NotFound,
            RejectCode::NameTaken => Self::NameTaken,
            RejectCode::NameInvalid => Self::NameInvalid,
            RejectCode::AlreadyExists => Self::AlreadyExists,
            RejectCode::ConversationExists => Self::ConversationExists,
            RejectCode::Conflict | RejectCode::WrongOffset => Self::Conflict,
            RejectCode::RangeUnsatisfiable => Self::ArgumentInvalid,
            RejectCode::BlobMissing => Self::NotFound,
            RejectCode::QuotaExceeded => Self::QuotaExceeded,
            RejectCode::StaleMembership => Self::StaleMembership,
            RejectCode::StaleDevices => Self::StaleDevices,
            RejectCode::NotVerified => Self::NotVerified,
            RejectCode::StorageFull => Self::RelayFull,
            RejectCode::RateLimited => Self::RateLimited,
            RejectCode::DeviceRemoved => Self::DeviceRemoved,
            RejectCode::Displaced => Self::Offline,
            RejectCode::InvitationInvalid => Self::InvitationInvalid,
            RejectCode::RegistrationClosed => Self::RegistrationClosed,
            RejectCode::AccountSuspended => Self::AccountSuspended,
            RejectCode::LastOwner => Self::LastOwner,
            _ => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_kinds_share_a_code() {
        let codes: HashSet<_> = Kind::ALL.iter().map(|kind| kind.code()).collect();

        assert_eq!(codes.len(), Kind::ALL.len());
    }

    #[test]
    fn a_refusal_that_may_pass_is_transient_to_the_app_too() {
        for code in RejectCode::ALL {
            let kind = Kind::of_reject(*code);

            assert!(!code.is_transient() || kind.is_transient(), "{code:?} became {kind:?}");
        }
    }

    #[test]
    fn a_refusal_that_nobody_knows_is_final() {
        assert!(!Kind::of_reject(RejectCode::Unknown).is_transient());
    }

    #[test]
    fn a_refusal_keeps_when_to_try_again() {
        let reject = Reject { retry_after_ms: Some(1500), ..Reject::from(RejectCode::RateLimited) };

        let error = Error::from(reject);

        assert_eq!(error.code(), "rate_limited");
        assert_eq!(error.retry_after(), Some(Duration::from_millis(1500)));
        let reject =
            Reject { retry_after_ms: Some(u64::MAX), ..Reject::from(RejectCode::RateLimited) };
        assert_eq!(Error::from(reject).retry_after(), Some(RETRY_AFTER_MAX));
    }
}
