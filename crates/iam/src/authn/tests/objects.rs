//! Requests to S3, whose heads are believed before their bodies are there.

use super::*;

const CRC: &str = "x-amz-checksum-crc32c";

/// A request to put an object, whose payload is declared so.
fn put(token: &str, declared: &str, more: &[(&str, &str)]) -> Draft {
    let mut draft = Draft::new(token);
    draft.method = "PUT";
    draft.path = "/bucket/a%20b/../c";
    draft.query = "x-id=PutObject".to_owned();
    draft.scope.2 = "s3";
    draft.set("x-amz-content-sha256", declared);
    for (name, value) in more {
        draft.set(name, value);
    }
    draft.payload = Some(declared.to_owned());
    draft.sign_all();
    draft
}

fn send(draft: &Draft, to: &Authenticator, secure: bool) -> Result<(Authenticated, Payload), AuthnError> {
    draft.head(&draft.headers, |head| {
        to.authenticate_head(head, secure, at(START))
    })
}

/// What comes of a body that is sent in one piece after such a head.
fn sent(declared: &str, more: &[(&str, &str)], body: &[u8]) -> Result<Vec<u8>, AuthnError> {
    let authenticator = authenticator(1);
    let draft = put(&token_of(&authenticator, KEY, None), declared, more);
    let (_, payload) = send(&draft, &authenticator, true)?;
    let (mut check, mut out) = (payload.check(), Vec::new());
    check.push(body, &mut out)?;
    check.finish(&mut out)?;
    Ok(out)
}

fn refused(declared: &str, more: &[(&str, &str)]) -> PayloadError {
    match sent(declared, more, b"") {
        Err(AuthnError::Payload(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_head_says_who_sent_it_and_what_its_body_will_be() {
    let digest = hex::encode(&sha256(b"abc"));
    assert_eq!(sent(&digest, &[], b"abc"), Ok(b"abc".to_vec()));
    assert_eq!(
        sent(&digest, &[], b"abd"),
        Err(AuthnError::Payload(PayloadError::Mismatch))
    );
    assert_eq!(sent("UNSIGNED-PAYLOAD", &[], b"abd"), Ok(b"abd".to_vec()));
    let chunked = [("x-amz-decoded-content-length", "3"), ("x-amz-trailer", CRC)];
    let body = b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32c:NAtEsw==\r\n\r\n";
    let unsigned = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    assert_eq!(sent(unsigned, &chunked, body), Ok(b"abc".to_vec()));
    assert_eq!(
        sent(unsigned, &chunked[..1], body),
        Err(AuthnError::Payload(PayloadError::Trailers)),
        "what is not announced is not taken"
    );

    let authenticator = authenticator(1);
    let draft = put(&token_of(&authenticator, KEY, None), &digest, &[]);
    let (caller, payload) = send(&draft, &authenticator, false).unwrap();
    let service = SigningName::S3;
    assert_eq!(caller.scheme(), Scheme::SigV4 { service });
    assert_eq!(caller.session().access_key_id().unwrap().as_str(), KEY);
    assert_eq!((payload.decoded_length(), payload.has_trailers()), (None, false));
}

#[test]
fn what_a_head_says_of_its_body_is_signed_with_it() {
    let authenticator = authenticator(1);
    let token = token_of(&authenticator, KEY, None);
    let of = |change: &dyn Fn(&mut Draft)| {
        let mut draft = put(&token, "UNSIGNED-PAYLOAD", &[]);
        change(&mut draft);
        send(&draft, &authenticator, true).map_or_else(|error| error.code(), |_| "valid")
    };
    let digest = hex::encode(&[7; 32]);
    assert_eq!(of(&|_| {}), "valid");
    assert_eq!(
        of(&|draft| {
            draft.set("x-amz-content-sha256", &digest);
        }),
        "bad-signature"
    );
    assert_eq!(
        of(&|draft| draft.path = "/bucket/c"),
        "bad-signature",
        "as it was sent"
    );
    assert_eq!(
        of(&|draft| {
            draft.set("x-amz-decoded-content-length", "3");
        }),
        "malformed",
        "not signed"
    );
    for (signed, sent, outcome) in [
        ("prefix=a%2Bb", "prefix=a%2Bb", "valid"),
        ("prefix=a%2Bb", "prefix=a+b", "bad-signature"),
        ("prefix=a%20b", "prefix=a+b", "valid"),
    ] {
        let swapped = |draft: &mut Draft| {
            draft.query = signed.to_owned();
            draft.sign_all();
            draft.query = sent.to_owned();
        };
        assert_eq!(of(&swapped), outcome, "a plus is acted on as a space: {sent}");
    }
    assert_eq!(
        of(&|draft| draft.headers.retain(|(name, _)| name != "authorization")),
        "missing"
    );
    let mut other = put(&token, "UNSIGNED-PAYLOAD", &[]);
    other.scope.2 = "sts";
    other.sign_all();
    assert_eq!(
        send(&other, &authenticator, true).unwrap_err(),
        AuthnError::WrongService(SigningName::S3)
    );
}

#[test]
fn chunks_hang_on_the_heads_signature() {
    let authenticator = authenticator(1);
    let token = token_of(&authenticator, KEY, None);
    let declared = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    let length = [("x-amz-decoded-content-length", "3")];
    let mut draft = put(&token, declared, &length);
    let chunks = |draft: &Draft| {
        let authorization = &draft
            .headers
            .iter()
            .find(|(name, _)| name == "authorization")
            .unwrap()
            .1;
        let mut previous = authorization.rsplit_once("Signature=").unwrap().1.to_owned();
        let scope = Scope {
            date: &draft.scope.0,
            region: REGION,
            service: "s3",
        };
        let key = SigningKeys::new().of_tests(SECRET.as_bytes(), scope);
        let mut body = String::new();
        for data in ["abc", ""] {
            let text = format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}/{REGION}/s3/aws4_request\n{previous}\n{}\n{}",
                at(START).iso8601_basic(),
                scope.date,
                payload::EMPTY_SHA256,
                hex::encode(&sha256(data.as_bytes())),
            );
            previous = hex::encode(aws_lc_rs::hmac::sign(&key, text.as_bytes()).as_ref());
            body.push_str(&format!(
                "{:x};chunk-signature={previous}\r\n{data}\r\n",
                data.len()
            ));
        }
        body
    };
    let of = |draft: &Draft, body: &str| {
        let (_, payload) = send(draft, &authenticator, false).unwrap();
        let (mut check, mut out) = (payload.check(), Vec::new());
        let result = check
            .push(body.as_bytes(), &mut out)
            .and_then(|()| check.finish(&mut out));
        result.map(|_| out)
    };
    let body = chunks(&draft);
    assert_eq!(of(&draft, &body), Ok(b"abc".to_vec()));
    draft.set("user-agent", "you");
    draft.sign_all();
    assert_eq!(
        of(&draft, &body),
        Err(PayloadError::ChunkSignature),
        "another request's chunks"
    );
    assert_eq!(of(&draft, &chunks(&draft)), Ok(b"abc".to_vec()));
}

#[test]
fn a_head_has_to_say_what_its_body_will_be() {
    let authenticator = authenticator(1);
    let mut draft = put(&token_of(&authenticator, KEY, None), "UNSIGNED-PAYLOAD", &[]);
    draft.headers.retain(|(name, _)| name != "x-amz-content-sha256");
    draft.sign_all();
    assert_eq!(
        send(&draft, &authenticator, true).unwrap_err(),
        AuthnError::Payload(PayloadError::Undeclared)
    );
    for unknown in [
        "",
        "x",
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
        &"A".repeat(64),
    ] {
        assert_eq!(refused(unknown, &[]), PayloadError::UnknownForm, "{unknown}");
    }
    let signed = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    assert_eq!(refused(signed, &[]), PayloadError::NoLength);
    for length in ["", "-1", "0x3", "99999999999999999999"] {
        let more = [("x-amz-decoded-content-length", length)];
        assert!(
            matches!(refused(signed, &more), PayloadError::Declared(_)),
            "{length}"
        );
    }
    for names in ["a,a", "a b", "a,b,c,d,e,f,g,h,i"] {
        let more = [("x-amz-decoded-content-length", "0"), ("x-amz-trailer", names)];
        let told = refused("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", &more);
        assert!(matches!(told, PayloadError::Declared(_)), "{names}");
    }
}

#[test]
fn what_nobody_signed_comes_over_tls_only() {
    let authenticator = authenticator(1);
    let token = token_of(&authenticator, KEY, None);
    let of = |declared: &str, more: &[(&str, &str)]| {
        send(&put(&token, declared, more), &authenticator, false).map(|(_, payload)| payload)
    };
    let insecure = AuthnError::Payload(PayloadError::Insecure);
    for framing in [("content-length", "3"), ("transfer-encoding", "chunked")] {
        assert_eq!(of("UNSIGNED-PAYLOAD", &[framing]).unwrap_err(), insecure);
    }
    let length = [("x-amz-decoded-content-length", "0")];
    let chunks = of("STREAMING-UNSIGNED-PAYLOAD-TRAILER", &length);
    assert_eq!(chunks.unwrap_err(), insecure);
    let mut check = of("UNSIGNED-PAYLOAD", &[("content-length", "0")])
        .unwrap()
        .check();
    check.push(b"x", &mut Vec::new()).unwrap();
    assert_eq!(
        check.finish(&mut Vec::new()),
        Err(PayloadError::Mismatch),
        "there is none"
    );
}

#[test]
fn a_presigned_url_knows_no_body() {
    let authenticator = authenticator(1);
    let token = token_of(&authenticator, KEY, None);
    let of = |headers: &[(&str, &str)], signed: &str| {
        let mut draft = put(&token, "UNSIGNED-PAYLOAD", &[]);
        draft.headers.clear();
        for (name, value) in headers {
            draft.set(name, value);
        }
        draft.presign(&token, signed);
        send(&draft, &authenticator, true)
    };
    let checked = |payload: Payload, body: &[u8]| {
        let mut check = payload.check();
        check
            .push(body, &mut Vec::new())
            .and_then(|()| check.finish(&mut Vec::new()))
    };
    let (caller, payload) = of(&[], "host").unwrap();
    assert_eq!(caller.session().access_key_id().unwrap().as_str(), KEY);
    assert_eq!(checked(payload, b"anything"), Ok(vec![]));
    let names = "host;x-amz-content-sha256";
    let (_, payload) = of(&[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")], names).unwrap();
    assert_eq!(checked(payload, b"anything"), Ok(vec![]));
    let (_, payload) = of(&[("x-amz-content-sha256", payload::EMPTY_SHA256)], names).unwrap();
    assert_eq!(checked(payload, b"anything"), Err(PayloadError::Mismatch));
    let signed = [
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-amz-decoded-content-length", "3"),
    ];
    let names = "host;x-amz-content-sha256;x-amz-decoded-content-length";
    assert_eq!(
        of(&signed, names).unwrap_err(),
        AuthnError::Payload(PayloadError::UnknownForm)
    );
}

#[test]
fn other_signatures_are_told_apart() {
    let authenticator = authenticator(1);
    let of = |authorization: Option<&str>, query: &str| {
        let mut draft = Draft::new("");
        draft.headers.clear();
        draft.query = query.to_owned();
        if let Some(value) = authorization {
            draft.set("authorization", value);
        }
        send(&draft, &authenticator, true).unwrap_err()
    };
    let unsupported = |error| matches!(error, AuthnError::Unsupported(_));
    assert!(unsupported(of(Some("AWS AKIAEXAMPLEEXAMPLE22:c2lnbmF0dXJl"), "")));
    assert!(unsupported(of(
        Some(
            "AWS4-ECDSA-P256-SHA256 Credential=a/20261122/s3/aws4_request, SignedHeaders=host, Signature=00"
        ),
        ""
    )));
    assert!(unsupported(of(
        None,
        "AWSAccessKeyId=AKIA&Expires=1&Signature=c2ln"
    )));
    assert!(unsupported(of(
        None,
        "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Credential=a&X-Amz-Signature=00"
    )));
    assert_eq!(of(Some("Bearer bedrock-api-key-x"), ""), AuthnError::UnknownKey);
    assert_eq!(of(None, ""), AuthnError::Missing);
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes)
        .as_ref()
        .try_into()
        .unwrap()
}
