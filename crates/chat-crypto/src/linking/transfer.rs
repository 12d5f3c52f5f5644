//! What goes over once both people have confirmed.
//!
//! ```text
//!  new                                                                         existing
//!  Comparing ─confirm─▶ Introduced                       Comparing ─confirm─▶ Confirmed
//!     introduction  { 0: bstr .cbor claim, 1: signature }  ─────────────▶  Candidate
//!     admission     { 0: certificate, 1: identity key, 2: lock,
//!                     3, 4: number and digest of the device list, 5: key }  ◀── Admitted
//!     receipt       empty, under the agreement of key 5 with the new one  ──▶  certificate
//! ```
//!
//! No secret goes over before: a state that can send or take the lock comes out of `confirm` only.
//! What goes over is the keyring's lock, not the keyring: the new device gets that from the relay,
//! like every other device. Normative: `docs/protocol/linking.md` §6.

use chat_core::codec::{Bytes, Digest, List};
use chat_core::device::DeviceCertificate;
use chat_core::envelope::WrapScheme;
use chat_core::id::DeviceId;
use chat_core::key::{AgreementKey, DeviceKey, IdentityKey, Signature};
use chat_core::signed::Unverified;
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};

use super::MESSAGE_BYTES_MAX;

/// The version of the admission, which is written as snapshots are, because it holds a secret.
pub(super) const WRITTEN_ADMISSION: u8 = 1;

/// What the new device says of itself.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Claim {
    #[n(0)]
    pub(super) device: DeviceId,
    #[n(1)]
    pub(super) key: DeviceKey,
    #[n(2)]
    pub(super) agreement: AgreementKey,
    #[n(3)]
    pub(super) schemes: List<WrapScheme, 8>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
pub(super) struct Introduction {
    #[n(0)]
    pub(super) claim: Bytes<MESSAGE_BYTES_MAX>,
    #[n(1)]
    pub(super) signature: Signature,
}

/// Borrowed on both ways, so that no copy of the lock is left behind.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(super) struct WrittenAdmission<'a> {
    #[n(0)]
    pub(super) certificate: Unverified<DeviceCertificate>,
    #[n(1)]
    pub(super) identity_key: IdentityKey,
    #[b(2)]
    pub(super) lock: &'a ByteSlice,
    #[n(3)]
    pub(super) list: u32,
    #[n(4)]
    pub(super) list_digest: Digest,
    #[n(5)]
    pub(super) ephemeral: AgreementKey,
}

/// What a device signs to show that the claim is its own, and made for this linking.
pub(super) fn signed_claim(transcript: &Digest, claim: &[u8]) -> Vec<u8> {
    [transcript.as_bytes(), claim].concat()
}
