//! EC2's filters: each names a field and the values it may have, with `*` and `?` as wildcards.

use moho_wire::Failure;
use moho_wire::aws::ops::ec2::Filter;

use super::{shown, wrong};

/// The most values of all filters of one request, and the most characters of one.
const MOST_VALUES: usize = 200;
const LONGEST: usize = 255;

/// Filters that were understood: all have to match.
pub(super) struct Filters(Vec<(String, Vec<String>)>);

/// The values that a thing has in a field; `None` if there is no such field.
pub(super) type Field<'a> = Option<Vec<&'a str>>;

impl Filters {
    /// Understands a request's filters; `is_field` says which fields there are.
    pub(super) fn of(filters: Option<Vec<Filter>>, is_field: impl Fn(&str) -> bool) -> Result<Self, Failure> {
        let mut understood = Vec::new();
        let mut values = 0_usize;
        for filter in filters.unwrap_or_default() {
            let name = filter.name.unwrap_or_default();
            if !is_field(&name) {
                let said = format!("The filter '{}' is invalid", shown(&name));
                return Err(wrong("InvalidParameterValue", said));
            }
            let wanted = filter.values.unwrap_or_default();
            values = values.saturating_add(wanted.len());
            if values > MOST_VALUES {
                let said = format!("A request has at most {MOST_VALUES} filter values.");
                return Err(wrong("FilterLimitExceeded", said));
            }
            if wanted.iter().any(|value| value.chars().count() > LONGEST) {
                let said = format!("A filter's value has at most {LONGEST} characters.");
                return Err(wrong("InvalidParameterValue", said));
            }
            understood.push((name, wanted));
        }
        Ok(Self(understood))
    }

    /// Whether a thing with these fields is wanted.
    pub(super) fn match_all<'a>(&self, field: impl Fn(&str) -> Field<'a>) -> bool {
        self.0.iter().all(|(name, wanted)| {
            let has = field(name).unwrap_or_default();
            wanted
                .iter()
                .any(|pattern| has.iter().any(|value| matches(pattern, value)))
        })
    }
}

/// Whether a text is what a pattern says: `*` is any text, `?` any character, and what follows a backslash itself.
fn matches(pattern: &str, text: &str) -> bool {
    let mut signs = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        signs.push(match letter {
            '*' => Sign::Any,
            '?' => Sign::One,
            '\\' => Sign::Itself(letters.next().unwrap_or('\\')),
            letter => Sign::Itself(letter),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut read) = (0_usize, 0_usize);
    // Where the last `*` stands, and up to where it has taken the text.
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(read) {
        match signs.get(at) {
            Some(Sign::Any) => {
                star = Some((at, read));
                at += 1;
            }
            Some(Sign::One) => (at, read) = (at + 1, read + 1),
            Some(Sign::Itself(wanted)) if wanted == letter => (at, read) = (at + 1, read + 1),
            Some(Sign::Itself(_)) | None => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                (at, read) = (place + 1, taken + 1);
            }
        }
    }
    signs.iter().skip(at).all(|sign| matches!(sign, Sign::Any))
}

/// What stands in a pattern.
enum Sign {
    Any,
    One,
    Itself(char),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(name: &str, values: &[&str]) -> Filter {
        Filter {
            name: Some(name.to_owned()),
            values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
        }
    }

    #[test]
    fn wildcards_match_as_at_ec2() {
        for (pattern, text, expected) in [
            ("vpce-1", "vpce-1", true),
            ("vpce-*", "vpce-1", true),
            ("*", "", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("a*c*e", "abcde", true),
            ("a*c*f", "abcde", false),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("*b", "abab", true),
            ("A", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn all_filters_have_to_match_and_one_value_of_each() {
        let is_field = |name: &str| name == "a" || name == "b";
        let filters = Filters::of(
            Some(vec![filter("a", &["1", "2"]), filter("b", &["x*"])]),
            is_field,
        );
        let filters = filters.ok().unwrap();
        let thing = |a: &'static str, b: &'static str| {
            filters.match_all(|name| Some(vec![if name == "a" { a } else { b }]))
        };
        assert!(thing("2", "xyz") && !thing("3", "xyz") && !thing("1", "y"));
        assert!(Filters::of(Some(vec![filter("c", &["1"])]), is_field).is_err());
        let many: Vec<&str> = vec!["1"; MOST_VALUES + 1];
        assert!(Filters::of(Some(vec![filter("a", &many)]), is_field).is_err());
        assert!(Filters::of(Some(vec![filter("a", &[&"x".repeat(256)])]), is_field).is_err());
        assert!(Filters::of(None, is_field).ok().unwrap().match_all(|_| None));
    }

    /// The definition itself, far too slow for what strangers send.
    fn slowly(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=text.len()).any(|taken| slowly(rest, &text[taken..])),
            (['?', rest @ ..], [_, others @ ..]) => slowly(rest, others),
            ([one, rest @ ..], [other, others @ ..]) => one == other && slowly(rest, others),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn patterns_match_what_their_definition_says(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let (signs, letters): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(matches(&pattern, &text), slowly(&signs, &letters));
        }
    }
}
