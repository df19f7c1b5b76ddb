//! Batches of events: what PutLogEvents takes, refuses, and leaves out.
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>.

use thiserror::Error;

use crate::retention::{DAY, earliest};

/// Bytes of a batch at most: each event's text in UTF-8 and [`OVERHEAD`].
pub const MOST_BYTES: u64 = 1_048_576;
/// What an event counts beside its text.
pub const OVERHEAD: u64 = moho_store::logs::EVENT_OVERHEAD;
/// Events of a batch at most.
pub const MOST_EVENTS: usize = 10_000;
/// How far a batch may reach, and how old or new an event may be, in milliseconds.
const SPAN: i64 = DAY;
const OLDEST: i64 = 14 * DAY;
const NEWEST: i64 = DAY / 12;

/// Why a batch was refused, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BatchError {
    /// There is none.
    #[error("Log events must not be empty.")]
    Empty,
    /// More than 10,000 events.
    #[error("Log events in a single PutLogEvents request must not be more than 10000.")]
    TooMany,
    /// More bytes than a batch may have.
    #[error("Upload too large: {0} bytes exceeds limit of 1048576")]
    TooLarge(u64),
    /// An event that is larger than events are.
    #[error("Log event too large: {0} bytes exceeds limit of 1048576")]
    EventTooLarge(u64),
    /// An event without text.
    #[error("Log event message must not be empty.")]
    NoMessage,
    /// An event comes before one that is earlier.
    #[error("Log events in a single PutLogEvents request must be in chronological order.")]
    Disorder,
    /// The last event is more than a day after the first.
    #[error("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")]
    TooLong,
}

/// Which events of a batch are left out, by their places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rejected {
    /// From this one on they are too new.
    pub too_new_start: Option<usize>,
    /// Before this one they are too old.
    pub too_old_end: Option<usize>,
    /// Before this one their time to stay is over.
    pub expired_end: Option<usize>,
}

/// Which events of a batch are taken: places, the last one not among them, and what is told of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The first that is taken.
    pub start: usize,
    /// The first behind that is not.
    pub end: usize,
    /// What is told of the others; nothing if there are none.
    pub rejected: Option<Rejected>,
}

/// Looks at the events of a batch: times in milliseconds since 1970 and bytes of texts; `now`, and for how many days events
/// stay.
///
/// # Errors
/// [`BatchError`]: none of it is taken.
pub fn taken(events: &[(i64, usize)], (now, days): (i64, Option<u32>)) -> Result<Taken, BatchError> {
    let (first, last) = match events {
        [] => return Err(BatchError::Empty),
        [one] => (one, one),
        [first, .., last] => (first, last),
    };
    if events.len() > MOST_EVENTS {
        return Err(BatchError::TooMany);
    }
    let mut bytes = 0_u64;
    for (_, length) in events {
        let size = u64::try_from(*length)
            .unwrap_or(u64::MAX)
            .saturating_add(OVERHEAD);
        match length {
            0 => return Err(BatchError::NoMessage),
            _ if size > MOST_BYTES => return Err(BatchError::EventTooLarge(size)),
            _ => bytes = bytes.saturating_add(size),
        }
    }
    if bytes > MOST_BYTES {
        return Err(BatchError::TooLarge(bytes));
    }
    if !events.is_sorted_by_key(|(time, _)| *time) {
        return Err(BatchError::Disorder);
    }
    if last.0.saturating_sub(first.0) > SPAN {
        return Err(BatchError::TooLong);
    }
    Ok(by_age(events, (now, days)))
}

fn by_age(events: &[(i64, usize)], (now, days): (i64, Option<u32>)) -> Taken {
    let before = |limit: i64| events.partition_point(|(time, _)| *time < limit);
    let (oldest, kept) = (now.saturating_sub(OLDEST), earliest(now, days));
    let old = before(oldest);
    let expired = before(kept);
    let end = before(now.saturating_add(NEWEST).saturating_add(1));
    let some = |places: usize| (places > 0).then_some(places);
    let rejected = Rejected {
        too_new_start: (end < events.len()).then_some(end),
        too_old_end: some(old),
        // What is too old for everybody is told of as that.
        expired_end: some(expired).filter(|expired| *expired > old),
    };
    let start = old.max(expired).min(end);
    Taken {
        start,
        end,
        rejected: (rejected != Rejected::default()).then_some(rejected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_305_600_000;

    fn of(times: &[i64]) -> Result<Taken, BatchError> {
        let events: Vec<_> = times.iter().map(|time| (NOW + time, 5)).collect();
        taken(&events, (NOW, None))
    }

    #[test]
    fn a_batch_is_taken_whole() {
        let all = Taken {
            start: 0,
            end: 3,
            rejected: None,
        };
        assert_eq!(of(&[-5, 0, 0]), Ok(all));
        assert_eq!(of(&[-DAY, 0, 0]), Ok(all));
        assert_eq!(of(&[-DAY - 1, 0]), Err(BatchError::TooLong));
        assert_eq!(of(&[1, 0]), Err(BatchError::Disorder));
        assert_eq!(of(&[]), Err(BatchError::Empty));
    }

    #[test]
    fn bytes_and_numbers_are_bounded() {
        let fits = usize::try_from(MOST_BYTES - OVERHEAD).unwrap();
        assert!(taken(&[(NOW, fits)], (NOW, None)).is_ok());
        assert_eq!(
            taken(&[(NOW, fits + 1)], (NOW, None)),
            Err(BatchError::EventTooLarge(MOST_BYTES + 1))
        );
        let two = [(NOW, fits / 2), (NOW, fits / 2)];
        assert_eq!(
            taken(&two, (NOW, None)),
            Err(BatchError::TooLarge(MOST_BYTES + 26))
        );
        assert!(taken(&vec![(NOW, 1); MOST_EVENTS], (NOW, None)).is_ok());
        let more = vec![(NOW, 1); MOST_EVENTS + 1];
        assert_eq!(taken(&more, (NOW, None)), Err(BatchError::TooMany));
        assert_eq!(taken(&[(NOW, 0)], (NOW, None)), Err(BatchError::NoMessage));
    }

    #[test]
    fn what_is_too_old_too_new_or_expired_is_told_of() {
        let hour = DAY / 24;
        let taken = of(&[-OLDEST - 2, -OLDEST - 1, -OLDEST, -OLDEST + hour]).unwrap();
        assert_eq!((taken.start, taken.end), (2, 4));
        assert_eq!(taken.rejected.unwrap().too_old_end, Some(2));
        let taken = of(&[0, 2 * hour, 2 * hour + 1]).unwrap();
        assert_eq!((taken.start, taken.end), (0, 2));
        assert_eq!(taken.rejected.unwrap().too_new_start, Some(2));
        let events = [(NOW - 3 * DAY - 1, 5), (NOW - 3 * DAY, 5)];
        let taken = super::taken(&events, (NOW, Some(3))).unwrap();
        assert_eq!((taken.start, taken.end), (1, 2));
        assert_eq!(
            taken.rejected,
            Some(Rejected {
                expired_end: Some(1),
                ..Rejected::default()
            })
        );
        let none = of(&[-OLDEST - 1]).unwrap();
        assert_eq!((none.start, none.end), (1, 1));
    }
}
