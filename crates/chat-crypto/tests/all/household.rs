//! An account with one device, and a device that is to be its second.

use chat_core::codec::{Digest, List};
use chat_core::device::PublishedDevices;
use chat_core::device::{self, AccountDevices, DeviceCertificate, DeviceList, ListedDevice};
use chat_core::envelope::WrapScheme;
use chat_core::id::DeviceId;
use chat_core::signed::Unverified;
use chat_crypto::identity::DeviceSecrets;
use chat_crypto::keyring::KeyringLock;
use chat_crypto::linking::{
    Admission, Comparing, Existing, LinkCode, LinkError, New, Scanned, Showing, Side,
};
use chat_crypto::recovery::RecoveryPhrase;

use crate::people::{NOW, Person, rng};

pub(crate) struct Household {
    pub(crate) owner: Person,
    pub(crate) devices: AccountDevices,
    pub(crate) lock: KeyringLock,
    pub(crate) sealed: Vec<u8>,
}

impl Household {
    pub(crate) fn new(seed: u64) -> Self {
        let owner = Person::new(seed);
        let phrase = RecoveryPhrase::generate(&mut rng(seed));
        let (sealed, lock) = owner.keyring.seal(3, &[0xe1; 64], &phrase, &mut rng(seed));
        let certificates = vec![owner.certificate.source().clone()];
        let devices = list(&owner, 4, Digest::of(b"list 3"), certificates);
        Self { owner, devices, lock, sealed }
    }

    /// The list that follows, with these certificates.
    pub(crate) fn next_list(&self, more: Vec<Unverified<DeviceCertificate>>) -> AccountDevices {
        let certificates = [vec![self.owner.certificate.source().clone()], more].concat();
        list(&self.owner, self.devices.number() + 1, self.devices.list().digest(), certificates)
    }
}

/// A signed list of these devices.
pub(crate) fn list(
    owner: &Person,
    number: u32,
    previous: Digest,
    certificates: Vec<Unverified<DeviceCertificate>>,
) -> AccountDevices {
    let identity = owner.keyring.identity();
    let verified = certificates.iter().map(|it| it.clone().verify(&identity.key()).unwrap());
    let devices = verified.map(|certificate| ListedDevice {
        device: certificate.address.device,
        certificate: certificate.digest(),
        removed_at: None,
    });
    let list = DeviceList {
        version: device::VERSION,
        account: owner.address.account,
        number,
        previous,
        devices: List::new(devices.collect()).unwrap(),
        created_at: NOW,
    };
    let published = PublishedDevices {
        identity_key: identity.key(),
        list: identity.sign_list(&list),
        certificates: List::new(certificates).unwrap(),
    };
    AccountDevices::verify(owner.address.account, published).unwrap()
}

/// A device with keys and no account.
pub(crate) struct NewDevice {
    pub(crate) id: DeviceId,
    pub(crate) secrets: DeviceSecrets,
}

impl NewDevice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        Self { id: DeviceId::random(&mut rng), secrets: DeviceSecrets::generate(&mut rng) }
    }
}

pub(crate) fn schemes() -> List<WrapScheme, 8> {
    List::new(vec![WrapScheme::Ratchet]).unwrap()
}

/// Reads a code, on the other side.
pub(crate) fn scan<S: Side>(code: &[u8]) -> Result<Scanned<S>, LinkError> {
    Scanned::of(LinkCode::read(code, NOW)?)
}

/// Both sides as far as the emoji.
pub(crate) fn pair<A: Side, B: Side>(seed: u64) -> (Comparing<A>, Comparing<B>) {
    let showing = Showing::<A>::begin(NOW, &mut rng(seed));
    let scanned = scan::<B>(showing.code().as_bytes()).unwrap();
    let (answered, answer) = scanned.answer(showing.hello(), NOW, &mut rng(seed + 1)).unwrap();
    let (shower, reveal) = showing.answered(&answer, NOW).unwrap();
    (shower, answered.revealed(&reveal, NOW).unwrap())
}

/// Both sides from the emoji to the end.
pub(crate) fn link(
    household: &Household,
    device: &NewDevice,
    (new, existing): (Comparing<New>, Comparing<Existing>),
) -> (Admission, Unverified<DeviceCertificate>) {
    let (introduced, introduction) = new.confirm(device.id, &device.secrets, schemes());
    let candidate = existing.confirm().introduced(&introduction, NOW).unwrap();
    let Household { owner, lock, devices, .. } = household;
    let (admitted, admission) =
        candidate.admit(&owner.keyring, lock, devices, NOW, &mut rng(9)).unwrap();
    let (admission, receipt) = introduced.admitted(&admission, &device.secrets, NOW).unwrap();
    (admission, admitted.received(&receipt, NOW).unwrap())
}
