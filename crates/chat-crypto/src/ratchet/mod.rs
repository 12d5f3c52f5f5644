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
//!  message   sealed header 57 ‖ AES-256-GCM(message key, plaintext, associated ‖ sealed header)
//! ```
//!
//! Our half of a turn waits until we have something to say, so opening draws no randomness: the
//! same state and the same message always give the same next state. Both halves of a turn close a
//! chain: keys of messages that are still on the road are derived, up to the length that the other
//! side states, and the chain key is erased. A chain key stolen later forges nothing.
//!
//! States are values. [`Ratchet::seal`] and [`Ratchet::open`] leave `self` as it is and give the
//! next state, which the caller stores before the bytes leave, or with the message.
//! Normative: `docs/protocol/ratchet.md`.

mod chain;
mod header;
mod root;
mod skipped;

use chat_core::key::AgreementKey;
use chat_core::time::Timestamp;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use self::chain::{ChainKey, Exhausted, MessageKey};
pub(crate) use self::header::SEALED_HEADER_BYTES;
use self::header::{Header, HeaderKey};
use self::root::{RootKey, Start};
use self::skipped::{SKIPPED_KEPT_MAX, Skipped, SkippedKey};
use crate::aead::{NotAuthentic, TAG_BYTES};
use crate::handshake::SessionKey;
use crate::secret::{AgreementSecret, NotContributory};

/// Most messages that may be missing in front of one that is opened.
pub(crate) const SKIPPED_A_STEP_MAX: u32 = 2000;
/// How much longer a message is than its plaintext.
pub(crate) const OVERHEAD_BYTES: usize = SEALED_HEADER_BYTES + TAG_BYTES;

/// Why nothing can be sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum SealError {
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    #[error(transparent)]
    UnusableKey(#[from] NotContributory),
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
}

#[derive(Clone, Debug, Encode, Decode)]
enum Sending {
    /// It is our turn to make a ratchet key; the next message does.
    #[n(0)]
    #[cbor(map)]
    Due {
        /// Their newest ratchet key.
        #[n(0)]
        theirs: AgreementKey,
        /// For the headers of the chain that will begin.
        #[n(1)]
        header_key: HeaderKey,
        /// How long our chain before was.
        #[n(2)]
        previous_length: u32,
    },
    /// Our newest ratchet key is not answered.
    #[n(1)]
    Chain(#[n(0)] SendingChain),
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
    previous_length: u32,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
struct Receiving {
    /// Their current chain; none before their first message.
    #[n(0)]
    current: Option<ReceivingChain>,
    /// For the headers of their next chain.
    #[n(1)]
    next_header_key: HeaderKey,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
struct ReceivingChain {
    #[n(0)]
    chain: ChainKey,
    #[n(1)]
    header_key: HeaderKey,
}

/// A message, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    header: &'a [u8; SEALED_HEADER_BYTES],
    body: &'a [u8],
}

impl<'a> Message<'a> {
    pub(crate) fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let (header, body) = bytes.split_first_chunk()?;
        Some(Self { header, body })
    }

    fn open(self, key: MessageKey, associated: &[u8]) -> Result<Plaintext, NotAuthentic> {
        key.open(self.body, &[associated, self.header].concat())
    }
}

type Plaintext = Zeroizing<Vec<u8>>;

impl Ratchet {
    /// The side that started the session: it sends first, to the signed prekey `theirs`.
    pub(crate) fn initiate(key: SessionKey, theirs: AgreementKey) -> Self {
        let start = Start::new(key);
        Self {
            root: start.root,
            sending: Sending::Due { theirs, header_key: start.initiator, previous_length: 0 },
            receiving: Receiving { current: None, next_header_key: start.responder },
            skipped: Skipped::default(),
        }
    }

    /// The other side: it begins with a message, made for the signed prekey `ours`.
    pub(crate) fn respond(
        key: SessionKey,
        ours: &AgreementSecret,
        message: Message<'_>,
        associated: &[u8],
        now: Timestamp,
    ) -> Result<(Plaintext, Self), NotAuthentic> {
        let start = Start::new(key);
        let header = start.initiator.open(message.header).ok_or(NotAuthentic)?;
        let (root, chain, next) = turn(&start.root, ours, &header)?;
        let ratchet = Self {
            root,
            sending: Sending::Due {
                theirs: header.ratchet_key,
                header_key: start.responder,
                previous_length: 0,
            },
            receiving: Receiving {
                current: Some(ReceivingChain { chain, header_key: start.initiator }),
                next_header_key: next,
            },
            skipped: Skipped::default(),
        };
        ratchet.open_in_chain(header, message, associated, now)
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
        let (root, sending) = self.begin_chain(rng)?;
        let (chain, key) = sending.chain.clone().step()?;
        let header = sending.header_key.seal(Header {
            ratchet_key: sending.ours.public(),
            previous_length: sending.previous_length,
            number: sending.chain.index(),
        });
        output.reserve_exact(OVERHEAD_BYTES + plaintext.len());
        output.extend_from_slice(&header);
        key.seal_onto(output, plaintext, &[associated, &header].concat());

        let mut skipped = self.skipped.clone();
        skipped.expire(now);
        let sending = Sending::Chain(SendingChain { chain, ..sending });
        Ok(Self { root, sending, receiving: self.receiving.clone(), skipped })
    }

    /// The chain to send on, and the root key with it: begun now, if that is due.
    fn begin_chain(
        &self,
        rng: &mut impl CryptoRng,
    ) -> Result<(RootKey, SendingChain), NotContributory> {
        match &self.sending {
            Sending::Chain(sending) => Ok((self.root.clone(), sending.clone())),
            Sending::Due { theirs, header_key, previous_length } => {
                let ours = AgreementSecret::generate(rng);
                let (root, chain, next_header_key) = self.root.turn(&ours.agree(theirs)?);
                let (header_key, previous_length) = (header_key.clone(), *previous_length);
                let sending =
                    SendingChain { ours, chain, header_key, next_header_key, previous_length };
                Ok((root, sending))
            }
        }
    }

    /// Opens a message; gives the state to store with it.
    pub(crate) fn open(
        &self,
        message: Message<'_>,
        associated: &[u8],
        now: Timestamp,
    ) -> Result<(Plaintext, Self), NotAuthentic> {
        if let Some(current) = &self.receiving.current
            && let Some(header) = current.header_key.open(message.header)
        {
            if header.number < current.chain.index() {
                return self.open_skipped(&current.header_key, header, message, associated, now);
            }
            return self.clone().open_in_chain(header, message, associated, now);
        }
        if let Sending::Chain(sending) = &self.sending
            && let Some(header) = self.receiving.next_header_key.open(message.header)
        {
            let turned = self.turned(sending, &header, now)?;
            return turned.open_in_chain(header, message, associated, now);
        }
        let (header_key, header) = self.skipped.open_header(message.header).ok_or(NotAuthentic)?;
        self.open_skipped(&header_key, header, message, associated, now)
    }

    /// Opens a message of the current chain that is not behind.
    fn open_in_chain(
        mut self,
        header: Header,
        message: Message<'_>,
        associated: &[u8],
        now: Timestamp,
    ) -> Result<(Plaintext, Self), NotAuthentic> {
        let Some(current) = self.receiving.current.take() else { return Err(NotAuthentic) };
        let (chain, skipped) = skip(current.chain, header.number)?;
        let (chain, key) = chain.step().map_err(|_| NotAuthentic)?;
        let plaintext = message.open(key, associated)?;

        self.skipped.expire(now);
        self.skipped.add(&current.header_key, skipped, now);
        self.receiving.current = Some(ReceivingChain { chain, ..current });
        Ok((plaintext, self))
    }

    /// Opens a message that others overtook; its key goes.
    fn open_skipped(
        &self,
        header_key: &HeaderKey,
        header: Header,
        message: Message<'_>,
        associated: &[u8],
        now: Timestamp,
    ) -> Result<(Plaintext, Self), NotAuthentic> {
        let mut current = self.skipped.clone();
        current.expire(now);
        let (key, skipped) = current.take(header_key, header.number).ok_or(NotAuthentic)?;
        let plaintext = message.open(key, associated)?;
        Ok((plaintext, Self { skipped, ..self.clone() }))
    }

    /// Closes their chain and begins the one that `header` announces. Ours is due then.
    fn turned(
        &self,
        sending: &SendingChain,
        header: &Header,
        now: Timestamp,
    ) -> Result<Self, NotAuthentic> {
        let mut skipped = self.skipped.clone();
        if let Some(closing) = self.receiving.current.clone() {
            let (_, keys) = skip(closing.chain, header.previous_length)?;
            skipped.add(&closing.header_key, keys, now);
        }
        let (root, chain, next_header_key) = turn(&self.root, &sending.ours, header)?;
        Ok(Self {
            root,
            sending: Sending::Due {
                theirs: header.ratchet_key,
                header_key: sending.next_header_key.clone(),
                previous_length: sending.chain.index(),
            },
            receiving: Receiving {
                current: Some(ReceivingChain {
                    chain,
                    header_key: self.receiving.next_header_key.clone(),
                }),
                next_header_key,
            },
            skipped,
        })
    }

    /// Whether there are skipped keys that should be gone.
    pub(crate) fn has_expired_keys(&self, now: Timestamp) -> bool {
        self.skipped.has_expired(now)
    }

    /// The same state without skipped keys that should be gone.
    pub(crate) fn without_expired_keys(&self, now: Timestamp) -> Self {
        let mut kept = self.clone();
        kept.skipped.expire(now);
        kept
    }
}

fn turn(
    root: &RootKey,
    ours: &AgreementSecret,
    header: &Header,
) -> Result<(RootKey, ChainKey, HeaderKey), NotAuthentic> {
    Ok(root.turn(&ours.agree(&header.ratchet_key).map_err(|_| NotAuthentic)?))
}

/// Moves a chain to message `number`, keeping the newest of the keys it passes.
fn skip(mut chain: ChainKey, number: u32) -> Result<(ChainKey, Vec<SkippedKey>), NotAuthentic> {
    let gap = number.checked_sub(chain.index()).ok_or(NotAuthentic)?;
    if gap > SKIPPED_A_STEP_MAX {
        return Err(NotAuthentic);
    }
    let kept = usize::try_from(gap).map_or(SKIPPED_KEPT_MAX, |gap| gap.min(SKIPPED_KEPT_MAX));
    let mut keys = Vec::with_capacity(kept);
    for passed in 0..gap {
        let left = usize::try_from(gap - passed).unwrap_or(usize::MAX);
        if left > kept {
            chain = chain.pass().map_err(|_| NotAuthentic)?;
        } else {
            let number = chain.index();
            let (next, key) = chain.step().map_err(|_| NotAuthentic)?;
            keys.push(SkippedKey { number, key });
            chain = next;
        }
    }
    Ok((chain, keys))
}

#[cfg(test)]
mod tests;
