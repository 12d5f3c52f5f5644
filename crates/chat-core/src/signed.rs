//! Signed objects: bytes and signature first, meaning only after the check.
//!
//! ```text
//!  network ──▶ Unverified<T> ──verify(key)──▶ Verified<T> ──▶ whoever asks for proof
//! ```
//!
//! The received bytes are what was signed; they are never decoded before the signature held, and
//! never encoded again to check it. A function that takes `Verified<T>` cannot be called with
//! anything unchecked.

use std::marker::PhantomData;
use std::ops::Deref;

use minicbor::{Decode, Decoder, Encode, Encoder};
use serde::{Deserialize, Serialize};

use crate::codec::{Bytes, DecodeError, Digest, from_bytes, to_bytes};
use crate::key::{Signature, Verifier};
use crate::label::Label;
use crate::limits::SIGNED_OBJECT_BYTES_MAX;

/// Something that is only believed when it is signed.
pub trait Signable: Encode<()> + for<'b> Decode<'b, ()> {
    /// What a signature over it is made for.
    const LABEL: Label;

    /// Whether it is of a version that this code knows; what it means would be a guess otherwise.
    fn is_known_version(&self) -> bool {
        true
    }
}

/// Why a signed object is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The signature is not the named signer's, over these bytes, for this purpose.
    #[error("the signature does not verify")]
    Forged,
    /// The signer signed something this version cannot read.
    #[error("the signed bytes cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    /// The object is signed, but for another place than the one it was found in.
    #[error("the signed object belongs somewhere else")]
    Misplaced,
    /// A chain of objects has a gap, a fork, or leads back.
    #[error("the signed object does not continue what is already known")]
    Discontinuous,
}

/// A signed object as it came, not believed yet.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Unverified<T> {
    signed: SignedBytes,
    #[serde(skip)]
    kind: PhantomData<fn() -> T>,
}

/// A signed object: the bytes as they were signed (CBOR), and the signature over them.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Signed"))]
#[cbor(map)]
pub(crate) struct SignedBytes {
    /// What was signed.
    #[n(0)]
    bytes: Bytes<SIGNED_OBJECT_BYTES_MAX>,
    /// By whom the object's description says.
    #[n(1)]
    signature: Signature,
}

impl<T, C> Encode<C> for Unverified<T> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.signed.encode(e, ctx)
    }
}

impl<'b, T, C> Decode<'b, C> for Unverified<T> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Self { signed: SignedBytes::decode(d, ctx)?, kind: PhantomData })
    }
}

impl<T> Clone for Unverified<T> {
    fn clone(&self) -> Self {
        Self { signed: self.signed.clone(), kind: PhantomData }
    }
}

impl<T> PartialEq for Unverified<T> {
    fn eq(&self, other: &Self) -> bool {
        self.signed == other.signed
    }
}

impl<T> Eq for Unverified<T> {}

impl<T: Signable> Unverified<T> {
    /// Encodes `object` and has `sign` sign the bytes under the object's label.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooLong`] if the object exceeds [`SIGNED_OBJECT_BYTES_MAX`].
    pub fn sign(
        object: &T,
        sign: impl FnOnce(Label, &[u8]) -> Signature,
    ) -> Result<Self, DecodeError> {
        let bytes = Bytes::new(to_bytes(object))?;
        let signature = sign(T::LABEL, &bytes);
        Ok(Self { signed: SignedBytes { bytes, signature }, kind: PhantomData })
    }

    /// Checks the signature over the received bytes, then reads them.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Forged`], or [`VerifyError::Unreadable`] when the signature held.
    pub fn verify(self, signer: &impl Verifier) -> Result<Verified<T>, VerifyError> {
        if !signer.verifies(T::LABEL, &self.signed.bytes, &self.signed.signature) {
            return Err(VerifyError::Forged);
        }
        let object: T = from_bytes(&self.signed.bytes)?;
        if !object.is_known_version() {
            return Err(DecodeError::UnknownKind.into());
        }
        Ok(Verified { object, source: self })
    }

    /// The SHA-256 of the signed bytes: how one object names another.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.signed.bytes)
    }

    /// The signed bytes, without a claim about what they say.
    #[must_use]
    pub fn signed_bytes(&self) -> &[u8] {
        &self.signed.bytes
    }
}

/// A signed object whose signature held; reads like the object itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified<T> {
    object: T,
    source: Unverified<T>,
}

impl<T> Verified<T> {
    /// What came over the network, to hand on or to store.
    #[must_use]
    pub fn source(&self) -> &Unverified<T> {
        &self.source
    }

    /// The object, without its proof.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.object
    }
}

impl<T: Signable> Verified<T> {
    /// The SHA-256 of the signed bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.source.digest()
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.object
    }
}
