//! Patterns of other things than policies: settings and filters have the same `*` and `?`, and the same matcher.

use std::fmt;

use super::pattern::Pattern;

/// Text to compare with, in which `*` is any characters and `?` is one. It prints as it was written.
#[derive(Clone, PartialEq, Eq)]
pub struct TextPattern {
    written: Box<str>,
    pattern: Pattern,
}

impl TextPattern {
    /// The pattern that is written `text`; `None` if it has a `?` and more than 2048 bytes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        Self::of(text, Pattern::plain(text, true))
    }

    /// The same, where what follows a backslash is itself.
    #[must_use]
    pub fn with_escapes(text: &str) -> Option<Self> {
        Self::of(text, Pattern::escaped(text))
    }

    fn of(text: &str, pattern: Option<Pattern>) -> Option<Self> {
        let written = text.into();
        pattern.map(|pattern| Self { written, pattern })
    }

    /// Whether all of `text` fits, with regard to case. That takes no longer than the length of text times pattern.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        self.pattern.fits(text)
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

impl fmt::Display for TextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Debug for TextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_takes_what_is_special_away_where_it_counts() {
        for (pattern, text, plain, escaped) in [
            ("vpce-*", "vpce-1", true, true),
            ("*", "", true, true),
            ("?", "", false, false),
            ("a*c*f", "abcde", false, false),
            ("A", "a", false, false),
            ("a\\*", "a*", false, true),
            ("a\\*", "a\\b", true, false),
            ("a\\?", "a?", false, true),
            ("a\\b", "ab", false, true),
            ("\\\\*", "\\x", false, true),
            ("a\\", "a\\", true, true),
            ("\\\u{e9}*", "\u{e9}x", false, true),
            ("?\\*", "\u{e9}*", false, true),
        ] {
            assert_eq!(
                TextPattern::new(pattern).unwrap().fits(text),
                plain,
                "{pattern} {text}"
            );
            let with = TextPattern::with_escapes(pattern).unwrap();
            assert_eq!(with.fits(text), escaped, "{pattern} {text}");
            assert_eq!(with.as_str(), pattern);
        }
        assert_eq!(TextPattern::new(&"?".repeat(2049)), None);
        assert_eq!(TextPattern::with_escapes(&"\\?".repeat(2049)), None);
    }
}
