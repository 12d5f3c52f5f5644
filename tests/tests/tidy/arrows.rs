//! Which crate must never link which, directly or through others.
//!
//! The graph is cargo's own answer for each crate alone, since building the whole workspace
//! unites the features of all. Dependencies of tests and build scripts are not linked.

use std::process::Command;

use super::{assert_none, root};

/// What each crate must never link.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    // No secrets, no runtime, no randomness of its own.
    ("chat-core", &["chat-crypto", "tokio", "getrandom"]),
    // State goes in, state comes out; randomness and time are parameters.
    ("chat-crypto", &["tokio", "getrandom", "async-trait", "sqlx"]),
    // The relay cannot open what it carries, because the code is not there.
    ("relay-server", &["chat-crypto", "chat-sdk"]),
    // The SDK knows the relay by its protocol alone.
    ("chat-sdk", &["relay-server", "axum"]),
];

/// Names the forbidden crates in a `cargo tree` without indentation: `name version …` a line.
fn forbidden_links(tree: &str, crate_name: &str, forbidden: &[&str]) -> Vec<String> {
    let linked = |name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    assert!(linked(crate_name), "the tree of {crate_name} does not begin with it:\n{tree}");
    forbidden
        .iter()
        .filter(|name| linked(name))
        .map(|name| {
            format!("{crate_name} links {name}; see `cargo tree -p {crate_name} -i {name}`")
        })
        .collect()
}

fn tree(crate_name: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "-p", crate_name])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

#[test]
fn the_arrows_between_crates_point_one_way() {
    let complaints: Vec<String> = FORBIDDEN
        .iter()
        .flat_map(|(name, forbidden)| forbidden_links(&tree(name), name, forbidden))
        .collect();

    assert_none(&complaints);
}

#[test]
fn a_forbidden_crate_is_found_below_others() {
    let tree = "relay-server v0.1.0 (/somewhere)\nchat-core v0.1.0\nchat-crypto v0.1.0\n";

    let complaints = forbidden_links(tree, "relay-server", &["chat-crypto", "chat-sdk"]);

    assert_eq!(complaints.len(), 1);
    assert!(complaints[0].starts_with("relay-server links chat-crypto;"));
}

#[test]
fn a_longer_name_is_another_crate() {
    let tree = "chat-core v0.1.0\ntokio-util v0.7.0\n";

    assert_eq!(forbidden_links(tree, "chat-core", &["tokio"]), [""; 0]);
}

#[test]
#[should_panic(expected = "does not begin with it")]
fn the_tree_of_another_crate_proves_nothing() {
    forbidden_links("chat-sdk v0.1.0\n", "relay-server", &["chat-crypto"]);
}

/// The repository's own graph, with an arrow that does exist forbidden: the rule must see it.
#[test]
fn an_existing_arrow_would_be_seen() {
    let complaints = forbidden_links(&tree("chat-sdk"), "chat-sdk", &["chat-crypto", "tokio"]);

    assert_eq!(complaints.len(), 2);
}
