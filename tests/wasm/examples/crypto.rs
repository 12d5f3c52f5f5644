//! All of the cryptography in one module for the browser, to see what it weighs.
//!
//! A conversation of two, from their keys to messages on a session, in an envelope and on a sender
//! chain, an attachment, a backup and a device that is linked, so that nothing of it can be left out. `cargo xtask wasm` builds it and tells its size.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, reason = "never shipped")]

use chat_core::codec::{Bytes, Digest, List, from_bytes, to_bytes};
use chat_core::device::DeviceCertificate;
use chat_core::envelope::{Content, Envelope, Header, Suite, VERSION, WrapScheme};
use chat_core::id::{AccountId, ConversationId, DeviceAddress, DeviceId, MessageId};
use chat_core::prekey::PrekeyBundle;
use chat_core::signed::Verified;
use chat_core::time::Timestamp;
use chat_crypto::attachment::{AttachmentOpener, AttachmentSealer};
use chat_crypto::backup::{BackupHead, Records};
use chat_crypto::compression::deflated;
use chat_crypto::envelope::{Via, open, seal, unwrap_by_chain, unwrap_for_account};
use chat_crypto::identity::{DeviceSecrets, IdentitySecret};
use chat_crypto::keyring::Keyring;
use chat_crypto::linking::{Existing, LinkCode, New, Scanned, Showing};
use chat_crypto::prekey::PrekeySecrets;
use chat_crypto::recovery::RecoveryPhrase;
use chat_crypto::safety_number::SafetyNumber;
use chat_crypto::sender_chain::{Audience, ReceivingChains, SendingChain};
use chat_crypto::session::{Local, Sessions};
use chat_crypto::wrap::EnvelopeSecrets;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use wasm_bindgen::prelude::wasm_bindgen;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const LIST: u32 = 1;
const CONVERSATION: ConversationId = ConversationId::from_bytes([7; 16]);

struct Person {
    address: DeviceAddress,
    device: DeviceSecrets,
    certificate: Verified<DeviceCertificate>,
    keyring: Keyring,
    prekeys: PrekeySecrets,
    bundle: PrekeyBundle,
}

impl Person {
    fn new(rng: &mut ChaCha20Rng) -> Self {
        let address =
            DeviceAddress { account: AccountId::random(rng), device: DeviceId::random(rng) };
        let identity = IdentitySecret::generate(rng);
        let device = DeviceSecrets::generate(rng);
        let certificate = identity
            .certify(&DeviceCertificate {
                version: chat_core::device::VERSION,
                address,
                key: device.key(),
                agreement: device.agreement(),
                schemes: List::new(vec![WrapScheme::Ratchet]).expect("one is few"),
                created_at: NOW,
            })
            .verify(&identity.key())
            .expect("we signed it");
        let (prekeys, upload) = PrekeySecrets::generate(&device, address, 1, 1, NOW, rng);
        let one_time = upload.one_time.first().cloned();
        let bundle = PrekeyBundle { address, set: upload.set, one_time };
        let epoch = EnvelopeSecrets::generate(address.account, 1, rng);
        let keyring = Keyring::new(identity, epoch, rng);
        Self { address, device, certificate, keyring, prekeys, bundle }
    }

    fn local(&self) -> Local<'_> {
        let identity = self.keyring.identity().key();
        Local { address: self.address, identity, device: &self.device }
    }
}

/// Has two people talk; gives back what the second understood.
#[wasm_bindgen]
pub fn converse(seed: &[u8], envelope: &[u8], text: &[u8]) -> Vec<u8> {
    let mut rng = ChaCha20Rng::from_seed(seed.try_into().expect("32 bytes"));
    let (alice, bob) = (Person::new(&mut rng), Person::new(&mut rng));
    let mut heard = on_a_session(&alice, &bob, text, &mut rng);
    heard.extend(in_an_envelope(&alice, &bob, text, &mut rng));
    heard.extend(read_envelope(&alice, &bob, envelope, &mut rng).unwrap_or_default());
    heard.extend(on_a_chain(&alice, text, &mut rng));
    heard.extend(attached(text, &mut rng));
    heard.extend(backed_up(&bob, text, &mut rng));
    heard.push(u8::from(linked(&bob.device, &mut rng)));
    heard.extend(recovered(&bob, &mut rng));
    let number = SafetyNumber::between(identity(&alice), identity(&bob));
    heard.extend(number.to_string().bytes());
    heard
}

fn identity(person: &Person) -> (AccountId, chat_core::key::IdentityKey) {
    (person.address.account, person.keyring.identity().key())
}

fn on_a_session(alice: &Person, bob: &Person, text: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let bundle = bob.bundle.clone().verify(&bob.certificate).expect("bob signed it");
    let theirs = bob.keyring.identity().key();
    let sessions = Sessions::new(bob.address)
        .start(&alice.local(), theirs, &bundle, NOW, rng)
        .expect("the bundle is good");
    let (message, _) = sessions.encrypt(text, b"", NOW, rng).expect("the session is new");
    let sessions = Sessions::from_snapshot(&Sessions::new(alice.address).to_snapshot());
    let ours = alice.keyring.identity().key();
    let prekeys = [&bob.prekeys];
    let opened = sessions.expect("we wrote it").decrypt(
        &bob.local(),
        &alice.certificate,
        ours,
        &prekeys,
        &message,
        b"",
        NOW,
    );
    opened.expect("alice made it").plaintext.to_vec()
}

fn header(alice: &Person, suite: Suite, rng: &mut ChaCha20Rng) -> Header {
    Header {
        version: VERSION,
        suite,
        conversation: CONVERSATION,
        sender: alice.address,
        message: MessageId::random(rng),
        sent_at: NOW,
        expiry: None,
        membership_index: 0,
        membership_head: Digest::ZERO,
    }
}

fn content(alice: &Person, text: &[u8]) -> Content {
    deflated(Content {
        version: VERSION,
        sender: alice.address,
        conversation: CONVERSATION,
        number: 1,
        previous: Digest::ZERO,
        kind: "text".to_owned(),
        body: Bytes::new(text.to_vec()).expect("it is short"),
        sender_list: LIST,
        inflated_length: None,
    })
}

fn on_a_chain(alice: &Person, text: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let chain = SendingChain::begin(CONVERSATION, alice.address, NOW, rng);
    let hand_out = chain.hand_out(Audience::of(0, Digest::ZERO, []));
    let held = ReceivingChains::new(CONVERSATION, alice.address);
    let held = held.accept(&hand_out, NOW).expect("it is the first");
    let header = header(alice, Suite::Chained, rng);
    let mut sealed = seal(&header, &content(alice, text), None, rng).expect("it fits");
    sealed.wrap_by_chain(&chain).expect("the chain is new");
    let envelope = sealed.into_envelope();
    let unwrapped = unwrap_by_chain(&envelope, &envelope.wraps[0], &held, NOW).expect("it is hers");
    let opened = open(&envelope, &unwrapped.secret, &alice.certificate, unwrapped.via);
    opened.expect("alice sealed it").content.body.into_vec()
}

fn attached(file: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut sealer = AttachmentSealer::new(file.len() as u64, rng).expect("it is small");
    let (mut blob, mut part, mut rest) = (Vec::new(), vec![0; 1 << 16], file);
    while !sealer.is_done() {
        let progress = sealer.seal(rest, &mut part).expect("it is as long as was said");
        rest = &rest[progress.consumed..];
        blob.extend_from_slice(&part[..progress.written]);
    }
    let description = sealer.finish().expect("it is done");
    let mut opener = AttachmentOpener::new(&description);
    let opened = opener.open(&blob, &mut part).expect("we sealed it");
    part[..opened.written].to_vec()
}

fn backed_up(bob: &Person, record: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut records = Records::new();
    records.push(record, None).expect("it is short");
    let (segment, head) = BackupHead::begin(rng).append(&bob.keyring, &records, rng);
    let sealed = head.seal(&bob.keyring, rng);
    let head = BackupHead::open(&sealed, &bob.keyring, None).expect("we sealed it");
    let segment = head.reader().open(&segment, &bob.keyring).expect("it is the last");
    segment.records().flatten().copied().collect()
}

/// As far as what both people see, and the first sealed message.
fn linked(device: &DeviceSecrets, rng: &mut ChaCha20Rng) -> bool {
    let showing = Showing::<New>::begin(NOW, rng);
    let code = LinkCode::read(showing.code().as_bytes(), NOW).expect("we drew it");
    let scanned = Scanned::<Existing>::of(code).expect("it is the other one's");
    let (answered, answer) = scanned.answer(showing.hello(), NOW, rng).expect("it is the hello");
    let (new, reveal) = showing.answered(&answer, NOW).expect("it is the answer");
    let existing = answered.revealed(&reveal, NOW).expect("it is the nonce");
    let same = new.emoji() == existing.emoji();
    let (_, introduction) = new.confirm(DeviceId::random(rng), device, List::default());
    same && existing.confirm().introduced(&introduction, NOW).is_ok()
}

fn in_an_envelope(alice: &Person, bob: &Person, text: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let (header, content) = (header(alice, Suite::Signed, rng), content(alice, text));
    let mut sealed = seal(&header, &content, Some(&alice.device), rng).expect("it fits");
    let identity = bob.keyring.identity();
    let keys = bob.keyring.current_envelope_secrets().public(NOW);
    let keys = identity.sign_envelope_keys(&keys).verify(&identity.key()).expect("bob signed it");
    for scheme in [WrapScheme::HpkeX25519, WrapScheme::HpkeXwing, WrapScheme::RsaOaep4096] {
        sealed.wrap_for_account(&keys, scheme, LIST, rng).ok();
    }
    let envelope = to_bytes(&sealed.into_envelope());
    read_envelope(alice, bob, &envelope, rng).expect("alice sealed it")
}

fn read_envelope(
    alice: &Person,
    bob: &Person,
    envelope: &[u8],
    rng: &mut ChaCha20Rng,
) -> Option<Vec<u8>> {
    let envelope: Envelope = from_bytes(envelope).ok()?;
    let wrap = envelope.wraps.first()?;
    let (secret, _) = unwrap_for_account(&envelope, wrap, &bob.keyring, rng).ok()?;
    let opened = open(&envelope, &secret, &alice.certificate, Via::Account).ok()?;
    Some(opened.content.body.into_vec())
}

fn recovered(bob: &Person, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let phrase = RecoveryPhrase::generate(rng);
    let (sealed, _) = bob.keyring.seal(1, &[1; 64], &phrase, rng);
    let read = RecoveryPhrase::parse(&phrase.words()).expect("we wrote it");
    let account = bob.address.account;
    let opened = Keyring::open_with_phrase(&sealed, account, 1, &read).is_ok();
    vec![
        u8::from(opened),
        u8::from(Keyring::open_with_password(&sealed, account, 1, &[1; 64]).is_ok()),
    ]
}
