//! People with real keys, who speak to a relay as a client would.

use std::sync::Arc;

use chat_core::api::account::{AccountKeys, Keyring};
use chat_core::api::auth::{
    DeviceChallenge, DeviceLoginFinish, DeviceLoginStart, Enrol, Enrolment, LoginAnswer,
    LoginFinish, OpaqueStart, RegistrationAnswer, RegistrationFinish, Tokens, device_login_input,
};
use chat_core::api::conversations::{AppendEntry, MembershipHead, MembershipPage};
use chat_core::api::info::Limits;
use chat_core::api::workspaces::{DeleteAccount, Workspace, deletion_input};
use chat_core::codec::{Bytes, Digest, List, to_bytes};
use chat_core::deletion::{Deletion, SignedDeletion};
use chat_core::device::{
    AccountDevices, DeviceCertificate, DeviceList, ListedDevice, PublishedDevices,
};
use chat_core::envelope::{
    Envelope, EnvelopeKeys, Expiry, Header, Recipient, Suite, Wrap, WrapScheme,
};
use chat_core::id::{AccountId, ConversationId, DeviceAddress, DeviceId, MessageId, WorkspaceId};
use chat_core::key::{
    AgreementKey, DeviceKey, IdentityKey, KemKey, Signature, XWingKey, signature_input,
};
use chat_core::label::{self, Label};
use chat_core::membership::{
    Change, ConversationKind, Member, Membership, MembershipEntry, Policy, Role, SignedEntry,
};
use chat_core::prekey::{OneTimePrekey, PrekeySet, PrekeyUpload};
use chat_core::receipt::{Receipt, ReceiptKind, Sequence, SignedReceipt};
use chat_core::reject::Reject;
use chat_core::signed::{Signable, Unverified};
use chat_core::time::Timestamp;
use ed25519_dalek::{Signer as _, SigningKey};
use opaque_ke::argon2::{Algorithm, Argon2, Params, Version};

use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialResponse, RegistrationResponse,
};
use relay_server::auth::opaque::Suite as OpaqueSuite;
use relay_server::random::{self, OpaqueRng};
use relay_server::testing::TestRelay;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::socket::Socket;

/// No sequences.
pub const NOTHING: [Sequence; 0] = [];
pub const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// REST at one relay.
#[derive(Clone)]
pub struct Rest {
    pub url: String,
    client: reqwest::Client,
}

impl Rest {
    pub fn at(relay: &TestRelay) -> Self {
        Self::at_url(relay.url())
    }

    pub fn at_url(url: &str) -> Self {
        Self { url: url.to_owned(), client: reqwest::Client::new() }
    }

    pub async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> Result<T, Reject> {
        let (status, body) = self.raw(method, path, token, body).await;
        if status < 300 {
            let body = if body.is_empty() { b"null".to_vec() } else { body };
            return Ok(serde_json::from_slice(&body).unwrap());
        }
        let reject: Reject = serde_json::from_slice(&body).expect("every refusal is a reject");
        assert_eq!(status, reject.code.http_status());
        Err(reject)
    }

    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Vec<u8>>,
    ) -> (u16, Vec<u8>) {
        let url = format!("{}{path}", self.url);
        let mut request = self.client.request(method.parse().unwrap(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str, token: &str) -> Result<T, Reject> {
        self.call("GET", path, Some(token), None).await
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
        body: &impl Serialize,
    ) -> Result<T, Reject> {
        self.call("POST", path, token, Some(serde_json::to_vec(body).unwrap())).await
    }

    pub async fn put(&self, path: &str, token: &str, body: &impl Serialize) -> Result<(), Reject> {
        self.call("PUT", path, Some(token), Some(serde_json::to_vec(body).unwrap())).await
    }

    pub async fn limits(&self) -> Limits {
        self.call("GET", "/v1/limits", None, None).await.unwrap()
    }
}

/// A device's keys.
#[derive(Clone)]
pub struct Device {
    pub address: DeviceAddress,
    pub key: SigningKey,
    pub certificate: Unverified<DeviceCertificate>,
}

impl Device {
    pub fn sign(&self, label: Label, message: &[u8]) -> Signature {
        sign(&self.key, label, message)
    }

    fn sign_object<T: Signable>(&self, object: &T) -> Unverified<T> {
        Unverified::sign(object, |label, bytes| self.sign(label, bytes)).unwrap()
    }

    pub fn prekeys(&self, number: u32, count: u8) -> PrekeyUpload {
        let keys: Vec<_> = (0..count)
            .map(|n| (AgreementKey::from_bytes([n; 32]), KemKey::from_bytes([n; 1568])))
            .collect();
        let (root, one_time) = OneTimePrekey::tree(&keys);
        let set = PrekeySet {
            version: chat_core::prekey::VERSION,
            address: self.address,
            number,
            signed: AgreementKey::from_bytes([1; 32]),
            last_resort: KemKey::from_bytes([2; 1568]),
            one_time_count: count.into(),
            one_time_root: root,
            created_at: NOW,
        };
        PrekeyUpload { set: self.sign_object(&set), one_time: List::new(one_time).unwrap() }
    }

    pub fn receipt(
        &self,
        conversation: ConversationId,
        kind: ReceiptKind,
        up_to: Sequence,
    ) -> SignedReceipt {
        let receipt = Receipt {
            version: chat_core::receipt::VERSION,
            conversation,
            reader: self.address,
            kind,
            up_to,
            at: NOW,
        };
        SignedReceipt { signer: self.address, receipt: self.sign_object(&receipt) }
    }

    pub fn deletion(&self, conversation: ConversationId, message: MessageId) -> SignedDeletion {
        let deletion = Deletion {
            version: chat_core::deletion::VERSION,
            conversation,
            message,
            author: self.address,
            at: NOW,
        };
        SignedDeletion { signer: self.address, deletion: self.sign_object(&deletion) }
    }

    pub fn entry(&self, entry: &MembershipEntry) -> SignedEntry {
        SignedEntry { signer: self.address, entry: self.sign_object(entry) }
    }
}

/// Somebody with an account, one device of which is in use here.
#[derive(Clone)]
pub struct Person {
    pub rest: Rest,
    pub name: String,
    pub account: AccountId,
    pub identity: SigningKey,
    pub device: Device,
    pub devices: AccountDevices,
    pub tokens: Arc<Tokens>,
}

pub const PASSWORD: &[u8] = b"correct horse battery staple";

impl Person {
    pub async fn register(relay: &TestRelay, name: &str) -> Self {
        Self::try_register(&Rest::at(relay), name).await.unwrap()
    }

    pub async fn try_register(rest: &Rest, name: &str) -> Result<Self, Reject> {
        Self::try_register_with(rest, name, |_, _, _| {}).await
    }

    /// Registers with something altered: what is handed in, by whom, with which first device.
    pub async fn try_register_with(
        rest: &Rest,
        name: &str,
        alter: impl FnOnce(&mut RegistrationFinish, &SigningKey, &Device),
    ) -> Result<Self, Reject> {
        let (account, identity) = (random_account(), random_key());
        let device = new_device(account, &identity);
        let devices = first_list(account, &identity, &device);
        let client = ClientRegistration::<OpaqueSuite>::start(&mut OpaqueRng, PASSWORD).unwrap();
        let start = OpaqueStart {
            username: name.to_owned(),
            request: Bytes::new(client.message.serialize().to_vec()).unwrap(),
        };
        let answer: RegistrationAnswer = rest.post("/v1/auth/register/start", None, &start).await?;
        let response = RegistrationResponse::deserialize(&answer.response).unwrap();
        let ksf = cheap();
        let parameters = ClientRegistrationFinishParameters {
            ksf: Some(&ksf),
            ..ClientRegistrationFinishParameters::default()
        };
        let finished = client.state.finish(&mut OpaqueRng, PASSWORD, response, parameters).unwrap();
        let mut finish = RegistrationFinish {
            username: name.to_owned(),
            record: Bytes::new(finished.message.serialize().to_vec()).unwrap(),
            account,
            devices: devices.to_published(),
            envelope_keys: envelope_keys(account, &identity, 1),
            prekeys: device.prekeys(1, 30),
            keyring: Keyring { number: 1, sealed: Bytes::new(vec![7; 100]).unwrap() },
            invitation: None,
        };
        alter(&mut finish, &identity, &device);
        let tokens: Tokens = rest.post("/v1/auth/register/finish", None, &finish).await?;
        let (rest, name, tokens) = (rest.clone(), name.to_owned(), Arc::new(tokens));
        Ok(Self { rest, name, account, identity, device, devices, tokens })
    }

    /// Registers by an invitation.
    pub async fn invited(rest: &Rest, name: &str, token: &str) -> Result<Self, Reject> {
        let invitation = Some(token.to_owned());
        Self::try_register_with(rest, name, |finish, _, _| finish.invitation = invitation).await
    }

    /// Logs in by password, as somebody who has no device yet.
    pub async fn log_in(rest: &Rest, name: &str, password: &[u8]) -> Result<Enrolment, Reject> {
        let client = ClientLogin::<OpaqueSuite>::start(&mut OpaqueRng, password).unwrap();
        let start = OpaqueStart {
            username: name.to_owned(),
            request: Bytes::new(client.message.serialize().to_vec()).unwrap(),
        };
        let answer: LoginAnswer = rest.post("/v1/auth/login/start", None, &start).await?;
        let response = CredentialResponse::deserialize(&answer.response).unwrap();
        let ksf = cheap();
        let parameters = ClientLoginFinishParameters {
            ksf: Some(&ksf),
            ..ClientLoginFinishParameters::default()
        };
        let finalization = match client.state.finish(&mut OpaqueRng, password, response, parameters)
        {
            Ok(finished) => finished.message.serialize().to_vec(),
            // A client that ignores that its password is wrong, and tries all the same.
            Err(_) => vec![7; 64],
        };
        let finalization = Bytes::new(finalization).unwrap();
        let finish = LoginFinish { login: answer.login, finalization };
        rest.post("/v1/auth/login/finish", None, &finish).await
    }

    /// Logs in by password and enrols another device.
    pub async fn with_another_device(&self) -> Self {
        let enrolment = Self::log_in(&self.rest, &self.name, PASSWORD).await.unwrap();
        let keys: AccountKeys = self
            .rest
            .get(&format!("/v1/accounts/{}/keys", self.account), &enrolment.token)
            .await
            .unwrap();
        let before = AccountDevices::verify(self.account, keys.devices).unwrap();
        let device = new_device(self.account, &self.identity);
        let devices = next_list(&before, &self.identity, Some(&device), None);
        let enrol = Enrol {
            certificate: device.certificate.clone(),
            devices: devices.to_published(),
            prekeys: device.prekeys(1, 10),
        };
        let tokens: Tokens =
            self.rest.post("/v1/devices/enrol", Some(&enrolment.token), &enrol).await.unwrap();
        Self { device, devices, tokens: Arc::new(tokens), ..self.clone() }
    }

    /// The next device list, without one of them.
    pub fn list_without(&self, device: DeviceId) -> PublishedDevices {
        next_list(&self.devices, &self.identity, None, Some(device)).to_published()
    }

    /// Logs this device in by its key.
    pub async fn log_in_by_device(&self, origin: &str) -> Result<Tokens, Reject> {
        let address = self.device.address;
        let start = DeviceLoginStart { address };
        let challenge: DeviceChallenge =
            self.rest.post("/v1/auth/device/start", None, &start).await?;
        let input = device_login_input(origin, &challenge.nonce, address);
        let signature = self.device.sign(label::DEVICE_LOGIN, &input);
        let finish = DeviceLoginFinish { address, nonce: challenge.nonce, signature };
        self.rest.post("/v1/auth/device/finish", None, &finish).await
    }

    /// The same device with new tokens: the old ones have run out.
    pub async fn logged_in_again(&self, origin: &str) -> Self {
        let tokens = self.log_in_by_device(origin).await.unwrap();
        Self { tokens: Arc::new(tokens), ..self.clone() }
    }

    pub async fn connect(&self) -> Socket {
        let mut socket = Socket::open(&self.rest.url, Some(&self.tokens.access)).await.unwrap();
        socket.connected().await;
        socket
    }

    /// Connects and waits until everything that waited was sent; there must have been nothing.
    pub async fn connect_idle(&self) -> Socket {
        let mut socket = self.connect().await;
        assert_eq!(socket.until_caught_up().await, NOTHING);
        socket
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Reject> {
        self.rest.get(path, &self.tokens.access).await
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Reject> {
        self.rest.post(path, Some(&self.tokens.access), body).await
    }

    pub async fn put(&self, path: &str, body: &impl Serialize) -> Result<(), Reject> {
        self.rest.put(path, &self.tokens.access, body).await
    }

    pub async fn delete(&self, path: &str) -> Result<(), Reject> {
        self.rest.call("DELETE", path, Some(&self.tokens.access), None).await
    }

    /// Says with the device's signature that the account is to be deleted.
    pub async fn delete_account(&self) -> Result<(), Reject> {
        let request = self.deletion(&self.rest.url, self.device.address).await;
        let body = serde_json::to_vec(&request).unwrap();
        self.rest.call("DELETE", "/v1/account", Some(&self.tokens.access), Some(body)).await
    }

    /// A fresh challenge, signed by this device as if it stood for `address` at `origin`.
    pub async fn deletion(&self, origin: &str, address: DeviceAddress) -> DeleteAccount {
        let start = DeviceLoginStart { address: self.device.address };
        let challenge: DeviceChallenge =
            self.rest.post("/v1/auth/device/start", None, &start).await.unwrap();
        let input = deletion_input(origin, &challenge.nonce, address);
        let signature = self.device.sign(label::ACCOUNT_DELETION, &input);
        DeleteAccount { nonce: challenge.nonce, signature }
    }

    /// The workspace of this account.
    pub async fn workspace(&self) -> Workspace {
        self.get("/v1/workspace").await.unwrap()
    }

    /// A creation entry, not handed in yet.
    pub async fn creation(
        &self,
        kind: ConversationKind,
        others: &[&Self],
        policy: Policy,
    ) -> MembershipEntry {
        let workspace = self.workspace().await.workspace;
        self.creation_in(workspace, kind, others, policy)
    }

    /// The same, in a workspace that is known.
    pub fn creation_in(
        &self,
        workspace: WorkspaceId,
        kind: ConversationKind,
        others: &[&Self],
        policy: Policy,
    ) -> MembershipEntry {
        let mut members = vec![Member { account: self.account, role: Role::Admin }];
        let role = match kind {
            ConversationKind::Direct => Role::Admin,
            _ => Role::Member,
        };
        members.extend(others.iter().map(|other| Member { account: other.account, role }));
        MembershipEntry {
            version: chat_core::membership::VERSION,
            conversation: None,
            index: 0,
            previous: Digest::ZERO,
            author: self.device.address,
            at: NOW,
            change: Change::Create {
                kind,
                workspace,
                members: List::new(members).unwrap(),
                policy,
                nonce: Bytes::new(random::bytes::<16>().to_vec()).unwrap(),
                document: None,
            },
        }
    }

    pub async fn begin(
        &self,
        kind: ConversationKind,
        others: &[&Self],
        policy: Policy,
    ) -> Result<Membership, Reject> {
        let entry = self.device.entry(&self.creation(kind, others, policy).await);
        let append = AppendEntry { entry: entry.clone() };
        let _: MembershipHead = self.post("/v1/conversations", &append).await?;
        Ok(Membership::create(&entry.verify(&self.devices).unwrap()).unwrap())
    }

    pub async fn direct(&self, other: &Self) -> Membership {
        self.begin(ConversationKind::Direct, &[other], Policy::DEFAULT).await.unwrap()
    }

    pub async fn group(&self, others: &[&Self]) -> Membership {
        self.begin(ConversationKind::Group, others, Policy::DEFAULT).await.unwrap()
    }

    /// Appends a change, and applies it to `membership` if the relay took it.
    pub async fn change(&self, membership: &mut Membership, change: Change) -> Result<(), Reject> {
        let entry = membership.next_entry(self.device.address, change, NOW);
        let entry = self.device.entry(&entry);
        let path = format!("/v1/conversations/{}/membership", membership.id());
        let _: MembershipHead = self.post(&path, &AppendEntry { entry: entry.clone() }).await?;
        membership.apply(&entry.verify(&self.devices).unwrap()).unwrap();
        Ok(())
    }

    pub async fn log_length(&self, conversation: ConversationId) -> usize {
        let path = format!("/v1/conversations/{conversation}/membership?from=0");
        let page: MembershipPage = self.get(&path).await.unwrap();
        page.entries.len()
    }

    /// A message that the relay would take: wraps for all the devices given.
    pub fn message(&self, membership: &Membership, to: &[&Self]) -> Message {
        let header = Header {
            version: chat_core::envelope::VERSION,
            suite: Suite::Deniable,
            conversation: membership.id(),
            sender: self.device.address,
            message: MessageId::from_bytes(random::bytes()),
            sent_at: NOW,
            expiry: None,
            membership_index: membership.index(),
            membership_head: membership.head(),
        };
        let wraps = to.iter().map(|person| wrap(person.device.address)).collect();
        Message { header, wraps, payload: random::bytes::<64>().to_vec() }
    }
}

/// A message before it is an envelope, so that tests can spoil it.
#[derive(Clone)]
pub struct Message {
    pub header: Header,
    pub wraps: Vec<Wrap>,
    pub payload: Vec<u8>,
}

impl Message {
    pub fn expiring(mut self, expiry: Expiry) -> Self {
        self.header.expiry = Some(expiry);
        self
    }

    pub fn seal(&self) -> Envelope {
        Envelope {
            header: Bytes::new(to_bytes(&self.header)).unwrap(),
            commitment: Digest::of(&self.payload),
            payload: Bytes::new(self.payload.clone()).unwrap(),
            wraps: List::new(self.wraps.clone()).unwrap(),
        }
    }
}

pub fn wrap(to: DeviceAddress) -> Wrap {
    Wrap {
        scheme: WrapScheme::Ratchet,
        to: Recipient::Device(to),
        epoch: 0,
        bytes: Bytes::new(to.device.as_bytes().to_vec()).unwrap(),
    }
}

pub fn sign(key: &SigningKey, label: Label, message: &[u8]) -> Signature {
    Signature::from_bytes(key.sign(&signature_input(label, message)).to_bytes())
}

fn sign_as<T: Signable>(identity: &SigningKey, object: &T) -> Unverified<T> {
    Unverified::sign(object, |label, bytes| sign(identity, label, bytes)).unwrap()
}

pub fn random_key() -> SigningKey {
    SigningKey::from_bytes(&random::bytes())
}

pub fn random_account() -> AccountId {
    AccountId::from_bytes(random::bytes())
}

pub fn new_device(account: AccountId, identity: &SigningKey) -> Device {
    let key = random_key();
    let address = DeviceAddress { account, device: DeviceId::from_bytes(random::bytes()) };
    let certificate = DeviceCertificate {
        version: chat_core::device::VERSION,
        address,
        key: DeviceKey::from_bytes(key.verifying_key().to_bytes()),
        agreement: AgreementKey::from_bytes([3; 32]),
        schemes: List::new(vec![WrapScheme::Ratchet]).unwrap(),
        created_at: NOW,
    };
    Device { address, key, certificate: sign_as(identity, &certificate) }
}

pub fn first_list(account: AccountId, identity: &SigningKey, device: &Device) -> AccountDevices {
    let listed = ListedDevice {
        device: device.address.device,
        certificate: device.certificate.digest(),
        removed_at: None,
    };
    let list = DeviceList {
        version: chat_core::device::VERSION,
        account,
        number: 1,
        previous: Digest::ZERO,
        devices: List::new(vec![listed]).unwrap(),
        created_at: NOW,
    };
    published(account, identity, &list, vec![device.certificate.clone()])
}

pub fn next_list(
    before: &AccountDevices,
    identity: &SigningKey,
    added: Option<&Device>,
    removed: Option<DeviceId>,
) -> AccountDevices {
    let mut list = before.list().clone().into_inner();
    list.number += 1;
    list.previous = before.list().digest();
    let mut devices = list.devices.into_vec();
    let mut certificates = before.to_published().certificates.into_vec();
    for listed in &mut devices {
        if Some(listed.device) == removed {
            listed.removed_at = Some(NOW);
        }
    }
    if let Some(device) = added {
        devices.push(ListedDevice {
            device: device.address.device,
            certificate: device.certificate.digest(),
            removed_at: None,
        });
        certificates.push(device.certificate.clone());
    }
    list.devices = List::new(devices).unwrap();
    published(before.account(), identity, &list, certificates)
}

fn published(
    account: AccountId,
    identity: &SigningKey,
    list: &DeviceList,
    certificates: Vec<Unverified<DeviceCertificate>>,
) -> AccountDevices {
    let published = PublishedDevices {
        identity_key: IdentityKey::from_bytes(identity.verifying_key().to_bytes()),
        list: sign_as(identity, list),
        certificates: List::new(certificates).unwrap(),
    };
    AccountDevices::verify(account, published).unwrap()
}

pub fn envelope_keys(
    account: AccountId,
    identity: &SigningKey,
    epoch: u32,
) -> Unverified<EnvelopeKeys> {
    let keys = EnvelopeKeys {
        version: chat_core::envelope::VERSION,
        account,
        epoch,
        x25519: AgreementKey::from_bytes([4; 32]),
        xwing: XWingKey::from_bytes([5; 1216]),
        rsa: None,
        created_at: NOW,
    };
    sign_as(identity, &keys)
}

fn cheap() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap())
}
