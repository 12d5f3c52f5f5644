//! Every file says what it is for, none is too long, none is unfinished, and none knows where it
//! was written.

use super::{Text, assert_none, texts};

/// Lines a file may have before its tests; past 400 it is usually two things.
const LINES_MAX: usize = 500;

/// What unfinished or left-over code looks like. In two parts, so that this file is not found.
const UNFINISHED: [&str; 6] = [
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("db", "g!"),
    concat!("#[ig", "nore"),
    concat!("FIX", "ME"),
    concat!("Under con", "struction"),
];

/// Places on the machines of those who wrote this.
const ELSEWHERE: [&str; 2] = [concat!("/wo", "rk/"), concat!("shared/de", "sign")];

fn occurrences(text: &Text, forbidden: &[&str]) -> Vec<String> {
    let lines = text.content.lines().enumerate();
    lines
        .flat_map(|(index, line)| forbidden.iter().map(move |word| (index + 1, line, word)))
        .filter(|(_, line, word)| line.contains(*word))
        .map(|(number, _, word)| format!("{}:{number}: `{word}`", text.path))
        .collect()
}

/// Complains unless the file begins with a `//!` header; inner attributes may stand before it.
///
/// A module `tests` is spared: what it is for stands at the head of its parent.
fn headless(source: &Text) -> Vec<String> {
    let mut lines = source.content.lines().filter(|line| !line.trim().is_empty());
    let begins_well =
        lines.next().is_some_and(|line| line.starts_with("//!") || line.starts_with("#!["));
    if begins_well && source.content.lines().any(|line| line.starts_with("//! ")) {
        return Vec::new();
    }
    vec![format!("{}: has no `//!` header that says what it is for", source.path)]
}

/// Complains if the file is too long, its inline tests not counted.
fn overlong(source: &Text) -> Vec<String> {
    let lines: Vec<&str> = source.content.lines().collect();
    let tests = lines
        .windows(2)
        .position(|pair| matches!(pair, ["#[cfg(test)]", module] if module.starts_with("mod ")));
    let length = tests.unwrap_or(lines.len());
    if length <= LINES_MAX {
        return Vec::new();
    }
    vec![format!("{}: {length} lines before its tests; {LINES_MAX} is the most", source.path)]
}

fn is_source(path: &str) -> bool {
    path.ends_with(".rs")
}

/// Tells whether a source file is nothing but tests.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/tests/")
        || path.ends_with("/tests.rs")
        || path.strip_prefix("crates/").is_some_and(|path| path.contains("/tests/"))
}

fn text(content: &str) -> Text {
    Text { path: "file.rs".to_owned(), content: content.to_owned() }
}

#[test]
fn nothing_is_unfinished() {
    let sources = texts(is_source);

    let complaints: Vec<String> =
        sources.iter().flat_map(|source| occurrences(source, &UNFINISHED)).collect();

    assert_none(&complaints);
}

#[test]
fn every_kind_of_unfinished_code_is_noticed() {
    for word in UNFINISHED {
        let source = text(&format!("//! A file.\nfn later() {{ {word} }}\n"));

        assert_eq!(occurrences(&source, &UNFINISHED), [format!("file.rs:2: `{word}`")]);
    }
}

#[test]
fn no_file_knows_where_it_was_written() {
    let files = texts(|_| true);

    let complaints: Vec<String> =
        files.iter().flat_map(|file| occurrences(file, &ELSEWHERE)).collect();

    assert_none(&complaints);
}

#[test]
fn the_path_of_a_machine_is_noticed() {
    for place in ELSEWHERE {
        let file = text(&format!("see {place}notes.md"));

        assert_eq!(occurrences(&file, &ELSEWHERE), [format!("file.rs:1: `{place}`")]);
    }
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let sources = texts(|path| is_source(path) && !path.ends_with("/tests.rs"));

    assert_none(&sources.iter().flat_map(headless).collect::<Vec<_>>());
}

#[test]
fn a_file_without_a_header_is_noticed() {
    assert_eq!(headless(&text("//! What it is for.\nuse std::fs;\n")), [""; 0]);
    assert_eq!(headless(&text("#![allow(missing_docs)]\n//! What it is for.\n")), [""; 0]);

    for headless_file in ["", "use std::fs;\n//! Too late.\n", "// A remark.\n", "//!\nfn f() {}\n"]
    {
        assert_eq!(headless(&text(headless_file)).len(), 1, "{headless_file:?}");
    }
}

#[test]
fn no_file_is_something_that_everything_sinks_into() {
    let sources = texts(|path| is_source(path) && !is_test(path));

    assert_none(&sources.iter().flat_map(overlong).collect::<Vec<_>>());
}

#[test]
fn a_long_file_is_noticed_unless_it_is_long_by_its_tests() {
    let code = "fn f() {}\n";
    let tests = "#[cfg(test)]\nmod tests {\n";

    assert_eq!(overlong(&text(&code.repeat(LINES_MAX))), [""; 0]);
    assert_eq!(overlong(&text(&code.repeat(LINES_MAX + 1))).len(), 1);
    let long_by_tests = format!("{}{tests}{}", code.repeat(LINES_MAX), code.repeat(LINES_MAX));
    assert_eq!(overlong(&text(&long_by_tests)), [""; 0]);
}
