//! One statement: to whom, what, on what and when it applies.

use std::collections::BTreeSet;

use moho_terms::Arn;

use super::PolicyKind;
use super::action::ActionPattern;
use super::condition::Condition;
use super::grammar::{Effect, OneOrMany, RawConditions, RawPrincipal, RawStatement};
use super::pattern::{Case, Pattern};
use super::principal::{Named, PrincipalPattern, leaves_out};
use crate::authz::{Caller, Context, Key, Question, is_open};

/// The most bytes of an ARN in a policy: what cannot be the name of anything longer.
const LONGEST_ARN: usize = 2000;

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
    actions: Selection<ActionPattern>,
    /// `None` in a trust policy: it speaks of the role it is attached to.
    resources: Option<Selection<Pattern>>,
    /// `None` in a policy that is attached to a principal: it speaks of that one.
    principals: Option<Selection<PrincipalPattern>>,
    conditions: Vec<Condition>,
}

impl Statement {
    /// Parses a statement; in policies of the older version, which `variables` says, `${…}` is itself.
    pub(super) fn parse(raw: RawStatement, kind: PolicyKind, variables: bool) -> Result<Self, &'static str> {
        if let Some(sid) = &raw.sid {
            check_sid(sid, kind)?;
        }
        let actions = select(
            raw.action,
            raw.not_action,
            "a statement has either Action or NotAction",
            ActionPattern::parse,
        )?
        .ok_or("a statement needs Action or NotAction")?;
        let resources = select(
            raw.resource,
            raw.not_resource,
            "a statement has either Resource or NotResource",
            |text| parse_resource(text, variables),
        )?;
        if resources.is_some() == (kind == PolicyKind::Trust) {
            return Err(
                "a statement needs Resource or NotResource, except in a trust policy, which has neither",
            );
        }
        let principals = parse_principals(raw.principal, raw.not_principal, raw.effect, kind)?;
        let conditions = raw
            .condition
            .map_or(Ok(Vec::new()), |operators| parse_conditions(operators, variables))?;
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

    /// Whether it allows something to measured code only, which it names.
    pub(crate) fn names_measurements(&self) -> bool {
        self.effect == Effect::Allow && self.conditions.iter().any(Condition::names_measurements)
    }

    /// Tells every key that its conditions and variables ask about.
    pub(crate) fn for_each_key<'a>(&'a self, tell: &mut impl FnMut(&'a Key)) {
        for condition in &self.conditions {
            condition.for_each_key(tell);
        }
        if let Some(Selection::These(patterns) | Selection::AllBut(patterns)) = &self.resources {
            patterns.iter().for_each(|pattern| pattern.for_each_key(tell));
        }
    }

    /// Tells every key of its conditions that the context lacks, though a request may have it.
    pub(crate) fn for_each_open_key<'a>(&'a self, context: &Context, tell: &mut impl FnMut(&'a Key)) {
        let mut open = |key: &'a Key| {
            if is_open(key, context) {
                tell(key);
            }
        };
        for condition in &self.conditions {
            condition.for_each_key(&mut open);
        }
    }

    /// Whom it names one by one, as policies write them down: nobody if that is all but some, or whom it is attached to.
    pub(crate) fn named(&self) -> impl Iterator<Item = String> {
        let list = match &self.principals {
            Some(Selection::These(list)) => list.as_slice(),
            Some(Selection::AllBut(_)) | None => &[],
        };
        list.iter().filter_map(PrincipalPattern::written)
    }

    /// The actions that it speaks of; `None` if that is all but some.
    pub(super) fn speaks_of(&self) -> Option<&[ActionPattern]> {
        match &self.actions {
            Selection::These(patterns) => Some(patterns),
            Selection::AllBut(_) => None,
        }
    }

    /// Whether every action that it names, as those it speaks of or all but those, is one of `service`.
    pub(super) fn names_only_actions_of(&self, service: &str) -> bool {
        let (Selection::These(patterns) | Selection::AllBut(patterns)) = &self.actions;
        patterns.iter().all(|pattern| pattern.is_of(service))
    }

    /// Whether `action` is among those that it speaks of.
    pub(super) fn speaks_of_action(&self, action: &super::ActionName<'_>) -> bool {
        self.actions.includes(|pattern| pattern.matches(action))
    }

    /// Binds the sessions that it names to the roles that `role_id` says they are of.
    pub(super) fn bind_sessions(&mut self, role_id: &impl Fn(&Arn) -> Option<String>) {
        if let Some(Selection::These(list) | Selection::AllBut(list)) = &mut self.principals {
            list.iter_mut().for_each(|pattern| pattern.bind_session(role_id));
        }
    }

    pub(crate) fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether it applies to a question, and how it names the caller: a statement without principals speaks of whom it is
    /// attached to, so directly.
    pub(crate) fn applies(&self, question: &Question<'_>) -> Named {
        if !self.actions.includes(|pattern| pattern.matches(&question.action)) {
            return Named::Not;
        }
        let named = self.names(question.caller.as_ref());
        if named == Named::Not {
            return named;
        }
        let context = question.context;
        let unknown = question.unknown.assumes(self.effect);
        let holds = |condition: &Condition| match unknown {
            Some(assumed) if condition.is_open(context) => assumed,
            Some(_) | None => condition.holds(context),
        };
        let applies = self.resources.as_ref().is_none_or(|resources| {
            resources.includes(|p| p.matches(question.resource, Case::Sensitive, context))
        }) && self.conditions.iter().all(holds);
        if applies { named } else { Named::Not }
    }

    /// Whether it allows something to everybody.
    pub(super) fn is_public(&self) -> bool {
        let to_anybody = match &self.principals {
            Some(Selection::These(list)) => list.contains(&PrincipalPattern::Anyone),
            Some(Selection::AllBut(_)) => true,
            None => false,
        };
        self.effect == Effect::Allow && to_anybody && !self.conditions.iter().any(Condition::fixes_who_comes)
    }

    /// Whether it allows the caller something, under whatever conditions.
    pub(super) fn grants_something_to(&self, caller: &Caller<'_>) -> bool {
        self.effect == Effect::Allow && self.names(Some(caller)) != Named::Not
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
            Selection::AllBut(list) if leaves_out(list, caller) => Named::Not,
            Selection::AllBut(_) => Named::Directly,
        }
    }
}

fn select<T>(
    these: Option<OneOrMany<String>>,
    all_but: Option<OneOrMany<String>>,
    both: &'static str,
    parse: impl Fn(&str) -> Result<T, &'static str>,
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

/// `*` or an ARN; parts that are missing at its end are wild.
fn parse_resource(text: &str, variables: bool) -> Result<Pattern, &'static str> {
    const MALFORMED: &str = "a resource is * or an ARN of visible ASCII characters";
    let graphic = text.len() <= LONGEST_ARN && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if text != "*" && !(graphic && text.starts_with("arn:")) {
        return Err(MALFORMED);
    }
    let colons = text.bytes().filter(|b| *b == b':').count();
    let completed = if text == "*" {
        text.to_owned()
    } else {
        format!("{text}{}", ":*".repeat(5_usize.saturating_sub(colons)))
    };
    let pattern = if variables {
        Pattern::wild(&completed)
    } else {
        Pattern::plain(&completed, true)
    };
    pattern.ok_or(MALFORMED)
}

fn parse_conditions(operators: RawConditions, variables: bool) -> Result<Vec<Condition>, &'static str> {
    let mut conditions = Vec::new();
    for (operator, keys) in operators.0 {
        let mut once = BTreeSet::new();
        for (key, values) in keys.0 {
            if !once.insert(key.to_ascii_lowercase()) {
                return Err("a condition key appears twice: their case tells no two apart");
            }
            let values: Vec<String> = values.0.into_iter().map(|value| value.0).collect();
            conditions.push(Condition::parse(&operator, &key, &values, variables)?);
        }
    }
    Ok(conditions)
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
    fn resources_are_checked() {
        let long = format!("arn:aws:s3:::{}", "x".repeat(LONGEST_ARN));
        for text in [
            "",
            "role/x",
            "arn",
            "**",
            "arn:aws:s3:::${open",
            "arn:aws:s3:::b\u{fc}cket",
            "arn:aws:s3:::b\u{200b}",
            "\u{ff41}rn:aws:s3:::b",
            &long,
        ] {
            assert!(parse_resource(text, true).is_err(), "{text}");
        }
        assert!(parse_resource("arn:aws:s3:::${open", false).is_ok());
    }

    #[test]
    fn an_incomplete_arn_is_completed() {
        let pattern = parse_resource("arn:aws:kms", true).unwrap();
        let arn: Arn = "arn:aws:kms:r:123456789012:key/1".parse().unwrap();
        assert!(pattern.matches(arn.as_str(), Case::Sensitive, &Context::new()));
    }
}
