//! Channels and conversations about documents: begun like groups, with a past that those who come
//! later can be given.
//!
//! Their messages are wrapped for the envelope keys of accounts, and signed: a new device of a
//! member reads all of it, see [`crate::live`]. What a ratchet forgets, these keys do not.

use chat_core::membership::{ConversationKind, Policy};
use rusqlite::Transaction;

use crate::client::Client;
use crate::conversation::{Conversation, rename};
use crate::error::{Kind, Result};
use crate::membership::{self, Beginning};
use crate::store::conversations;

/// Longest id of a document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 256;

impl Client {
    /// A new channel, with this account as its admin: for example with the rules
    /// [`Policy::CHANNEL`], by which the whole workspace may join and read from the beginning.
    ///
    /// # Errors
    ///
    /// As [`Self::create_group`].
    pub async fn create_channel(
        &self,
        title: &str,
        usernames: &[&str],
        policy: Policy,
    ) -> Result<Conversation> {
        self.begin(ConversationKind::Channel, None, title, usernames, policy).await
    }

    /// A new conversation about a document, with this account as its admin: for example with the
    /// rules [`Policy::DOCUMENT`]. The id of the document is the app's own, at most 256 bytes; the
    /// relay sees it, and a workspace has one conversation about each, see
    /// [`Self::open_document`].
    ///
    /// # Errors
    ///
    /// As [`Self::create_group`]; [`Kind::ArgumentInvalid`] for no id or too long a one.
    pub async fn create_document_chat(
        &self,
        document: &str,
        title: &str,
        usernames: &[&str],
        policy: Policy,
    ) -> Result<Conversation> {
        if document.is_empty() || document.len() > DOCUMENT_BYTES_MAX {
            return Err(Kind::ArgumentInvalid.into());
        }
        let document = Some(document.to_owned());
        self.begin(ConversationKind::Document, document, title, usernames, policy).await
    }

    /// The conversations about a document in which this account takes or took part, the most
    /// recently active first.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn document_chats(&self, document: &str) -> Result<Vec<Conversation>> {
        let document = document.to_owned();
        let read = move |tx: &Transaction<'_>| {
            let all = conversations::all(tx)?.into_iter();
            let about = all.filter(|row| row.membership.document() == Some(&document));
            Ok(about.collect::<Vec<_>>())
        };
        let rows = self.hub.context.store.read(read).await?;
        Ok(rows.iter().map(|row| Conversation::new(self.hub.clone(), row)).collect())
    }

    async fn begin(
        &self,
        kind: ConversationKind,
        document: Option<String>,
        title: &str,
        usernames: &[&str],
        policy: Policy,
    ) -> Result<Conversation> {
        let others = self.find_all(usernames).await?;
        let beginning = Beginning { kind, others, policy, document, nonce: None };
        let id = membership::create(&self.hub, beginning).await?;
        if !title.is_empty() {
            rename(&self.hub, id, title.to_owned()).await?;
        }
        self.conversation(id).await
    }
}

impl Conversation {
    /// The document it is about, if it is about one.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn document(&self) -> Result<Option<String>> {
        let id = self.id;
        let read = move |tx: &Transaction<'_>| {
            let row = conversations::load(tx, id)?.ok_or(Kind::NotFound)?;
            Ok(row.membership.document().map(str::to_owned))
        };
        self.hub.context.store.read(read).await
    }
}
