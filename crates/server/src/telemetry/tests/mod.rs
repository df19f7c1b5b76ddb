//! What is measured of requests and sequences that the tests make up.

use std::sync::Arc;

use http::{HeaderMap, Method};
use moho_iam::oidc::TokenError;
use moho_terms::{ModelId, RequestId, Timestamp};

use super::*;
use crate::net::Peer;
use crate::system::{SystemClock, SystemEntropy};

/// The one served model.
pub(crate) fn model() -> ModelId {
    "m".parse().unwrap()
}

pub(crate) fn telemetry() -> Arc<Telemetry> {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::default()));
    Arc::new(Telemetry::new(
        [model()].into_iter(),
        None,
        Closing::new(),
        clock,
        entropy,
    ))
}

pub(crate) fn head() -> Head {
    Head {
        method: Method::POST,
        raw_path: "/v1/chat/completions".to_owned(),
        raw_query: String::new(),
        authority: "moho.test:8443".to_owned(),
        headers: HeaderMap::new(),
        peer: Peer::Network("192.0.2.1:1234".parse().unwrap()),
        via: crate::net::Via::Public,
        certificate: None,
        tls: None,
        cipher_suite: None,
        version: http::Version::HTTP_11,
        received: Timestamp::from_unix_seconds(1_800_000_000),
        request_id: RequestId::random(&SystemEntropy::default()).unwrap(),
    }
}

/// A request that somebody is measuring.
pub(crate) fn span() -> RequestSpan {
    RequestSpan::begin(&telemetry(), &head(), "/v1/chat/completions")
}

mod listener;
mod sequences;

fn page(telemetry: &Telemetry) -> String {
    let mut page = Page::default();
    telemetry.write(&mut page, &[]);
    page.finish()
}

/// The value of one sample.
fn sample(page: &str, name: &str) -> String {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{page}")).to_owned()
}

#[test]
fn a_request_is_counted_once_whatever_becomes_of_it() {
    let telemetry = telemetry();
    let route = "/v1/chat/completions";
    let begin = || RequestSpan::begin(&telemetry, &head(), route);
    let one = begin();
    let same = one.clone();
    assert_eq!(sample(&page(&telemetry), "moho_inflight_requests"), "1");
    one.replied(StatusCode::OK);
    drop(one);
    assert_eq!(
        sample(&page(&telemetry), "moho_inflight_requests"),
        "1",
        "it streams"
    );
    drop(same);
    begin().replied(StatusCode::BAD_REQUEST);
    drop(begin());
    telemetry.turned_away(&head(), route::UNKNOWN, StatusCode::NOT_FOUND);
    telemetry.probed(&head(), "/healthz", StatusCode::OK);
    let page = page(&telemetry);
    assert_eq!(sample(&page, "moho_inflight_requests"), "0");
    for (route, code) in [
        (route, 200),
        (route, 400),
        (route, 499),
        ("(none)", 404),
        ("/healthz", 200),
    ] {
        let name = format!("moho_http_requests_total{{route=\"{route}\",method=\"POST\",code=\"{code}\"}}");
        assert_eq!(sample(&page, &name), "1");
    }
    let durations = format!("moho_http_request_duration_seconds_count{{route=\"{route}\"}}");
    assert_eq!(sample(&page, &durations), "3");
    let overheads = format!("moho_overhead_seconds_count{{route=\"{route}\"}}");
    assert_eq!(sample(&page, &overheads), "2", "one had no reply");
}

#[test]
fn who_fails_to_say_who_it_is_is_counted_by_the_journals_word() {
    let telemetry = telemetry();
    telemetry.authentication_failed(&AuthnError::UnknownKey);
    telemetry.had_no_room(RimError::TooMany);
    telemetry.had_no_room(RimError::BodyBroken);
    let page = page(&telemetry);
    for (name, value) in [
        ("moho_auth_failures_total{reason=\"unknown-key\"}", "1"),
        ("moho_auth_failures_total{reason=\"missing\"}", "0"),
        ("moho_quota_rejections_total{kind=\"peer_requests\"}", "1"),
        ("moho_quota_rejections_total{kind=\"body_memory\"}", "0"),
    ] {
        assert_eq!(sample(&page, name), value, "{name}");
    }
}

#[test]
fn every_word_of_the_journal_is_counted_from_the_start() {
    for error in [
        AuthnError::Missing,
        AuthnError::Malformed("x"),
        AuthnError::UnknownKey,
        AuthnError::WrongScope("x"),
        AuthnError::BadSignature,
        AuthnError::Unavailable(String::new()),
        AuthnError::Expired {
            at: Timestamp::from_unix_seconds(1),
        },
        AuthnError::Skewed {
            signed: Timestamp::from_unix_seconds(1),
            now: Timestamp::from_unix_seconds(2),
            allowed_seconds: 1,
        },
        AuthnError::WebIdentity(TokenError::Malformed("x")),
        AuthnError::WebIdentity(TokenError::UnknownIssuer),
        AuthnError::WebIdentity(TokenError::Unreachable),
        AuthnError::WebIdentity(TokenError::NoProvider),
        AuthnError::WebIdentity(TokenError::Algorithm),
        AuthnError::WebIdentity(TokenError::NoKey),
        AuthnError::WebIdentity(TokenError::Signature),
        AuthnError::WebIdentity(TokenError::Claim("x")),
        AuthnError::WebIdentity(TokenError::Issuer),
        AuthnError::WebIdentity(TokenError::Audience),
        AuthnError::WebIdentity(TokenError::Request),
        AuthnError::WebIdentity(TokenError::NotYet("x")),
        AuthnError::WebIdentity(TokenError::Expired {
            now: Timestamp::from_unix_seconds(2),
            ended: Timestamp::from_unix_seconds(1),
        }),
    ] {
        assert!(AUTH_FAILURES.contains(&error.code()), "{error}");
    }
}
