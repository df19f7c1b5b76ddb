//! [`Json`] and replies to bytes. Buffers that grow are wiped, as they hold a tenant's words.

use moho_terms::ContentBytes;
use zeroize::Zeroizing;

use super::Json;

/// A writer of JSON, and of the lines of an event stream around it.
pub(crate) struct Writer {
    out: Zeroizing<Vec<u8>>,
}

impl Writer {
    /// An empty document.
    pub(crate) fn new() -> Self {
        Self {
            out: Zeroizing::new(Vec::with_capacity(512)),
        }
    }

    /// The bytes written.
    pub(crate) fn finish(mut self) -> ContentBytes {
        ContentBytes::new(std::mem::take(&mut *self.out))
    }

    /// The bytes so far.
    pub(crate) fn written(&self) -> &[u8] {
        &self.out
    }

    /// Bytes as they are.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let needed = self.out.len().saturating_add(bytes.len());
        if needed > self.out.capacity() {
            let mut grown = Zeroizing::new(Vec::with_capacity(needed.saturating_mul(2)));
            grown.extend_from_slice(&self.out);
            self.out = grown;
        }
        self.out.extend_from_slice(bytes);
    }

    /// A comma, if a value or member stands before.
    fn separate(&mut self) {
        let value_before = self
            .out
            .last()
            .is_some_and(|b| matches!(b, b'"' | b'}' | b']') || b.is_ascii_alphanumeric());
        if value_before {
            self.put(b",");
        }
    }

    fn quote(&mut self, text: &str) {
        self.put(b"\"");
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            let escape = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                0..=31 | 127 => "",
                _ => continue,
            };
            self.put(text.as_bytes().get(plain..at).unwrap_or_default());
            plain = at + 1;
            if escape.is_empty() {
                self.put(format!("\\u{byte:04x}").as_bytes());
            } else {
                self.put(escape.as_bytes());
            }
        }
        self.put(text.as_bytes().get(plain..).unwrap_or_default());
        self.put(b"\"");
    }

    /// A string as the next value.
    pub(crate) fn string(&mut self, text: &str) {
        self.separate();
        self.quote(text);
    }

    /// Text that is JSON already, as the next value or members.
    pub(crate) fn raw(&mut self, json: &[u8]) {
        self.separate();
        self.put(json);
    }

    /// An object as the next value.
    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.separate();
        self.put(b"{");
        members(self);
        self.put(b"}");
    }

    /// An array as the next value.
    pub(crate) fn array(&mut self, items: impl FnOnce(&mut Self)) {
        self.separate();
        self.put(b"[");
        items(self);
        self.put(b"]");
    }

    /// The name of the next member, whose value follows.
    pub(crate) fn key(&mut self, name: &str) -> &mut Self {
        self.separate();
        self.quote(name);
        self.put(b":");
        self
    }

    /// A member with a string.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.key(name).quote(text);
    }

    /// A member with a string or null.
    pub(crate) fn text_or_null(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => self.fixed(name, "null"),
        }
    }

    /// A member with a number.
    pub(crate) fn number(&mut self, name: &str, number: u64) {
        self.key(name).put(number.to_string().as_bytes());
    }

    /// A member with a constant that is JSON already.
    pub(crate) fn fixed(&mut self, name: &str, json: &str) {
        self.key(name).put(json.as_bytes());
    }

    /// A parsed value as the next value.
    pub(crate) fn json(&mut self, json: &Json) {
        match json {
            Json::Null => self.raw(b"null"),
            Json::Bool(true) => self.raw(b"true"),
            Json::Bool(false) => self.raw(b"false"),
            Json::Number(text) => self.raw(text.as_bytes()),
            Json::String(text) => self.string(text.expose()),
            Json::Array(items) => self.array(|w| items.iter().for_each(|item| w.json(item))),
            Json::Object(members) => self.object(|w| {
                for (name, value) in members {
                    w.key(name.expose()).json(value);
                }
            }),
        }
    }
}
