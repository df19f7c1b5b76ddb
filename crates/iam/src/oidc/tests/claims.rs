//! Claims: whom a token is of, for whom, from when to when, and what conditions can ask.

use super::signer::{NOW, Signer, claims, set, verify};
use super::*;

/// What is said of a token with these claims.
fn told(changes: &[(&str, &str)]) -> Result<VerifiedToken, TokenError> {
    thread_local!(static SIGNER: Signer = Signer::ed());
    SIGNER.with(|signer| {
        let token = signer.token(r#"{"alg":"EdDSA"}"#, &claims(changes));
        verify(&token, &set(&[signer.jwk("")]))
    })
}

#[test]
fn every_claim_that_is_needed_is_there() {
    for claim in ["iss", "sub", "aud", "exp", "iat"] {
        for value in [
            "null",
            "{}",
            "[]",
            "true",
            "\"\"",
            "[1]",
            "-1",
            "1e300",
            "\"a\\u0000b\"",
        ] {
            let refused = told(&[(claim, value)]).err();
            assert_eq!(refused, Some(TokenError::Claim(claim)), "{claim} {value}");
        }
        let long = format!("\"{}\"", "a".repeat(256));
        assert_eq!(told(&[(claim, &long)]).err(), Some(TokenError::Claim(claim)));
    }
    assert_eq!(told(&[("nbf", "\"soon\"")]).err(), Some(TokenError::Claim("nbf")));
    let twice = claims(&[]).replace('}', ",\"sub\":\"mallory\"}");
    let token = Signer::ed().token(r#"{"alg":"EdDSA"}"#, &twice);
    assert!(matches!(IdToken::parse(&token), Err(TokenError::Malformed(_))));
}

#[test]
fn a_token_has_its_time() {
    let (now, soon) = (moho_terms::Timestamp::from_unix_seconds(NOW), NOW + 1);
    let at = |seconds: u64| seconds.to_string();
    for ended in [NOW, NOW - 1, 0] {
        let expected = TokenError::Expired {
            now,
            ended: moho_terms::Timestamp::from_unix_seconds(ended),
        };
        assert_eq!(told(&[("exp", &at(ended))]).err(), Some(expected));
    }
    assert!(told(&[("exp", &at(soon))]).is_ok());
    assert!(told(&[("exp", &format!("{soon}.9")), ("iat", &format!("{NOW}.5"))]).is_ok());
    for claim in ["iat", "nbf"] {
        assert!(
            told(&[(claim, &at(NOW + 60))]).is_ok(),
            "a clock may be a little ahead"
        );
        assert_eq!(
            told(&[(claim, &at(NOW + 61))]).err(),
            Some(TokenError::NotYet(claim))
        );
    }
    let expired = told(&[("exp", &at(NOW - 10))]).err().unwrap().to_string();
    assert_eq!(
        expired,
        format!(
            "Token expired: current date/time {NOW} must be before the expiration date/time {}",
            NOW - 10
        )
    );
}

#[test]
fn a_token_is_for_one_of_the_client_ids() {
    let audience = |changes: &[(&str, &str)]| {
        told(changes).map(|verified| {
            let web = verified.identity();
            let of = |claim: &str| web.claims.get(claim).map(|values| values.join(" "));
            (web.audience.clone(), of("aud"), of("oaud"))
        })
    };
    let plain = |name: &str| Ok((name.to_owned(), Some(name.to_owned()), None));
    assert_eq!(audience(&[]), plain("moho-cli"));
    assert_eq!(audience(&[("aud", r#"["x","other"]"#)]), plain("other"));
    for wrong in [
        r#""x""#,
        r#"["x","y"]"#,
        r#""MOHO-CLI""#,
        r#""moho-cli ""#,
        r#""moho""#,
    ] {
        assert_eq!(audience(&[("aud", wrong)]), Err(TokenError::Audience), "{wrong}");
        assert!(audience(&[("azp", wrong)]).is_err(), "{wrong}");
    }
    let authorized = audience(&[
        ("aud", r#""other""#),
        ("azp", r#""moho-cli""#),
        ("oaud", r#""forged""#),
    ]);
    let names = (
        "moho-cli".to_owned(),
        Some("moho-cli".to_owned()),
        Some("other".to_owned()),
    );
    assert_eq!(authorized, Ok(names));
    assert_eq!(audience(&[("oaud", r#""forged""#)]), plain("moho-cli"));
    assert_eq!(
        audience(&[("aud", r#""x""#), ("azp", r#""moho-cli""#)]),
        Err(TokenError::Audience)
    );
}

#[test]
fn another_issuers_token_is_not_this_providers() {
    let signer = Signer::ed();
    let elsewhere = "https://elsewhere.example.com";
    let claims = claims(&[("iss", &format!("\"{elsewhere}\""))]);
    let token = signer.token(r#"{"alg":"EdDSA"}"#, &claims);
    let keys = KeySet::parse(
        elsewhere,
        format!(r#"{{"keys":[{}]}}"#, signer.jwk("")).as_bytes(),
    )
    .unwrap();
    assert_eq!(verify(&token, &keys).err(), Some(TokenError::Issuer));
}

#[test]
fn conditions_can_ask_about_plain_claims() {
    let verified = told(&[
        ("email", r#""a@example.com""#),
        ("email_verified", "true"),
        ("amr", r#"["pwd","mfa"]"#),
        ("sub", r#""alice""#),
        ("nested", r#"{"a":1}"#),
        ("number", "7"),
        ("mixed", r#"["a",1]"#),
        ("a/b", r#""c""#),
        ("", r#""c""#),
    ])
    .unwrap();
    let claims = &verified.identity().claims;
    let of = |claim: &str| claims.get(claim).map(|values| values.join(" "));
    assert_eq!(of("email").as_deref(), Some("a@example.com"));
    assert_eq!(of("email_verified").as_deref(), Some("true"));
    assert_eq!(of("amr").as_deref(), Some("pwd mfa"));
    assert_eq!(of("sub").as_deref(), Some("alice"));
    for none in ["nested", "number", "mixed", "a/b", "", "exp", "iss"] {
        assert_eq!(of(none), None, "{none}");
    }
}

#[test]
fn tags_and_source_come_in_aws_own_claims() {
    let nested = r#"{"principal_tags":{"Team":["a"],"Cost":"1"},"transitive_tag_keys":["Team"]}"#;
    let verified = told(&[
        ("https://aws.amazon.com/tags", nested),
        ("https://aws.amazon.com/source_identity", r#""alice@example.com""#),
    ])
    .unwrap();
    assert_eq!(
        (verified.tags().get("team"), verified.tags().get("cost")),
        (Some("a"), Some("1"))
    );
    assert!(verified.tags().transitive().contains("Team"));
    assert_eq!(
        verified.source_identity().unwrap().to_string(),
        "alice@example.com"
    );
    let flat = told(&[
        ("https://aws.amazon.com/tags/principal_tags/Team", r#"["a"]"#),
        ("https://aws.amazon.com/tags/transitive_tag_keys", r#"["Team"]"#),
    ])
    .unwrap();
    assert_eq!(flat.tags().get("Team"), Some("a"));
    assert!(told(&[]).unwrap().tags().is_empty());
    for wrong in [
        r#""a""#,
        r#"{"principal_tags":[]}"#,
        r#"{"principal_tags":{"Team":["a","b"]}}"#,
        r#"{"principal_tags":{"Team":[]}}"#,
        r#"{"principal_tags":{"Team":1}}"#,
        r#"{"principal_tags":{"aws:x":"a"}}"#,
        r#"{"principal_tags":{"a":"1","A":"2"}}"#,
        r#"{"transitive_tag_keys":["Team"]}"#,
        r#"{"transitive_tag_keys":"Team"}"#,
    ] {
        let refused = told(&[("https://aws.amazon.com/tags", wrong)]).err();
        assert_eq!(
            refused,
            Some(TokenError::Claim("https://aws.amazon.com/tags")),
            "{wrong}"
        );
    }
    for wrong in ["7", "[]", r#""""#, r#""a b""#, r#""a""#] {
        let refused = told(&[("https://aws.amazon.com/source_identity", wrong)]).err();
        assert!(matches!(refused, Some(TokenError::Claim(_))), "{wrong}");
    }
}

#[test]
fn claims_that_differ_in_case_alone_are_refused() {
    for (one, value) in [
        ("Sub", r#""mallory""#),
        ("AUD", r#""x""#),
        ("ISS", "7"),
        ("EXP", "{}"),
        ("https://aws.amazon.com/TAGS", "{}"),
    ] {
        let other = one.to_lowercase();
        let mut changes = vec![(one, value)];
        if other.starts_with("https") {
            changes.push((other.as_str(), "{}"));
        }
        assert!(matches!(told(&changes), Err(TokenError::Malformed(_))), "{one}");
    }
    assert!(matches!(
        told(&[("email", r#""a""#), ("eMail", r#""b""#)]),
        Err(TokenError::Malformed(_))
    ));
    for spelling in ["oaud", "Oaud", "OAUD"] {
        let verified = told(&[(spelling, r#""x""#), ("Email", r#""a""#)]).unwrap();
        let claims = &verified.identity().claims;
        assert!(
            !claims.contains_key(spelling),
            "what we say of the audience is not theirs to say"
        );
        assert!(claims.contains_key("Email"));
    }
}

#[test]
fn a_client_knows_its_own_token() {
    let signer = Signer::ed();
    let is_for = |changes: &[(&str, &str)], client: &str| {
        let token = signer.token(r#"{"alg":"EdDSA"}"#, &claims(changes));
        IdToken::parse(&token).unwrap().is_for(client)
    };
    assert!(is_for(&[], "moho-cli") && !is_for(&[], "other") && !is_for(&[], ""));
    let both = [("aud", r#"["other","moho-cli"]"#)];
    assert!(is_for(&both, "moho-cli") && is_for(&both, "other"));
    let party = [both[0], ("azp", r#""other""#)];
    assert!(!is_for(&party, "moho-cli") && is_for(&party, "other"));
}
