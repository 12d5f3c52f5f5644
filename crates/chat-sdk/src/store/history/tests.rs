use std::collections::BTreeSet;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::stage::alice_and_bob;
use crate::store::cursors;

#[tokio::test]
async fn a_log_that_was_shown_from_its_beginning_has_no_gap() {
    let (alice, _, chat) = alice_and_bob().await;

    let found = alice
        .write(move |tx, _, _| {
            for place in 1..=5 {
                cursors::advance(tx, chat, place)?;
            }
            gaps(tx, chat, 1)
        })
        .await;

    assert_eq!(found, []);
}

#[tokio::test]
async fn a_device_that_came_later_has_one_gap_before_it_came() {
    let (alice, _, chat) = alice_and_bob().await;

    let found = alice
        .write(move |tx, _, _| {
            cursors::begin(tx, chat, 57)?;
            let silent = gaps(tx, chat, 1)?;
            cursors::advance(tx, chat, 58)?;
            Ok((silent, gaps(tx, chat, 1)?, gaps(tx, chat, 50)?))
        })
        .await;

    let (before, after) = (Gap { first: 1, last: 57 }, Gap { first: 50, last: 57 });
    assert_eq!(found, (vec![before], vec![before], vec![after]));
}

#[tokio::test]
async fn whatever_is_shown_in_whatever_order_gaps_are_the_rest() {
    let (alice, _, chat) = alice_and_bob().await;
    let mut rng = ChaCha20Rng::seed_from_u64(11);

    for _ in 0..20 {
        let shown: Vec<Gap> = (0..8)
            .map(|_| {
                let first = rng.random_range(1..60);
                Gap { first, last: first + rng.random_range(0..8) }
            })
            .collect();
        let expected = missing(&shown);
        let found = alice
            .write(move |tx, _, _| {
                tx.execute("DELETE FROM held", [])?;
                cursors::begin(tx, chat, END)?;
                for range in shown {
                    hold(tx, chat, range)?;
                }
                gaps(tx, chat, 1)
            })
            .await;

        let found: BTreeSet<u64> = found.iter().flat_map(|gap| gap.first..=gap.last).collect();
        assert_eq!(found, expected);
    }
}

/// The last place that is known.
const END: u64 = 64;

/// What is not in any range.
fn missing(shown: &[Gap]) -> BTreeSet<u64> {
    (1..=END).filter(|place| !shown.iter().any(|s| (s.first..=s.last).contains(place))).collect()
}
