//! What differs between two lists, as steps from one to the other.

/// One step. Steps are applied in the order they come; each index is that of the list as the steps
/// before have left it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Diff<T> {
    /// Everything is another: most has changed, or the view was asked too seldom to tell what.
    Reset {
        /// What is there now.
        values: Vec<T>,
    },
    /// Something is new.
    Insert {
        /// Where it stands now; what stood there and after it moves one further.
        index: usize,
        /// What.
        value: T,
    },
    /// Something shows something else.
    Set {
        /// Which.
        index: usize,
        /// What it shows now.
        value: T,
    },
    /// Something is gone.
    Remove {
        /// Which; what stood after it moves one back.
        index: usize,
    },
}

impl<T: Clone> Diff<T> {
    /// Makes this step in a list. An index that is not in it changes nothing.
    pub fn apply(&self, to: &mut Vec<T>) {
        match self {
            Self::Reset { values } => to.clone_from(values),
            Self::Insert { index, value } if *index <= to.len() => to.insert(*index, value.clone()),
            Self::Set { index, value } => {
                if let Some(place) = to.get_mut(*index) {
                    place.clone_from(value);
                }
            }
            Self::Remove { index } if *index < to.len() => drop(to.remove(*index)),
            Self::Insert { .. } | Self::Remove { .. } => {}
        }
    }
}

/// Something that is the same thing, although it shows something else.
pub(super) trait Keyed: Clone + Eq {
    /// What makes it that thing.
    type Key: Eq;

    fn key(&self) -> Self::Key;
}

/// The steps from `current` to `next`; makes them in `current`.
pub(super) fn steps<T: Keyed>(current: &mut Vec<T>, next: Vec<T>) -> Vec<Diff<T>> {
    // A list that is gone through more than twice costs the app more than a new one.
    let most = next.len() / 2 + 8;
    let mut steps = Vec::new();
    let mut trial = current.clone();
    let kept: Vec<T::Key> = next.iter().map(Keyed::key).collect();
    for index in (0..trial.len()).rev() {
        if trial.get(index).is_some_and(|value| !kept.contains(&value.key())) {
            take(&mut trial, &mut steps, Diff::Remove { index });
        }
    }
    for (index, value) in next.iter().enumerate() {
        let key = value.key();
        match trial.get(index) {
            Some(there) if *there == *value => {}
            Some(there) if there.key() == key => {
                take(&mut trial, &mut steps, Diff::Set { index, value: value.clone() });
            }
            _ => {
                let later = trial.iter().skip(index).position(|there| there.key() == key);
                if let Some(later) = later {
                    take(&mut trial, &mut steps, Diff::Remove { index: index + later });
                }
                take(&mut trial, &mut steps, Diff::Insert { index, value: value.clone() });
            }
        }
        if steps.len() > most {
            break;
        }
    }
    current.clone_from(&next);
    if steps.len() > most { vec![Diff::Reset { values: next }] } else { steps }
}

fn take<T: Clone>(trial: &mut Vec<T>, steps: &mut Vec<Diff<T>>, step: Diff<T>) {
    step.apply(trial);
    steps.push(step);
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha20Rng;

    use super::*;

    impl Keyed for (u8, u8) {
        type Key = u8;

        fn key(&self) -> u8 {
            self.0
        }
    }

    #[test]
    fn the_steps_lead_from_any_list_to_any_other() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        for _ in 0..500 {
            let before = list(&mut rng);
            let after = list(&mut rng);

            let (mut current, mut followed) = (before.clone(), before);
            let steps = steps(&mut current, after.clone());
            steps.iter().for_each(|step| step.apply(&mut followed));

            assert_eq!((current, followed), (after.clone(), after));
        }
    }

    #[test]
    fn one_that_changed_is_one_step() {
        let mut current = vec![(1, 0), (2, 0), (3, 0)];

        let set = steps(&mut current, vec![(1, 0), (2, 9), (3, 0)]);
        let gone = steps(&mut current, vec![(1, 0), (3, 0)]);
        let new = steps(&mut current, vec![(1, 0), (3, 0), (4, 0)]);
        let nothing = steps(&mut current, vec![(1, 0), (3, 0), (4, 0)]);

        assert_eq!(set, [Diff::Set { index: 1, value: (2, 9) }]);
        assert_eq!(gone, [Diff::Remove { index: 1 }]);
        assert_eq!(new, [Diff::Insert { index: 2, value: (4, 0) }]);
        assert_eq!(nothing, []);
    }

    #[test]
    fn what_is_all_new_is_reset() {
        let mut current = Vec::new();
        let next: Vec<_> = (0..100).map(|number| (number, 0)).collect();

        assert_eq!(steps(&mut current, next.clone()), [Diff::Reset { values: next }]);
    }

    fn list(rng: &mut ChaCha20Rng) -> Vec<(u8, u8)> {
        let mut list: Vec<(u8, u8)> = Vec::new();
        for _ in 0..rng.random_range(0..20) {
            let value = (rng.random_range(0..30), rng.random_range(0..2));
            if list.iter().all(|known| known.0 != value.0) {
                list.push(value);
            }
        }
        list
    }
}
