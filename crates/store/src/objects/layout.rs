//! Where the parts of an object are among its bytes: what saves a reader of a few of them from looking at all parts.
//!
//! It is sealed with the object's metadata, and so proven with it. What a part's row says of its length has to agree.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The lengths of an object's parts, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartLayout(Vec<Run>);

/// Parts of successive numbers that are equally long, as most are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Run(u16, u16, u64);

impl Run {
    fn bytes(self) -> u64 {
        u64::from(self.1).saturating_mul(self.2)
    }
}

/// A part, and which of the object's bytes it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) part: u16,
    pub(super) range: Range<u64>,
}

impl PartLayout {
    /// Of parts by their numbers, which ascend, and lengths.
    pub fn of(parts: impl IntoIterator<Item = (u16, u64)>) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for (number, length) in parts {
            match runs.last_mut() {
                Some(Run(first, count, each))
                    if *each == length && first.checked_add(*count) == Some(number) =>
                {
                    *count = count.saturating_add(1);
                }
                Some(_) | None => runs.push(Run(number, 1, length)),
            }
        }
        Self(runs)
    }

    /// Whether it is of so many parts, of together so many bytes.
    pub(super) fn is_of(&self, parts: u32, size: u64) -> bool {
        let count = self.0.iter().map(|run| u32::from(run.1)).sum::<u32>();
        let bytes = self
            .0
            .iter()
            .fold(0_u64, |sum, run| sum.saturating_add(run.bytes()));
        (count, bytes) == (parts, size)
    }

    /// The parts that have some of these bytes; none has any of an empty range, wherever that is.
    pub(super) fn within(&self, range: &Range<u64>) -> Vec<Place> {
        let mut found = Vec::new();
        if range.is_empty() {
            return found;
        }
        self.walk(|first, run| {
            let end = first.saturating_add(run.bytes());
            if run.2 == 0 || end <= range.start || first >= range.end {
                return;
            }
            let from = range.start.saturating_sub(first).checked_div(run.2).unwrap_or(0);
            let to = range.end.min(end).saturating_sub(first).div_ceil(run.2);
            found.extend((from..to).filter_map(|index| place(first, run, index)));
        });
        found
    }

    /// Where a part is.
    pub(super) fn of_part(&self, number: u16) -> Option<Range<u64>> {
        let mut found = None;
        self.walk(|first, run| {
            let index = number.checked_sub(run.0).filter(|index| *index < run.1);
            if let Some(place) = index.and_then(|index| place(first, run, u64::from(index))) {
                found = Some(place.range);
            }
        });
        found
    }

    /// Each run, with where it begins.
    fn walk(&self, mut visit: impl FnMut(u64, Run)) {
        let mut first = 0_u64;
        for run in &self.0 {
            visit(first, *run);
            first = first.saturating_add(run.bytes());
        }
    }
}

/// The part of this index within a run that begins at `first`.
fn place(first: u64, run: Run, index: u64) -> Option<Place> {
    let start = first.checked_add(index.checked_mul(run.2)?)?;
    Some(Place {
        part: run.0.checked_add(u16::try_from(index).ok()?)?,
        range: start..start.checked_add(run.2)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_parts_in_a_row_are_one_run() {
        let parts = (1..=9_999).map(|number| (number, 5 << 20)).chain([(10_000, 7)]);
        let layout = PartLayout::of(parts);
        assert_eq!(layout.0.len(), 2);
        assert!(layout.is_of(10_000, 9_999 * (5 << 20) + 7));
        assert!(!layout.is_of(9_999, 9_999 * (5 << 20) + 7));
        assert!(!layout.is_of(10_000, 9_999 * (5 << 20)));
        let end = 9_999 * (5 << 20);
        assert_eq!(layout.of_part(10_000), Some(end..end + 7));
        assert_eq!(layout.of_part(10_001), None);
        assert_eq!(layout.within(&(1..1)), []);
        let written = serde_json::to_string(&layout).unwrap();
        assert_eq!(written, "[[1,9999,5242880],[10000,1,7]]");
        assert_eq!(serde_json::from_str::<PartLayout>(&written).unwrap(), layout);
    }

    proptest! {
        #[test]
        fn it_says_what_going_through_all_parts_says(
            parts in proptest::collection::btree_map(1_u16..200, 0_u64..4, 1..40),
            start in 0_u64..150,
            length in 0_u64..150,
        ) {
            let layout = PartLayout::of(parts.iter().map(|(number, length)| (*number, *length)));
            let range = start..start + length;
            let (mut at, mut expected) = (0, Vec::new());
            for (part, length) in &parts {
                let place = Place { part: *part, range: at..at + length };
                at += length;
                prop_assert_eq!(layout.of_part(*part), Some(place.range.clone()));
                if place.range.start.max(range.start) < place.range.end.min(range.end) {
                    expected.push(place);
                }
            }
            prop_assert!(layout.is_of(u32::try_from(parts.len()).unwrap(), at));
            prop_assert_eq!(layout.within(&range), expected);
            prop_assert_eq!(layout.of_part(200), None);
        }
    }
}
