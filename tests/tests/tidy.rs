//! The rules of the house that no compiler knows.
//!
//! ```text
//!  arrows     which crate must never link which
//!  checks     every MUST of the protocol has a tag, and every tag code and a test
//!  layout     what stands at the top, and that every decision is in the index
//!  manifests  versions and lints come from the workspace; core and crypto read no clock
//!  sources    every file says what it is for, none is too long, none is unfinished
//! ```
//!
//! Each rule is a function from text to the sentences that say what is wrong, so that each can be
//! shown to fail on a violation before it passes on the repository.

#![allow(clippy::expect_used, reason = "a rule that cannot read the repository has failed")]

mod arrows;
mod checks;
mod layout;
mod manifests;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

/// What holds no work of ours: version control (a file in a second work tree), what builds leave.
const NOT_OURS: [&str; 3] = [".git", "target", "sealwire-data"];

/// A text file of the repository.
struct Text {
    /// From the root, with forward slashes: `crates/chat-core/src/lib.rs`.
    path: String,
    content: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// Reads every text file below the root whose path `wanted` approves, sorted by path.
fn texts(wanted: impl Fn(&str) -> bool) -> Vec<Text> {
    let mut files = Vec::new();
    collect(root(), &mut files);
    let mut texts: Vec<Text> = files
        .iter()
        .map(|file| (relative(file), file))
        .filter(|(path, _)| wanted(path))
        // What is not UTF-8 is not text.
        .filter_map(|(path, file)| Some(Text { path, content: fs::read_to_string(file).ok()? }))
        .collect();
    texts.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!texts.is_empty(), "a rule that looks at no file cannot fail");
    texts
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be listed").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if NOT_OURS.iter().any(|not_ours| name == *not_ours) {
            continue;
        }
        if path.is_file() {
            files.push(path);
        } else if path.is_dir() {
            collect(&path, files);
        }
    }
}

fn relative(file: &Path) -> String {
    let path = file.strip_prefix(root()).expect("the file lies below the root");
    path.to_string_lossy().replace('\\', "/")
}

/// Fails with every complaint at once, one a line.
#[track_caller]
fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "the house has rules:\n  {}", complaints.join("\n  "));
}
