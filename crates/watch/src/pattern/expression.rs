//! Regular expressions between `%`, in the subset that CloudWatch Logs has: no groups, ASCII only. They are read here
//! and only then put into words for `regex`, whose searches take time linear in the text.

use regex::{Regex, RegexBuilder};

use super::cursor::Cursor;
use super::fault::{Fault, PatternError};

/// Symbols that stand for themselves. The space is not among those that CloudWatch Logs documents, but in its examples.
const SYMBOLS: &str = ":_#=@/;,- ";
/// Symbols with a meaning, for which a backslash before them is needed to stand for themselves.
const OPERATORS: &str = "^$?[]{}|\\*+.";
/// The highest limit of a repetition.
const MAX_REPEAT: u32 = 128;
/// How many characters an expression may be about when its repetitions are written out: this times the text's length
/// bounds the time of a search.
const MAX_POSITIONS: u32 = 128;
/// Bytes that a compiled expression may take.
const MAX_COMPILED: usize = 1 << 20;

/// A regular expression and what a text has if it matches.
pub(super) struct Expression {
    regex: Regex,
    literals: Vec<String>,
}

impl Expression {
    /// Reads up to the closing `%`; the opening one is behind the cursor.
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        let start = cursor.read();
        let text = cursor.take_while(|letter| letter != '%');
        if !cursor.eat("%") {
            return Err(Fault::OpenExpression.after(start.saturating_sub(1)));
        }
        let mut translation = Translation::default();
        translation.expression(&mut Cursor::from(text, start))?;
        let regex = RegexBuilder::new(&translation.regex)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .build()
            .map_err(|_too_large| Fault::ExpressionSize.after(start))?;
        Ok(Self {
            regex,
            literals: translation.literals,
        })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// A text that matches has one of these; it has anything if one is empty.
    pub(super) fn literals(&self) -> &[String] {
        &self.literals
    }
}

/// How often an atom comes.
struct Repeat {
    least: u32,
    most: Option<u32>,
}

/// An expression as far as it is read: in `regex`'s words, and the longest text that each alternative cannot be without.
#[derive(Default)]
struct Translation {
    regex: String,
    positions: u32,
    literals: Vec<String>,
    longest: String,
    run: String,
}

impl Translation {
    fn expression(&mut self, cursor: &mut Cursor<'_>) -> Result<(), PatternError> {
        loop {
            self.alternative(cursor)?;
            self.end_run();
            self.literals.push(std::mem::take(&mut self.longest));
            if !cursor.eat("|") {
                return Ok(());
            }
            self.regex.push('|');
        }
    }

    fn alternative(&mut self, cursor: &mut Cursor<'_>) -> Result<(), PatternError> {
        let mut empty = true;
        while let Some(letter) = cursor.peek().filter(|letter| *letter != '|') {
            empty = false;
            match letter {
                '^' | '$' => {
                    cursor.next();
                    self.regex.push_str(if letter == '^' { "\\A" } else { "\\z" });
                    self.end_run();
                }
                _ => self.atom(cursor)?,
            }
        }
        if empty {
            return cursor.fault(Fault::ExpressionEmpty);
        }
        Ok(())
    }

    fn atom(&mut self, cursor: &mut Cursor<'_>) -> Result<(), PatternError> {
        let before = *cursor;
        let atom = match cursor.next() {
            Some('.') => Atom::Set("(?s:.)".to_owned()),
            Some('[') => Atom::Set(class(cursor)?),
            Some('\\') => escape(cursor)?,
            Some(letter) if letter.is_ascii_alphanumeric() || SYMBOLS.contains(letter) => {
                Atom::Letter(letter)
            }
            Some('*' | '+' | '?' | '{') => return before.fault(Fault::ExpressionRepetition),
            _ => return before.fault(Fault::ExpressionCharacter),
        };
        let repeat = repetition(cursor)?;
        let most = repeat.most.unwrap_or_else(|| repeat.least.saturating_add(1));
        self.positions = self.positions.saturating_add(most.max(1));
        if self.positions > MAX_POSITIONS {
            return before.fault(Fault::ExpressionSize);
        }
        match &atom {
            Atom::Letter(letter) => {
                self.regex.push_str(&in_hex(*letter));
                self.follow(*letter, &repeat);
            }
            Atom::Set(set) => {
                self.regex.push_str(set);
                self.end_run();
            }
        }
        let upper = repeat.most.map(|most| most.to_string()).unwrap_or_default();
        if (repeat.least, repeat.most) != (1, Some(1)) {
            self.regex.push_str(&format!("{{{},{upper}}}", repeat.least));
        }
        Ok(())
    }

    /// A letter that comes once goes on with the text before it; one that may come more often ends it and begins another.
    fn follow(&mut self, letter: char, repeat: &Repeat) {
        if repeat.least == 0 {
            return self.end_run();
        }
        self.run.push(letter);
        if repeat.most != Some(1) {
            self.end_run();
            self.run.push(letter);
        }
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run.len() > self.longest.len() {
            self.longest = run;
        }
    }
}

enum Atom {
    Letter(char),
    Set(String),
}

/// What a backslash makes of the next character.
fn escape(cursor: &mut Cursor<'_>) -> Result<Atom, PatternError> {
    let before = *cursor;
    let set = match cursor.next() {
        Some('d') => "[0-9]",
        Some('D') => "[^0-9]",
        Some('s') => "[\\t\\n\\x0B\\x0C\\r ]",
        Some('S') => "[^\\t\\n\\x0B\\x0C\\r ]",
        Some('w') => "[a-zA-Z_0-9]",
        Some('W') => "[^a-zA-Z_0-9]",
        Some('x') => return ascii(cursor).map(Atom::Letter),
        Some(letter) if OPERATORS.contains(letter) || SYMBOLS.contains(letter) => {
            return Ok(Atom::Letter(letter));
        }
        _ => return before.fault(Fault::ExpressionEscape),
    };
    Ok(Atom::Set(set.to_owned()))
}

/// The two hexadecimal digits of an ASCII character.
fn ascii(cursor: &mut Cursor<'_>) -> Result<char, PatternError> {
    let before = *cursor;
    let digits = [cursor.next(), cursor.next()].map(|digit| digit.and_then(|digit| digit.to_digit(16)));
    match digits {
        [Some(high), Some(low)] if high < 8 => {
            char::from_u32(high * 16 + low).map_or_else(|| before.fault(Fault::ExpressionEscape), Ok)
        }
        _ => before.fault(Fault::ExpressionEscape),
    }
}

/// A character class, whose `[` is behind the cursor.
fn class(cursor: &mut Cursor<'_>) -> Result<String, PatternError> {
    let before = *cursor;
    let mut set = String::from("[");
    if cursor.eat("^") {
        set.push('^');
    }
    let mut empty = true;
    while !cursor.eat("]") {
        empty = false;
        let first = match member(cursor)? {
            Atom::Set(inner) => {
                set.push_str(&inner);
                continue;
            }
            Atom::Letter(first) => first,
        };
        set.push_str(&in_hex(first));
        let mut ahead = *cursor;
        if ahead.eat("-") && ahead.peek().is_some_and(|letter| letter != ']') {
            *cursor = ahead;
            match member(cursor)? {
                Atom::Letter(last) if first <= last => set.push_str(&format!("-{}", in_hex(last))),
                Atom::Letter(_) | Atom::Set(_) => return ahead.fault(Fault::ExpressionClass),
            }
        }
    }
    if empty {
        return before.fault(Fault::ExpressionClass);
    }
    set.push(']');
    Ok(set)
}

fn member(cursor: &mut Cursor<'_>) -> Result<Atom, PatternError> {
    let before = *cursor;
    match cursor.next() {
        None => before.fault(Fault::ExpressionClass),
        Some('\\') => escape(cursor),
        Some(letter)
            if letter.is_ascii_alphanumeric() || SYMBOLS.contains(letter) || OPERATORS.contains(letter) =>
        {
            Ok(Atom::Letter(letter))
        }
        Some(_) => before.fault(Fault::ExpressionCharacter),
    }
}

fn repetition(cursor: &mut Cursor<'_>) -> Result<Repeat, PatternError> {
    let before = *cursor;
    let (least, most) = match cursor.next() {
        Some('*') => (0, None),
        Some('+') => (1, None),
        Some('?') => (0, Some(1)),
        Some('{') => limits(cursor)?,
        _ => {
            *cursor = before;
            return Ok(Repeat {
                least: 1,
                most: Some(1),
            });
        }
    };
    // How many an engine tries first changes nothing about whether there is a match.
    cursor.eat("?");
    Ok(Repeat { least, most })
}

/// `m}`, `m,}`, `,n}` or `m,n}`.
fn limits(cursor: &mut Cursor<'_>) -> Result<(u32, Option<u32>), PatternError> {
    let before = *cursor;
    let least = limit(cursor)?;
    let most = if cursor.eat(",") {
        cursor.skip_blank();
        match (least, limit(cursor)?) {
            (None, None) => return before.fault(Fault::ExpressionRepetition),
            (_, most) => most,
        }
    } else if least.is_none() {
        return before.fault(Fault::ExpressionRepetition);
    } else {
        least
    };
    let least = least.unwrap_or(0);
    if !cursor.eat("}") || most.is_some_and(|most| most < least) {
        return before.fault(Fault::ExpressionRepetition);
    }
    Ok((least, most))
}

fn limit(cursor: &mut Cursor<'_>) -> Result<Option<u32>, PatternError> {
    let before = *cursor;
    match cursor.take_while(|letter| letter.is_ascii_digit()) {
        "" => Ok(None),
        digits => match digits.parse() {
            Ok(limit) if limit <= MAX_REPEAT => Ok(Some(limit)),
            _ => before.fault(Fault::ExpressionSize),
        },
    }
}

/// A character in words that mean nothing but itself, in a class and outside.
fn in_hex(letter: char) -> String {
    format!("\\x{{{:X}}}", u32::from(letter))
}
