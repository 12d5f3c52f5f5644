//! Receipts: how far a device has got, and how far its owner has read, signed by the device.
//!
//! A relay can delay a receipt; it cannot invent one.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::id::{ConversationId, DeviceAddress};
use crate::label::{self, Label};
use crate::signed::{Signable, Unverified, Verified, VerifyError};
use crate::time::Timestamp;

/// The version receipts are written in.
pub const VERSION: u8 = 1;

/// A place in a conversation's log: 1 for the first message, without gaps.
pub type Sequence = u64;

/// What a receipt says happened.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Encode, Decode, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptKind {
    /// The device holds the messages.
    #[n(1)]
    Delivered,
    /// Somebody looked at them there.
    #[n(2)]
    Seen,
}

/// A device's word on everything up to a sequence.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct Receipt {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// In which conversation.
    #[n(1)]
    pub conversation: ConversationId,
    /// Which device says so.
    #[n(2)]
    pub reader: DeviceAddress,
    /// What happened.
    #[n(3)]
    pub kind: ReceiptKind,
    /// To all messages up to this one.
    #[n(4)]
    pub up_to: Sequence,
    /// When, by the device's clock.
    #[n(5)]
    pub at: Timestamp,
}

impl Signable for Receipt {
    const LABEL: Label = label::RECEIPT;

    fn is_known_version(&self) -> bool {
        self.version == VERSION
    }
}

/// A receipt as it travels: beside it, who is to be asked for the key.
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cbor(map)]
pub struct SignedReceipt {
    /// Who signed it, as they say.
    #[n(0)]
    pub signer: DeviceAddress,
    /// The receipt.
    #[n(1)]
    pub receipt: Unverified<Receipt>,
}

impl SignedReceipt {
    /// Checks the receipt with the key of its signer's certificate.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Forged`], [`VerifyError::Unreadable`] if it is of another version, or
    /// [`VerifyError::Misplaced`] if it speaks for another device.
    pub fn verify(
        self,
        certificate: &Verified<crate::device::DeviceCertificate>,
    ) -> Result<Verified<Receipt>, VerifyError> {
        let receipt = self.receipt.verify(&certificate.key)?;
        if receipt.reader != certificate.address {
            return Err(VerifyError::Misplaced);
        }
        Ok(receipt)
    }
}
