//! What a signature says of itself, wherever in a request it stands: the rules that header and query share.

use std::borrow::Cow;

use moho_terms::{Region, Timestamp};

use super::canonical::{self, CanonicalRequest};
use super::header::single;
use super::presented::Presented;
use super::signature::{Scope, TERMINATOR};
use super::{AuthnError, HttpHead, SigningName};
use moho_terms::hex;

/// A signature, whose it is said to be, and of what. Nothing is checked yet.
pub(super) struct SignatureClaim<'a> {
    pub(super) credential: Credential<'a>,
    pub(super) session_token: Option<&'a str>,
    pub(super) signed_headers: &'a str,
    pub(super) signed_at: Timestamp,
    /// How long the signature is good for; `None` where it does not say and only clocks may differ.
    pub(super) seconds: Option<u64>,
    pub(super) signature: [u8; 32],
}

/// `ASIA…/20150830/region/service/aws4_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Credential<'a> {
    pub(super) access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    terminator: &'a str,
}

impl<'a> Credential<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, AuthnError> {
        const MALFORMED: AuthnError = AuthnError::Malformed(
            "Credential must have exactly 5 slash-delimited elements: key/date/region/service/aws4_request.",
        );
        let parts: Vec<&str> = text.splitn(6, '/').collect();
        let &[access_key_id, date, region, service, terminator] = parts.as_slice() else {
            return Err(MALFORMED);
        };
        if access_key_id.is_empty() {
            Err(MALFORMED)
        } else {
            Ok(Self {
                access_key_id,
                date,
                region,
                service,
                terminator,
            })
        }
    }

    /// The scope, if it is for the day of `signed_at`, this region and one of `services`.
    pub(super) fn scope(
        &self,
        signed_at: Timestamp,
        region: &Region,
        services: &[SigningName],
    ) -> Result<(Scope<'a>, SigningName), AuthnError> {
        if self.terminator != TERMINATOR {
            return Err(AuthnError::WrongScope(
                "Credential should be scoped with a valid terminator: 'aws4_request'.",
            ));
        }
        if self.date != signed_at.basic_date() {
            return Err(AuthnError::WrongScope(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.",
            ));
        }
        let service = SigningName::from_scope(self.service)
            .filter(|service| services.contains(service))
            .ok_or_else(|| match services.first() {
                Some(service) => AuthnError::WrongService(*service),
                None => AuthnError::WrongScope("Credential should be scoped to correct service."),
            })?;
        // AWS's global services are signed for us-east-1 by clients that do not know better.
        let global = matches!(service, SigningName::Iam | SigningName::Sts) && self.region == "us-east-1";
        if self.region != region.as_str() && !global {
            return Err(AuthnError::WrongRegion {
                asked: self.region.parse().ok(),
                served: region.clone(),
            });
        }
        Ok((
            Scope {
                date: self.date,
                region: self.region,
                service: self.service,
            },
            service,
        ))
    }
}

impl<'a> SignatureClaim<'a> {
    /// For what it was signed, if that is by the rules of `region` and of one of `services`, covers the headers that it
    /// must, and is good at `now`.
    pub(super) fn scope(
        &self,
        head: &HttpHead<'_>,
        (region, services): (&Region, &[SigningName]),
        now: Timestamp,
    ) -> Result<(Scope<'a>, SigningName), AuthnError> {
        let (scope, service) = self.credential.scope(self.signed_at, region, services)?;
        check_signed_headers(head, self.signed_headers)?;
        self.check_time(now, service)?;
        Ok((scope, service))
    }

    /// What is presented of a whole request, by the same rules.
    pub(super) fn present(
        &self,
        head: &HttpHead<'_>,
        rules: (&Region, &[SigningName]),
        now: Timestamp,
    ) -> Result<(Presented<'a>, SigningName), AuthnError> {
        let (_, service) = self.scope(head, rules, now)?;
        let payload_hash = payload_hash(head, service)?;
        self.present_with(head, &payload_hash, rules, now)
    }

    /// The same of a request whose body has this digest, or this word in its place.
    pub(super) fn present_with(
        &self,
        head: &HttpHead<'_>,
        payload_hash: &str,
        rules: (&Region, &[SigningName]),
        now: Timestamp,
    ) -> Result<(Presented<'a>, SigningName), AuthnError> {
        let (scope, service) = self.scope(head, rules, now)?;
        let canonical_request = CanonicalRequest {
            method: head.method,
            uri: &canonical::uri(head.raw_path, service),
            query: &canonical::query_for(head.raw_query, service),
            headers: &canonical::headers(head, self.signed_headers)?,
            signed_headers: self.signed_headers,
            payload_hash,
        }
        .text();
        let presented = Presented {
            access_key_id: self.credential.access_key_id,
            session_token: self.session_token,
            scope,
            signed_at: self.signed_at,
            signature: self.signature,
            canonical_request: Cow::Owned(canonical_request),
        };
        Ok((presented, service))
    }

    /// One that says how long it is good for ends then, and clocks may differ only about its beginning.
    fn check_time(&self, now: Timestamp, service: SigningName) -> Result<(), AuthnError> {
        match self.seconds {
            Some(seconds) if self.signed_at <= now => {
                if self.signed_at.plus_seconds(seconds) <= now {
                    Err(AuthnError::Skewed {
                        signed: self.signed_at,
                        now,
                        allowed_seconds: seconds,
                    })
                } else {
                    Ok(())
                }
            }
            Some(_) | None => check_skew(self.signed_at, now, service),
        }
    }
}

/// S3's clients may be wrong by a quarter of an hour, all others by five minutes.
pub(super) fn check_skew(signed: Timestamp, now: Timestamp, service: SigningName) -> Result<(), AuthnError> {
    let allowed_seconds = if service == SigningName::S3 { 900 } else { 300 };
    if now.abs_diff_seconds(signed) > allowed_seconds {
        Err(AuthnError::Skewed {
            signed,
            now,
            allowed_seconds,
        })
    } else {
        Ok(())
    }
}

/// Signed headers are named in lower case, in order, each once.
pub(super) fn ordered(signed_headers: &str) -> Result<&str, AuthnError> {
    let names: Vec<&str> = signed_headers.split(';').collect();
    let token = |name: &&str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase())
    };
    if names.iter().all(token) && names.is_sorted_by(|a, b| a < b) {
        Ok(signed_headers)
    } else {
        Err(AuthnError::Malformed(
            "'SignedHeaders' must be lower-case names in order, each once.",
        ))
    }
}

/// `host` and every `x-amz-` header must be signed, or somebody on the way could change them.
fn check_signed_headers(head: &HttpHead<'_>, signed_headers: &str) -> Result<(), AuthnError> {
    let is_signed = |name: &str| signed_headers.split(';').any(|signed| signed == name);
    if !is_signed("host") {
        return Err(AuthnError::Malformed(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ));
    }
    if single(head, "host")?.is_some_and(|host| host != head.authority) {
        return Err(AuthnError::Malformed("'Host' and ':authority' differ."));
    }
    if head
        .headers
        .iter()
        .any(|(name, _)| name.starts_with("x-amz-") && !is_signed(name))
    {
        return Err(AuthnError::HeaderNotSigned);
    }
    Ok(())
}

/// The body's digest as signed. What the caller says about it must be so.
fn payload_hash(head: &HttpHead<'_>, service: SigningName) -> Result<String, AuthnError> {
    let actual = hex::encode(head.body_sha256);
    match single(head, "x-amz-content-sha256")? {
        None if service == SigningName::S3 => Err(AuthnError::Malformed(
            "Missing required header for this request: x-amz-content-sha256",
        )),
        None => Ok(actual),
        Some(said) if said == actual => Ok(actual),
        Some(said) if hex::decode::<32>(said).is_some() => Err(AuthnError::Malformed(
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )),
        Some(_) => Err(AuthnError::Malformed(
            "x-amz-content-sha256 must be the SHA-256 of the body.",
        )),
    }
}
