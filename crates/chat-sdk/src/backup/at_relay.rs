//! The backup at the relay: what is new here is appended, what others appended comes here.
//!
//! ```text
//!  keyring ─▶ head ─▶ is it the one we know, or does it continue it?
//!                      │ segments of other devices: put back here, and marked
//!                      ▼
//!  what is not marked ─▶ segment ─▶ blob ─▶ next head ─▶ relay ─▶ remembered, marked
//!                ▲                                        │ conflict: another device was first
//!                └──────── its segments are read ◀────────┘
//! ```
//!
//! Every segment is a step of its own: whatever interrupts this, the next call goes on where it was.
//! A device that has never read the backup reads all of it before it appends, so that no message is
//! in it twice. Normative: `docs/protocol/backup.md` §5 to §8, §10.

use std::sync::Arc;

use chat_core::api::backup::{BackupSegment, PutBackup};
use chat_core::codec::{Bytes, List, to_bytes};
use chat_core::id::{BackupId, BlobId, MessageId};
use chat_crypto::backup::{BackupError, BackupHead, BackupReader, RecordError, Records};
use chat_crypto::keyring::Keyring;
use rusqlite::Transaction;
use tokio::sync::watch;

use super::{BackupProgress, PAGE, Record, Restored, SEALED_BYTES_MAX, damaged, put_back, refused};
use crate::client::Client;
use crate::context::Context;
use crate::error::{Kind, Result};
use crate::hub::Hub;
use crate::keyring;
use crate::store::{account, backups, unreadable};

/// The name of the fact that holds the head that was seen last.
const HEAD: &str = "backup_head";
/// And the name of the one that holds the number of the key that it was sealed under.
const HEAD_KEY: &str = "backup_head_key";
/// How often a segment is made anew when another device was first.
const ATTEMPTS: usize = 8;

impl Client {
    /// Appends what is new on this device to the account's backup at the relay, sealed for the
    /// account's devices; `progress` hears of it. Gives how many messages that were.
    ///
    /// What other devices have appended since comes here first, so any device may be the one that
    /// does this, and when is the app's to say: once a day, or on a network that costs nothing.
    /// Messages with a timer are left out. To drop this is to pause.
    ///
    /// # Errors
    ///
    /// [`Kind::BackupInvalid`] if the relay serves an older backup than one seen before, or another;
    /// [`Kind::KeyringLocked`]; [`Kind::QuotaExceeded`]; [`Kind::RelayUnreachable`] and others that
    /// may pass: call again.
    pub async fn back_up(&self, progress: &watch::Sender<BackupProgress>) -> Result<u64> {
        let kept = Kept::open(&self.hub).await?;
        let mut head = kept.newest().await?;
        let total = self.hub.context.store.read(backups::count_unmarked).await?;
        let (mut done, mut conflicts) = (0, 0);
        loop {
            let (records, messages) = self.hub.context.store.read(gather).await?;
            let is_done = messages.is_empty();
            let total = if is_done { done } else { total.max(done) };
            progress.send_replace(BackupProgress { done, total });
            if is_done {
                return Ok(done);
            }
            let count = messages.len() as u64;
            match kept.append(&head, &records, messages).await {
                Ok(next) => (head, done) = (next, done + count),
                Err(error) if error.kind() == Kind::Conflict && conflicts < ATTEMPTS => {
                    conflicts += 1;
                    head = kept.newest().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Puts back what is in the account's backup at the relay, the newest first; what is here
    /// already, or was here and vanished, stays as it is. Waits until the client has caught up with
    /// the relay. May be repeated; `progress` counts segments.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if there is no backup; [`Kind::BackupInvalid`] if it is damaged, older
    /// than one seen before, or not this account's; [`Kind::KeyringLocked`],
    /// [`Kind::RelayUnreachable`].
    pub async fn restore_backup(
        &self,
        progress: &watch::Sender<BackupProgress>,
    ) -> Result<Restored> {
        // What is said in a conversation that is not known yet would be passed over.
        self.sync().await?;
        let kept = Kept::open(&self.hub).await?;
        let (head, seen) = kept.fetch().await?.ok_or(Kind::NotFound)?;
        let total = head.segments().count() as u64;
        let restored = kept.read(head.reader(), total, progress).await?;
        if seen != Some(head) {
            kept.remember(head, Vec::new()).await?;
        }
        Ok(restored)
    }
}

/// Has the head sealed under the newest backup key, after that has changed: what was sealed under
/// the one before is taken from nobody any more.
///
/// # Errors
///
/// As [`Client::back_up`].
pub(crate) async fn seal_anew(hub: &Hub) -> Result<()> {
    let kept = Kept::open(hub).await?;
    match kept.remembered().await? {
        Some(_) => kept.newest().await.map(drop),
        None => Ok(()),
    }
}

/// The backup as the relay keeps it, and what opens it.
struct Kept<'a> {
    hub: &'a Hub,
    context: &'a Context,
    keyring: Arc<Keyring>,
}

impl<'a> Kept<'a> {
    /// With the newest keyring: a head under an older backup key would be taken from nobody.
    async fn open(hub: &'a Hub) -> Result<Self> {
        let context = &hub.context;
        keyring::refresh(context).await?;
        Ok(Self { hub, context, keyring: context.own.keyring.get() })
    }

    async fn remembered(&self) -> Result<Option<BackupHead>> {
        let fact = self.context.store.read(|tx: &Transaction<'_>| account::fact(tx, HEAD)).await?;
        fact.map(|fact| BackupHead::from_snapshot(&fact).map_err(unreadable)).transpose()
    }

    /// The head at the relay, checked against the one that is remembered, and that one.
    async fn fetch(&self) -> Result<Option<(BackupHead, Option<BackupHead>)>> {
        let remembered = self.remembered().await?;
        let sealed = match self.context.relay.backup().await {
            Ok(found) => found.head,
            Err(error) if error.kind() == Kind::NotFound => {
                // SECURITY: a backup that was there and is not is one that leads back.
                return match remembered {
                    Some(_) => Err(refused(BackupError::RolledBack)),
                    None => Ok(None),
                };
            }
            Err(error) => return Err(error),
        };
        let head =
            BackupHead::open(&sealed, &self.keyring, remembered.as_ref()).map_err(refused)?;
        Ok(Some((head, remembered)))
    }

    /// Whether the head that is remembered was sealed under the newest backup key.
    async fn is_sealed_anew(&self) -> Result<bool> {
        let key = |tx: &Transaction<'_>| account::fact(tx, HEAD_KEY);
        Ok(self.context.store.read(key).await? == Some(self.key_number()))
    }

    fn key_number(&self) -> Vec<u8> {
        (self.keyring.backup_key_number() as u64).to_be_bytes().to_vec()
    }

    /// The head to append to; what others have appended since is put back here. Begins a backup if
    /// there is none.
    async fn newest(&self) -> Result<BackupHead> {
        let Some((head, remembered)) = self.fetch().await? else {
            let head = BackupHead::begin(&mut self.context.rng());
            return match self.put(head, Vec::new(), Vec::new()).await {
                // Another device has begun one meanwhile.
                Err(error) if error.kind() == Kind::Conflict => {
                    let (head, _) = self.fetch().await?.ok_or(error)?;
                    self.follow(head, None).await
                }
                outcome => outcome,
            };
        };
        self.follow(head, remembered).await
    }

    async fn follow(&self, head: BackupHead, seen: Option<BackupHead>) -> Result<BackupHead> {
        if seen == Some(head) {
            return if self.is_sealed_anew().await? {
                Ok(head)
            } else {
                self.put(head.trim(*head.segments().start()), Vec::new(), Vec::new()).await
            };
        }
        let reader = seen.map_or_else(|| head.reader(), |seen| head.reader_since(&seen));
        self.read(reader, 0, &watch::Sender::default()).await?;
        self.remember(head, Vec::new()).await?;
        Ok(head)
    }

    /// Puts back what a reader finds, and marks it.
    async fn read(
        &self,
        mut reader: BackupReader,
        total: u64,
        progress: &watch::Sender<BackupProgress>,
    ) -> Result<Restored> {
        let mut restored = Restored::default();
        let mut page: Vec<BackupSegment> = Vec::new();
        let mut told = BackupProgress { done: 0, total };
        while let Some(number) = reader.wanted() {
            progress.send_replace(told);
            if !page.iter().any(|segment| segment.number == number) {
                let before = number.saturating_add(1);
                page = self.context.relay.backup_segments(before).await?.segments.into_vec();
            }
            let place = page.iter().find(|segment| segment.number == number);
            let blob = place.ok_or_else(damaged)?.blob;
            let bytes = u64::from(SEALED_BYTES_MAX);
            let sealed = self.context.relay.get_part(blob, 0, bytes).await?;
            let segment = reader.open(&sealed, &self.keyring).map_err(refused)?;
            put_back(self.hub, &segment, backups::mark, &mut restored).await?;
            told.done += 1;
        }
        progress.send_replace(told);
        Ok(restored)
    }

    async fn append(
        &self,
        head: &BackupHead,
        records: &Records,
        messages: Vec<MessageId>,
    ) -> Result<BackupHead> {
        let (segment, next) = head.append(&self.keyring, records, &mut self.context.rng());
        let blob = self.upload(segment).await?;
        let number = *next.segments().end();
        self.put(next, vec![BackupSegment { number, blob }], messages).await
    }

    async fn upload(&self, segment: Vec<u8>) -> Result<BlobId> {
        let relay = &self.context.relay;
        let blob = relay.create_blob(segment.len() as u64).await?.blob;
        relay.put_piece(blob, 0, segment).await?;
        Ok(blob)
    }

    /// Has the relay take a head, and remembers it, with what is in the backup by then.
    async fn put(
        &self,
        head: BackupHead,
        segments: Vec<BackupSegment>,
        messages: Vec<MessageId>,
    ) -> Result<BackupHead> {
        let sealed = head.seal(&self.keyring, &mut self.context.rng());
        let next = PutBackup {
            number: head.revision(),
            backup: BackupId::from_bytes(head.backup()),
            first: *head.segments().start(),
            last: *head.segments().end(),
            head: Bytes::new(sealed)?,
            segments: List::new(segments)?,
        };
        self.context.relay.put_backup(&next).await?;
        self.remember(head, messages).await?;
        Ok(head)
    }

    async fn remember(&self, head: BackupHead, messages: Vec<MessageId>) -> Result<()> {
        let key = self.key_number();
        let note = move |tx: &Transaction<'_>| {
            account::set_fact(tx, HEAD, &head.to_snapshot())?;
            account::set_fact(tx, HEAD_KEY, &key)?;
            messages.iter().try_for_each(|message| backups::mark(tx, *message))
        };
        self.context.store.write(note).await
    }
}

/// As many messages as a segment holds, of those that are in no backup yet.
fn gather(tx: &Transaction<'_>) -> Result<(Records, Vec<MessageId>)> {
    let (mut records, mut messages, mut after) = (Records::new(), Vec::new(), 0);
    loop {
        let page = backups::unmarked(tx, after, PAGE)?;
        if page.is_empty() {
            return Ok((records, messages));
        }
        for (place, row) in page {
            after = place;
            let id = row.id;
            let Some(record) = Record::of(row) else { continue };
            match records.push(&to_bytes(&record), None) {
                Ok(()) => messages.push(id),
                Err(RecordError::Full) => return Ok((records, messages)),
                Err(error) => return Err(Kind::Internal.because(error)),
            }
        }
    }
}
