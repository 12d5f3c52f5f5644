//! Two people and a group, end-to-end encrypted: `cargo run -p examples --bin quickstart`.
//!
//! The relay runs in this process, so that there is nothing to set up; an app names its own, and
//! gives the client a store on disk instead of one in memory.

use chat_sdk::{Client, Event, Events, Message};
use relay_server::testing::TestRelay;

#[tokio::main]
async fn main() -> chat_sdk::Result<()> {
    let relay = TestRelay::start().await;
    let alice = register(relay.url(), "alice").await?;
    let bob = register(relay.url(), "bob").await?;
    let mut at_bob = bob.events();

    // Both read the same sixty digits, or somebody is in between.
    println!("Alice and Bob compare {}", alice.safety_number("bob").await?);

    alice.direct("bob").await?.send("Shall we meet?").await?;
    print(&next_message(&mut at_bob).await);

    let team = alice.create_group("Team", &["bob"]).await?;
    team.send("Only the two of us can read this.").await?;
    print(&next_message(&mut at_bob).await);
    Ok(())
}

async fn register(relay: &str, name: &str) -> chat_sdk::Result<Client> {
    let registered =
        Client::builder(relay).in_memory().register(name, "correct horse battery staple").await?;
    // An app shows the recovery phrase once: `registered.recovery_phrase.words()`.
    Ok(registered.client)
}

async fn next_message(events: &mut Events) -> Message {
    loop {
        if let Some(Event::Message(message)) = events.next().await {
            return message;
        }
    }
}

fn print(message: &Message) {
    println!("{}: {}", message.sender.username, message.text().unwrap_or("…"));
}
