//! Bytes to [`Json`]: RFC 8259, at most 64 levels deep and half a million values.

use moho_terms::Content;
use zeroize::Zeroizing;

use super::Json;

/// Arrays and objects inside each other.
const MAX_DEPTH: u32 = 64;
/// Values in one document: a bound on memory, which may be 20 times the size of a body of `[1,1,1,…]`.
const MAX_VALUES: u32 = 500_000;

/// Why bytes are not JSON that is taken. Holds nothing of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub(crate) struct JsonError {
    reason: &'static str,
    offset: usize,
}

/// Reads one JSON value, with nothing but white space around it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Json, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|error| JsonError {
        reason: "the text is not valid UTF-8",
        offset: error.valid_up_to(),
    })?;
    let mut parser = Parser {
        text,
        at: 0,
        values: 0,
    };
    parser.space();
    let value = parser.value(MAX_DEPTH)?;
    parser.space();
    if parser.at == text.len() {
        Ok(value)
    } else {
        Err(parser.error("unexpected text after the value"))
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    values: u32,
}

impl Parser<'_> {
    fn error(&self, reason: &'static str) -> JsonError {
        JsonError {
            reason,
            offset: self.at,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: u32) -> Result<Json, JsonError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(self.error("too many values"));
        }
        match self.peek() {
            Some(b'"') => self.string().map(Json::String),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(_) => Err(self.error("expected a value")),
            None => Err(self.error("unexpected end")),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, JsonError> {
        if self
            .text
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word))
        {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.error("expected a value"))
        }
    }

    fn deeper(&self, depth: u32) -> Result<u32, JsonError> {
        depth
            .checked_sub(1)
            .ok_or_else(|| self.error("nested more than 64 levels deep"))
    }

    fn array(&mut self, depth: u32) -> Result<Json, JsonError> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            self.space();
            items.push(self.value(depth)?);
            self.space();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            if !self.take(b',') {
                return Err(self.error("expected `,` or `]`"));
            }
        }
    }

    fn object(&mut self, depth: u32) -> Result<Json, JsonError> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        let mut members = Vec::new();
        self.space();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a key in quotes"));
            }
            let name = self.string()?;
            self.space();
            if !self.take(b':') {
                return Err(self.error("expected `:`"));
            }
            self.space();
            members.push((name, self.value(depth)?));
            self.space();
            if self.take(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.take(b',') {
                return Err(self.error("expected `,` or `}`"));
            }
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.error("expected a digit"))
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign: bool = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(Json::Number(self.text.get(start..self.at).unwrap_or("0").into()))
    }

    fn string(&mut self) -> Result<Content, JsonError> {
        self.at += 1;
        let start = self.at;
        // The first pass finds the end, so that the text is allocated once and never moves.
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(0..=31) => return Err(self.error("a control character must be escaped")),
                Some(_) => self.at += 1,
                None => return Err(self.error("a string does not end")),
            }
        }
        let end = self.at;
        let raw = self
            .text
            .get(start..end)
            .ok_or_else(|| self.error("a string does not end"))?;
        self.at = end + 1;
        if escaped {
            self.unescape(raw, start)
        } else {
            Ok(Content::new(raw.to_owned()))
        }
    }

    fn unescape(&self, raw: &str, start: usize) -> Result<Content, JsonError> {
        let error = |reason: &'static str, rest: &str| JsonError {
            reason,
            offset: start + raw.len() - rest.len(),
        };
        let mut text = Zeroizing::new(String::with_capacity(raw.len()));
        let mut rest = raw;
        while let Some((plain, after)) = rest.split_once('\\') {
            text.push_str(plain);
            let mut letters = after.chars();
            let letter = letters
                .next()
                .ok_or_else(|| error("an escape does not end", rest))?;
            rest = letters.as_str();
            text.push(match letter {
                '"' | '\\' | '/' => letter,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    unicode(&mut rest).ok_or_else(|| error("an escape is not one Unicode character", rest))?
                }
                _ => return Err(error("an unknown escape", rest)),
            });
        }
        text.push_str(rest);
        Ok(Content::new(std::mem::take(&mut *text)))
    }
}

/// The character of `\uXXXX` or of a surrogate pair, `\u` of the first already taken. A lone surrogate is none.
fn unicode(rest: &mut &str) -> Option<char> {
    let first = hex4(rest)?;
    if !(0xd800..0xe000).contains(&first) {
        return char::from_u32(first);
    }
    *rest = rest.strip_prefix("\\u")?;
    let second = hex4(rest)?;
    if !(0xd800..0xdc00).contains(&first) || !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}

fn hex4(rest: &mut &str) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    digits
        .bytes()
        .all(|b| b.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}
