//! What a moderator reads a report with:
//! `relay-server admin reports show ID | cargo run -p examples --bin read_report`.
//!
//! The relay keeps what a reporter has disclosed, and has no code to open it. This needs no account
//! and no network: a report has everything in it.

use std::io::{Read as _, Write as _};

use chat_sdk::Content;
use chat_sdk::reporting::{Finding, opened};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut json = String::new();
    std::io::stdin().read_to_string(&mut json)?;
    let report = opened(&json)?;

    let mut out = std::io::stdout().lock();
    writeln!(out, "Report {} by {}: {}", report.report, report.reporter, report.reason.name())?;
    if let Some(comment) = &report.comment {
        writeln!(out, "The reporter says: {comment:?}")?;
    }
    for message in &report.messages {
        let said = match &message.finding {
            Finding::Said { content, .. } => in_words(content),
            Finding::Gone => "sent something that was gone when it was reported".to_owned(),
            Finding::NotAuthentic => "NOT SHOWN: this is not what the relay accepted".to_owned(),
        };
        writeln!(out, "{} {} {said}", message.accepted_at.as_millis(), message.sender.account)?;
    }
    Ok(())
}

fn in_words(content: &Content) -> String {
    match (content, content.text()) {
        (Content::Edit(edit), _) => format!("changed {} to {:?}", edit.of, edit.text.text),
        (_, Some(text)) => format!("said {text:?}"),
        (other, None) => format!("sent something of the kind {:?}", other.kind()),
    }
}
