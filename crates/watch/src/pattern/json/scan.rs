//! Reads an event as JSON (RFC 8259) in one pass, builds nothing, and tells what stands where selectors end.

use std::borrow::Cow;

use super::path::Paths;

/// How deep an event may be nested; a deeper one is none that a pattern matches.
pub(in crate::pattern) const MAX_DEPTH: usize = 128;

/// What stands where a selector ends.
#[derive(Clone, Copy)]
pub(super) enum Node<'e> {
    Text(RawText<'e>),
    Number(&'e str),
    True,
    False,
    Null,
    Object,
    Array,
}

/// A string between its quotation marks as it was written.
#[derive(Clone, Copy)]
pub(super) struct RawText<'e> {
    raw: &'e str,
    escaped: bool,
}

impl<'e> RawText<'e> {
    /// What it means. Half of a surrogate pair is replaced.
    pub(super) fn text(self) -> Cow<'e, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut text = String::with_capacity(self.raw.len());
        let mut units = Vec::new();
        let mut letters = self.raw.chars();
        while let Some(letter) = letters.next() {
            let plain = match (letter, letter == '\\') {
                (_, true) => match letters.next() {
                    Some('u') => {
                        let digits = letters.by_ref().take(4).filter_map(|digit| digit.to_digit(16));
                        let unit = digits.fold(0, |unit, digit| unit * 16 + digit);
                        units.push(u16::try_from(unit).unwrap_or(0xFFFD));
                        continue;
                    }
                    Some('b') => '\u{8}',
                    Some('f') => '\u{c}',
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some(itself) => itself,
                    None => break,
                },
                (letter, false) => letter,
            };
            text.push_str(&String::from_utf16_lossy(&units));
            units.clear();
            text.push(plain);
        }
        text.push_str(&String::from_utf16_lossy(&units));
        Cow::Owned(text)
    }
}

/// Follows `event` through `paths` and says to `found` the number of each selector that ends somewhere, and what is there.
/// False if the event is not one object or array of JSON, whatever was found before.
pub(super) fn scan<'e>(event: &'e str, paths: &Paths, found: &mut impl FnMut(usize, Node<'e>)) -> bool {
    let mut scan = Scan {
        text: event,
        bytes: event.as_bytes(),
        at: 0,
    };
    let starts = matches!(scan.peek(), Some(b'{' | b'['));
    starts && scan.value(paths, Some(0), MAX_DEPTH, found).is_some() && scan.peek().is_none()
}

struct Scan<'e> {
    text: &'e str,
    bytes: &'e [u8],
    at: usize,
}

impl<'e> Scan<'e> {
    /// The next byte that is not blank, which is not passed.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn eat(&mut self, wanted: u8) -> Option<()> {
        let is_next = self.peek()? == wanted;
        self.at += usize::from(is_next);
        is_next.then_some(())
    }

    /// A value at a place of the table, or anywhere else if there is none. `room` is how much deeper it may go.
    fn value(
        &mut self,
        paths: &Paths,
        place: Option<usize>,
        room: usize,
        found: &mut impl FnMut(usize, Node<'e>),
    ) -> Option<()> {
        let Some(place) = place.and_then(|place| paths.place(place)) else {
            return self.skip(room);
        };
        let node = match self.peek()? {
            b'{' => Node::Object,
            b'[' => Node::Array,
            _ => self.scalar()?,
        };
        for end in &place.ends {
            found(*end, node);
        }
        match node {
            Node::Object if place.has_fields() => self.members(room, |scan, name, room| {
                scan.value(paths, place.field(&name), room, found)
            }),
            Node::Array if place.has_elements() => self.elements(room, |scan, at, room| {
                scan.value(paths, place.element(at), room, found)
            }),
            Node::Object | Node::Array => self.skip(room),
            Node::Text(_) | Node::Number(_) | Node::True | Node::False | Node::Null => Some(()),
        }
    }

    fn members(
        &mut self,
        room: usize,
        mut member: impl FnMut(&mut Self, Cow<'e, str>, usize) -> Option<()>,
    ) -> Option<()> {
        let room = room.checked_sub(1)?;
        self.eat(b'{')?;
        if self.peek()? == b'}' {
            return self.eat(b'}');
        }
        loop {
            self.eat(b'"')?;
            let name = self.string()?.text();
            self.eat(b':')?;
            member(self, name, room)?;
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.eat(b'}'),
            }
        }
    }

    fn elements(
        &mut self,
        room: usize,
        mut element: impl FnMut(&mut Self, usize, usize) -> Option<()>,
    ) -> Option<()> {
        let room = room.checked_sub(1)?;
        self.eat(b'[')?;
        if self.peek()? == b']' {
            return self.eat(b']');
        }
        let mut number = 0;
        loop {
            element(self, number, room)?;
            number += 1;
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.eat(b']'),
            }
        }
    }

    /// Passes a whole value that no selector leads into. What is open is a bit each: set for objects.
    fn skip(&mut self, room: usize) -> Option<()> {
        let (mut open, mut depth) = (0_u128, 0_usize);
        loop {
            match self.peek()? {
                kind @ (b'{' | b'[') => {
                    self.at += 1;
                    depth += 1;
                    if depth > room {
                        return None;
                    }
                    open = (open << 1) | u128::from(kind == b'{');
                    let end = if kind == b'{' { b'}' } else { b']' };
                    if self.peek()? != end {
                        self.name_in(open)?;
                        continue;
                    }
                }
                _ => {
                    self.scalar()?;
                }
            }
            // A value has ended: so may what it is in.
            loop {
                if depth == 0 {
                    return Some(());
                }
                let end = if open & 1 == 1 { b'}' } else { b']' };
                let next = self.peek()?;
                self.at += 1;
                if next == b',' {
                    break;
                }
                if next != end {
                    return None;
                }
                open >>= 1;
                depth -= 1;
            }
            self.name_in(open)?;
        }
    }

    /// The name before a value, if the innermost thing that is open is an object.
    fn name_in(&mut self, open: u128) -> Option<()> {
        if open & 1 == 1 {
            self.eat(b'"')?;
            self.string()?;
            self.eat(b':')?;
        }
        Some(())
    }

    fn scalar(&mut self) -> Option<Node<'e>> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.string().map(Node::Text)
            }
            b't' => self.word("true", Node::True),
            b'f' => self.word("false", Node::False),
            b'n' => self.word("null", Node::Null),
            _ => self.number().map(Node::Number),
        }
    }

    fn word(&mut self, word: &str, node: Node<'e>) -> Option<Node<'e>> {
        let rest = self.bytes.get(self.at..)?;
        self.at += word.len();
        rest.starts_with(word.as_bytes()).then_some(node)
    }

    /// What is left of a string whose opening mark is passed.
    fn string(&mut self) -> Option<RawText<'e>> {
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(self.at..)?;
            let stop = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F))?;
            self.at += stop + 1;
            match rest.get(stop)? {
                b'"' => break,
                b'\\' => escaped = true,
                _ => return None,
            }
            match self.bytes.get(self.at)? {
                b'u' => {
                    let digits = self.bytes.get(self.at + 1..self.at + 5)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    self.at += 5;
                }
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                _ => return None,
            }
        }
        let raw = self.text.get(start..self.at - 1)?;
        Some(RawText { raw, escaped })
    }

    fn number(&mut self) -> Option<&'e str> {
        let start = self.at;
        self.one_of(b"-");
        if !self.one_of(b"0") {
            self.digits()?;
        }
        if self.one_of(b".") {
            self.digits()?;
        }
        if self.one_of(b"eE") {
            self.one_of(b"+-");
            self.digits()?;
        }
        self.text.get(start..self.at)
    }

    fn one_of(&mut self, wanted: &[u8]) -> bool {
        let is_next = self.bytes.get(self.at).is_some_and(|byte| wanted.contains(byte));
        self.at += usize::from(is_next);
        is_next
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let end = rest
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(rest.len());
        self.at += end;
        (end > 0).then_some(())
    }
}
