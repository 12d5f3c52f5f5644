//! The emoji as `docs/protocol/linking.md` §7 lists them.

use chat_crypto::emoji::LIST;

const PAGE: &str = include_str!("../../../../docs/protocol/linking.md");

/// A row of the table: `| 12 | 🐧 | U+1F427 | penguin |`.
fn rows() -> Vec<(usize, char, u32, String)> {
    let mut rows: Vec<_> = PAGE.lines().filter_map(row).collect();
    rows.sort_unstable();
    rows
}

fn row(line: &str) -> Option<(usize, char, u32, String)> {
    let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [place, symbol, code, name] = cells.try_into().ok()?;
    let code = u32::from_str_radix(code.strip_prefix("U+")?, 16).ok()?;
    Some((place.parse().ok()?, symbol.parse().ok()?, code, name.to_owned()))
}

/// The emoji by their places.
pub(crate) fn symbols() -> Vec<char> {
    rows().into_iter().map(|(_, symbol, ..)| symbol).collect()
}

#[test]
fn the_emoji_are_those_of_the_page() {
    let listed: Vec<_> = (0..)
        .zip(LIST)
        .map(|(place, (symbol, name))| (place, symbol, u32::from(symbol), name.to_owned()))
        .collect();

    assert_eq!(rows(), listed);
}

#[test]
fn every_emoji_is_one_code_point_that_old_fonts_have() {
    // Unicode 9 ends below U+1F9C1 in the blocks that are used here; what lies below U+2C00 is in
    // colour by itself (Emoji_Presentation) only for these few.
    let in_colour = ['⭐', '⛄', '⛵', '⏰', '☔', '⚽', '⚓'];

    for (symbol, name) in LIST {
        let old = ('\u{1f300}'..='\u{1f9c0}').contains(&symbol) || in_colour.contains(&symbol);
        assert!(old, "{name}");
        assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c == b' '), "{name}");
    }
}
