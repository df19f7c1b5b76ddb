//! EC2's filters: each names a field and the values it may have, with `*` and `?` as wildcards, and what follows a
//! backslash as itself.

use moho_iam::policy::TextPattern;
use moho_wire::Failure;
use moho_wire::aws::ops::ec2::Filter;

use super::{shown, wrong};

/// The most values of all filters of one request, and the most characters of one.
const MOST_VALUES: usize = 200;
const LONGEST: usize = 255;

/// Filters that were understood: all have to match.
pub(super) struct Filters(Vec<(String, Vec<TextPattern>)>);

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
            let wanted: Option<_> = wanted.iter().map(|value| pattern(value)).collect();
            let Some(wanted) = wanted else {
                let said = format!("A filter's value has at most {LONGEST} characters.");
                return Err(wrong("InvalidParameterValue", said));
            };
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
                .any(|pattern| has.iter().any(|value| pattern.fits(value)))
        })
    }
}

/// The pattern that a filter's value is; `None` if it is too long.
fn pattern(value: &str) -> Option<TextPattern> {
    let fits = value.chars().count() <= LONGEST;
    fits.then(|| TextPattern::with_escapes(value)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(name: &str, values: &[&str]) -> Filter {
        Filter {
            name: Some(name.to_owned()),
            values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
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
        let escaped = Filters::of(Some(vec![filter("a", &["\\*"])]), is_field)
            .ok()
            .unwrap();
        let finds = |value: &'static str| escaped.match_all(|_| Some(vec![value]));
        assert!(finds("*") && !finds("1"));
        assert!(Filters::of(Some(vec![filter("c", &["1"])]), is_field).is_err());
        let many: Vec<&str> = vec!["1"; MOST_VALUES + 1];
        assert!(Filters::of(Some(vec![filter("a", &many)]), is_field).is_err());
        assert!(Filters::of(Some(vec![filter("a", &[&"x".repeat(256)])]), is_field).is_err());
        assert!(Filters::of(None, is_field).ok().unwrap().match_all(|_| None));
    }
}
