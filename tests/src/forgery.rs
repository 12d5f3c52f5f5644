//! What a relay can make without anybody's keys: things that are consistent in themselves, and
//! signed by keys of its own.

use chat_core::api::account::AccountKeys;
use chat_core::api::conversations::MembershipHead;
use chat_core::codec::{Bytes, Digest, List};
use chat_core::device::{DeviceCertificate, DeviceList, ListedDevice, PublishedDevices, VERSION};
use chat_core::envelope::WrapScheme;
use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_core::membership::{Change, MembershipEntry, SignedEntry};
use chat_core::prekey::PrekeyBundle;
use chat_core::receipt::{Receipt, ReceiptKind, Sequence, SignedReceipt};
use chat_core::time::Timestamp;
use chat_crypto::identity::{DeviceSecrets, IdentitySecret};
use chat_crypto::prekey::PrekeySecrets;
use chat_crypto::wrap::EnvelopeSecrets;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

/// When it says that things were made.
const THEN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Somebody with keys of their own, and nobody else's.
#[allow(missing_debug_implementations, reason = "it holds secrets")]
pub struct Forger {
    identity: IdentitySecret,
    device: DeviceSecrets,
    rng: ChaCha20Rng,
}

#[allow(clippy::expect_used)]
impl Forger {
    /// Other keys for each seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let identity = IdentitySecret::generate(&mut rng);
        Self { identity, device: DeviceSecrets::generate(&mut rng), rng }
    }

    /// Keys for `account` in which nothing is the account's own.
    ///
    /// # Panics
    ///
    /// Never: one device is no long list.
    pub fn keys_for(&mut self, account: AccountId, username: &str) -> AccountKeys {
        let envelope = EnvelopeSecrets::generate(account, 1, &mut self.rng);
        AccountKeys {
            account,
            username: username.to_owned(),
            devices: self.devices_of(account, 1, Digest::ZERO),
            envelope_keys: self.identity.sign_envelope_keys(&envelope.public(THEN)),
            deleted_at: None,
        }
    }

    /// The account's own keys, with the forger's device as the only one of a next list. Who signed
    /// that list is hidden behind the account's own identity key.
    ///
    /// # Panics
    ///
    /// Never: one device is no long list.
    pub fn with_my_device(&mut self, keys: &AccountKeys) -> AccountKeys {
        let devices = self.devices_of(keys.account, 2, keys.devices.list.digest());
        let identity_key = keys.devices.identity_key;
        AccountKeys { devices: PublishedDevices { identity_key, ..devices }, ..keys.clone() }
    }

    fn devices_of(
        &mut self,
        account: AccountId,
        number: u32,
        previous: Digest,
    ) -> PublishedDevices {
        let device = DeviceId::random(&mut self.rng);
        let certificate = self.identity.certify(&DeviceCertificate {
            version: VERSION,
            address: DeviceAddress { account, device },
            key: self.device.key(),
            agreement: self.device.agreement(),
            schemes: List::new(vec![WrapScheme::Ratchet]).expect("one is not too many"),
            created_at: THEN,
        });
        let listed = ListedDevice { device, certificate: certificate.digest(), removed_at: None };
        let list = self.identity.sign_list(&DeviceList {
            version: VERSION,
            account,
            number,
            previous,
            devices: List::new(vec![listed]).expect("one is not too many"),
            created_at: THEN,
        });
        PublishedDevices {
            identity_key: self.identity.key(),
            list,
            certificates: List::new(vec![certificate]).expect("one is not too many"),
        }
    }

    /// Prekeys of the forger's own, as those of the device at `address`.
    pub fn bundle_for(&mut self, address: DeviceAddress) -> PrekeyBundle {
        let (_, upload) = PrekeySecrets::generate(&self.device, address, 1, 1, THEN, &mut self.rng);
        let one_time = upload.one_time.first().cloned();
        PrekeyBundle { address, set: upload.set, one_time }
    }

    /// The next entry of a log, in the name of `author`.
    ///
    /// # Panics
    ///
    /// Never: one entry is short.
    #[must_use]
    pub fn entry_after(
        &self,
        head: &MembershipHead,
        author: DeviceAddress,
        change: Change,
    ) -> SignedEntry {
        let entry = MembershipEntry {
            version: chat_core::membership::VERSION,
            conversation: Some(head.conversation),
            index: head.index + 1,
            previous: head.head,
            author,
            at: THEN,
            change,
        };
        let entry = self.device.sign_object(&entry).expect("an entry is short");
        SignedEntry { signer: author, entry }
    }

    /// A receipt in the name of `reader`.
    ///
    /// # Panics
    ///
    /// Never: a receipt is short.
    #[must_use]
    pub fn receipt_of(
        &self,
        reader: DeviceAddress,
        conversation: chat_core::id::ConversationId,
        up_to: Sequence,
    ) -> SignedReceipt {
        let version = chat_core::receipt::VERSION;
        let kind = ReceiptKind::Seen;
        let receipt = Receipt { version, conversation, reader, kind, up_to, at: THEN };
        let receipt = self.device.sign_object(&receipt).expect("a receipt is short");
        SignedReceipt { signer: reader, receipt }
    }

    /// Bytes that look like a sealed keyring.
    ///
    /// # Panics
    ///
    /// Never: they are few.
    #[must_use]
    pub fn nonsense<const MAX: usize>() -> Bytes<MAX> {
        Bytes::new(vec![7; 64]).expect("few bytes")
    }
}
