//! Every refusal a relay can utter: a stable code, an HTTP status, and whether to try again.
//!
//! The code is what programs act on and never changes its meaning; the message is a sentence for
//! people and may.

use minicbor::decode::{Decoder, Error};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec::List;
use crate::id::{AccountId, ConversationId};

macro_rules! rejects {
    ($($(#[$doc:meta])* $number:literal $name:ident $code:literal $status:literal $retry:ident $message:literal;)*) => {
        /// Why the relay refused.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Encode, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cbor(index_only)]
        #[non_exhaustive]
        pub enum RejectCode {
            $($(#[$doc])* #[n($number)] #[serde(rename = $code)] $name,)*
            /// A refusal that this version does not know; nobody utters it.
            #[n(65535)]
            #[serde(rename = "unknown", other)]
            Unknown,
        }

        impl<'b, C> Decode<'b, C> for RejectCode {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
                Ok(match d.u32()? { $($number => Self::$name,)* _ => Self::Unknown })
            }
        }

        impl RejectCode {
            /// All that a relay utters.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* Self::Unknown => "unknown" }
            }

            /// The status of a REST answer that carries it.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $status,)* Self::Unknown => 500 }
            }

            /// Tells whether the same request may succeed later.
            #[must_use]
            pub const fn is_transient(self) -> bool {
                match self { $(Self::$name => matches!(Retry::$retry, Retry::Later),)* Self::Unknown => false }
            }

            /// A sentence that says what to do.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$name => $message,)*
                    Self::Unknown => "The relay refuses, for a reason this version does not know.",
                }
            }
        }
    };
}

enum Retry {
    Later,
    Never,
}

rejects! {
    /// The bytes or the text could not be read.
    0 Malformed "malformed" 400 Never "The request could not be read; check its encoding and its fields.";
    /// A frame of a kind this relay does not know.
    1 UnknownFrame "unknown_frame" 400 Never "This relay does not know frames of this kind; it may be older than the client.";
    /// Something exceeds its limit.
    2 TooLarge "too_large" 413 Never "The request exceeds a limit; see /v1/limits.";
    /// Nobody has said who they are yet.
    3 Unauthenticated "unauthenticated" 401 Never "Authenticate first: send a bearer token, or an authenticate frame.";
    /// The access token ran out.
    4 TokenExpired "token_expired" 401 Never "The access token has expired; refresh it.";
    /// The token is not one of this relay's, or was revoked.
    5 TokenInvalid "token_invalid" 401 Never "The token is not valid here; log in again.";
    /// A refresh token was used twice, so its whole family is revoked.
    6 TokenReplayed "token_replayed" 401 Never "The refresh token was already used; every session of its family is ended. Log in again.";
    /// Username or password, or a challenge's answer, is wrong.
    7 InvalidCredentials "invalid_credentials" 401 Never "The username or the password is wrong.";
    /// Known, but not allowed.
    8 Forbidden "forbidden" 403 Never "This account is not allowed to do this.";
    /// The account is not a member of the conversation, or there is no such conversation.
    9 NotAMember "not_a_member" 403 Never "This account is not a member of that conversation.";
    /// There is no such thing.
    10 NotFound "not_found" 404 Never "There is no such thing here.";
    /// Somebody has the username already.
    11 NameTaken "name_taken" 409 Never "The username is taken; choose another.";
    /// The username breaks the rules.
    12 NameInvalid "name_invalid" 400 Never "A username has 3 to 50 characters of a-z, 0-9, dot, underscore and hyphen.";
    /// The object exists already.
    13 AlreadyExists "already_exists" 409 Never "It exists already.";
    /// The two people have a direct conversation already; its id is in `conversation`.
    14 ConversationExists "conversation_exists" 409 Never "There is a direct conversation of these two already; use it.";
    /// Somebody else was first; catch up and try again.
    15 Conflict "conflict" 409 Never "Somebody else was first; fetch what is new and try again.";
    /// The message names a membership head that is no longer, or not, the head.
    16 StaleMembership "stale_membership" 409 Never "The membership has changed; fetch it and seal the message again.";
    /// The wraps are not for exactly the devices there are; the accounts are in `accounts`.
    17 StaleDevices "stale_devices" 409 Never "The devices of some members have changed; fetch their lists and seal the message again.";
    /// A signature or a rule does not hold.
    18 NotVerified "not_verified" 422 Never "A signed object does not verify.";
    /// A store has no room, or a quota is used up.
    19 StorageFull "storage_full" 507 Later "The relay has no room for this at the moment.";
    /// Too many requests; `retry_after_ms` says when.
    20 RateLimited "rate_limited" 429 Later "Too many requests; wait and try again.";
    /// A part the relay needs is not there at the moment.
    21 Unavailable "unavailable" 503 Later "The relay cannot do this at the moment; try again.";
    /// The relay is about to leave.
    22 Draining "draining" 503 Later "The relay is shutting down; connect again in a moment.";
    /// The relay's fault.
    23 Internal "internal" 500 Later "Something went wrong in the relay.";
    /// The device was removed from its account.
    24 DeviceRemoved "device_removed" 401 Never "This device was removed from its account.";
    /// A newer connection of the same device took this one's place.
    25 Displaced "displaced" 409 Never "The device has connected anew; this connection is closed.";
    /// What an account, or its workspace, may store is used up.
    26 QuotaExceeded "quota_exceeded" 507 Never "The quota is used up; delete something first.";
    /// The upload does not stand where the piece begins; `offset` says where it does.
    27 WrongOffset "wrong_offset" 409 Never "The upload goes on at another offset.";
    /// The part that was asked for begins behind the end.
    28 RangeUnsatisfiable "range_unsatisfiable" 416 Never "The range begins behind the end.";
    /// A message names a blob that is not there, or not complete.
    29 BlobMissing "blob_missing" 409 Never "A blob that is named is not there, or not complete; upload it again.";
    /// The invitation was spent or revoked, has run out, or never was one.
    30 InvitationInvalid "invitation_invalid" 403 Never "The invitation cannot be used any more; ask for another.";
    /// Nobody may register here without an invitation, or at all.
    31 RegistrationClosed "registration_closed" 403 Never "This relay registers nobody without an invitation.";
    /// An admin has suspended the account.
    32 AccountSuspended "account_suspended" 403 Never "This account is suspended; ask an admin of the workspace.";
    /// Without this account nobody would own the workspace.
    33 LastOwner "last_owner" 409 Never "A workspace needs an owner; make somebody else one first.";
    /// The path does not take the method; which ones it takes is in `Allow`.
    34 MethodNotAllowed "method_not_allowed" 405 Never "The path does not take this method.";
}

/// A refusal, as it travels in frames and as REST's error body.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{} ({})", self.message, self.code.code())]
#[cbor(map)]
pub struct Reject {
    /// What programs act on.
    #[n(0)]
    pub code: RejectCode,
    /// What people read.
    #[n(1)]
    pub message: String,
    /// When to try again, where that is known.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
    /// The accounts it is about, for [`RejectCode::StaleDevices`].
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub accounts: Option<List<AccountId, 100>>,
    /// The conversation it is about, for [`RejectCode::ConversationExists`].
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation: Option<ConversationId>,
    /// Where the upload stands, in bytes, for [`RejectCode::WrongOffset`].
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offset: Option<u64>,
}

impl Reject {
    /// The same refusal, with a sentence that fits the case better.
    #[must_use]
    pub fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}

impl From<RejectCode> for Reject {
    fn from(code: RejectCode) -> Self {
        Self {
            code,
            message: code.message().to_owned(),
            retry_after_ms: None,
            accounts: None,
            conversation: None,
            offset: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_refusals_share_a_code() {
        let codes: HashSet<_> = RejectCode::ALL.iter().map(|reject| reject.code()).collect();

        assert_eq!(codes.len(), RejectCode::ALL.len());
    }

    #[test]
    fn json_carries_the_stable_code() {
        let json = serde_json::to_value(Reject::from(RejectCode::NameTaken)).unwrap();

        assert_eq!(json["code"], "name_taken");
        assert!(json.get("accounts").is_none());
    }

    #[test]
    fn a_code_of_a_newer_relay_is_read_as_unknown_and_final() {
        let newer = [0xa2, 0x00, 0x19, 0x03, 0xe7, 0x01, 0x62, b'N', b'o'];

        let binary: Reject = crate::codec::from_bytes(&newer).unwrap();
        let json: Reject = serde_json::from_str(r#"{"code":"newer","message":"No"}"#).unwrap();

        assert_eq!(binary, json);
        assert_eq!(binary.code, RejectCode::Unknown);
        assert!(!binary.code.is_transient());
        assert!(!RejectCode::ALL.contains(&RejectCode::Unknown));
    }

    #[test]
    fn every_code_survives_both_encodings() {
        for code in RejectCode::ALL {
            let reject = Reject::from(*code);
            let json = serde_json::to_string(&reject).unwrap();

            assert_eq!(
                crate::codec::from_bytes(&crate::codec::to_bytes(&reject)),
                Ok(reject.clone())
            );
            assert_eq!(serde_json::from_str::<Reject>(&json).unwrap(), reject);
        }
    }
}
