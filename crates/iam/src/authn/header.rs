//! SigV4 in the `Authorization` header.

use std::borrow::Cow;

use moho_terms::{Region, Timestamp};

use super::canonical::{self, CanonicalRequest};
use super::presented::Presented;
use super::signature::{ALGORITHM, Scope, TERMINATOR};
use super::{AuthnError, HttpHead, SigningName};
use crate::hex;

/// An `Authorization` header that was parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    credential: Credential<'a>,
    signed_headers: &'a str,
    signature: [u8; 32],
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

impl<'a> Authorization<'a> {
    /// Parses what follows `Authorization:`.
    pub(super) fn parse(value: &'a str) -> Result<Self, AuthnError> {
        let value = value.trim();
        let (algorithm, rest) = value.split_once([' ', '\t']).unwrap_or((value, ""));
        if algorithm != ALGORITHM {
            return Err(AuthnError::Malformed(
                "Unsupported algorithm: the only ones are AWS4-HMAC-SHA256 and Bearer.",
            ));
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for pair in rest.split(',').map(str::trim) {
            let (name, value) = pair.split_once('=').ok_or(AuthnError::Malformed(
                "Authorization header has a part that is not a key=value pair.",
            ))?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => {
                    return Err(AuthnError::Malformed(
                        "Authorization header has an unknown parameter.",
                    ));
                }
            };
            if slot.replace(value).is_some() {
                return Err(AuthnError::Malformed(
                    "Authorization header has a parameter twice.",
                ));
            }
        }
        let credential = credential.ok_or(AuthnError::Malformed(
            "Authorization header requires 'Credential' parameter.",
        ))?;
        let signed_headers = signed_headers.ok_or(AuthnError::Malformed(
            "Authorization header requires 'SignedHeaders' parameter.",
        ))?;
        let signature = signature.ok_or(AuthnError::Malformed(
            "Authorization header requires 'Signature' parameter.",
        ))?;
        Ok(Self {
            credential: Credential::parse(credential)?,
            signed_headers: ordered(signed_headers)?,
            signature: hex::decode(signature).ok_or(AuthnError::Malformed(
                "'Signature' must be 64 lower-case hexadecimal digits.",
            ))?,
        })
    }

    /// The public half of the credentials.
    pub(super) fn access_key_id(&self) -> &'a str {
        self.credential.access_key_id
    }

    /// When and for what the request says it was signed, if that is by the rules of `region` and of one of `services`
    /// and covers the headers that it must.
    pub(super) fn scope(
        &self,
        head: &HttpHead<'a>,
        region: &Region,
        services: &[SigningName],
    ) -> Result<(Timestamp, Scope<'a>, SigningName), AuthnError> {
        let signed_at = signing_time(head)?;
        let (scope, service) = self.credential.scope(signed_at, region, services)?;
        check_signed_headers(head, self.signed_headers)?;
        Ok((signed_at, scope, service))
    }

    /// What the request presents, by the rules of `region` and of one of `services`.
    pub(super) fn present(
        &self,
        head: &HttpHead<'a>,
        region: &Region,
        services: &[SigningName],
    ) -> Result<(Presented<'a>, SigningName), AuthnError> {
        let (signed_at, scope, service) = self.scope(head, region, services)?;
        let payload_hash = payload_hash(head, service)?;
        let presented = Presented {
            access_key_id: self.credential.access_key_id,
            session_token: single(head, "x-amz-security-token")?,
            scope,
            signed_at,
            signature: self.signature,
            canonical_request: Cow::Owned(
                CanonicalRequest {
                    method: head.method,
                    uri: &canonical::uri(head.raw_path, service),
                    query: &canonical::query(head.raw_query),
                    headers: &canonical::headers(head, self.signed_headers)?,
                    signed_headers: self.signed_headers,
                    payload_hash: &payload_hash,
                }
                .text(),
            ),
        };
        Ok((presented, service))
    }
}

/// The one value of a header; `None` if it is absent.
pub(super) fn single<'a>(head: &HttpHead<'a>, name: &str) -> Result<Option<&'a str>, AuthnError> {
    let mut values = head
        .headers
        .iter()
        .filter(|(header, _)| *header == name)
        .map(|(_, value)| *value);
    let first = values.next();
    if values.next().is_some() {
        return Err(AuthnError::Malformed(
            "A header that proves who is calling appears twice.",
        ));
    }
    Ok(first)
}

/// Signed headers are named in lower case, in order, each once.
fn ordered(signed_headers: &str) -> Result<&str, AuthnError> {
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
        return Err(AuthnError::Malformed(
            "There were headers present in the request which were not signed.",
        ));
    }
    Ok(())
}

fn signing_time(head: &HttpHead<'_>) -> Result<Timestamp, AuthnError> {
    let text = match single(head, "x-amz-date")? {
        Some(text) => text,
        None => single(head, "date")?.ok_or(AuthnError::Malformed(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        ))?,
    };
    Timestamp::parse_iso8601_basic(text)
        .ok()
        .or_else(|| parse_http_date(text))
        .ok_or(AuthnError::Malformed("Date must be in ISO-8601 'basic format'."))
}

/// `Sun, 30 Aug 2015 12:36:00 GMT`.
fn parse_http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let parts: Vec<&str> = text.split(' ').collect();
    let &[_, day, month, year, time, _] = parts.as_slice() else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let basic = format!("{year}{month:02}{day}T{}Z", time.replace(':', ""));
    // Whatever else was wrong prints differently than it was read.
    Timestamp::parse_iso8601_basic(&basic)
        .ok()
        .filter(|time| time.http_date() == text)
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
