//! The relay to a device that is logged in: every REST route by name, and the connection.
//!
//! A token that the relay no longer takes is renewed once on the way; other refusals and lost
//! answers are the caller's. What comes back is as the relay says it: signed objects still have to
//! be verified.

mod backup;
mod blobs;
mod reports;

use std::sync::Arc;

use chat_core::api::account::{AccountKeys, AccountName, Keyring, OwnAccount};
use chat_core::api::auth::RegistrationAnswer;
use chat_core::api::conversations::{
    AddWraps, AddedWrap, AppendEntry, ConversationPage, DeleteMessage, MembershipHead,
    MembershipPage, MessagePage, Receipts, WrapsAdded,
};
use chat_core::api::prekeys::{Bundles, FetchBundles, PrekeyCount};
use chat_core::api::recovery::{PasswordFinish, PasswordStart, PutRecoveryKey};
use chat_core::api::unread::Unread;
use chat_core::codec::List;
use chat_core::deletion::SignedDeletion;
use chat_core::device::PublishedDevices;
use chat_core::envelope::EnvelopeKeys;
use chat_core::id::{AccountId, ConversationId, DeviceAddress};
use chat_core::limits::is_username;
use chat_core::membership::SignedEntry;
use chat_core::prekey::{PrekeyBundle, PrekeyUpload};
use chat_core::receipt::Sequence;
use chat_core::signed::Unverified;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::{Access, asks_for_another_token};
use crate::api::{self, Api};
use crate::error::{Kind, Result};
use crate::transport::{AccessToken, Answer, Link, Method, Request};

/// The relay, to one of its devices; clones share the way there and the tokens.
#[derive(Clone, Debug)]
pub struct Relay {
    api: Api,
    access: Arc<Access>,
}

impl Relay {
    /// The relay behind `api`, for the device with this `access`.
    #[must_use]
    pub fn new(api: Api, access: Arc<Access>) -> Self {
        Self { api, access }
    }

    /// The same relay, without a log-in.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Opens the connection that frames travel on.
    ///
    /// # Errors
    ///
    /// [`Kind::RelayUnreachable`], [`Kind::LoggedOut`], [`Kind::DeviceRemoved`], or what the relay
    /// refuses with.
    pub async fn connect(&self) -> Result<Link> {
        let token = self.access.token().await?;
        match self.api.transport().connect(&token).await {
            Err(error) if asks_for_another_token(&error) => {
                let token = self.access.instead_of(&token).await?;
                self.api.transport().connect(&token).await
            }
            outcome => outcome,
        }
    }

    // ── accounts ────────────────────────────────────────────────────────────────────────────────

    /// `GET /v1/accounts/by-name/{username}`.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`]; [`Kind::NameInvalid`] for what cannot be a name.
    pub async fn account_by_name(&self, username: &str) -> Result<AccountName> {
        // SECURITY: a name goes into a path, so it is one before it gets there.
        if !is_username(username) {
            return Err(Kind::NameInvalid.into());
        }
        self.get(format!("/v1/accounts/by-name/{username}")).await
    }

    /// `GET /v1/accounts/{account}/keys`.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`].
    pub async fn account_keys(&self, account: AccountId) -> Result<AccountKeys> {
        self.get(format!("/v1/accounts/{account}/keys")).await
    }

    /// `GET /v1/account`.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn own_account(&self) -> Result<OwnAccount> {
        self.get("/v1/account".into()).await
    }

    /// `GET /v1/account/keyring`.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn keyring(&self) -> Result<Keyring> {
        self.get("/v1/account/keyring".into()).await
    }

    /// `PUT /v1/account/keyring`: the next number.
    ///
    /// # Errors
    ///
    /// [`Kind::Conflict`] if another device was first.
    pub async fn put_keyring(&self, keyring: &Keyring) -> Result<()> {
        self.put("/v1/account/keyring".into(), keyring).await
    }

    /// `PUT /v1/account/devices`: the next list.
    ///
    /// # Errors
    ///
    /// [`Kind::Conflict`] if another device was first, [`Kind::NotVerified`].
    pub async fn put_devices(&self, devices: &PublishedDevices) -> Result<()> {
        self.put("/v1/account/devices".into(), devices).await
    }

    /// `PUT /v1/account/envelope-keys`: the next epoch.
    ///
    /// # Errors
    ///
    /// [`Kind::Conflict`], [`Kind::NotVerified`].
    pub async fn put_envelope_keys(&self, keys: &Unverified<EnvelopeKeys>) -> Result<()> {
        self.put("/v1/account/envelope-keys".into(), keys).await
    }

    // ── credentials ─────────────────────────────────────────────────────────────────────────────

    /// `PUT /v1/account/recovery-key`.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn put_recovery_key(&self, key: &PutRecoveryKey) -> Result<()> {
        self.put("/v1/account/recovery-key".into(), key).await
    }

    /// `POST /v1/account/password/start`: first half of another password.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn password_start(&self, start: &PasswordStart) -> Result<RegistrationAnswer> {
        self.post("/v1/account/password/start".into(), start).await
    }

    /// `POST /v1/account/password/finish`: second half, with the keyring that it opens.
    ///
    /// # Errors
    ///
    /// [`Kind::Conflict`] if another device has replaced the keyring.
    pub async fn password_finish(&self, finish: &PasswordFinish) -> Result<()> {
        let (path, body) = ("/v1/account/password/finish".into(), api::write(finish)?);
        self.exchange(Method::Post, path, Some(body)).await.map(drop)
    }

    // ── prekeys ─────────────────────────────────────────────────────────────────────────────────

    /// `PUT /v1/prekeys`: a new set.
    ///
    /// # Errors
    ///
    /// [`Kind::Conflict`] for a number that is not higher, [`Kind::NotVerified`].
    pub async fn put_prekeys(&self, prekeys: &PrekeyUpload) -> Result<()> {
        self.put("/v1/prekeys".into(), prekeys).await
    }

    /// `GET /v1/prekeys`: how many of our own are left.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn prekey_count(&self) -> Result<PrekeyCount> {
        self.get("/v1/prekeys".into()).await
    }

    /// `POST /v1/prekeys/fetch`: a bundle for each of `devices` that has one.
    ///
    /// # Errors
    ///
    /// [`Kind::TooLarge`] for more devices than a request may name.
    pub async fn fetch_bundles(&self, devices: Vec<DeviceAddress>) -> Result<Vec<PrekeyBundle>> {
        let devices = List::new(devices)?;
        let bundles: Bundles =
            self.post("/v1/prekeys/fetch".into(), &FetchBundles { devices }).await?;
        Ok(bundles.bundles.into_vec())
    }

    // ── conversations ───────────────────────────────────────────────────────────────────────────

    /// `POST /v1/conversations`: begins one.
    ///
    /// # Errors
    ///
    /// [`Kind::ConversationExists`] for a second direct one of the same two; its id is in
    /// [`Error::reject`](crate::Error::reject). [`Kind::NotVerified`].
    pub async fn create_conversation(&self, entry: SignedEntry) -> Result<MembershipHead> {
        self.post("/v1/conversations".into(), &AppendEntry { entry }).await
    }

    /// `GET /v1/conversations?after={id}`: our conversations, a page of them.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn conversations(&self, after: Option<ConversationId>) -> Result<ConversationPage> {
        let after = after.map(|id| format!("?after={id}")).unwrap_or_default();
        self.get(format!("/v1/conversations{after}")).await
    }

    /// `POST /v1/conversations/{id}/membership`: appends an entry.
    ///
    /// # Errors
    ///
    /// [`Kind::Conflict`] if the log has grown, [`Kind::NotVerified`], [`Kind::NotAMember`].
    pub async fn append_entry(
        &self,
        conversation: ConversationId,
        entry: SignedEntry,
    ) -> Result<MembershipHead> {
        let path = format!("/v1/conversations/{conversation}/membership");
        self.post(path, &AppendEntry { entry }).await
    }

    /// `GET /v1/conversations/{id}/membership?from={index}`: a page of the log.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAMember`].
    pub async fn membership(
        &self,
        conversation: ConversationId,
        from: u64,
    ) -> Result<MembershipPage> {
        self.get(format!("/v1/conversations/{conversation}/membership?from={from}")).await
    }

    /// `GET /v1/conversations/{id}/messages?after={sequence}`: a page of history.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAMember`].
    pub async fn messages(
        &self,
        conversation: ConversationId,
        after: Sequence,
    ) -> Result<MessagePage> {
        self.get(format!("/v1/conversations/{conversation}/messages?after={after}")).await
    }

    /// `POST /v1/conversations/{id}/wraps`: the past, wrapped for a member who came later; gives how
    /// many of the wraps were news. At most 100.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAMember`], [`Kind::Forbidden`], [`Kind::TooLarge`].
    pub async fn add_wraps(
        &self,
        conversation: ConversationId,
        wraps: Vec<AddedWrap>,
    ) -> Result<u64> {
        let path = format!("/v1/conversations/{conversation}/wraps");
        let added: WrapsAdded = self.post(path, &AddWraps { wraps: List::new(wraps)? }).await?;
        Ok(added.added)
    }

    /// `POST /v1/conversations/{id}/deletions`: a message that is to be gone for everybody.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAMember`], [`Kind::Forbidden`], [`Kind::NotVerified`].
    pub async fn delete_message(
        &self,
        conversation: ConversationId,
        deletion: SignedDeletion,
    ) -> Result<()> {
        let path = format!("/v1/conversations/{conversation}/deletions");
        let body = api::write(&DeleteMessage { deletion })?;
        self.exchange(Method::Post, path, Some(body)).await.map(drop)
    }

    /// `GET /v1/unread`: what this account has not seen, as far as the relay can know.
    ///
    /// # Errors
    ///
    /// What befalls every request.
    pub async fn unread(&self) -> Result<Unread> {
        self.get("/v1/unread".into()).await
    }

    /// `GET /v1/conversations/{id}/receipts`: each device's furthest.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAMember`].
    pub async fn receipts(&self, conversation: ConversationId) -> Result<Receipts> {
        self.get(format!("/v1/conversations/{conversation}/receipts")).await
    }

    // ── how ─────────────────────────────────────────────────────────────────────────────────────

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T> {
        api::read(&self.exchange(Method::Get, path, None).await?)
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: String,
        body: &impl Serialize,
    ) -> Result<T> {
        api::read(&self.exchange(Method::Post, path, Some(api::write(body)?)).await?)
    }

    pub(crate) async fn put(&self, path: String, body: &impl Serialize) -> Result<()> {
        self.exchange(Method::Put, path, Some(api::write(body)?)).await.map(drop)
    }

    pub(crate) async fn delete(&self, path: String, body: Option<Vec<u8>>) -> Result<()> {
        self.exchange(Method::Delete, path, body).await.map(drop)
    }

    async fn exchange(
        &self,
        method: Method,
        path: String,
        body: Option<Vec<u8>>,
    ) -> Result<Answer> {
        let request = |token: &AccessToken| Request {
            method,
            path: path.clone(),
            body: body.clone(),
            token: Some(token.clone()),
        };
        let token = self.access.token().await?;
        match self.api.call(request(&token)).await {
            Err(error) if asks_for_another_token(&error) => {
                let token = self.access.instead_of(&token).await?;
                self.api.call(request(&token)).await
            }
            outcome => outcome,
        }
    }
}
