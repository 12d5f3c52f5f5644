//! The client: one account on one device, open.
//!
//! ```text
//!  Client ──orders──▶ engine ──▶ relay         clones share one engine; it ends with the last of
//!     └──── store ◀─────┘                      them, and nothing that was stored is lost by that
//! ```

use std::fmt;
use std::sync::Arc;

use chat_core::id::{AccountId, ConversationId, DeviceAddress, DeviceId};
use chat_core::membership::{ConversationKind, Policy};
use chat_crypto::safety_number::SafetyNumber;
use rusqlite::Transaction;
use tokio::sync::{mpsc, oneshot};

use crate::builder::ClientBuilder;
use crate::context::Context;
use crate::conversation::{self, Conversation};
use crate::devices::{self, OwnDevice};
use crate::engine::{Engine, Order};
use crate::error::{Kind, Result};
use crate::event::{ConnectionState, Events};
use crate::hub::Hub;
use crate::learning::learn;
use crate::membership::Beginning;
use crate::message::{Contact, Message};
use crate::store::conversations::ConversationRow;
use crate::store::{conversations, outbox, settings};
use crate::tasks::spawn;
use crate::verification::{self, Trust};
use crate::{account, credentials, expiry, membership};

/// Most orders that wait for the engine.
const ORDERS_MAX: usize = 16;

/// A client; clones are the same one.
#[derive(Clone)]
pub struct Client {
    pub(crate) hub: Arc<Hub>,
    orders: mpsc::Sender<Order>,
}

impl Client {
    /// Says which relay; what follows says which store and which account.
    #[must_use]
    pub fn builder(relay: &str) -> ClientBuilder {
        ClientBuilder::new(relay)
    }

    /// Erases what is due, before anything is read, and starts the engine.
    pub(crate) async fn start(context: Context) -> Result<Self> {
        let hub = Arc::new(Hub::new(context));
        expiry::sweep(&hub).await?;
        let (orders, queue) = mpsc::channel(ORDERS_MAX);
        spawn(Engine::new(Arc::clone(&hub), queue).run());
        Ok(Self { hub, orders })
    }

    /// A client without an engine.
    #[cfg(test)]
    pub(crate) fn over(hub: Arc<Hub>) -> Self {
        Self { hub, orders: mpsc::channel(1).0 }
    }

    // ── who ─────────────────────────────────────────────────────────────────────────────────────

    /// This account.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.hub.context.own.account()
    }

    /// This account's name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.hub.context.own.username
    }

    /// This device.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.address().device
    }

    /// This account and this device.
    #[must_use]
    pub fn address(&self) -> DeviceAddress {
        self.hub.context.own.address
    }

    /// Somebody by name.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`], [`Kind::NameInvalid`], [`Kind::RelayUnreachable`].
    pub async fn find(&self, username: &str) -> Result<Contact> {
        devices::find(&self.hub.context, username).await
    }

    /// The number that two people compare, to know that nobody is between them.
    ///
    /// # Errors
    ///
    /// As [`Self::find`].
    pub async fn safety_number(&self, username: &str) -> Result<SafetyNumber> {
        let contact = self.find(username).await?;
        verification::safety_number(&self.hub.context, contact.account).await
    }

    /// Notes that the safety numbers were compared and are equal.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] for somebody never looked up.
    pub async fn mark_verified(&self, account: AccountId) -> Result<()> {
        verification::mark_verified(&self.hub.context, account).await
    }

    /// How far somebody's identity key is believed.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] for somebody never looked up.
    pub async fn trust(&self, account: AccountId) -> Result<Trust> {
        verification::trust(&self.hub.context, account).await
    }

    /// Accepts the identity key that has come up in place of the known one.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if none has; [`Kind::IdentityChanged`] if it has changed again.
    pub async fn accept_identity(&self, account: AccountId) -> Result<()> {
        verification::accept_identity(&self.hub.context, account).await
    }

    // ── where ───────────────────────────────────────────────────────────────────────────────────

    /// The direct conversation with somebody: the one there is, or a new one.
    ///
    /// # Errors
    ///
    /// As [`Self::find`]; [`Kind::ArgumentInvalid`] for oneself.
    pub async fn direct(&self, username: &str) -> Result<Conversation> {
        let peer = self.find(username).await?.account;
        if peer == self.account() {
            return Err(Kind::ArgumentInvalid.into());
        }
        let existing = move |tx: &Transaction<'_>| conversations::with_peer(tx, peer);
        if let Some(row) = self.hub.context.store.read(existing).await? {
            return Ok(Conversation::new(Arc::clone(&self.hub), &row));
        }
        let beginning = Beginning {
            kind: ConversationKind::Direct,
            others: vec![peer],
            policy: Policy::DEFAULT,
            document: None,
            nonce: None,
        };
        let id = membership::create(&self.hub, beginning).await?;
        self.conversation(id).await
    }

    /// A new group, with this account as its admin.
    ///
    /// # Errors
    ///
    /// As [`Self::find`]; [`Kind::TooLarge`] for too many members or too long a title.
    pub async fn create_group(&self, title: &str, usernames: &[&str]) -> Result<Conversation> {
        self.create_group_with(title, usernames, Policy::DEFAULT).await
    }

    /// A new group with rules of its own.
    ///
    /// # Errors
    ///
    /// As [`Self::create_group`].
    pub async fn create_group_with(
        &self,
        title: &str,
        usernames: &[&str],
        policy: Policy,
    ) -> Result<Conversation> {
        let kind = ConversationKind::Group;
        let others = self.find_all(usernames).await?;
        let beginning = Beginning { kind, others, policy, document: None, nonce: None };
        let id = membership::create(&self.hub, beginning).await?;
        if !title.is_empty() {
            conversation::rename(&self.hub, id, title.to_owned()).await?;
        }
        self.conversation(id).await
    }

    pub(crate) async fn find_all(&self, usernames: &[&str]) -> Result<Vec<AccountId>> {
        let mut found = Vec::with_capacity(usernames.len());
        for username in usernames {
            found.push(self.find(username).await?.account);
        }
        Ok(found)
    }

    /// All conversations, the most recently active first; former ones too.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn conversations(&self) -> Result<Vec<Conversation>> {
        let all = |tx: &Transaction<'_>| {
            let own = settings::own_conversations(tx)?;
            let is_shown = |row: &ConversationRow| !own.contains(&row.membership.id());
            Ok(conversations::all(tx)?.into_iter().filter(is_shown).collect::<Vec<_>>())
        };
        let rows = self.hub.context.store.read(all).await?;
        Ok(rows.iter().map(|row| Conversation::new(Arc::clone(&self.hub), row)).collect())
    }

    /// A conversation by its id.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if it is not known here.
    pub async fn conversation(&self, id: ConversationId) -> Result<Conversation> {
        let row = self.hub.context.store.read(move |tx| conversations::load(tx, id)).await?;
        Ok(Conversation::new(Arc::clone(&self.hub), &row.ok_or(Kind::NotFound)?))
    }

    /// Messages of all conversations that have every word of `words`, or one that begins with it;
    /// the newest first. Found in this device's store, which the relay has no part in.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn search(&self, words: &str, limit: u32) -> Result<Vec<Message>> {
        conversation::search(&self.hub, words, None, limit).await
    }

    // ── what happens ────────────────────────────────────────────────────────────────────────────

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.hub.listen()
    }

    /// How it stands with the relay.
    #[must_use]
    pub fn connection_state(&self) -> ConnectionState {
        *self.hub.connection.borrow()
    }

    /// Ends when there is a connection, however long that takes.
    ///
    /// # Errors
    ///
    /// [`Kind::LoggedOut`] if there cannot be one, [`Kind::Closed`].
    pub async fn wait_until_connected(&self) -> Result<()> {
        let mut states = self.hub.connection.subscribe();
        let decided = states
            .wait_for(|s| matches!(s, ConnectionState::Connected | ConnectionState::LoggedOut))
            .await
            .map_err(|_| Kind::Closed)?;
        match *decided {
            ConnectionState::LoggedOut => Err(Kind::LoggedOut.into()),
            _ => Ok(()),
        }
    }

    /// Ends when everything that waited at the relay has been applied here.
    ///
    /// # Errors
    ///
    /// As [`Self::wait_until_connected`].
    pub async fn sync(&self) -> Result<()> {
        self.wait_until_connected().await?;
        let mut caught_up = self.hub.caught_up.subscribe();
        let mut states = self.hub.connection.subscribe();
        tokio::select! {
            done = caught_up.wait_for(|done| *done) => done.map(drop).map_err(|_| Kind::Closed)?,
            out = states.wait_for(|state| *state == ConnectionState::LoggedOut) => {
                out.map_err(|_| Kind::Closed)?;
                return Err(Kind::LoggedOut.into());
            }
        }
        Ok(())
    }

    /// Ends when every message that was queued is accepted or has failed; never while offline.
    ///
    /// # Errors
    ///
    /// [`Kind::Closed`], [`Kind::StoreFailed`].
    pub async fn flush(&self) -> Result<()> {
        let mut progress = self.hub.progress.subscribe();
        loop {
            progress.mark_unchanged();
            if self.hub.context.store.read(outbox::is_empty).await? {
                return Ok(());
            }
            progress.changed().await.map_err(|_| Kind::Closed)?;
        }
    }

    /// Closes the connection, until [`Self::go_online`].
    ///
    /// # Errors
    ///
    /// [`Kind::Closed`].
    pub async fn go_offline(&self) -> Result<()> {
        self.order(Order::GoOffline).await
    }

    /// Connects, and keeps connecting when the connection is lost; so does a client that is new.
    ///
    /// # Errors
    ///
    /// [`Kind::Closed`].
    pub async fn go_online(&self) -> Result<()> {
        self.orders.send(Order::GoOnline).await.map_err(|_| Kind::Closed.into())
    }

    // ── devices ─────────────────────────────────────────────────────────────────────────────────

    /// The account's devices, asked for anew where there is a connection.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`], [`Kind::DeviceRemoved`] if this one is no longer among them.
    pub async fn devices(&self) -> Result<Vec<OwnDevice>> {
        match learn(&self.hub, self.account()).await {
            Err(error) if !error.is_transient() => Err(error),
            _ => devices::list_own(&self.hub.context).await,
        }
    }

    /// Removes another device from the account: it can no longer log in, nobody seals for it, and
    /// the account's keys are replaced, so that what it had opens nothing that comes. The devices
    /// that stay are handed the new ones.
    ///
    /// If the relay is lost after the first of these, the rest is made up for with the next
    /// connection.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`], [`Kind::RelayUnreachable`].
    pub async fn remove_device(&self, device: DeviceId) -> Result<()> {
        credentials::remove_device(&self.hub, device).await
    }

    /// Removes this device from its account, erases the store and ends the client.
    ///
    /// # Errors
    ///
    /// [`Kind::RelayUnreachable`] if the relay cannot be told; then nothing is erased.
    pub async fn log_out(&self) -> Result<()> {
        account::log_out(&self.hub.context).await?;
        self.close().await
    }

    /// Ends the client in order; what was queued is sent when the store is opened again.
    ///
    /// # Errors
    ///
    /// [`Kind::Closed`] if it was closed before.
    pub async fn close(&self) -> Result<()> {
        self.order(Order::Close).await
    }

    async fn order(&self, order: impl FnOnce(oneshot::Sender<()>) -> Order) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.orders.send(order(done)).await.map_err(|_| Kind::Closed)?;
        answer.await.map_err(|_| Kind::Closed.into())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.address()).finish_non_exhaustive()
    }
}
