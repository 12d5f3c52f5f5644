//! What stands at the top of the repository, and that every decision is in the index.

use std::fs;

use super::{assert_none, root, texts};

/// Everything that may stand at the top. What is not here belongs into one of the folders.
const TOP: [&str; 24] = [
    // The house.
    "Cargo.toml",
    "Cargo.lock",
    "crates",
    "bindings",
    "examples",
    "tests",
    "docs",
    "deploy",
    // Documents people look for at the top.
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    // Tools that look for their configuration at the top.
    ".cargo",
    ".ci",
    ".git",
    ".github",
    ".gitignore",
    "clippy.toml",
    "deny.toml",
    "rustfmt.toml",
    // Where builds go.
    "target",
];

/// The four crates of the house.
const CRATES: [&str; 4] = ["chat-core", "chat-crypto", "chat-sdk", "relay-server"];

fn strangers(names: &[String], allowed: &[&str]) -> Vec<String> {
    let strange = names.iter().filter(|name| !allowed.contains(&name.as_str()));
    strange.map(|name| format!("{name} has no place here")).collect()
}

/// Names the decisions (`0001-….md`) that the index does not link.
fn unlisted(index: &str, names: &[String]) -> Vec<String> {
    let missing = names.iter().filter(|name| !index.contains(&format!("({name})")));
    missing.map(|name| format!("docs/adr/README.md does not link {name}")).collect()
}

fn names_in(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder exists").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn the_top_level_is_fixed() {
    let mut names = names_in(".");
    // A relay that was started here keeps its data here; git ignores it.
    names.retain(|name| name != "sealwire-data");

    assert_none(&strangers(&names, &TOP));
    assert_none(&strangers(&names_in("crates"), &CRATES));
}

#[test]
fn a_stranger_at_the_top_is_noticed() {
    let names = ["crates", "scripts", "NOTES.md"].map(String::from);

    assert_eq!(
        strangers(&names, &TOP),
        ["scripts has no place here", "NOTES.md has no place here"]
    );
}

#[test]
fn every_decision_is_in_the_index() {
    let index = texts(|path| path == "docs/adr/README.md").remove(0).content;
    let mut decisions = names_in("docs/adr");
    decisions.retain(|name| name != "README.md");
    assert!(!decisions.is_empty());

    assert_none(&unlisted(&index, &decisions));
}

#[test]
fn a_decision_outside_the_index_is_noticed() {
    let index = "| 1 | [One signature](0001-one-signature.md) |";
    let names = ["0001-one-signature.md", "0002-another.md"].map(String::from);

    assert_eq!(unlisted(index, &names), ["docs/adr/README.md does not link 0002-another.md"]);
}
