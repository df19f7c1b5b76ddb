//! Bearer keys: presigned requests of one kind, and nothing else.

use super::*;

/// A bearer key whose text was changed after it was signed; `{}` as the change leaves it.
fn bearer_outcome(seconds: u64, change: impl FnOnce(String) -> String) -> &'static str {
    let authenticator = authenticator(1);
    let token = token_of(&authenticator, KEY, None);
    let secret = Secret::new(SECRET.as_bytes().to_vec());
    let key = bearer::make(
        KEY,
        &secret,
        &token,
        (&REGION.parse().unwrap(), at(START), seconds),
    );
    let key = std::str::from_utf8(key.expose())
        .unwrap()
        .strip_prefix("bedrock-api-key-")
        .unwrap();
    let url = change(String::from_utf8(STANDARD.decode(key).unwrap()).unwrap());
    code(present(
        &authenticator,
        &format!("Bearer bedrock-api-key-{}", STANDARD.encode(url)),
        START + 30,
    ))
}

#[test]
fn a_bearer_key_is_a_presigned_request_and_nothing_else() {
    assert_eq!(bearer_outcome(43_200, |url| url), "valid");
    assert_eq!(bearer_outcome(30, |url| url), "expired");
    assert_eq!(bearer_outcome(31, |url| url), "valid");
    assert_eq!(bearer_outcome(0, |url| url), "malformed");
    assert_eq!(bearer_outcome(43_201, |url| url), "malformed");
    for (from, to, expected) in [
        ("&Version=1", "", "malformed"),
        ("&Version=1", "&Version=2", "malformed"),
        ("bedrock.amazonaws.com/", "bedrock.example.com/", "malformed"),
        (
            "bedrock.amazonaws.com/",
            "https://bedrock.amazonaws.com/",
            "malformed",
        ),
        ("CallWithBearerToken", "InvokeModel", "malformed"),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "malformed"),
        ("SignedHeaders=host", "SignedHeaders=host%3Bx", "malformed"),
        ("Action=", "Extra=1&Action=", "malformed"),
        ("Action=", "Action=CallWithBearerToken&Action=", "malformed"),
        ("X-Amz-Expires=60", "X-Amz-Expires=61", "bad-signature"),
        ("X-Amz-Expires=60&", "", "malformed"),
        ("T020000Z", "T020001Z", "bad-signature"),
        ("X-Amz-Security-Token=A", "X-Amz-Security-Token=B", "unknown-key"),
        ("X-Amz-Security-Token", "X-Amz-Security-Tokem", "malformed"),
        (KEY, "ASIAEXAMPLEEXAMPLE23", "unknown-key"),
        ("moho-local-1", "us-east-1", "wrong-scope"),
        ("%2Fbedrock%2F", "%2Fsts%2F", "wrong-scope"),
        ("20261122%2F", "20261121%2F", "wrong-scope"),
    ] {
        let change = |url: String| {
            assert!(url.contains(from), "{from} in {url}");
            url.replacen(from, to, 1)
        };
        assert_eq!(bearer_outcome(60, change), expected, "{from} -> {to}");
    }
}

#[test]
fn bearer_keys_are_for_bedrock_and_come_in_any_case_of_bearer() {
    let authenticator = authenticator(1);
    let token = token_of(&authenticator, KEY, None);
    let secret = Secret::new(SECRET.as_bytes().to_vec());
    let key = bearer::make(KEY, &secret, &token, (&REGION.parse().unwrap(), at(START), 600));
    let key = std::str::from_utf8(key.expose()).unwrap();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let caller = present(&authenticator, &format!("{scheme} {key}"), START).unwrap();
        assert_eq!(
            caller.scheme(),
            Scheme::Bearer {
                service: SigningName::BedrockMantle,
                lifetime: BearerLifetime::ShortTerm,
            }
        );
    }
    for other in ["sk-proj-123", "ABSKQmVkcm9jaw==", "", "bedrock-api-key"] {
        let expected = if other.is_empty() {
            "malformed"
        } else {
            "unknown-key"
        };
        assert_eq!(
            code(present(&authenticator, &format!("Bearer {other}"), START)),
            expected,
            "{other}"
        );
    }
    assert_eq!(
        code(present(&authenticator, "Bearer bedrock-api-key-!", START)),
        "malformed"
    );
    assert_eq!(
        code(present(&authenticator, &format!("Bearer {key}"), START - 300)),
        "valid"
    );
    assert_eq!(
        code(present(&authenticator, &format!("Bearer {key}"), START - 301)),
        "skewed"
    );
    let draft = Draft::new("");
    let authorization = format!("Bearer {key}");
    let only_sts = draft.head(&[("authorization".to_owned(), authorization)], |head| {
        authenticator.authenticate(
            &HttpHead {
                raw_query: "",
                ..*head
            },
            &[SigningName::Sts],
            at(START),
        )
    });
    assert_eq!(code(only_sts), "unknown-key");
}
