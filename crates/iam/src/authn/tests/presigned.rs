//! Every rule of a presigned URL, broken one at a time.

use super::*;

/// A URL about to be presigned, and what is sent with it.
struct Url {
    draft: Draft,
    parameters: Vec<(&'static str, String)>,
    secret: &'static str,
}

impl Url {
    fn new(token: &str) -> Self {
        let mut draft = Draft::new(token);
        draft.method = "GET";
        draft.body = b"";
        draft.headers = vec![("user-agent".to_owned(), "me".to_owned())];
        let scope = format!("{KEY}/{}/{REGION}/sts/aws4_request", at(START).basic_date());
        let parameters = vec![
            ("Action", "GetCallerIdentity".to_owned()),
            ("X-Amz-Algorithm", ALGORITHM.to_owned()),
            ("X-Amz-Credential", scope),
            ("X-Amz-Date", at(START).iso8601_basic()),
            ("X-Amz-Expires", "60".to_owned()),
            ("X-Amz-SignedHeaders", "host".to_owned()),
            ("X-Amz-Security-Token", token.to_owned()),
        ];
        Self {
            draft,
            parameters,
            secret: SECRET,
        }
    }

    fn value(&mut self, name: &str) -> &mut String {
        let found = self.parameters.iter_mut().find(|(known, _)| *known == name);
        &mut found.unwrap().1
    }

    fn without(&mut self, name: &str) {
        self.parameters.retain(|(known, _)| *known != name);
    }

    fn has(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Signs, as a client that keeps no rule but the arithmetic, and puts the query together.
    fn sign(&mut self) -> &mut Self {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let pairs = self.parameters.iter();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        self.draft.query = pairs.join("&");
        let credential = self.has("X-Amz-Credential").unwrap_or_default().to_owned();
        let [_, date, region, service, _] = credential.split('/').collect::<Vec<_>>()[..] else {
            return self;
        };
        let time = self.has("X-Amz-Date").unwrap_or_default();
        let time = Timestamp::parse_iso8601_basic(time).unwrap_or_else(|_| at(START));
        let signed = self.has("X-Amz-SignedHeaders").unwrap_or_default();
        let signature = self.draft.head(&self.draft.headers, |head| {
            let request = CanonicalRequest {
                method: head.method,
                uri: &canonical::uri(head.raw_path, SigningName::Sts),
                query: &canonical::query(head.raw_query),
                headers: &canonical::headers(head, signed).unwrap_or_default(),
                signed_headers: signed,
                payload_hash: &hex::encode(head.body_sha256),
            };
            let scope = Scope {
                date,
                region,
                service,
            };
            hex::encode(signature::sign(self.secret.as_bytes(), scope, time, &request.text()).as_ref())
        });
        self.draft.query.push_str("&X-Amz-Signature=");
        self.draft.query.push_str(&signature);
        self
    }
}

fn opened(
    now: u64,
    before: impl FnOnce(&mut Url),
    after: impl FnOnce(&mut Draft),
) -> Result<Authenticated, AuthnError> {
    let authenticator = authenticator(1);
    let mut url = Url::new(&token_of(&authenticator, KEY, None));
    before(&mut url);
    url.sign();
    after(&mut url.draft);
    let outcome = url.draft.send(&authenticator, now);
    let early = url.draft.head(&url.draft.headers, |head| {
        let unread = HttpHead {
            body_sha256: &[0; 32],
            ..*head
        };
        authenticator.precheck(&unread, &[SigningName::Sts, SigningName::S3], at(now))
    });
    match (&outcome, early) {
        (Ok(_) | Err(AuthnError::BadSignature), early) => {
            assert_eq!(early, Ok(Prechecked::Claims(KEY.parse().unwrap())));
        }
        (Err(late), Err(early)) => assert_eq!(*late, early, "said before the body as after it"),
        (Err(late), Ok(_)) => assert!(matches!(late, AuthnError::Malformed(_)), "{late}"),
    }
    outcome
}

fn signed_so(before: impl FnOnce(&mut Url)) -> &'static str {
    code(opened(START, before, |_| {}))
}

fn changed(after: impl FnOnce(&mut Draft)) -> &'static str {
    code(opened(START, |_| {}, after))
}

#[test]
fn a_presigned_url_says_who_made_it() {
    let caller = opened(START, |_| {}, |_| {}).unwrap();
    let service = SigningName::Sts;
    assert_eq!(caller.scheme(), Scheme::SigV4 { service });
    assert_eq!(caller.session().access_key_id().unwrap().as_str(), KEY);
    assert_eq!(signed_so(|url| url.secret = "another"), "bad-signature");
}

#[test]
fn nothing_of_the_url_can_be_changed() {
    let query = |from: &'static str, to: &'static str| {
        changed(move |draft| {
            assert!(draft.query.contains(from), "{from}");
            draft.query = draft.query.replacen(from, to, 1);
        })
    };
    assert_eq!(query("GetCallerIdentity", "GetSessionToken"), "bad-signature");
    assert_eq!(query("Expires=60", "Expires=61"), "bad-signature");
    assert_eq!(
        query("X%2DAmz%2DExpires", "X-Amz-Expires"),
        "valid",
        "encoding does not count"
    );
    assert_eq!(query("T020000Z", "T015959Z"), "bad-signature");
    assert_eq!(query("Action=", "Extra=1&Action="), "bad-signature");
    assert_eq!(changed(|draft| draft.method = "POST"), "bad-signature");
    assert_eq!(changed(|draft| draft.path = "/x"), "bad-signature");
    assert_eq!(changed(|draft| draft.authority = "elsewhere"), "bad-signature");
    assert_eq!(
        changed(|draft| draft.body = b"Action=AssumeRole"),
        "bad-signature"
    );
    assert_eq!(
        signed_so(|url| url.draft.body = b"a=b"),
        "valid",
        "a body that was signed"
    );
}

#[test]
fn a_presigned_url_lives_as_long_as_it_says_and_never_longer_than_its_session() {
    let lives = |seconds: u64, now: u64| {
        code(opened(
            now,
            |url| *url.value("X-Amz-Expires") = seconds.to_string(),
            |_| {},
        ))
    };
    assert_eq!(
        (lives(60, START + 59), lives(60, START + 60)),
        ("valid", "skewed")
    );
    assert_eq!((lives(1, START), lives(1, START + 1)), ("valid", "skewed"));
    assert_eq!(
        (lives(1, START - 300), lives(1, START - 301)),
        ("valid", "skewed")
    );
    assert_eq!(lives(604_800, START + 3599), "valid");
    assert_eq!(lives(604_800, START + 3600), "expired", "with the session");
    for seconds in [
        "0",
        "604801",
        "-1",
        "+60",
        "6e1",
        "",
        " 60",
        "99999999999999999999",
    ] {
        let outcome = signed_so(|url| seconds.clone_into(url.value("X-Amz-Expires")));
        assert_eq!(outcome, "malformed", "{seconds}");
    }
    let told = |seconds: &'static str, now: u64| {
        let error = opened(now, |url| seconds.clone_into(url.value("X-Amz-Expires")), |_| {});
        error.unwrap_err().to_string()
    };
    assert_eq!(
        told("60", START + 61),
        "Signature expired: 20261122T020000Z is now earlier than 20261122T020001Z (20261122T020101Z - 1 min.)"
    );
    assert_eq!(
        told("61", START + 62),
        "Signature expired: 20261122T020000Z is now earlier than 20261122T020001Z (20261122T020102Z - 61 sec.)"
    );
    assert_eq!(
        told("60", START - 301),
        "Signature not yet current: 20261122T020000Z is still later than 20261122T015959Z (20261122T015459Z + 5 min.)"
    );
}

#[test]
fn every_part_is_there_once_and_spelt_as_it_is() {
    for name in [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
    ] {
        let missing = opened(START, |url| url.without(name), |_| {}).unwrap_err();
        let told = format!(
            "AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
        );
        assert_eq!(missing.to_string(), told);
        let twice = signed_so(|url| {
            let value = url.value(name).clone();
            url.parameters.push((name, value));
        });
        assert_eq!(twice, "malformed", "{name}");
        let lower = changed(|draft| {
            let name = name.replace('-', "%2D");
            draft.query = draft.query.replace(&name, &name.to_ascii_lowercase());
        });
        assert_eq!(lower, "malformed", "{name}");
    }
    let spoil = |change: fn(&mut String)| changed(move |draft| change(&mut draft.query));
    assert_eq!(
        spoil(|query| query.truncate(query.len() - 81)),
        "malformed",
        "no signature"
    );
    assert_eq!(spoil(|query| query.truncate(query.len() - 1)), "malformed");
    assert_eq!(spoil(|query| query.push('0')), "malformed");
    assert_eq!(spoil(|query| query.push_str("&X-Amz-Signature=0")), "malformed");
    assert_eq!(spoil(|query| query.push_str("&X-Amz-Date=%ff")), "malformed");
    assert_eq!(
        signed_so(|url| url.without("X-Amz-Security-Token")),
        "unknown-key"
    );
    assert_eq!(
        signed_so(|url| *url.value("X-Amz-Algorithm") = "AWS4-ECDSA-P256-SHA256".to_owned()),
        "malformed"
    );
    assert_eq!(
        signed_so(|url| *url.value("X-Amz-Date") = "2026-11-22".to_owned()),
        "malformed"
    );
}

#[test]
fn the_scope_and_the_headers_follow_the_rules_of_headers() {
    let scoped = |from: &'static str, to: &'static str| {
        signed_so(move |url| {
            let value = url.value("X-Amz-Credential");
            *value = value.replace(from, to);
        })
    };
    assert_eq!(scoped(REGION, "eu-central-1"), "wrong-scope");
    assert_eq!(scoped(REGION, "us-east-1"), "valid", "sts is global at AWS");
    assert_eq!(scoped("/sts/", "/kms/"), "wrong-scope");
    assert_eq!(scoped("20261122", "20261121"), "wrong-scope");
    assert_eq!(scoped("aws4_request", "aws4"), "wrong-scope");
    assert_eq!(scoped(KEY, "ASIAEXAMPLEEXAMPLE23"), "unknown-key");
    assert_eq!(scoped(KEY, ""), "malformed");
    let signing =
        |names: &'static str| signed_so(move |url| names.clone_into(url.value("X-Amz-SignedHeaders")));
    assert_eq!(signing("host;user-agent"), "valid");
    assert_eq!(signing("user-agent"), "malformed", "host must be signed");
    assert_eq!(signing("user-agent;host"), "malformed");
    assert_eq!(signing("host;x-absent"), "malformed");
    assert_eq!(signing(""), "malformed");
    let unsigned = |draft: &mut Draft| {
        draft.set("x-amz-target", "other");
    };
    assert_eq!(changed(unsigned), "malformed");
    assert_eq!(scoped("/sts/", "/s3/"), "malformed", "S3 says what its body is");
}

#[test]
fn there_is_one_proof_and_it_is_in_one_place() {
    let with = |name: &'static str, value: &'static str| {
        changed(move |draft| {
            draft.set(name, value);
        })
    };
    assert_eq!(with("authorization", "Bearer x"), "malformed");
    assert_eq!(with("authorization", ""), "malformed");
    assert_eq!(with("x-amz-security-token", "x"), "malformed");
    let signed_token = signed_so(|url| {
        let token = url.value("X-Amz-Security-Token").clone();
        url.without("X-Amz-Security-Token");
        url.draft.set("x-amz-security-token", &token);
        "host;x-amz-security-token".clone_into(url.value("X-Amz-SignedHeaders"));
    });
    assert_eq!(signed_token, "malformed", "half of it in a header");
    for query in [
        "AWSAccessKeyId=x&Signature=y",
        "signature=y",
        "X-Amz-Security-Token=x",
    ] {
        assert_eq!(
            changed(|draft| query.clone_into(&mut draft.query)),
            "malformed",
            "{query}"
        );
    }
    assert_eq!(
        changed(|draft| "X-Amz-Expires=60".clone_into(&mut draft.query)),
        "missing"
    );
}

proptest! {
    #[test]
    fn any_query_never_panics(query in "(X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature)=[A-Za-z0-9/%;-]{0,20}&?){0,8}") {
        let outcome = changed(|draft| draft.query = query);
        prop_assert_ne!(outcome, "valid");
    }
}
