//! Where the statements of a document stand in its text: simulations point at them.

use std::ops::Range;

use crate::authz::TextPosition;

/// The byte ranges of the statements of a document, in their order. The text was parsed before: what is no policy has
/// none.
pub(super) fn statements(text: &str) -> Vec<Range<usize>> {
    let mut scan = Scan {
        bytes: text.as_bytes(),
        at: 0,
    };
    scan.statements().unwrap_or_default()
}

/// Where the statements of a document begin and end, in their order.
pub(super) fn of_statements(text: &str) -> Vec<(TextPosition, TextPosition)> {
    let mut walk = Walk {
        text,
        at: 0,
        place: START,
    };
    let ranges = statements(text).into_iter();
    ranges
        .map(|range| (walk.to(range.start), walk.to(range.end)))
        .collect()
}

/// Where a document begins and ends.
pub(super) fn of_all(text: &str) -> (TextPosition, TextPosition) {
    let mut walk = Walk {
        text,
        at: 0,
        place: START,
    };
    (START, walk.to(text.len()))
}

const START: TextPosition = TextPosition { line: 1, column: 1 };

/// Goes through a text once, forwards, and counts lines and characters.
struct Walk<'a> {
    text: &'a str,
    at: usize,
    place: TextPosition,
}

impl Walk<'_> {
    /// The line and the column, both from 1, of the character at byte `at`.
    fn to(&mut self, at: usize) -> TextPosition {
        for character in self.text.get(self.at..at).unwrap_or("").chars() {
            if character == '\n' {
                self.place.line = self.place.line.saturating_add(1);
                self.place.column = 1;
            } else {
                self.place.column = self.place.column.saturating_add(1);
            }
        }
        self.at = self.at.max(at);
        self.place
    }
}

/// A reader of JSON that is known to be well-formed.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// The document is an object; its member `Statement` is a statement or a list of them.
    fn statements(&mut self) -> Option<Vec<Range<usize>>> {
        self.take(b'{')?;
        loop {
            let key = self.value()?;
            self.take(b':')?;
            if self.bytes.get(key) != Some(b"\"Statement\"") {
                self.value()?;
            } else if self.peek()? == b'[' {
                return self.list();
            } else {
                return self.value().map(|one| vec![one]);
            }
            self.take(b',')?;
        }
    }

    fn list(&mut self) -> Option<Vec<Range<usize>>> {
        let mut items = Vec::new();
        self.take(b'[')?;
        while self.peek()? != b']' {
            items.push(self.value()?);
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        Some(items)
    }

    /// Skips white space and tells the next byte.
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    /// Skips one value and tells where it stood.
    fn value(&mut self) -> Option<Range<usize>> {
        self.peek()?;
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.bytes.get(self.at)? {
                b'"' => self.string()?,
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => return Some(start..self.at),
                b'}' | b']' => depth -= 1,
                b',' | b':' if depth == 0 => return Some(start..self.at),
                byte if depth == 0 && byte.is_ascii_whitespace() => return Some(start..self.at),
                _ => {}
            }
            self.at += 1;
            let closed = matches!(self.bytes.get(self.at.checked_sub(1)?)?, b'"' | b'}' | b']');
            if depth == 0 && closed {
                return Some(start..self.at);
            }
        }
    }

    /// From the opening quote to the closing one.
    fn string(&mut self) -> Option<()> {
        loop {
            self.at += 1;
            match self.bytes.get(self.at)? {
                b'\\' => self.at += 1,
                b'"' => return Some(()),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_found_where_they_stand() {
        let text = "{\"Version\": \"2012-10-17\",\n \"Id\":\"a,}\\\"\",\"Statement\" : [ {\"a\":[1,{}]},\n  {\"b\":\"]\"} ] }";
        let found: Vec<&str> = statements(text)
            .into_iter()
            .map(|range| text.get(range).unwrap())
            .collect();
        assert_eq!(found, ["{\"a\":[1,{}]}", "{\"b\":\"]\"}"]);
        let one = r#"{"Statement":{"x":{}},"Version":"x"}"#;
        let found: Vec<&str> = statements(one)
            .into_iter()
            .map(|range| one.get(range).unwrap())
            .collect();
        assert_eq!(found, [r#"{"x":{}}"#]);
        let at = |line, column| TextPosition { line, column };
        assert_eq!(
            of_statements(text),
            [(at(2, 31), at(2, 43)), (at(3, 3), at(3, 12))]
        );
        assert_eq!(of_all("{\n\u{fc}}"), (at(1, 1), at(2, 3)));
    }

    #[test]
    fn what_is_no_document_has_no_statements() {
        for text in [
            "",
            "{",
            "[]",
            "{\"Statement\"",
            "{\"Statement\":[",
            "{\"a\":1}",
            "\"",
            "{\"Statement\":[\"\\",
        ] {
            assert!(statements(text).is_empty(), "{text}");
        }
    }
}
