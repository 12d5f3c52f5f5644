//! A film goes up, is interrupted, and comes down: `cargo run -p examples --bin attachments`.
//!
//! The film is sealed while it is read and opened while it arrives, so it may be far larger than
//! memory. The relay holds bytes that say neither what they are nor to whom they went.

use std::path::Path;

use chat_sdk::content::Attachment;
use chat_sdk::{
    Client, Content, Conversation, Draft, Event, Message, NewAttachment, Page, Transferred,
};
use relay_server::testing::TestRelay;
use tokio::fs::{self, File};
use tokio::sync::watch::Receiver;

const FILM_BYTES: usize = 5_000_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let relay = TestRelay::start().await;
    let alice = register(relay.url(), "alice").await?;
    let bob = register(relay.url(), "bob").await?;
    let folder = tempfile::tempdir()?;
    let film = folder.path().join("film.mp4");
    fs::write(&film, vec![7; FILM_BYTES]).await?;

    send(&alice.direct("bob").await?, &film).await?;
    resume(&alice, &film).await?;

    let (message, attachment) = next_attachment(&bob).await?;
    let saved = folder.path().join("saved.mp4");
    save(&bob, &attachment, &saved).await?;
    let is_same = fs::read(&saved).await? == fs::read(&film).await?;
    println!("Bob saved {}, the same: {is_same}", attachment.name.as_deref().unwrap_or("a file"));

    // The key is sent on, and the film stays where it is.
    let team = bob.create_group("Cinema", &["alice"]).await?;
    if let Some(draft) = Draft::forward(&message) {
        team.send_with(draft).await?;
        println!("Bob forwarded it without uploading it");
    }
    Ok(())
}

/// Begins to send a file, and stops: to drop the future is to pause.
async fn send(chat: &Conversation, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let new = NewAttachment::named("film.mp4").media_type("video/mp4").captioned("Look at this");
    let mut source = File::open(path).await?;
    let upload = chat.attach(new, &mut source).await?;
    let mut progress = upload.progress();
    let how = tokio::select! {
        ended = upload.run(&mut source) => ended.map(|()| "Sent"),
        _ = async { progress.wait_for(|it| it.done > 0).await.map(drop) } => Ok("Paused"),
    };
    println!("{} at {}", how?, percent(&progress));
    Ok(())
}

/// Goes on with everything that waits, as an app does when it starts.
async fn resume(client: &Client, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    for upload in client.uploads().await? {
        upload.run(&mut File::open(path).await?).await?; // or upload.cancel()
        println!("Sent, {}", percent(&upload.progress()));
    }
    Ok(())
}

/// Until `write_to` has ended well, what it wrote may be cut short: only then is it a film.
async fn save(
    client: &Client,
    attachment: &Attachment,
    path: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut download = client.download(attachment)?;
    let mut progress = download.progress();
    let shown = tokio::spawn(async move {
        while progress.changed().await.is_ok() {}
        println!("Fetched, {}", percent(&progress));
    });
    download.write_to(&mut File::create(path).await?).await?;
    drop(download);
    Ok(shown.await?)
}

async fn register(relay: &str, name: &str) -> chat_sdk::Result<Client> {
    let builder = Client::builder(relay).in_memory();
    Ok(builder.register(name, "correct horse battery staple").await?.client)
}

/// Waits for a file. What it says about itself is its sender's word.
async fn next_attachment(client: &Client) -> chat_sdk::Result<(Message, Attachment)> {
    let mut events = client.events();
    loop {
        for chat in client.conversations().await? {
            for message in chat.messages(Page::latest(1)).await? {
                if let Content::Attachment(attachment) = message.content.clone() {
                    return Ok((message, attachment));
                }
            }
        }
        if let Some(Event::Lagged(lost)) = events.next().await {
            println!("{lost} events passed by");
        }
    }
}

fn percent(progress: &Receiver<Transferred>) -> String {
    let Transferred { done, total } = *progress.borrow();
    format!("{} % of {total} bytes", done * 100 / total.max(1))
}
