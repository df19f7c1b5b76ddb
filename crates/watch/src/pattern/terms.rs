//! Patterns of terms for events without a structure: all of them, one of some, none of others.

use super::cursor::{Cursor, is_word};
use super::expression::Expression;
use super::fault::{Fault, PatternError};
use super::literals::{Needle, RequiredLiterals};
use super::operand::expression;

/// Terms by what they do.
#[derive(Default)]
pub(super) struct Terms {
    included: Vec<Term>,
    optional: Vec<Term>,
    excluded: Vec<Term>,
}

/// What is searched for in the whole event.
enum Term {
    /// A phrase of nothing but space, which AWS documents as the way to match everything.
    Blank,
    Text(Needle),
    Expression(Expression),
}

impl Terms {
    pub(super) fn parse(cursor: &mut Cursor<'_>, expressions: &mut usize) -> Result<Self, PatternError> {
        let mut terms = Self::default();
        cursor.skip_blank();
        while !cursor.at_end() {
            let kind = if cursor.eat("-") {
                &mut terms.excluded
            } else if cursor.eat("?") {
                &mut terms.optional
            } else {
                &mut terms.included
            };
            kind.push(term(cursor, expressions)?);
            if cursor.peek().is_some_and(|letter| !letter.is_whitespace()) {
                return cursor.fault(Fault::NeedsQuotes);
            }
            cursor.skip_blank();
        }
        // Optional terms are documented to be ignored beside others.
        if !terms.included.is_empty() || !terms.excluded.is_empty() {
            terms.optional.clear();
        }
        Ok(terms)
    }

    pub(super) fn is_match(&self, event: &str) -> bool {
        let has = |term: &Term| term.is_in(event);
        self.included.iter().all(has)
            && (self.optional.is_empty() || self.optional.iter().any(has))
            && !self.excluded.iter().any(has)
    }

    pub(super) fn required(&self) -> RequiredLiterals {
        let nothing = RequiredLiterals::nothing();
        let included = self.included.iter().map(Term::required);
        let optional = self.optional.iter().map(Term::required);
        let all = included.fold(nothing.clone(), RequiredLiterals::and);
        all.and(optional.reduce(RequiredLiterals::or).unwrap_or(nothing))
    }
}

impl Term {
    fn is_in(&self, event: &str) -> bool {
        match self {
            Self::Blank => true,
            Self::Text(needle) => needle.is_in(event),
            Self::Expression(expression) => expression.is_match(event),
        }
    }

    fn required(&self) -> RequiredLiterals {
        match self {
            Self::Blank => RequiredLiterals::nothing(),
            Self::Text(needle) => RequiredLiterals::one(needle.text()),
            Self::Expression(expression) => {
                RequiredLiterals::any(expression.literals().iter().map(String::as_str))
            }
        }
    }
}

fn term(cursor: &mut Cursor<'_>, expressions: &mut usize) -> Result<Term, PatternError> {
    if cursor.eat("%") {
        return expression(cursor, expressions).map(Term::Expression);
    }
    let text = if cursor.eat("\"") {
        let phrase = cursor.quoted('"')?;
        if phrase.trim().is_empty() {
            return Ok(Term::Blank);
        }
        phrase
    } else {
        let word = cursor.take_while(is_word);
        match cursor.peek() {
            Some(letter) if !letter.is_whitespace() => return cursor.fault(Fault::NeedsQuotes),
            _ if word.is_empty() => return cursor.fault(Fault::EmptyTerm),
            _ => word.to_owned(),
        }
    };
    Ok(Term::Text(Needle::new(&text)))
}
