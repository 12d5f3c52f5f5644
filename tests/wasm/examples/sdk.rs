//! The SDK in one module for the browser, to see what it weighs.
//!
//! An app's whole life: an account, a conversation, a file, a search, and the store opened again.
//! `cargo xtask wasm` builds it and tells its size.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, reason = "never shipped")]

use std::io::Cursor;

use chat_sdk::{Client, Event, NewAttachment, StoreKey};
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
pub async fn talk(relay: String, name: String, peer: String) -> Result<String, String> {
    live(&relay, &name, &peer).await.map_err(|error| error.to_string())
}

async fn live(relay: &str, name: &str, peer: &str) -> chat_sdk::Result<String> {
    let builder = || Client::builder(relay).store("an.store", StoreKey::passphrase(name));
    let registered = builder().register(name, "correct horse battery staple").await?;
    registered.client.close().await?;
    let client = builder().open().await?;
    let chat = client.direct(peer).await?;
    chat.send("hello").await?;
    chat.send_attachment(NewAttachment::named("a"), &mut Cursor::new(vec![1])).await?;
    let mut events = client.events();
    while let Some(event) = events.next().await {
        let Event::Message(message) = event else { continue };
        if let Some(attachment) = message.content.attachment() {
            client.download(attachment)?.write_to(&mut Cursor::new(Vec::new())).await?;
        }
        client.search("hello", 10).await?;
        client.wipe().await?;
        return Ok(message.text().unwrap_or_default().to_owned());
    }
    Ok(registered.recovery_phrase.words().to_string())
}
