//! The books of a world: what was attempted and accepted, what each device was told, and whether
//! that fits.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chat_core::id::{ConversationId, MessageId};
use chat_sdk::{Event, Message, Status, Warning};

/// Which of a world's devices.
pub(super) type Device = usize;

/// What was said: by whom, where, and as which of theirs there.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Said {
    pub(super) by: Device,
    pub(super) number: usize,
}

/// The books.
#[derive(Debug, Default)]
pub(super) struct Books {
    attempted: HashMap<MessageId, (ConversationId, Said)>,
    counts: BTreeMap<(ConversationId, Device), usize>,
    accepted: BTreeSet<MessageId>,
    /// What each device was told, as it came.
    told: BTreeMap<(Device, ConversationId), Vec<Told>>,
    complaints: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    message: MessageId,
    sequence: u64,
}

impl Books {
    /// Takes down that a device has said something.
    pub(super) fn attempt(&mut self, by: Device, place: ConversationId, message: MessageId) {
        let count = self.counts.entry((place, by)).or_default();
        self.attempted.insert(message, (place, Said { by, number: *count }));
        *count += 1;
    }

    /// Takes down what a device was told.
    pub(super) fn note(&mut self, device: Device, event: &Event) {
        match event {
            Event::Message(message) => self.tell(device, message),
            Event::Status { message, status: Status::Failed, .. } => {
                self.complaints.push(format!("device {device}: {message:?} has failed"));
            }
            Event::Status { message, status, .. } if *status >= Status::Sent => {
                self.accepted.insert(*message);
            }
            Event::Warning(warning) => self.complain(device, *warning),
            Event::Lagged(missed) => {
                self.complaints.push(format!("device {device} is too slow by {missed} events"));
            }
            _ => {}
        }
    }

    fn tell(&mut self, device: Device, message: &Message) {
        let told = Told { message: message.id, sequence: message.sequence.unwrap_or_default() };
        self.told.entry((device, message.conversation)).or_default().push(told);
    }

    fn complain(&mut self, device: Device, warning: Warning) {
        self.complaints.push(format!("device {device} was warned: {warning:?}"));
    }

    /// Whether a device was told of a message.
    pub(super) fn has(&self, device: Device, place: ConversationId, message: MessageId) -> bool {
        let told = self.told.get(&(device, place));
        told.is_some_and(|told| told.iter().any(|told| told.message == message))
    }

    /// Compares everything, where `readers` are the devices that are in a conversation.
    pub(super) fn check(
        &self,
        readers: &BTreeMap<ConversationId, Vec<Device>>,
    ) -> Result<(), String> {
        self.check_complaints()?;
        for (place, readers) in readers {
            for reader in readers {
                self.check_one(*reader, *place)
                    .map_err(|complaint| format!("device {reader}: {complaint}"))?;
            }
        }
        self.check_places()
    }

    /// Whether anybody was warned, or failed.
    pub(super) fn check_complaints(&self) -> Result<(), String> {
        self.complaints.first().map_or(Ok(()), |complaint| Err(complaint.clone()))
    }

    fn check_one(&self, reader: Device, place: ConversationId) -> Result<(), String> {
        let none = Vec::new();
        let told = self.told.get(&(reader, place)).unwrap_or(&none);
        let ids: BTreeSet<MessageId> = told.iter().map(|told| told.message).collect();
        if ids.len() < told.len() {
            return Err(format!("{} messages came twice", told.len() - ids.len()));
        }
        if let Some(made_up) = ids.iter().find(|id| !self.attempted.contains_key(id)) {
            return Err(format!("nobody has said {made_up:?}"));
        }
        let expected = self.accepted.iter().filter(|id| {
            let (at, said) = self.attempted[id];
            at == place && said.by != reader
        });
        let lost: Vec<_> = expected.filter(|id| !ids.contains(id)).collect();
        if !lost.is_empty() {
            return Err(format!("accepted and lost: {lost:?}"));
        }
        if !told.is_sorted_by_key(|told| told.sequence) {
            return Err("the places are not in order".to_owned());
        }
        let mut last: BTreeMap<Device, usize> = BTreeMap::new();
        for Said { by, number } in told.iter().map(|told| self.attempted[&told.message].1) {
            if last.insert(by, number).is_some_and(|before| before >= number) {
                return Err(format!("message {number} of device {by} came after a later one"));
            }
        }
        Ok(())
    }

    /// A message has one place, wherever it is shown, and a place one message: whatever the SDK
    /// does about doubles hides none that the relay has.
    fn check_places(&self) -> Result<(), String> {
        let mut places: BTreeMap<(ConversationId, u64), MessageId> = BTreeMap::new();
        let mut messages: BTreeMap<MessageId, u64> = BTreeMap::new();
        for ((_, conversation), told) in &self.told {
            for Told { message, sequence } in told {
                if *places.entry((*conversation, *sequence)).or_insert(*message) != *message {
                    return Err(format!("two messages stand at place {sequence}"));
                }
                if *messages.entry(*message).or_insert(*sequence) != *sequence {
                    return Err(format!("{message:?} stands at two places"));
                }
            }
        }
        Ok(())
    }
}
