//! What a process wrote down before it was killed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chat_core::codec::from_bytes;
use chat_core::envelope::Envelope;
use chat_core::id::ConversationId;

/// A journal, read.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) attempted: Vec<(ConversationId, String)>,
    pub(super) promised: Vec<(ConversationId, String)>,
    pub(super) seen: Vec<(ConversationId, String)>,
    pub(super) warnings: Vec<String>,
    pub(super) wire: Vec<Envelope>,
}

impl Journal {
    /// Reads a journal; a last line that was cut off was not written.
    pub(super) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut journal = Self::default();
        for line in whole.lines() {
            let (word, rest) = line.split_once(' ').unwrap();
            match word {
                "try" => journal.attempted.push(placed(rest)),
                "has" => journal.promised.push(placed(rest)),
                "saw" => journal.seen.push(placed(rest)),
                "wire" => journal.wire.push(from_bytes(&bytes(rest)).unwrap()),
                _ => journal.warnings.push(rest.to_owned()),
            }
        }
        journal
    }
}

fn placed(rest: &str) -> (ConversationId, String) {
    let (place, text) = rest.split_once(' ').unwrap();
    (place.parse().unwrap(), text.to_owned())
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Compares what a reader was told in a place with what the killed processes tried and were
/// promised there.
pub(super) fn check(
    journals: &[Journal],
    place: ConversationId,
    told: &[&String],
) -> Result<(), String> {
    let once: BTreeSet<&String> = told.iter().copied().collect();
    if once.len() < told.len() {
        return Err("something came twice".to_owned());
    }
    let here = |list: fn(&Journal) -> &Vec<(ConversationId, String)>| {
        let all = journals.iter().flat_map(list).filter(|(at, _)| *at == place);
        all.map(|(_, text)| text.clone()).collect::<BTreeSet<String>>()
    };
    let (attempted, promised) = (here(|j| &j.attempted), here(|j| &j.promised));
    if let Some(lost) = promised.iter().find(|text| !once.contains(text)) {
        return Err(format!("{lost} was promised and is lost"));
    }
    let others = |text: &&&String| text.as_str() != "last:0" && !attempted.contains(**text);
    if let Some(made_up) = once.iter().find(others) {
        return Err(format!("nobody tried to say {made_up}"));
    }
    let mut last: BTreeMap<&str, u32> = BTreeMap::new();
    for text in told {
        let (process, number) = text.split_once(':').unwrap();
        let number = number.parse().unwrap();
        if last.insert(process, number).is_some_and(|before| before >= number) {
            return Err(format!("{text} came after a later one"));
        }
    }
    Ok(())
}
