//! SigV4: what is signed does not depend on how a query was written, and arbitrary heads make nobody known.

use moho_iam::authn::hostile_input::{canonical_path, canonical_query, canonical_request};
use moho_iam::authn::{HttpHead, SigningName};
use moho_terms::{Region, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// The bytes as a head: a line with method, path and query, then lines of headers.
pub fn sigv4(data: &[u8]) {
    let text = super::text(data);
    let mut lines = text.lines();
    let (method, target) = lines
        .next()
        .unwrap_or_default()
        .split_once(' ')
        .unwrap_or(("GET", ""));
    let (raw_path, raw_query) = target.split_once('?').unwrap_or((target, ""));
    let named: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    let headers: Vec<(&str, &str)> = named
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let host = headers.iter().find(|(name, _)| *name == "host");
    let head = HttpHead {
        method,
        raw_path,
        raw_query,
        authority: host.map_or("localhost", |(_, value)| value),
        headers: &headers,
        body_sha256: &[0; 32],
    };
    paths_are_canonical(raw_path);
    queries_are_canonical(raw_query);
    heads_are_canonical(&head);
    super::credentials::refused(&head);
}

fn paths_are_canonical(raw_path: &str) {
    let signed = canonical_path(raw_path, SigningName::Sts);
    assert!(signed.starts_with('/') && signed.is_ascii());
    assert!(!signed.contains("//") && !signed.contains("/../") && !signed.ends_with("/.."));
    // What is signed for S3 is what was sent.
    assert!(raw_path.is_empty() || canonical_path(raw_path, SigningName::S3) == raw_path);
}

fn queries_are_canonical(raw_query: &str) {
    let signed = canonical_query(raw_query);
    assert!(
        signed
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~%&=".contains(&b))
    );
    assert_eq!(canonical_query(&signed), signed, "canonical is canonical");
    assert_eq!(
        canonical_query(&otherwise(raw_query)),
        signed,
        "however it was written"
    );
}

fn heads_are_canonical(head: &HttpHead<'_>) {
    let Ok(region) = super::REGION.parse::<Region>() else {
        return;
    };
    let mut services = vec![SigningName::BedrockMantle, SigningName::Bedrock, SigningName::Sts];
    // To S3 a plus is a space, and to everybody else a plus: there is no other way to write it for all of them.
    if !head.raw_query.contains('+') {
        services.push(SigningName::S3);
    }
    let now = Timestamp::from_unix_seconds(super::NOW);
    // Which of two faults is told first may depend on the order.
    let signed = canonical_request(head, (&region, &services), now).ok();
    let raw_query = otherwise(head.raw_query);
    let other = HttpHead {
        raw_query: &raw_query,
        ..*head
    };
    assert_eq!(
        canonical_request(&other, (&region, &services), now).ok(),
        signed,
        "however it was written"
    );
    if let Some(text) = signed {
        let lines = text.split('\n').count();
        assert!(
            lines >= 7,
            "method, path, query, a header, an empty line, names, digest"
        );
        assert!(text.lines().any(|line| line.starts_with("host:")));
    }
}

/// The same parameters in the opposite order, every byte encoded.
fn otherwise(raw_query: &str) -> String {
    let encode = |text: &str| {
        let decoded: Vec<u8> = percent_decode_str(text).collect();
        percent_encode(&decoded, NON_ALPHANUMERIC).to_string()
    };
    let pairs = raw_query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        format!("{}={}", encode(name), encode(value))
    });
    pairs.rev().collect::<Vec<_>>().join("&")
}
