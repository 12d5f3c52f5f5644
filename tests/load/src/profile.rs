//! When messages are due: phases of steady rates, one after the other.

use std::time::Duration;

/// A steady rate for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    /// Messages a second.
    pub(crate) rate: u32,
    /// How long.
    pub(crate) seconds: u32,
}

impl Phase {
    fn messages(self) -> u32 {
        self.rate.saturating_mul(self.seconds)
    }
}

/// Phases, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Profile(Vec<Phase>);

/// The moment of one message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Moment {
    /// In which phase.
    pub(crate) phase: usize,
    /// How long after the beginning.
    pub(crate) after: Duration,
}

impl Profile {
    pub(crate) fn of(phases: impl IntoIterator<Item = Phase>) -> Self {
        Self(phases.into_iter().filter(|phase| phase.messages() > 0).collect())
    }

    pub(crate) fn phases(&self) -> &[Phase] {
        &self.0
    }

    /// Messages in all.
    pub(crate) fn messages(&self) -> u32 {
        self.0.iter().map(|phase| phase.messages()).sum()
    }

    /// How long it takes.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs(self.0.iter().map(|phase| u64::from(phase.seconds)).sum())
    }

    /// When a message is due; the last moment for one beyond the end.
    pub(crate) fn moment(&self, mut number: u32) -> Moment {
        let mut began = Duration::ZERO;
        for (place, phase) in self.0.iter().enumerate() {
            if number < phase.messages() {
                let after = began + Duration::from_secs(1) * number / phase.rate;
                return Moment { phase: place, after };
            }
            number -= phase.messages();
            began += Duration::from_secs(u64::from(phase.seconds));
        }
        Moment { phase: self.0.len().saturating_sub(1), after: began }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_has_its_moment_in_its_phase() {
        let profile = Profile::of([
            Phase { rate: 10, seconds: 2 },
            Phase { rate: 0, seconds: 9 },
            Phase { rate: 100, seconds: 1 },
        ]);
        let moment = |number| profile.moment(number);
        let at = |phase, millis| Moment { phase, after: Duration::from_millis(millis) };

        assert_eq!(profile.messages(), 120);
        assert_eq!(profile.length(), Duration::from_secs(3));
        assert_eq!((moment(0), moment(19)), (at(0, 0), at(0, 1_900)));
        assert_eq!((moment(20), moment(119)), (at(1, 2_000), at(1, 2_990)));
        assert_eq!(moment(120), at(1, 3_000));
    }
}
