//! Time as an argument: nothing below `server` reads a clock by itself.

use std::fmt;
use std::time::Duration;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Time that only goes forward, at the pace of the clock on the wall, whatever that is put to.
pub trait Stopwatch: Send + Sync {
    /// How long it has run, since whenever.
    fn elapsed(&self) -> Duration;
}

/// A moment in UTC, in microseconds since 1970, between the years 1970 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// Text that is not a moment in the form asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid time in the form {expected}")]
pub struct TimestampError {
    expected: &'static str,
}

/// The last microsecond of the year 9999.
const MAX_MICROS: u64 = 253_402_300_799_999_999;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

struct Civil {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Timestamp {
    /// From microseconds since 1970; later than the year 9999 becomes its end.
    #[must_use]
    pub fn from_unix_micros(micros: u64) -> Self {
        Self(micros.min(MAX_MICROS))
    }

    /// From seconds since 1970; later than the year 9999 becomes its end.
    #[must_use]
    pub fn from_unix_seconds(seconds: u64) -> Self {
        Self::from_unix_micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub fn unix_micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn unix_seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// This moment and `seconds` more.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        Self::from_unix_micros(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Seconds between two moments, whichever is first.
    #[must_use]
    pub fn abs_diff_seconds(self, other: Self) -> u64 {
        self.unix_seconds().abs_diff(other.unix_seconds())
    }

    /// `20150830T123600Z`, as SigV4 writes it.
    #[must_use]
    pub fn iso8601_basic(self) -> String {
        let c = self.civil();
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            c.year, c.month, c.day, c.hour, c.minute, c.second
        )
    }

    /// `20150830`, the date of a SigV4 credential scope.
    #[must_use]
    pub fn basic_date(self) -> String {
        let c = self.civil();
        format!("{:04}{:02}{:02}", c.year, c.month, c.day)
    }

    /// `Sun, 30 Aug 2015 12:36:00 GMT`, as HTTP's `Date` writes it (RFC 9110, IMF-fixdate).
    #[must_use]
    pub fn http_date(self) -> String {
        let c = self.civil();
        let weekday = usize::try_from((self.unix_seconds() / 86_400) % 7).unwrap_or(0);
        let month = usize::try_from(c.month.saturating_sub(1)).unwrap_or(0);
        format!(
            "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
            WEEKDAYS.get(weekday).copied().unwrap_or("Thu"),
            c.day,
            MONTHS.get(month).copied().unwrap_or("Jan"),
            c.year,
            c.hour,
            c.minute,
            c.second
        )
    }

    /// Reads `20150830T123600Z`.
    ///
    /// # Errors
    /// [`TimestampError`] for any other form and for a moment that does not exist.
    pub fn parse_iso8601_basic(text: &str) -> Result<Self, TimestampError> {
        let error = TimestampError {
            expected: "YYYYMMDDTHHMMSSZ",
        };
        let bytes: &[u8; 16] = text.as_bytes().try_into().map_err(|_wrong_length| error)?;
        if bytes[8] != b'T' || bytes[15] != b'Z' {
            return Err(error);
        }
        let number = |digits: &[u8]| {
            digits.iter().try_fold(0_u64, |sum, b| {
                b.is_ascii_digit().then(|| sum * 10 + u64::from(b - b'0'))
            })
        };
        let [y0, y1, y2, y3, m0, m1, d0, d1, _, h0, h1, n0, n1, s0, s1, _] = *bytes;
        let civil = Civil {
            year: number(&[y0, y1, y2, y3]).ok_or(error)?,
            month: number(&[m0, m1]).ok_or(error)?,
            day: number(&[d0, d1]).ok_or(error)?,
            hour: number(&[h0, h1]).ok_or(error)?,
            minute: number(&[n0, n1]).ok_or(error)?,
            second: number(&[s0, s1]).ok_or(error)?,
        };
        let time = civil.seconds().map(Self::from_unix_seconds).ok_or(error)?;
        // A day that does not exist (30 February) prints differently than it was read.
        if time.iso8601_basic() == text {
            Ok(time)
        } else {
            Err(error)
        }
    }

    /// Reads `2015-08-30T12:36:00Z` (RFC 3339, in UTC, with whole seconds), as [`Display`](fmt::Display) writes it.
    ///
    /// # Errors
    /// [`TimestampError`] for any other form and for a moment that does not exist.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimestampError> {
        let error = TimestampError {
            expected: "YYYY-MM-DDTHH:MM:SSZ",
        };
        let basic: String = text.chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let time = Self::parse_iso8601_basic(&basic).map_err(|_other| error)?;
        if time.to_string() == text {
            Ok(time)
        } else {
            Err(error)
        }
    }

    /// Days to a date, after Howard Hinnant's `civil_from_days`, for 1970 and later.
    fn civil(self) -> Civil {
        let seconds = self.unix_seconds();
        let days = seconds / 86_400 + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Civil {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
            hour: seconds / 3600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }
}

impl Civil {
    /// A date to seconds since 1970, after Howard Hinnant's `days_from_civil`; `None` before 1970 or out of range.
    fn seconds(&self) -> Option<u64> {
        if self.year < 1970 || !(1..=12).contains(&self.month) || !(1..=31).contains(&self.day) {
            return None;
        }
        if self.hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year / 400;
        let year_of_era = year % 400;
        let shifted = if self.month > 2 {
            self.month - 3
        } else {
            self.month + 9
        };
        let day_of_year = (153 * shifted + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
        Some(days * 86_400 + self.hour * 3600 + self.minute * 60 + self.second)
    }
}

/// `2015-08-30T12:36:00Z`: ISO 8601, whole seconds, as the AWS query and CloudTrail formats write it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil();
        let mut text = *b"0000-00-00T00:00:00Z";
        let numbers = [(c.year, 0..4), (c.month, 5..7), (c.day, 8..10)];
        let times = [(c.hour, 11..13), (c.minute, 14..16), (c.second, 17..19)];
        // Every decision writes two of these: digit by digit, as the general way takes a few times as long.
        for (mut number, place) in numbers.into_iter().chain(times) {
            for digit in text.get_mut(place).unwrap_or_default().iter_mut().rev() {
                *digit = b'0'.saturating_add(u8::try_from(number % 10).unwrap_or(0));
                number /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments_print_in_every_form() {
        let time = Timestamp::from_unix_seconds(1_440_938_160);
        assert_eq!(time.iso8601_basic(), "20150830T123600Z");
        assert_eq!(time.basic_date(), "20150830");
        assert_eq!(time.to_string(), "2015-08-30T12:36:00Z");
        assert_eq!(time.http_date(), "Sun, 30 Aug 2015 12:36:00 GMT");
        assert_eq!(
            Timestamp::from_unix_seconds(0).http_date(),
            "Thu, 01 Jan 1970 00:00:00 GMT"
        );
    }

    #[test]
    fn moments_that_do_not_exist_are_refused() {
        for text in [
            "20150230T000000Z",
            "20151301T000000Z",
            "20150830T246000Z",
            "19691231T235959Z",
            "",
            "20150830T12360Z",
        ] {
            assert!(Timestamp::parse_iso8601_basic(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_reading_agree(seconds in 0_u64..253_402_300_800) {
            let time = Timestamp::from_unix_seconds(seconds);
            prop_assert_eq!(Timestamp::parse_iso8601_basic(&time.iso8601_basic()), Ok(time));
            prop_assert_eq!(Timestamp::parse_rfc3339(&time.to_string()), Ok(time));
            prop_assert!(Timestamp::parse_rfc3339(&time.iso8601_basic()).is_err());
        }

        #[test]
        fn what_is_read_prints_back(text in ".{0,20}") {
            if let Ok(time) = Timestamp::parse_iso8601_basic(&text) {
                prop_assert_eq!(time.iso8601_basic(), text);
            }
        }
    }
}
