//! Sender chains: what members hand out, and messages on a network that does what the bytes say.
//!
//! `hand_outs` takes the bytes as the body of a hand-out. `chains` takes them as steps:
//!
//! ```text
//!  step = what ‖ which      what mod 8
//!
//!  0  Alice sends                     4  one arrives, changed in one bit
//!  1  she replaces her chain          5  Bob restarts from a snapshot
//!  2  something arrives               6  a while goes by: which hours
//!  3  it arrives and stays            7  the newest on the road is lost
//! ```
//!
//! A message opens at most once and as it was sent; while no key has aged away, each of the newest
//! chain that Bob holds does open.

use std::collections::BTreeSet;
use std::time::Duration;

use chat_core::codec::{Bytes, Digest};
use chat_core::envelope::{Content, Envelope, Suite, Wrap};
use chat_core::time::Timestamp;
use chat_crypto::envelope::{open, seal, unwrap_by_chain};
use chat_crypto::sender_chain::{Audience, HandOutError, ReceivingChains, SendingChain};
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use crate::opening::{CONVERSATION, content, header};
use crate::people::{ALICE, NOW, rng};

/// A long dialogue finds nothing that a short one does not, only later.
const STEPS_MAX: usize = 64;

/// Takes `bytes` as the body of a hand-out, by who holds nothing and by who holds a chain.
///
/// # Panics
///
/// When it is read as two things, or moves a chain back.
pub fn hand_outs(bytes: &[u8]) {
    let none = ReceivingChains::new(CONVERSATION, ALICE.address);
    let mut world = World::new();
    world.send();
    for before in [none, world.held.clone()] {
        let Ok(after) = before.accept(bytes, NOW) else { continue };
        let written = after.to_snapshot();
        assert!(after.epoch() > before.epoch() || written == before.to_snapshot());
        let again = after.accept(bytes, NOW).expect("it was good before");
        assert_eq!(again.to_snapshot(), written, "the same hand-out changes something");
        let read = ReceivingChains::from_snapshot(&written).expect("we wrote it");
        assert_eq!(read.to_snapshot(), written, "a snapshot says something else");
        world.held = after;
        if let Some(OnRoad::Message { envelope, .. }) = world.road.last().cloned() {
            world.opens(&envelope);
        }
    }
}

/// Runs the steps that `bytes` are.
///
/// # Panics
///
/// When Bob reads something else than Alice wrote, or twice.
pub fn chains(bytes: &[u8]) {
    let mut world = World::new();
    let (steps, _) = bytes.as_chunks::<2>();
    for [what, which] in steps.iter().take(STEPS_MAX) {
        let place = usize::from(*which);
        match what % 8 {
            0 => world.send(),
            1 => world.replace(),
            2 => world.deliver(place, false),
            3 => world.deliver(place, true),
            4 => world.damage(place),
            5 => world.restart(),
            6 => world.wait(place),
            _ => drop(world.road.pop()),
        }
    }
    world.settle();
}

#[derive(Clone)]
enum OnRoad {
    HandOut(Zeroizing<Vec<u8>>),
    Message { number: u32, epoch: u32, envelope: Envelope },
}

struct World {
    chain: SendingChain,
    held: ReceivingChains,
    road: Vec<OnRoad>,
    opened: BTreeSet<u32>,
    sent: u32,
    now: Timestamp,
    rng: ChaCha20Rng,
}

impl World {
    /// Bob holds Alice's first chain.
    fn new() -> Self {
        let mut rng = rng(40);
        let chain = SendingChain::begin(CONVERSATION, ALICE.address, NOW, &mut rng);
        let held = ReceivingChains::new(CONVERSATION, ALICE.address);
        let held = held.accept(&chain.hand_out(audience()), NOW).expect("it is the first");
        Self { chain, held, road: Vec::new(), opened: BTreeSet::new(), sent: 0, now: NOW, rng }
    }

    fn send(&mut self) {
        let number = self.sent;
        self.sent += 1;
        let body = Bytes::new(number.to_be_bytes().to_vec()).expect("it is short");
        let content = Content { body, ..content() };
        let mut sealed = seal(&header(Suite::Chained), &content, None, &mut self.rng)
            .expect("the content is short");
        self.chain = sealed.wrap_by_chain(&self.chain).expect("the chain is short");
        let envelope = sealed.into_envelope();
        self.road.push(OnRoad::Message { number, epoch: self.chain.epoch(), envelope });
    }

    fn replace(&mut self) {
        self.chain = self.chain.replaced(self.now, &mut self.rng);
        self.road.push(OnRoad::HandOut(self.chain.hand_out(audience())));
    }

    fn deliver(&mut self, place: usize, stays: bool) {
        if self.road.is_empty() {
            return;
        }
        let arrived = self.road.remove(place % self.road.len());
        match &arrived {
            OnRoad::HandOut(body) => match self.held.accept(body, self.now) {
                Ok(next) => self.held = next,
                Err(error) => assert_eq!(error, HandOutError::OutOfOrder, "Alice is honest"),
            },
            OnRoad::Message { number, epoch, envelope } => {
                let is_new = !self.opened.contains(number);
                let is_held = *epoch == self.held.epoch() && self.now == NOW;
                let said = self.opens(envelope);
                assert!(said.is_some() || !(is_new && is_held), "a good message was refused");
                assert!(said.is_none_or(|said| said == *number), "this is another message");
                assert!(said.is_none() || self.opened.insert(*number), "a message opened twice");
            }
        }
        if stays {
            self.road.push(arrived);
        }
    }

    /// Changes one bit of a message's wrap or payload, which is then refused.
    fn damage(&mut self, which: usize) {
        let messages = self.road.iter().filter_map(|on_road| match on_road {
            OnRoad::Message { envelope, .. } => Some(envelope),
            OnRoad::HandOut(_) => None,
        });
        let messages: Vec<_> = messages.collect();
        if messages.is_empty() {
            return;
        }
        let mut envelope = messages[which % messages.len()].clone();
        let mut wrap = envelope.wraps[0].clone();
        // Steps of a prime reach every byte with few of them.
        let changed = |part: &[u8]| {
            let mut part = part.to_vec();
            let place = which * 131 % part.len();
            part[place] ^= 1 << (which % 8);
            part
        };
        if which.is_multiple_of(2) {
            envelope.payload = Bytes::new(changed(&envelope.payload)).expect("it is as long");
        } else {
            wrap.bytes = Bytes::new(changed(&wrap.bytes)).expect("it is as long");
        }
        assert_eq!(self.opens_by(&envelope, &wrap), None, "nobody has sent this");
    }

    fn restart(&mut self) {
        let (held, chain) = (self.held.to_snapshot(), self.chain.to_snapshot());
        self.held = ReceivingChains::from_snapshot(&held).expect("we wrote it");
        self.chain = SendingChain::from_snapshot(&chain).expect("we wrote it");
        assert_eq!(self.held.to_snapshot(), held, "a snapshot says something else");
    }

    fn wait(&mut self, hours: usize) {
        let seconds = u64::try_from(hours * 3600).expect("hours are few");
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    /// Opens a message: which one it says it is. A refused one changes nothing, nor does a wrap
    /// that opens without its message.
    fn opens(&mut self, envelope: &Envelope) -> Option<u32> {
        self.opens_by(envelope, &envelope.wraps[0])
    }

    fn opens_by(&mut self, envelope: &Envelope, wrap: &Wrap) -> Option<u32> {
        let unwrapped = unwrap_by_chain(envelope, wrap, &self.held, self.now).ok()?;
        let opened = open(envelope, &unwrapped.secret, &ALICE.certificate, unwrapped.via).ok()?;
        self.held = unwrapped.chains;
        let number = (*opened.content.body).try_into().expect("four bytes were sent");
        Some(u32::from_be_bytes(number))
    }

    /// Loses what is on the road, then has Alice begin anew: Bob understands.
    fn settle(&mut self) {
        self.road.clear();
        self.replace();
        self.send();
        let epoch = self.chain.epoch();
        self.deliver(0, false);
        assert_eq!(self.held.epoch(), epoch, "a good hand-out was refused");
        self.deliver(0, false);
        assert!(self.opened.contains(&(self.sent - 1)), "they no longer understand");
    }
}

fn audience() -> Audience {
    Audience::of(4, Digest::of(b"the members"), [(ALICE.address.account, 1)])
}

/// Both sides of a chain with a message on the road.
pub(crate) fn snapshots() -> Vec<Zeroizing<Vec<u8>>> {
    let mut world = World::new();
    world.send();
    world.send();
    world.deliver(1, false);
    vec![world.chain.to_snapshot(), world.held.to_snapshot()]
}

/// The first hand-out, a later one, and the one after it.
#[must_use]
pub fn hand_out_seeds() -> Vec<Vec<u8>> {
    let mut world = World::new();
    let first = world.chain.hand_out(audience());
    world.send();
    let later = world.chain.hand_out(audience());
    world.replace();
    [first, later, world.chain.hand_out(audience())].map(|body| body.to_vec()).to_vec()
}

/// A talk, one out of order over a replacement, and one with every step.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    vec![
        [[0, 0, 2, 0]; 6].concat(),
        vec![0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 3, 2, 3, 2, 1, 2, 1, 2, 0],
        vec![0, 0, 4, 1, 3, 0, 2, 0, 5, 0, 6, 200, 1, 0, 0, 0, 7, 0, 2, 0, 0, 0, 2, 0],
    ]
}
