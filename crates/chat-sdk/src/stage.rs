//! For tests: people with real keys and stores, and nobody between them. What one seals is handed
//! to the other by the test, which may lose it, double it, or change it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat_core::api::account::AccountKeys;
use chat_core::codec::{Bytes, Digest, List, to_bytes};
use chat_core::device::{AccountDevices, DeviceCertificate, PublishedDevices};
use chat_core::envelope::{Envelope, WrapScheme};
use chat_core::id::{AccountId, ConversationId, DeviceAddress, DeviceId, MessageId, WorkspaceId};
use chat_core::membership::{
    Change, ConversationKind, Member, MembershipEntry, Policy, Role, SignedEntry, VERSION,
};
use chat_core::prekey::{OneTimePrekey, PrekeyBundle, PrekeyUpload};
use chat_core::receipt::SignedReceipt;
use chat_core::time::Timestamp;
use chat_crypto::identity::{DeviceSecrets, IdentitySecret};
use chat_crypto::keyring::{Keyring, KeyringLock};
use chat_crypto::prekey::PrekeySecrets;
use chat_crypto::recovery::RecoveryPhrase;
use chat_crypto::wrap::EnvelopeSecrets;
use rusqlite::Transaction;

use crate::content::Content;
use crate::context::Own;
use crate::devices;
use crate::error::Result;
use crate::keyring::SharedKeyring;
use crate::message::Draft;
use crate::opening::{self, Arrival, Outcome};
use crate::random::{Randomness, Rng};
use crate::recipients::Bundles;
use crate::sealing::{self, Advance, Step};
use crate::store::account::{self, AccountRow, AccountState};
use crate::store::{Place, Store, StoreKey, conversations, cursors, messages, prekeys, receipts};
use crate::{membership, outbox};

/// When everything happens, unless a test says otherwise.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Somebody with one device.
pub(crate) struct Person {
    pub(crate) own: Own,
    pub(crate) store: Store,
    randomness: Randomness,
    published: PublishedDevices,
    upload: PrekeyUpload,
    one_time: Vec<OneTimePrekey>,
}

/// Where a store is; the key is always the same.
pub(crate) fn file(path: &Path) -> Place {
    Place::File { path: path.to_owned(), key: StoreKey::from_bytes([7; 32]) }
}

impl Person {
    pub(crate) async fn new(name: &str, seed: u64, place: Place) -> Self {
        let schemes = devices::list::SCHEMES;
        Self::with_schemes(name, seed, place, &schemes).await
    }

    /// Somebody whose device opens these schemes only.
    pub(crate) async fn with_schemes(
        name: &str,
        seed: u64,
        place: Place,
        schemes: &[WrapScheme],
    ) -> Self {
        let randomness = Randomness::seeded(seed);
        let mut rng = randomness.rng();
        let address = DeviceAddress {
            account: AccountId::random(&mut rng),
            device: DeviceId::random(&mut rng),
        };
        let identity = IdentitySecret::generate(&mut rng);
        let device = DeviceSecrets::generate(&mut rng);
        let certificate = devices::list::certify(&identity, &device, address, NOW).unwrap();
        let certificate = certificate.verify(&identity.key()).unwrap();
        let schemes = List::new(schemes.to_vec()).unwrap();
        let certificate = identity
            .certify(&DeviceCertificate { schemes, ..DeviceCertificate::clone(&certificate) });
        let (account, id) = (address.account, address.device);
        let published = devices::list::first(&identity, account, certificate, id, NOW).unwrap();
        let (prekeys, upload) = PrekeySecrets::generate(&device, address, 1, 3, NOW, &mut rng);
        let envelope = EnvelopeSecrets::generate(account, 1, &mut rng);
        let own = Own {
            address,
            username: name.to_owned(),
            workspace: WorkspaceId::from_bytes([9; 16]),
            identity_key: identity.key(),
            device: Arc::new(device),
            keyring: SharedKeyring::new(Keyring::new(identity, envelope, &mut rng)),
            sessions_a_message_max: chat_core::limits::SESSIONS_A_MESSAGE_MAX,
        };
        let one_time = upload.one_time.to_vec();
        let store = Store::open(place).await.unwrap();
        let person = Self { own, store, randomness, published, upload, one_time };
        person.settle(prekeys).await;
        person
    }

    async fn settle(&self, prekeys: PrekeySecrets) {
        let row = AccountRow {
            relay: "https://relay.example".into(),
            address: self.own.address,
            username: self.own.username.clone(),
            workspace: self.own.workspace,
            device_secrets: self.own.device.to_snapshot().into(),
            keyring: self.own.keyring.get().to_snapshot().into(),
            keyring_lock: self.lock().to_snapshot().into(),
            keyring_number: 1,
            devices: to_bytes(&self.published),
            devices_number: 1,
            state: AccountState::Active,
            created_at: NOW,
        };
        self.write(move |tx, _, _| {
            account::insert(tx, &row)?;
            prekeys::insert(tx, prekeys.number(), &prekeys.to_snapshot(), None, NOW)
        })
        .await;
    }

    /// What seals their keyring anew.
    fn lock(&self) -> KeyringLock {
        let mut rng = Randomness::seeded(4712).rng();
        let phrase = RecoveryPhrase::generate(&mut rng);
        self.own.keyring.get().seal(1, b"export key", &phrase, &mut rng).1
    }

    /// The same person after a crash: everything but the file is gone.
    pub(crate) async fn after_a_crash(self, path: &Path) -> Self {
        self.store.close().await;
        Self { store: Store::open(file(path)).await.unwrap(), ..self }
    }

    /// Another process of the same device.
    pub(crate) async fn another_process(&self, path: &Path) -> Self {
        Self {
            own: self.own.clone(),
            store: Store::open(file(path)).await.unwrap(),
            randomness: Randomness::seeded(4711),
            published: self.published.clone(),
            upload: self.upload.clone(),
            one_time: vec![],
        }
    }

    /// Runs `work` in a transaction.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &Own, &mut Rng) -> Result<T> + Send + 'static,
    ) -> T {
        let (own, mut rng) = (self.own.clone(), self.randomness.rng());
        self.store.write(move |tx| work(tx, &own, &mut rng)).await.unwrap()
    }

    fn keys(&self) -> AccountKeys {
        let keyring = self.own.keyring.get();
        let public = keyring.current_envelope_secrets().public(NOW);
        AccountKeys {
            account: self.own.account(),
            username: self.own.username.clone(),
            devices: self.published.clone(),
            envelope_keys: keyring.identity().sign_envelope_keys(&public),
            deleted_at: None,
        }
    }

    /// Learns of `other` what an honest relay says.
    pub(crate) async fn meet(&self, other: &Self) {
        let (account, keys) = (other.own.account(), other.keys());
        let learned = self.write(move |tx, _, _| devices::learn(tx, account, keys, NOW)).await;
        learned.into_devices().unwrap();
    }

    /// Publishes a list in which this device is removed.
    pub(crate) fn is_removed(&mut self, at: Timestamp) {
        let account = self.own.account();
        let devices = AccountDevices::verify(account, self.published.clone()).unwrap();
        let keyring = self.own.keyring.get();
        let device = self.own.address.device;
        self.published = devices::list::without(keyring.identity(), &devices, device, at).unwrap();
    }

    /// Hands out prekeys, as a relay does.
    fn bundle(&mut self) -> PrekeyBundle {
        let one_time = if self.one_time.is_empty() { None } else { Some(self.one_time.remove(0)) };
        PrekeyBundle { address: self.own.address, set: self.upload.set.clone(), one_time }
    }

    /// Signs the entry that continues, or begins, a conversation.
    pub(crate) async fn decides(
        &self,
        conversation: Option<ConversationId>,
        change: Change,
    ) -> SignedEntry {
        let own = self.own.clone();
        let entry = match conversation {
            None => MembershipEntry {
                version: VERSION,
                conversation: None,
                index: 0,
                previous: Digest::ZERO,
                author: own.address,
                at: NOW,
                change,
            },
            Some(id) => {
                let row = self.write(move |tx, _, _| conversations::load(tx, id)).await.unwrap();
                row.membership.next_entry(own.address, change, NOW)
            }
        };
        let signed = own.device.sign_object(&entry).unwrap();
        SignedEntry { signer: own.address, entry: signed }
    }

    /// Verifies and keeps a log's entry.
    pub(crate) async fn hears_of(&self, id: ConversationId, entry: &SignedEntry) {
        let entries = vec![entry.clone()];
        self.write(move |tx, own, _| membership::extend(tx, own, id, entries, NOW)).await;
    }

    /// Puts a text into the outbox.
    pub(crate) async fn says(&self, conversation: ConversationId, text: &str) -> MessageId {
        self.says_with(conversation, Draft::text(text)).await
    }

    pub(crate) async fn says_with(&self, conversation: ConversationId, draft: Draft) -> MessageId {
        self.write(move |tx, own, rng| {
            let id = MessageId::random(rng);
            outbox::queue(tx, own, conversation, id, &draft, NOW)?;
            Ok(id)
        })
        .await
    }

    /// Puts something into the outbox that may be refused.
    pub(crate) async fn tries(
        &self,
        conversation: ConversationId,
        draft: Draft,
    ) -> Result<messages::MessageRow> {
        let (own, id) = (self.own.clone(), MessageId::random(&mut self.randomness.rng()));
        let queue =
            move |tx: &Transaction<'_>| outbox::queue(tx, &own, conversation, id, &draft, NOW);
        self.store.write(queue).await
    }

    /// Makes one step with the oldest unsent message, with the bundles at hand.
    pub(crate) async fn step(&self, conversation: ConversationId, bundles: &Bundles) -> Step {
        self.step_at(conversation, bundles, NOW).await.step
    }

    pub(crate) async fn step_at(
        &self,
        conversation: ConversationId,
        bundles: &Bundles,
        now: Timestamp,
    ) -> Advance {
        let bundles = bundles.clone();
        self.write(move |tx, own, rng| sealing::advance(tx, own, conversation, &bundles, now, rng))
            .await
    }

    /// Seals the oldest unsent message, with bundles of `others` where there is no session.
    pub(crate) async fn seals(
        &self,
        conversation: ConversationId,
        others: &mut [&mut Self],
    ) -> (MessageId, Envelope) {
        let missing = match self.step(conversation, &Bundles::new()).await {
            Step::Send(id, envelope) => return (id, *envelope),
            Step::Bundles(missing) => missing,
            other => panic!("{other:?}"),
        };
        let bundles = bundles_of(missing, others);
        match self.step(conversation, &bundles).await {
            Step::Send(id, envelope) => (id, *envelope),
            other => panic!("{other:?}"),
        }
    }

    /// Hears that the relay has a message.
    pub(crate) async fn is_told(&self, message: MessageId, sequence: u64) {
        self.write(move |tx, own, _| outbox::accept(tx, own, message, sequence, NOW, NOW)).await;
    }

    /// Is delivered an envelope, of which the relay keeps the wraps of others.
    pub(crate) async fn opens(&self, sequence: u64, envelope: &Envelope) -> Outcome {
        self.opens_at(sequence, envelope, NOW).await
    }

    pub(crate) async fn opens_at(
        &self,
        sequence: u64,
        envelope: &Envelope,
        now: Timestamp,
    ) -> Outcome {
        let ours = self.own.address;
        let wraps = envelope.wraps.iter().filter(|wrap| wrap.is_for(ours)).cloned().collect();
        let envelope = Envelope { wraps: List::new(wraps).unwrap(), ..envelope.clone() };
        let arrival = Arrival::read(sequence, NOW, envelope).unwrap();
        self.write(move |tx, own, rng| {
            let conversation = arrival.header.conversation;
            let row = conversations::load(tx, conversation)?.unwrap();
            let outcome = opening::apply(tx, own, &row, &arrival, now, rng)?;
            cursors::advance(tx, conversation, sequence)?;
            Ok(outcome)
        })
        .await
    }

    /// Our receipts that are to be sent.
    pub(crate) async fn receipts(&self) -> Vec<SignedReceipt> {
        let pending = self.write(|tx, _, _| receipts::pending(tx)).await;
        pending.into_iter().map(|pending| pending.signed).collect()
    }

    /// What is stored of a message.
    pub(crate) async fn has(&self, id: MessageId) -> Option<messages::MessageRow> {
        self.write(move |tx, _, _| messages::load(tx, id)).await
    }

    pub(crate) async fn applied(&self, conversation: ConversationId) -> u64 {
        self.write(move |tx, _, _| cursors::applied(tx, conversation)).await
    }
}

/// Bundles for these devices of `others`, as the relay hands them out.
pub(crate) fn bundles_of(missing: Vec<DeviceAddress>, others: &mut [&mut Person]) -> Bundles {
    let mut bundles = Bundles::new();
    for address in missing {
        let other = others.iter_mut().find(|other| other.own.address == address).unwrap();
        let list = AccountDevices::verify(other.own.account(), other.published.clone());
        let bundle = other.bundle();
        let list = list.unwrap();
        let certificate = list.active_device(address.device).unwrap();
        bundles.insert(address, bundle.verify(certificate).unwrap());
    }
    bundles
}

/// Lets everybody meet, and begins a group of them with the first as its admin.
pub(crate) async fn group(people: &[&Person], policy: Policy) -> ConversationId {
    begin(ConversationKind::Group, people, policy).await.0
}

/// As [`group`], of any kind; gives the entry that begins it as well.
pub(crate) async fn begin(
    kind: ConversationKind,
    people: &[&Person],
    policy: Policy,
) -> (ConversationId, SignedEntry) {
    for one in people {
        for other in people {
            if one.own.account() != other.own.account() {
                one.meet(other).await;
            }
        }
    }
    let members = people.iter().enumerate().map(|(place, person)| Member {
        account: person.own.account(),
        role: if place == 0 { Role::Admin } else { Role::Member },
    });
    let change = Change::Create {
        kind,
        workspace: people[0].own.workspace,
        members: List::new(members.collect()).unwrap(),
        policy,
        nonce: Bytes::new(vec![5; 16]).unwrap(),
        document: None,
    };
    let entry = people[0].decides(None, change).await;
    let id = ConversationId::of_creation(entry.entry.signed_bytes());
    for person in people {
        person.hears_of(id, &entry).await;
    }
    (id, entry)
}

/// Alice and Bob with stores in memory, in a group of two.
pub(crate) async fn alice_and_bob() -> (Person, Person, ConversationId) {
    let alice = Person::new("alice", 1, Place::Memory).await;
    let bob = Person::new("bob", 2, Place::Memory).await;
    let chat = group(&[&alice, &bob], Policy::DEFAULT).await;
    (alice, bob, chat)
}

/// What an outcome says, if it is words.
pub(crate) fn words(outcome: &Outcome) -> Option<String> {
    let row = outcome.message.as_ref()?;
    match Content::read(&row.kind, &row.body) {
        Content::Text(text) => Some(text.text),
        _ => None,
    }
}

/// Later than [`NOW`].
pub(crate) fn later(by: Duration) -> Timestamp {
    NOW.after(by)
}
