use chat_core::api::account::AccountKeys;
use chat_core::codec::{Digest, List};
use chat_core::device::{AccountDevices, PublishedDevices};
use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_core::time::Timestamp;
use chat_crypto::identity::{DeviceSecrets, IdentitySecret};
use chat_crypto::session::Sessions;
use chat_crypto::wrap::EnvelopeSecrets;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::error::{Kind, Result};
use crate::store::{Store, peers, sessions};

const BOB: AccountId = AccountId::from_bytes([0xb0; 16]);
const PHONE: DeviceId = DeviceId::from_bytes([1; 16]);
const LAPTOP: DeviceId = DeviceId::from_bytes([2; 16]);

/// An account as its owner has it.
struct Person {
    identity: IdentitySecret,
    envelope: EnvelopeSecrets,
    rng: ChaCha20Rng,
    published: PublishedDevices,
}

impl Person {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let identity = IdentitySecret::generate(&mut rng);
        let envelope = EnvelopeSecrets::generate(BOB, 1, &mut rng);
        let certificate = certify(&identity, PHONE, &mut rng);
        let published = list::first(&identity, BOB, certificate, PHONE, now()).unwrap();
        Self { identity, envelope, rng, published }
    }

    fn devices(&self) -> AccountDevices {
        AccountDevices::verify(BOB, self.published.clone()).unwrap()
    }

    fn add(&mut self, device: DeviceId) {
        let certificate = certify(&self.identity, device, &mut self.rng);
        let next = list::with(&self.identity, &self.devices(), certificate, device, now());
        self.published = next.unwrap();
    }

    fn remove(&mut self, device: DeviceId) {
        let next = list::without(&self.identity, &self.devices(), device, now());
        self.published = next.unwrap();
    }

    /// What an honest relay says.
    fn keys(&self) -> AccountKeys {
        AccountKeys {
            account: BOB,
            username: "bob".into(),
            devices: self.published.clone(),
            envelope_keys: self.identity.sign_envelope_keys(&self.envelope.public(now())),
            deleted_at: None,
        }
    }
}

fn certify(
    identity: &IdentitySecret,
    device: DeviceId,
    rng: &mut ChaCha20Rng,
) -> chat_core::signed::Unverified<chat_core::device::DeviceCertificate> {
    let secrets = DeviceSecrets::generate(rng);
    list::certify(identity, &secrets, DeviceAddress { account: BOB, device }, now()).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_000)
}

async fn hear(store: &Store, keys: AccountKeys) -> Result<AccountDevices> {
    store.write(move |tx| learn(tx, BOB, keys, now())).await?.into_devices()
}

async fn remembered(store: &Store) -> Option<AccountDevices> {
    store.read(|tx| known(tx, BOB)).await.unwrap()
}

#[tokio::test]
async fn what_is_signed_by_the_first_key_seen_is_remembered() {
    let (store, bob) = (Store::in_memory().await.unwrap(), Person::new(1));

    hear(&store, bob.keys()).await.unwrap();

    assert_eq!(remembered(&store).await, Some(bob.devices()));
}

#[tokio::test]
async fn a_longer_list_takes_the_place_of_the_shorter() {
    let (store, mut bob) = (Store::in_memory().await.unwrap(), Person::new(1));
    hear(&store, bob.keys()).await.unwrap();
    bob.add(LAPTOP);

    hear(&store, bob.keys()).await.unwrap();

    assert_eq!(remembered(&store).await.unwrap().active().count(), 2);
}

#[tokio::test]
async fn a_list_that_leads_back_is_refused() {
    let (store, mut bob) = (Store::in_memory().await.unwrap(), Person::new(1));
    let before = bob.keys();
    bob.add(LAPTOP);
    hear(&store, bob.keys()).await.unwrap();

    let error = hear(&store, before).await.unwrap_err();

    assert_eq!(error.kind(), Kind::DeviceListForged);
    assert_eq!(remembered(&store).await, Some(bob.devices()));
}

#[tokio::test]
async fn a_fork_of_the_list_is_refused() {
    let (store, mut bob) = (Store::in_memory().await.unwrap(), Person::new(1));
    let mut other = Person::new(1);
    bob.add(LAPTOP);
    other.add(DeviceId::from_bytes([3; 16]));
    hear(&store, bob.keys()).await.unwrap();

    let error = hear(&store, other.keys()).await.unwrap_err();

    assert_eq!(error.kind(), Kind::DeviceListForged);
}

#[tokio::test]
async fn a_device_that_the_relay_adds_is_refused() {
    let (store, bob, mut relay) =
        (Store::in_memory().await.unwrap(), Person::new(1), Person::new(2));
    hear(&store, bob.keys()).await.unwrap();
    relay.add(LAPTOP);
    let forged = PublishedDevices { identity_key: bob.identity.key(), ..relay.published.clone() };

    let error = hear(&store, AccountKeys { devices: forged, ..bob.keys() }).await.unwrap_err();

    assert_eq!(error.kind(), Kind::DeviceListForged);
    assert_eq!(remembered(&store).await, Some(bob.devices()));
}

#[tokio::test]
async fn a_list_without_its_certificates_is_refused() {
    let (store, bob) = (Store::in_memory().await.unwrap(), Person::new(1));
    let bare = PublishedDevices { certificates: List::default(), ..bob.published.clone() };

    let error = hear(&store, AccountKeys { devices: bare, ..bob.keys() }).await.unwrap_err();

    assert_eq!(error.kind(), Kind::DeviceListForged);
    assert_eq!(remembered(&store).await, None);
}

#[tokio::test]
async fn envelope_keys_that_somebody_else_signed_are_refused() {
    let (store, bob, relay) = (Store::in_memory().await.unwrap(), Person::new(1), Person::new(2));
    let keys = AccountKeys { envelope_keys: relay.keys().envelope_keys, ..bob.keys() };

    assert_eq!(hear(&store, keys).await.unwrap_err().kind(), Kind::DeviceListForged);
}

#[tokio::test]
async fn another_identity_key_is_noted_once_and_not_used() {
    let (store, bob, mallory) = (Store::in_memory().await.unwrap(), Person::new(1), Person::new(2));
    hear(&store, bob.keys()).await.unwrap();

    let mut news = Vec::new();
    for _ in 0..2 {
        let keys = mallory.keys();
        let learned = store.write(move |tx| learn(tx, BOB, keys, now())).await.unwrap();
        news.push(matches!(learned, Learned::IdentityChanged { first_time: true }));
    }

    assert_eq!(news, [true, false]);
    assert_eq!(remembered(&store).await, Some(bob.devices()));
    let row = store.read(|tx| peers::load(tx, BOB)).await.unwrap().unwrap();
    assert_eq!(row.offered_identity, Some(mallory.identity.key()));
    assert_eq!(row.identity_key, bob.identity.key());
}

#[tokio::test]
async fn sessions_with_a_removed_device_are_erased() {
    let (store, mut bob) = (Store::in_memory().await.unwrap(), Person::new(1));
    bob.add(LAPTOP);
    hear(&store, bob.keys()).await.unwrap();
    store
        .write(|tx| {
            for device in [PHONE, LAPTOP] {
                let theirs = DeviceAddress { account: BOB, device };
                sessions::save(tx, &Sessions::new(theirs), now())?;
            }
            Ok(())
        })
        .await
        .unwrap();
    bob.remove(LAPTOP);

    hear(&store, bob.keys()).await.unwrap();

    let left = store.read(|tx| sessions::devices(tx, BOB)).await.unwrap();
    assert_eq!(left, [DeviceAddress { account: BOB, device: PHONE }]);
}

#[tokio::test]
async fn a_row_that_somebody_changed_is_not_believed() {
    let (store, bob) = (Store::in_memory().await.unwrap(), Person::new(1));
    hear(&store, bob.keys()).await.unwrap();
    remembered(&store).await.unwrap();

    let read = store
        .write(|tx| {
            let mut row = peers::load(tx, BOB)?.unwrap();
            let middle = row.devices.len() / 2;
            row.devices[middle] ^= 1;
            peers::save(tx, &row)?;
            known(tx, BOB)
        })
        .await;

    assert_eq!(read.unwrap_err().kind(), Kind::StoreFailed);
}

#[test]
fn the_next_list_names_the_one_before() {
    let mut bob = Person::new(1);
    let before = bob.devices();
    assert_eq!(before.list().previous, Digest::ZERO);

    bob.add(LAPTOP);
    bob.remove(PHONE);

    let after = bob.devices();
    assert_eq!(after.number(), 3);
    assert!(after.active_device(PHONE).is_none());
    assert!(after.device_at(PHONE, Timestamp::from_millis(999)).is_some());
    assert!(before.check_successor(&after).is_ok());
}

#[test]
fn a_device_is_removed_once() {
    let mut bob = Person::new(1);
    bob.add(LAPTOP);
    bob.remove(LAPTOP);

    let again = list::without(&bob.identity, &bob.devices(), LAPTOP, now());

    assert_eq!(again.unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn an_account_has_ten_active_devices_at_most() {
    let mut bob = Person::new(1);
    (2..=10).for_each(|number| bob.add(DeviceId::from_bytes([number; 16])));
    let certificate = certify(&bob.identity, DeviceId::from_bytes([11; 16]), &mut bob.rng);

    let eleventh = list::with(
        &bob.identity,
        &bob.devices(),
        certificate,
        DeviceId::from_bytes([11; 16]),
        now(),
    );

    assert_eq!(eleventh.unwrap_err().kind(), Kind::TooManyDevices);
}
