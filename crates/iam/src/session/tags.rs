//! Session tags: attributes that a caller gives the session it asks for, and which of them every later session of the
//! chain keeps.

use std::collections::{BTreeMap, BTreeSet};

/// The most tags of one session, inherited ones included.
const MOST: usize = 50;
/// The most characters of a key, and of a value.
const KEY: usize = 128;
const VALUE: usize = 256;

/// Why tags cannot be given so. The texts are AWS's where it is known what AWS says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// More than 50.
    #[error("A session has at most {MOST} tags, those that it inherits included.")]
    TooMany,
    /// A key or value that no tag has.
    #[error(
        "A tag key has 1 to {KEY} characters, a tag value 0 to {VALUE}: letters, digits, spaces and _.:/=+-@, and no key \
         begins with aws:."
    )]
    Malformed,
    /// The same key twice.
    #[error("Duplicate tag keys found. Please note that Tag keys are case insensitive.")]
    Duplicate,
    /// A transitive key that has no tag.
    #[error("The specified transitive tag key must be included in the requested tags.")]
    TransitiveWithoutTag,
    /// A tag that the calling session would have kept.
    #[error(
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the \
         calling session."
    )]
    Transitive,
}

/// The tags of a session. Keys differ in more than their case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionTags {
    tags: BTreeMap<String, String>,
    transitive: BTreeSet<String>,
}

impl SessionTags {
    /// Tags as a caller asks for them, with the keys of those that later sessions are to keep.
    ///
    /// # Errors
    /// [`TagError`]: which rule they break.
    pub fn parse(
        asked: impl IntoIterator<Item = (String, String)>,
        transitive: impl IntoIterator<Item = String>,
    ) -> Result<Self, TagError> {
        let mut tags = Self::default();
        for (key, value) in asked {
            if !is_tag(&key, &value) {
                return Err(TagError::Malformed);
            }
            if tags.key(&key).is_some() {
                return Err(TagError::Duplicate);
            }
            tags.tags.insert(key, value);
            if tags.tags.len() > MOST {
                return Err(TagError::TooMany);
            }
        }
        for key in transitive {
            let key = tags.key(&key).ok_or(TagError::TransitiveWithoutTag)?.to_owned();
            tags.transitive.insert(key);
        }
        Ok(tags)
    }

    /// These tags for a session that one with the tags of `caller` asks for: with those that are kept, none of which may
    /// be given again.
    ///
    /// # Errors
    /// [`TagError`] if one is, or there are too many then.
    pub fn following(mut self, caller: &Self) -> Result<Self, TagError> {
        for key in &caller.transitive {
            if self.key(key).is_some() {
                return Err(TagError::Transitive);
            }
            if let Some(value) = caller.tags.get(key) {
                self.tags.insert(key.clone(), value.clone());
                self.transitive.insert(key.clone());
            }
        }
        if self.tags.len() > MOST {
            Err(TagError::TooMany)
        } else {
            Ok(self)
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Keys with values.
    #[must_use]
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    /// The keys of the tags that later sessions keep.
    #[must_use]
    pub fn transitive(&self) -> &BTreeSet<String> {
        &self.transitive
    }

    /// The value under `key`, whatever its case.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let key = self.key(key)?;
        self.tags.get(key).map(String::as_str)
    }

    /// The key as it is spelt here.
    fn key(&self, key: &str) -> Option<&str> {
        if let Some((known, _)) = self.tags.get_key_value(key) {
            return Some(known);
        }
        let folded = key.to_lowercase();
        self.tags
            .keys()
            .find(|known| known.to_lowercase() == folded)
            .map(String::as_str)
    }
}

fn is_tag(key: &str, value: &str) -> bool {
    let fits = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c))
    };
    let reserved = key
        .get(..4)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"));
    (1..=KEY).contains(&key.chars().count())
        && value.chars().count() <= VALUE
        && fits(key)
        && fits(value)
        && !reserved
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tags(pairs: &[(&str, &str)], transitive: &[&str]) -> Result<SessionTags, TagError> {
        SessionTags::parse(
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
            transitive.iter().map(|key| (*key).to_owned()),
        )
    }

    #[test]
    fn each_rule_has_its_error() {
        let many: Vec<String> = (0..51).map(|i| format!("k{i}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "")).collect();
        assert_eq!(tags(&many, &[]), Err(TagError::TooMany));
        assert!(tags(many.get(..50).unwrap(), &[]).is_ok());
        for (key, value) in [
            ("", "v"),
            ("aws:x", "v"),
            ("AWS:x", "v"),
            ("k", "a\u{202e}b"),
            ("k", "a\nb"),
            ("k*", "v"),
            ("k", "${x}"),
        ] {
            assert_eq!(
                tags(&[(key, value)], &[]),
                Err(TagError::Malformed),
                "{key} {value}"
            );
        }
        assert_eq!(tags(&[(&"k".repeat(129), "v")], &[]), Err(TagError::Malformed));
        assert_eq!(tags(&[("k", &"v".repeat(257))], &[]), Err(TagError::Malformed));
        assert_eq!(
            tags(&[("Team", "a"), ("team", "b")], &[]),
            Err(TagError::Duplicate)
        );
        assert_eq!(
            tags(&[("Ärzte", "a"), ("ärzte", "b")], &[]),
            Err(TagError::Duplicate)
        );
        assert_eq!(
            tags(&[("Team", "a")], &["Cost"]),
            Err(TagError::TransitiveWithoutTag)
        );
        assert_eq!(tags(&[("Team", "")], &["team"]).unwrap().get("TEAM"), Some(""));
    }

    #[test]
    fn transitive_tags_stay_and_cannot_be_replaced() {
        let first = tags(&[("Team", "a"), ("Cost", "1")], &["team"]).unwrap();
        let second = tags(&[("Stage", "x")], &[]).unwrap().following(&first).unwrap();
        assert_eq!(second.get("Team"), Some("a"));
        assert_eq!(second.get("Cost"), None);
        let third = SessionTags::default().following(&second).unwrap();
        assert_eq!((third.get("Team"), third.get("Stage")), (Some("a"), None));
        for key in ["Team", "TEAM"] {
            assert_eq!(
                tags(&[(key, "b")], &[]).unwrap().following(&first),
                Err(TagError::Transitive)
            );
        }
        let many: Vec<String> = (0..50).map(|i| format!("k{i}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "")).collect();
        assert_eq!(
            tags(&many, &[]).unwrap().following(&first),
            Err(TagError::TooMany)
        );
    }

    proptest! {
        #[test]
        fn any_tags_never_panic_and_following_never_loses(
            asked in proptest::collection::vec(("\\PC{0,6}", "\\PC{0,6}"), 0..5), kept in "[a-c]", transitive: bool,
        ) {
            let first = tags(&[(&kept, "1")], if transitive { std::slice::from_ref(&"") } else { &[] });
            let first = first.or_else(|_| tags(&[(&kept, "1")], &[&kept])).unwrap();
            if let Ok(asked) = SessionTags::parse(asked, []) {
                let before = asked.clone();
                if let Ok(after) = asked.following(&first) {
                    for (key, value) in before.all() {
                        prop_assert_eq!(after.get(key), Some(value.as_str()));
                    }
                    prop_assert_eq!(after.get(&kept).is_some(), first.transitive().contains(&kept) || before.get(&kept).is_some());
                }
            }
        }
    }
}
