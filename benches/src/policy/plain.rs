//! The peer: the same policies and the same order of layers, read plainly. Statement after statement, wildcards compared
//! as they stand, keys looked up by name; JSON is parsed beforehand, and nothing else is.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::Result;
use moho_iam::authz::{AccessRequest, Attached, Context, EndpointFacts, Policies};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn any(&self, mut holds: impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::One(one) => holds(one),
            Self::Many(many) => many.iter().any(|one| holds(one)),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Principal {
    Anyone(String),
    Named(BTreeMap<String, OneOrMany>),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: String,
    action: Option<OneOrMany>,
    not_action: Option<OneOrMany>,
    resource: Option<OneOrMany>,
    not_resource: Option<OneOrMany>,
    principal: Option<Principal>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    statement: Vec<Statement>,
}

/// One list of documents for each layer that must allow, guards first; then the identity's.
pub(crate) struct Plain {
    guards: Vec<Vec<Document>>,
    identity: Vec<Document>,
    of_key: Vec<Document>,
}

impl Plain {
    pub(crate) fn read(policies: &Policies, endpoint: &EndpointFacts) -> Result<Self> {
        let read = |policies: &[Attached]| -> Result<Vec<Document>> {
            let texts = policies.iter().map(|policy| policy.document.as_str());
            Ok(texts
                .map(serde_json::from_str)
                .collect::<serde_json::Result<_>>()?)
        };
        let principal = &policies.principal;
        let single = |policy: &Attached| read(std::slice::from_ref(policy));
        let mut guards = Vec::new();
        for level in principal
            .service_control
            .iter()
            .chain(policies.resource_control.iter())
        {
            guards.push(read(level)?);
        }
        guards.push(single(&endpoint.policy)?);
        if let Some(boundary) = &principal.boundary {
            guards.push(single(boundary)?);
        }
        Ok(Self {
            guards,
            identity: read(&principal.identity)?,
            of_key: policies
                .resource
                .iter()
                .map(single)
                .collect::<Result<Vec<_>>>()?
                .into_iter()
                .flatten()
                .collect(),
        })
    }

    /// How many statements there are.
    pub(crate) fn len(&self) -> usize {
        let documents = self
            .guards
            .iter()
            .flatten()
            .chain(&self.identity)
            .chain(&self.of_key);
        documents.map(|document| document.statement.len()).sum()
    }

    /// Whether the request is allowed. Within the account, its key policy leaves it to the identity's policies.
    pub(crate) fn allows(&self, request: &AccessRequest<'_>) -> bool {
        let mut denied = false;
        let mut allows = |documents: &[Document]| {
            let mut allowed = false;
            for statement in documents.iter().flat_map(|document| &document.statement) {
                if statement.applies(request) {
                    if statement.effect == "Deny" {
                        denied = true;
                    } else {
                        allowed = true;
                    }
                }
            }
            allowed
        };
        let mut allowed = true;
        for guard in &self.guards {
            allowed &= allows(guard);
        }
        allowed &= allows(&self.identity);
        allowed &= allows(&self.of_key) || !request.action.starts_with("kms:");
        allowed && !denied
    }
}

impl Statement {
    fn applies(&self, request: &AccessRequest<'_>) -> bool {
        let action = |pattern: &str| {
            like(
                pattern.to_ascii_lowercase().as_bytes(),
                request.action.to_ascii_lowercase().as_bytes(),
            )
        };
        let resource = |pattern: &str| {
            filled(pattern, request.context)
                .is_some_and(|pattern| like(pattern.as_bytes(), request.resource.as_str().as_bytes()))
        };
        let actions = match (&self.action, &self.not_action) {
            (Some(list), _) => list.any(action),
            (None, Some(list)) => !list.any(action),
            (None, None) => false,
        };
        let resources = match (&self.resource, &self.not_resource) {
            (Some(list), _) => list.any(resource),
            (None, Some(list)) => !list.any(resource),
            (None, None) => false,
        };
        actions && resources && self.names(request) && self.holds(request.context)
    }

    fn names(&self, request: &AccessRequest<'_>) -> bool {
        let session = request.principal;
        let named = |arn: &str| {
            let account = session.account();
            arn == account.as_str()
                || arn == format!("arn:aws:iam::{account}:root")
                || arn == session.role_arn().as_str()
        };
        match &self.principal {
            None => true,
            Some(Principal::Anyone(anyone)) => anyone == "*",
            Some(Principal::Named(kinds)) => kinds.values().any(|list| list.any(named)),
        }
    }

    fn holds(&self, context: &Context) -> bool {
        self.condition.iter().all(|(operator, keys)| {
            keys.iter().all(|(key, expected)| {
                let value = context.get(key).and_then(<[String]>::first);
                compare(operator, value.map(String::as_str), expected, context)
            })
        })
    }
}

/// The operators that the fifty statements use.
fn compare(operator: &str, value: Option<&str>, expected: &OneOrMany, context: &Context) -> bool {
    let Some(value) = value else {
        return match operator {
            "Null" => expected.any(|expected| expected == "true"),
            operator => operator.ends_with("IfExists") || operator.contains("Not"),
        };
    };
    let equal = |expected: &str| filled(expected, context).is_some_and(|expected| expected == value);
    match operator {
        "Null" => expected.any(|expected| expected == "false"),
        "StringEquals" => expected.any(equal),
        "StringNotEquals" | "StringNotEqualsIfExists" => !expected.any(equal),
        "Bool" => expected.any(|expected| expected.eq_ignore_ascii_case(value)),
        "ArnLike" => expected.any(|expected| like(expected.as_bytes(), value.as_bytes())),
        "NumericLessThan" => expected.any(|expected| {
            let numbers = value.parse::<f64>().ok().zip(expected.parse::<f64>().ok());
            numbers.is_some_and(|(value, expected)| value < expected)
        }),
        "IpAddress" => expected.any(|expected| within(expected, value)),
        _ => false,
    }
}

fn within(network: &str, address: &str) -> bool {
    let Some((base, length)) = network.split_once('/') else {
        return network == address;
    };
    let bits = |text: &str| text.parse::<Ipv4Addr>().map(Ipv4Addr::to_bits);
    match (bits(base), bits(address), length.parse::<u32>()) {
        (Ok(base), Ok(address), Ok(length)) if length <= 32 => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            base & mask == address & mask
        }
        _ => false,
    }
}

/// With the values of its variables.
fn filled(text: &str, context: &Context) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (key, after) = after.split_once('}')?;
        out.push_str(before);
        out.push_str(context.get(key)?.first()?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0_usize, 0_usize);
    let mut star = None;
    while let Some(byte) = text.get(read) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(expected) if expected == byte || *expected == b'?' => {
                at += 1;
                read += 1;
            }
            Some(_) | None => {
                let Some((star_at, taken)) = star else {
                    return false;
                };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                read = taken + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}
