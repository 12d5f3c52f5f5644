//! The part that is the same for both devices: a code is shown and scanned, emoji are compared.

use std::fmt;
use std::sync::Arc;

use chat_core::api::linking::LinkRow;
use chat_crypto::emoji::Emoji;
use chat_crypto::linking::{self, Comparing, EMOJI, LIFETIME, Scanned, Showing, Side};

use super::code::LinkCode;
use super::mailbox::Mailbox;
use crate::api::Api;
use crate::clock::Clock;
use crate::error::Result;
use crate::random::Randomness;

/// A device, new or existing, that has a code on its screen.
pub struct ShownCode<D: Device> {
    device: D,
    code: LinkCode,
    showing: Showing<D::Side>,
    mailbox: Mailbox,
}

/// A device that shows seven emoji and waits for its person's word.
pub struct Comparison<D: Device> {
    pub(super) device: D,
    pub(super) comparing: Comparing<D::Side>,
    pub(super) mailbox: Mailbox,
}

/// Which of the two devices, and what it needs for that.
pub trait Device: sealed::Sealed {
    /// The same to the cryptography.
    type Side: Side;
}

impl Device for super::Newcomer {
    type Side = linking::New;
}

impl Device for super::Linker {
    type Side = linking::Existing;
}

mod sealed {
    /// Closed: there are two.
    pub trait Sealed {}
    impl Sealed for crate::linking::Newcomer {}
    impl Sealed for crate::linking::Linker {}
}

/// Draws a code and puts what it stands for into the mailbox.
pub(crate) async fn show<D: Device>(
    device: D,
    api: Api,
    clock: Arc<dyn Clock>,
    randomness: &Randomness,
) -> Result<ShownCode<D>> {
    let now = clock.now();
    let showing = Showing::begin(now, &mut randomness.rng());
    let code = LinkCode::from_bytes(showing.code().as_bytes())?;
    let (rendezvous, deadline) = (showing.code().rendezvous(), now.after(LIFETIME));
    let mut mailbox = Mailbox::new(api, clock, rendezvous, LinkRow::Shows, deadline);
    mailbox.put(showing.hello().to_vec()).await?;
    Ok(ShownCode { device, code, showing, mailbox })
}

/// Answers a code that was read.
pub(crate) async fn scan<D: Device>(
    device: D,
    code: &LinkCode,
    api: Api,
    clock: Arc<dyn Clock>,
    randomness: &Randomness,
) -> Result<Comparison<D>> {
    let now = clock.now();
    let code = linking::LinkCode::read(code.as_bytes(), now)?;
    let scanned = Scanned::<D::Side>::of(code.clone())?;
    let deadline = now.after(LIFETIME);
    let mut mailbox = Mailbox::new(api, clock, code.rendezvous(), LinkRow::Scans, deadline);
    let hello = mailbox.find().await?;
    let (answered, answer) = scanned.answer(&hello, mailbox.now(), &mut randomness.rng())?;
    mailbox.put(answer).await?;
    let reveal = mailbox.take().await?;
    let comparing = answered.revealed(&reveal, mailbox.now())?;
    Ok(Comparison { device, comparing, mailbox })
}

impl<D: Device> ShownCode<D> {
    /// What to show: good for ten minutes.
    #[must_use]
    pub fn code(&self) -> &LinkCode {
        &self.code
    }

    /// Waits until the code was scanned.
    ///
    /// # Errors
    ///
    /// [`Kind::LinkExpired`](crate::Kind::LinkExpired) if nobody did in time,
    /// [`Kind::LinkNotAuthentic`](crate::Kind::LinkNotAuthentic) for an answer that is none.
    pub async fn scanned(self) -> Result<Comparison<D>> {
        let Self { device, showing, mut mailbox, .. } = self;
        let answer = mailbox.take().await?;
        let (comparing, reveal) = showing.answered(&answer, mailbox.now())?;
        mailbox.put(reveal).await?;
        Ok(Comparison { device, comparing, mailbox })
    }
}

impl<D: Device> Comparison<D> {
    /// What to show on this screen, to be compared with the other one's.
    #[must_use]
    pub fn emoji(&self) -> [Emoji; EMOJI] {
        self.comparing.emoji()
    }

    /// The same as one line of text.
    #[must_use]
    pub fn emoji_text(&self) -> String {
        self.emoji().map(|emoji| emoji.symbol().to_string()).join(" ")
    }

    /// Ends the linking, because the person said that the emoji differ, or that they do not want
    /// this; the other device is told.
    ///
    /// # Errors
    ///
    /// That the other device could not be told; on this one it is over all the same.
    pub async fn cancel(self) -> Result<()> {
        let Self { comparing, mut mailbox, .. } = self;
        mailbox.put(comparing.cancel()).await
    }
}

impl<D: Device> fmt::Debug for ShownCode<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownCode(..)")
    }
}

impl<D: Device> fmt::Debug for Comparison<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Comparison(..)")
    }
}
