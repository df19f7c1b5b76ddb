//! One statement: to whom, what, on what and when it applies.

use super::PolicyKind;
use super::condition::Condition;
use super::grammar::{Effect, OneOrMany, RawPrincipal, RawStatement};
use super::pattern::{Case, Pattern};
use super::principal::{Named, PrincipalPattern};
use crate::authz::{Caller, Question};

/// These, or all but these.
#[derive(Debug, Clone, PartialEq)]
enum Selection<T> {
    These(Vec<T>),
    AllBut(Vec<T>),
}

impl<T> Selection<T> {
    fn includes(&self, matches: impl FnMut(&T) -> bool) -> bool {
        match self {
            Self::These(list) => list.iter().any(matches),
            Self::AllBut(list) => !list.iter().any(matches),
        }
    }
}

/// A statement that was parsed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    sid: Option<String>,
    effect: Effect,
    actions: Selection<Pattern>,
    /// `None` in a trust policy: it speaks of the role it is attached to.
    resources: Option<Selection<Pattern>>,
    /// `None` in a policy that is attached to a principal: it speaks of that one.
    principals: Option<Selection<PrincipalPattern>>,
    conditions: Vec<Condition>,
}

impl Statement {
    pub(super) fn parse(raw: RawStatement, kind: PolicyKind) -> Result<Self, &'static str> {
        if let Some(sid) = &raw.sid {
            check_sid(sid, kind)?;
        }
        let actions = select(
            raw.action,
            raw.not_action,
            "a statement has either Action or NotAction",
            parse_action,
        )?
        .ok_or("a statement needs Action or NotAction")?;
        let resources = select(
            raw.resource,
            raw.not_resource,
            "a statement has either Resource or NotResource",
            parse_resource,
        )?;
        if resources.is_some() == (kind == PolicyKind::Trust) {
            return Err(
                "a statement needs Resource or NotResource, except in a trust policy, which has neither",
            );
        }
        let principals = parse_principals(raw.principal, raw.not_principal, raw.effect, kind)?;
        let mut conditions = Vec::new();
        for (operator, keys) in raw.condition.map(|map| map.0).unwrap_or_default() {
            for (key, values) in keys.0 {
                let values: Vec<String> = values.0.into_iter().map(|value| value.0).collect();
                conditions.push(Condition::parse(&operator, &key, &values)?);
            }
        }
        Ok(Self {
            sid: raw.sid,
            effect: raw.effect,
            actions,
            resources,
            principals,
            conditions,
        })
    }

    pub(crate) fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Tells every key that its conditions and variables ask about.
    pub(crate) fn for_each_key<'a>(&'a self, tell: &mut impl FnMut(&'a str)) {
        for condition in &self.conditions {
            condition.for_each_key(tell);
        }
        if let Some(Selection::These(patterns) | Selection::AllBut(patterns)) = &self.resources {
            patterns.iter().for_each(|pattern| pattern.for_each_key(tell));
        }
    }

    pub(crate) fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether it applies to a question, and how it names the caller: a statement without principals speaks of whom it is
    /// attached to, so directly.
    pub(crate) fn applies(&self, question: &Question<'_>) -> Named {
        let context = question.context;
        let applies = self
            .actions
            .includes(|pattern| pattern.matches(question.action, Case::Insensitive, context))
            && self.resources.as_ref().is_none_or(|resources| {
                resources.includes(|p| p.matches(question.resource, Case::Sensitive, context))
            })
            && self.conditions.iter().all(|condition| condition.holds(context));
        if applies {
            self.names(question.caller.as_ref())
        } else {
            Named::Not
        }
    }

    fn names(&self, caller: Option<&Caller<'_>>) -> Named {
        let Some(principals) = &self.principals else {
            return Named::Directly;
        };
        let Some(caller) = caller else {
            return Named::Not;
        };
        match principals {
            Selection::These(list) => list.iter().map(|p| p.names(caller)).max().unwrap_or(Named::Not),
            // All but these: only who is named directly is left out; naming an account leaves out nobody in it.
            Selection::AllBut(list) if list.iter().any(|p| p.names(caller) >= Named::AsRole) => Named::Not,
            Selection::AllBut(_) => Named::Directly,
        }
    }
}

fn select<T>(
    these: Option<OneOrMany<String>>,
    all_but: Option<OneOrMany<String>>,
    both: &'static str,
    parse: fn(&str) -> Result<T, &'static str>,
) -> Result<Option<Selection<T>>, &'static str> {
    let parsed = |list: OneOrMany<String>| {
        if list.0.is_empty() {
            return Err("a list has no values");
        }
        list.0
            .iter()
            .map(|text| parse(text))
            .collect::<Result<Vec<T>, _>>()
    };
    match (these, all_but) {
        (Some(_), Some(_)) => Err(both),
        (Some(list), None) => parsed(list).map(|list| Some(Selection::These(list))),
        (None, Some(list)) => parsed(list).map(|list| Some(Selection::AllBut(list))),
        (None, None) => Ok(None),
    }
}

/// `*`, or `service:Name` with wildcards in the name.
fn parse_action(text: &str) -> Result<Pattern, &'static str> {
    let service = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let name = |b: u8| b.is_ascii_alphanumeric() || b"*?".contains(&b);
    let fits = text == "*"
        || text.split_once(':').is_some_and(|(before, after)| {
            !before.is_empty() && before.bytes().all(service) && !after.is_empty() && after.bytes().all(name)
        });
    if fits {
        Ok(Pattern::wild_without_variables(text))
    } else {
        Err("an action is * or service:Name, with wildcards in the name only")
    }
}

/// `*` or an ARN; parts that are missing at its end are wild.
fn parse_resource(text: &str) -> Result<Pattern, &'static str> {
    const MALFORMED: &str = "a resource is * or an ARN";
    if text == "*" {
        return Ok(Pattern::wild_without_variables("*"));
    }
    if !text.starts_with("arn:") || text.len() > 2048 {
        return Err(MALFORMED);
    }
    let colons = text.bytes().filter(|b| *b == b':').count();
    let completed = format!("{text}{}", ":*".repeat(5_usize.saturating_sub(colons)));
    Pattern::wild(&completed).ok_or(MALFORMED)
}

fn parse_principals(
    these: Option<RawPrincipal>,
    all_but: Option<RawPrincipal>,
    effect: Effect,
    kind: PolicyKind,
) -> Result<Option<Selection<PrincipalPattern>>, &'static str> {
    let selection = match (these, all_but) {
        (Some(_), Some(_)) => return Err("a statement has either Principal or NotPrincipal"),
        (Some(raw), None) => Some(Selection::These(parse_principal_list(raw)?)),
        (None, Some(_)) if effect == Effect::Allow => return Err("NotPrincipal goes with Deny only"),
        (None, Some(raw)) => Some(Selection::AllBut(parse_principal_list(raw)?)),
        (None, None) => None,
    };
    match (kind.names_principals(), &selection) {
        (true, None) => Err("a policy of this kind needs a Principal"),
        (false, Some(_)) => Err("a policy of this kind has no Principal"),
        (true, Some(list))
            if kind == PolicyKind::ResourceControl
                && *list != Selection::These(vec![PrincipalPattern::Anyone]) =>
        {
            Err("the Principal of a resource control policy is *")
        }
        (true, Some(_)) | (false, None) => Ok(selection),
    }
}

fn parse_principal_list(raw: RawPrincipal) -> Result<Vec<PrincipalPattern>, &'static str> {
    let kinds = match raw {
        RawPrincipal::Anyone => return Ok(vec![PrincipalPattern::Anyone]),
        RawPrincipal::Named(kinds) => kinds.0,
    };
    let mut list = Vec::new();
    for (kind, values) in kinds {
        for value in values.0 {
            list.push(PrincipalPattern::parse(&kind, &value)?);
        }
    }
    if list.is_empty() {
        Err("a list has no values")
    } else {
        Ok(list)
    }
}

fn check_sid(sid: &str, kind: PolicyKind) -> Result<(), &'static str> {
    let fits =
        |b: u8| b.is_ascii_alphanumeric() || (kind.names_principals() && (b == b' ' || b.is_ascii_graphic()));
    if sid.len() <= 128 && sid.bytes().all(fits) {
        Ok(())
    } else {
        Err("a Sid has letters and digits, at most 128; in a resource's policy also spaces and punctuation")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_resources_are_checked() {
        for text in ["*", "s3:*", "bedrock-mantle:Create*", "kms:?ecrypt"] {
            assert!(parse_action(text).is_ok(), "{text}");
        }
        for text in ["", "s3", ":Get", "s3:", "s*:Get", "s3:Get Object", "s3:${x}"] {
            assert!(parse_action(text).is_err(), "{text}");
        }
        for text in ["", "role/x", "arn", "**", "arn:aws:s3:::${open"] {
            assert!(parse_resource(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_incomplete_arn_is_completed() {
        let pattern = parse_resource("arn:aws:kms").unwrap();
        let arn: moho_terms::Arn = "arn:aws:kms:r:123456789012:key/1".parse().unwrap();
        assert!(pattern.matches(arn.as_str(), Case::Sensitive, &crate::authz::Context::new()));
    }
}
