//! For how long events may stay: the numbers of days that CloudWatch Logs takes.

/// All of them.
pub const DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// Milliseconds of a day.
pub(crate) const DAY: i64 = 86_400_000;

/// The number of days, if it is one of those.
#[must_use]
pub fn days(number: i64) -> Option<u32> {
    let number = u32::try_from(number).ok()?;
    DAYS.contains(&number).then_some(number)
}

/// The earliest time, in milliseconds since 1970, whose events are still there.
#[must_use]
pub fn earliest(now: i64, days: Option<u32>) -> i64 {
    days.map_or(0, |days| {
        now.saturating_sub(i64::from(days).saturating_mul(DAY)).max(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_aws_numbers_of_days_are_taken() {
        assert_eq!(days(14), Some(14));
        for other in [0, 2, 3654, -1, i64::MAX] {
            assert_eq!(days(other), None);
        }
        assert_eq!(earliest(3 * DAY + 5, Some(3)), 5);
        assert_eq!((earliest(5, Some(3)), earliest(5, None)), (0, 0));
    }
}
