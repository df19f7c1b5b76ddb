//! Actions in statements, and the index by which a decision finds the few statements that may speak of its action.

use std::collections::BTreeMap;

use super::pattern::Pattern;
use crate::authz::{HASH_OF_NOTHING, hash_on, key_hash};

/// An action that is asked about, in lower case.
pub(crate) struct ActionName<'a> {
    /// Room for every action there is; a longer one, which a simulation may ask about, has memory of its own.
    short: [u8; ActionName::SHORT],
    long: Option<Box<[u8]>>,
    written: &'a str,
}

impl<'a> ActionName<'a> {
    const SHORT: usize = 64;

    pub(crate) fn new(written: &'a str) -> Self {
        let mut short = [0; Self::SHORT];
        let long = match short.get_mut(..written.len()) {
            Some(place) => {
                place.copy_from_slice(written.as_bytes());
                place.make_ascii_lowercase();
                None
            }
            None => Some(written.to_ascii_lowercase().into_bytes().into()),
        };
        Self { short, long, written }
    }

    /// As it was written.
    pub(crate) fn as_written(&self) -> &'a str {
        self.written
    }

    fn lower(&self) -> &[u8] {
        match &self.long {
            Some(long) => long,
            None => self.short.get(..self.written.len()).unwrap_or_default(),
        }
    }

    /// Where to look it up: the hashes of the service, of that and the first letter, and of the whole.
    pub(crate) fn place(&self) -> Place {
        let mut place = Place {
            service: 0,
            initial: 0,
            whole: HASH_OF_NOTHING,
        };
        let mut after_colon = false;
        for byte in self.lower() {
            let before = place.whole;
            place.whole = hash_on(before, *byte);
            if after_colon && place.initial == 0 {
                place.initial = place.whole;
            }
            if *byte == b':' && !after_colon {
                place.service = before;
                after_colon = true;
            }
        }
        place
    }
}

/// Where an action is looked up in an [`Index`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    service: u64,
    initial: u64,
    whole: u64,
}

/// One entry of `Action` or `NotAction`, in lower case.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ActionPattern {
    /// `*`.
    Any,
    /// `kms:Decrypt`.
    Exactly(Box<str>),
    /// `kms:*`, `kms:Re*`: what stands before the star.
    Beginning(Box<str>),
    /// Wildcards elsewhere.
    Wild { written: Box<str>, pattern: Pattern },
}

impl ActionPattern {
    /// `*`, or `service:Name` with wildcards in the name.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const MALFORMED: &str = "an action is * or service:Name, with wildcards in the name only";
        if matches!(text, "*" | "*:*") {
            return Ok(Self::Any);
        }
        let of_service = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let of_name = |b: u8| b.is_ascii_alphanumeric() || b"*?".contains(&b);
        let (service, name) = text.split_once(':').ok_or(MALFORMED)?;
        let named = !service.is_empty() && !name.is_empty() && text.len() <= 128;
        if !named || !service.bytes().all(of_service) || !name.bytes().all(of_name) {
            return Err(MALFORMED);
        }
        let lower = text.to_ascii_lowercase();
        let wild = |text: &str| text.contains(['*', '?']);
        Ok(match lower.strip_suffix('*') {
            None if !wild(&lower) => Self::Exactly(lower.into()),
            Some(beginning) if !wild(beginning) => Self::Beginning(beginning.into()),
            Some(_) | None => Self::Wild {
                pattern: Pattern::plain(&lower, true).ok_or(MALFORMED)?,
                written: lower.into(),
            },
        })
    }

    pub(super) fn matches(&self, action: &ActionName<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(name) => *name.as_bytes() == *action.lower(),
            Self::Beginning(beginning) => action.lower().starts_with(beginning.as_bytes()),
            Self::Wild { pattern, .. } => {
                std::str::from_utf8(action.lower()).is_ok_and(|action| pattern.fits(action))
            }
        }
    }

    /// Whether it names actions of `service`, in lower case, and of no other.
    pub(super) fn is_of(&self, service: &str) -> bool {
        let (Self::Exactly(text) | Self::Beginning(text) | Self::Wild { written: text, .. }) = self else {
            return false;
        };
        text.split_once(':').is_some_and(|(named, _)| named == service)
    }

    /// Where an index has it.
    fn shelf(&self) -> Shelf {
        let text = match self {
            Self::Any => return Shelf::Any,
            Self::Exactly(name) => return Shelf::Whole(key_hash(name)),
            Self::Beginning(text) | Self::Wild { written: text, .. } => text,
        };
        let (service, name) = text.split_once(':').unwrap_or((text, ""));
        match name.chars().next() {
            Some('*' | '?') | None => Shelf::Service(key_hash(service)),
            Some(initial) => Shelf::Initial(key_hash(&format!("{service}:{initial}"))),
        }
    }
}

/// Where an index has an entry.
enum Shelf {
    Any,
    Service(u64),
    Initial(u64),
    Whole(u64),
}

/// Numbers of statements, by a hash.
type Lists = Box<[(u64, Box<[u32]>)]>;

/// Which statements of a document may speak of an action. A hash that two actions share only makes more of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Those that may speak of any action.
    any: Box<[u32]>,
    /// Those that may speak of any action of a service.
    services: Lists,
    /// Those that speak of actions of a service that begin with some letter.
    initials: Lists,
    /// Those that speak of single actions.
    actions: Lists,
}

impl Index {
    /// The index over statements with these patterns; `None` for one that may speak of any action.
    pub(super) fn over<'a>(statements: impl Iterator<Item = Option<&'a [ActionPattern]>>) -> Self {
        let mut any = Vec::new();
        let [mut services, mut initials, mut actions]: [BTreeMap<u64, Vec<u32>>; 3] = Default::default();
        for (number, patterns) in (0_u32..).zip(statements) {
            let patterns = match patterns {
                Some(patterns) if !patterns.contains(&ActionPattern::Any) => patterns,
                Some(_) | None => {
                    any.push(number);
                    continue;
                }
            };
            for pattern in patterns {
                let list = match pattern.shelf() {
                    Shelf::Any => continue,
                    Shelf::Service(hash) => services.entry(hash).or_default(),
                    Shelf::Initial(hash) => initials.entry(hash).or_default(),
                    Shelf::Whole(hash) => actions.entry(hash).or_default(),
                };
                if list.last() != Some(&number) {
                    list.push(number);
                }
            }
        }
        let boxed = |lists: BTreeMap<u64, Vec<u32>>| -> Lists {
            let lists = lists.into_iter();
            lists.map(|(hash, list)| (hash, list.into())).collect()
        };
        Self {
            any: any.into(),
            services: boxed(services),
            initials: boxed(initials),
            actions: boxed(actions),
        }
    }

    /// The numbers of the statements that may speak of an action. One that names it in several ways comes several times.
    pub(super) fn candidates(&self, place: Place) -> [&[u32]; 4] {
        [
            &self.any,
            listed(&self.services, place.service),
            listed(&self.initials, place.initial),
            listed(&self.actions, place.whole),
        ]
    }
}

fn listed(lists: &Lists, hash: u64) -> &[u32] {
    if lists.is_empty() {
        return &[];
    }
    let found = lists.binary_search_by_key(&hash, |(hash, _)| *hash);
    found
        .ok()
        .and_then(|at| lists.get(at))
        .map_or(&[], |(_, list)| list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_checked() {
        for text in ["*", "*:*", "s3:*", "bedrock-mantle:Create*", "kms:?ecrypt"] {
            assert!(ActionPattern::parse(text).is_ok(), "{text}");
        }
        let long = format!("s3:{}", "a".repeat(126));
        for text in [
            "",
            "s3",
            ":Get",
            "s3:",
            "s*:Get",
            "s3:Get Object",
            "s3:${x}",
            "**",
            &long,
        ] {
            assert!(ActionPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn case_does_not_matter_and_length_neither() {
        let long = format!("kms:{}", "X".repeat(100));
        for (pattern, action, fits) in [
            ("kms:decrypt", "KMS:Decrypt", true),
            ("KMS:DE*", "kms:Decrypt", true),
            ("kms:?ecrypt", "kms:Decrypt", true),
            ("kms:Decrypt", "kms:Encrypt", false),
            ("kms:*", "kmsx:Decrypt", false),
            ("*", "anything", true),
            ("kms:x*", long.as_str(), true),
        ] {
            let pattern = ActionPattern::parse(pattern).unwrap();
            assert_eq!(
                pattern.matches(&ActionName::new(action)),
                fits,
                "{pattern:?} {action}"
            );
        }
    }

    #[test]
    fn the_index_finds_every_statement_that_speaks_of_an_action() {
        let parse = |list: &[&str]| -> Vec<ActionPattern> {
            list.iter()
                .map(|text| ActionPattern::parse(text).unwrap())
                .collect()
        };
        let lists = [
            parse(&["kms:Decrypt", "s3:GetObject"]),
            parse(&["kms:*", "kms:Decrypt"]),
            parse(&["*"]),
            parse(&["S3:Get*"]),
        ];
        let index = Index::over(lists.iter().map(|list| Some(list.as_slice())).chain([None]));
        let found = |action: &str| {
            let name = ActionName::new(action);
            let mut found: Vec<u32> = index.candidates(name.place()).concat();
            found.sort_unstable();
            found.dedup();
            found
        };
        assert_eq!(found("KMS:decrypt"), [0, 1, 2, 4]);
        assert_eq!(found("kms:Encrypt"), [1, 2, 4]);
        assert_eq!(found("s3:GetObject"), [0, 2, 3, 4]);
        assert_eq!(found("ec2:Run"), [2, 4]);
    }
}
