//! Somebody with an app: a client, and an ear for what it tells.

use std::path::Path;
use std::time::Duration;

use chat_sdk::{Client, Conversation, Event, Events, Message, StoreKey};
use tokio::time::timeout;

use crate::Outcome;

/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A registered person.
pub(crate) struct Person {
    /// Their name at the relay.
    pub(crate) username: String,
    /// Their app.
    pub(crate) client: Client,
    events: Events,
}

impl Person {
    /// Registers `username`, with an encrypted store in `folder`.
    pub(crate) async fn register(relay: &str, folder: &Path, username: String) -> Outcome<Self> {
        let registered = Client::builder(relay)
            .store(folder.join(&username), StoreKey::passphrase("this device's own"))
            .register(&username, &format!("{username}'s long password"))
            .await?;
        let client = registered.client;
        let events = client.events();
        client.wait_until_connected().await?;
        Ok(Self { username, client, events })
    }

    /// The next words to come, wherever they were said.
    pub(crate) async fn hears(&mut self) -> Outcome<Message> {
        self.await_event("a message", |event| match event {
            Event::Message(message) if message.text().is_some() => Some(message),
            _ => None,
        })
        .await
    }

    /// Ends when `pick` picks an event.
    pub(crate) async fn await_event<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(Event) -> Option<T>,
    ) -> Outcome<T> {
        let search = async {
            loop {
                match self.events.next().await {
                    Some(Event::Warning(warning)) => {
                        return Err(format!("{} was warned: {warning:?}", self.username));
                    }
                    Some(event) => {
                        if let Some(found) = pick(event) {
                            return Ok(found);
                        }
                    }
                    None => return Err(format!("{}'s client ended", self.username)),
                }
            }
        };
        let found = timeout(PATIENCE, search).await;
        Ok(found.map_err(|_| format!("{} waited in vain for {what}", self.username))??)
    }

    /// The conversation that `theirs` is, on this device, once it is known here.
    pub(crate) async fn same(&self, theirs: &Conversation) -> Outcome<Conversation> {
        Ok(self.client.conversation(theirs.id()).await?)
    }
}
