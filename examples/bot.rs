//! A bot that says back what it hears: `cargo run -p examples --bin bot -- --relay URL`.
//!
//! A bot is a device like any other: it has an account, a store and keys of its own, and reads only
//! the conversations that somebody added it to. It starts where it stopped.

use std::path::PathBuf;

use chat_sdk::{Client, Draft, Event, Kind, StoreKey};
use clap::Parser;

/// Answers every message with its own words.
#[derive(Parser)]
struct Arguments {
    /// The relay, for example http://127.0.0.1:7300.
    #[arg(long, env = "BOT_RELAY")]
    relay: String,
    /// The bot's name at the relay.
    #[arg(long, default_value = "echo")]
    name: String,
    /// Its password; also what its store is encrypted with.
    #[arg(long, env = "BOT_PASSWORD", hide_env_values = true)]
    password: String,
    /// Where it keeps its keys and messages.
    #[arg(long, default_value = "bot.store")]
    store: PathBuf,
}

#[tokio::main]
async fn main() -> chat_sdk::Result<()> {
    let arguments = Arguments::parse();
    let bot = enter(&arguments).await?;
    let mut events = bot.events();
    println!("{} listens", bot.username());

    while let Some(event) = events.next().await {
        match event {
            Event::Message(message) if message.sender.account != bot.account() => {
                let Some(text) = message.text() else { continue };
                let conversation = bot.conversation(message.conversation).await?;
                conversation.mark_seen().await?;
                conversation.send_with(Draft::text(text).replying_to(message.id)).await?;
            }
            Event::Warning(warning) => eprintln!("{warning:?}"),
            _ => {}
        }
    }
    Ok(())
}

/// Opens the store, or registers the first time.
async fn enter(arguments: &Arguments) -> chat_sdk::Result<Client> {
    let builder = || {
        let key = StoreKey::passphrase(&arguments.password);
        Client::builder(&arguments.relay).store(&arguments.store, key)
    };
    if arguments.store.exists() {
        return builder().open().await;
    }
    match builder().register(&arguments.name, &arguments.password).await {
        Ok(registered) => Ok(registered.client),
        // The account is there and this store is new: another device of it.
        Err(error) if error.kind() == Kind::NameTaken => {
            builder().login(&arguments.name, &arguments.password).await
        }
        Err(error) => Err(error),
    }
}
