//! The Double Ratchet (revision 4) with header encryption.
//!
//! ```text
//!             we send                                  they answer
//!  ┌──────┐  seal: new ratchet key, turn  ┌───────┐   open: their new key, turn   ┌──────┐
//!  │ Due  │ ────────────────────────────▶ │ Chain │ ────────────────────────────▶ │ Due  │ ─ ─ ▶
//!  └──────┘                               └───────┘                               └──────┘
//!                                          │     ▲
//!                                          └─────┘ seal: next key of the chain
//!
//!  message   sealed header 57 ‖ [sealed extension] ‖ AES-256-GCM(message key, plaintext)
//!            associated data of the body: the caller's ‖ everything in front of the body
//! ```
//!
//! Our half of a turn waits until we have something to say, so opening draws no randomness: the
//! same state and the same message always give the same next state. Both halves of a turn close a
//! chain: keys of messages that are still on the road are derived, up to the length that the other
//! side states, and the chain key is erased. A chain key stolen later forges nothing. Some turns
//! carry a post-quantum key or ciphertext in the extension ([`pq`]).
//!
//! States are values. [`Ratchet::seal`] and [`Ratchet::open`] leave `self` as it is and give the
//! next state, which the caller stores before the bytes leave, or with the message.
//! Normative: `docs/protocol/ratchet.md`.

mod chain;
mod header;
mod kem;
mod opening;
mod pq;
mod root;
mod skipped;

use std::time::Duration;

use chat_core::key::AgreementKey;
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use self::chain::{ChainKey, Exhausted};
use self::header::{Header, HeaderKey, SEALED_HEADER_BYTES, extension_bytes};
pub(crate) use self::opening::Message;
pub(crate) use self::pq::HandshakeKem;
use self::pq::{Carries, PostQuantum};
use self::root::{RootKey, Start};
use self::skipped::Skipped;
use crate::aead::TAG_BYTES;
use crate::erasure::{erased, erases};
use crate::handshake::SessionKey;
use crate::secret::{AgreementSecret, MalformedKemKey, NotContributory};
use crate::snapshot::Shared;

/// How much longer a message is than its plaintext, if it carries nothing else.
pub(crate) const OVERHEAD_BYTES: usize = SEALED_HEADER_BYTES + TAG_BYTES;
/// How much longer it is at most: the chain offers a post-quantum key.
pub(crate) const OVERHEAD_BYTES_MAX: usize = OVERHEAD_BYTES + extension_bytes(Carries::Key);

/// Why nothing can be sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum SealError {
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    #[error(transparent)]
    UnusableKey(#[from] NotContributory),
    #[error(transparent)]
    UnusableKemKey(#[from] MalformedKemKey),
}

/// One side's state of a ratchet.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Ratchet {
    #[n(0)]
    root: RootKey,
    #[n(1)]
    sending: Sending,
    #[n(2)]
    receiving: Receiving,
    #[n(3)]
    skipped: Skipped,
    #[n(4)]
    pq: PostQuantum,
}

/// What we seal with.
///
/// SECURITY: both variants are pointers. An enum of keys takes along whatever lay in the room that
/// its smaller variant leaves, other keys among it, and nobody erases that. The same goes for
/// [`Receiving::current`] and the seed of [`PostQuantum`].
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
enum Sending {
    /// It is our turn to make a ratchet key; the next message does.
    #[n(0)]
    Due(#[n(0)] Shared<Due>),
    /// Our newest ratchet key is not answered. In a snapshot, an array of one.
    #[n(1)]
    Chain(#[n(0)] Shared<(SendingChain,)>),
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct Due {
    /// Their newest ratchet key.
    #[n(0)]
    theirs: AgreementKey,
    /// For the headers of the chain that will begin.
    #[n(1)]
    header_key: HeaderKey,
    /// How long our chain before was; the number of the session, if there was none.
    #[n(2)]
    previous: u32,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
struct SendingChain {
    #[n(0)]
    ours: AgreementSecret,
    #[n(1)]
    chain: ChainKey,
    #[n(2)]
    header_key: HeaderKey,
    #[n(3)]
    next_header_key: HeaderKey,
    #[n(4)]
    previous: u32,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
struct Receiving {
    /// Their current chain; none before their first message.
    #[n(0)]
    current: Option<Shared<ReceivingChain>>,
    /// For the headers of their next chain.
    #[n(1)]
    next_header_key: HeaderKey,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct ReceivingChain {
    #[n(0)]
    chain: ChainKey,
    #[n(1)]
    header_key: HeaderKey,
}

erases!(Ratchet, Ratchet { root, sending, receiving, skipped, pq } => {
    erased(root);
    erased(sending);
    erased(receiving);
    erased(skipped);
    erased(pq);
});

erases!(Sending, sending => {
    match sending {
        Sending::Due(due) => erased(&**due),
        Sending::Chain(chain) => erased(&chain.0),
    }
});

erases!(Due, Due { theirs: _, header_key, previous: _ } => { erased(header_key) });

erases!(
    SendingChain,
    SendingChain { ours, chain, header_key, next_header_key, previous: _ } => {
        erased(ours);
        erased(chain);
        erased(header_key);
        erased(next_header_key);
    }
);

erases!(Receiving, Receiving { current, next_header_key } => {
    if let Some(current) = current {
        erased(&**current);
    }
    erased(next_header_key);
});

erases!(ReceivingChain, ReceivingChain { chain, header_key } => {
    erased(chain);
    erased(header_key);
});

impl Sending {
    fn due(theirs: AgreementKey, header_key: HeaderKey, previous: u32) -> Self {
        Self::Due(Shared::new(Due { theirs, header_key, previous }))
    }
}

impl Receiving {
    /// Their new chain, whose headers are sealed with `header_key`.
    fn new(chain: ChainKey, header_key: HeaderKey, next_header_key: HeaderKey) -> Self {
        let current = Some(Shared::new(ReceivingChain { chain, header_key }));
        Self { current, next_header_key }
    }
}

impl Ratchet {
    /// The side that started the session: it sends first, to the signed prekey `theirs`, and tells
    /// the other side the `number` of the session.
    pub(crate) fn initiate(
        key: SessionKey,
        theirs: AgreementKey,
        number: u32,
        kem: HandshakeKem,
        now: Timestamp,
    ) -> Self {
        let start = Start::new(key);
        Self {
            root: start.root,
            sending: Sending::due(theirs, start.initiator, number),
            receiving: Receiving { current: None, next_header_key: start.responder },
            skipped: Skipped::default(),
            pq: PostQuantum::new(kem, now),
        }
    }

    /// Seals a message and appends it to `output`; gives the state to store before it is sent.
    pub(crate) fn seal_onto(
        &self,
        output: &mut Vec<u8>,
        plaintext: &[u8],
        associated: &[u8],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SealError> {
        let (root, sending, pq) = self.begin_chain(now, rng)?;
        let (chain, key) = sending.chain.clone().step()?;
        let (number, carries) = (sending.chain.index(), pq.carries());
        let header = sending.header_key.seal(Header {
            ratchet_key: sending.ours.public(),
            previous: sending.previous,
            number,
            carries,
        });
        output.reserve_exact(OVERHEAD_BYTES + extension_bytes(carries) + plaintext.len());
        let start = output.len();
        output.extend_from_slice(&header);
        if carries != Carries::Nothing {
            sending.header_key.seal_extension(output, &pq.carried(), &header, number);
        }
        let (_, front) = output.split_at(start);
        let associated = [associated, front].concat();
        key.seal_onto(output, plaintext, &associated);

        let mut skipped = self.skipped.clone();
        skipped.expire(now);
        let sending = Sending::Chain(Shared::new((SendingChain { chain, ..sending },)));
        let (receiving, pq) = (self.receiving.clone(), pq.by_clock(now));
        Ok(Self { root, sending, receiving, skipped, pq })
    }

    /// The chain to send on, with root key and post-quantum stage: begun now, if that is due.
    fn begin_chain(
        &self,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(RootKey, SendingChain, PostQuantum), SealError> {
        match &self.sending {
            Sending::Chain(sending) => Ok((self.root.clone(), sending.0.clone(), self.pq.clone())),
            Sending::Due(due) => {
                let Due { theirs, header_key, previous } = &**due;
                let ours = AgreementSecret::generate(rng);
                let (pq, renewal) = self.pq.our_turn(now, rng)?;
                let (root, chain, next_header_key) =
                    self.root.turn(&ours.agree(theirs)?, renewal.as_ref());
                let (header_key, previous) = (header_key.clone(), *previous);
                let sending = SendingChain { ours, chain, header_key, next_header_key, previous };
                Ok((root, sending, pq))
            }
        }
    }

    /// How old our part in the newest post-quantum secret is.
    pub(crate) fn pq_age(&self, now: Timestamp) -> Duration {
        self.pq.age(now)
    }

    /// Whether there are skipped keys that should be gone.
    pub(crate) fn has_expired_keys(&self, now: Timestamp) -> bool {
        self.skipped.has_expired(now)
    }

    /// The same state without skipped keys that should be gone.
    pub(crate) fn without_expired_keys(&self, now: Timestamp) -> Self {
        let mut kept = self.clone();
        kept.skipped.expire(now);
        kept.pq = kept.pq.by_clock(now);
        kept
    }
}

#[cfg(test)]
mod tests;
