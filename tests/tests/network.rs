//! People who talk over a network with faults: whatever it does, what was accepted is delivered,
//! once, in order, and nothing else is.
//!
//! ```text
//!  seed ─▶ weather (which faults) ─┐
//!       └▶ script (who says what) ─┴─▶ world: 3 people, 4 devices, a direct conversation, a group
//!                                          │  everybody's books
//!                                          ▼
//!          accepted − delivered = ∅    delivered − attempted = ∅    no doubles    first in, first out
//! ```
//!
//! A seed that fails is printed, and belongs into `tests/seeds/regress.txt`. The checks are checked
//! themselves: with a bug planted in the seam, some seed has to fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod books;
mod world;

use std::time::{Duration, Instant};

use chat_tests::weather::Bug;
use relay_server::testing::TestRelay;
use tokio::task::JoinSet;

use self::world::World;

/// Seeds of every run of the tests.
const SEEDS: u64 = 200;
/// Where they begin; chaos begins elsewhere each time.
const FIRST: u64 = 0x1000;
/// Worlds at once: they wait more than they work.
const AT_ONCE: usize = 6;
/// How many seeds a planted bug may go unnoticed.
const PATIENCE: u64 = 30;

const REGRESS: &str = include_str!("../seeds/regress.txt");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_network_does_everything_arrives_once_and_in_order() {
    let first = variable("SEALWIRE_CHAOS_FIRST").unwrap_or(FIRST);
    let seeds = variable("SEALWIRE_CHAOS_SEEDS").unwrap_or(SEEDS);
    let minutes = variable("SEALWIRE_CHAOS_MINUTES").unwrap_or(u64::MAX / 60);
    let until = Instant::now().checked_add(Duration::from_secs(minutes * 60));
    let fresh = (first..).take(usize::try_from(seeds).unwrap());
    let seeds = regress().into_iter().chain(fresh);
    let seeds = seeds.take_while(|_| until.is_none_or(|until| Instant::now() < until));

    let survived = survive(seeds, None).await.unwrap();

    println!("{survived} seeds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_bug_is_noticed() {
    for bug in [
        Bug::AcceptsBeforeItCommits,
        Bug::AcknowledgesBeforeItCommits,
        Bug::ShowsWhatComesTwice,
        Bug::LeavesOneOut,
        Bug::SwapsTwo,
    ] {
        let noticed = survive(FIRST..FIRST + PATIENCE, Some(bug)).await;

        let complaint = noticed.expect_err(&format!("nobody has noticed that it {bug:?}"));
        println!("{bug:?}: {complaint}");
    }
}

#[test]
fn regression_seeds_are_read() {
    assert!(regress().contains(&0x5ea1));
}

/// Runs worlds of these seeds on one relay, several at once; gives how many survived, or the first
/// complaint.
async fn survive(seeds: impl Iterator<Item = u64>, bug: Option<Bug>) -> Result<usize, String> {
    let relay = TestRelay::start().await;
    let (mut worlds, mut survived) = (JoinSet::new(), 0);
    for seed in seeds {
        if worlds.len() == AT_ONCE {
            worlds.join_next().await.unwrap().unwrap()?;
            survived += 1;
        }
        let url = relay.url().to_owned();
        worlds.spawn(async move {
            let outcome = World::live(&url, seed, bug).await;
            outcome.map_err(|complaint| format!("seed {seed:#x}: {complaint}"))
        });
    }
    while let Some(outcome) = worlds.join_next().await {
        outcome.unwrap()?;
        survived += 1;
    }
    Ok(survived)
}

fn regress() -> Vec<u64> {
    let lines = REGRESS.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let seeds = lines.filter(|line| !line.is_empty()).map(|seed| number(seed).expect("a seed"));
    seeds.collect()
}

/// A number in an environment variable, decimal or hexadecimal.
fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(number(&value).unwrap_or_else(|| panic!("{name} is no number: {value}")))
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
