//! The models' patterns are Java's; here they are put into words `regex` means the same by.

use regex::{Regex, RegexBuilder};

/// Patterns that look ahead, which `regex` does not do, and what means the same.
const LOOKING_AHEAD: [(&str, &str); 1] = [(
    "^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$",
    // The shape's own limits keep its length.
    "[a-z0-9]+(-[a-z0-9]+)*",
)];

/// Compiles a pattern that has to match a whole value.
pub(super) fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    let plain = LOOKING_AHEAD.iter().find(|(ahead, _)| *ahead == pattern);
    let pattern = plain.map_or(pattern, |(_, plain)| plain);
    RegexBuilder::new(&format!(r"\A(?:{})\z", translate(pattern)))
        .size_limit(1 << 20)
        .build()
}

/// In Java `\w`, `\d` and `\s` are ASCII, here they would be Unicode. A class within a class is their union, so the
/// same text fits inside and outside of brackets.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('w') => out.push_str("[0-9A-Za-z_]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('s') => out.push_str(r"[ \t\n\x0B\f\r]"),
            Some('S') => out.push_str(r"[^ \t\n\x0B\f\r]"),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push_str(r"\\"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ascii_and_match_whole_values() {
        let name = whole(r"[\w+=,.@-]*").unwrap();
        assert!(name.is_match("me@example.org") && name.is_match(""));
        for text in ["é", "a b", "a\n", "a/b"] {
            assert!(!name.is_match(text), "{text}");
        }
        assert!(whole(r"[\d]*").unwrap().is_match("123456"));
        let alias = whole(LOOKING_AHEAD[0].0).unwrap();
        assert!(alias.is_match("a-b-c") && !alias.is_match("a--b") && !alias.is_match("-a"));
        assert!(!whole(r"\d|b").unwrap().is_match("1b"));
    }
}
