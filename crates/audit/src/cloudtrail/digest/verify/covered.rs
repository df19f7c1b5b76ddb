//! The times that valid digests answer for.

use moho_terms::Timestamp;

/// Spans of time, each from its first second to the one before its last, with those that touch as one.
#[derive(Debug, Default)]
pub(super) struct Covered {
    spans: Vec<(Timestamp, Timestamp)>,
    newest: Option<Timestamp>,
}

impl Covered {
    /// Nothing from `end` on is judged.
    pub(super) fn up_to(&mut self, end: Timestamp) {
        self.newest = Some(end);
    }

    /// Whether this is a time that is judged; the very end is, as the newest digest's own.
    pub(super) fn reaches(&self, time: Timestamp) -> bool {
        self.newest.is_some_and(|newest| time <= newest)
    }

    /// One digest more, not newer than those before.
    pub(super) fn add(&mut self, start: Timestamp, end: Timestamp) {
        match self.spans.last_mut() {
            Some((first, _)) if end >= *first => *first = start.min(*first),
            _ => self.spans.push((start, end)),
        }
    }

    /// Whether every second from `first` to `last` is answered for.
    pub(super) fn all_of(&self, first: Timestamp, last: Timestamp) -> bool {
        self.spans
            .iter()
            .any(|(start, end)| *start <= first && last < *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn what_touches_is_one_span() {
        let mut covered = Covered::default();
        assert!(!covered.reaches(at(0)));
        covered.up_to(at(300));
        for (start, end) in [(200, 300), (100, 200), (20, 50)] {
            covered.add(at(start), at(end));
        }
        assert!(covered.all_of(at(150), at(250)) && covered.all_of(at(100), at(299)));
        assert!(!covered.all_of(at(100), at(300)) && !covered.all_of(at(99), at(150)));
        assert!(covered.all_of(at(20), at(49)) && !covered.all_of(at(40), at(110)));
        assert!(covered.reaches(at(300)) && !covered.reaches(at(301)));
    }
}
