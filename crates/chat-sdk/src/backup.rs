//! Backup of history, to a file or to the relay, and back: what a new device gets its old messages
//! from.
//!
//! ```text
//!  store ─▶ records ─▶ segments, half a megabyte each ─▶ head        oldest first
//!                                                          │
//!  store ◀─ what is not here yet ◀─ segments ◀─────────────┘         newest first
//! ```
//!
//! Everything in it is sealed under the account's backup key: only the account's devices open
//! it, and what was changed, shortened or mixed is noticed. Messages with a timer are left out, since
//! nothing can be made to vanish from a file. Memory stays at a segment, whatever the length of the
//! history.
//!
//! Normative: `docs/protocol/backup.md`, the file in its §9.

mod at_relay;

use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::sync::Arc;

use chat_core::codec::{from_bytes, to_bytes};
use chat_core::envelope::Suite;
use chat_core::id::{AccountId, ConversationId, DeviceAddress, MessageId};
use chat_core::receipt::Sequence;
use chat_core::time::Timestamp;
use chat_crypto::backup::{BackupError, BackupHead, RecordError, Records, Segment};
use chat_crypto::keyring::Keyring;
use minicbor::{Decode, Encode};
use rusqlite::Transaction;
use tokio::io::AsyncWriteExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeek, AsyncSeekExt as _, AsyncWrite};
use tokio::sync::watch;

pub(crate) use self::at_relay::seal_anew;
use crate::client::Client;
use crate::content::Content;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::hub::Hub;
use crate::store::backups;
use crate::store::messages::{Links, MessageRow};

/// What a file begins with.
const MAGIC: &[u8; 18] = b"sealwire-backup/1\n";
/// Largest sealed segment or head.
const SEALED_BYTES_MAX: u32 = 640 * 1024;
/// How many messages are read from the store at once.
const PAGE: u32 = 200;

/// How far a backup is, in messages, or a restoration, in segments of half a megabyte.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BackupProgress {
    /// How many were written, or put back.
    pub done: u64,
    /// How many there are.
    pub total: u64,
}

/// What a restoration came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Restored {
    /// Messages that were not here.
    pub messages: u64,
    /// Messages that were here, are gone for good, or belong to a conversation that is not here.
    pub passed_over: u64,
}

/// A message in a backup.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Record {
    #[n(0)]
    conversation: ConversationId,
    #[n(1)]
    message: MessageId,
    #[n(2)]
    sender: DeviceAddress,
    #[n(3)]
    sequence: Sequence,
    #[n(4)]
    sent_at: Timestamp,
    #[n(5)]
    received_at: Option<Timestamp>,
    #[n(6)]
    kind: String,
    #[cbor(n(7), with = "minicbor::bytes")]
    body: Vec<u8>,
    #[n(8)]
    suite: Suite,
}

impl Record {
    fn of(row: MessageRow) -> Option<Self> {
        Some(Self {
            conversation: row.conversation,
            message: row.id,
            sender: row.sender,
            sequence: row.sequence?,
            sent_at: row.sent_at,
            received_at: row.received_at,
            kind: row.kind,
            body: row.body,
            suite: row.suite,
        })
    }

    fn into_row(self, ours: AccountId) -> MessageRow {
        let outgoing = self.sender.account == ours;
        let links = Links::of(&Content::read(&self.kind, &self.body), ours);
        MessageRow {
            id: self.message,
            conversation: self.conversation,
            sender: self.sender,
            outgoing,
            number: None,
            previous: None,
            named_index: None,
            sequence: Some(self.sequence),
            sent_at: self.sent_at,
            received_at: self.received_at,
            kind: self.kind,
            body: self.body,
            suite: self.suite,
            status: backups::status(outgoing),
            failure: None,
            expiry: None,
            deadline: None,
            links,
        }
    }
}

impl Client {
    /// Writes this device's history to `sink`, sealed for the account's devices; `progress` hears
    /// of it. Gives how many messages that were.
    ///
    /// To drop this leaves a file that is no backup.
    ///
    /// # Errors
    ///
    /// [`Kind::SinkFailed`], [`Kind::StoreFailed`].
    pub async fn export_history(
        &self,
        sink: &mut (impl AsyncWrite + Unpin + Send),
        progress: &watch::Sender<BackupProgress>,
    ) -> Result<u64> {
        let context = &self.hub.context;
        let keyring = context.own.keyring.get();
        let total = context.store.read(|tx: &Transaction<'_>| backups::count(tx, 0)).await?;
        let mut export = Export {
            keyring,
            head: BackupHead::begin(&mut context.rng()),
            records: Records::new(),
            rng: context.rng(),
        };
        sink.write_all(MAGIC).await.map_err(unwritten)?;
        let (mut after, mut done) = (0, 0);
        loop {
            let read = move |tx: &Transaction<'_>| backups::page(tx, after, PAGE);
            let page = context.store.read(read).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (_, row) in page {
                if let Some(record) = Record::of(row) {
                    export.add(&to_bytes(&record), sink).await?;
                    done += 1;
                }
            }
            progress.send_replace(BackupProgress { done, total: total.max(done) });
        }
        export.finish(sink).await?;
        Ok(done)
    }

    /// Puts the history that [`Self::export_history`] wrote back, the newest first; what is here
    /// already, or was here and vanished, stays as it is. May be repeated. What was said in a
    /// conversation that is not known here is passed over: a device that is new calls
    /// [`Client::sync`] first.
    ///
    /// To drop this leaves what was put back so far.
    ///
    /// # Errors
    ///
    /// [`Kind::BackupInvalid`] if it is another account's backup, damaged, shortened or mixed with
    /// another; [`Kind::SourceFailed`], [`Kind::StoreFailed`].
    pub async fn import_history(
        &self,
        source: &mut (impl AsyncRead + AsyncSeek + Unpin + Send),
        progress: &watch::Sender<BackupProgress>,
    ) -> Result<Restored> {
        let keyring = self.hub.context.own.keyring.get();
        let places = index(source).await?;
        let (head, segments) = places.split_last().ok_or_else(damaged)?;
        let head =
            BackupHead::open(&read_at(source, *head).await?, &keyring, None).map_err(refused)?;
        let mut reader = head.reader();
        let mut restored = Restored::default();
        let mut told = BackupProgress { done: 0, total: segments.len() as u64 };
        while let Some(number) = reader.wanted() {
            let place = number.checked_sub(1).and_then(|it| usize::try_from(it).ok());
            let place = place.and_then(|it| segments.get(it)).ok_or_else(damaged)?;
            let sealed = read_at(source, *place).await?;
            let segment = reader.open(&sealed, &keyring).map_err(refused)?;
            // That it is in a file says nothing of the backup at the relay.
            put_back(&self.hub, &segment, |_, _| Ok(()), &mut restored).await?;
            told.done += 1;
            progress.send_replace(told);
        }
        Ok(restored)
    }
}

/// Puts back what is not here of a segment; `note` hears of every message in it.
async fn put_back(
    hub: &Hub,
    segment: &Segment,
    note: fn(&Transaction<'_>, MessageId) -> Result<()>,
    restored: &mut Restored,
) -> Result<()> {
    let (ours, now) = (hub.context.own.account(), hub.now());
    let mut rows = Vec::new();
    for record in segment.records().rev() {
        // A kind of record that a newer version wrote is passed over.
        match from_bytes::<Record>(record) {
            Ok(record) => rows.push(record.into_row(ours)),
            Err(_) => restored.passed_over += 1,
        }
    }
    let looked_at = rows.len() as u64;
    let store = move |tx: &Transaction<'_>| {
        let mut touched = BTreeMap::new();
        for row in &rows {
            if backups::restore(tx, row, now)? {
                *touched.entry(row.conversation).or_insert(0_u64) += 1;
            }
            note(tx, row.id)?;
        }
        Ok(touched)
    };
    let touched = hub.context.store.write(store).await?;
    let new: u64 = touched.values().sum();
    restored.messages += new;
    restored.passed_over += looked_at - new;
    for conversation in touched.into_keys() {
        hub.emit(Event::Conversation { conversation });
    }
    Ok(())
}

/// A backup that is being written.
struct Export {
    keyring: Arc<Keyring>,
    head: BackupHead,
    records: Records,
    rng: crate::random::Rng,
}

impl Export {
    async fn add(&mut self, record: &[u8], sink: &mut (impl AsyncWrite + Unpin)) -> Result<()> {
        match self.records.push(record, None) {
            Err(RecordError::Full) => {
                self.end_segment(sink).await?;
                self.records.push(record, None).map_err(|error| Kind::Internal.because(error))
            }
            // A message has 128 KiB at most, so this is none that we could have opened.
            outcome => outcome.map_err(|error| Kind::Internal.because(error)),
        }
    }

    async fn end_segment(&mut self, sink: &mut (impl AsyncWrite + Unpin)) -> Result<()> {
        let (segment, head) = self.head.append(&self.keyring, &self.records, &mut self.rng);
        (self.head, self.records) = (head, Records::new());
        write(sink, &segment).await
    }

    async fn finish(mut self, sink: &mut (impl AsyncWrite + Unpin)) -> Result<()> {
        if self.records.count() > 0 {
            self.end_segment(sink).await?;
        }
        sink.write_u32(0).await.map_err(unwritten)?;
        write(sink, &self.head.seal(&self.keyring, &mut self.rng)).await?;
        sink.flush().await.map_err(unwritten)
    }
}

async fn write(sink: &mut (impl AsyncWrite + Unpin), sealed: &[u8]) -> Result<()> {
    let length = u32::try_from(sealed.len()).map_err(|_| Kind::Internal)?;
    sink.write_u32(length).await.map_err(unwritten)?;
    sink.write_all(sealed).await.map_err(unwritten)
}

/// Where a sealed segment or head lies.
type Place = (u64, u32);

/// The places of all segments, and of the head behind them.
async fn index(source: &mut (impl AsyncRead + AsyncSeek + Unpin)) -> Result<Vec<Place>> {
    source.seek(SeekFrom::Start(0)).await.map_err(unread)?;
    let mut magic = [0; MAGIC.len()];
    source.read_exact(&mut magic).await.map_err(unread)?;
    if magic != *MAGIC {
        return Err(damaged());
    }
    let (mut places, mut at) = (Vec::new(), MAGIC.len() as u64);
    loop {
        let mut length = source.read_u32().await.map_err(unread)?;
        at += 4;
        let is_last = length == 0;
        if is_last {
            length = source.read_u32().await.map_err(unread)?;
            at += 4;
        }
        // SECURITY: the limit comes before anything is read into memory.
        if length > SEALED_BYTES_MAX {
            return Err(damaged());
        }
        places.push((at, length));
        at += u64::from(length);
        if is_last {
            return Ok(places);
        }
        source.seek(SeekFrom::Start(at)).await.map_err(unread)?;
    }
}

async fn read_at(
    source: &mut (impl AsyncRead + AsyncSeek + Unpin),
    (at, length): Place,
) -> Result<Vec<u8>> {
    source.seek(SeekFrom::Start(at)).await.map_err(unread)?;
    let mut sealed = vec![0; usize::try_from(length).map_err(|_| damaged())?];
    source.read_exact(&mut sealed).await.map_err(unread)?;
    Ok(sealed)
}

fn damaged() -> Error {
    Kind::BackupInvalid.into()
}

fn refused(error: BackupError) -> Error {
    Kind::BackupInvalid.because(error)
}

fn unread(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Kind::BackupInvalid.because(error),
        _ => Kind::SourceFailed.because(error),
    }
}

fn unwritten(error: std::io::Error) -> Error {
    Kind::SinkFailed.because(error)
}
