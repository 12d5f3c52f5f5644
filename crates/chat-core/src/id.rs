//! Ids: sixteen bytes each, a type each, so that one cannot stand where another is meant.
//!
//! All are random (UUIDv4 in text) except a conversation's, which is the beginning of the hash of
//! its signed creation entry: nobody can give a conversation another beginning.

use std::fmt;
use std::str::FromStr;

use rand_core::CryptoRng;

use crate::codec::{DecodeError, Digest};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name(
            #[cfg_attr(feature = "schema", schemars(with = "crate::schema::UuidText"))] [u8; 16],
        );

        impl $name {
            /// How many bytes it has.
            pub const BYTES: usize = 16;

            /// Takes the bytes as they are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = DecodeError;
            fn try_from(bytes: &[u8]) -> Result<Self, DecodeError> {
                Ok(Self(bytes.try_into().map_err(|_| DecodeError::Malformed)?))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = DecodeError;
            fn from_str(text: &str) -> Result<Self, DecodeError> {
                let id = uuid::Uuid::try_parse(text).map_err(|_| DecodeError::Malformed)?;
                Ok(Self(id.into_bytes()))
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(
                d: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                Self::try_from(d.bytes()?).map_err(minicbor::decode::Error::message)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<str>::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
    ($(#[$doc:meta])* $name:ident, random) => {
        id!($(#[$doc])* $name);

        impl $name {
            /// Draws a new one: a UUIDv4, 122 random bits.
            pub fn random(rng: &mut impl CryptoRng) -> Self {
                let mut bytes = [0; 16];
                rng.fill_bytes(&mut bytes);
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid().into_bytes())
            }
        }
    };
}

id!(
    /// A person or a bot, with all their devices.
    AccountId, random
);
id!(
    /// One installation of an app.
    DeviceId, random
);
id!(
    /// A conversation: the first sixteen bytes of the SHA-256 of its signed creation entry.
    ConversationId
);
id!(
    /// A message; chosen by its sender, so that a resend is recognised.
    MessageId, random
);
id!(
    /// An invitation to a workspace, as it is listed and revoked; not its token.
    InvitationId, random
);
id!(
    /// A report of messages to whoever runs the relay; drawn by the reporter.
    ReportId, random
);
id!(
    /// A workspace: what accounts, conversations and searches are scoped to.
    WorkspaceId, random
);
id!(
    /// A blob; drawn by the relay. Who knows it, and is of the same workspace, may fetch the blob.
    BlobId, random
);
id!(
    /// A backup of an account's history; another one begins with another id.
    BackupId, random
);

impl ConversationId {
    /// The id that follows from the bytes of a creation entry.
    #[must_use]
    pub fn of_creation(entry: &[u8]) -> Self {
        let [a @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
            *Digest::of(entry).as_bytes();
        Self(a)
    }
}

/// A device and whose it is: what a session, a wrap and a signature belong to.
#[derive(
    Clone,
    Copy,
    Debug,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    minicbor::Encode,
    minicbor::Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct DeviceAddress {
    /// Whose it is.
    #[n(0)]
    pub account: AccountId,
    /// Which of theirs.
    #[n(1)]
    pub device: DeviceId,
}

impl fmt::Display for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.device)
    }
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn text_is_a_uuid_of_version_four() {
        let id = AccountId::random(&mut rand_chacha::ChaCha20Rng::seed_from_u64(1));

        let text = id.to_string();

        assert_eq!(text.len(), 36);
        assert_eq!(text.as_bytes().get(14), Some(&b'4'));
        assert_eq!(text.parse(), Ok(id));
    }

    #[test]
    fn something_else_is_not_an_id() {
        assert_eq!("alice".parse::<AccountId>(), Err(DecodeError::Malformed));
        assert_eq!(DeviceId::try_from(&[0; 15][..]), Err(DecodeError::Malformed));
    }
}
