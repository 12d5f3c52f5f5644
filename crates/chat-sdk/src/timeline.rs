//! From rows to messages as apps see them: a message, its last words, and the emoji on it.

use chat_core::id::AccountId;
use rusqlite::Transaction;

use crate::content::Content;
use crate::devices;
use crate::error::Result;
use crate::message::{Message, Reactions};
use crate::store::annotations;
use crate::store::messages::MessageRow;

/// Most emoji that one account shows on one message; the newest ones count.
const EMOJI_AN_ACCOUNT_MAX: usize = 20;

impl Message {
    /// The message in a row, with its sender's name and what was said about it.
    pub(crate) fn from_row(tx: &Transaction<'_>, row: MessageRow) -> Result<Self> {
        let mut content = Content::read(&row.kind, &row.body);
        let mut edited_at = None;
        if let Content::Text(text) = &mut content
            && let Some((edit, at)) = annotations::edit(tx, &row)?
        {
            text.text = edit.text.text;
            text.mentions = edit.text.mentions;
            edited_at = Some(at);
        }
        let reactions = reactions(tx, &row)?;
        Ok(Self {
            id: row.id,
            conversation: row.conversation,
            sender: devices::contact(tx, row.sender.account)?,
            device: row.sender.device,
            content,
            edited_at,
            reactions,
            sent_at: row.sent_at,
            sequence: row.sequence,
            status: row.status,
            failure: row.failure,
            outgoing: row.outgoing,
            timer: row.expiry.map(Into::into),
            expires_at: row.deadline,
            authenticity: row.suite.into(),
        })
    }
}

fn reactions(tx: &Transaction<'_>, to: &MessageRow) -> Result<Vec<Reactions>> {
    let rows = annotations::reactions(tx, to)?;
    let words = rows.iter().filter_map(|row| match Content::read(&row.kind, &row.body) {
        Content::Reaction(reaction) => Some((row.sender.account, reaction.emoji, reaction.set)),
        _ => None,
    });
    fold(words)
        .into_iter()
        .map(|(emoji, accounts)| {
            let by = accounts.into_iter().map(|account| devices::contact(tx, account));
            Ok(Reactions { emoji, by: by.collect::<Result<_>>()? })
        })
        .collect()
}

/// Who shows which emoji, after all was said, the oldest word first.
fn fold(words: impl Iterator<Item = (AccountId, String, bool)>) -> Vec<(String, Vec<AccountId>)> {
    let mut set: Vec<(AccountId, String)> = Vec::new();
    for (account, emoji, is_set) in words {
        let place = set.iter().position(|(by, known)| *by == account && *known == emoji);
        match (place, is_set) {
            (None, true) => set.push((account, emoji)),
            (Some(place), false) => drop(set.remove(place)),
            (None, false) | (Some(_), true) => continue,
        }
        let oldest = set.iter().position(|(by, _)| *by == account);
        if set.iter().filter(|(by, _)| *by == account).count() > EMOJI_AN_ACCOUNT_MAX {
            oldest.map(|place| set.remove(place));
        }
    }
    let mut shown: Vec<(String, Vec<AccountId>)> = Vec::new();
    for (account, emoji) in set {
        match shown.iter_mut().find(|(known, _)| *known == emoji) {
            Some((_, by)) => by.push(account),
            None => shown.push((emoji, vec![account])),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: AccountId = AccountId::from_bytes([1; 16]);
    const BOB: AccountId = AccountId::from_bytes([2; 16]);

    #[test]
    fn of_each_account_the_last_word_on_an_emoji_counts() {
        let words = [
            (ALICE, "👍", true),
            (BOB, "👍", true),
            (ALICE, "👍", true),
            (ALICE, "🎉", true),
            (BOB, "👍", false),
            (BOB, "🎉", false),
        ];

        let shown = fold(words.into_iter().map(|(by, emoji, set)| (by, emoji.to_owned(), set)));

        assert_eq!(shown, [("👍".to_owned(), vec![ALICE]), ("🎉".to_owned(), vec![ALICE])]);
    }

    #[test]
    fn nobody_covers_a_message_with_emoji() {
        let words = (0..1000).map(|number| (ALICE, format!("{number}"), true));

        let shown = fold(words);

        assert_eq!(shown.len(), EMOJI_AN_ACCOUNT_MAX);
        assert_eq!(shown[0].0, "980");
    }
}
