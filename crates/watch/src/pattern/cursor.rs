//! Reads a pattern character by character, and knows where it is.

use super::fault::{Fault, PatternError};

/// What is left of a pattern, and how many characters are behind it.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'p> {
    rest: &'p str,
    read: usize,
}

impl<'p> Cursor<'p> {
    pub(super) fn new(pattern: &'p str) -> Self {
        Self::from(pattern, 0)
    }

    /// A part of a pattern that begins behind `read` characters.
    pub(super) fn from(rest: &'p str, read: usize) -> Self {
        Self { rest, read }
    }

    pub(super) fn fault<T>(&self, fault: Fault) -> Result<T, PatternError> {
        Err(fault.after(self.read))
    }

    pub(super) fn read(&self) -> usize {
        self.read
    }

    pub(super) fn rest(&self) -> &'p str {
        self.rest
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut letters = self.rest.chars();
        let letter = letters.next()?;
        self.rest = letters.as_str();
        self.read = self.read.saturating_add(1);
        Some(letter)
    }

    /// Whether `text` came next; it is behind the cursor then.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else {
            return false;
        };
        self.rest = rest;
        self.read = self.read.saturating_add(text.chars().count());
        true
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'p str {
        let end = self.rest.find(|letter| !wanted(letter));
        let (taken, rest) = end
            .and_then(|end| self.rest.split_at_checked(end))
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        self.read = self.read.saturating_add(taken.chars().count());
        taken
    }

    pub(super) fn skip_blank(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// A word that ends here: `text`, and no letter, digit or underscore behind it.
    pub(super) fn eat_word(&mut self, text: &str) -> bool {
        let before = *self;
        if self.eat(text) && !self.peek().is_some_and(is_word) {
            return true;
        }
        *self = before;
        false
    }

    /// The text between two `mark`s, the first of which is behind the cursor already. A backslash sets the mark and
    /// itself, and nothing else, apart from their meaning.
    pub(super) fn quoted(&mut self, mark: char) -> Result<String, PatternError> {
        let open = self.read.saturating_sub(1);
        let mut text = String::new();
        while let Some(letter) = self.next() {
            if letter == mark {
                return Ok(text);
            }
            match self.peek() {
                Some(escaped) if letter == '\\' && (escaped == mark || escaped == '\\') => {
                    self.next();
                    text.push(escaped);
                }
                _ => text.push(letter),
            }
        }
        Err(Fault::OpenQuote.after(open))
    }
}

/// What needs no quotation marks anywhere.
pub(super) fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}
