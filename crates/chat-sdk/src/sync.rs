//! Synchronisation: what the relay brings is applied in batches, each in one transaction.
//!
//! ```text
//!  frames that came meanwhile ─▶ prepare ─▶ one transaction ─▶ commit ─▶ events ─▶ acknowledge
//!                                  │           open, dedupe, store, count, cursor, receipt
//!                                  └─ logs and lists that headers refer to: fetched, verified
//! ```
//!
//! A crash before the commit leaves the cursor where it was: the relay delivers again. A crash
//! after it leaves an acknowledgement unsent: the next connection sends it. What cannot be fetched
//! at the moment fails the batch, to be tried again as a whole; what does not verify is warned of
//! and passed over.

use std::collections::{BTreeMap, BTreeSet};

use chat_core::deletion::SignedDeletion;
use chat_core::frame::ClientFrame;
use chat_core::id::{AccountId, ConversationId, MessageId};
use chat_core::receipt::{Sequence, SignedReceipt};
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use crate::context::Own;
use crate::devices;
use crate::error::{Kind, Result};
use crate::event::{Event, Warning};
use crate::expiry::{self, Erased};
use crate::hub::Hub;
use crate::learning::learn;
use crate::membership::catch_up;
use crate::message::Message;
use crate::opening::parked::{Again, again};
use crate::opening::{self, Arrival, Outcome};
use crate::outbox::Progress;
use crate::random::Rng;
use crate::resume::begin_cursor;
use crate::store::conversations::Standing;
use crate::store::history::{self, Gap};
use crate::store::{conversations, cursors, messages, parked, peers};
use crate::{blocking, deleting, keyring, receipts};

/// Something that the relay brought.
#[derive(Clone, Debug)]
pub(crate) enum Inbound {
    /// A message.
    Arrival(Box<Arrival>),
    /// A message is gone.
    Deleted {
        conversation: ConversationId,
        sequence: Sequence,
        message: MessageId,
        deletion: Option<Box<SignedDeletion>>,
    },
    /// Somebody's receipt.
    Receipt(Box<SignedReceipt>),
    /// A log has grown.
    Membership { conversation: ConversationId, index: u64 },
    /// An account has another device list.
    DevicesChanged { account: AccountId, number: u32 },
    /// Somebody is typing, or no longer.
    Typing { conversation: ConversationId, account: AccountId, typing: bool },
    /// An account is gone: what is known of it is asked for anew.
    AccountDeleted { account: AccountId },
    /// Everything that waited has come.
    CaughtUp,
}

/// What is to be done once a batch is committed.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// Acknowledgements.
    pub(crate) frames: Vec<ClientFrame>,
    /// Accounts whose device lists are to be fetched.
    pub(crate) learn: BTreeSet<AccountId>,
    /// Conversations whose past can be read now.
    pub(crate) given: BTreeSet<ConversationId>,
    /// Whether everything that waited at the relay is applied now.
    pub(crate) caught_up: bool,
}

/// Applies a batch.
///
/// # Errors
///
/// A transient error: the batch has changed nothing and is to be tried again. Others are the
/// store's.
pub(crate) async fn receive(hub: &Hub, batch: Vec<Inbound>) -> Result<Received> {
    prepare(hub, &batch).await?;
    let caught_up = batch.iter().any(|inbound| matches!(inbound, Inbound::CaughtUp));
    let Settled { frames, mut learn, events } = settle(hub, batch).await?;
    let is_keyring_renewed = events.iter().any(|event| matches!(event, Event::KeyringRenewed));
    if is_keyring_renewed {
        follow(hub).await;
    }
    let given = events.iter().filter_map(|event| match event {
        Event::HistoryGiven { conversation, .. } => Some(*conversation),
        _ => None,
    });
    let given = given.collect();
    tell(hub, events);
    if is_keyring_renewed {
        let opened = settle(hub, Vec::new()).await?;
        learn.extend(opened.learn);
        tell(hub, opened.events);
    }
    Ok(Received { frames, learn, given, caught_up })
}

/// Opens what has waited for keys that are here now.
///
/// # Errors
///
/// The store's.
pub(crate) async fn open_parked(hub: &Hub) -> Result<()> {
    let newest = newest_epoch(&hub.context.own);
    if hub.context.store.read(move |tx| parked::is_due(tx, newest)).await? {
        tell(hub, settle(hub, Vec::new()).await?.events);
    }
    Ok(())
}

/// What is left to be done once something was applied.
struct Settled {
    frames: Vec<ClientFrame>,
    learn: BTreeSet<AccountId>,
    events: Vec<Event>,
}

fn tell(hub: &Hub, events: Vec<Event>) {
    for event in events {
        hub.emit(event);
    }
}

/// Applies a batch in one transaction, after what has waited for keys.
async fn settle(hub: &Hub, batch: Vec<Inbound>) -> Result<Settled> {
    let (own, now, mut rng) = (hub.context.own.clone(), hub.now(), hub.context.rng());
    let applied = hub
        .context
        .store
        .write(move |tx| {
            let mut applied = Applied::default();
            applied.open_parked(tx, &own, now, &mut rng)?;
            for inbound in batch {
                applied.apply(tx, &own, inbound, now, &mut rng)?;
            }
            applied.sign_receipts(tx, &own, now)?;
            Ok(applied)
        })
        .await?;
    if applied.erased {
        expiry::scrub(hub).await?;
    }
    if applied.asks {
        hub.nudge.notify_one();
    }
    let frames = applied.acknowledgements();
    Ok(Settled { frames, learn: applied.learn, events: applied.events })
}

/// Fetches the logs, device lists and keys that a batch refers to and that we do not have.
async fn prepare(hub: &Hub, batch: &[Inbound]) -> Result<()> {
    if names_newer_keys(&hub.context.own, batch) {
        follow(hub).await;
    }
    let (logs, accounts) = wanted(hub, batch).await?;
    for conversation in logs {
        let load = move |tx: &Transaction<'_>| conversations::load(tx, conversation);
        let is_new = hub.context.store.read(load).await?.is_none();
        pass_over(catch_up(hub, conversation).await)?;
        if is_new {
            pass_over(begin_cursor(hub, conversation).await)?;
        }
    }
    for account in accounts {
        pass_over(learn(hub, account).await)?;
    }
    Ok(())
}

/// Tells whether something is wrapped for envelope keys of ours that another device has drawn.
fn names_newer_keys(own: &Own, batch: &[Inbound]) -> bool {
    let newest = newest_epoch(own);
    batch.iter().any(|inbound| match inbound {
        Inbound::Arrival(arrival) => {
            let mut wraps = arrival.envelope.wraps.iter();
            wraps.any(|wrap| wrap.is_for(own.address) && wrap.epoch > newest)
        }
        _ => false,
    })
}

fn newest_epoch(own: &Own) -> u32 {
    own.keyring.get().current_envelope_secrets().epoch()
}

/// Fetches the keyring that another device has changed. What comes of it is nobody's reason to wait:
/// the next connection asks again.
async fn follow(hub: &Hub) {
    if let Err(error) = keyring::refresh(&hub.context).await {
        tracing::warn!(code = error.code(), "the account's newer keys were not fetched");
    }
}

/// Keeps the errors that are about us, or that may pass. What a relay refuses for good, or shows
/// that does not verify, was warned of where it arose and may not stop the rest.
pub(crate) fn pass_over(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) if is_about_us(error.kind()) || error.is_transient() => Err(error),
        _ => Ok(()),
    }
}

/// Tells what concerns the whole client from what concerns one message or one conversation.
pub(crate) fn is_about_us(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::LoggedOut | Kind::DeviceRemoved | Kind::Closed | Kind::StoreFailed | Kind::Internal
    )
}

async fn wanted(
    hub: &Hub,
    batch: &[Inbound],
) -> Result<(BTreeSet<ConversationId>, BTreeSet<AccountId>)> {
    let mut named: BTreeMap<ConversationId, u64> = BTreeMap::new();
    let mut devices = BTreeSet::new();
    for inbound in batch {
        match inbound {
            Inbound::Arrival(arrival) => {
                let header = &arrival.header;
                let index = named.entry(header.conversation).or_default();
                *index = header.membership_index.max(*index);
                devices.insert(header.sender);
            }
            Inbound::Membership { conversation, index: newest } => {
                let index = named.entry(*conversation).or_default();
                *index = (*newest).max(*index);
            }
            Inbound::Receipt(receipt) => drop(devices.insert(receipt.signer)),
            Inbound::Deleted { deletion: Some(deletion), .. } => {
                devices.insert(deletion.signer);
            }
            Inbound::Deleted { .. }
            | Inbound::DevicesChanged { .. }
            | Inbound::AccountDeleted { .. }
            | Inbound::Typing { .. }
            | Inbound::CaughtUp => {}
        }
    }
    let missing = move |tx: &Transaction<'_>| {
        let mut logs = BTreeSet::new();
        for (conversation, index) in named {
            let row = conversations::load(tx, conversation)?;
            if row.is_none_or(|row| row.membership.index() < index) {
                logs.insert(conversation);
            }
        }
        let mut accounts = BTreeSet::new();
        for device in devices {
            let known = devices::known(tx, device.account)?;
            let has = |at| known.as_ref().and_then(|list| list.device_at(device.device, at));
            if has(Timestamp::default()).is_none() {
                accounts.insert(device.account);
            }
        }
        Ok((logs, accounts))
    };
    hub.context.store.read(missing).await
}

/// What a batch has changed so far.
#[derive(Debug, Default)]
struct Applied {
    events: Vec<Event>,
    /// How far each conversation is acknowledged, and how far it holds what others have said.
    reached: BTreeMap<ConversationId, Reached>,
    learn: BTreeSet<AccountId>,
    erased: bool,
    /// Whether something is to be sent.
    asks: bool,
}

#[derive(Debug, Default)]
struct Reached {
    up_to: Sequence,
    /// The last place of something that somebody else has said, and that was believed.
    ///
    /// SECURITY: a receipt is this device's word. A relay that puts nonsense, or an old message,
    /// at a high place is not given one for what it has never delivered.
    heard: Sequence,
}

impl Applied {
    fn apply(
        &mut self,
        tx: &Transaction<'_>,
        own: &Own,
        inbound: Inbound,
        now: Timestamp,
        rng: &mut Rng,
    ) -> Result<()> {
        match inbound {
            Inbound::Arrival(arrival) => self.open(tx, own, &arrival, now, rng),
            Inbound::Deleted { conversation, sequence, message, deletion } => {
                if conversations::load(tx, conversation)?.is_some() {
                    history::hold(tx, conversation, Gap { first: sequence, last: sequence })?;
                }
                let is_signed = match deletion {
                    Some(deletion) => deleting::apply(tx, conversation, message, *deletion, now)?,
                    None => false,
                };
                if is_signed {
                    self.erased = true;
                    let row = messages::load(tx, message)?;
                    let changed = row.map(|row| Message::from_row(tx, row)).transpose()?;
                    self.events.extend(changed.map(Event::Changed));
                    return Ok(());
                }
                let erased = expiry::erase_deleted(tx, conversation, message, sequence, now)?;
                if erased == Erased::Early {
                    let warning = Warning::ErasedEarly { conversation, message };
                    self.events.push(Event::Warning(warning));
                }
                if erased != Erased::Not {
                    self.erased = true;
                    self.events.push(Event::Expired { conversation, message });
                }
                Ok(())
            }
            Inbound::Receipt(receipt) => {
                let counted = receipts::count(tx, own, *receipt, now)?;
                self.events.extend(counted.warning.map(Event::Warning));
                self.progress(tx, counted.progress)
            }
            Inbound::DevicesChanged { account, number } => {
                let known = devices::known(tx, account)?;
                if known.is_some_and(|list| list.number() < number) {
                    self.outdated(tx, own, account)?;
                }
                Ok(())
            }
            Inbound::Typing { conversation, account, typing } => {
                if account != own.account() && !blocking::is_blocked(tx, account)? {
                    self.events.push(Event::Typing { conversation, account, typing });
                }
                Ok(())
            }
            Inbound::AccountDeleted { account } => {
                self.learn.insert(account);
                self.outdated(tx, own, account)
            }
            Inbound::Membership { .. } | Inbound::CaughtUp => Ok(()),
        }
    }

    fn open(
        &mut self,
        tx: &Transaction<'_>,
        own: &Own,
        arrival: &Arrival,
        now: Timestamp,
        rng: &mut Rng,
    ) -> Result<()> {
        let conversation = arrival.header.conversation;
        let reached = self.reached.entry(conversation).or_default();
        reached.up_to = reached.up_to.max(arrival.sequence);
        // Without a verified log there is nothing to believe a message by, and nowhere to keep it.
        let Some(row) = conversations::load(tx, conversation)? else { return Ok(()) };
        let outcome = opening::apply(tx, own, &row, arrival, now, rng)?;
        cursors::advance(tx, conversation, arrival.sequence)?;
        self.take(tx, own, arrival, outcome)
    }

    /// Opens what has waited for keys that are here now, before anything that came after it.
    fn open_parked(
        &mut self,
        tx: &Transaction<'_>,
        own: &Own,
        now: Timestamp,
        rng: &mut Rng,
    ) -> Result<()> {
        for waited in parked::take(tx, newest_epoch(own), now)? {
            let (at, envelope) = (waited.received_at, waited.envelope.clone());
            let Some(arrival) = Arrival::read(waited.sequence, at, envelope) else { continue };
            let Some(row) = conversations::load(tx, waited.conversation)? else { continue };
            match again(tx, own, &row, &waited, &arrival, now, rng)? {
                Again::Delivered(outcome) => self.take(tx, own, &arrival, *outcome)?,
                Again::Aside(events) => self.events.extend(events),
            }
        }
        Ok(())
    }

    /// Takes in what came of a message.
    fn take(
        &mut self,
        tx: &Transaction<'_>,
        own: &Own,
        arrival: &Arrival,
        outcome: Outcome,
    ) -> Result<()> {
        let conversation = arrival.header.conversation;
        if outcome.is_believed && arrival.header.sender.account != own.account() {
            let reached = self.reached.entry(conversation).or_default();
            reached.heard = reached.heard.max(arrival.sequence);
        }
        self.asks |= outcome.asks;
        for account in outcome.stale {
            self.outdated(tx, own, account)?;
        }
        self.events.extend(outcome.warnings.into_iter().map(Event::Warning));
        self.events.extend(outcome.aside);
        if outcome.renamed {
            self.events.push(Event::Conversation { conversation });
        }
        if let Some(row) = outcome.message {
            self.events.push(Event::Message(Message::from_row(tx, row)?));
        }
        if let Some(row) = outcome.changed.map(|id| messages::load(tx, id)).transpose()?.flatten() {
            self.events.push(Event::Changed(Message::from_row(tx, row)?));
        }
        self.progress(tx, outcome.progress)
    }

    fn outdated(&mut self, tx: &Transaction<'_>, own: &Own, account: AccountId) -> Result<()> {
        peers::mark_stale(tx, account)?;
        if account == own.account() {
            self.learn.insert(account);
        }
        Ok(())
    }

    fn progress(&mut self, tx: &Transaction<'_>, progress: Progress) -> Result<()> {
        for (message, status) in progress {
            let Some(row) = messages::load(tx, message)? else { continue };
            let conversation = row.conversation;
            self.events.push(Event::Status { conversation, message, status });
        }
        Ok(())
    }

    /// One receipt for each conversation in which somebody else has said something.
    fn sign_receipts(&self, tx: &Transaction<'_>, own: &Own, now: Timestamp) -> Result<()> {
        for (conversation, reached) in &self.reached {
            let is_known = conversations::load(tx, *conversation)?
                .is_some_and(|row| row.standing == Standing::Member);
            let is_quiet = is_known && blocking::keeps_quiet(tx, *conversation)?;
            if reached.heard > 0 && is_known && !is_quiet {
                receipts::delivered(tx, own, *conversation, reached.heard, now)?;
            }
        }
        Ok(())
    }

    fn acknowledgements(&self) -> Vec<ClientFrame> {
        self.reached
            .iter()
            .filter(|(_, reached)| reached.up_to > 0)
            .map(|(conversation, reached)| ClientFrame::Acknowledge {
                conversation: *conversation,
                up_to: reached.up_to,
            })
            .collect()
    }
}
