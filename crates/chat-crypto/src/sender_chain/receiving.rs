//! The recipients' side: all chains of one device in one conversation, as far as they are held.
//!
//! ```text
//!  oldest                                                              newest
//!  closed { keys 7 9 } · closed { keys 0 1 } · open { link 12, keys 10 }          5 at most
//! ```
//!
//! The newest chain is open: it has a link, which leads to every later message. A hand-out closes
//! it at the length that it states, and what is left are the keys of messages on the road, a
//! thousand at most and for seven days.

use chat_core::codec::Digest;
use chat_core::id::{ConversationId, DeviceAddress};
use chat_core::key::{SenderKey, Signature, Verifier as _};
use chat_core::label;
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::cipher::{self, TAG_BYTES};
use super::hand_out::HandOut;
use super::link::{Link, MessageKey};
use super::{
    CHAIN_LENGTH_MAX, CHAINS_KEPT_MAX, HandOutError, Owner, SKIPPED_KEPT_FOR, SKIPPED_KEPT_MAX,
    signed,
};
use crate::secret::SecretBytes;
use crate::snapshot::{self, Shared, SnapshotError};
use crate::wrap::MessageSecret;
use crate::wrap::chain::associated;

const SNAPSHOT: u8 = 1;
const SEALED_NUMBER_BYTES: usize = 4 + TAG_BYTES;

/// The chains of one device in one conversation.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct ReceivingChains {
    #[n(0)]
    owner: Owner,
    /// Oldest first.
    #[n(1)]
    chains: Vec<Shared<Chain>>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
struct Chain {
    #[n(0)]
    epoch: u32,
    #[n(1)]
    key: SenderKey,
    #[n(2)]
    header_key: SecretBytes<32>,
    /// None once it is closed. A pointer, since the room of what is none is not erased.
    #[n(3)]
    link: Option<Shared<Link>>,
    /// Of messages that are still on the road, oldest first.
    #[cbor(n(4), decode_with = "snapshot::exact_list")]
    skipped: Vec<Skipped>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
struct Skipped {
    #[n(0)]
    number: u32,
    #[n(1)]
    stored_at: Timestamp,
    #[n(2)]
    key: MessageKey,
}

impl ReceivingChains {
    /// No chain yet of the device at `sender`.
    #[must_use]
    pub const fn new(conversation: ConversationId, sender: DeviceAddress) -> Self {
        Self { owner: Owner { conversation, sender }, chains: Vec::new() }
    }

    /// The conversation.
    #[must_use]
    pub const fn conversation(&self) -> ConversationId {
        self.owner.conversation
    }

    /// The device that sends on them.
    #[must_use]
    pub const fn sender(&self) -> DeviceAddress {
        self.owner.sender
    }

    /// The epoch of the newest chain; zero if there is none.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.chains.last().map_or(0, |chain| chain.epoch)
    }

    /// Takes in a hand-out: the body of content of the kind [`HAND_OUT`](super::HAND_OUT) that
    /// came on a session with the sender, for this conversation. Closes the chain before.
    ///
    /// The chain we hold, handed out again, changes nothing.
    ///
    /// # Errors
    ///
    /// [`HandOutError`]; nothing has changed then.
    pub fn accept(&self, body: &[u8], now: Timestamp) -> Result<Self, HandOutError> {
        let hand_out = HandOut::read(body)?;
        if let Some(newest) = self.chains.last() {
            if hand_out.epoch < newest.epoch {
                return Err(HandOutError::OutOfOrder);
            }
            if hand_out.epoch == newest.epoch {
                let is_same = hand_out.key == newest.key;
                return if is_same { Ok(self.clone()) } else { Err(HandOutError::Forked) };
            }
        }
        let HandOut { epoch, index, link, header_key, key, previous_length, .. } = hand_out;
        let mut next = self.clone();
        if let Some(closing) = next.chains.pop() {
            // Of epochs that we were not handed we have no message to wait for.
            let length = (closing.epoch.checked_add(1) == Some(epoch)).then_some(previous_length);
            next.chains.push(Shared::new(closing.closed(length, now)?));
        }
        let link = Some(Shared::new(Link::new(link, index)));
        next.chains.push(Shared::new(Chain { epoch, key, header_key, link, skipped: Vec::new() }));
        next.tidy(now);
        Ok(next)
    }

    /// Opens a shared wrap: the secret, and the chains to store with the message.
    ///
    /// `None`, and nothing has changed, whatever is wrong.
    pub(crate) fn open(
        &self,
        wrap: &[u8],
        binding: &Digest,
        now: Timestamp,
    ) -> Option<(MessageSecret, Self)> {
        let (header, body) = wrap.split_first_chunk::<SEALED_NUMBER_BYTES>()?;
        let (place, number) = self.find(header)?;
        let chain = self.chains.get(place)?;
        let (key, moved) = chain.take(number, now)?;

        let carried = cipher::open(&key, body, &associated(binding, header))?;
        let (secret, signature) = split(&carried)?;
        let id = self.owner.chain_id(chain.epoch, &chain.key);
        // SECURITY: everybody who holds the chain can seal on it. Only the signature says who did.
        if !chain.key.verifies(label::SENDER_CHAIN, &signed(&id, number, binding), &signature) {
            return None;
        }
        let mut next = self.clone();
        *next.chains.get_mut(place)? = Shared::new(moved);
        next.tidy(now);
        Some((secret, next))
    }

    /// The chain that a sealed number belongs to, newest first, and the number.
    fn find(&self, header: &[u8; SEALED_NUMBER_BYTES]) -> Option<(usize, u32)> {
        self.chains.iter().enumerate().rev().find_map(|(place, chain)| {
            let number = cipher::open(&chain.header_key, header, &[])?;
            Some((place, u32::from_be_bytes(number.as_slice().try_into().ok()?)))
        })
    }

    /// Drops what has been kept for too long, and the oldest of what is too much.
    fn tidy(&mut self, now: Timestamp) {
        let mut room = SKIPPED_KEPT_MAX;
        let mut kept = Vec::with_capacity(CHAINS_KEPT_MAX);
        for chain in self.chains.iter().rev().take(CHAINS_KEPT_MAX) {
            let chain = Chain::limited(chain, room, now);
            room -= chain.skipped.len();
            if chain.link.is_some() || !chain.skipped.is_empty() {
                kept.push(chain);
            }
        }
        kept.reverse();
        self.chains = kept;
    }

    /// The chains, to be stored encrypted.
    #[must_use]
    pub fn to_snapshot(&self) -> Zeroizing<Vec<u8>> {
        snapshot::write(SNAPSHOT, self)
    }

    /// Reads what [`Self::to_snapshot`] wrote.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        snapshot::read(bytes, SNAPSHOT)
    }
}

impl Chain {
    /// The key of message `number`, and the chain without it.
    fn take(&self, number: u32, now: Timestamp) -> Option<(MessageKey, Self)> {
        match &self.link {
            Some(link) if number >= link.index() => {
                let (link, passed) = walk(Link::clone(link), number)?;
                let (link, key) = link.step()?;
                let skipped = self.skipped_and(&passed, now);
                Some((key, Self { link: Some(Shared::new(link)), skipped, ..self.without_keys() }))
            }
            _ => {
                let is_wanted = |skipped: &&Skipped| skipped.number == number;
                let found = self.skipped.iter().find(is_wanted)?;
                if is_expired(found, now) {
                    return None;
                }
                let skipped = filtered(&self.skipped, |skipped| skipped.number != number);
                let link = self.link.clone();
                Some((found.key.clone(), Self { link, skipped, ..self.without_keys() }))
            }
        }
    }

    /// The chain without its link, with the keys up to its `length`, if that is known.
    fn closed(&self, length: Option<u32>, now: Timestamp) -> Result<Self, HandOutError> {
        let passed = match (&self.link, length) {
            (Some(link), Some(length)) => {
                walk(Link::clone(link), length).ok_or(HandOutError::OutOfOrder)?.1
            }
            _ => Vec::new(),
        };
        Ok(Self { skipped: self.skipped_and(&passed, now), ..self.without_keys() })
    }

    fn skipped_and(&self, passed: &[(u32, MessageKey)], now: Timestamp) -> Vec<Skipped> {
        // Exactly as long as needed, and copied: a vector that grows, or that its elements are
        // moved out of, leaves keys behind.
        let mut skipped = Vec::with_capacity(self.skipped.len() + passed.len());
        skipped.extend(self.skipped.iter().cloned());
        skipped.extend(passed.iter().map(|(number, key)| Skipped {
            number: *number,
            stored_at: now,
            key: key.clone(),
        }));
        skipped
    }

    /// The newest `room` keys that are not too old.
    fn limited(chain: &Shared<Self>, room: usize, now: Timestamp) -> Shared<Self> {
        let surplus = chain.skipped.len().saturating_sub(room);
        let oldest = chain.skipped.first();
        if surplus == 0 && !oldest.is_some_and(|skipped| is_expired(skipped, now)) {
            return chain.clone();
        }
        let newest = chain.skipped.get(surplus..).unwrap_or_default();
        let skipped = filtered(newest, |skipped| !is_expired(skipped, now));
        Shared::new(Self { link: chain.link.clone(), skipped, ..chain.without_keys() })
    }

    fn without_keys(&self) -> Self {
        let Self { epoch, key, ref header_key, .. } = *self;
        let header_key = header_key.clone();
        Self { epoch, key, header_key, link: None, skipped: Vec::new() }
    }
}

fn is_expired(skipped: &Skipped, now: Timestamp) -> bool {
    now.since(skipped.stored_at) >= SKIPPED_KEPT_FOR
}

fn filtered(skipped: &[Skipped], keep: impl Fn(&Skipped) -> bool) -> Vec<Skipped> {
    let mut kept = Vec::with_capacity(skipped.iter().filter(|key| keep(key)).count());
    kept.extend(skipped.iter().filter(|key| keep(key)).cloned());
    kept
}

/// Moves a link to message `number`, with the keys it passes. `None` backwards, and beyond the end.
fn walk(mut link: Link, number: u32) -> Option<(Link, Vec<(u32, MessageKey)>)> {
    let gap = number.checked_sub(link.index())?;
    if number > CHAIN_LENGTH_MAX {
        return None;
    }
    let mut passed = Vec::with_capacity(usize::try_from(gap).ok()?);
    for _ in 0..gap {
        let number = link.index();
        let (next, key) = link.step()?;
        passed.push((number, key));
        link = next;
    }
    Some((link, passed))
}

fn split(carried: &[u8]) -> Option<(MessageSecret, Signature)> {
    let (secret, signature) = carried.split_first_chunk::<32>()?;
    Some((MessageSecret::from_bytes(*secret), Signature::try_from(signature).ok()?))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::time::Duration;

    use chat_core::id::{AccountId, DeviceId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_sealed_number_has_twenty_bytes() {
        assert_eq!(SEALED_NUMBER_BYTES, 20);
    }

    #[test]
    fn all_chains_together_keep_the_newest_thousand_keys() {
        let mut held = chains(vec![
            chain(None, 0..100, NOW),
            chain(None, 0..600, NOW),
            chain(Some(600), 0..600, NOW),
        ]);

        held.tidy(NOW);

        let kept: Vec<_> =
            held.chains.iter().map(|it| (it.skipped[0].number, it.skipped.len())).collect();
        assert_eq!(kept, [(200, 400), (0, 600)]);
    }

    #[test]
    fn keys_that_are_too_old_go_and_the_chain_stays_open() {
        let mut held = chains(vec![chain(None, 0..3, NOW), chain(Some(5), 3..5, NOW)]);

        held.tidy(NOW.after(SKIPPED_KEPT_FOR - Duration::from_millis(1)));
        assert_eq!(held.chains.iter().map(|it| it.skipped.len()).sum::<usize>(), 5);
        held.tidy(NOW.after(SKIPPED_KEPT_FOR));

        assert_eq!(held.chains.len(), 1, "nothing is left of the closed one");
        assert!(held.chains[0].skipped.is_empty());
        assert_eq!(held.chains[0].link.as_ref().map(|link| link.index()), Some(5));
    }

    #[test]
    fn a_link_is_walked_to_the_end_of_its_chain_and_neither_further_nor_back() {
        let link = |index| Link::new(SecretBytes::new([7; 32]), index);
        let passed = |from, to| walk(link(from), to).map(|(_, passed)| passed.len());

        assert_eq!(passed(CHAIN_LENGTH_MAX - 2, CHAIN_LENGTH_MAX), Some(2));
        assert_eq!(passed(CHAIN_LENGTH_MAX, CHAIN_LENGTH_MAX), Some(0));
        assert_eq!(passed(CHAIN_LENGTH_MAX - 2, CHAIN_LENGTH_MAX + 1), None);
        assert_eq!(passed(0, u32::MAX), None);
        assert_eq!(passed(5, 4), None);
    }

    fn chains(chains: Vec<Shared<Chain>>) -> ReceivingChains {
        let conversation = ConversationId::from_bytes([1; 16]);
        let (account, device) = (AccountId::from_bytes([2; 16]), DeviceId::from_bytes([3; 16]));
        let owner = Owner { conversation, sender: DeviceAddress { account, device } };
        ReceivingChains { owner, chains }
    }

    fn chain(link: Option<u32>, numbers: Range<u32>, stored_at: Timestamp) -> Shared<Chain> {
        let key = |number| Skipped { number, stored_at, key: SecretBytes::new([9; 32]) };
        Shared::new(Chain {
            epoch: 1,
            key: SenderKey::from_bytes([4; 32]),
            header_key: SecretBytes::new([5; 32]),
            link: link.map(|index| Shared::new(Link::new(SecretBytes::new([7; 32]), index))),
            skipped: numbers.map(key).collect(),
        })
    }
}
