//! Reading a page of the specification: its tags, and what it demands without one.
//!
//! ```text
//!  page ──▶ blocks: paragraph, list item, row of a table ──▶ sentences ──▶ MUST without [TAG-1]?
//! ```
//!
//! A sentence with MUST in capitals carries a tag, before or directly behind its full stop. One
//! that ends in a list or a table may leave the tags to its items, each of which then has one.
//! Blocks of code demand nothing.

use super::Text;

/// Sentences that explain the word and demand nothing.
const EXPLAINED: &str = "The key words MUST";

/// Lists every tag of a page with its line, in the order in which they stand there.
pub(super) fn tags(page: &Text) -> Vec<(String, usize)> {
    let lines = prose(&page.content);
    lines.flat_map(|(line, text)| tags_in(text).into_iter().map(move |tag| (tag, line))).collect()
}

/// Names each sentence that demands something and carries no tag.
pub(super) fn untagged(page: &Text) -> Vec<String> {
    let blocks = blocks(&page.content);
    let mut complaints = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        if block.text.starts_with(EXPLAINED) {
            continue;
        }
        let sentences = sentences(&block.text);
        let opens_list = sentences.last().is_some_and(|last| !last.ended) && !block.is_item;
        for (at, sentence) in sentences.iter().enumerate() {
            if !sentence.demands || sentence.tagged {
                continue;
            }
            if opens_list && at + 1 == sentences.len() {
                complaints.extend(untagged_items(page, &blocks, index));
            } else {
                let line = block.line;
                complaints.push(format!("{}:{line}: a MUST without a tag", page.path));
            }
        }
    }
    complaints
}

/// Names the items behind the block at `index` that have no tag, or the block if it has no items.
fn untagged_items(page: &Text, blocks: &[Block], index: usize) -> Vec<String> {
    let items: Vec<&Block> = blocks.iter().skip(index + 1).take_while(|b| b.is_item).collect();
    if items.is_empty() {
        let line = blocks.get(index).map_or(0, |block| block.line);
        return vec![format!("{}:{line}: a MUST without a tag", page.path)];
    }
    let bare = items.iter().filter(|item| tags_in(&item.text).is_empty());
    bare.map(|item| format!("{}:{}: an item of a MUST without a tag", page.path, item.line))
        .collect()
}

/// Finds `[PREFIX-1]` in a text.
pub(super) fn tags_in(text: &str) -> Vec<String> {
    let candidates = text.split('[').skip(1).filter_map(|rest| Some(rest.split_once(']')?.0));
    candidates.filter(|candidate| is_tag(candidate)).map(str::to_owned).collect()
}

fn is_tag(candidate: &str) -> bool {
    candidate.split_once('-').is_some_and(|(prefix, number)| {
        !prefix.is_empty()
            && prefix.bytes().all(|byte| byte.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// A paragraph, an item of a list, or a row of a table.
struct Block {
    line: usize,
    text: String,
    is_item: bool,
}

/// A sentence, as far as it matters here.
#[derive(Default)]
struct Sentence {
    demands: bool,
    tagged: bool,
    ended: bool,
    begun: bool,
}

/// The lines of a page that are not code, counted from 1.
fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    page.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            // A fence separates what is before it from what is behind it.
            return Some((index + 1, ""));
        }
        (!in_code).then_some((index + 1, line))
    })
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (line, text) in prose(page).map(|(line, text)| (line, text.trim())) {
        let is_item = begins_item(text);
        if text.is_empty() || text.starts_with('#') || is_rule(text) {
            open = false;
        } else if let Some(block) = blocks.last_mut().filter(|_| open && !is_item) {
            block.text.push(' ');
            block.text.push_str(text);
        } else {
            blocks.push(Block { line, text: text.to_owned(), is_item });
            open = true;
        }
        // The line below a table's heads: what stands above it demands nothing.
        if is_rule(text) {
            blocks.pop();
        }
    }
    blocks
}

fn begins_item(line: &str) -> bool {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = number.len() < line.len() && number.starts_with(". ");
    is_numbered || ["* ", "- ", "|"].iter().any(|mark| line.starts_with(mark))
}

fn is_rule(line: &str) -> bool {
    line.starts_with("|-") && line.chars().all(|c| "|-: ".contains(c))
}

fn sentences(block: &str) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    let mut current = Sentence::default();
    for word in block.split_whitespace() {
        let tagged = !tags_in(word).is_empty();
        if tagged && !current.begun {
            // Behind the full stop: it belongs to the sentence that has just ended.
            if let Some(last) = sentences.last_mut() {
                let last: &mut Sentence = last;
                last.tagged = true;
            }
            continue;
        }
        current.begun = true;
        current.tagged |= tagged;
        current.demands |= word.trim_matches(|c: char| !c.is_alphanumeric()) == "MUST";
        if word.trim_end_matches(['*', ')', '"', '`']).ends_with('.') {
            current.ended = true;
            sentences.push(std::mem::take(&mut current));
        }
    }
    if current.begun {
        sentences.push(current);
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(content: &str) -> Vec<String> {
        untagged(&Text { path: "page.md".to_owned(), content: content.to_owned() })
    }

    #[test]
    fn a_must_without_a_tag_is_noticed() {
        assert_eq!(complaints("Readers MUST read.\n"), ["page.md:1: a MUST without a tag"]);
        assert_eq!(complaints("# A\n\nThey\nMUST NOT.\n"), ["page.md:3: a MUST without a tag"]);
        assert_eq!(complaints("| a | b |\n|---|---|\n| 1 | MUST. |\n").len(), 1);
        assert_eq!(complaints("* It MUST.\n* It MUST too. [A-1]\n").len(), 1);
    }

    #[test]
    fn a_tag_before_or_behind_the_full_stop_counts() {
        for tagged in ["It MUST [A-1].", "It MUST. [A-1]", "It MUST. [A-1] It may. It MUST. [A-2]"]
        {
            assert_eq!(complaints(tagged), [""; 0], "{tagged}");
        }
    }

    #[test]
    fn a_tag_counts_for_its_own_sentence() {
        assert_eq!(complaints("It MUST [A-1]. It MUST too.").len(), 1);
        assert_eq!(complaints("It MUST. It may [A-1].").len(), 1);
    }

    #[test]
    fn a_must_that_opens_a_list_leaves_the_tags_to_its_items() {
        assert_eq!(complaints("It MUST\n\n1. do this; [A-1]\n2. do that. [A-2]\n"), [""; 0]);
        assert_eq!(
            complaints("It MUST\n\n1. do this; [A-1]\n2. do that.\n\nBehind.\n"),
            ["page.md:4: an item of a MUST without a tag"]
        );
        assert_eq!(complaints("It MUST check, in order:\n\nA paragraph.\n").len(), 1);
        assert_eq!(complaints("It MUST:\n\n| a |\n|---|\n| x [A-1] |\n"), [""; 0]);
    }

    #[test]
    fn code_and_the_meaning_of_the_words_demand_nothing() {
        let page = "The key words MUST, MUST NOT are used.\n\n```text\nIt MUST.\n```\n\nIt must.\n";

        assert_eq!(complaints(page), [""; 0]);
    }

    #[test]
    fn a_tag_is_told_from_a_link() {
        assert_eq!(tags_in("[A-1] [a-1](x) [A](y) [A-] [A-x] [AB-23]."), ["A-1", "AB-23"]);
    }
}
