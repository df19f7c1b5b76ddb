//! One quota of the settings: whom it is for, and under which name each of them is counted.

use aws_lc_rs::digest;
use moho_iam::policy::TextPattern;
use moho_terms::{AccountId, Arn, ModelId};

use super::amounts::Limits;

/// A quota as the settings have it. Whatever it selects by, each account is counted apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Quota {
    /// Principals by a pattern of their ARN, each counted apart: roles, users. Without it, all of an account together.
    pub(crate) principal: Option<TextPattern>,
    /// Principals by a tag: each value counted apart.
    pub(crate) tag: Option<Tag>,
    /// Models by a pattern of their id, each counted apart. Without it, all together.
    pub(crate) model: Option<TextPattern>,
    /// What each of them may use.
    pub(crate) limits: Limits,
}

/// Which tag a principal has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) key: String,
    /// The value it has to have; any, if there is none.
    pub(crate) value: Option<String>,
}

/// Who asks, as far as quotas care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) account: AccountId,
    /// The role or user; not its session, whose name callers choose.
    pub(crate) principal: Arn,
    /// What does not change when a role of the same name is made again: `AROA…`, `AIDA…`.
    pub(crate) principal_id: String,
    /// The principal's tags as policies see them (`aws:PrincipalTag/…`): keys without regard to case.
    pub(crate) tags: Vec<(String, String)>,
}

/// The name of one counter. It tells nothing of who is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(pub(crate) [u8; 16]);

impl Quota {
    /// The counter of this quota for a question, if it is for that question at all.
    pub(super) fn key(&self, asker: &Asker, model: &ModelId) -> Option<Key> {
        let mut parts = vec!["moho quota 1".to_owned()];
        parts.extend(self.selectors().map(|selector| selector.unwrap_or_default()));
        if let Some(pattern) = &self.principal {
            if !pattern.fits(asker.principal.as_str()) {
                return None;
            }
            parts.push(asker.principal.to_string());
        }
        if let Some(tag) = &self.tag {
            let (_, value) = asker
                .tags
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(&tag.key))?;
            if tag.value.as_ref().is_some_and(|wanted| wanted != value) {
                return None;
            }
            parts.push(value.clone());
        }
        if let Some(pattern) = &self.model {
            if !pattern.fits(model.as_str()) {
                return None;
            }
            parts.push(model.to_string());
        }
        Some(Key::of(&asker.account, &parts))
    }

    /// Whom it is for, in words: two quotas with the same words would be one.
    pub(crate) fn selects(&self) -> String {
        let names = ["principal", "tag", "model"];
        let named = names.into_iter().zip(self.selectors());
        let named: Vec<String> = named
            .filter_map(|(name, selector)| Some(format!("{name} `{}`", selector?)))
            .collect();
        if named.is_empty() {
            "everybody".to_owned()
        } else {
            named.join(", ")
        }
    }

    /// What is selected by principal, tag and model; an empty one is none.
    fn selectors(&self) -> [Option<String>; 3] {
        let tag = self.tag.as_ref().map(|tag| match &tag.value {
            Some(value) => format!("{}={value}", tag.key.to_ascii_lowercase()),
            None => tag.key.to_ascii_lowercase(),
        });
        let written = |pattern: &Option<TextPattern>| pattern.as_ref().map(ToString::to_string);
        [written(&self.principal), tag, written(&self.model)]
    }
}

impl Key {
    /// The first bytes are the same for all counters of an account, so that they can be counted.
    fn of(account: &AccountId, parts: &[String]) -> Self {
        let mut key = [0; 16];
        let of_account = digest::digest(&digest::SHA256, format!("moho quota of {account}").as_bytes());
        let (first, rest) = key.split_at_mut(4);
        first
            .iter_mut()
            .zip(of_account.as_ref())
            .for_each(|(to, from)| *to = *from);
        let mut context = digest::Context::new(&digest::SHA256);
        for part in std::iter::once(&account.to_string()).chain(parts) {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            context.update(&length.to_be_bytes());
            context.update(part.as_bytes());
        }
        let digest = context.finish();
        rest.iter_mut()
            .zip(digest.as_ref())
            .for_each(|(to, from)| *to = *from);
        Self(key)
    }

    /// What all counters of an account begin with.
    pub(super) fn account(self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.0;
        [a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(role: &str, tags: &[(&str, &str)]) -> Asker {
        let account: AccountId = "123456789012".parse().unwrap();
        let tags = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Asker {
            account,
            principal: format!("arn:aws:iam::123456789012:role/{role}").parse().unwrap(),
            principal_id: "AROA".to_owned(),
            tags: tags.collect(),
        }
    }

    fn model(id: &str) -> ModelId {
        id.parse().unwrap()
    }

    #[test]
    fn what_a_quota_names_is_counted_apart_and_what_it_does_not_together() {
        let one = asker("team/One", &[("team", "red")]);
        let two = asker("team/Two", &[("team", "blue")]);
        let (a, b) = (model("a"), model("b"));
        let everybody = Quota::default();
        assert_eq!(everybody.key(&one, &a), everybody.key(&two, &b));
        let each = Quota {
            principal: TextPattern::new("arn:aws:iam::*:role/team/*"),
            ..Quota::default()
        };
        assert_ne!(each.key(&one, &a), each.key(&two, &a));
        assert_eq!(each.key(&one, &a), each.key(&one, &b));
        assert_eq!(each.key(&asker("Other", &[]), &a), None);
        let models = Quota {
            model: TextPattern::new("*"),
            ..Quota::default()
        };
        assert_eq!(models.key(&one, &a), models.key(&two, &a));
        assert_ne!(models.key(&one, &a), models.key(&one, &b));
    }

    #[test]
    fn accounts_never_share_a_counter() {
        let mut other = asker("One", &[]);
        other.account = "210987654321".parse().unwrap();
        let everybody = Quota::default();
        let key = |asker, id| everybody.key(asker, &model(id)).unwrap();
        let (one, others) = (key(&asker("One", &[]), "a"), key(&other, "a"));
        assert_ne!(one, others);
        assert_ne!(one.account(), others.account());
        let each = Quota {
            principal: TextPattern::new("*"),
            ..Quota::default()
        };
        let same = each.key(&asker("One", &[]), &model("a")).unwrap();
        assert_ne!(one, same);
        assert_eq!(one.account(), same.account());
    }

    #[test]
    fn a_tag_is_matched_by_value_or_counted_by_value() {
        let tag = |key: &str, value: Option<&str>| Quota {
            tag: Some(Tag {
                key: key.to_owned(),
                value: value.map(str::to_owned),
            }),
            ..Quota::default()
        };
        let red = asker("One", &[("team", "red"), ("level", "2")]);
        let also_red = asker("Two", &[("team", "red")]);
        let blue = asker("Three", &[("team", "blue")]);
        let team = tag("team", None);
        assert_eq!(team.key(&red, &model("a")), team.key(&also_red, &model("a")));
        assert_ne!(team.key(&red, &model("a")), team.key(&blue, &model("a")));
        let only_red = tag("team", Some("red"));
        assert!(only_red.key(&red, &model("a")).is_some());
        assert_eq!(only_red.key(&blue, &model("a")), None);
        assert_eq!(
            tag("Team", None).key(&red, &model("a")),
            tag("Team", None).key(&also_red, &model("a")),
            "keys have no case"
        );
        assert!(tag("Team", None).key(&red, &model("a")).is_some());
        assert_eq!(
            tag("team", Some("Red")).key(&red, &model("a")),
            None,
            "values have"
        );
        assert_eq!(tag("other", None).key(&red, &model("a")), None);
    }
}
