//! What is fuzzed: every decoder, every opener, and a dialogue of two over a hostile network.
//!
//! ```text
//!  bytes ──▶ Target::run ──▶ returns, whatever the bytes; panics when a property does not hold
//!    ▲
//!    ├ corpus/<target>/        found by earlier runs, replayed by `cargo test`
//!    ├ Target::seeds           what the protocol's vectors and our own encoders make
//!    └ libFuzzer               `cargo xtask fuzz`, by the entry points in fuzz_targets/
//! ```
//!
//! | module | targets | property |
//! |---|---|---|
//! | [`codecs`] | `frames`, `envelopes`, `devices`, `prekeys`, `membership`, `receipts`, `rest`, `text` | what is read is written and read again as the same |
//! | [`dialogue`] | `dialogue` | a message opens once, as it was sent, or is refused and changes nothing |
//! | [`secrets`] | `snapshots`, `keyring`, `recovery`, `padding` | as for codecs; a keyring opens as it was sealed or not at all |
//! | [`attachments`] | `attachment` | what is handed out is the file's beginning, and whole only if all of it |
//! | [`backups`] | `backups` | what is restored is the head's own, in its order |
//! | [`chains`] | `hand_outs`, `chains` | as for a dialogue; a hand-out moves no chain back |
//! | [`linking`] | `linking` | each step takes the message that is due, or ends the linking |
//! | [`opening`] | `opening`, `mauling` | an envelope opens as its sender sealed it or not at all |
//!
//! Absent on purpose: random bytes. The only input is the bytes, so that a finding is a file.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a property that does not hold has to stop the run"
)]

pub mod attachments;
pub mod backups;
pub mod chains;
pub mod codecs;
pub mod dialogue;
pub mod linking;
pub mod opening;
mod people;
pub mod secrets;

/// One thing that is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its entry point and of the folder of its corpus.
    pub name: &'static str,
    /// Tries `bytes`.
    ///
    /// # Panics
    ///
    /// When a property does not hold: that is a finding.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Everything that is fuzzed.
pub const TARGETS: [Target; 20] = [
    Target { name: "frames", run: codecs::frames, seeds: codecs::vectors },
    Target { name: "envelopes", run: codecs::envelopes, seeds: codecs::vectors },
    Target { name: "devices", run: codecs::devices, seeds: codecs::vectors },
    Target { name: "prekeys", run: codecs::prekeys, seeds: codecs::vectors },
    Target { name: "membership", run: codecs::membership, seeds: codecs::vectors },
    Target { name: "receipts", run: codecs::receipts, seeds: codecs::vectors },
    Target { name: "rest", run: codecs::rest, seeds: codecs::vectors },
    Target { name: "text", run: codecs::text, seeds: codecs::texts },
    Target { name: "dialogue", run: dialogue::dialogue, seeds: dialogue::seeds },
    Target { name: "snapshots", run: secrets::snapshots, seeds: secrets::snapshot_seeds },
    Target { name: "keyring", run: secrets::keyring, seeds: secrets::keyring_seeds },
    Target { name: "recovery", run: secrets::recovery, seeds: secrets::recovery_seeds },
    Target { name: "padding", run: secrets::padding, seeds: secrets::padding_seeds },
    Target { name: "opening", run: opening::opening, seeds: opening::seeds },
    Target { name: "attachment", run: attachments::attachment, seeds: attachments::seeds },
    Target { name: "linking", run: linking::linking, seeds: linking::seeds },
    Target { name: "backups", run: backups::backups, seeds: backups::seeds },
    Target { name: "hand_outs", run: chains::hand_outs, seeds: chains::hand_out_seeds },
    Target { name: "chains", run: chains::chains, seeds: chains::seeds },
    Target { name: "mauling", run: opening::mauling, seeds: opening::patches },
];

/// Runs the target of this name: what an entry point does.
///
/// # Panics
///
/// When there is none, or with a finding.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("an entry point is named after its target").run)(bytes);
}
