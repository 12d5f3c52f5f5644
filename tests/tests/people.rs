//! People for the stories: each a client of a real relay, with a clock that a story moves.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat_core::id::MessageId;
use chat_core::time::Timestamp;
use chat_sdk::clock::Clock as _;
use chat_sdk::{
    Client, ClientBuilder, Conversation, Event, Events, ManualClock, Message, Page,
    PasswordHardening, Status, StoreKey, SystemClock, Warning,
};
use chat_tests::stand::Nodes;

pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// What Argon2 has to be in production takes a second in a debug build.
pub(crate) const CHEAP: PasswordHardening =
    PasswordHardening { memory_kib: 8, passes: 1, lanes: 1 };
/// Who comes later uses the node that the first person does not.
const ELSEWHERE: usize = 1;
/// Longer than anything a story waits for; a story that gets here has failed.
const AT_MOST: Duration = Duration::from_secs(180);

pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) events: Events,
    pub(crate) clock: ManualClock,
    pub(crate) warnings: Vec<Warning>,
}

/// A clock that shows the present and then stands still.
pub(crate) fn clock() -> ManualClock {
    ManualClock::at(SystemClock.now())
}

pub(crate) fn builder(url: &str, clock: &ManualClock) -> ClientBuilder {
    Client::builder(url).clock(Arc::new(clock.clone())).password_hardening(CHEAP)
}

/// Registers people with stores in memory.
pub(crate) async fn people<const N: usize>(relay: &impl Nodes, names: [&str; N]) -> [Person; N] {
    let mut people = Vec::new();
    for (number, name) in names.into_iter().enumerate() {
        let clock = clock();
        let builder = builder(relay.node(number).url(), &clock);
        let registered = builder.in_memory().register(name, PASSWORD).await.unwrap();
        people.push(Person::of(registered.client, clock).await);
    }
    people.try_into().ok().unwrap()
}

/// Registers somebody by an invitation.
pub(crate) async fn invited(relay: &impl Nodes, name: &str, token: &str) -> Person {
    let clock = clock();
    let builder = builder(relay.node(ELSEWHERE).url(), &clock).invitation(token);
    Person::of(builder.in_memory().register(name, PASSWORD).await.unwrap().client, clock).await
}

/// Registers somebody with a store in a file.
pub(crate) async fn with_file(relay: &impl Nodes, name: &str, path: &Path) -> Person {
    let clock = clock();
    let builder =
        builder(relay.node(ELSEWHERE).url(), &clock).store(path, StoreKey::from_bytes([7; 32]));
    Person::of(builder.register(name, PASSWORD).await.unwrap().client, clock).await
}

/// Logs in from a device that is new to the account.
pub(crate) async fn another_device(relay: &impl Nodes, name: &str) -> Person {
    let clock = clock();
    let client = builder(relay.node(ELSEWHERE).url(), &clock)
        .in_memory()
        .login(name, PASSWORD)
        .await
        .unwrap();
    Person::of(client, clock).await
}

/// Opens a store again.
pub(crate) async fn open(relay: &impl Nodes, path: &Path) -> Person {
    open_later(relay, path, Duration::ZERO).await
}

/// Opens a store again, some time later.
pub(crate) async fn open_later(relay: &impl Nodes, path: &Path, by: Duration) -> Person {
    let clock = clock();
    clock.advance(by);
    let client = builder(relay.node(ELSEWHERE).url(), &clock)
        .store(path, StoreKey::from_bytes([7; 32]))
        .open()
        .await
        .unwrap();
    Person { events: client.events(), client, clock, warnings: Vec::new() }
}

impl Person {
    pub(crate) async fn of(client: Client, clock: ManualClock) -> Self {
        let person = Self { events: client.events(), client, clock, warnings: Vec::new() };
        within(person.client.sync()).await.unwrap();
        person
    }

    /// Waits for an event that `wanted` takes something out of; keeps warnings on the way.
    pub(crate) async fn wait_for<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        within(async {
            loop {
                let event = self.events.next().await.expect("the client was closed");
                assert!(!matches!(event, Event::Lagged(_)));
                if let Event::Warning(warning) = &event {
                    self.warnings.push(*warning);
                }
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        })
        .await
    }

    /// Waits for the next message.
    pub(crate) async fn message(&mut self) -> Message {
        self.wait_for(|event| match event {
            Event::Message(message) => Some(message.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the texts of the next messages.
    pub(crate) async fn hears<const N: usize>(&mut self) -> [String; N] {
        let mut texts = Vec::new();
        for _ in 0..N {
            texts.push(self.message().await.text().unwrap().to_owned());
        }
        texts.try_into().unwrap()
    }

    /// Waits until a message of this person is as far as `status`.
    pub(crate) async fn reaches(&mut self, message: MessageId, status: Status) {
        self.wait_for(|event| match event {
            Event::Status { message: of, status: now, .. } => {
                (*of == message && *now == status).then_some(())
            }
            _ => None,
        })
        .await;
    }

    /// Waits until a message is gone.
    pub(crate) async fn loses(&mut self, message: MessageId) {
        self.wait_for(|event| match event {
            Event::Expired { message: of, .. } => (*of == message).then_some(()),
            _ => None,
        })
        .await;
    }

    /// Waits until the membership log of the only conversation says that this person is out.
    pub(crate) async fn learns_of_its_removal(&mut self) {
        let conversation = self.only_conversation().await;
        while conversation.is_member().await.unwrap() {
            self.wait_for(|event| matches!(event, Event::Membership { .. }).then_some(())).await;
        }
    }

    /// What time it is at this person's.
    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The only conversation this person has.
    pub(crate) async fn only_conversation(&self) -> Conversation {
        let [conversation] = self.client.conversations().await.unwrap().try_into().unwrap();
        conversation
    }
}

/// What a conversation's messages say, oldest first.
pub(crate) async fn texts(conversation: &Conversation) -> Vec<String> {
    let messages = conversation.messages(Page::latest(100)).await.unwrap();
    messages.iter().map(|message| message.text().unwrap_or("?").to_owned()).collect()
}

/// What all messages of a conversation say, however many, oldest first.
pub(crate) async fn texts_of_all(conversation: &Conversation) -> Vec<String> {
    let (mut all, mut page) = (Vec::new(), Page::latest(100));
    loop {
        let messages = conversation.messages(page).await.unwrap();
        let Some(first) = messages.first() else { return all };
        page = Page::before(first.id, 100);
        let texts = messages.iter().map(|message| message.text().unwrap_or("?").to_owned());
        all.splice(0..0, texts);
    }
}

/// Fails a story that hangs.
pub(crate) async fn within<T>(story: impl Future<Output = T>) -> T {
    tokio::time::timeout(AT_MOST, story).await.expect("the story hangs")
}
