//! People with one device each, and messages between them.

use std::sync::LazyLock;

use chat_core::codec::{Bytes, Digest, List};
use chat_core::device::DeviceCertificate;
use chat_core::envelope::{Content, Envelope, EnvelopeKeys, Header, Suite, WrapScheme};
use chat_core::id::{AccountId, ConversationId, DeviceAddress, DeviceId, MessageId};
use chat_core::prekey::PrekeyBundle;
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use chat_crypto::identity::{DeviceSecrets, IdentitySecret};
use chat_crypto::keyring::Keyring;
use chat_crypto::prekey::PrekeySecrets;
use chat_crypto::session::{Local, Sessions};
use chat_crypto::wrap::EnvelopeSecrets;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng as _};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// The number of a recipient's device list, and of the sender's own.
pub(crate) const LIST: u32 = 3;
const SENDER_LIST: u32 = 7;
pub(crate) const CONVERSATION: ConversationId = ConversationId::from_bytes([0xc0; 16]);

pub(crate) struct Person {
    pub(crate) address: DeviceAddress,
    pub(crate) device: DeviceSecrets,
    pub(crate) certificate: Verified<DeviceCertificate>,
    pub(crate) keyring: Keyring,
    pub(crate) envelope_keys: Verified<EnvelopeKeys>,
    pub(crate) prekeys: PrekeySecrets,
    pub(crate) bundle: PrekeyBundle,
}

/// A seeded generator: every test draws the same every time.
pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// One RSA epoch for all tests: its primes take a while to find.
static RSA_EPOCH: LazyLock<EnvelopeSecrets> = LazyLock::new(|| {
    let mut rng = rng(4096);
    let account = AccountId::random(&mut rng);
    EnvelopeSecrets::generate(account, 1, &mut rng).with_rsa(&mut rng).unwrap()
});

impl Person {
    /// Somebody with X25519 and X-Wing keys.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let account = AccountId::random(&mut rng);
        let epoch = EnvelopeSecrets::generate(account, 1, &mut rng);
        Self::with_epoch(epoch, &mut rng)
    }

    /// Somebody with an RSA key too; the same account every time.
    pub(crate) fn with_rsa() -> Self {
        Self::with_epoch(
            EnvelopeSecrets::from_snapshot(&RSA_EPOCH.to_snapshot()).unwrap(),
            &mut rng(4097),
        )
    }

    pub(crate) fn with_epoch(epoch: EnvelopeSecrets, rng: &mut impl CryptoRng) -> Self {
        let identity = IdentitySecret::generate(rng);
        let device = DeviceSecrets::generate(rng);
        let address = DeviceAddress { account: epoch.account(), device: DeviceId::random(rng) };
        let certificate = identity
            .certify(&DeviceCertificate {
                version: chat_core::device::VERSION,
                address,
                key: device.key(),
                agreement: device.agreement(),
                schemes: List::new(vec![WrapScheme::Ratchet]).unwrap(),
                created_at: NOW,
            })
            .verify(&identity.key())
            .unwrap();
        let envelope_keys =
            identity.sign_envelope_keys(&epoch.public(NOW)).verify(&identity.key()).unwrap();
        let (prekeys, upload) = PrekeySecrets::generate(&device, address, 1, 2, NOW, rng);
        let one_time = upload.one_time.first().cloned();
        let bundle = PrekeyBundle { address, set: upload.set, one_time };
        let keyring = Keyring::new(identity, epoch, rng);
        Self { address, device, certificate, keyring, envelope_keys, prekeys, bundle }
    }

    pub(crate) fn local(&self) -> Local<'_> {
        Local {
            address: self.address,
            identity: self.keyring.identity().key(),
            device: &self.device,
        }
    }

    /// New sessions with the device of `other`.
    pub(crate) fn start_with(&self, other: &Self, seed: u64) -> Sessions {
        let bundle = other.bundle.clone().verify(&other.certificate).unwrap();
        Sessions::new(other.address)
            .start(&self.local(), other.keyring.identity().key(), &bundle, NOW, &mut rng(seed))
            .unwrap()
    }
}

/// A header from `sender`.
pub(crate) fn header(sender: &Person, suite: Suite) -> Header {
    Header {
        version: chat_core::envelope::VERSION,
        suite,
        conversation: CONVERSATION,
        sender: sender.address,
        message: MessageId::from_bytes([0x3e; 16]),
        sent_at: NOW,
        expiry: None,
        membership_index: 4,
        membership_head: Digest::of(b"the members"),
    }
}

/// Content from `sender` that says `text`.
pub(crate) fn content(sender: &Person, text: &[u8]) -> Content {
    Content {
        version: chat_core::envelope::VERSION,
        sender: sender.address,
        conversation: CONVERSATION,
        number: 1,
        previous: Digest::ZERO,
        kind: "text".to_owned(),
        body: Bytes::new(text.to_vec()).unwrap(),
        sender_list: SENDER_LIST,
        inflated_length: None,
    }
}

/// A signed envelope from `sender` with one wrap by `scheme` for each of `recipients`.
pub(crate) fn signed_envelope(
    sender: &Person,
    text: &[u8],
    scheme: WrapScheme,
    recipients: &[&Person],
) -> Envelope {
    let mut rng = rng(99);
    let header = header(sender, Suite::Signed);
    let content = content(sender, text);
    let mut sealed =
        chat_crypto::envelope::seal(&header, &content, Some(&sender.device), &mut rng).unwrap();
    for recipient in recipients {
        sealed.wrap_for_account(&recipient.envelope_keys, scheme, LIST, &mut rng).unwrap();
    }
    sealed.into_envelope()
}
