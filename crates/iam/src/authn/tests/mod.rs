//! Every rule of a signature and of a bearer key, broken one at a time.

mod bearer_keys;
mod credentials;
mod draft;
mod objects;
mod presigned;
mod properties;
mod validity;

use std::sync::atomic::{AtomicU8, Ordering};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{AccessKeyId, Entropy, EntropyUnavailable};
use proptest::prelude::*;

use super::canonical::CanonicalRequest;
use super::signature::{ALGORITHM, Scope};
use super::*;
use crate::policy::{PolicyDocument, PolicyKind, builtin};
use crate::session::{Narrowing, RoleRef};
use moho_terms::hex;

use draft::{Draft, KEY};

const START: u64 = 1_795_312_800;
const REGION: &str = "moho-local-1";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn authenticator(key: u8) -> Authenticator {
    Authenticator::new(&Secret::new(vec![key; 32]), REGION.parse().unwrap()).unwrap()
}

fn developer() -> RoleRef {
    RoleRef {
        path: "/".to_owned(),
        name: "Developer".parse().unwrap(),
        id: "AROAEXAMPLEEXAMPLE222".to_owned(),
    }
}

fn token_of(authenticator: &Authenticator, key: &str, policy: Option<&str>) -> String {
    let policy = policy.map(|text| PolicyDocument::parse(PolicyKind::Session, text).unwrap());
    let terms = Terms {
        narrowing: Narrowing::new(policy, vec![]).unwrap(),
        ..Terms::new(Some(key.parse().unwrap()), at(START), Some(at(START + 3600)))
    };
    let session = Session::of_role(
        "123456789012".parse().unwrap(),
        developer(),
        "me".parse().unwrap(),
        terms,
    );
    let secret = Secret::new(SECRET.as_bytes().to_vec());
    let token = authenticator
        .tokens
        .seal(&session.unwrap(), &secret, &Counting(AtomicU8::new(0)))
        .unwrap();
    String::from_utf8(token.expose().to_vec()).unwrap()
}

fn present(to: &Authenticator, authorization: &str, now: u64) -> Result<Authenticated, AuthnError> {
    let mut draft = Draft::new("");
    draft.headers = vec![("authorization".to_owned(), authorization.to_owned())];
    draft.query.clear();
    draft.head(&draft.headers, |head| {
        to.authenticate(
            head,
            &[SigningName::Sts, SigningName::BedrockMantle, SigningName::Bedrock],
            at(now),
        )
    })
}

fn code(result: Result<Authenticated, AuthnError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "valid")
}

/// What comes of a request that is changed before and after it is signed.
fn outcome(before: impl FnOnce(&mut Draft), after: impl FnOnce(&mut Draft)) -> &'static str {
    let authenticator = authenticator(1);
    let mut draft = Draft::new(&token_of(&authenticator, KEY, None));
    before(&mut draft);
    draft.sign();
    after(&mut draft);
    code(draft.send(&authenticator, START))
}

fn signed(before: impl FnOnce(&mut Draft)) -> &'static str {
    outcome(before, |_| {})
}

fn tampered(after: impl FnOnce(&mut Draft)) -> &'static str {
    outcome(|_| {}, after)
}

#[test]
fn a_signed_request_says_who_sent_it() {
    let authenticator = authenticator(1);
    let caller = Draft::new(&token_of(&authenticator, KEY, None))
        .sign()
        .send(&authenticator, START)
        .unwrap();
    assert_eq!(
        caller.scheme(),
        Scheme::SigV4 {
            service: SigningName::Sts
        }
    );
    assert_eq!(caller.session().access_key_id().unwrap().as_str(), KEY);
    assert_eq!(
        caller.session().principal_arn().as_str(),
        "arn:aws:sts::123456789012:assumed-role/Developer/me"
    );
    assert_eq!(
        caller.session().role_arn().as_str(),
        "arn:aws:iam::123456789012:role/Developer"
    );
    assert_eq!(
        (caller.session().issued_at(), caller.session().expires_at()),
        (at(START), Some(at(START + 3600)))
    );
}

#[test]
fn whatever_was_signed_cannot_be_changed() {
    assert_eq!(tampered(|_| {}), "valid");
    assert_eq!(tampered(|d| d.method = "GET"), "bad-signature");
    assert_eq!(tampered(|d| d.path = "/x"), "bad-signature");
    assert_eq!(tampered(|d| d.query = "a=1&b=3".to_owned()), "bad-signature");
    assert_eq!(tampered(|d| d.body = b"Action=AssumeRole"), "bad-signature");
    assert_eq!(tampered(|d| d.authority = "elsewhere"), "bad-signature");
    assert_eq!(
        tampered(|d| {
            d.set("x-amz-date", &at(START + 1).iso8601_basic());
        }),
        "bad-signature"
    );
    assert_eq!(
        tampered(|d| {
            d.set("user-agent", "you");
        }),
        "valid"
    );
    assert_eq!(
        tampered(|d| d.query = "a=1&b=2".to_owned()),
        "valid",
        "order does not count"
    );
}

#[test]
fn a_signature_has_64_hexadecimal_digits() {
    let change = |from: usize, to: &'static str| {
        tampered(move |d| {
            let value = d.headers.last().unwrap().1.clone();
            let (front, signature) = value.split_at(value.len() - 64);
            d.set(
                "authorization",
                &format!("{front}{}{to}", signature.get(..from).unwrap()),
            );
        })
    };
    assert_eq!(change(64, ""), "valid");
    assert_eq!(change(63, ""), "malformed");
    assert_eq!(change(64, "0"), "malformed");
    assert_eq!(change(63, "g"), "malformed");
    assert_eq!(change(0, ZEROS), "bad-signature");
}

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn host_and_every_amz_header_must_be_signed() {
    assert_eq!(
        signed(|d| d.signed = "x-amz-date;x-amz-security-token".to_owned()),
        "malformed"
    );
    assert_eq!(
        signed(|d| d.signed = "host;x-amz-security-token".to_owned()),
        "malformed"
    );
    assert_eq!(signed(|d| d.signed = "host;x-amz-date".to_owned()), "malformed");
    assert_eq!(
        tampered(|d| {
            d.set("x-amz-target", "other");
        }),
        "malformed"
    );
    assert_eq!(
        tampered(|d| d.headers.retain(|(name, _)| name != "x-amz-security-token")),
        "malformed"
    );
    assert_eq!(
        signed(|d| d.signed = "host;user-agent;x-amz-date;x-amz-security-token".to_owned()),
        "valid"
    );
    assert_eq!(
        signed(|d| d.signed = "user-agent;host;x-amz-date;x-amz-security-token".to_owned()),
        "malformed"
    );
    assert_eq!(
        signed(|d| d.signed = "host;host;x-amz-date;x-amz-security-token".to_owned()),
        "malformed"
    );
}

#[test]
fn headers_that_prove_something_come_once() {
    for name in ["authorization", "x-amz-date", "x-amz-security-token"] {
        let twice = |d: &mut Draft| {
            let header = d
                .headers
                .iter()
                .find(|(header, _)| header == name)
                .unwrap()
                .clone();
            d.headers.push(header);
        };
        assert_eq!(tampered(twice), "malformed", "{name}");
    }
    assert_eq!(
        tampered(|d| {
            d.set("host", "localhost:8443");
        }),
        "valid"
    );
    assert_eq!(
        tampered(|d| {
            d.set("host", "elsewhere");
        }),
        "malformed"
    );
}

#[test]
fn the_body_is_what_the_caller_says_it_is() {
    let with = |said: &'static str| {
        signed(move |d| {
            d.signed = "host;x-amz-content-sha256;x-amz-date;x-amz-security-token".to_owned();
            d.set("x-amz-content-sha256", said);
        })
    };
    assert_eq!(
        with("50f61881bd53bcbbf2d7a32fe8aa7d3aba5fc88b8fd6d0a2b3fcd5b3b2d5ae9b"),
        "malformed"
    );
    for said in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ""] {
        assert_eq!(with(said), "malformed", "{said}");
    }
    assert_eq!(signed(|d| d.scope.2 = "s3"), "malformed", "S3 needs the header");
}

#[test]
fn nothing_and_other_schemes_are_told_apart() {
    assert_eq!(
        tampered(|d| d.headers.retain(|(name, _)| name != "authorization")),
        "missing"
    );
    for value in [
        "",
        "AWS AKIDEXAMPLE:c2ln",
        "Basic dXNlcjpwYXNz",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential",
    ] {
        assert_eq!(
            tampered(|d| {
                d.set("authorization", value);
            }),
            "malformed",
            "{value}"
        );
    }
    assert_eq!(signed(|d| d.algorithm = "AWS4-ECDSA-P256-SHA256"), "malformed");
    for query in [
        "X-Amz-Signature=0",
        "x-amz-algorithm=AWS4-HMAC-SHA256",
        "X%2DAmz-Credential=x",
        "Signature=x",
        "AWSAccessKeyId=x",
    ] {
        assert_eq!(signed(|d| query.clone_into(&mut d.query)), "malformed", "{query}");
    }
}

#[test]
fn a_session_key_has_32_bytes() {
    for length in [0, 16, 31, 33] {
        assert!(Authenticator::new(&Secret::new(vec![0; length]), REGION.parse().unwrap()).is_err());
    }
}

/// What comes of a request that is changed before it is signed, looked at without its body.
fn prechecked(now: u64, before: impl FnOnce(&mut Draft)) -> &'static str {
    let authenticator = authenticator(1);
    let mut draft = Draft::new(&token_of(&authenticator, KEY, None));
    before(&mut draft);
    let draft = draft.sign().clone();
    let services = [SigningName::Sts, SigningName::S3];
    draft
        .head(&draft.headers, |head| {
            let head = HttpHead {
                body_sha256: &[0; 32],
                ..*head
            };
            authenticator.precheck(&head, &services, at(now))
        })
        .map_or_else(|error| error.code(), |_claims| "worth its body")
}

#[test]
fn strangers_are_known_before_their_body() {
    assert_eq!(prechecked(START, |_| {}), "worth its body");
    let digest = "0f".repeat(32);
    assert_eq!(
        prechecked(START, |draft| {
            draft.set("x-amz-content-sha256", &digest);
            draft.signed = "host;x-amz-content-sha256;x-amz-date;x-amz-security-token".to_owned();
        }),
        "worth its body",
        "what is said about the body waits for the body"
    );
    assert_eq!(prechecked(START + 301, |_| {}), "skewed");
    assert_eq!(prechecked(START, |draft| draft.scope.2 = "iam"), "wrong-scope");
    assert_eq!(
        prechecked(START, |draft| draft.key = "ASIAEXAMPLEEXAMPLE23"),
        "unknown-key"
    );
    let foreign = token_of(&authenticator(2), KEY, None);
    assert_eq!(
        prechecked(START, |draft| {
            draft.set("x-amz-security-token", &foreign);
        }),
        "unknown-key"
    );
    assert_eq!(
        prechecked(START + 3600, |draft| {
            draft.set("x-amz-date", &at(START + 3600).iso8601_basic());
            draft.scope.0 = at(START + 3600).basic_date();
        }),
        "expired"
    );
}

#[test]
fn a_bearer_key_needs_no_body() {
    let authenticator = authenticator(1);
    let token = token_of(&authenticator, KEY, None);
    let secret = Secret::new(SECRET.as_bytes().to_vec());
    let region = REGION.parse().unwrap();
    let key = bearer::make(KEY, &secret, &token, (&region, at(START), 60));
    let asked = |key: &str, now: u64| {
        let mut draft = Draft::new(&token);
        draft.query = String::new();
        draft.headers = vec![("authorization".to_owned(), format!("Bearer {key}"))];
        draft.head(&draft.headers, |head| {
            authenticator
                .precheck(head, &[SigningName::BedrockMantle], at(now))
                .map_err(|error| error.code())
        })
    };
    let key = String::from_utf8(key.expose().to_vec()).unwrap();
    assert_eq!(asked(&key, START), Ok(Prechecked::Proven));
    assert_eq!(asked(&key, START + 60), Err("expired"));
    let other = bearer::make(
        KEY,
        &Secret::new(vec![b'y'; 40]),
        &token,
        (&region, at(START), 60),
    );
    assert_eq!(
        asked(std::str::from_utf8(other.expose()).unwrap(), START),
        Err("bad-signature")
    );
    assert_eq!(asked("bedrock-api-key-x", START), Err("malformed"));
}
