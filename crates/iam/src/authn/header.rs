//! SigV4 in the `Authorization` header.

use moho_terms::Timestamp;

use super::claim::{Credential, SignatureClaim, ordered};
use super::signature::ALGORITHM;
use super::{AuthnError, HttpHead};
use moho_terms::hex;

/// An `Authorization` header that was parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    credential: Credential<'a>,
    signed_headers: &'a str,
    signature: [u8; 32],
}

impl<'a> Authorization<'a> {
    /// Parses what follows `Authorization:`.
    pub(super) fn parse(value: &'a str) -> Result<Self, AuthnError> {
        let value = value.trim();
        let (algorithm, rest) = value.split_once([' ', '\t']).unwrap_or((value, ""));
        if algorithm != ALGORITHM {
            return Err(AuthnError::Unsupported(
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

    /// What the header claims, with what its signature says elsewhere in the head.
    pub(super) fn claim(&self, head: &HttpHead<'a>) -> Result<SignatureClaim<'a>, AuthnError> {
        Ok(SignatureClaim {
            credential: self.credential,
            session_token: single(head, "x-amz-security-token")?,
            signed_headers: self.signed_headers,
            signed_at: signing_time(head)?,
            seconds: None,
            signature: self.signature,
        })
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
