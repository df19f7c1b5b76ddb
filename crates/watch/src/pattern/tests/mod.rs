//! Filter patterns against tables of events, against slow models, and against what nobody would write.

mod documented;
mod laws;
mod model;
mod refused;
mod values;

use super::{Fault, FilterPattern};

/// A pattern that must be one.
fn pattern(text: &str) -> FilterPattern {
    match FilterPattern::parse(text) {
        Ok(pattern) => pattern,
        Err(error) => panic!("{text}: {error}"),
    }
}

fn fault(text: &str) -> (Fault, usize) {
    match FilterPattern::parse(text) {
        Ok(_) => panic!("{text} was taken for a pattern"),
        Err(error) => (error.fault, error.at),
    }
}

/// Which of these events a pattern matches, by their places. What it requires must be in each of them.
fn matched(text: &str, events: &[&str]) -> Vec<usize> {
    let pattern = pattern(text);
    let required = pattern.required_literals();
    let numbered = events.iter().enumerate();
    let found = numbered.filter(|(_, event)| {
        let is_match = pattern.is_match(event);
        assert!(
            !is_match || required.are_in(event),
            "{text} requires {required:?} of {event}"
        );
        is_match
    });
    found.map(|(at, _)| at).collect()
}
