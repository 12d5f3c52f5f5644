//! Who decides in a group: `cargo run -p examples --bin group_admin`.
//!
//! Members, roles and rules stand in a log that every device verifies. What the rules forbid is
//! refused on the device, and by everybody else should a device send it all the same; the relay can
//! neither add nor remove anybody.

use chat_sdk::{Allowed, Client, Conversation, Event, Role};
use relay_server::testing::TestRelay;

#[tokio::main]
async fn main() -> chat_sdk::Result<()> {
    let relay = TestRelay::start().await;
    let alice = register(relay.url(), "alice").await?;
    let bob = register(relay.url(), "bob").await?;
    let carol = register(relay.url(), "carol").await?;

    let at_alice = alice.create_group("Newsroom", &["bob"]).await?;
    let mut policy = at_alice.policy().await?;
    policy.post = Allowed::Admins;
    at_alice.set_policy(policy).await?;
    at_alice.set_role("bob", Role::Admin).await?;
    describe("Alice made the rules", &at_alice).await?;

    at_alice.send("Welcome.").await?;
    let at_bob = first_conversation(&bob).await?;
    at_bob.add("carol").await?;
    at_bob.send("Carol has joined.").await?;
    describe("Bob, an admin too, added Carol", &at_bob).await?;

    let at_carol = first_conversation(&carol).await?;
    let refused = at_carol.send("May I?").await;
    println!("Carol posts: {}", refused.err().map_or("allowed".into(), |error| error.to_string()));

    at_bob.remove("carol").await?;
    at_bob.rename("Newsroom, the two of us").await?;
    describe("Bob removed Carol", &at_bob).await
}

async fn register(relay: &str, name: &str) -> chat_sdk::Result<Client> {
    let builder = Client::builder(relay).in_memory();
    Ok(builder.register(name, "correct horse battery staple").await?.client)
}

/// Waits for words in a conversation that somebody else began.
async fn first_conversation(client: &Client) -> chat_sdk::Result<Conversation> {
    let mut events = client.events();
    loop {
        if let Some(known) = client.conversations().await?.pop() {
            return Ok(known);
        }
        if let Some(Event::Lagged(lost)) = events.next().await {
            println!("{lost} events passed by");
        }
    }
}

async fn describe(what: &str, group: &Conversation) -> chat_sdk::Result<()> {
    let title = group.title().await?.unwrap_or_default();
    println!("{what}. {title}:");
    for member in group.members().await? {
        println!("  {:<6} {:?}", member.contact.username, member.role);
    }
    Ok(())
}
