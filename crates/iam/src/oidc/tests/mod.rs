//! Tokens of issuers that the tests play: what is taken, and every way that is not.

mod claims;
mod properties;
mod signer;

use super::*;
use signer::{ISSUER, Signer, claims, encoded, set, verify};

#[test]
fn every_algorithm_is_taken_by_its_own_kind_of_key() {
    let signers = [
        (
            Signer::rsa(),
            &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..],
        ),
        (Signer::ec("P-256"), &["ES256"]),
        (Signer::ec("P-384"), &["ES384"]),
        (Signer::ec("P-521"), &["ES512"]),
        (Signer::ed(), &["EdDSA", "Ed25519"]),
    ];
    let all: Vec<&str> = signers
        .iter()
        .flat_map(|(_, names)| names.iter().copied())
        .collect();
    for (signer, names) in &signers {
        let keys = set(&[signer.jwk(r#""kid":"a","use":"sig""#)]);
        for name in &all {
            let token = signer.token(&format!(r#"{{"alg":"{name}","kid":"a"}}"#), &claims(&[]));
            let verified = verify(&token, &keys);
            if names.contains(name) {
                assert_eq!(verified.unwrap().identity().subject, "alice", "{name}");
            } else {
                assert_eq!(verified.err(), Some(TokenError::NoKey), "{name}");
            }
        }
    }
}

#[test]
fn a_key_is_for_what_its_set_says() {
    let signer = Signer::rsa();
    let token = signer.token(r#"{"alg":"RS256","kid":"a"}"#, &claims(&[]));
    let with = |more: &str| verify(&token, &set(&[signer.jwk(&format!(r#""kid":"a",{more}"#))])).err();
    for good in [r#""alg":"RS256""#, r#""key_ops":["verify"]"#, r#""x5t":"abc""#] {
        assert_eq!(with(good), None, "{good}");
    }
    for other in [
        r#""alg":"PS256""#,
        r#""alg":"RSA-OAEP""#,
        r#""alg":"HS256""#,
        r#""alg":1"#,
        r#""use":"enc""#,
        r#""key_ops":["sign"]"#,
        r#""key_ops":"verify""#,
    ] {
        assert_eq!(with(other), Some(TokenError::NoKey), "{other}");
    }
}

#[test]
fn nothing_but_a_signature_of_the_issuer_will_do() {
    let (ours, theirs) = (Signer::rsa(), Signer::rsa());
    let keys = set(&[ours.jwk(r#""kid":"a""#)]);
    let unsigned = |header: &str| format!("{}.{}.", encoded(header), encoded(claims(&[])));
    for name in [
        "none", "None", "NONE", "nOnE", "", "HS256", "HS512", "rs256", "RS256 ", "RSA1_5", "ES256K",
    ] {
        let token = unsigned(&format!(r#"{{"alg":"{name}"}}"#));
        assert_eq!(verify(&token, &keys).err(), Some(TokenError::Algorithm), "{name}");
    }
    assert_eq!(
        verify(&unsigned(r#"{"alg":"RS256"}"#), &keys).err(),
        Some(TokenError::Signature)
    );
    // The public key as a secret that both sides know.
    let header = r#"{"alg":"HS256","kid":"a"}"#;
    let signed = format!("{}.{}", encoded(header), encoded(claims(&[])));
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, ours.jwk(r#""kid":"a""#).as_bytes());
    let tag = aws_lc_rs::hmac::sign(&secret, signed.as_bytes());
    let token = format!("{signed}.{}", encoded(tag));
    assert_eq!(verify(&token, &keys).err(), Some(TokenError::Algorithm));
    let token = theirs.token(r#"{"alg":"RS256","kid":"a"}"#, &claims(&[]));
    assert_eq!(verify(&token, &keys).err(), Some(TokenError::Signature));
    let good = ours.token(r#"{"alg":"RS256","kid":"a"}"#, &claims(&[]));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let header = signed.split('.').next().unwrap();
    let mallory = format!(
        "{header}.{}.{signature}",
        encoded(claims(&[("sub", "\"mallory\"")]))
    );
    assert_eq!(verify(&mallory, &keys).err(), Some(TokenError::Signature));
    let another = KeySet::parse(
        "https://elsewhere",
        format!(r#"{{"keys":[{}]}}"#, ours.jwk("")).as_bytes(),
    );
    assert_eq!(verify(&good, &another.unwrap()).err(), Some(TokenError::Issuer));
}

#[test]
fn a_signature_has_but_one_spelling() {
    let ec = Signer::ec("P-256");
    let keys = set(&[ec.jwk("")]);
    let good = ec.token(r#"{"alg":"ES256"}"#, &claims(&[]));
    assert!(verify(&good, &keys).is_ok());
    let (signed, _) = good.rsplit_once('.').unwrap();
    // Zeros, and an encoding that other protocols use.
    for signature in [
        vec![0; 64],
        vec![],
        vec![0; 63],
        [&[0x30, 0x44][..], &[0; 68]].concat(),
    ] {
        let token = format!("{signed}.{}", encoded(signature));
        assert_eq!(verify(&token, &keys).err(), Some(TokenError::Signature));
    }
    for spelling in [
        format!("{good}="),
        format!("{good} "),
        format!("{good}\n"),
        format!(" {good}"),
    ] {
        assert!(matches!(
            verify(&spelling, &keys).err(),
            Some(TokenError::Malformed(_))
        ));
    }
}

#[test]
fn the_key_is_the_one_that_the_token_names() {
    let (a, b) = (Signer::rsa(), Signer::rsa());
    let keys = set(&[a.jwk(r#""kid":"a""#), b.jwk(r#""kid":"b""#)]);
    let by = |signer: &Signer, header: &str| verify(&signer.token(header, &claims(&[])), &keys).err();
    assert_eq!(by(&a, r#"{"alg":"RS256","kid":"a"}"#), None);
    assert_eq!(by(&b, r#"{"alg":"RS256","kid":"b"}"#), None);
    assert_eq!(
        by(&b, r#"{"alg":"RS256","kid":"a"}"#),
        Some(TokenError::Signature)
    );
    for name in ["", "A", "a ", "c", "../a", "' OR 1=1", "/dev/null"] {
        let header = format!(r#"{{"alg":"RS256","kid":"{name}"}}"#);
        assert_eq!(by(&a, &header), Some(TokenError::NoKey), "{name}");
    }
    for header in [
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"RS256","kid":1}"#,
        r#"{"alg":"RS256","kid":null}"#,
    ] {
        assert!(
            matches!(by(&a, header), Some(TokenError::Malformed(_))),
            "{header}"
        );
    }
    let long = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "a".repeat(600));
    assert!(matches!(by(&a, &long), Some(TokenError::Malformed(_))));
    // The only key there is needs no name; two under one name are both looked at.
    let unnamed = a.token(r#"{"alg":"RS256"}"#, &claims(&[]));
    assert!(verify(&unnamed, &set(&[a.jwk(r#""kid":"a""#)])).is_ok());
    let twins = set(&[b.jwk(r#""kid":"a""#), a.jwk(r#""kid":"a""#)]);
    assert!(verify(&a.token(r#"{"alg":"RS256","kid":"a"}"#, &claims(&[])), &twins).is_ok());
}

#[test]
fn a_header_brings_no_key_and_no_rules() {
    let (ours, theirs) = (Signer::rsa(), Signer::ed());
    let keys = set(&[ours.jwk("")]);
    for more in [
        format!(r#""jwk":{}"#, theirs.jwk("")),
        r#""jku":"https://evil.example/keys""#.to_owned(),
        r#""x5u":"https://evil.example/cert""#.to_owned(),
        r#""x5c":["MIIB"]"#.to_owned(),
        r#""crit":["b64"],"b64":false"#.to_owned(),
        r#""crit":[]"#.to_owned(),
        r#""zip":"DEF""#.to_owned(),
        r#""enc":"A256GCM""#.to_owned(),
        r#""cty":"JWT""#.to_owned(),
        r#""typ":"at+jwt""#.to_owned(),
        r#""typ":"logout+jwt""#.to_owned(),
        r#""typ":"dpop+jwt""#.to_owned(),
        r#""typ":7"#.to_owned(),
        r#""alg":"RS256""#.to_owned(),
        format!(r#""x":"{}""#, "y".repeat(2100)),
    ] {
        let header = format!(r#"{{"alg":"RS256",{more}}}"#);
        let refused = verify(&ours.token(&header, &claims(&[])), &keys).err();
        assert!(
            matches!(refused, Some(TokenError::Malformed(_))),
            "{more}: {refused:?}"
        );
    }
    for fine in [r#""typ":"JWT""#, r#""typ":"jwt""#, r#""x5t":"abc""#] {
        let header = format!(r#"{{"alg":"RS256",{fine}}}"#);
        assert!(
            verify(&ours.token(&header, &claims(&[])), &keys).is_ok(),
            "{fine}"
        );
    }
}

#[test]
fn what_has_not_the_form_of_a_token_is_none() {
    let part = encoded("{}");
    let jwe = [part.as_str(); 5].join(".");
    let long = format!("{part}.{}.{part}", "a".repeat(20_000));
    for text in [
        "",
        ".",
        "..",
        "...",
        "a.b",
        &part,
        &jwe,
        &long,
        "{}",
        "e30.e30.e30",
        "e30.e30.e30.",
        "é.é.é",
    ] {
        assert!(
            matches!(IdToken::parse(text), Err(TokenError::Malformed(_))),
            "{text}"
        );
    }
    let nested = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let deep = format!(
        "{}.{}.AA",
        encoded(r#"{"alg":"RS256"}"#),
        encoded(claims(&[("x", &nested)]))
    );
    assert!(matches!(IdToken::parse(&deep), Err(TokenError::Malformed(_))));
}

#[test]
fn sets_are_read_within_bounds() {
    let key = Signer::ed().jwk("");
    let of = |count: usize| {
        let keys = vec![key.as_str(); count].join(",");
        KeySet::parse(ISSUER, format!("{{\"keys\":[{keys}]}}").as_bytes()).map(|keys| keys.len())
    };
    assert_eq!(
        (of(0), of(128), of(129)),
        (Ok(0), Ok(128), Err(KeySetError::TooMany))
    );
    for none in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[]"#,
        "null",
    ] {
        assert_eq!(
            KeySet::parse(ISSUER, none.as_bytes()).err(),
            Some(KeySetError::Malformed),
            "{none}"
        );
    }
    let broken = [
        r#"{"kty":"oct","k":"AAAA"}"#,
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
        r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
        r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#,
        r#"{"kty":7}"#,
        "7",
    ];
    let keys = set(&broken.map(str::to_owned));
    assert!(keys.is_empty(), "a key that cannot have signed is left out");
}

#[test]
fn a_weak_rsa_key_signs_nothing() {
    // A modulus of 2048 bits with an exponent that makes every text its own signature.
    let n = encoded([0xff; 256]);
    for e in ["AQ", "Ag", "", "AAAAAAAAAAAD"] {
        assert!(
            set(&[format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#)]).is_empty(),
            "{e}"
        );
    }
}

#[test]
fn a_description_is_of_its_issuer_to_the_letter() {
    let of = |issuer: &str| {
        let text =
            format!(r#"{{"issuer":"{issuer}","jwks_uri":"https://k/x","token_endpoint":"https://t"}}"#);
        Discovery::parse(ISSUER, text.as_bytes())
    };
    let described = of(ISSUER).unwrap();
    assert_eq!(
        (described.jwks_uri.as_str(), described.token_endpoint.as_deref()),
        ("https://k/x", Some("https://t"))
    );
    assert_eq!(described.device_authorization_endpoint, None);
    for other in [
        format!("{ISSUER}/"),
        ISSUER.to_uppercase(),
        "https://login.example.com".to_owned(),
    ] {
        assert_eq!(of(&other), Err(DiscoveryError::Issuer), "{other}");
    }
    let keyless = format!(r#"{{"issuer":"{ISSUER}"}}"#);
    assert_eq!(
        Discovery::parse(ISSUER, keyless.as_bytes()),
        Err(DiscoveryError::NoKeys)
    );
    let twice = format!(r#"{{"issuer":"https://x","issuer":"{ISSUER}","jwks_uri":"https://k"}}"#);
    assert_eq!(
        Discovery::parse(ISSUER, twice.as_bytes()),
        Err(DiscoveryError::Malformed)
    );
    assert_eq!(
        Discovery::url("https://a/b/"),
        "https://a/b/.well-known/openid-configuration"
    );
}

#[test]
fn a_provider_is_called_after_its_issuer() {
    let account = "123456789012".parse().unwrap();
    let arn = provider_arn(account, ISSUER).unwrap();
    assert_eq!(arn, signer::provider().arn);
    assert_eq!(condition_key(&arn, "sub"), "login.example.com/realm:sub");
    assert_eq!(provider_arn(account, "http://login.example.com"), None);
}
