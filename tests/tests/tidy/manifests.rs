//! Versions and lints come from the workspace; core and crypto read no clock.
//!
//! The files are read as lines, not as TOML: the form is part of the rule.

use super::{Text, assert_none, texts};

/// The crate whose generated code may need what the workspace forbids.
const OWN_LINTS: &str = "bindings/ffi/Cargo.toml";

/// Ways to read the clock, forbidden where time is a parameter.
const CLOCKS: [&str; 2] = ["std::time::SystemTime::now", "std::time::Instant::now"];

/// Names the dependencies that state a version, path or source of their own.
fn own_versions(manifest: &Text) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut in_dependencies = false;
    for line in manifest.content.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            // `[dependencies]`, `[dev-dependencies]`, `[target.'cfg(unix)'.dependencies]`; a table
            // of its own for one dependency would hide its version from this rule.
            in_dependencies = section.contains("dependencies");
            if in_dependencies && !section.ends_with("dependencies]") {
                complaints.push(format!("{}: write [{section} on one line", manifest.path));
            }
        } else if in_dependencies && is_entry(line) && !line.contains("workspace = true") {
            complaints.push(format!("{}: `{line}` is not from the workspace", manifest.path));
        }
    }
    complaints
}

fn is_entry(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

/// Complains unless the manifest takes the workspace's lints.
fn own_lints(manifest: &Text) -> Vec<String> {
    if manifest.content.contains("[lints]\nworkspace = true") {
        return Vec::new();
    }
    vec![format!("{}: takes no lints from the workspace", manifest.path)]
}

/// Names what a crate's `clippy.toml` lacks: the root's keys, which it replaces, and the clocks.
fn clock_gaps(root_settings: &str, settings: &Text) -> Vec<String> {
    let has = |wanted: &str| settings.content.lines().any(|line| line.trim() == wanted);
    let forbids = |clock: &str| {
        let entry = format!("{{ path = \"{clock}\",");
        settings.content.lines().any(|line| line.trim().starts_with(&entry))
    };
    let path = &settings.path;
    let keys = root_settings.lines().map(str::trim).filter(|line| is_entry(line) && !has(line));
    let clocks = CLOCKS.iter().filter(|clock| !forbids(clock));
    keys.map(|key| format!("{path}: lacks the root's `{key}`"))
        .chain(clocks.map(|clock| format!("{path}: lets `{clock}` through")))
        .collect()
}

fn manifest(content: &str) -> Text {
    Text { path: "Cargo.toml".to_owned(), content: content.to_owned() }
}

#[test]
fn every_dependency_comes_from_the_workspace() {
    let manifests = texts(|path| path.ends_with("/Cargo.toml"));

    assert_none(&manifests.iter().flat_map(own_versions).collect::<Vec<_>>());
}

#[test]
fn a_version_outside_the_workspace_is_noticed() {
    let manifest = manifest(
        "[package]\nversion = \"1\"\n\n[dependencies]\nserde.workspace = true\n\
         # why\nhex = \"0.4\"\n\n[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n\n\
         [dev-dependencies.rand]\nversion = \"1\"\n",
    );

    let complaints = own_versions(&manifest);

    assert_eq!(complaints.len(), 4, "{complaints:?}");
    assert!(complaints[0].contains("hex"));
    assert!(complaints[1].contains("libc"));
    assert!(complaints[2].contains("on one line"));
    assert!(complaints[3].contains("version"));
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let manifests = texts(|path| path.ends_with("/Cargo.toml") && path != OWN_LINTS);

    assert_none(&manifests.iter().flat_map(own_lints).collect::<Vec<_>>());
}

#[test]
fn lints_of_ones_own_are_noticed() {
    assert_eq!(own_lints(&manifest("[lints.rust]\nunsafe_code = \"allow\"\n")).len(), 1);
}

#[test]
fn core_and_crypto_read_no_clock() {
    let root_settings = texts(|path| path == "clippy.toml").remove(0).content;
    let settings = texts(|path| {
        ["crates/chat-core/clippy.toml", "crates/chat-crypto/clippy.toml"].contains(&path)
    });
    assert_eq!(settings.len(), 2, "each has a clippy.toml of its own");

    let gaps: Vec<String> =
        settings.iter().flat_map(|settings| clock_gaps(&root_settings, settings)).collect();

    assert_none(&gaps);
}

#[test]
fn a_clock_that_is_let_through_is_noticed() {
    let settings = manifest(
        "# std::time::Instant::now\ndisallowed-methods = [\n  \
         { path = \"std::time::SystemTime::now\", reason = \"…\" },\n]\n",
    );

    let gaps = clock_gaps("allow-unwrap-in-tests = true\n", &settings);

    assert_eq!(
        gaps,
        [
            "Cargo.toml: lacks the root's `allow-unwrap-in-tests = true`",
            "Cargo.toml: lets `std::time::Instant::now` through",
        ]
    );
}
