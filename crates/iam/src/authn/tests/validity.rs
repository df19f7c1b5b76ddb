//! Where and for how long a signature and a token count.

use super::*;

#[test]
fn the_scope_is_this_day_region_and_service() {
    assert_eq!(
        signed(|d| d.scope.0 = at(START - 86_400).basic_date()),
        "wrong-scope"
    );
    assert_eq!(signed(|d| d.scope.1 = "eu-central-1"), "wrong-scope");
    assert_eq!(
        signed(|d| d.scope.1 = "us-east-1"),
        "valid",
        "sts is global at AWS"
    );
    assert_eq!(signed(|d| d.scope.2 = "kms"), "wrong-scope");
    assert_eq!(signed(|d| d.scope.2 = "service"), "wrong-scope");
    assert_eq!(signed(|d| d.scope.3 = "aws4_requests"), "wrong-scope");
    assert_eq!(signed(|d| d.key = "ASIA/x"), "malformed");
}

#[test]
fn only_keys_issued_here_are_known() {
    assert_eq!(signed(|d| d.key = "ASIAEXAMPLEEXAMPLE23"), "unknown-key");
    assert_eq!(signed(|d| d.key = "AKIAEXAMPLEEXAMPLE22"), "unknown-key");
    let without_token = |d: &mut Draft| {
        d.headers.retain(|(name, _)| name != "x-amz-security-token");
        d.signed = "host;x-amz-date".to_owned();
    };
    assert_eq!(signed(without_token), "unknown-key");
    for token in ["", "x", "AQ==", &STANDARD.encode([1; 64])] {
        assert_eq!(
            signed(|d| {
                d.set("x-amz-security-token", token);
            }),
            "unknown-key",
            "{token}"
        );
    }
    let foreign = token_of(&authenticator(2), KEY, None);
    assert_eq!(
        signed(|d| {
            d.set("x-amz-security-token", &foreign);
        }),
        "unknown-key"
    );
}

#[test]
fn a_token_cannot_be_altered_in_any_bit() {
    let authenticator = authenticator(1);
    let token = STANDARD.decode(token_of(&authenticator, KEY, None)).unwrap();
    for byte in 0..token.len() {
        let mut altered = token.clone();
        altered[byte] ^= 1;
        assert!(
            authenticator.tokens.open(&STANDARD.encode(altered)).is_none(),
            "byte {byte}"
        );
    }
    assert!(authenticator.tokens.open(&STANDARD.encode(token)).is_some());
}

#[test]
fn a_token_carries_its_session_policy() {
    let authenticator = authenticator(1);
    let opened = authenticator
        .tokens
        .open(&token_of(&authenticator, KEY, Some(builtin::BOOTSTRAP)))
        .unwrap();
    assert_eq!(
        opened.session.session_policy().unwrap().as_str(),
        builtin::BOOTSTRAP
    );
    assert_eq!(opened.secret_access_key.expose(), SECRET.as_bytes());
    assert!(!token_of(&authenticator, KEY, None).contains(SECRET));
}

#[test]
fn clocks_may_differ_by_five_minutes_for_s3_by_fifteen() {
    let authenticator = authenticator(1);
    let draft = Draft::new(&token_of(&authenticator, KEY, None)).sign().clone();
    for (now, expected) in [
        (START - 300, "valid"),
        (START + 300, "valid"),
        (START - 301, "skewed"),
        (START + 301, "skewed"),
    ] {
        assert_eq!(code(draft.send(&authenticator, now)), expected, "{now}");
    }
    let late = draft.send(&authenticator, START + 301).unwrap_err();
    assert_eq!(
        late.to_string(),
        "Signature expired: 20261122T020000Z is now earlier than 20261122T020001Z (20261122T020501Z - 5 min.)"
    );
    let mut s3 = Draft::new(&token_of(&authenticator, KEY, None));
    let body = hex::encode(digest::digest(&digest::SHA256, s3.body).as_ref());
    s3.scope.2 = "s3";
    s3.signed = "host;x-amz-content-sha256;x-amz-date;x-amz-security-token".to_owned();
    s3.set("x-amz-content-sha256", &body).sign();
    assert_eq!(code(s3.send(&authenticator, START + 900)), "valid");
    assert_eq!(code(s3.send(&authenticator, START + 901)), "skewed");
}

#[test]
fn the_date_header_will_do() {
    let authenticator = authenticator(1);
    let mut draft = Draft::new(&token_of(&authenticator, KEY, None));
    draft.signed = "date;host;x-amz-security-token".to_owned();
    draft.set("date", &at(START).http_date()).sign();
    draft.headers.retain(|(name, _)| name != "x-amz-date");
    assert_eq!(code(draft.send(&authenticator, START)), "valid");
    draft.set("date", "Sun, 22 Nov 2026 02:00:00 CET");
    assert_eq!(code(draft.send(&authenticator, START)), "malformed");
}

#[test]
fn credentials_end() {
    let authenticator = authenticator(1);
    let mut draft = Draft::new(&token_of(&authenticator, KEY, None));
    draft.set("x-amz-date", &at(START + 3599).iso8601_basic()).sign();
    assert_eq!(code(draft.send(&authenticator, START + 3599)), "valid");
    assert_eq!(code(draft.send(&authenticator, START + 3600)), "expired");
}
