//! Replays, on any compiler, what fuzzing has found so far, and what it begins with.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use chat_fuzz::{TARGETS, Target};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn names_in(folder: &Path, suffix: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().to_string_lossy().strip_suffix(suffix).map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}

fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = folder("corpus").join(target.name);
    let files = names_in(&folder, "").into_iter().map(|name| folder.join(name));
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn everything_that_was_ever_found_stays_found() {
    for target in &TARGETS {
        let inputs = corpus(target);

        assert!(!inputs.is_empty(), "{} has no corpus", target.name);
        for (path, bytes) in inputs {
            // The harness shows this only when the next line does not return.
            println!("{}", path.display());
            (target.run)(&bytes);
        }
    }
}

#[test]
fn every_seed_holds() {
    for target in &TARGETS {
        let seeds = (target.seeds)();

        assert!(!seeds.is_empty(), "{} begins with nothing", target.name);
        seeds.iter().for_each(|seed| (target.run)(seed));
    }
}

#[test]
fn every_target_has_an_entry_point_and_a_corpus() {
    let mut targets = TARGETS.map(|target| target.name.to_owned()).to_vec();
    targets.sort();

    assert_eq!(names_in(&folder("fuzz_targets"), ".rs"), targets);
    assert_eq!(names_in(&folder("corpus"), ""), targets);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    let bins = manifest.matches("required-features = [\"libfuzzer\"]").count();
    assert_eq!(bins, targets.len(), "each is a [[bin]] of the manifest");
}

/// Damaged inputs, thousands a target: what a fuzzer would try first, on every run.
#[test]
fn every_prefix_and_every_changed_byte_of_a_short_seed_holds() {
    for target in &TARGETS {
        for seed in (target.seeds)().into_iter().filter(|seed| seed.len() <= 96) {
            (0..seed.len()).for_each(|length| (target.run)(&seed[..length]));
            for place in 0..seed.len() {
                let mut changed = seed.clone();
                changed[place] ^= 0xff;
                (target.run)(&changed);
            }
        }
    }
}
