//! What conditions can ask about a request.

use std::collections::BTreeMap;

/// Condition keys with their values. Keys are compared without regard to case, as IAM does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// No keys at all. The `aws:` keys that every request has are added by the
    /// [`Authorizer`](super::Authorizer), which overwrites what a caller set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With `key` set to one value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.set(key, vec![value.into()]);
        self
    }

    /// Sets `key` to its values.
    pub fn set(&mut self, key: &str, values: Vec<String>) {
        self.0.insert(key.to_ascii_lowercase(), values);
    }

    /// Sets `key`, which is in lower case, to one value, or to none.
    pub(super) fn replace(&mut self, key: &str, value: Option<String>) {
        match value {
            Some(value) => self.0.insert(key.to_owned(), vec![value]),
            None => self.0.remove(key),
        };
    }

    /// The keys that begin with `prefix`, which is in lower case, with their values.
    pub fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = (&str, &[String])> {
        self.0
            .iter()
            .filter(move |(key, _)| key.starts_with(prefix))
            .map(|(key, values)| (key.as_str(), values.as_slice()))
    }

    /// The values of `key`; `None` if the request has no such key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
    }
}
