//! Wildcards and policy variables: `arn:aws:s3:::logs/${aws:PrincipalAccount}/*`.
//!
//! Matching never takes longer than text × pattern, whatever is written: one star is remembered at a time.

use std::borrow::Cow;

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
    Symbols(Vec<Symbol>),
    Variable { key: String, default: Option<String> },
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
    fn value(&self, key: &str) -> Option<&str>;
}

/// Text to compare with, in which `*` and `?` may be wild and variables stand for values of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Part>);

impl Pattern {
    /// A pattern in which `*` and `?` are wild. `None` if a variable is malformed.
    pub(crate) fn wild(text: &str) -> Option<Self> {
        Self::parse(text, true)
    }

    /// A pattern in which they are not.
    pub(crate) fn literal(text: &str) -> Option<Self> {
        Self::parse(text, false)
    }

    /// A pattern without variables, in which `*` and `?` are wild.
    pub(crate) fn wild_without_variables(text: &str) -> Self {
        Self(vec![Part::Symbols(symbols(text, true))])
    }

    fn parse(text: &str, wild: bool) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            parts.push(Part::Symbols(symbols(before, wild)));
            let (variable, after) = after.split_once('}')?;
            parts.push(parse_variable(variable)?);
            rest = after;
        }
        parts.push(Part::Symbols(symbols(rest, wild)));
        Some(Self(parts))
    }

    /// Whether all of `text` fits. A variable without a value fits nothing.
    pub(crate) fn matches(&self, text: &str, case: Case, variables: &dyn Variables) -> bool {
        self.resolve(variables)
            .is_some_and(|symbols| fits(&symbols, text.as_bytes(), case))
    }

    /// Tells the key of every variable.
    pub(crate) fn for_each_key<'a>(&'a self, tell: &mut impl FnMut(&'a str)) {
        for part in &self.0 {
            if let Part::Variable { key, .. } = part {
                tell(key);
            }
        }
    }

    fn resolve(&self, variables: &dyn Variables) -> Option<Cow<'_, [Symbol]>> {
        if let [Part::Symbols(only)] = self.0.as_slice() {
            return Some(Cow::Borrowed(only));
        }
        let mut resolved = Vec::new();
        for part in &self.0 {
            match part {
                Part::Symbols(symbols) => resolved.extend_from_slice(symbols),
                Part::Variable { key, default } => {
                    let value = variables.value(key).or(default.as_deref())?;
                    resolved.extend(symbols(value, false));
                }
            }
        }
        Some(Cow::Owned(resolved))
    }
}

/// The inside of `${…}`: `*`, `?` and `$` are themselves; else a key, perhaps with `, 'default'`.
fn parse_variable(text: &str) -> Option<Part> {
    if matches!(text, "*" | "?" | "$") {
        return Some(Part::Symbols(symbols(text, false)));
    }
    let (key, default) = match text.split_once(',') {
        Some((key, default)) => (
            key,
            Some(
                default
                    .trim_start()
                    .strip_prefix('\'')?
                    .strip_suffix('\'')?
                    .to_owned(),
            ),
        ),
        None => (text, None),
    };
    let fits = |b: u8| b.is_ascii_alphanumeric() || b":/-_.@=+".contains(&b);
    (!key.is_empty() && key.bytes().all(fits)).then(|| Part::Variable {
        key: key.to_owned(),
        default,
    })
}

fn symbols(text: &str, wild: bool) -> Vec<Symbol> {
    text.bytes()
        .map(|byte| match byte {
            b'*' if wild => Symbol::Many,
            b'?' if wild => Symbol::One,
            byte => Symbol::Byte(byte),
        })
        .collect()
}

/// Compares from the left; on a mismatch goes back to the last star only, and lets it take one character more.
fn fits(pattern: &[Symbol], text: &[u8], case: Case) -> bool {
    if pattern.iter().filter(|symbol| **symbol != Symbol::Many).count() > text.len() {
        return false;
    }
    let same = |a: u8, b: u8| match case {
        Case::Sensitive => a == b,
        Case::Insensitive => a.eq_ignore_ascii_case(&b),
    };
    let (mut at, mut read) = (0_usize, 0_usize);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(read) {
        match pattern.get(at) {
            Some(Symbol::Many) => {
                star = Some((at, read));
                at += 1;
            }
            Some(Symbol::One) => {
                at += 1;
                read += character_length(byte);
            }
            Some(Symbol::Byte(expected)) if same(*expected, byte) => {
                at += 1;
                read += 1;
            }
            Some(Symbol::Byte(_)) | None => {
                let Some((star_at, taken)) = star else {
                    return false;
                };
                let taken = taken + text.get(taken).map_or(1, |first| character_length(*first));
                star = Some((star_at, taken));
                at = star_at + 1;
                read = taken;
            }
        }
    }
    pattern.iter().skip(at).all(|symbol| *symbol == Symbol::Many)
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
        fn value(&self, key: &str) -> Option<&str> {
            key.eq_ignore_ascii_case(self.0).then_some(self.1)
        }
    }
    const NONE: One = One("", "");

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
    }

    #[test]
    fn variables_stand_for_values_and_values_are_never_wild() {
        let account = One("aws:PrincipalAccount", "1*");
        let pattern = Pattern::wild("x/${aws:principalaccount}/*").unwrap();
        assert!(pattern.matches("x/1*/y", Case::Sensitive, &account));
        assert!(!pattern.matches("x/12/y", Case::Sensitive, &account));
        assert!(!pattern.matches("x//y", Case::Sensitive, &NONE));
        assert!(
            Pattern::wild("${aws:x, 'none'}")
                .unwrap()
                .matches("none", Case::Sensitive, &NONE)
        );
        assert!(
            Pattern::wild("${*}")
                .unwrap()
                .matches("*", Case::Sensitive, &NONE)
        );
        assert!(
            !Pattern::wild("${*}")
                .unwrap()
                .matches("a", Case::Sensitive, &NONE)
        );
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
        #[test]
        fn agrees_with_the_definition(pattern in "[ab\u{e9}*?]{0,8}", text in "[ab\u{e9}]{0,10}") {
            let chars = |t: &str| t.chars().collect::<Vec<_>>();
            prop_assert_eq!(wild(&pattern, &text), by_definition(&chars(&pattern), &chars(&text)));
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
