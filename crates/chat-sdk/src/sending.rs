//! Sending: from the oldest unsent message to bytes for the wire, and from the answer back.
//!
//! These are the engine's jobs for one conversation, one at a time; the engine itself only writes
//! frames. What a seal lacks is fetched here: device lists one by one, prekey bundles all at once.

use std::collections::BTreeSet;

use chat_core::id::{AccountId, ConversationId, DeviceAddress, MessageId};
use chat_core::limits::BUNDLES_A_REQUEST_MAX;
use chat_core::receipt::Sequence;
use chat_core::reject::{Reject, RejectCode};
use chat_core::time::Timestamp;
use rusqlite::Transaction;

use crate::devices;
use crate::error::{Kind, Result};
use crate::event::{Event, Warning};
use crate::hub::Hub;
use crate::learning::learn;
use crate::membership::catch_up;
use crate::message::Status;
use crate::outbox::{self, Remedy};
use crate::recipients::Bundles;
use crate::sealing::{self, Advance, Step};
use crate::store::{conversations, outbox as rows, peers};
use crate::sync::{is_about_us, pass_over};

/// How many lists and bundles are fetched for one message before it has to wait.
const ROUNDS: usize = 8;

/// Brings the oldest unsent message of a conversation to the point where it can be sent. After a
/// failure that may pass this waits its pause, and gives [`Step::Idle`]; after one that may not,
/// the message has failed, so that it does not stand in the way of the next.
///
/// # Errors
///
/// The store's, and that we are logged out.
pub(crate) async fn prepare(hub: &Hub, conversation: ConversationId) -> Result<Step> {
    match attempt(hub, conversation).await {
        Err(error) if error.is_transient() => {
            tracing::debug!(code = error.code(), "a message has to wait");
            let postpone = move |tx: &Transaction<'_>| outbox::postpone(tx, conversation);
            let pause = hub.context.store.write(postpone).await?;
            hub.context.clock.pause(error.retry_after().unwrap_or(pause)).await;
            Ok(Step::Idle)
        }
        Err(error) if !is_about_us(error.kind()) => {
            refuse_oldest(hub, conversation, error.kind()).await?;
            Ok(Step::Idle)
        }
        outcome => outcome,
    }
}

async fn attempt(hub: &Hub, conversation: ConversationId) -> Result<Step> {
    let mut bundles = Bundles::new();
    let mut asked_again = BTreeSet::new();
    let mut rounds = 0;
    loop {
        let (own, now, mut rng) = (hub.context.own.clone(), hub.now(), hub.context.rng());
        let at_hand = bundles.clone();
        let Advance { step, old } = hub
            .context
            .store
            .write(move |tx| sealing::advance(tx, &own, conversation, &at_hand, now, &mut rng))
            .await?;
        old.into_iter().for_each(|device| hub.warn_of_age(device));
        rounds += 1;
        if rounds > ROUNDS && matches!(step, Step::Lists(_) | Step::Bundles(_)) {
            return Err(Kind::Unavailable.into());
        }
        match step {
            Step::Lists(accounts) => fetch_lists(hub, accounts).await?,
            Step::Bundles(missing) => {
                let without = fetch_bundles(hub, missing, &mut bundles).await?;
                // Perhaps the device was removed, or the account is gone, and nobody told us.
                let news: BTreeSet<_> = without.difference(&asked_again).copied().collect();
                if !without.is_empty() && news.is_empty() {
                    return Err(Kind::Unavailable.into());
                }
                fetch_lists(hub, news).await?;
                asked_again.extend(without);
            }
            Step::Refused(id, kind) => {
                rounds = 0;
                refuse(hub, conversation, id, kind).await?;
            }
            step => return Ok(step),
        }
    }
}

async fn fetch_lists(hub: &Hub, accounts: BTreeSet<AccountId>) -> Result<()> {
    for account in accounts {
        let outcome = match learn(hub, account).await {
            // A list that is not believed is warned of there; here it is why nothing can be sent.
            Ok(()) => devices::current(&hub.context, &[account]).await.map(drop),
            outcome => outcome,
        };
        outcome?;
    }
    Ok(())
}

async fn refuse_oldest(hub: &Hub, conversation: ConversationId, kind: Kind) -> Result<()> {
    match hub.context.store.read(move |tx| rows::oldest(tx, conversation)).await? {
        Some(oldest) => refuse(hub, conversation, oldest.message, kind).await,
        None => Ok(()),
    }
}

/// Fetches bundles; gives the accounts of devices that the relay has none for.
async fn fetch_bundles(
    hub: &Hub,
    missing: Vec<DeviceAddress>,
    bundles: &mut Bundles,
) -> Result<BTreeSet<AccountId>> {
    for some in missing.chunks(BUNDLES_A_REQUEST_MAX) {
        for bundle in hub.context.relay.fetch_bundles(some.to_vec()).await? {
            let address = bundle.address;
            let known = move |tx: &Transaction<'_>| devices::known(tx, address.account);
            let Some(list) = hub.context.store.read(known).await? else { continue };
            let Some(certificate) = list.active_device(address.device) else { continue };
            match bundle.verify(certificate) {
                Ok(verified) => drop(bundles.insert(address, verified)),
                Err(_) => hub.warn(Warning::PrekeysForged { device: address }),
            }
        }
    }
    let without = missing.iter().filter(|device| !bundles.contains_key(device));
    Ok(without.map(|device| device.account).collect())
}

async fn refuse(
    hub: &Hub,
    conversation: ConversationId,
    message: MessageId,
    kind: Kind,
) -> Result<()> {
    hub.context.store.write(move |tx| outbox::refuse(tx, message, kind)).await?;
    hub.emit(Event::Status { conversation, message, status: Status::Failed });
    hub.progressed();
    Ok(())
}

/// Notes that the relay has a message.
pub(crate) async fn accepted(
    hub: &Hub,
    conversation: ConversationId,
    message: MessageId,
    sequence: Sequence,
    at: Timestamp,
) -> Result<()> {
    let (own, now) = (hub.context.own.clone(), hub.now());
    let accept = move |tx: &Transaction<'_>| outbox::accept(tx, &own, message, sequence, at, now);
    for (message, status) in hub.context.store.write(accept).await? {
        hub.emit(Event::Status { conversation, message, status });
    }
    hub.progressed();
    Ok(())
}

/// Notes that the relay did not take a message, and does what helps.
pub(crate) async fn rejected(
    hub: &Hub,
    conversation: ConversationId,
    message: MessageId,
    reject: Reject,
) -> Result<()> {
    if reject.code == RejectCode::NotAMember {
        // Before the message has failed, so that who hears of it can see why.
        pass_over(catch_up(hub, conversation).await)?;
    }
    let noted = reject.clone();
    let note = move |tx: &Transaction<'_>| {
        let message = outbox::waiting_for(tx, message)?;
        Ok((message, outbox::rejected(tx, message, &noted)?))
    };
    let (message, remedy) = hub.context.store.write(note).await?;
    match remedy {
        Remedy::Wait(pause) => {
            hub.context.clock.pause(pause).await;
            Ok(())
        }
        Remedy::CatchUp => match catch_up(hub, conversation).await {
            // What does not help now is seen again, and counted, with the next attempt.
            Err(error) if error.kind() == Kind::StoreFailed => Err(error),
            _ => Ok(()),
        },
        Remedy::FetchLists => {
            let accounts = reject.accounts.map(|accounts| accounts.into_vec());
            outdate(hub, conversation, accounts.unwrap_or_default()).await
        }
        Remedy::GiveUp => {
            hub.emit(Event::Status { conversation, message, status: Status::Failed });
            hub.progressed();
            Ok(())
        }
    }
}

/// Marks device lists as no longer the newest, so that the next attempt fetches them.
async fn outdate(hub: &Hub, conversation: ConversationId, named: Vec<AccountId>) -> Result<()> {
    let ours = hub.context.own.account();
    let includes_ours = hub
        .context
        .store
        .write(move |tx| {
            let mut accounts = named;
            if accounts.is_empty()
                && let Some(row) = conversations::load(tx, conversation)?
            {
                accounts = row.membership.members().map(|member| member.account).collect();
            }
            for account in &accounts {
                peers::mark_stale(tx, *account)?;
            }
            Ok(accounts.contains(&ours))
        })
        .await?;
    match includes_ours {
        // Whatever comes of it, the next attempt shows.
        true => learn(hub, ours).await.or_else(|error| match error.kind() {
            Kind::StoreFailed => Err(error),
            _ => Ok(()),
        }),
        false => Ok(()),
    }
}
