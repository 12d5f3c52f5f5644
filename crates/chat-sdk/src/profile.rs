//! Who people are, in their own words, read by those they talk to and by nobody else.
//!
//! ```text
//!  set ─▶ register "profile" ─▶ our other devices
//!     └─▶ told where we have said something, at once (the 20 liveliest) or with our next message
//! ```
//!
//! A profile goes into a conversation, sealed like all that is said there, before the first thing
//! that this account says in it: being added to a group shows nothing to anybody. The relay sees
//! one more message and no profile. Who has once read one keeps it. Normative:
//! `docs/protocol/settings.md` §4.

use chat_core::id::{AccountId, ConversationId, MessageId};
use rusqlite::Transaction;

use crate::client::Client;
use crate::content::{Content, NumberedProfile, Profile, profile};
use crate::context::Own;
use crate::error::{Kind, Result};
use crate::event::Event;
use crate::hub::Hub;
use crate::message::Draft;
use crate::outbox;
use crate::settings::{self, Name};
use crate::store::profiles;

/// In how many conversations another profile is told at once.
const TOLD_AT_ONCE_MAX: u32 = 20;

impl Client {
    /// This account's profile.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn profile(&self) -> Result<Profile> {
        Ok(self.hub.context.store.read(ours).await?.unwrap_or_default().profile)
    }

    /// Changes this account's profile, on all its devices; the people it talks to are told.
    ///
    /// # Errors
    ///
    /// [`Kind::TooLarge`] beyond a limit, or for control characters; [`Kind::StoreFailed`].
    pub async fn set_profile(&self, to: Profile) -> Result<()> {
        let own = self.hub.context.own.clone();
        let write = move |tx: &Transaction<'_>| {
            let before = ours(tx)?.unwrap_or_default();
            if before.profile == to {
                return Ok(());
            }
            let number = before.number.checked_add(1).ok_or(Kind::Internal)?;
            let body = profile::encode(&NumberedProfile { number, profile: to })?;
            settings::set_raw(tx, &own, Name::Profile, &[], &body)
        };
        self.hub.context.store.write(write).await?;
        self.hub.settle();
        Ok(())
    }

    /// Somebody's profile, if they have said anything where this account has heard it.
    ///
    /// # Errors
    ///
    /// [`Kind::StoreFailed`].
    pub async fn profile_of(&self, account: AccountId) -> Result<Option<Profile>> {
        if account == self.account() {
            return self.profile().await.map(Some);
        }
        let body = self.hub.context.store.read(move |tx| profiles::load(tx, account)).await?;
        Ok(body.and_then(|body| profile::decode(&body)).map(|numbered| numbered.profile))
    }
}

fn ours(tx: &Transaction<'_>) -> Result<Option<NumberedProfile>> {
    let body = crate::store::settings::get(tx, Name::Profile.code(), &[])?;
    Ok(body.and_then(|body| profile::decode(&body)))
}

/// Takes what somebody says of themselves.
pub(crate) fn hear(
    tx: &Transaction<'_>,
    own: &Own,
    conversation: ConversationId,
    sender: AccountId,
    said: &NumberedProfile,
) -> Result<Vec<Event>> {
    if sender == own.account() {
        // Another device of ours was first.
        profiles::tell(tx, conversation, said.number)?;
        return Ok(Vec::new());
    }
    let is_news = profiles::keep(tx, sender, said.number, &profile::encode(said)?)?;
    Ok(if is_news { vec![Event::Profile { account: sender }] } else { Vec::new() })
}

/// The profile that is to be said in a conversation before anything else of ours is, if one is.
pub(crate) fn due(tx: &Transaction<'_>, conversation: ConversationId) -> Result<Option<Draft>> {
    let Some(ours) = ours(tx)? else { return Ok(None) };
    if profiles::told(tx, conversation)? >= ours.number {
        return Ok(None);
    }
    profiles::tell(tx, conversation, ours.number)?;
    Ok(Some(Draft::of(Content::Profile(ours))))
}

/// Tells the liveliest conversations that know an older profile of ours.
pub(crate) async fn publish(hub: &Hub) -> Result<()> {
    let behind = |tx: &Transaction<'_>| {
        let number = ours(tx)?.map_or(0, |ours| ours.number);
        profiles::told_before(tx, number, TOLD_AT_ONCE_MAX)
    };
    for conversation in hub.context.store.read(behind).await? {
        let (own, now) = (hub.context.own.clone(), hub.now());
        let message = MessageId::random(&mut hub.context.rng());
        let queue = move |tx: &Transaction<'_>| {
            let Some(draft) = due(tx, conversation)? else { return Ok(()) };
            match outbox::queue(tx, &own, conversation, message, &draft, now) {
                // Where we may not post we are nobody; it counts as told.
                Err(error) if matches!(error.kind(), Kind::Forbidden | Kind::NotAMember) => Ok(()),
                outcome => outcome.map(drop),
            }
        };
        hub.context.store.write(queue).await?;
    }
    Ok(())
}
