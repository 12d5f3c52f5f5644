//! Deletions: a device's signed word that a message is to be gone for everybody.
//!
//! The relay acts on it when it verifies, and shows it to readers in place of the message; they
//! check it again, since a relay may not make anything vanish that people keep. Normative:
//! `docs/protocol/deletion.md`.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::device::AccountDevices;
use crate::id::{AccountId, ConversationId, DeviceAddress, MessageId};
use crate::label::{self, Label};
use crate::membership::Membership;
use crate::signed::{Signable, Unverified, Verified, VerifyError};
use crate::time::Timestamp;

/// The version deletions are written in.
pub const VERSION: u8 = 1;

/// A device's word that a message is to be gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
pub struct Deletion {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// In which conversation.
    #[n(1)]
    pub conversation: ConversationId,
    /// Which message.
    #[n(2)]
    pub message: MessageId,
    /// Whose decision it was, signed on which device.
    #[n(3)]
    pub author: DeviceAddress,
    /// When, by the author's clock.
    #[n(4)]
    pub at: Timestamp,
}

impl Signable for Deletion {
    const LABEL: Label = label::DELETION;

    fn is_known_version(&self) -> bool {
        self.version == VERSION
    }
}

/// A deletion as it travels: beside it, who is to be asked for the key.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Debug, Eq, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
pub struct SignedDeletion {
    /// Who signed it, as they say.
    #[n(0)]
    pub signer: DeviceAddress,
    /// The deletion.
    #[n(1)]
    pub deletion: Unverified<Deletion>,
}

impl SignedDeletion {
    /// Checks the signature with the key that `devices`, the signer's own, holds for the device.
    ///
    /// A device that was removed still counts for what it signed before. Whether its account may
    /// delete the message is [`Membership::may_delete`]'s to say.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Forged`], [`VerifyError::Unreadable`] if it is of another version, or
    /// [`VerifyError::Misplaced`] for an unknown device, a device that was removed before, or a
    /// deletion that names another author.
    pub fn verify(self, devices: &AccountDevices) -> Result<Verified<Deletion>, VerifyError> {
        let misplaced = VerifyError::Misplaced;
        if devices.account() != self.signer.account {
            return Err(misplaced);
        }
        let certificate =
            devices.device_at(self.signer.device, Timestamp::default()).ok_or(misplaced)?;
        let deletion = self.deletion.verify(&certificate.key)?;
        let in_time = devices.device_at(self.signer.device, deletion.at).is_some();
        if deletion.author != self.signer || !in_time {
            return Err(misplaced);
        }
        Ok(deletion)
    }
}

impl Membership {
    /// Tells whether `author` may delete a message of `sender`: everybody their own, and others'
    /// whom the policy lets.
    #[must_use]
    pub fn may_delete(&self, author: AccountId, sender: AccountId) -> bool {
        let may_moderate = |role| self.policy().delete.is_some_and(|allowed| allowed.allows(role));
        author == sender || self.role(author).is_some_and(may_moderate)
    }
}
