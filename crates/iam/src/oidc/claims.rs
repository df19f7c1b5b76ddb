//! What a token says (OpenID Connect Core §2), and AWS's own claims for session tags and source identity.

use std::collections::{BTreeMap, BTreeSet};

use moho_terms::{SourceIdentity, Timestamp};

use super::Provider;
use super::error::TokenError;
use super::json::{Json, Members};
use crate::session::{SessionTags, WebIdentity};

/// Seconds that a provider's clock may be ahead of ours. Nothing is added to `exp`: the provider has said how long its
/// word is good.
const SKEW: u64 = 60;
/// Bytes of a subject, an audience and an issuer.
const LONGEST: usize = 255;

const TAGS: &str = "https://aws.amazon.com/tags";
const PRINCIPAL_TAGS: &str = "principal_tags";
const TRANSITIVE: &str = "transitive_tag_keys";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";

/// The claims that are needed, and what conditions may ask of the others.
#[derive(Debug, Clone)]
pub(super) struct Claims {
    pub(super) issuer: String,
    subject: String,
    audiences: Vec<String>,
    authorized_party: Option<String>,
    pub(super) expires_at: Timestamp,
    issued_at: Timestamp,
    not_before: Option<Timestamp>,
    others: BTreeMap<String, Vec<String>>,
    pub(super) source_identity: Option<SourceIdentity>,
    pub(super) tags: SessionTags,
}

impl Claims {
    pub(super) fn read(mut members: Members) -> Result<Self, TokenError> {
        // Conditions do not tell their names apart.
        let names: BTreeSet<String> = members.keys().map(|name| name.to_lowercase()).collect();
        if names.len() < members.len() {
            return Err(TokenError::Malformed("two of its claims differ in case alone"));
        }
        let tags = tags(&mut members)?;
        let source_identity = match members.remove(SOURCE_IDENTITY) {
            None => None,
            Some(source) => {
                let source = source.text().and_then(|source| source.parse().ok());
                Some(source.ok_or(TokenError::Claim(SOURCE_IDENTITY))?)
            }
        };
        let authorized_party = match members.remove("azp") {
            None => None,
            Some(party) => Some(name(&party).ok_or(TokenError::Claim("azp"))?),
        };
        Ok(Self {
            issuer: required(&mut members, "iss")?,
            subject: required(&mut members, "sub")?,
            audiences: audiences(&mut members)?,
            authorized_party,
            expires_at: moment(&mut members, "exp")?.ok_or(TokenError::Claim("exp"))?,
            issued_at: moment(&mut members, "iat")?.ok_or(TokenError::Claim("iat"))?,
            not_before: moment(&mut members, "nbf")?,
            others: members.into_iter().filter_map(asked).collect(),
            source_identity,
            tags,
        })
    }

    /// A claim that is one text.
    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        if claim == "sub" {
            return Some(&self.subject);
        }
        match self.others.get(claim).map(Vec::as_slice) {
            Some([text]) => Some(text),
            Some(_) | None => None,
        }
    }

    /// Whether a client is among those it is for.
    pub(super) fn is_for(&self, client_id: &str) -> bool {
        self.audiences.iter().any(|audience| audience == client_id)
            && self
                .authorized_party
                .as_deref()
                .is_none_or(|party| party == client_id)
    }

    pub(super) fn check_time(&self, now: Timestamp) -> Result<(), TokenError> {
        if self.expires_at <= now {
            return Err(TokenError::Expired {
                now,
                ended: self.expires_at,
            });
        }
        let latest = now.plus_seconds(SKEW);
        if self.issued_at > latest {
            Err(TokenError::NotYet("iat"))
        } else if self.not_before.is_some_and(|begins| begins > latest) {
            Err(TokenError::NotYet("nbf"))
        } else {
            Ok(())
        }
    }

    /// The identity that the claims are of, if they are for `provider`.
    pub(super) fn into_identity(mut self, provider: &Provider) -> Result<WebIdentity, TokenError> {
        if provider.issuer != self.issuer {
            return Err(TokenError::Issuer);
        }
        let known = |audience: &&String| provider.client_ids.contains(*audience);
        let named = self.audiences.iter().find(known).ok_or(TokenError::Audience)?;
        // With an authorized party the token is for that one, and `aud` says whom it may be shown to.
        let audience = match &self.authorized_party {
            None => named.clone(),
            Some(party) if provider.client_ids.contains(party) => {
                self.others.insert("oaud".to_owned(), vec![named.clone()]);
                party.clone()
            }
            Some(_) => return Err(TokenError::Audience),
        };
        self.others.insert("aud".to_owned(), vec![audience.clone()]);
        self.others.insert("sub".to_owned(), vec![self.subject.clone()]);
        Ok(WebIdentity {
            provider: provider.arn.clone(),
            issuer: self.issuer,
            subject: self.subject,
            audience,
            claims: self.others,
        })
    }
}

/// A claim as conditions see it; `None` for one that has no form they could ask about.
fn asked((name, value): (String, Json)) -> Option<(String, Vec<String>)> {
    let values = match value {
        Json::Text(text) => vec![text],
        Json::Bool(truth) => vec![truth.to_string()],
        Json::List(_) => value.texts()?,
        Json::Null | Json::Number(_) | Json::Object(_) => return None,
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    // `oaud` is what we say of `aud`; a claim of that name, in any case, is not it.
    (!name.is_empty() && !name.eq_ignore_ascii_case("oaud") && name.bytes().all(plain))
        .then_some((name, values))
}

/// A name of ordinary length without control characters.
fn name(value: &Json) -> Option<String> {
    let text = value.text()?;
    let fits = (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn required(members: &mut Members, claim: &'static str) -> Result<String, TokenError> {
    let value = members.remove(claim).ok_or(TokenError::Claim(claim))?;
    name(&value).ok_or(TokenError::Claim(claim))
}

fn audiences(members: &mut Members) -> Result<Vec<String>, TokenError> {
    let names = match members.remove("aud") {
        Some(Json::List(list)) => list.iter().map(name).collect(),
        Some(one) => name(&one).map(|one| vec![one]),
        None => None,
    };
    names
        .filter(|names| !names.is_empty())
        .ok_or(TokenError::Claim("aud"))
}

/// A `NumericDate` (RFC 7519 §2), fractions cut off.
fn moment(members: &mut Members, claim: &'static str) -> Result<Option<Timestamp>, TokenError> {
    /// The year 9999.
    const LATEST: f64 = 253_402_300_799.0;
    match members.remove(claim) {
        None => Ok(None),
        Some(Json::Number(seconds)) if (0.0..=LATEST).contains(&seconds) => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and the year 9999, and a fraction of a second means nothing here"
            )]
            let seconds = seconds as u64;
            Ok(Some(Timestamp::from_unix_seconds(seconds)))
        }
        Some(_) => Err(TokenError::Claim(claim)),
    }
}

/// The session tags, nested in one claim or flattened to one claim each, as AWS takes both.
fn tags(members: &mut Members) -> Result<SessionTags, TokenError> {
    let mut principal = Vec::new();
    let mut transitive = Vec::new();
    match members.remove(TAGS) {
        None => {}
        Some(Json::Object(mut nested)) => {
            match nested.remove(PRINCIPAL_TAGS) {
                None => {}
                Some(Json::Object(tags)) => principal.extend(tags),
                Some(_) => return Err(BAD_TAGS),
            }
            transitive.extend(nested.remove(TRANSITIVE));
        }
        Some(_) => return Err(BAD_TAGS),
    }
    let flat = format!("{TAGS}/{PRINCIPAL_TAGS}/");
    transitive.extend(members.remove(&format!("{TAGS}/{TRANSITIVE}")));
    let flattened: Vec<String> = members
        .keys()
        .filter(|name| name.starts_with(&flat))
        .cloned()
        .collect();
    for name in flattened {
        let key = name.strip_prefix(&flat).map(str::to_owned);
        principal.extend(key.zip(members.remove(&name)));
    }
    let principal = principal
        .into_iter()
        .map(|(key, value)| one_value(&value).map(|value| (key, value)));
    let principal = principal.collect::<Option<Vec<_>>>().ok_or(BAD_TAGS)?;
    let transitive = transitive.iter().map(Json::texts);
    let transitive = transitive.collect::<Option<Vec<_>>>().ok_or(BAD_TAGS)?;
    SessionTags::parse(principal, transitive.concat()).map_err(|_broken| BAD_TAGS)
}

/// The value of a tag, alone or in a list of one.
fn one_value(value: &Json) -> Option<String> {
    match value {
        Json::Text(text) => Some(text.clone()),
        Json::List(list) => match list.as_slice() {
            [one] => one.text().map(str::to_owned),
            _ => None,
        },
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => None,
    }
}

const BAD_TAGS: TokenError = TokenError::Claim(TAGS);
