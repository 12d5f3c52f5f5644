//! Two devices agree on a secret, and two screens on seven emoji.
//!
//! ```text
//!  Showing ──hello──▶ Scanned        { 0: version, 1: X-Wing key (1216), 2: commitment (32) }
//!  Showing ◀─answer── Scanned        { 0: version, 1: enc (1120) }
//!  Comparing ─reveal─▶ Answered      { 0: version, 1: nonce (32) }
//!                          └─▶ Comparing
//!
//!  commitment = SHA-256(label ‖ nonce)
//! ```
//!
//! Whoever shows the code commits to a nonce before it has seen the answer, and reveals it after:
//! nobody who stands between can look for an answer that makes emoji of their choice.
//! Normative: `docs/protocol/linking.md` §4.

use std::fmt;
use std::marker::PhantomData;

use chat_core::codec::{Digest, from_bytes, to_bytes};
use chat_core::key::XWingKey;
use chat_core::label;
use chat_core::time::Timestamp;
use hpke::aead::ExportOnlyAead;
use hpke::kdf::HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::channel::{Channel, Step};
use super::code::{LinkCode, Rendezvous};
use super::{EMOJI, LIFETIME, LinkError, MESSAGE_BYTES_MAX, Side, VERSION};
use crate::emoji::Emoji;
use crate::secret::SecretBytes;
use crate::wrap::hpke::XWing;

const ENC_BYTES: usize = 1120;

#[derive(Encode, Decode)]
#[cbor(map)]
struct Hello {
    #[n(0)]
    version: u8,
    #[n(1)]
    key: XWingKey,
    #[n(2)]
    commitment: Digest,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Answer {
    #[n(0)]
    version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    enc: [u8; ENC_BYTES],
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Reveal {
    #[n(0)]
    version: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    nonce: [u8; 32],
}

/// A device that shows a code and waits for an answer.
pub struct Showing<S> {
    code: LinkCode,
    hello: Vec<u8>,
    private: <XWing as Kem>::PrivateKey,
    nonce: SecretBytes<32>,
    side: PhantomData<S>,
}

impl<S: Side> Showing<S> {
    /// Draws a key, a nonce and a place to meet, good for [`LIFETIME`].
    pub fn begin(now: Timestamp, rng: &mut impl CryptoRng) -> Self {
        let rendezvous = Rendezvous::random(rng);
        let nonce = SecretBytes::random(rng);
        let (private, public) = XWing::gen_keypair_with_rng(rng);
        let hello = to_bytes(&Hello {
            version: VERSION,
            key: XWingKey::from_bytes(public.to_bytes().into()),
            commitment: commit(nonce.as_bytes()),
        });
        let code = LinkCode::new(S::ROLE, rendezvous, Digest::of(&hello), now);
        Self { code, hello, private, nonce, side: PhantomData }
    }

    /// What to draw.
    #[must_use]
    pub fn code(&self) -> &LinkCode {
        &self.code
    }

    /// What to put into the mailbox.
    #[must_use]
    pub fn hello(&self) -> &[u8] {
        &self.hello
    }

    /// Takes the first answer that came, and no other ever: what is returned goes into the mailbox.
    ///
    /// # Errors
    ///
    /// [`LinkError::Unreadable`], [`LinkError::NotAuthentic`], [`LinkError::Stale`].
    pub fn answered(
        self,
        answer: &[u8],
        now: Timestamp,
    ) -> Result<(Comparing<S>, Vec<u8>), LinkError> {
        let read: Answer = read(answer)?;
        check_version(read.version)?;
        let enc = <XWing as Kem>::EncappedKey::from_bytes(&read.enc)
            .map_err(|_| LinkError::NotAuthentic)?;
        let context = hpke::setup_receiver::<ExportOnlyAead, HkdfSha256, XWing>(
            &OpModeR::Base,
            &self.private,
            &enc,
            &info(&self.code, &self.hello),
        )
        .map_err(|_| LinkError::NotAuthentic)?;
        let secret = export(|context_label, out| context.export(context_label, out))?;
        let transcript = transcript(&self.code, &self.hello, answer, self.nonce.as_bytes());
        let channel = Channel::new(secret, transcript, self.code.expires_at);
        channel.check_time(now)?;
        let reveal = Reveal { version: VERSION, nonce: *self.nonce.as_bytes() };
        Ok((Comparing { channel }, to_bytes(&reveal)))
    }
}

/// A device that has scanned a code and waits for what the other one put into the mailbox.
#[derive(Debug)]
pub struct Scanned<S> {
    code: LinkCode,
    side: PhantomData<S>,
}

impl<S: Side> Scanned<S> {
    /// Takes a code that was read.
    ///
    /// # Errors
    ///
    /// [`LinkError::WrongRole`] if the device that shows it is not the other side.
    pub fn of(code: LinkCode) -> Result<Self, LinkError> {
        if code.shown_by != S::OTHER {
            return Err(LinkError::WrongRole);
        }
        Ok(Self { code, side: PhantomData })
    }

    /// Answers the hello that the code stands for: what is returned goes into the mailbox.
    ///
    /// # Errors
    ///
    /// [`LinkError::NotAuthentic`] for any other hello; [`LinkError::Unreadable`] for one whose key
    /// is none.
    pub fn answer(
        self,
        hello: &[u8],
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<(Answered<S>, Vec<u8>), LinkError> {
        // SECURITY: whatever else the relay serves was not made by the screen that was scanned.
        if Digest::of(hello) != self.code.hello {
            return Err(LinkError::NotAuthentic);
        }
        let read: Hello = read(hello)?;
        check_version(read.version)?;
        let public = <XWing as Kem>::PublicKey::from_bytes(read.key.as_bytes())
            .map_err(|_| LinkError::Unreadable)?;
        let (enc, context) = hpke::setup_sender_with_rng::<ExportOnlyAead, HkdfSha256, XWing>(
            &OpModeS::Base,
            &public,
            &info(&self.code, hello),
            rng,
        )
        .map_err(|_| LinkError::Unreadable)?;
        let secret = export(|context_label, out| context.export(context_label, out))?;
        let answer = to_bytes(&Answer { version: VERSION, enc: enc.to_bytes().into() });
        let answered = Answered {
            code: self.code,
            hello: hello.to_vec(),
            answer: answer.clone(),
            commitment: read.commitment,
            secret,
            deadline: now.after(LIFETIME),
            side: PhantomData,
        };
        Ok((answered, answer))
    }
}

/// A device that has answered and waits for the nonce.
pub struct Answered<S> {
    code: LinkCode,
    hello: Vec<u8>,
    answer: Vec<u8>,
    commitment: Digest,
    secret: SecretBytes<32>,
    deadline: Timestamp,
    side: PhantomData<S>,
}

impl<S: Side> Answered<S> {
    /// Takes the nonce that the other device committed to.
    ///
    /// # Errors
    ///
    /// [`LinkError::Unreadable`], [`LinkError::NotAuthentic`], [`LinkError::Stale`].
    pub fn revealed(self, reveal: &[u8], now: Timestamp) -> Result<Comparing<S>, LinkError> {
        let read: Reveal = read(reveal)?;
        check_version(read.version)?;
        if !bool::from(commit(&read.nonce).as_bytes().ct_eq(self.commitment.as_bytes())) {
            return Err(LinkError::NotAuthentic);
        }
        let transcript = transcript(&self.code, &self.hello, &self.answer, &read.nonce);
        let channel = Channel::new(self.secret, transcript, self.deadline);
        channel.check_time(now)?;
        Ok(Comparing { channel })
    }
}

/// Both screens show emoji, and a person says whether they are the same.
pub struct Comparing<S> {
    pub(super) channel: Channel<S>,
}

impl<S: Side> Comparing<S> {
    /// What to show, with its names for those who do not see it.
    #[must_use]
    pub fn emoji(&self) -> [Emoji; EMOJI] {
        self.channel.emoji()
    }

    /// Ends the linking, because the person said that the emoji differ: tells the other device.
    #[must_use]
    pub fn cancel(self) -> Vec<u8> {
        self.channel.seal(Step::Cancel, &[])
    }
}

fn read<'b, T: Decode<'b, ()>>(message: &'b [u8]) -> Result<T, LinkError> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(LinkError::Unreadable);
    }
    from_bytes(message).map_err(|_| LinkError::Unreadable)
}

fn check_version(version: u8) -> Result<(), LinkError> {
    if version == VERSION { Ok(()) } else { Err(LinkError::Unreadable) }
}

fn commit(nonce: &[u8; 32]) -> Digest {
    Digest::of_parts(&[label::LINK_COMMITMENT.as_bytes(), nonce])
}

/// `label ‖ SHA-256(code) ‖ SHA-256(hello)`.
fn info(code: &LinkCode, hello: &[u8]) -> Vec<u8> {
    let (code, hello) = (Digest::of(code.as_bytes()), Digest::of(hello));
    [label::LINK_CHANNEL.as_bytes(), code.as_bytes(), hello.as_bytes()].concat()
}

fn transcript(code: &LinkCode, hello: &[u8], answer: &[u8], nonce: &[u8; 32]) -> Digest {
    let [code, hello, answer] = [code.as_bytes(), hello, answer].map(Digest::of);
    Digest::of_parts(&[
        label::LINK_TRANSCRIPT.as_bytes(),
        code.as_bytes(),
        hello.as_bytes(),
        answer.as_bytes(),
        nonce,
    ])
}

fn export(
    export: impl FnOnce(&[u8], &mut [u8]) -> Result<(), hpke::HpkeError>,
) -> Result<SecretBytes<32>, LinkError> {
    let mut secret = Zeroizing::new([0; 32]);
    export(label::LINK_CHANNEL.as_bytes(), &mut *secret).map_err(|_| LinkError::NotAuthentic)?;
    Ok(secret.into())
}

macro_rules! unprinted_on_any_side {
    ($($name:ident),*) => {$(
        impl<S> fmt::Debug for $name<S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

unprinted_on_any_side!(Showing, Answered, Comparing);
