//! Every rule of the protocol is done somewhere, and a test fails when it is not.
//!
//! ```text
//!  docs/protocol/wire.md   … MUST … [WIRE-1] ◀──one to one──▶ | WIRE-1 | rule | code | test |   checks.md
//!                                                                           │      │
//!  crates/…/file.rs::item ◀──exists─────────────────────────────────────────┘      │
//!  crates/…/file.rs::name ◀──is a test─────────────────────────────────────────────┘
//! ```
//!
//! What this cannot tell is whether a test shows what its row says; that is for people to read.

mod page;

use std::collections::BTreeMap;

use super::{Text, assert_none, texts};

const CHECKS: &str = "docs/protocol/checks.md";

/// Pages that demand nothing of an implementation.
const NOT_NORMATIVE: [&str; 3] = [CHECKS, "docs/protocol/README.md", "docs/protocol/security.md"];

/// Documents that name tests without tags.
const WITNESSES: [&str; 4] = [
    "docs/lying-relay.md",
    "docs/protocol/model/README.md",
    "docs/protocol/security.md",
    "docs/threat-model.md",
];

/// A line of `checks.md`.
#[derive(Debug)]
struct Row {
    line: usize,
    id: String,
    /// Files and what is in them: `crates/…/file.rs::item`.
    code: Vec<String>,
    tests: Vec<String>,
}

/// Reads the rows; what is a row but cannot be read becomes a complaint.
fn rows(checks: &Text) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut complaints) = (Vec::new(), Vec::new());
    let mut section = "";
    for (line, text) in checks.content.lines().enumerate().map(|(index, text)| (index + 1, text)) {
        if let Some(prefix) = text.strip_prefix("## ") {
            section = prefix.trim();
        } else if text.starts_with('|') && !is_head(text) {
            match row(line, text, section) {
                Ok(row) => rows.push(row),
                Err(complaint) => complaints.push(format!("{CHECKS}:{line}: {complaint}")),
            }
        }
    }
    (rows, complaints)
}

fn is_head(line: &str) -> bool {
    line.starts_with("| id |") || line.starts_with("|-")
}

fn row(line: usize, text: &str, section: &str) -> Result<Row, String> {
    let cells: Vec<&str> = text.trim_matches('|').split('|').map(str::trim).collect();
    let [id, rule, code, tests] = cells.as_slice() else {
        return Err("a row has four cells".to_owned());
    };
    if !id.strip_prefix(section).is_some_and(|rest| rest.starts_with('-')) {
        return Err(format!("{id} stands under {section}"));
    }
    if rule.is_empty() {
        return Err(format!("{id} does not say what is demanded"));
    }
    let row =
        Row { line, id: (*id).to_owned(), code: in_backticks(code), tests: in_backticks(tests) };
    if row.code.is_empty() || row.tests.is_empty() {
        return Err(format!("{id} names no code or no test"));
    }
    Ok(row)
}

fn in_backticks(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Compares the tags of the pages with the rows, in both directions.
fn unmatched(pages: &[Text], rows: &[Row]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    let mut prefixes: BTreeMap<String, &str> = BTreeMap::new();
    for page in pages {
        for (tag, line) in page::tags(page) {
            let place = format!("{}:{line}", page.path);
            let prefix = tag.split('-').next().unwrap_or_default().to_owned();
            if *prefixes.entry(prefix).or_insert(&page.path) != page.path {
                complaints.push(format!("{place}: [{tag}] has the prefix of another page"));
            }
            if let Some(first) = places.insert(tag.clone(), place.clone()) {
                complaints.push(format!("{place}: [{tag}] stands at {first} as well"));
            }
        }
    }
    let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
    for Row { id, line, .. } in rows {
        if let Some(first) = ids.insert(id, *line) {
            complaints.push(format!("{CHECKS}:{line}: {id} has a row at line {first} as well"));
        }
        if !places.contains_key(id) {
            complaints.push(format!("{CHECKS}:{line}: no page has [{id}]"));
        }
    }
    let rowless = places.iter().filter(|(tag, _)| !ids.contains_key(tag.as_str()));
    complaints.extend(rowless.map(|(tag, place)| format!("{place}: [{tag}] has no row")));
    complaints
}

/// Says what is wrong with a reference to code: `file` or `file::item` or `file::Type::item`.
fn missing_code(sources: &[Text], reference: &str) -> Option<String> {
    let (path, items) = reference.split_once("::").unwrap_or((reference, ""));
    let Some(source) = sources.iter().find(|source| source.path == path) else {
        return Some(format!("there is no {path}"));
    };
    let absent = |item: &&str| !item.is_empty() && !has_word(&source.content, item);
    let item = items.split("::").find(absent)?;
    Some(format!("{path} has no {item}"))
}

fn has_word(text: &str, word: &str) -> bool {
    let is_inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + word.len()..]);
        !before.ends_with(is_inside) && !behind.starts_with(is_inside)
    })
}

/// Says what is wrong with a reference to a test: `file::name`.
///
/// A test is a function below an attribute that says so, or one that a macro is given by name.
fn missing_test(sources: &[Text], reference: &str) -> Option<String> {
    let Some((path, items)) = reference.split_once("::") else {
        return Some(format!("{reference} names a file and no test"));
    };
    let name = items.rsplit("::").next().unwrap_or_default();
    let Some(source) = sources.iter().find(|source| source.path == path) else {
        return Some(format!("there is no {path}"));
    };
    let lines: Vec<&str> = source.content.lines().map(str::trim).collect();
    let is_listed = lines
        .iter()
        .any(|line| line.ends_with(',') && line.split(',').any(|word| word.trim() == name));
    if is_listed && source.content.contains("fn $") {
        // The macro itself stands here; the functions that it calls are elsewhere.
        return None;
    }
    let Some(at) = lines.iter().position(|line| line.contains(&format!("fn {name}("))) else {
        return Some(format!("{path} has no test {name}"));
    };
    let above = lines.get(..at).unwrap_or_default().iter().rev();
    let is_marked = above
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .any(|line| line.starts_with("#[test") || line.starts_with("#[tokio::test"));
    (!is_marked && !is_listed).then(|| format!("{path}: {name} is no test"))
}

/// Names the references of the rows that lead nowhere.
fn dangling(sources: &[Text], rows: &[Row]) -> Vec<String> {
    let mut complaints = Vec::new();
    for Row { line, id, code, tests } in rows {
        let code = code.iter().filter_map(|reference| missing_code(sources, reference));
        let tests = tests.iter().filter_map(|reference| missing_test(sources, reference));
        complaints.extend(code.chain(tests).map(|what| format!("{CHECKS}:{line}: {id}: {what}")));
    }
    complaints
}

/// Names the tests that a document cites and that are none: `` `path.rs::name` ``.
fn dangling_witnesses(sources: &[Text], document: &Text) -> Vec<String> {
    let cited = in_backticks(&document.content);
    let tests = cited.iter().filter(|reference| reference.contains(".rs::"));
    let missing = tests.filter_map(|reference| missing_test(sources, reference));
    missing.map(|what| format!("{}: {what}", document.path)).collect()
}

fn is_page(path: &str) -> bool {
    let name = path.strip_prefix("docs/protocol/").filter(|name| name.ends_with(".md"));
    name.is_some_and(|name| !name.contains('/')) && !NOT_NORMATIVE.contains(&path)
}

fn sources() -> Vec<Text> {
    texts(|path| path.ends_with(".rs"))
}

fn checks() -> Text {
    texts(|path| path == CHECKS).remove(0)
}

fn text(path: &str, content: &str) -> Text {
    Text { path: path.to_owned(), content: content.to_owned() }
}

#[test]
fn every_rule_of_the_protocol_has_its_row() {
    let (rows, mut complaints) = rows(&checks());

    complaints.extend(unmatched(&texts(is_page), &rows));

    assert!(!rows.is_empty());
    assert_none(&complaints);
}

#[test]
fn every_must_has_a_tag() {
    assert_none(&texts(is_page).iter().flat_map(page::untagged).collect::<Vec<_>>());
}

#[test]
fn every_row_leads_to_code_and_to_a_test() {
    let (rows, _) = rows(&checks());

    assert_none(&dangling(&sources(), &rows));
}

#[test]
fn every_test_that_a_document_cites_is_one() {
    let sources = sources();
    let documents = texts(|path| WITNESSES.contains(&path));

    assert_none(
        &documents.iter().flat_map(|it| dangling_witnesses(&sources, it)).collect::<Vec<_>>(),
    );
}

#[test]
fn a_tag_without_row_and_a_row_without_tag_are_noticed() {
    let pages = [text("wire.md", "It MUST. [WIRE-1] It MUST. [WIRE-2]\n")];
    let (rows, _) = rows(&text(
        CHECKS,
        "## WIRE\n| id | rule | code | test |\n|---|---|---|---|\n\
         | WIRE-1 | a | `a.rs` | `a.rs::b` |\n| WIRE-3 | a | `a.rs` | `a.rs::b` |\n",
    ));

    assert_eq!(
        unmatched(&pages, &rows),
        [format!("{CHECKS}:5: no page has [WIRE-3]"), "wire.md:1: [WIRE-2] has no row".to_owned()]
    );
}

#[test]
fn a_number_that_was_given_twice_is_noticed() {
    let pages = [text("wire.md", "[WIRE-1]\n[WIRE-1]\n"), text("relay.md", "[WIRE-2]\n")];
    let row = "| WIRE-1 | a | `a.rs` | `a.rs::b` |\n";
    let other = "| WIRE-2 | a | `a.rs` | `a.rs::b` |\n";
    let (rows, _) = rows(&text(CHECKS, &format!("## WIRE\n{row}{row}{other}")));

    assert_eq!(
        unmatched(&pages, &rows),
        [
            "wire.md:2: [WIRE-1] stands at wire.md:1 as well".to_owned(),
            "relay.md:1: [WIRE-2] has the prefix of another page".to_owned(),
            format!("{CHECKS}:3: WIRE-1 has a row at line 2 as well"),
        ]
    );
}

#[test]
fn a_row_that_lacks_something_is_noticed() {
    for row in [
        "| WIRE-1 | a | `a.rs` |",
        "| WIRE-1 |  | `a.rs` | `a.rs::b` |",
        "| WIRE-1 | a | a.rs | `a.rs::b` |",
        "| WIRE-1 | a | `a.rs` | by hand |",
        "| RELAY-1 | a | `a.rs` | `a.rs::b` |",
    ] {
        let (rows, complaints) = rows(&text(CHECKS, &format!("## WIRE\n{row}\n")));

        assert_eq!((rows.len(), complaints.len()), (0, 1), "{row}");
    }
}

#[test]
fn code_that_is_not_there_is_noticed() {
    let sources = [text("a.rs", "impl Thing {\n    fn do_it() {}\n}\n")];

    assert_eq!(missing_code(&sources, "a.rs"), None);
    assert_eq!(missing_code(&sources, "a.rs::Thing::do_it"), None);
    assert_eq!(missing_code(&sources, "a.rs::do"), Some("a.rs has no do".to_owned()));
    assert_eq!(missing_code(&sources, "b.rs::Thing"), Some("there is no b.rs".to_owned()));
}

#[test]
fn a_test_that_is_none_is_noticed() {
    let sources = [text(
        "a.rs",
        "#[test]\n// Why.\nfn it_holds() {}\n\nfn helper() {}\n\n\
         on_both_stands! {\n    a_story,\n}\nasync fn a_story(x: u8) {}\n",
    )];

    assert_eq!(missing_test(&sources, "a.rs::it_holds"), None);
    assert_eq!(missing_test(&sources, "a.rs::tests::it_holds"), None);
    assert_eq!(missing_test(&sources, "a.rs::a_story"), None);
    let suite = text("c.rs", "suite! {\n    it_holds,\n}\n$(async fn $sentence() {})*\n");
    assert_eq!(missing_test(&[suite], "c.rs::it_holds"), None);
    for none in ["a.rs", "b.rs::it_holds", "a.rs::holds", "a.rs::it", "a.rs::helper"] {
        assert!(missing_test(&sources, none).is_some(), "{none}");
    }
}

#[test]
fn a_document_that_cites_a_test_that_is_gone_is_noticed() {
    let sources = [text("a.rs", "#[test]\nfn it_holds() {}\n")];
    let document =
        text("security.md", "See `a.rs::it_holds`, `a.rs::it_held` and `chat_core::x`.\n");

    assert_eq!(dangling_witnesses(&sources, &document), ["security.md: a.rs has no test it_held"]);
}
