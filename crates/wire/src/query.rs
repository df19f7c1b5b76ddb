//! Names and values of a URL query and of a form: decoded once, strictly, and wiped after use.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use moho_terms::Content;
use percent_encoding::percent_decode;

use crate::Failure;

/// Pairs in one query.
const MAX_PAIRS: usize = 10_000;

/// Names that may be given many times in a URL, with or without `[]`: lists, whose order says nothing.
const LISTS: [&str; 7] = [
    "tagKeys",
    "include",
    "group_by",
    "models",
    "user_ids",
    "project_ids",
    "api_key_ids",
];

/// Decoded pairs, by name.
pub(crate) struct Query {
    pairs: BTreeMap<String, Content>,
    /// The further values of lists, in their order.
    further: Vec<(String, Content)>,
}

impl Query {
    /// Decodes the query of a URL, where `+` is a plus, as it is in what SigV4 signs: what is done is what was signed.
    /// A signature says nothing about the order of parameters, so a name that has one value is given once.
    pub(crate) fn of_url(raw: &str) -> Result<Self, Failure> {
        Self::parse(raw.as_bytes(), decode, |name| {
            if LISTS.contains(&name.strip_suffix("[]").unwrap_or(name)) {
                Ok(())
            } else {
                Err(malformed("has a parameter twice"))
            }
        })
    }

    /// Decodes AWS's form in a URL: what [`Self::of_url`] decodes, and the refusals of [`Self::of_form`].
    pub(crate) fn of_form_in_url(raw: &str) -> Result<Self, Failure> {
        Self::parse(raw.as_bytes(), decode, |name| Err(twice(name)))
    }

    /// Decodes AWS's form, where `+` is a space. A name is given once: of two values, one would be overlooked.
    pub(crate) fn of_form(raw: &[u8]) -> Result<Self, Failure> {
        let spaced = |raw: &[u8]| {
            let spaced: Vec<u8> = raw.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
            decode(&zeroize::Zeroizing::new(spaced))
        };
        Self::parse(raw, spaced, |name| Err(twice(name)))
    }

    fn parse(
        raw: &[u8],
        decode: impl Fn(&[u8]) -> Result<String, Failure>,
        again: impl Fn(&str) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let (mut pairs, mut further) = (BTreeMap::new(), Vec::new());
        for pair in raw.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            if pairs.len().saturating_add(further.len()) >= MAX_PAIRS {
                return Err(malformed("has too many parameters"));
            }
            let mut halves = pair.splitn(2, |b| *b == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = Content::new(decode(halves.next().unwrap_or_default())?);
            match pairs.entry(name) {
                Entry::Vacant(vacant) => {
                    vacant.insert(value);
                }
                Entry::Occupied(first) => {
                    again(first.key())?;
                    further.push((first.key().clone(), value));
                }
            }
        }
        Ok(Self { pairs, further })
    }

    /// All values of a list, in their order.
    pub(crate) fn all(&self, list: &str) -> Vec<Content> {
        let first = self.pairs.get(list).into_iter();
        let further = self.further.iter().filter(|(name, _)| name == list);
        let all = first.chain(further.map(|(_, value)| value));
        all.map(|value| Content::new(value.expose().to_owned())).collect()
    }

    /// The value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.get(name).map(Content::expose)
    }

    /// Refuses a form that has a name which another, read beside it, has too.
    pub(crate) fn apart_from(&self, other: &Self) -> Result<(), Failure> {
        let both = self.pairs.keys().find(|name| other.pairs.contains_key(*name));
        both.map_or(Ok(()), |name| Err(twice(name)))
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

/// All values of a list in a URL's query, in their order, whether or not its name has `[]`.
pub(crate) fn every(raw: &str, list: &str) -> Result<Vec<String>, Failure> {
    let mut values = Vec::new();
    for pair in raw.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name.as_bytes())?;
        if name.strip_suffix("[]").unwrap_or(&name) == list {
            values.push(decode(value.as_bytes())?);
        }
    }
    Ok(values)
}

fn decode(raw: &[u8]) -> Result<String, Failure> {
    match percent_decode(raw).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(malformed("is not valid UTF-8")),
    }
}

/// AWS's refusal of a name that is given more than once. What has not the form of a member's name is not repeated.
fn twice(name: &str) -> Failure {
    let fits = name.len() <= 64
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let named = if fits { name } else { "(not a name)" };
    Failure::Validation(format!("The parameter {named} is given more than once."))
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

    #[test]
    fn a_name_is_given_once_in_a_url() {
        for raw in ["a=1&b=2&a=3", "a=1&a=1", "a&%61"] {
            assert!(
                matches!(Query::of_url(raw), Err(Failure::Invalid { .. })),
                "{raw}"
            );
            let told = Failure::Validation("The parameter a is given more than once.".to_owned());
            assert_eq!(Query::of_form(raw.as_bytes()).err(), Some(told.clone()), "{raw}");
            assert_eq!(Query::of_form_in_url(raw).err(), Some(told), "{raw}");
        }
        assert!(Query::of_form_in_url("models=a&models=b").is_err());
        let Err(Failure::Validation(told)) = Query::of_form(b"my+words=1&my+words=2") else {
            panic!("another failure")
        };
        assert!(!told.contains("words"), "{told}");
        assert!(Query::of_url("include[]=a&include[]=b&include=c&include=d").is_ok());
        let listed = every("models=a&models%5B%5D=b&model=c&models[]=%2Bd", "models").unwrap();
        assert_eq!(listed, ["a", "b", "+d"]);
    }
}
