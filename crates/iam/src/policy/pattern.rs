//! Wildcards and policy variables: `arn:aws:s3:::logs/${aws:PrincipalAccount}/*`.
//!
//! Patterns are taken apart when a policy is parsed. Those with stars alone are matched in time linear in text and
//! pattern; those with `?` or variables never take longer than text × pattern, and are short.

use std::fmt;

use crate::authz::Key;

/// The most bytes of a pattern with `?` or a variable.
pub(super) const LONGEST: usize = 2048;
/// Variables that need no memory of their own while a pattern is matched.
const FEW: usize = 4;

/// One place of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    Byte(u8),
    /// `?`: one character.
    One,
    /// `*`: any characters, or none.
    Many,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Symbols(Box<[Symbol]>),
    Variable { key: Key, default: Option<Box<str>> },
}

/// Whether upper and lower case differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Sensitive,
    Insensitive,
}

/// What policy variables stand for in one request.
pub(crate) trait Variables {
    /// The one value of `key`; `None` if there is none, or several.
    fn value(&self, key: &Key) -> Option<&str>;
}

/// Text to compare with, in which `*` and `?` may be wild and variables stand for values of the request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// `*`.
    Anything,
    /// No wildcard.
    Literal(Box<str>),
    /// Stars only: what stands before the first, between them, and after the last.
    Stars(Box<[Box<str>]>),
    /// Everything else.
    Parts(Box<[Part]>),
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Pattern {
    /// A pattern in which `*` and `?` are wild. `None` if a variable is malformed, or the pattern too long.
    pub(crate) fn wild(text: &str) -> Option<Self> {
        Self::parse(text, true)
    }

    /// Whether it is one text: it has no wildcards and no variables.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(self.0, Form::Literal(_))
    }

    /// A pattern in which they are not.
    pub(crate) fn literal(text: &str) -> Option<Self> {
        Self::parse(text, false)
    }

    /// A pattern without variables, in which `*` and `?` are wild if `wild` says so. `None` if it is too long.
    pub(crate) fn plain(text: &str, wild: bool) -> Option<Self> {
        Some(Self(if !wild || !text.contains(['*', '?']) {
            Form::Literal(text.into())
        } else if text == "*" {
            Form::Anything
        } else if !text.contains('?') {
            Form::Stars(text.split('*').map(Box::from).collect())
        } else if text.len() <= LONGEST {
            Form::Parts([Part::Symbols(symbols(text, true))].into())
        } else {
            return None;
        }))
    }

    /// A pattern without variables, in which what follows a backslash is itself. `None` if it is too long.
    pub(super) fn escaped(text: &str) -> Option<Self> {
        if !text.contains('\\') {
            return Self::plain(text, true);
        }
        let mut symbols = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            symbols.push(match byte {
                b'\\' => Symbol::Byte(bytes.next().unwrap_or(b'\\')),
                byte => symbol(byte, true),
            });
        }
        (text.len() <= LONGEST).then(|| Self(Form::Parts([Part::Symbols(symbols.into())].into())))
    }

    fn parse(text: &str, wild: bool) -> Option<Self> {
        if !text.contains("${") {
            return Self::plain(text, wild);
        }
        if text.len() > LONGEST {
            return None;
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            parts.push(Part::Symbols(symbols(before, wild)));
            let (variable, after) = after.split_once('}')?;
            parts.push(parse_variable(variable)?);
            rest = after;
        }
        parts.push(Part::Symbols(symbols(rest, wild)));
        parts.retain(|part| !matches!(part, Part::Symbols(symbols) if symbols.is_empty()));
        Some(Self(Form::Parts(parts.into())))
    }

    /// Whether all of `text` fits. A variable without a value fits nothing.
    pub(crate) fn matches(&self, text: &str, case: Case, variables: &dyn Variables) -> bool {
        match &self.0 {
            Form::Anything => true,
            Form::Literal(literal) if case == Case::Sensitive => **literal == *text,
            Form::Literal(literal) => literal.eq_ignore_ascii_case(text),
            Form::Stars(pieces) if case == Case::Sensitive => between_stars(pieces, text),
            Form::Stars(pieces) => {
                let lower: Vec<Box<str>> = pieces
                    .iter()
                    .map(|piece| piece.to_ascii_lowercase().into())
                    .collect();
                between_stars(&lower, &text.to_ascii_lowercase())
            }
            Form::Parts(parts) => fit_parts(parts, text, case, variables),
        }
    }

    /// Whether all of `text` fits, without variables and with case. The pattern has no variables.
    pub(crate) fn fits(&self, text: &str) -> bool {
        self.matches(text, Case::Sensitive, &NoVariables)
    }

    /// Tells the key of every variable.
    pub(crate) fn for_each_key<'a>(&'a self, tell: &mut impl FnMut(&'a Key)) {
        let Form::Parts(parts) = &self.0 else {
            return;
        };
        for part in parts {
            if let Part::Variable { key, .. } = part {
                tell(key);
            }
        }
    }
}

struct NoVariables;

impl Variables for NoVariables {
    fn value(&self, _key: &Key) -> Option<&str> {
        None
    }
}

/// The first piece begins the text, the last one ends it, and the others follow each other in between, each as early as
/// it can.
fn between_stars(pieces: &[Box<str>], text: &str) -> bool {
    let [first, middle @ .., last] = pieces else {
        return false;
    };
    let Some(mut rest) = text
        .strip_prefix(&**first)
        .and_then(|rest| rest.strip_suffix(&**last))
    else {
        return false;
    };
    for piece in middle {
        match find(rest, piece) {
            Some(at) => rest = rest.get(at.saturating_add(piece.len())..).unwrap_or(""),
            None => return false,
        }
    }
    true
}

/// Texts up to which looking at every place costs less than preparing a search that is linear.
const SHORT: usize = 256;

/// Where `piece` is first in `text`.
fn find(text: &str, piece: &str) -> Option<usize> {
    let (Some(first), true) = (piece.as_bytes().first(), text.len() <= SHORT) else {
        return text.find(piece);
    };
    let mut windows = text.as_bytes().windows(piece.len());
    windows.position(|window| window.first() == Some(first) && window == piece.as_bytes())
}

/// The inside of `${…}`: `*`, `?` and `$` are themselves; else a key, perhaps with `, 'default'`.
fn parse_variable(text: &str) -> Option<Part> {
    if matches!(text, "*" | "?" | "$") {
        return Some(Part::Symbols(symbols(text, false)));
    }
    let (key, default) = match text.split_once(',') {
        Some((key, default)) => {
            let quoted = default.trim_start().strip_prefix('\'')?;
            (key, Some(quoted.strip_suffix('\'')?.into()))
        }
        None => (text, None),
    };
    let fits = |b: u8| b.is_ascii_alphanumeric() || b":/-_.@=+".contains(&b);
    (!key.is_empty() && key.bytes().all(fits)).then(|| Part::Variable {
        key: Key::new(key),
        default,
    })
}

fn symbols(text: &str, wild: bool) -> Box<[Symbol]> {
    text.bytes().map(|byte| symbol(byte, wild)).collect()
}

fn symbol(byte: u8, wild: bool) -> Symbol {
    match byte {
        b'*' if wild => Symbol::Many,
        b'?' if wild => Symbol::One,
        byte => Symbol::Byte(byte),
    }
}

/// A part with its variable's value.
#[derive(Clone, Copy)]
enum Piece<'a> {
    Symbols(&'a [Symbol]),
    Text(&'a [u8]),
}

impl Piece<'_> {
    fn get(&self, at: usize) -> Option<Symbol> {
        match self {
            Self::Symbols(symbols) => symbols.get(at).copied(),
            Self::Text(text) => text.get(at).copied().map(Symbol::Byte),
        }
    }
}

fn fit_parts<'a>(parts: &'a [Part], text: &str, case: Case, variables: &'a dyn Variables) -> bool {
    let resolve = |part: &'a Part| match part {
        Part::Symbols(symbols) => Some(Piece::Symbols(symbols)),
        Part::Variable { key, default } => variables
            .value(key)
            .or(default.as_deref())
            .map(|value| Piece::Text(value.as_bytes())),
    };
    let mut few = [Piece::Text(&[]); 2 * FEW + 1];
    if parts.len() > few.len() {
        let pieces: Option<Vec<Piece<'_>>> = parts.iter().map(resolve).collect();
        return pieces.is_some_and(|pieces| fits(&pieces, text.as_bytes(), case));
    }
    for (place, part) in few.iter_mut().zip(parts) {
        let Some(piece) = resolve(part) else {
            return false;
        };
        *place = piece;
    }
    few.get(..parts.len())
        .is_some_and(|pieces| fits(pieces, text.as_bytes(), case))
}

/// A place in a list of pieces.
#[derive(Clone, Copy)]
struct Cursor {
    piece: usize,
    at: usize,
}

impl Cursor {
    /// The symbol at this place, or at the beginning of the next piece that has one.
    fn symbol(&mut self, pieces: &[Piece<'_>]) -> Option<Symbol> {
        loop {
            let piece = pieces.get(self.piece)?;
            if let Some(symbol) = piece.get(self.at) {
                return Some(symbol);
            }
            self.piece += 1;
            self.at = 0;
        }
    }

    fn next(self) -> Self {
        Self {
            at: self.at.saturating_add(1),
            ..self
        }
    }
}

/// Compares from the left; on a mismatch goes back to the last star only, and lets it take one character more.
fn fits(pieces: &[Piece<'_>], text: &[u8], case: Case) -> bool {
    let same = |a: u8, b: u8| match case {
        Case::Sensitive => a == b,
        Case::Insensitive => a.eq_ignore_ascii_case(&b),
    };
    let mut at = Cursor { piece: 0, at: 0 };
    let mut read = 0_usize;
    let mut star: Option<(Cursor, usize)> = None;
    while let Some(&byte) = text.get(read) {
        match at.symbol(pieces) {
            Some(Symbol::Many) => {
                at = at.next();
                star = Some((at, read));
            }
            Some(Symbol::One) => {
                at = at.next();
                read += character_length(byte);
            }
            Some(Symbol::Byte(expected)) if same(expected, byte) => {
                at = at.next();
                read += 1;
            }
            Some(Symbol::Byte(_)) | None => {
                let Some((after_star, taken)) = star else {
                    return false;
                };
                read = taken + text.get(taken).map_or(1, |first| character_length(*first));
                star = Some((after_star, read));
                at = after_star;
            }
        }
    }
    while at.symbol(pieces) == Some(Symbol::Many) {
        at = at.next();
    }
    at.symbol(pieces).is_none()
}

/// How many bytes a UTF-8 character has, by its first.
fn character_length(first: u8) -> usize {
    match first {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct One(&'static str, &'static str);
    impl Variables for One {
        fn value(&self, key: &Key) -> Option<&str> {
            (*key == Key::new(self.0)).then_some(self.1)
        }
    }
    const NONE: One = One("none", "");

    fn wild(pattern: &str, text: &str) -> bool {
        Pattern::wild(pattern)
            .unwrap()
            .matches(text, Case::Sensitive, &NONE)
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text) in [
            ("*", ""),
            ("a*c", "abbc"),
            ("a*c", "ac"),
            ("*b*b", "abab"),
            ("a?c", "abc"),
            ("a?c", "a\u{e9}c"),
            ("**", "x"),
            ("*ab", "aab"),
        ] {
            assert!(wild(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", ""),
            ("a*c", "abd"),
            ("a*a", "a"),
            ("?", ""),
            ("a?c", "ac"),
            ("*a?", "a"),
            ("A", "a"),
        ] {
            assert!(!wild(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends() {
        let pattern = "*a".repeat(1000);
        assert!(!wild(&pattern, &"a".repeat(999)));
        assert!(!wild(&format!("{pattern}b"), &"a".repeat(2048)));
        assert!(!wild(&format!("*{}b*", "a".repeat(15_000)), &"a".repeat(60_000)));
        assert!(Pattern::wild(&"?".repeat(LONGEST + 1)).is_none());
        assert!(Pattern::wild(&format!("${{a}}{}", "a".repeat(LONGEST))).is_none());
    }

    #[test]
    fn variables_stand_for_values_and_values_are_never_wild() {
        let account = One("aws:PrincipalAccount", "1*");
        let pattern = Pattern::wild("x/${aws:principalaccount}/*").unwrap();
        assert!(pattern.matches("x/1*/y", Case::Sensitive, &account));
        assert!(!pattern.matches("x/12/y", Case::Sensitive, &account));
        assert!(!pattern.matches("x//y", Case::Sensitive, &NONE));
        for (pattern, text, fits) in [
            ("${aws:x, 'none'}", "none", true),
            ("${*}", "*", true),
            ("${*}", "a", false),
            ("${aws:PrincipalAccount}?${aws:PrincipalAccount}", "1*x1*", true),
            ("${aws:PrincipalAccount}${aws:x, ''}", "1*", true),
        ] {
            let matches = Pattern::wild(pattern)
                .unwrap()
                .matches(text, Case::Sensitive, &account);
            assert_eq!(matches, fits, "{pattern} {text}");
        }
        let many = Pattern::wild(&"${aws:PrincipalAccount}-".repeat(9)).unwrap();
        assert!(many.matches(&"1*-".repeat(9), Case::Sensitive, &account));
        for malformed in ["${", "${}", "${a b}", "${a, b}", "x${aws:y"] {
            assert!(Pattern::wild(malformed).is_none(), "{malformed}");
        }
    }

    /// The definition, exponential and obviously right.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), None) => by_definition(rest, text),
            (Some(('*', rest)), Some((_, after))) => {
                by_definition(rest, text) || by_definition(pattern, after)
            }
            (Some(('?', rest)), Some((_, after))) => by_definition(rest, after),
            (Some((a, rest)), Some((b, after))) => a == b && by_definition(rest, after),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn agrees_with_the_definition(pattern in "[ab\u{e9}*?]{0,8}", text in "[ab\u{e9}]{0,10}") {
            let chars = |t: &str| t.chars().collect::<Vec<_>>();
            prop_assert_eq!(wild(&pattern, &text), by_definition(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn a_variable_is_as_if_its_value_were_written(before in "[ab*?]{0,4}", after in "[ab*?]{0,4}", text in "[abc]{0,10}") {
            let value = One("x", "cb");
            let with = Pattern::wild(&format!("{before}${{x}}{after}")).unwrap();
            prop_assert_eq!(with.matches(&text, Case::Sensitive, &value), wild(&format!("{before}cb{after}"), &text));
        }

        #[test]
        fn never_panics(pattern in "\\PC{0,60}", text in "\\PC{0,60}") {
            if let Some(pattern) = Pattern::wild(&pattern) {
                let _: bool = pattern.matches(&text, Case::Insensitive, &NONE);
            }
        }

        #[test]
        fn text_without_wildcards_matches_itself_alone(text in "[a-z:/]{0,20}", other in "[a-z:/]{0,20}") {
            prop_assert_eq!(wild(&text, &other), text == other);
        }
    }
}
