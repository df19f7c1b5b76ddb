//! Where in a request something is, as AWS writes it: `messages.1.member.role`. Keys of maps are a tenant's words, so
//! their entries are numbered.

use std::fmt;

/// A place, as a chain back to the top: nothing is allocated unless it has to be told.
pub(super) enum Path<'a> {
    /// The request itself.
    Top,
    /// Something within something.
    Within(&'a Self, Step<'a>),
}

/// One step down.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    /// To a member.
    Member(&'a str),
    /// To an item of a list, from 1.
    Item(usize),
    /// To the value of a map's entry, from 1.
    Value(usize),
}

impl<'a> Path<'a> {
    pub(super) fn then(&'a self, step: Step<'a>) -> Self {
        Self::Within(self, step)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Within(before, step) = self else {
            return Ok(());
        };
        if !matches!(before, Path::Top) {
            write!(f, "{before}.")?;
        }
        match step {
            Step::Member(name) => f.write_str(&lower_first(name)),
            Step::Item(index) => write!(f, "{index}.member"),
            Step::Value(index) => write!(f, "{index}.value"),
        }
    }
}

/// A member's name as AWS's messages have it.
pub(super) fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(letters)
        .collect()
}
