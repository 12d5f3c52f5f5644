//! Months: what usage is counted by, in UTC.

use chat_core::time::Timestamp;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// A month of a year from 1970 on.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Month {
    pub(super) year: u64,
    /// From 1 to 12.
    pub(super) month: u64,
}

impl Month {
    /// The month of a moment, by the proleptic Gregorian calendar.
    pub(super) fn of(at: Timestamp) -> Self {
        // Years begin in March here, so that the odd day is a year's last; eras have 400 years.
        let days = at.as_millis() / DAY_MS + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self { year: era * 400 + year + u64::from(month <= 2), month }
    }

    /// As a number that grows: 202611.
    pub(super) fn number(self) -> i64 {
        i64::try_from(self.year * 100 + self.month).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_where_the_calendar_says() {
        for (ms, number) in [
            (0, 197_001),
            (951_868_799_999, 200_002),
            (951_868_800_000, 200_003),
            (1_709_251_199_999, 202_402),
            (1_709_251_200_000, 202_403),
            (1_798_761_599_999, 202_612),
            (1_798_761_600_000, 202_701),
            (4_107_542_399_999, 210_002),
            (4_107_542_400_000, 210_003),
        ] {
            assert_eq!(Month::of(Timestamp::from_millis(ms)).number(), number);
        }
    }
}
