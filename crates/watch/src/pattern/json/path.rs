//! Property selectors, and the table that finds all of a pattern's in one reading of an event.

use crate::pattern::cursor::{Cursor, is_word};
use crate::pattern::fault::{Fault, PatternError};

use super::scan::MAX_DEPTH;

/// Wildcards that the selectors of a pattern may have together.
const MAX_WILDCARDS: usize = 3;
/// Places that a table may have. A wildcard repeats what follows it for each name beside it.
const MAX_PLACES: usize = 8192;

/// A property selector: the steps from an event's root to a value.
pub(in crate::pattern) struct Path {
    steps: Vec<Step>,
    written: String,
}

#[derive(Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    AnyField,
    Element(usize),
    AnyElement,
}

impl Path {
    /// A selector, if one comes next: `$.a`, `$.a[0].b`, `$.a[*]`, `$.*`, `$.['a.b']`, `$[0]`.
    pub(in crate::pattern) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        let before = *cursor;
        if !cursor.eat("$") {
            return cursor.fault(Fault::NoSelector);
        }
        let mut steps = Vec::new();
        while let Some(step) = step(cursor)? {
            steps.push(step);
        }
        if steps.is_empty() {
            return cursor.fault(Fault::BadSelector);
        }
        let path = Self {
            steps,
            written: written(&before, cursor),
        };
        if path.wildcards() > 1 {
            return before.fault(Fault::SelectorWildcards);
        }
        if path.steps.len() > MAX_DEPTH {
            return before.fault(Fault::TooDeep);
        }
        Ok(path)
    }

    /// As it stands in the pattern.
    pub(in crate::pattern) fn written(&self) -> &str {
        &self.written
    }

    pub(super) fn leads_where(&self, other: &Self) -> bool {
        self.steps == other.steps
    }

    /// The names of the properties on the way.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            Step::AnyField | Step::Element(_) | Step::AnyElement => None,
        })
    }

    fn wildcards(&self) -> usize {
        let wild = |step: &&Step| matches!(step, Step::AnyField | Step::AnyElement);
        self.steps.iter().filter(wild).count()
    }
}

fn written(before: &Cursor<'_>, after: &Cursor<'_>) -> String {
    let length = before.rest().len().saturating_sub(after.rest().len());
    before.rest().get(..length).unwrap_or_default().to_owned()
}

fn step(cursor: &mut Cursor<'_>) -> Result<Option<Step>, PatternError> {
    let dotted = cursor.eat(".");
    if cursor.eat("[") {
        return bracketed(cursor, dotted).map(Some);
    }
    if !dotted {
        return Ok(None);
    }
    if cursor.eat("*") {
        return Ok(Some(Step::AnyField));
    }
    match cursor.take_while(|letter| is_word(letter) || letter == '-') {
        "" => cursor.fault(Fault::BadSelector),
        name => Ok(Some(Step::Field(name.to_owned()))),
    }
}

/// What stands between brackets: a quoted name, or, unless a dot came before, the place of an element.
fn bracketed(cursor: &mut Cursor<'_>, dotted: bool) -> Result<Step, PatternError> {
    let before = *cursor;
    let step = if cursor.eat("'") {
        Step::Field(cursor.quoted('\'')?)
    } else if dotted {
        return before.fault(Fault::BadSelector);
    } else if cursor.eat("*") {
        Step::AnyElement
    } else {
        let digits = cursor.take_while(|letter| letter.is_ascii_digit());
        match digits.parse() {
            Ok(at) => Step::Element(at),
            Err(_empty_or_huge) => return before.fault(Fault::BadSelector),
        }
    };
    if !cursor.eat("]") {
        return cursor.fault(Fault::BadSelector);
    }
    Ok(step)
}

/// All selectors of a pattern in one tree: who follows an event's structure through it is at one place at a time.
#[derive(Default)]
pub(in crate::pattern) struct Paths {
    places: Vec<Place>,
}

/// A place in an event, with the selectors that end here and the places below that lead on.
#[derive(Default)]
pub(super) struct Place {
    pub(super) ends: Vec<usize>,
    fields: Vec<(String, usize)>,
    other_field: Option<usize>,
    elements: Vec<(usize, usize)>,
    other_element: Option<usize>,
}

/// A path and how many of its steps are taken.
type Walker = (usize, usize);

impl Paths {
    /// The table of `paths`, whose numbers are their order.
    pub(in crate::pattern) fn new(paths: &[Path]) -> Result<Self, Fault> {
        if paths.iter().map(Path::wildcards).sum::<usize>() > MAX_WILDCARDS {
            return Err(Fault::PatternWildcards);
        }
        let mut table = Self::default();
        let walkers: Vec<Walker> = (0..paths.len()).map(|path| (path, 0)).collect();
        table.grow(paths, &walkers)?;
        Ok(table)
    }

    /// Adds the place where all these walkers stand, and all below it. Recursion ends with the longest path.
    fn grow(&mut self, paths: &[Path], walkers: &[Walker]) -> Result<usize, Fault> {
        let number = self.places.len();
        if number >= MAX_PLACES {
            return Err(Fault::TooComplex);
        }
        self.places.push(Place::default());
        let mut place = Place::default();
        let (mut names, mut elements) = (Vec::<&str>::new(), Vec::<usize>::new());
        for (path, taken) in walkers {
            match paths.get(*path).and_then(|path| path.steps.get(*taken)) {
                None => place.ends.push(*path),
                Some(Step::Field(name)) if !names.contains(&name.as_str()) => names.push(name),
                Some(Step::Element(at)) if !elements.contains(at) => elements.push(*at),
                Some(_) => {}
            }
        }
        let go = |wanted: &[&Step]| -> Vec<Walker> {
            let goes = |(path, taken): &&Walker| {
                let step = paths.get(*path).and_then(|path| path.steps.get(*taken));
                step.is_some_and(|step| wanted.contains(&step))
            };
            let gone = walkers.iter().filter(goes);
            gone.map(|(path, taken)| (*path, taken.saturating_add(1)))
                .collect()
        };
        for name in names {
            let below = self.grow(paths, &go(&[&Step::Field(name.to_owned()), &Step::AnyField]))?;
            place.fields.push((name.to_owned(), below));
        }
        for at in elements {
            let below = self.grow(paths, &go(&[&Step::Element(at), &Step::AnyElement]))?;
            place.elements.push((at, below));
        }
        for (step, below) in [
            (Step::AnyField, &mut place.other_field),
            (Step::AnyElement, &mut place.other_element),
        ] {
            let walkers = go(&[&step]);
            if !walkers.is_empty() {
                *below = Some(self.grow(paths, &walkers)?);
            }
        }
        if let Some(slot) = self.places.get_mut(number) {
            *slot = place;
        }
        Ok(number)
    }

    pub(super) fn place(&self, number: usize) -> Option<&Place> {
        self.places.get(number)
    }
}

impl Place {
    pub(super) fn field(&self, name: &str) -> Option<usize> {
        let named = self.fields.iter().find(|(own, _)| own == name);
        named.map(|(_, below)| *below).or(self.other_field)
    }

    pub(super) fn element(&self, at: usize) -> Option<usize> {
        let numbered = self.elements.iter().find(|(own, _)| *own == at);
        numbered.map(|(_, below)| *below).or(self.other_element)
    }

    pub(super) fn has_fields(&self) -> bool {
        !self.fields.is_empty() || self.other_field.is_some()
    }

    pub(super) fn has_elements(&self) -> bool {
        !self.elements.is_empty() || self.other_element.is_some()
    }
}
