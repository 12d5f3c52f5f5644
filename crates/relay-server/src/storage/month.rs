//! Months: what partitions and usage are counted by, in UTC.

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

    /// The first moment of it, in milliseconds since 1970.
    pub(super) fn start_ms(self) -> u64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let shifted = (self.month + 9) % 12;
        let (era, of_era) = (year / 400, year % 400);
        let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + (153 * shifted + 2) / 5;
        (era * 146_097 + day_of_era).saturating_sub(719_468).saturating_mul(DAY_MS)
    }

    /// The month after it.
    pub(super) fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { month: month + 1, ..self },
        }
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
        for (ms, year, month, start) in [
            (0, 1970, 1, 0),
            (951_782_400_000, 2000, 2, 949_363_200_000),
            (951_868_800_000, 2000, 3, 951_868_800_000),
            (1_709_164_800_000, 2024, 2, 1_706_745_600_000),
            (1_800_000_000_000, 2027, 1, 1_798_761_600_000),
            (4_107_542_400_000, 2100, 3, 4_107_542_400_000),
        ] {
            let found = Month::of(Timestamp::from_millis(ms));

            assert_eq!(found, Month { year, month });
            assert_eq!(found.start_ms(), start);
        }
    }

    #[test]
    fn months_follow_each_other_without_a_gap() {
        let mut month = Month { year: 1970, month: 1 };

        for _ in 0..12 * 400 {
            let next = month.next();
            let last = Timestamp::from_millis(next.start_ms() - 1);
            assert_eq!(Month::of(last), month);
            assert_eq!(Month::of(Timestamp::from_millis(next.start_ms())), next);
            assert!(next > month && next.number() > month.number());
            month = next;
        }
    }
}
