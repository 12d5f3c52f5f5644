//! What a browser's tests have beside them: a relay that takes their page, and a store that was
//! written natively.
//!
//! ```text
//!  beside-browser ADDRESS PAGE STORE
//!
//!  prints `ready`, serves until its standard input ends
//! ```

use std::io::Read as _;

use chat_sdk::{Client, StoreKey};
use relay_server::testing::TestRelay;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, page, store] = arguments.as_slice() else {
        return Err("ADDRESS PAGE STORE".into());
    };
    let relay = TestRelay::builder().listen(address.parse()?).web_origin(page).start().await;
    write(relay.url(), store).await?;
    println!("ready");

    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    relay.stop().await;
    Ok(())
}

/// A store with something in it, all of it in the one file.
async fn write(relay: &str, store: &str) -> Outcome {
    let password = "correct horse battery staple";
    let olga = Client::builder(relay).in_memory().register("olga", password).await?.client;
    let builder = Client::builder(relay).store(store, StoreKey::from_bytes([7; 32]));
    let nadja = builder.register("nadja", password).await?.client;
    nadja.direct("olga").await?.send("This was written natively.").await?;
    nadja.flush().await?;
    nadja.close().await?;
    olga.close().await?;
    Ok(())
}
