//! Names and values of a URL query and of a form: decoded once, strictly, and wiped after use.

use std::collections::BTreeMap;

use moho_terms::Content;
use percent_encoding::percent_decode;

use crate::Failure;

/// Pairs in one query.
const MAX_PAIRS: usize = 10_000;

/// Decoded pairs, by name.
pub(crate) struct Query {
    pairs: BTreeMap<String, Content>,
}

impl Query {
    /// Decodes the query of a URL, where `+` is a plus, as it is in what SigV4 signs: what is done is what was signed.
    pub(crate) fn of_url(raw: &str) -> Result<Self, Failure> {
        Self::parse(raw.as_bytes(), decode)
    }

    /// Decodes a form, where `+` is a space. Of two pairs with one name the first counts, as it does at AWS.
    pub(crate) fn of_form(raw: &[u8]) -> Result<Self, Failure> {
        Self::parse(raw, |raw| {
            let spaced: Vec<u8> = raw.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
            decode(&zeroize::Zeroizing::new(spaced))
        })
    }

    fn parse(raw: &[u8], decode: impl Fn(&[u8]) -> Result<String, Failure>) -> Result<Self, Failure> {
        let mut pairs = BTreeMap::new();
        for pair in raw.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            if pairs.len() >= MAX_PAIRS {
                return Err(malformed("has too many parameters"));
            }
            let mut halves = pair.splitn(2, |b| *b == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = Content::new(decode(halves.next().unwrap_or_default())?);
            pairs.entry(name).or_insert(value);
        }
        Ok(Self { pairs })
    }

    /// The value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.get(name).map(Content::expose)
    }

    /// Whether a name starts with `prefix`.
    pub(crate) fn has_prefix(&self, prefix: &str) -> bool {
        let from = self
            .pairs
            .range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        from.map(|(name, _)| name)
            .next()
            .is_some_and(|name| name.starts_with(prefix))
    }
}

fn decode(raw: &[u8]) -> Result<String, Failure> {
    match percent_decode(raw).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(malformed("is not valid UTF-8")),
    }
}

fn malformed(why: &str) -> Failure {
    Failure::Invalid {
        message: format!("The request's query or form {why}."),
        param: None,
        code: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_is_a_plus_in_a_url_and_a_space_in_a_form() {
        let raw = "a+b=c+d&e=f%2Bg%20h";
        let url = Query::of_url(raw).ok().unwrap();
        assert_eq!((url.get("a+b"), url.get("e")), (Some("c+d"), Some("f+g h")));
        let form = Query::of_form(raw.as_bytes()).ok().unwrap();
        assert_eq!((form.get("a b"), form.get("e")), (Some("c d"), Some("f+g h")));
    }
}
