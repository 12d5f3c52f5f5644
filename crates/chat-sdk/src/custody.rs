//! The store as a whole, in its owner's hands: looked through, written out in plain, wiped.
//!
//! ```text
//!  check_store    is everything there, and can it be used?
//!  export_plain   what a person can read, as lines of JSON        account · conversations · messages
//!  wipe           nothing is left on this device
//! ```
//!
//! Backups, which nobody else can read, are in [`crate::backup`]. An export in plain is for people who
//! want their words out of here; it is as safe as the place they put it.

use chat_core::codec::to_base64url;
use chat_core::id::{AccountId, ConversationId, DeviceId, MessageId};
use chat_core::membership::{ConversationKind, Member};
use chat_core::time::Timestamp;
use rusqlite::Transaction;
use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;

use crate::backup::BackupProgress;
use crate::client::Client;
use crate::content::Content;
use crate::devices;
use crate::error::{Kind, Result};
use crate::message::Message;
use crate::store::backups;
use crate::store::check::CheckReport;
use crate::store::conversations::{self, ConversationRow};
use crate::store::messages::MessageRow;

/// How many messages are read from the store at once.
const PAGE: u32 = 200;

impl Client {
    /// Looks for damage in the store; see [`Store::check`](crate::store::Store::check).
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`] if the file cannot be read at all, [`Kind::StoreBusy`].
    pub async fn check_store(&self) -> Result<CheckReport> {
        self.hub.context.store.check().await
    }

    /// Writes everything that can be read in this account to `sink`, as JSON, one object a line:
    /// the account, each conversation with its members, each message with its last edit and its
    /// reactions, and of a file what it is called, what it is and how long. `progress` hears of it.
    /// Gives how many messages that were.
    ///
    /// **The output is plaintext**: whoever reads it reads everything. Messages with a timer are left
    /// out, since nothing can be made to vanish from it; so are keys, and what deletes or changes a
    /// message rather than being one.
    ///
    /// To drop this leaves lines that are whole but the last.
    ///
    /// # Errors
    ///
    /// [`Kind::SinkFailed`], [`Kind::StoreFailed`].
    pub async fn export_plain(
        &self,
        sink: &mut (impl AsyncWrite + Unpin + Send),
        progress: &watch::Sender<BackupProgress>,
    ) -> Result<u64> {
        let store = &self.hub.context.store;
        let total = store.read(|tx: &Transaction<'_>| backups::count(tx, 0)).await?;
        let (account, username) = (self.account(), self.username());
        write(sink, &[line(&Line::Account { account, username })?]).await?;
        write(sink, &store.read(conversation_lines).await?).await?;
        let (mut after, mut gone_through, mut done) = (0, 0, 0);
        loop {
            let read = move |tx: &Transaction<'_>| {
                let page = backups::page(tx, after, PAGE)?;
                let end = page.last().map(|(place, _)| *place);
                let count = page.len() as u64;
                let rows = page.into_iter().map(|(_, row)| row);
                let lines = rows.filter(is_said).map(|row| message_line(tx, row));
                Ok((end, count, lines.collect::<Result<Vec<_>>>()?))
            };
            let (end, count, lines) = store.read(read).await?;
            let Some(end) = end else { break };
            after = end;
            gone_through += count;
            done += lines.len() as u64;
            write(sink, &lines).await?;
            progress.send_replace(BackupProgress {
                done: gone_through,
                total: total.max(gone_through),
            });
        }
        sink.flush().await.map_err(|error| Kind::SinkFailed.because(error))?;
        Ok(done)
    }

    /// Closes the client and wipes its store: its files are overwritten and deleted. What was not
    /// sent yet is lost, and so is all that only this device knew. May be called again.
    ///
    /// The relay still counts this device as one of the account's: remove it first
    /// ([`Client::remove_device`]), or from another device later. Throw away the store's key as well:
    /// disks keep older states of what is overwritten, which open with it only.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`] if a file can be neither written nor deleted: call it again.
    pub async fn wipe(&self) -> Result<()> {
        match self.close().await {
            Err(error) if error.kind() != Kind::Closed => return Err(error),
            _ => {}
        }
        self.hub.context.store.wipe().await
    }
}

/// What a line of an export is about.
#[derive(Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Line<'a> {
    Account { account: AccountId, username: &'a str },
    Conversation(ConversationLine),
    Message(Box<MessageLine>),
}

#[derive(Serialize)]
struct ConversationLine {
    conversation: ConversationId,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    members: Vec<Person>,
}

#[derive(Serialize)]
struct Person {
    account: AccountId,
    username: String,
}

#[derive(Serialize)]
struct MessageLine {
    message: MessageId,
    conversation: ConversationId,
    sender: Person,
    device: DeviceId,
    /// Milliseconds since 1970, by the sender's clock.
    sent_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<Timestamp>,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileLine>,
    /// What an app of its own kind has said, in base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reactions: Vec<ReactionLine>,
}

#[derive(Serialize)]
struct FileLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    media_type: String,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pixels: Option<(u32, u32)>,
}

#[derive(Serialize)]
struct ReactionLine {
    emoji: String,
    by: Vec<AccountId>,
}

fn conversation_lines(tx: &Transaction<'_>) -> Result<Vec<Vec<u8>>> {
    let shown = conversations::shown(tx)?.into_iter();
    let rows = shown.filter_map(|id| conversations::load(tx, id).transpose());
    rows.map(|row| conversation_line(tx, row?)).collect()
}

fn conversation_line(tx: &Transaction<'_>, row: ConversationRow) -> Result<Vec<u8>> {
    let person = |Member { account, .. }| {
        let username = devices::contact(tx, account)?.username;
        Ok(Person { account, username })
    };
    line(&Line::Conversation(ConversationLine {
        conversation: row.membership.id(),
        kind: match row.membership.kind() {
            ConversationKind::Direct => "direct",
            ConversationKind::Group => "group",
            ConversationKind::Channel => "channel",
            ConversationKind::Document => "document",
        },
        title: row.title,
        members: row.membership.members().map(person).collect::<Result<_>>()?,
    }))
}

/// Whether it is something that was said, and not about something that was.
fn is_said(row: &MessageRow) -> bool {
    let content = Content::read(&row.kind, &row.body);
    row.links.target.is_none() && !matches!(content, Content::Title(_) | Content::Deleted)
}

fn message_line(tx: &Transaction<'_>, row: MessageRow) -> Result<Vec<u8>> {
    let message = Message::from_row(tx, row)?;
    let words = match &message.content {
        Content::Text(text) => Some(text),
        Content::Attachment(file) => Some(&file.caption),
        _ => None,
    };
    let file = message.content.attachment().map(|file| FileLine {
        name: file.name.clone(),
        media_type: file.media_type.clone(),
        bytes: file.size,
        pixels: file.dimensions,
    });
    let body = match &message.content {
        Content::Unknown { body, .. } => Some(to_base64url(body)),
        _ => None,
    };
    let reactions = message.reactions.iter().map(|reaction| ReactionLine {
        emoji: reaction.emoji.clone(),
        by: reaction.by.iter().map(|contact| contact.account).collect(),
    });
    line(&Line::Message(Box::new(MessageLine {
        message: message.id,
        conversation: message.conversation,
        device: message.device,
        sent_at: message.sent_at,
        edited_at: message.edited_at,
        kind: message.content.kind().to_owned(),
        text: message.content.text().map(str::to_owned),
        reply_to: words.and_then(|words| words.reply_to),
        thread: words.and_then(|words| words.thread),
        file,
        body,
        reactions: reactions.collect(),
        sender: Person { account: message.sender.account, username: message.sender.username },
    })))
}

fn line(line: &Line<'_>) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(line).map_err(|error| Kind::Internal.because(error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

async fn write(sink: &mut (impl AsyncWrite + Unpin + Send), lines: &[Vec<u8>]) -> Result<()> {
    for line in lines {
        sink.write_all(line).await.map_err(|error| Kind::SinkFailed.because(error))?;
    }
    Ok(())
}
