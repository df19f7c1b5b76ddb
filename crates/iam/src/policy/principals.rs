//! The principals that a policy document names: told apart, and exchanged, without touching any other byte.
//!
//! Whoever keeps a document binds the roles and users it names to their unique ids. A principal that is deleted and made
//! again has another id: its old name is then exchanged for the id, which nobody has any more.

/// Where in the document the walk is.
#[derive(Default)]
struct Place {
    frames: Vec<Frame>,
    /// How many statements have begun.
    statements: usize,
}

/// A principal where a document names it.
pub struct PlacedPrincipal<'a> {
    /// In which statement, from 0.
    pub statement: usize,
    /// Whether under `NotPrincipal`.
    pub excepted: bool,
    /// `AWS`, `Service` or the like.
    pub kind: &'a str,
    /// What stands there.
    pub name: &'a str,
}

enum Frame {
    /// In an object: the last key, and whether a key comes next.
    Object {
        key: String,
        key_next: bool,
    },
    Array,
}

impl Place {
    /// Takes a character outside of strings.
    fn step(&mut self, character: char) {
        match character {
            '{' => {
                if self.is_at_statements() {
                    self.statements = self.statements.saturating_add(1);
                }
                self.frames.push(Frame::Object {
                    key: String::new(),
                    key_next: true,
                });
            }
            '[' => self.frames.push(Frame::Array),
            '}' | ']' => {
                self.frames.pop();
            }
            ',' | ':' => {
                if let Some(Frame::Object { key_next, .. }) = self.frames.last_mut() {
                    *key_next = character == ',';
                }
            }
            _ => {}
        }
    }

    /// Takes a string; whether it is a value.
    fn take(&mut self, string: &str) -> bool {
        match self.frames.last_mut() {
            Some(Frame::Object { key, key_next: true }) => {
                string.clone_into(key);
                false
            }
            _ => true,
        }
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.frames.iter().filter_map(|frame| match frame {
            Frame::Object { key, .. } => Some(key.as_str()),
            Frame::Array => None,
        })
    }

    /// Whether an object that begins here is a statement.
    fn is_at_statements(&self) -> bool {
        let mut keys = self.keys();
        (keys.next(), keys.next()) == (Some("Statement"), None)
    }

    /// The principal of this name, if the walk is at a principal's value.
    fn principal<'a>(&'a self, name: &'a str) -> Option<PlacedPrincipal<'a>> {
        let mut keys = self.keys();
        let path = (keys.next(), keys.next(), keys.next(), keys.next());
        match path {
            (Some("Statement"), Some(element @ ("Principal" | "NotPrincipal")), Some(kind), None) => {
                Some(PlacedPrincipal {
                    statement: self.statements.saturating_sub(1),
                    excepted: element == "NotPrincipal",
                    kind,
                    name,
                })
            }
            _ => None,
        }
    }
}

/// The bytes of the string that `text` begins with, its quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at.saturating_add(1),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The document `text` with every principal for which `exchange` has another name under that name. It is told the kind,
/// such as `AWS`, and the name. `text` must be a document that was parsed; any other text comes back in parts unchanged.
#[must_use]
pub fn exchange_principals(text: &str, mut exchange: impl FnMut(&str, &str) -> Option<String>) -> String {
    exchange_placed_principals(text, |principal| exchange(principal.kind, principal.name))
}

/// The same; `exchange` is told where the principal stands, too.
#[must_use]
pub fn exchange_placed_principals(
    text: &str,
    mut exchange: impl FnMut(&PlacedPrincipal<'_>) -> Option<String>,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut place = Place::default();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if first == '"' {
            string_length(rest)
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        rest = after;
        if first != '"' {
            place.step(first);
            out.push_str(token);
            continue;
        }
        let string: String = serde_json::from_str(token).unwrap_or_default();
        let new = if place.take(&string) {
            place
                .principal(&string)
                .and_then(|principal| exchange(&principal))
        } else {
            None
        };
        match new.and_then(|new| serde_json::to_string(&new).ok()) {
            Some(new) => out.push_str(&new),
            None => out.push_str(token),
        }
    }
    out
}

/// The principals that a document names, each with its kind, such as `AWS`. `*` on its own is not among them.
#[must_use]
pub fn named_principals(text: &str) -> Vec<(String, String)> {
    let mut named = Vec::new();
    let unchanged = exchange_principals(text, |kind, name| {
        named.push((kind.to_owned(), name.to_owned()));
        None
    });
    drop(unchanged);
    named
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DOCUMENT: &str = r#"{ "Version": "2012-10-17", "Id": "Principal",
        "Statement": [
            { "Effect": "Allow", "Principal": { "AWS": ["arn:a", "arn:\u0061"], "Service": "s.amazonaws.com" },
              "Action": "sts:AssumeRole", "Condition": { "ArnEquals": { "AWS": "arn:a" }, "Principal": { "AWS": "arn:a" } } },
            { "Effect": "Deny", "NotPrincipal": { "AWS": "arn:b\"]}" }, "Action": "AWS" },
            { "Effect": "Allow", "Principal": "*", "Action": "arn:a" } ] }"#;

    #[test]
    fn principals_are_found_where_they_are_and_nowhere_else() {
        let named = named_principals(DOCUMENT);
        let named: Vec<(&str, &str)> = named
            .iter()
            .map(|(kind, name)| (kind.as_str(), name.as_str()))
            .collect();
        let expected = [
            ("AWS", "arn:a"),
            ("AWS", "arn:a"),
            ("Service", "s.amazonaws.com"),
            ("AWS", "arn:b\"]}"),
        ];
        assert_eq!(named, expected);
        let one = r#"{"Statement":{"Principal":{"AWS":"x"}}}"#;
        assert_eq!(named_principals(one), [("AWS".to_owned(), "x".to_owned())]);
    }

    #[test]
    fn each_principal_is_told_with_its_place() {
        let mut places = Vec::new();
        let unchanged = exchange_placed_principals(DOCUMENT, |principal| {
            places.push((principal.statement, principal.excepted));
            None
        });
        assert_eq!(unchanged, DOCUMENT);
        assert_eq!(places, [(0, false), (0, false), (0, false), (1, true)]);
    }

    #[test]
    fn only_what_is_exchanged_changes() {
        let changed = exchange_principals(DOCUMENT, |_, name| (name == "arn:a").then(|| "ID".to_owned()));
        let expected = DOCUMENT.replace(r#"["arn:a", "arn:\u0061"]"#, r#"["ID", "ID"]"#);
        assert_eq!(changed, expected);
        assert_eq!(exchange_principals(DOCUMENT, |_, _| None), DOCUMENT);
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_it_was(text in r#"[\[\]{}:,"\\ a-cPrincipalAWS]{0,60}"#) {
            prop_assert_eq!(exchange_principals(&text, |_, _| None), text);
        }
    }
}
