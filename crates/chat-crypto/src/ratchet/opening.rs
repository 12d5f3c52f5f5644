//! Opening: from the bytes of a message to its plaintext and the state after it.
//!
//! ```text
//!  sealed header opens with the key of
//!    their current chain   number behind: its skipped key · else: skip up to it, step
//!    their next chain      close the current one · turn · then as above      if ours is sent on
//!    a closed chain        its skipped key
//! ```
//!
//! The header is read first and says where the body begins. Everything is computed on the side;
//! nothing of it is kept unless the body's tag held.
//! Normative: `docs/protocol/ratchet.md` §7.

use chat_core::time::Timestamp;
use zeroize::Zeroizing;

use super::chain::{ChainKey, MessageKey};
use super::header::{Header, HeaderKey, SEALED_HEADER_BYTES, extension_bytes};
use super::pq::{Brought, Carries, HandshakeKem, PostQuantum, Renewal};
use super::root::{RootKey, Start};
use super::skipped::{SKIPPED_KEPT_MAX, Skipped, SkippedKey};
use super::{Ratchet, Receiving, ReceivingChain, Sending, SendingChain};
use crate::aead::NotAuthentic;
use crate::handshake::SessionKey;
use crate::secret::AgreementSecret;
use crate::snapshot::Shared;

/// Most messages that may be missing in front of one that is opened.
const SKIPPED_A_STEP_MAX: u32 = 2000;

type Plaintext = Zeroizing<Vec<u8>>;

/// A message, as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    bytes: &'a [u8],
    header: &'a [u8; SEALED_HEADER_BYTES],
}

impl<'a> Message<'a> {
    pub(crate) fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        Some(Self { bytes, header: bytes.first_chunk()? })
    }

    /// Opens the body, whose place the header says.
    fn open(
        self,
        key: MessageKey,
        header: &Header,
        associated: &[u8],
    ) -> Result<Plaintext, NotAuthentic> {
        let body_at = SEALED_HEADER_BYTES + extension_bytes(header.carries);
        let (front, body) = self.bytes.split_at_checked(body_at).ok_or(NotAuthentic)?;
        key.open(body, &[associated, front].concat())
    }

    /// What the message that begins a chain brings.
    fn brings(self, header: &Header, key: &HeaderKey) -> Result<Brought, NotAuthentic> {
        if header.carries == Carries::Nothing {
            return Ok(Brought::Nothing);
        }
        let end = SEALED_HEADER_BYTES + extension_bytes(header.carries);
        let sealed = self.bytes.get(SEALED_HEADER_BYTES..end).ok_or(NotAuthentic)?;
        let extension = key.open_extension(sealed, self.header, header.number);
        let extension = extension.ok_or(NotAuthentic)?.into_boxed_slice();
        let wrong = |_| NotAuthentic;
        Ok(match header.carries {
            Carries::Nothing => Brought::Nothing,
            Carries::Key => Brought::Key(extension.try_into().map_err(wrong)?),
            Carries::Ciphertext => Brought::Ciphertext(extension.try_into().map_err(wrong)?),
        })
    }
}

/// A session that a first message began.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) plaintext: Plaintext,
    pub(crate) ratchet: Ratchet,
    /// The number that the initiator gave the session.
    pub(crate) number: u32,
}

impl Ratchet {
    /// The side that did not start the session: it begins with a message, made for the signed
    /// prekey `ours`.
    pub(crate) fn respond(
        key: SessionKey,
        ours: &AgreementSecret,
        kem: HandshakeKem,
        message: Message<'_>,
        associated: &[u8],
        now: Timestamp,
    ) -> Result<Begun, NotAuthentic> {
        let start = Start::new(key);
        let header = start.initiator.open(message.header).ok_or(NotAuthentic)?;
        // SECURITY: last-resort keys live on, so what they began must be renewed by the answer.
        if kem == HandshakeKem::LastResort && header.carries != Carries::Key {
            return Err(NotAuthentic);
        }
        let brought = message.brings(&header, &start.initiator)?;
        let (pq, renewal) =
            PostQuantum::new(kem, now).their_turn(brought, now).map_err(|_| NotAuthentic)?;
        let (root, chain, next) = turn(&start.root, ours, &header, renewal.as_ref())?;
        let ratchet = Self {
            root,
            sending: Sending::due(header.ratchet_key, start.responder, 0),
            receiving: Receiving::new(chain, start.initiator, next),
            skipped: Skipped::default(),
            pq,
        };
        let (plaintext, ratchet) = ratchet.open_in_chain(header, message, associated, now)?;
        Ok(Begun { plaintext, ratchet, number: header.previous })
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
            let turned = self.turned(&sending.0, &header, message, now)?;
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
        let (chain, skipped) = skip(current.chain.clone(), header.number)?;
        let (chain, key) = chain.step().map_err(|_| NotAuthentic)?;
        let plaintext = message.open(key, &header, associated)?;

        self.skipped.expire(now);
        self.skipped.add(&current.header_key, skipped, now);
        let header_key = current.header_key.clone();
        self.receiving.current = Some(Shared::new(ReceivingChain { chain, header_key }));
        self.pq = self.pq.by_clock(now);
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
        let plaintext = message.open(key, &header, associated)?;
        let pq = self.pq.clone().by_clock(now);
        Ok((plaintext, Self { skipped, pq, ..self.clone() }))
    }

    /// Closes their chain and begins the one that `header` announces. Ours is due then.
    fn turned(
        &self,
        sending: &SendingChain,
        header: &Header,
        message: Message<'_>,
        now: Timestamp,
    ) -> Result<Self, NotAuthentic> {
        let mut skipped = self.skipped.clone();
        if let Some(closing) = &self.receiving.current {
            let (_, keys) = skip(closing.chain.clone(), header.previous)?;
            skipped.add(&closing.header_key, keys, now);
        }
        let brought = message.brings(header, &self.receiving.next_header_key)?;
        let (pq, renewal) = self.pq.their_turn(brought, now).map_err(|_| NotAuthentic)?;
        let (root, chain, next_header_key) =
            turn(&self.root, &sending.ours, header, renewal.as_ref())?;
        Ok(Self {
            root,
            sending: Sending::due(
                header.ratchet_key,
                sending.next_header_key.clone(),
                sending.chain.index(),
            ),
            receiving: Receiving::new(
                chain,
                self.receiving.next_header_key.clone(),
                next_header_key,
            ),
            skipped,
            pq,
        })
    }
}

fn turn(
    root: &RootKey,
    ours: &AgreementSecret,
    header: &Header,
    renewal: Option<&Renewal>,
) -> Result<(RootKey, ChainKey, HeaderKey), NotAuthentic> {
    let shared = ours.agree(&header.ratchet_key).map_err(|_| NotAuthentic)?;
    Ok(root.turn(&shared, renewal))
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
