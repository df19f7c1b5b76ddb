//! Which texts an event must have to match a pattern: to pass over whole blocks of events by an index, and events by a
//! plain search.

use memchr::memmem::Finder;

/// More alternatives than this are given up for fewer that say less.
const MAX_ALTERNATIVES: usize = 32;
/// More literals than this in an alternative are not asked for.
const MAX_TOGETHER: usize = 8;
/// More searches than this cost more than looking at an event does.
const MAX_SEARCHES: usize = 8;

/// Sets of literals: an event that matches contains, as bytes, every literal of at least one set. Like the pattern, it has
/// no `Debug` outside tests.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct RequiredLiterals {
    sets: Vec<Vec<String>>,
}

impl RequiredLiterals {
    /// Nothing is required.
    pub(super) fn nothing() -> Self {
        Self {
            sets: vec![Vec::new()],
        }
    }

    /// This literal is required; nothing is if it is empty.
    pub(super) fn one(literal: &str) -> Self {
        Self::any([literal])
    }

    /// One of these literals is required; nothing is if one is empty.
    pub(super) fn any<'a>(literals: impl IntoIterator<Item = &'a str>) -> Self {
        let sets = literals.into_iter().map(|literal| match literal {
            "" => Vec::new(),
            _ => vec![literal.to_owned()],
        });
        Self::normal(sets.collect())
    }

    /// What is required if both have to match.
    pub(super) fn and(self, other: Self) -> Self {
        let mut sets = Vec::new();
        for one in &self.sets {
            for two in &other.sets {
                let mut both = one.clone();
                both.extend(two.iter().filter(|literal| !one.contains(literal)).cloned());
                both.sort_by_key(|literal| std::cmp::Reverse(literal.len()));
                both.truncate(MAX_TOGETHER);
                sets.push(both);
            }
        }
        let both = Self::minimal(sets);
        if both.sets.len() <= MAX_ALTERNATIVES {
            return both;
        }
        // Either half alone is required as well.
        if self.allows_all() || (!other.allows_all() && other.sets.len() < self.sets.len()) {
            other
        } else {
            self
        }
    }

    /// What is required if one of the two has to match.
    pub(super) fn or(mut self, other: Self) -> Self {
        self.sets.extend(other.sets);
        Self::normal(self.sets)
    }

    /// The sets, none of which contains another. An event that has all literals of none cannot match; if a set is empty,
    /// every event has it.
    #[must_use]
    pub fn sets(&self) -> &[Vec<String>] {
        &self.sets
    }

    /// Whether nothing is required.
    #[must_use]
    pub fn allows_all(&self) -> bool {
        self.sets.iter().any(Vec::is_empty)
    }

    /// Whether a text, of one event or of many, has what is required.
    #[must_use]
    pub fn are_in(&self, text: &str) -> bool {
        self.sets
            .iter()
            .any(|set| set.iter().all(|literal| text.contains(literal.as_str())))
    }

    fn normal(sets: Vec<Vec<String>>) -> Self {
        let minimal = Self::minimal(sets);
        if minimal.sets.len() > MAX_ALTERNATIVES {
            return minimal.weakened();
        }
        minimal
    }

    /// Only the sets that contain no other.
    fn minimal(sets: Vec<Vec<String>>) -> Self {
        let mut kept: Vec<Vec<String>> = Vec::new();
        for set in sets {
            let within =
                |small: &[String], large: &[String]| small.iter().all(|literal| large.contains(literal));
            if kept.iter().any(|other| within(other, &set)) {
                continue;
            }
            kept.retain(|other| !within(&set, other));
            kept.push(set);
        }
        Self { sets: kept }
    }

    /// Less, in few sets: what all those of several literals have in common, beside up to two that have one.
    fn weakened(self) -> Self {
        let (mut few, mut single) = (Vec::new(), 0);
        let mut common: Option<Vec<String>> = None;
        for set in self.sets {
            if set.len() == 1 && single < 2 {
                single += 1;
                few.push(set);
                continue;
            }
            common = Some(match common {
                None => set,
                Some(common) => common
                    .into_iter()
                    .filter(|literal| set.contains(literal))
                    .collect(),
            });
        }
        few.extend(common);
        Self::minimal(few)
    }
}

/// The same, ready for searching many events.
pub(super) struct Prefilter {
    sets: Vec<Vec<Needle>>,
}

impl Prefilter {
    pub(super) fn new(required: RequiredLiterals) -> Self {
        let searches: usize = required.sets.iter().map(Vec::len).sum();
        let required = if searches > MAX_SEARCHES {
            required.weakened()
        } else {
            required
        };
        let needles = |set: &Vec<String>| set.iter().map(|literal| Needle::new(literal)).collect();
        Self {
            sets: required.sets.iter().map(needles).collect(),
        }
    }

    pub(super) fn passes(&self, event: &str) -> bool {
        self.sets
            .iter()
            .any(|set| set.iter().all(|needle| needle.is_in(event)))
    }
}

/// A text to search many events for.
pub(super) struct Needle {
    text: String,
    finder: Box<Finder<'static>>,
}

impl Needle {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            finder: Box::new(Finder::new(text).into_owned()),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_in(&self, event: &str) -> bool {
        self.finder.find(event.as_bytes()).is_some()
    }
}
