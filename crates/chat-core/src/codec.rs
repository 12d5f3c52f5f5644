//! The two encodings of everything Sealwire says, and the byte strings both are made of.
//!
//! ```text
//!  binary   deterministic CBOR (RFC 8949 §4.2), structs as maps with rising integer keys,
//!           enums as [variant, fields] or, without fields, as the bare variant number
//!  JSON     the same names in snake case, byte strings as unpadded base64url, ids as UUID text
//! ```
//!
//! Unknown keys are skipped, so a newer peer may add some; bytes after the value are refused.
//! Signed objects are never encoded twice: their bytes travel as they were signed, see
//! [`crate::signed`].

use std::fmt;
use std::ops::Deref;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::{Decoder, Encoder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why bytes could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are not the CBOR that this type is written in.
    #[error("the bytes are not a well-formed value of this type")]
    Malformed,
    /// Something of a size that is not allowed stands in the bytes.
    #[error("the bytes exceed the limit for this type")]
    TooLong,
    /// A value is followed by bytes that belong to nothing.
    #[error("there are bytes after the end of the value")]
    TrailingBytes,
    /// A variant number this version does not know.
    #[error("the value is of a kind this version does not know")]
    UnknownKind,
}

impl From<minicbor::decode::Error> for DecodeError {
    fn from(error: minicbor::decode::Error) -> Self {
        if error.is_unknown_variant() {
            Self::UnknownKind
        } else if error.to_string().contains(TOO_LONG) {
            Self::TooLong
        } else {
            Self::Malformed
        }
    }
}

const TOO_LONG: &str = "too long for this field";

/// Encodes `value` as deterministic CBOR.
#[must_use]
pub fn to_bytes<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    // A message of 1 KiB grows this three times, where an empty one would grow nine times.
    let mut bytes = Vec::with_capacity(256);
    // INVARIANT: writing to a Vec cannot fail, and no encoder of ours returns an error itself.
    let Ok(()) = Encoder::new(&mut bytes).encode(value).map(drop) else { return bytes };
    bytes
}

/// Decodes exactly one value from `bytes`.
///
/// # Errors
///
/// [`DecodeError`], the first problem met.
pub fn from_bytes<'b, T: minicbor::Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let value = decoder.decode()?;
    if decoder.position() != bytes.len() {
        return Err(DecodeError::TrailingBytes);
    }
    Ok(value)
}

/// Writes bytes as unpadded base64url (RFC 4648 §5).
#[must_use]
pub fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads unpadded base64url.
///
/// # Errors
///
/// [`DecodeError::Malformed`] if it is something else.
pub fn from_base64url(text: &str) -> Result<Vec<u8>, DecodeError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| DecodeError::Malformed)
}

/// A byte string of at most `MAX` bytes.
///
/// The limit is checked against the length prefix, before anything is copied.
#[derive(Clone, Default, Eq, Hash, PartialEq)]
pub struct Bytes<const MAX: usize>(Vec<u8>);

impl<const MAX: usize> Bytes<MAX> {
    /// Takes the bytes over.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooLong`] above `MAX`.
    pub fn new(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        if bytes.len() > MAX {
            return Err(DecodeError::TooLong);
        }
        Ok(Self(bytes))
    }

    /// Gives the bytes back.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl<const MAX: usize> Deref for Bytes<MAX> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const MAX: usize> fmt::Debug for Bytes<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes)", self.0.len())
    }
}

impl<C, const MAX: usize> minicbor::Encode<C> for Bytes<MAX> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C, const MAX: usize> minicbor::Decode<'b, C> for Bytes<MAX> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = d.bytes()?;
        if bytes.len() > MAX {
            return Err(minicbor::decode::Error::message(TOO_LONG));
        }
        Ok(Self(bytes.to_vec()))
    }
}

impl<const MAX: usize> Serialize for Bytes<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_base64url(&self.0))
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Bytes<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        if text.len() > MAX.saturating_mul(4).div_ceil(3) {
            return Err(serde::de::Error::custom(TOO_LONG));
        }
        let bytes = from_base64url(&text).map_err(serde::de::Error::custom)?;
        Self::new(bytes).map_err(serde::de::Error::custom)
    }
}

/// A list of at most `MAX` items; longer ones are refused by their length prefix.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> List<T, MAX> {
    /// Takes the items over.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooLong`] above `MAX`.
    pub fn new(items: Vec<T>) -> Result<Self, DecodeError> {
        if items.len() > MAX {
            return Err(DecodeError::TooLong);
        }
        Ok(Self(items))
    }

    /// Gives the items back.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> IntoIterator for List<T, MAX> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T, const MAX: usize> IntoIterator for &'a List<T, MAX> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<C, T: minicbor::Encode<C>, const MAX: usize> minicbor::Encode<C> for List<T, MAX> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C, T: minicbor::Decode<'b, C>, const MAX: usize> minicbor::Decode<'b, C> for List<T, MAX> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let length =
            d.array()?.ok_or_else(|| minicbor::decode::Error::message("indefinite length"))?;
        if length > MAX as u64 {
            return Err(minicbor::decode::Error::message(TOO_LONG));
        }
        (0..length).map(|_| d.decode_with(ctx)).collect::<Result<Vec<T>, _>>().map(Self)
    }
}

impl<T: Serialize, const MAX: usize> Serialize for List<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Defines a public byte string of fixed length, with both encodings.
macro_rules! fixed_bytes {
    ($(#[doc = $doc:literal])* $name:ident, $length:expr) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; $length]);

        impl $name {
            /// How many bytes it has.
            pub const BYTES: usize = $length;

            /// Takes the bytes as they are; whether they mean anything shows when they are used.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::schema::fixed($length, concat!($($doc),*))
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = $crate::codec::DecodeError;
            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                let bytes = bytes.try_into().map_err(|_| $crate::codec::DecodeError::Malformed)?;
                Ok(Self(bytes))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let [a, b, c, d, ..] = self.0;
                write!(f, "{}({a:02x}{b:02x}{c:02x}{d:02x}…)", stringify!($name))
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
                serializer.serialize_str(&$crate::codec::to_base64url(&self.0))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                $crate::codec::from_base64url(&text)
                    .and_then(|bytes| Self::try_from(bytes.as_slice()))
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use fixed_bytes;

fixed_bytes!(
    /// A SHA-256 digest (FIPS 180-4).
    Digest,
    32
);

impl Digest {
    /// What stands where there is nothing to hash: before the first link of a chain.
    pub const ZERO: Self = Self([0; 32]);

    /// Hashes `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// Hashes the concatenation of `parts`.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        use sha2::Digest as _;
        let mut hash = sha2::Sha256::new();
        for part in parts {
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_byte_string_than_allowed_is_refused() {
        let bytes = to_bytes(&Bytes::<8>::new(vec![1; 8]).unwrap());

        assert!(from_bytes::<Bytes<8>>(&bytes).is_ok());
        assert_eq!(from_bytes::<Bytes<7>>(&bytes), Err(DecodeError::TooLong));
    }

    #[test]
    fn a_length_prefix_that_promises_too_much_is_refused() {
        // An array said to have 2³² - 1 items, and a byte string said to have as many bytes.
        assert_eq!(
            from_bytes::<List<u8, 10>>(&[0x9a, 0xff, 0xff, 0xff, 0xff]),
            Err(DecodeError::TooLong)
        );
        assert_eq!(
            from_bytes::<Bytes<10>>(&[0x5a, 0xff, 0xff, 0xff, 0xff]),
            Err(DecodeError::Malformed)
        );
    }

    #[test]
    fn bytes_after_the_value_are_refused() {
        assert_eq!(from_bytes::<u8>(&[1, 2]), Err(DecodeError::TrailingBytes));
    }

    #[test]
    fn json_writes_bytes_as_base64url() {
        let bytes = Bytes::<3>::new(vec![0xfb, 0xff, 0xfe]).unwrap();

        let json = serde_json::to_string(&bytes).unwrap();

        assert_eq!(json, r#""-__-""#);
        assert_eq!(serde_json::from_str::<Bytes<3>>(&json).unwrap(), bytes);
        assert!(serde_json::from_str::<Bytes<2>>(&json).is_err());
    }
}
