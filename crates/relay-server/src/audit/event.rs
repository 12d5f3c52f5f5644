//! What is noted, and in which words.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chat_core::id::{AccountId, ConversationId, DeviceAddress};
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// What happened. Its name stands in the log and is never given to something else.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AuditEvent {
    /// An account was registered.
    AccountCreated,
    /// Somebody tried a password.
    PasswordLogin,
    /// Somebody tried a recovery phrase.
    RecoveryLogin,
    /// An account has another password.
    PasswordChanged,
    /// An account has another recovery phrase.
    RecoveryKeyReplaced,
    /// A device answered a challenge.
    DeviceLogin,
    /// A device logged out.
    LoggedOut,
    /// A refresh token came twice; its family is revoked.
    TokenReplayed,
    /// Something was asked for too often.
    LimitExceeded,
    /// There was no room left for what somebody wanted to store.
    QuotaExceeded,
    /// A device joined an account.
    DeviceAdded,
    /// A device was removed from an account.
    DeviceRemoved,
    /// An account has new envelope keys.
    EnvelopeKeysRotated,
    /// An account has another sealed keyring.
    KeyringReplaced,
    /// An account's backup of history was begun, begun anew, shortened, or sealed again.
    BackupReplaced,
    /// A device is to be woken elsewhere, or not any more.
    PushTargetSet,
    /// A push service does not know a device any more.
    PushTargetDropped,
    /// The keys of access tokens have changed.
    TokenKeysRotated,
    /// A conversation was begun.
    ConversationCreated,
    /// A conversation's members, roles or rules have changed.
    MembershipChanged,
    /// The node takes work.
    Started,
    /// The node has left.
    Stopped,
    /// The certificate for TLS has changed.
    CertificateChanged,
    /// Notes were given up, because the store was away for too long.
    NotesLost,
    /// A copy of everything was made.
    BackupMade,
    /// The store was filled from a backup; an epoch has begun.
    Restored,
    /// The schema was brought up to date by an operator.
    Migrated,
    /// An operator has used the command line.
    Administration,
    /// A workspace was made.
    WorkspaceCreated,
    /// An invitation was issued.
    InvitationIssued,
    /// An invitation was revoked.
    InvitationRevoked,
    /// A member of a workspace has another role.
    RoleChanged,
    /// An admin has suspended an account.
    AccountSuspended,
    /// An admin has reinstated an account.
    AccountReinstated,
    /// An admin has removed an account.
    AccountRemoved,
    /// Somebody has deleted their account.
    AccountDeleted,
    /// Somebody has reported messages.
    ReportFiled,
    /// An operator has looked at what a report discloses.
    ReportShown,
    /// An operator is done with a report.
    ReportClosed,
}

impl AuditEvent {
    /// Its name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountCreated => "account_created",
            Self::PasswordLogin => "password_login",
            Self::RecoveryLogin => "recovery_login",
            Self::PasswordChanged => "password_changed",
            Self::RecoveryKeyReplaced => "recovery_key_replaced",
            Self::DeviceLogin => "device_login",
            Self::LoggedOut => "logged_out",
            Self::TokenReplayed => "token_replayed",
            Self::LimitExceeded => "limit_exceeded",
            Self::QuotaExceeded => "quota_exceeded",
            Self::DeviceAdded => "device_added",
            Self::DeviceRemoved => "device_removed",
            Self::EnvelopeKeysRotated => "envelope_keys_rotated",
            Self::KeyringReplaced => "keyring_replaced",
            Self::BackupReplaced => "backup_replaced",
            Self::PushTargetSet => "push_target_set",
            Self::PushTargetDropped => "push_target_dropped",
            Self::TokenKeysRotated => "token_keys_rotated",
            Self::ConversationCreated => "conversation_created",
            Self::MembershipChanged => "membership_changed",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::CertificateChanged => "certificate_changed",
            Self::NotesLost => "notes_lost",
            Self::BackupMade => "backup_made",
            Self::Restored => "restored",
            Self::Migrated => "migrated",
            Self::Administration => "administration",
            Self::WorkspaceCreated => "workspace_created",
            Self::InvitationIssued => "invitation_issued",
            Self::InvitationRevoked => "invitation_revoked",
            Self::RoleChanged => "role_changed",
            Self::AccountSuspended => "account_suspended",
            Self::AccountReinstated => "account_reinstated",
            Self::AccountRemoved => "account_removed",
            Self::AccountDeleted => "account_deleted",
            Self::ReportFiled => "report_filed",
            Self::ReportShown => "report_shown",
            Self::ReportClosed => "report_closed",
        }
    }
}

/// How it went.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    #[n(1)]
    Done,
    /// It was refused.
    #[n(2)]
    Refused,
}

/// One entry, as it is kept and exported.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
pub struct AuditRecord {
    /// When, by the node's clock.
    #[n(0)]
    pub at: Timestamp,
    /// What, by its [`AuditEvent::name`].
    #[n(1)]
    pub event: String,
    /// How it went.
    #[n(2)]
    pub outcome: Outcome,
    /// Who did it: an account, or an account and its device.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Whom or what it concerns.
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// From which network: an IPv4 /24 or an IPv6 /48.
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// What else there is to say, in words of this program.
    #[n(6)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Which node noted it.
    #[n(7)]
    pub node: String,
}

/// Something to be noted: what, and whatever is known about it.
#[derive(Clone, Debug)]
pub struct Note {
    event: AuditEvent,
    outcome: Outcome,
    actor: Option<String>,
    target: Option<String>,
    network: Option<String>,
    detail: Option<String>,
}

impl Note {
    /// It was done.
    #[must_use]
    pub fn done(event: AuditEvent) -> Self {
        let (actor, target, network, detail) = (None, None, None, None);
        Self { event, outcome: Outcome::Done, actor, target, network, detail }
    }

    /// It was refused.
    #[must_use]
    pub fn refused(event: AuditEvent) -> Self {
        Self { outcome: Outcome::Refused, ..Self::done(event) }
    }

    /// By this device.
    #[must_use]
    pub fn by(self, device: DeviceAddress) -> Self {
        Self { actor: Some(device.to_string()), ..self }
    }

    /// By this account, on a device that is not known.
    #[must_use]
    pub fn by_account(self, account: AccountId) -> Self {
        Self { actor: Some(account.to_string()), ..self }
    }

    /// To this device.
    #[must_use]
    pub fn to_device(self, device: DeviceAddress) -> Self {
        Self { target: Some(device.to_string()), ..self }
    }

    /// In this conversation.
    #[must_use]
    pub fn within(self, conversation: ConversationId) -> Self {
        Self { target: Some(conversation.to_string()), ..self }
    }

    /// To this, as the program calls it.
    #[must_use]
    pub fn to_subject(self, subject: impl fmt::Display) -> Self {
        Self { target: Some(subject.to_string()), ..self }
    }

    /// From the network of this address.
    #[must_use]
    pub fn from(self, address: IpAddr) -> Self {
        Self { network: Some(network(address)), ..self }
    }

    /// With these words.
    #[must_use]
    pub fn saying(self, detail: impl fmt::Display) -> Self {
        Self { detail: Some(detail.to_string()), ..self }
    }

    /// As it is kept.
    #[must_use]
    pub fn record(self, at: Timestamp, node: impl fmt::Display) -> AuditRecord {
        let Self { event, outcome, actor, target, network, detail } = self;
        let (event, node) = (event.name().to_owned(), node.to_string());
        AuditRecord { at, event, outcome, actor, target, network, detail, node }
    }
}

/// The network that an address belongs to: enough to see an attack, too little to find a person.
pub(super) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let first = Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8));
            format!("{first}/24")
        }
        IpAddr::V6(address) => {
            let first = Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80));
            format!("{first}/48")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_as_its_network() {
        for (address, expected) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2:3::9", "2001:db8:1::/48"),
        ] {
            assert_eq!(network(address.parse().unwrap()), expected);
        }
    }
}
