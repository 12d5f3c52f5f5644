//! The keys of messages that have not come yet, though later ones have.
//!
//! ```text
//!  oldest                                                           newest
//!  Batch { header key, stored at, keys 3 4 5 } · Batch { …, keys 0 } · …      1000 keys at most
//! ```
//!
//! Each gap makes one batch. When there are too many keys, the oldest go; after seven days they
//! all go. A batch never grows and is shared between successive states of a session, so that
//! copying a state does not copy its skipped keys, and taking a key out erases it.
//! Normative: `docs/protocol/ratchet.md` §7.

use std::fmt;
use std::time::Duration;

use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};
use zeroize::ZeroizeOnDrop;

use super::chain::MessageKey;
use super::header::{Header, HeaderKey, SEALED_HEADER_BYTES};
use crate::erasure::{erased, erases};
use crate::snapshot::{self, Shared};

/// Most keys kept for one session.
pub(super) const SKIPPED_KEPT_MAX: usize = 1000;
/// How long they are kept.
pub(super) const SKIPPED_KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// A key and the number of the message it waits for.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct SkippedKey {
    #[n(0)]
    pub(super) number: u32,
    #[n(1)]
    pub(super) key: MessageKey,
}

#[derive(Clone, Encode, Decode)]
#[cbor(map)]
struct Batch {
    #[n(0)]
    header_key: HeaderKey,
    #[n(1)]
    stored_at: Timestamp,
    #[cbor(n(2), decode_with = "snapshot::exact_list")]
    keys: Vec<SkippedKey>,
}

erases!(SkippedKey, SkippedKey { number: _, key } => { erased(key) });

erases!(Batch, Batch { header_key, stored_at: _, keys } => {
    const fn each(_: &Vec<impl ZeroizeOnDrop>) {}
    erased(header_key);
    each(keys);
});

impl Batch {
    /// The same batch without the keys that `keep` refuses; `None` if none are left.
    fn filtered(&self, keep: impl Fn(&SkippedKey) -> bool) -> Option<Shared<Self>> {
        let kept = self.keys.iter().filter(|skipped| keep(skipped)).count();
        // Exactly as long as needed: a vector that grows leaves keys behind.
        let mut keys = Vec::with_capacity(kept);
        keys.extend(self.keys.iter().filter(|skipped| keep(skipped)).cloned());
        let (header_key, stored_at) = (self.header_key.clone(), self.stored_at);
        (kept > 0).then(|| Shared::new(Self { header_key, stored_at, keys }))
    }

    /// The same batch, as if it had been stored at `stored_at`.
    fn restored(&self, stored_at: Timestamp) -> Shared<Self> {
        let (header_key, keys) = (self.header_key.clone(), self.keys.clone());
        Shared::new(Self { header_key, stored_at, keys })
    }
}

/// All keys that wait, oldest first.
#[derive(Clone, Default, Encode, Decode)]
#[cbor(transparent)]
pub(super) struct Skipped(#[n(0)] Vec<Shared<Batch>>);

erases!(Skipped, Skipped(batches) => {
    const fn each(_: &Vec<Shared<impl ZeroizeOnDrop>>) {}
    each(batches);
});

impl Skipped {
    /// Adds the keys of one gap.
    pub(super) fn add(
        &mut self,
        header_key: &HeaderKey,
        keys: Vec<SkippedKey>,
        stored_at: Timestamp,
    ) {
        if keys.is_empty() {
            return;
        }
        self.0.push(Shared::new(Batch { header_key: header_key.clone(), stored_at, keys }));
        self.drop_oldest();
    }

    fn drop_oldest(&mut self) {
        let mut surplus = self.len().saturating_sub(SKIPPED_KEPT_MAX);
        let mut kept = Vec::with_capacity(self.0.len());
        for batch in self.0.drain(..) {
            let length = batch.keys.len();
            if surplus == 0 {
                kept.push(batch);
            } else if surplus < length {
                let first_kept = batch.keys.get(surplus).map_or(0, |skipped| skipped.number);
                kept.extend(batch.filtered(|skipped| skipped.number >= first_kept));
                surplus = 0;
            } else {
                surplus -= length;
            }
        }
        self.0 = kept;
    }

    /// Drops what has been kept for too long.
    ///
    /// What seems to come from the future was stored under a clock that has since been set back:
    /// its time begins now.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.0.retain(|batch| now.since(batch.stored_at) < SKIPPED_KEPT_FOR);
        for batch in self.0.iter_mut().filter(|batch| batch.stored_at > now) {
            *batch = batch.restored(now);
        }
    }

    /// Whether [`Self::expire`] would change anything.
    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        let is_wrong = |stored_at| stored_at > now || now.since(stored_at) >= SKIPPED_KEPT_FOR;
        self.0.iter().any(|batch| is_wrong(batch.stored_at))
    }

    /// Finds the chain that a header belongs to, newest first.
    pub(super) fn open_header(
        &self,
        sealed: &[u8; SEALED_HEADER_BYTES],
    ) -> Option<(HeaderKey, Header)> {
        let mut tried: Option<&HeaderKey> = None;
        for batch in self.0.iter().rev() {
            // Neighbours are often of one chain.
            if tried.is_some_and(|key| key.is(&batch.header_key)) {
                continue;
            }
            tried = Some(&batch.header_key);
            if let Some(header) = batch.header_key.open(sealed) {
                return Some((batch.header_key.clone(), header));
            }
        }
        None
    }

    /// Takes the key of one message out; what is left does not have it.
    pub(super) fn take(&self, header_key: &HeaderKey, number: u32) -> Option<(MessageKey, Self)> {
        let place = self.0.iter().position(|batch| {
            batch.keys.iter().any(|skipped| skipped.number == number)
                && batch.header_key.is(header_key)
        })?;
        let batch = self.0.get(place)?;
        let taken = batch.keys.iter().find(|skipped| skipped.number == number)?;
        let mut left = self.clone();
        match batch.filtered(|skipped| skipped.number != number) {
            Some(rest) => left.0.iter_mut().skip(place).take(1).for_each(|b| *b = rest.clone()),
            None => drop(left.0.remove(place)),
        }
        Some((taken.key.clone(), left))
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|batch| batch.keys.len()).sum()
    }
}

impl fmt::Debug for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Skipped({} keys, ..)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::ChainKey;
    use super::*;
    use crate::secret::SecretBytes;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_key_is_taken_once() {
        let skipped = skipped(&[(1, 0..3)]);

        let (_, left) = skipped.take(&header_key(1), 1).unwrap();

        assert_eq!(left.len(), 2);
        assert!(left.take(&header_key(1), 1).is_none());
        assert!(left.take(&header_key(2), 0).is_none());
        assert_eq!(skipped.len(), 3, "the state before still has it");
    }

    #[test]
    fn an_empty_batch_goes_with_its_header_key() {
        let skipped = skipped(&[(1, 0..1)]);

        let (_, left) = skipped.take(&header_key(1), 0).unwrap();

        assert!(left.0.is_empty());
    }

    #[test]
    fn the_oldest_keys_make_room() {
        let skipped = skipped(&[(1, 0..600), (2, 0..600)]);

        assert_eq!(skipped.len(), SKIPPED_KEPT_MAX);
        assert!(skipped.take(&header_key(1), 199).is_none());
        assert!(skipped.take(&header_key(1), 200).is_some());
        assert!(skipped.take(&header_key(2), 0).is_some());
    }

    #[test]
    fn a_thousand_keys_are_kept_for_a_week() {
        assert_eq!((SKIPPED_KEPT_MAX, SKIPPED_KEPT_FOR), (1_000, Duration::from_secs(604_800)));
    }

    #[test]
    fn old_batches_go_whole_when_there_is_no_room_for_any_of_their_keys() {
        let skipped = skipped(&[(1, 0..300), (2, 0..300), (3, 0..1_000)]);

        assert_eq!(format!("{skipped:?}"), "Skipped(1000 keys, ..)");
        assert_eq!(skipped.0.len(), 1);
        assert!(skipped.take(&header_key(2), 299).is_none());
        assert!(skipped.take(&header_key(3), 0).is_some());
    }

    #[test]
    fn keys_are_gone_after_seven_days() {
        let mut skipped = skipped(&[(1, 0..3)]);
        let later = NOW.after(SKIPPED_KEPT_FOR);

        skipped.expire(Timestamp::from_millis(later.as_millis() - 1));
        assert_eq!(skipped.len(), 3);
        assert!(skipped.has_expired(later));
        skipped.expire(later);

        assert_eq!(skipped.len(), 0);
    }

    #[test]
    fn a_clock_set_back_keeps_no_key_for_longer() {
        let mut skipped = skipped(&[(1, 0..3)]);
        let corrected = Timestamp::from_millis(NOW.as_millis() / 2);

        assert!(skipped.has_expired(corrected));
        skipped.expire(corrected);
        assert!(!skipped.has_expired(corrected));
        assert_eq!(skipped.len(), 3);
        skipped.expire(corrected.after(SKIPPED_KEPT_FOR));

        assert_eq!(skipped.len(), 0);
    }

    fn skipped(batches: &[(u8, std::ops::Range<u32>)]) -> Skipped {
        let mut skipped = Skipped::default();
        for (byte, numbers) in batches {
            let keys = numbers.clone().map(|number| SkippedKey { number, key: message_key() });
            skipped.add(&header_key(*byte), keys.collect(), NOW);
        }
        skipped
    }

    fn message_key() -> MessageKey {
        ChainKey::new(SecretBytes::new([9; 32])).step().unwrap().1
    }

    fn header_key(byte: u8) -> HeaderKey {
        HeaderKey::new(SecretBytes::new([byte; 32]))
    }
}
