//! From the bus to the connections of this node; and the slow look at the store that makes up for
//! what the bus has lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chat_core::codec::from_bytes;
use chat_core::frame::RelayFrame;
use chat_core::id::{AccountId, ConversationId, DeviceAddress};
use chat_core::receipt::Sequence;
use tokio::time::{Instant, sleep_until};

use crate::bus::{AccountEnding, BusEvent, Connected, Inbox, Notice, Record};
use crate::registry::{Ending, Happening, LiveMessage};
use crate::service::Services;
use crate::storage::{Backlog, Session, SessionState, StorageError};
use crate::writer::LiveRecord;

/// How often the heads are looked at while the bus is well.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often while it is not.
const LOOK_WITHOUT_BUS_EVERY: Duration = Duration::from_secs(2);
/// How many devices one look asks for.
const DEVICES_A_LOOK: usize = 500;

/// Hands on what arrives until the bus is closed.
pub async fn run(services: Arc<Services>, mut inbox: Inbox) {
    let mut next_look = Instant::now() + LOOK_EVERY;
    loop {
        tokio::select! {
            notice = inbox.recv() => match notice {
                Some(Notice::Event { event: BusEvent::StandingChanged { account }, .. }) => {
                    services.directory.forget_devices(account);
                    look_at(&services, &services.registry.sessions_of(account)).await;
                    continue;
                }
                Some(Notice::Event { recipients, event }) => {
                    dispatch(&services, &recipients, event);
                    continue;
                }
                Some(Notice::Missed) => {
                    services.directory.forget_all();
                    services.presence.doubt_all();
                }
                None => return,
            },
            () = sleep_until(next_look) => {}
        }
        look_at_heads(&services).await;
        let connected = services.bus.health().connected == Connected::Yes;
        next_look = Instant::now() + if connected { LOOK_EVERY } else { LOOK_WITHOUT_BUS_EVERY };
    }
}

fn dispatch(services: &Services, recipients: &[AccountId], event: BusEvent) {
    match event {
        BusEvent::Message { conversation, sequence, record } => {
            let happening = message(conversation, sequence, record.as_ref());
            tell(services, recipients, &happening, |_| true);
        }
        BusEvent::Membership { conversation, index } => {
            services.directory.forget_conversation(conversation);
            frame(services, recipients, RelayFrame::Membership { conversation, index }, |_| true);
            services.presence.doubt(recipients);
        }
        BusEvent::DevicesChanged { account, number } => {
            services.directory.forget_devices(account);
            frame(services, recipients, RelayFrame::DevicesChanged { account, number }, |_| true);
        }
        BusEvent::Receipt { receipt } => {
            let reader = receipt.signer;
            let others = |address| address != reader;
            frame(services, recipients, RelayFrame::Receipt { receipt }, others);
        }
        BusEvent::Typing { conversation, sender, state } => {
            let others = |address| address != sender;
            let typing = Arc::new(RelayFrame::Typing { conversation, sender, state });
            let typing = Happening::Frame(typing);
            for account in recipients {
                services.registry.tell_lightly(*account, &typing, others);
            }
        }
        BusEvent::Deleted { conversation, sequence, message, deletion } => {
            let deleted = RelayFrame::Deleted { conversation, sequence, message, deletion };
            frame(services, recipients, deleted, |_| true);
        }
        BusEvent::Presence { account } => services.presence.heard_of(account),
        BusEvent::Displace { address, connection, node } => {
            let stays = (node == services.node).then_some(connection);
            services.registry.end_others(address, stays, Ending::Displaced);
        }
        BusEvent::DeviceRemoved { address } => services.registry.end(address, Ending::Removed),
        BusEvent::SessionEnded { address, family } => {
            services.registry.end_session(Session { address, family }, Ending::LoggedOut);
        }
        BusEvent::AccountEnded { account, why } => {
            services.directory.forget_devices(account);
            let why = match why {
                AccountEnding::Suspended => Ending::Suspended,
                AccountEnding::Deleted => Ending::AccountDeleted,
            };
            services.registry.end_account(account, why);
        }
        BusEvent::AccountDeleted { account } => {
            services.directory.forget_devices(account);
            frame(services, recipients, RelayFrame::AccountDeleted { account }, |_| true);
        }
        // Asks the database, so it is seen to before.
        BusEvent::StandingChanged { .. } => {}
        BusEvent::PrekeysLow { address, remaining } => {
            let low = RelayFrame::PrekeysLow { remaining };
            frame(services, recipients, low, |other| other == address);
        }
    }
}

/// The message itself where it came along, decoded once for all connections.
fn message(conversation: ConversationId, sequence: Sequence, record: Option<&Record>) -> Happening {
    let live = record.and_then(|record| {
        let LiveRecord { at, envelope } = from_bytes(&record.0).ok()?;
        let sender = envelope.read_header().ok()?.sender;
        Some(LiveMessage { conversation, sequence, at, sender, envelope })
    });
    match live {
        Some(live) => Happening::Message(Arc::new(live)),
        None => Happening::Heard { conversation, sequence },
    }
}

fn frame(
    services: &Services,
    recipients: &[AccountId],
    frame: RelayFrame,
    wants: impl Fn(DeviceAddress) -> bool,
) {
    tell(services, recipients, &Happening::Frame(Arc::new(frame)), wants);
}

fn tell(
    services: &Services,
    recipients: &[AccountId],
    happening: &Happening,
    wants: impl Fn(DeviceAddress) -> bool,
) {
    for account in recipients {
        services.metrics.lagged.add(services.registry.tell(*account, happening, &wants));
    }
}

/// Makes up for lost events: asks the store what connected devices have not acknowledged, and
/// which of them were removed or logged out.
pub async fn look_at_heads(services: &Services) {
    look_at(services, &services.registry.sessions()).await;
}

async fn look_at(services: &Services, sessions: &[Session]) {
    for sessions in sessions.chunks(DEVICES_A_LOOK) {
        if let Err(error) = look(services, sessions).await {
            tracing::warn!(%error, "the heads could not be looked at");
            return;
        }
    }
}

async fn look(services: &Services, sessions: &[Session]) -> Result<(), StorageError> {
    let states = services.storage.session_states(sessions).await?;
    for (session, state) in sessions.iter().zip(states) {
        match state {
            SessionState::Active => {}
            SessionState::Ended => services.registry.end_session(*session, Ending::LoggedOut),
            SessionState::Suspended => {
                services.registry.end_account(session.address.account, Ending::Suspended);
            }
            SessionState::Removed | SessionState::Unknown => {
                services.registry.end(session.address, Ending::Removed);
            }
        }
    }
    let devices: Vec<_> = sessions.iter().map(|session| session.address).collect();
    let mut by_device: HashMap<DeviceAddress, Vec<Backlog>> = HashMap::new();
    for entry in services.storage.backlog(&devices).await? {
        by_device.entry(entry.address).or_default().push(entry);
    }
    for (address, heads) in by_device {
        let wants = |other| other == address;
        tell(services, &[address.account], &Happening::Heads(heads), wants);
    }
    Ok(())
}
