//! A laptop joins a phone's account without the password: `cargo run -p examples --bin link_device`.
//!
//! ```text
//!  laptop shows a code ─▶ phone scans it ─▶ both show seven emoji ─▶ people compare, and confirm
//! ```
//!
//! The relay carries the messages in between and learns nothing from them. If it, or anybody, steps
//! in between, the emoji differ.

use std::io::Cursor;

use chat_sdk::backup::BackupProgress;
use chat_sdk::linking::LinkCode;
use chat_sdk::{Client, Event, Kind};
use relay_server::testing::TestRelay;
use tokio::sync::watch;

#[tokio::main]
async fn main() -> chat_sdk::Result<()> {
    let relay = TestRelay::start().await;
    let phone = register(relay.url(), "alice").await?;
    let bob = register(relay.url(), "bob").await?;
    phone.direct("bob").await?.send("From before the laptop").await?;
    phone.flush().await?;

    let laptop = link(&phone, relay.url()).await?;
    for device in phone.devices().await? {
        println!("  {} {}", device.device, if device.is_this { "(this one)" } else { "" });
    }

    // The laptop has the account's keys. What was said before comes from the phone, once the laptop
    // knows the conversations.
    laptop.sync().await?;
    let progress = watch::Sender::new(BackupProgress::default());
    let mut history = Vec::new();
    phone.export_history(&mut history, &progress).await?;
    let restored = laptop.import_history(&mut Cursor::new(history), &progress).await?;
    println!("The laptop took over {} message", restored.messages);

    let mut at_laptop = laptop.events();
    bob.direct("alice").await?.send("For all of your devices").await?;
    loop {
        if let Some(Event::Message(message)) = at_laptop.next().await {
            println!("The laptop reads: {}", message.text().unwrap_or("…"));
            return Ok(());
        }
    }
}

/// Plays both devices, and the person who holds them.
async fn link(phone: &Client, relay: &str) -> chat_sdk::Result<Client> {
    let shown = Client::builder(relay).in_memory().link().await?;
    println!("The laptop shows {}…", &shown.code().to_string()[..24]);

    let scanned = LinkCode::from_bytes(shown.code().as_bytes())?;
    let (at_phone, at_laptop) = tokio::try_join!(phone.link_device(&scanned), shown.scanned())?;
    println!("The phone shows  {}", at_phone.emoji_text());
    println!("The laptop shows {}", at_laptop.emoji_text());
    if at_phone.emoji() != at_laptop.emoji() {
        at_phone.cancel().await?;
        at_laptop.cancel().await?;
        return Err(Kind::LinkNotAuthentic.into());
    }

    // Each person says so at their own device; neither is enough.
    let (device, laptop) = tokio::try_join!(at_phone.confirm(), at_laptop.confirm())?;
    println!("The phone linked {device}");
    Ok(laptop)
}

async fn register(relay: &str, name: &str) -> chat_sdk::Result<Client> {
    let builder = Client::builder(relay).in_memory();
    Ok(builder.register(name, "correct horse battery staple").await?.client)
}
