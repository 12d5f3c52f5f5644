//! What a device is sent, and when: the whole decision, without a socket and without a store.
//!
//! ```text
//!  connect ──▶ survey: what is after my cursors? ──▶ pages, at most a window unacknowledged
//!                                                          │
//!                                                     caught_up
//!                                                          ▼
//!  live message ──▶ exactly the next one, window open? ──yes──▶ pushed from memory
//!                          └──no──▶ noted; read from the store when it is its turn
//! ```
//!
//! The live route is registered before the survey, so nothing falls between the two. A live message
//! of a conversation that the survey did not name asks for another survey, because the cursor is
//! not known yet. A device's own messages, chains handed to others and what is gone are passed over: the cursor moves
//! past them once everything before them is acknowledged.

use std::collections::{HashMap, VecDeque};

use chat_core::api::conversations::{MessagePage, StoredMessage};
use chat_core::codec::List;
use chat_core::envelope::{Envelope, Suite};
use chat_core::frame::RelayFrame;
use chat_core::id::{ConversationId, DeviceAddress};
use chat_core::limits::{DELIVERY_WINDOW_BYTES, DELIVERY_WINDOW_MESSAGES};
use chat_core::receipt::Sequence;

use crate::registry::LiveMessage;
use crate::storage::Backlog;
use crate::writer::size;

/// One device's deliveries.
#[derive(Debug)]
pub struct Delivery {
    address: DeviceAddress,
    tracks: HashMap<ConversationId, Track>,
    /// Conversations with something to read, in turn.
    ready: VecDeque<ConversationId>,
    open_messages: usize,
    open_bytes: usize,
    survey: Survey,
    /// Where the first survey saw the conversations end; `None` before it.
    goals: Option<HashMap<ConversationId, Sequence>>,
    announced: Announced,
}

/// One conversation, as far as this connection knows it.
#[derive(Debug, Default)]
struct Track {
    /// Pushed or passed over up to here.
    sent: Sequence,
    /// There is something up to here.
    last: Sequence,
    /// Pushed and not acknowledged, or passed over behind such.
    open: VecDeque<Open>,
    turn: Turn,
}

#[derive(Debug)]
struct Open {
    sequence: Sequence,
    bytes: usize,
    kind: OpenKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum OpenKind {
    Pushed,
    PassedOver,
}

/// Whether a conversation waits to be read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Turn {
    #[default]
    Idle,
    Ready,
    /// Asked for when there was something up to `heard_of`.
    Reading {
        heard_of: Sequence,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Survey {
    Wanted,
    Running,
    /// One is running, and what it sees may be too old.
    RunningAndWanted,
    Done,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Announced {
    No,
    CaughtUp,
}

/// What to ask the store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Want {
    /// What is after this device's cursors?
    Survey,
    /// A page of a conversation.
    Page {
        /// Which.
        conversation: ConversationId,
        /// After this sequence.
        after: Sequence,
        /// At most so many messages.
        limit: usize,
    },
}

/// What follows from something that happened.
#[derive(Debug, Default)]
pub struct Outcome {
    /// To be sent, in order.
    pub frames: Vec<RelayFrame>,
    /// Cursors that move.
    pub cursors: Vec<(ConversationId, Sequence)>,
}

impl Delivery {
    /// Begins for a device; it wants a survey first.
    #[must_use]
    pub fn new(address: DeviceAddress) -> Self {
        Self {
            address,
            tracks: HashMap::new(),
            ready: VecDeque::new(),
            open_messages: 0,
            open_bytes: 0,
            survey: Survey::Wanted,
            goals: None,
            announced: Announced::No,
        }
    }

    /// What to ask the store next; the caller asks one thing at a time.
    pub fn want(&mut self) -> Option<Want> {
        if self.survey == Survey::Wanted {
            self.survey = Survey::Running;
            return Some(Want::Survey);
        }
        while self.window_is_open() {
            let conversation = self.ready.pop_front()?;
            let limit = DELIVERY_WINDOW_MESSAGES.saturating_sub(self.open_messages);
            let Some(track) = self.tracks.get_mut(&conversation) else { continue };
            track.turn = Turn::Idle;
            if track.sent < track.last {
                // INVARIANT: the window is open, so the limit is at least one.
                track.turn = Turn::Reading { heard_of: track.last };
                return Some(Want::Page { conversation, after: track.sent, limit });
            }
        }
        None
    }

    /// Takes in what the store says is after the cursors.
    pub fn surveyed(&mut self, backlog: &[Backlog]) -> Outcome {
        let mut outcome = Outcome::default();
        for entry in backlog {
            self.know(entry);
        }
        if self.goals.is_none() {
            let goals = backlog.iter().map(|entry| (entry.conversation, entry.last));
            self.goals = Some(goals.collect());
        }
        self.survey = match self.survey {
            Survey::RunningAndWanted => Survey::Wanted,
            _ => Survey::Done,
        };
        self.announce(&mut outcome);
        outcome
    }

    /// Takes in what the periodic look at the heads has found.
    pub fn heads(&mut self, backlog: &[Backlog]) {
        for entry in backlog {
            self.know(entry);
        }
    }

    fn know(&mut self, entry: &Backlog) {
        let track = self.tracks.entry(entry.conversation).or_insert_with(|| Track {
            sent: entry.cursor,
            last: entry.cursor,
            ..Track::default()
        });
        track.last = track.last.max(entry.last);
        self.queue(entry.conversation);
    }

    /// Takes in that something may have been dropped on its way here.
    pub fn missed(&mut self) {
        self.survey = match self.survey {
            Survey::Running | Survey::RunningAndWanted => Survey::RunningAndWanted,
            _ => Survey::Wanted,
        };
    }

    /// Takes in that there is a message in the store.
    pub fn heard(&mut self, conversation: ConversationId, sequence: Sequence) {
        match self.tracks.get_mut(&conversation) {
            Some(track) => {
                track.last = track.last.max(sequence);
                self.queue(conversation);
            }
            None => self.missed(),
        }
    }

    /// Takes in a message that has just been written.
    pub fn live(&mut self, live: &LiveMessage) -> Outcome {
        let mut outcome = Outcome::default();
        let is_next = self.tracks.get(&live.conversation).is_some_and(|track| {
            track.turn == Turn::Idle && track.sent.checked_add(1) == Some(live.sequence)
        });
        let is_own = live.sender == self.address;
        if !is_next || !(is_own || self.window_is_open()) {
            self.heard(live.conversation, live.sequence);
            return outcome;
        }
        if let Some(track) = self.tracks.get_mut(&live.conversation) {
            track.last = track.last.max(live.sequence);
        }
        if is_own || !is_meant_for(&live.envelope, self.address) {
            self.pass_over(live.conversation, live.sequence, &mut outcome);
        } else {
            let envelope = for_device(&live.envelope, self.address);
            let frame = RelayFrame::Deliver { sequence: live.sequence, at: live.at, envelope };
            self.push(live.conversation, live.sequence, frame, &mut outcome);
        }
        self.announce(&mut outcome);
        outcome
    }

    /// Takes in a page that was wanted.
    pub fn page(&mut self, conversation: ConversationId, page: MessagePage) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(track) = self.tracks.get_mut(&conversation) else { return outcome };
        let Turn::Reading { heard_of } = track.turn else { return outcome };
        track.turn = Turn::Idle;
        let mut complete = !page.more;
        for message in page.messages {
            if !self.window_is_open() {
                complete = false;
                break;
            }
            self.take(conversation, message, &mut outcome);
        }
        if let Some(track) = self.tracks.get_mut(&conversation) {
            if complete && track.last == heard_of {
                // What was heard of and is not on the page is not for this account.
                track.last = track.sent;
            } else {
                track.last = track.last.max(track.sent.saturating_add(1));
            }
        }
        self.queue(conversation);
        self.announce(&mut outcome);
        outcome
    }

    fn take(&mut self, conversation: ConversationId, stored: StoredMessage, out: &mut Outcome) {
        let StoredMessage { sequence, at, message, envelope, deletion } = stored;
        match envelope {
            None => {
                let gone = RelayFrame::Deleted { conversation, sequence, message, deletion };
                out.frames.push(gone);
                self.pass_over(conversation, sequence, out);
            }
            Some(envelope) if !is_meant_for(&envelope, self.address) => {
                self.pass_over(conversation, sequence, out);
            }
            Some(envelope) => {
                let frame = RelayFrame::Deliver { sequence, at, envelope };
                self.push(conversation, sequence, frame, out);
            }
        }
    }

    /// Takes in that the store could not be asked; the same is wanted again.
    pub fn failed(&mut self, want: Want) {
        match want {
            Want::Survey => self.survey = Survey::Wanted,
            Want::Page { conversation, .. } => {
                if let Some(track) = self.tracks.get_mut(&conversation) {
                    track.turn = Turn::Idle;
                }
                self.queue(conversation);
            }
        }
    }

    /// Takes in that the device holds everything up to a sequence.
    pub fn acknowledge(&mut self, conversation: ConversationId, up_to: Sequence) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(track) = self.tracks.get_mut(&conversation) else {
            // From an earlier connection; the store knows whether it leads anywhere.
            outcome.cursors.push((conversation, up_to));
            return outcome;
        };
        let mut cursor = up_to.min(track.sent);
        while let Some(open) = track.open.front() {
            if open.sequence > cursor && open.kind == OpenKind::Pushed {
                break;
            }
            cursor = cursor.max(open.sequence);
            if open.kind == OpenKind::Pushed {
                self.open_messages = self.open_messages.saturating_sub(1);
                self.open_bytes = self.open_bytes.saturating_sub(open.bytes);
            }
            track.open.pop_front();
        }
        outcome.cursors.push((conversation, cursor));
        outcome
    }

    fn push(
        &mut self,
        conversation: ConversationId,
        sequence: Sequence,
        frame: RelayFrame,
        outcome: &mut Outcome,
    ) {
        let Some(track) = self.tracks.get_mut(&conversation) else { return };
        let bytes = match &frame {
            RelayFrame::Deliver { envelope, .. } => size(envelope),
            _ => 0,
        };
        track.sent = sequence;
        track.open.push_back(Open { sequence, bytes, kind: OpenKind::Pushed });
        self.open_messages += 1;
        self.open_bytes = self.open_bytes.saturating_add(bytes);
        outcome.frames.push(frame);
    }

    fn pass_over(&mut self, conversation: ConversationId, sequence: Sequence, out: &mut Outcome) {
        let Some(track) = self.tracks.get_mut(&conversation) else { return };
        track.sent = sequence;
        if track.open.is_empty() {
            out.cursors.push((conversation, sequence));
        } else {
            track.open.push_back(Open { sequence, bytes: 0, kind: OpenKind::PassedOver });
        }
    }

    fn queue(&mut self, conversation: ConversationId) {
        let Some(track) = self.tracks.get_mut(&conversation) else { return };
        if track.turn == Turn::Idle && track.sent < track.last {
            track.turn = Turn::Ready;
            self.ready.push_back(conversation);
        }
    }

    fn window_is_open(&self) -> bool {
        self.open_messages < DELIVERY_WINDOW_MESSAGES && self.open_bytes < DELIVERY_WINDOW_BYTES
    }

    /// Says once that everything the first survey saw has been sent.
    fn announce(&mut self, outcome: &mut Outcome) {
        let tracks = &self.tracks;
        let Some(goals) = self.goals.as_mut().filter(|_| self.announced == Announced::No) else {
            return;
        };
        goals.retain(|conversation, goal| {
            tracks.get(conversation).is_some_and(|track| {
                track.sent < *goal && (track.sent < track.last || track.turn != Turn::Idle)
            })
        });
        if goals.is_empty() {
            self.announced = Announced::CaughtUp;
            outcome.frames.push(RelayFrame::CaughtUp);
        }
    }
}

/// The envelope with the wraps of one device only.
fn for_device(envelope: &Envelope, address: DeviceAddress) -> Envelope {
    let wraps = envelope.wraps.iter().filter(|wrap| wrap.is_for(address)).cloned().collect();
    Envelope {
        header: envelope.header.clone(),
        commitment: envelope.commitment,
        payload: envelope.payload.clone(),
        // INVARIANT: a part of a list keeps the limit of the list.
        wraps: List::new(wraps).unwrap_or_default(),
    }
}

/// Whether a device is to be sent a message: not its own, nor a chain handed to others only.
fn is_meant_for(envelope: &Envelope, address: DeviceAddress) -> bool {
    let Ok(header) = envelope.read_header() else { return true };
    let is_addressed =
        header.suite != Suite::HandOut || envelope.wraps.iter().any(|wrap| wrap.is_for(address));
    header.sender != address && is_addressed
}

#[cfg(test)]
mod tests;
