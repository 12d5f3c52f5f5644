//! What is left in the file of a message whose time is over: nothing that was ever in it.
//!
//! The store is written without its encryption, so that its bytes can be searched.

use std::path::Path;
use std::time::Duration;

use crate::content::{Content, Edit, Text};
use crate::expiry::erase_due;
use crate::message::{Draft, Timer};
use crate::stage::{NOW, Person, group, later};
use crate::store::{Place, drafts};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn nothing_of_an_expired_message_is_left_in_any_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.store");
    let alice = Person::new("alice", 1, Place::Plain(path.clone())).await;
    let mut bob = Person::new("bob", 2, Place::Memory).await;
    let chat = group(&[&alice, &bob], chat_core::membership::Policy::DEFAULT).await;
    let brief = |words: &str| Draft::text(words).expiring(Timer::after_sent(HOUR));
    let mine = alice.says_with(chat, brief("xylophone in the cellar")).await;
    let (_, envelope) = alice.seals(chat, &mut [&mut bob]).await;
    alice.is_told(mine, 1).await;
    bob.opens(1, &envelope).await;
    let edit = Edit::new(mine, Text::from("quicksilver in the attic".to_owned()));
    let edit = alice.says_with(chat, Draft::of(Content::Edit(edit))).await;
    alice.seals(chat, &mut []).await;
    alice.is_told(edit, 2).await;
    let theirs = bob.says_with(chat, brief("zeppelin at midnight")).await;
    let (_, envelope) = bob.seals(chat, &mut []).await;
    bob.is_told(theirs, 3).await;
    alice.opens(3, &envelope).await;
    alice.write(move |tx, _, _| drafts::save(tx, chat, None, b"wolfram for the baker", NOW)).await;
    alice.write(|tx, _, _| words_are_found(tx)).await;
    let before = remains(&path);

    alice.write(move |tx, _, _| erase_due(tx, later(HOUR))).await;
    alice.write(move |tx, _, _| drafts::clear(tx, chat, None)).await;
    alice.store.scrub().await.unwrap();

    assert_eq!(before, WORDS);
    assert_eq!(remains(&path), [""; 0]);
    alice.store.close().await;
    assert_eq!(remains(&path), [""; 0]);
}

/// Words that stand in no other place: of a message of ours, of its edit, of somebody else's, and
/// of a draft. Search rows hold words in small letters, without what is common to two neighbours.
const WORDS: [&str; 4] = ["xylophone", "quicksilver", "zeppelin", "wolfram"];

fn words_are_found(tx: &rusqlite::Transaction<'_>) -> crate::error::Result<()> {
    let found = crate::store::search::find(tx, "zeppelin", None, 10, NOW)?;
    assert_eq!(found.len(), 1);
    Ok(())
}

/// Which of the words are in the files of a store, in full or up to the first letters that a search
/// index has in common with another word.
fn remains(path: &Path) -> Vec<&'static str> {
    let mut bytes = std::fs::read(path).unwrap();
    for suffix in ["-wal", "-shm"] {
        let beside = path.with_file_name(format!("plain.store{suffix}"));
        bytes.extend(std::fs::read(beside).unwrap_or_default());
    }
    let holds = |word: &str| bytes.windows(word.len()).any(|found| found == word.as_bytes());
    WORDS.into_iter().filter(|word| holds(word) || holds(&word[2..])).collect()
}
