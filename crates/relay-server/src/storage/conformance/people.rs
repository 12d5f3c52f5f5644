//! People with keys of their own, and what they upload: all signatures are real.

use std::sync::Arc;

use chat_core::api::account::Keyring;
use chat_core::codec::{Bytes, Digest, List};
use chat_core::deletion::Deletion;
use chat_core::device::{AccountDevices, DeviceCertificate, DeviceList, ListedDevice};
use chat_core::device::{PublishedDevices, VERSION};
use chat_core::envelope::{
    Envelope, EnvelopeKeys, Expiry, Header, Recipient, Suite, Wrap, WrapScheme,
};
use chat_core::id::{AccountId, DeviceAddress, DeviceId, MessageId, WorkspaceId};
use chat_core::key::{
    AgreementKey, DeviceKey, IdentityKey, KemKey, Signature, XWingKey, signature_input,
};
use chat_core::membership::{
    Change, ConversationKind, Member, Membership, MembershipEntry, Policy, Role,
};
use chat_core::prekey::{OneTimePrekey, PrekeySet};
use chat_core::receipt::{Receipt, ReceiptKind, Sequence};
use chat_core::signed::{Signable, Unverified, Verified};
use chat_core::time::Timestamp;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::storage::{Joins, NewAccount, NewMessage, NewPrekeys, Storage};

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId::from_bytes([0xaa; 16]);
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Somebody with an identity key and devices; device `n` has an id and keys that follow from both.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) account: AccountId,
    pub(crate) devices: AccountDevices,
}

impl Person {
    /// With one device, number 0.
    pub(crate) fn named(name: &'static str) -> Self {
        let account = AccountId::from_bytes(sixteen(&format!("account {name}")));
        let devices = list(name, account, 1, Digest::ZERO, &[(0, None)]);
        Self { name, account, devices }
    }

    pub(crate) fn address(&self, number: u8) -> DeviceAddress {
        DeviceAddress { account: self.account, device: device_id(self.name, number) }
    }

    /// The next list: these devices, some removed.
    pub(crate) fn next_list(&self, devices: &[(u8, Option<Timestamp>)]) -> AccountDevices {
        let previous = self.devices.list().digest();
        list(self.name, self.account, self.devices.number() + 1, previous, devices)
    }

    pub(crate) fn registration(&self) -> NewAccount {
        NewAccount {
            username: self.name.to_owned(),
            opaque_record: format!("record of {}", self.name).into_bytes(),
            joins: Joins::Open(WORKSPACE),
            devices: self.devices.clone(),
            envelope_keys: self.envelope_keys(1),
            prekeys: self.prekeys(0, 1, 3),
            keyring: Keyring { number: 1, sealed: Bytes::new(b"sealed".to_vec()).unwrap() },
        }
    }

    pub(crate) fn envelope_keys(&self, epoch: u32) -> Verified<EnvelopeKeys> {
        let keys = EnvelopeKeys {
            version: VERSION,
            account: self.account,
            epoch,
            x25519: AgreementKey::from_bytes([1; 32]),
            xwing: XWingKey::from_bytes([2; 1216]),
            rsa: None,
            created_at: NOW,
        };
        self.as_identity(&keys)
    }

    /// A set with `count` one-time prekeys.
    pub(crate) fn prekeys(&self, device: u8, number: u32, count: u8) -> NewPrekeys {
        let key = |index: u8| {
            let agreement = AgreementKey::from_bytes([index; 32]);
            (agreement, KemKey::from_bytes([number.to_be_bytes()[3]; 1568]))
        };
        let keys: Vec<_> = (0..count).map(key).collect();
        let (one_time_root, one_time) = OneTimePrekey::tree(&keys);
        let set = PrekeySet {
            version: VERSION,
            address: self.address(device),
            number,
            signed: AgreementKey::from_bytes([3; 32]),
            last_resort: KemKey::from_bytes([4; 1568]),
            one_time_count: u16::from(count),
            one_time_root,
            created_at: NOW,
        };
        NewPrekeys { set: self.as_device(device, &set), one_time }
    }

    pub(crate) fn receipt(
        &self,
        device: u8,
        membership: &Membership,
        kind: ReceiptKind,
        up_to: Sequence,
    ) -> Verified<Receipt> {
        let conversation = membership.id();
        let reader = self.address(device);
        self.as_device(
            device,
            &Receipt {
                version: chat_core::receipt::VERSION,
                conversation,
                reader,
                kind,
                up_to,
                at: NOW,
            },
        )
    }

    /// That a message of this text is to be gone, said by device 0.
    pub(crate) fn deletes(&self, membership: &Membership, text: &str) -> Verified<Deletion> {
        self.as_device(
            0,
            &Deletion {
                version: chat_core::deletion::VERSION,
                conversation: membership.id(),
                message: message_id(text),
                author: self.address(0),
                at: NOW,
            },
        )
    }

    /// A creation entry by this person, who is an admin; everybody else is a member.
    pub(crate) fn creates(
        &self,
        kind: ConversationKind,
        others: &[&Self],
        nonce: u8,
    ) -> (Verified<MembershipEntry>, Membership) {
        let member = |account, role| Member { account, role };
        let mut members = vec![member(self.account, Role::Admin)];
        members.extend(others.iter().map(|other| member(other.account, Role::Member)));
        let change = Change::Create {
            kind,
            workspace: WORKSPACE,
            members: List::new(members).unwrap(),
            policy: Policy::DEFAULT,
            nonce: Bytes::new(vec![nonce; 16]).unwrap(),
            document: None,
        };
        self.creates_with(change)
    }

    /// A creation entry by this person that says this.
    pub(crate) fn creates_with(&self, change: Change) -> (Verified<MembershipEntry>, Membership) {
        let entry = MembershipEntry {
            version: VERSION,
            conversation: None,
            index: 0,
            previous: Digest::ZERO,
            author: self.address(0),
            at: NOW,
            change,
        };
        let entry = self.as_device(0, &entry);
        let membership = Membership::create(&entry).unwrap();
        (entry, membership)
    }

    /// The next entry by this person, and the membership after it.
    pub(crate) fn changes(
        &self,
        membership: &Membership,
        change: Change,
    ) -> (Verified<MembershipEntry>, Membership) {
        let entry = self.as_device(0, &membership.next_entry(self.address(0), change, NOW));
        let mut after = membership.clone();
        after.apply(&entry).unwrap();
        (entry, after)
    }

    pub(crate) fn adds(
        &self,
        membership: &Membership,
        other: &Self,
    ) -> (Verified<MembershipEntry>, Membership) {
        let member = Member { account: other.account, role: Role::Member };
        self.changes(membership, Change::Add { members: List::new(vec![member]).unwrap() })
    }

    pub(crate) fn removes(
        &self,
        membership: &Membership,
        other: &Self,
    ) -> (Verified<MembershipEntry>, Membership) {
        self.changes(membership, Change::Remove { account: other.account })
    }

    /// A message from device 0, with a wrap for device 0 of each member.
    pub(crate) fn writes(&self, membership: &Membership, text: &str) -> NewMessage {
        self.writes_with(membership, text, None)
    }

    pub(crate) fn writes_with(
        &self,
        membership: &Membership,
        text: &str,
        expiry: Option<Expiry>,
    ) -> NewMessage {
        let header = Header {
            version: VERSION,
            suite: Suite::Deniable,
            conversation: membership.id(),
            sender: self.address(0),
            message: message_id(text),
            sent_at: NOW,
            expiry,
            membership_index: membership.index(),
            membership_head: membership.head(),
        };
        let wrap = |account: AccountId| Wrap {
            scheme: WrapScheme::HpkeX25519,
            to: Recipient::Account(account),
            epoch: 1,
            bytes: Bytes::new(account.as_bytes().to_vec()).unwrap(),
        };
        let wraps = membership.members().map(|member| wrap(member.account)).collect();
        let envelope = Envelope {
            header: Bytes::new(chat_core::codec::to_bytes(&header)).unwrap(),
            commitment: Digest::of(text.as_bytes()),
            payload: Bytes::new(text.as_bytes().to_vec()).unwrap(),
            wraps: List::new(wraps).unwrap(),
        };
        NewMessage { header, envelope, blobs: Vec::new() }
    }

    fn as_identity<T: Signable>(&self, object: &T) -> Verified<T> {
        signed(&identity(self.name), object)
    }

    pub(crate) fn as_device<T: Signable>(&self, device: u8, object: &T) -> Verified<T> {
        signed(&device_secret(self.name, device), object)
    }
}

pub(crate) fn message_id(text: &str) -> MessageId {
    MessageId::from_bytes(sixteen(text))
}

/// Registers people, after the default workspace.
pub(crate) async fn people<const N: usize>(
    store: &Arc<dyn Storage>,
    names: [&'static str; N],
) -> [Person; N] {
    store.default_workspace(WORKSPACE, NOW).await.unwrap();
    let people = names.map(Person::named);
    for person in &people {
        store.create_account(&person.registration(), NOW).await.unwrap();
    }
    people
}

/// A stored group that the first person made.
pub(crate) async fn group(
    store: &Arc<dyn Storage>,
    first: &Person,
    others: &[&Person],
    nonce: u8,
) -> Membership {
    let (entry, membership) = first.creates(ConversationKind::Group, others, nonce);
    store.create_conversation(&entry, &membership, NOW).await.unwrap();
    membership
}

/// The sequence at which `message` was stored.
pub(crate) async fn stored(store: &Arc<dyn Storage>, message: NewMessage) -> Sequence {
    let answers = store.append(&[message], NOW).await.unwrap();
    answers.into_iter().next().unwrap().unwrap().sequence
}

pub(crate) fn list(
    name: &str,
    account: AccountId,
    number: u32,
    previous: Digest,
    devices: &[(u8, Option<Timestamp>)],
) -> AccountDevices {
    let identity = identity(name);
    let certificate = |number: u8| {
        let certificate = DeviceCertificate {
            version: VERSION,
            address: DeviceAddress { account, device: device_id(name, number) },
            key: DeviceKey::from_bytes(device_secret(name, number).verifying_key().to_bytes()),
            agreement: AgreementKey::from_bytes([number; 32]),
            schemes: List::new(vec![WrapScheme::Ratchet]).unwrap(),
            created_at: NOW,
        };
        unverified(&identity, &certificate)
    };
    let certificates: Vec<_> = devices.iter().map(|(number, _)| certificate(*number)).collect();
    let listed = devices.iter().zip(&certificates).map(|((number, removed_at), certificate)| {
        let device = device_id(name, *number);
        ListedDevice { device, certificate: certificate.digest(), removed_at: *removed_at }
    });
    let list = DeviceList {
        version: VERSION,
        account,
        number,
        previous,
        devices: List::new(listed.collect()).unwrap(),
        created_at: NOW,
    };
    let published = PublishedDevices {
        identity_key: IdentityKey::from_bytes(identity.verifying_key().to_bytes()),
        list: unverified(&identity, &list),
        certificates: List::new(certificates).unwrap(),
    };
    AccountDevices::verify(account, published).unwrap()
}

fn device_id(name: &str, number: u8) -> DeviceId {
    DeviceId::from_bytes(sixteen(&format!("device {name} {number}")))
}

fn identity(name: &str) -> SigningKey {
    SigningKey::from_bytes(Digest::of(format!("identity {name}").as_bytes()).as_bytes())
}

fn device_secret(name: &str, number: u8) -> SigningKey {
    SigningKey::from_bytes(Digest::of(format!("secret {name} {number}").as_bytes()).as_bytes())
}

fn unverified<T: Signable>(secret: &SigningKey, object: &T) -> Unverified<T> {
    let sign = |label, bytes: &[u8]| {
        Signature::from_bytes(secret.sign(&signature_input(label, bytes)).to_bytes())
    };
    Unverified::sign(object, sign).unwrap()
}

fn signed<T: Signable>(secret: &SigningKey, object: &T) -> Verified<T> {
    let key = DeviceKey::from_bytes(secret.verifying_key().to_bytes());
    unverified(secret, object).verify(&key).unwrap()
}

fn sixteen(text: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Digest::of(text.as_bytes()).as_bytes()[..16]);
    bytes
}
