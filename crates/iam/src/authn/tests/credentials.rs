//! Long-lived and fixed credentials: who they are of, and what is no such thing.

use super::*;
use crate::bootstrap::Attestation;
use crate::session::{RoleFacts, UserRef};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

const AKIA: &str = "AKIAQNZGKIQY56JQ7WML";
const BEARER_ID: &str = "BedrockAPIKey-0a1b-at-123456789012";

/// What is kept of one user's credentials.
struct Kept {
    key: Option<LongLivedKey>,
    bearer: Option<LongLivedBearer>,
    broken: bool,
}

impl CredentialSource for Kept {
    fn access_key(&self, id: &AccessKeyId) -> Result<Option<LongLivedKey>, CredentialsUnavailable> {
        if self.broken {
            return Err(CredentialsUnavailable::new("the disk is gone"));
        }
        Ok(self.key.clone().filter(|_| id.as_str().starts_with("AKIA")))
    }

    fn bedrock_key(&self, id: &str) -> Result<Option<LongLivedBearer>, CredentialsUnavailable> {
        if self.broken {
            return Err(CredentialsUnavailable::new("the disk is gone"));
        }
        Ok(self.bearer.clone().filter(|_| id == BEARER_ID))
    }
}

fn user() -> UserRef {
    UserRef {
        path: "/division/".to_owned(),
        name: "bob".parse().unwrap(),
        id: "AIDAEXAMPLEEXAMPLE222".to_owned(),
    }
}

fn sealed_for(authenticator: &Authenticator, id: &str) -> LongLivedKey {
    let secret = Zeroizing::new(SECRET.as_bytes().to_vec());
    LongLivedKey {
        account: "123456789012".parse().unwrap(),
        user: user(),
        sealed: authenticator
            .access_keys
            .seal(id, secret, &Counting(AtomicU8::new(0)))
            .unwrap(),
    }
}

fn keeping(key: Option<LongLivedKey>) -> Authenticator {
    authenticator(1).with_credentials(Arc::new(Kept {
        key,
        bearer: None,
        broken: false,
    }))
}

/// What comes of a request that is signed with this key id and, perhaps, sent with a token.
fn with_key(to: &Authenticator, id: &'static str, token: Option<&str>) -> Result<Authenticated, AuthnError> {
    let mut draft = Draft::new(token.unwrap_or_default());
    draft.key = id;
    if token.is_none() {
        draft.headers.retain(|(name, _)| name != "x-amz-security-token");
        draft.signed = "host;x-amz-date".to_owned();
    }
    let result = draft.sign().send(to, START);
    draft.head(&draft.headers, |head| {
        let early = to.precheck(head, &[SigningName::Sts], at(START));
        assert!(early.is_ok() || result.is_err(), "{early:?} {result:?}");
    });
    result
}

#[test]
fn an_access_key_says_which_user_sent_a_request() {
    let house = keeping(Some(sealed_for(&authenticator(1), AKIA)));
    let caller = with_key(&house, AKIA, None).unwrap();
    let session = caller.session();
    assert_eq!(
        session.principal_arn().as_str(),
        "arn:aws:iam::123456789012:user/division/bob"
    );
    assert_eq!(session.role_arn(), session.principal_arn());
    assert_eq!(session.user_id(), "AIDAEXAMPLEEXAMPLE222");
    assert_eq!(session.principal_type(), Some("User"));
    assert_eq!(session.user_name().unwrap().as_str(), "bob");
    assert_eq!((session.expires_at(), session.is_temporary()), (None, false));
    assert_eq!(session.token_issued_at(), None);
    assert_eq!(session.access_key_id().unwrap().as_str(), AKIA);
    assert_eq!(
        code(with_key(&house, AKIA, None)),
        "valid",
        "again, with what is remembered"
    );
}

#[test]
fn an_access_key_is_sent_without_a_token_and_opens_for_its_own_id_only() {
    let maker = authenticator(1);
    let house = keeping(Some(sealed_for(&maker, AKIA)));
    let token = token_of(&house, KEY, None);
    assert_eq!(code(with_key(&house, AKIA, Some(&token))), "unknown-key");
    assert_eq!(code(with_key(&house, AKIA, Some(""))), "unknown-key");
    assert_eq!(
        code(with_key(&house, "AKIAQNZGKIQY56JQ7WMM", None)),
        "unknown-key"
    );
    assert_eq!(code(with_key(&house, KEY, None)), "unknown-key");
    assert_eq!(code(with_key(&keeping(None), AKIA, None)), "unknown-key");
    assert_eq!(
        code(with_key(&maker, AKIA, None)),
        "unknown-key",
        "without a source there are none"
    );
    let foreign = keeping(Some(sealed_for(&authenticator(2), AKIA)));
    assert_eq!(code(with_key(&foreign, AKIA, None)), "unknown-key");
    let mut other = sealed_for(&maker, AKIA);
    other.sealed.clear();
    assert_eq!(code(with_key(&keeping(Some(other)), AKIA, None)), "unknown-key");
}

#[test]
fn credentials_that_cannot_be_looked_up_let_nobody_in() {
    let house = authenticator(1).with_credentials(Arc::new(Kept {
        key: Some(sealed_for(&authenticator(1), AKIA)),
        bearer: None,
        broken: true,
    }));
    assert_eq!(code(with_key(&house, AKIA, None)), "unavailable");
    let key = format!("Bearer ABSK{}", STANDARD.encode(format!("{BEARER_ID}:secret")));
    assert_eq!(code(present(&house, &key, START)), "unavailable");
    let token = token_of(&house, KEY, None);
    assert_eq!(
        code(with_key(&house, KEY, Some(&token))),
        "valid",
        "sessions need no look-up"
    );
}

fn bearer_house(expires_at: Option<Timestamp>) -> Authenticator {
    authenticator(1).with_credentials(Arc::new(Kept {
        key: None,
        bearer: Some(LongLivedBearer {
            account: "123456789012".parse().unwrap(),
            user: user(),
            sha256: long_lived::kept(BEARER_ID, "secret"),
            expires_at,
        }),
        broken: false,
    }))
}

fn bearer(id: &str, secret: &str) -> String {
    format!("Bearer ABSK{}", STANDARD.encode(format!("{id}:{secret}")))
}

#[test]
fn a_long_term_key_says_whose_it_is() {
    let house = bearer_house(Some(at(START + 60)));
    let caller = present(&house, &bearer(BEARER_ID, "secret"), START).unwrap();
    assert_eq!(
        caller.scheme(),
        Scheme::Bearer {
            service: SigningName::BedrockMantle,
            lifetime: BearerLifetime::LongTerm
        }
    );
    assert_eq!(
        caller.session().principal_arn().as_str(),
        "arn:aws:iam::123456789012:user/division/bob"
    );
    assert!(!caller.session().is_temporary());
    assert_eq!(
        code(present(&house, &bearer(BEARER_ID, "secret"), START + 60)),
        "expired"
    );
    assert_eq!(
        code(present(
            &bearer_house(None),
            &bearer(BEARER_ID, "secret"),
            START * 2
        )),
        "valid"
    );
}

#[test]
fn a_wrong_long_term_key_is_as_unknown_as_one_that_was_never_made() {
    let house = bearer_house(Some(at(START + 60)));
    for key in [
        bearer(BEARER_ID, "secre"),
        bearer(BEARER_ID, "secret "),
        bearer(BEARER_ID, ""),
        bearer("BedrockAPIKey-0a1c-at-123456789012", "secret"),
        bearer("", "secret"),
        bearer("a b", "secret"),
        bearer(&"x".repeat(400), "secret"),
        "Bearer ABSK".to_owned(),
        "Bearer ABSK!!!".to_owned(),
        format!("Bearer ABSK{}", STANDARD.encode(BEARER_ID)),
        format!("Bearer ABSK{}", STANDARD.encode([0xff; 40])),
        format!("Bearer ABSK{}", "A".repeat(100_000)),
    ] {
        assert_eq!(
            present(&house, &key, START).unwrap_err(),
            AuthnError::UnknownKey,
            "{key}"
        );
    }
    // An ended key with a wrong secret says nothing of its end.
    assert_eq!(
        code(present(&house, &bearer(BEARER_ID, "x"), START + 60)),
        "unknown-key"
    );
}

fn fixed() -> (FixedCredentials, RoleFacts) {
    let credentials = FixedCredentials {
        id: "test".parse().unwrap(),
        secret: Secret::new(SECRET.as_bytes().to_vec()),
        account: "123456789012".parse().unwrap(),
    };
    let role = RoleFacts {
        arn: "arn:aws:iam::123456789012:role/Admin".parse().unwrap(),
        path: "/".to_owned(),
        name: "Admin".parse().unwrap(),
        id: "AROAEXAMPLEEXAMPLE222".to_owned(),
        max_session_seconds: 3600,
        tags: BTreeMap::new(),
    };
    (credentials, role)
}

#[test]
fn fixed_credentials_act_as_a_role_for_ever() {
    let (credentials, role) = fixed();
    let name = || "dev".parse().unwrap();
    let house = authenticator(1)
        .with_fixed_credentials(&credentials, (&role, name()), Attestation::Development, at(START))
        .unwrap();
    let caller = with_key(&house, "test", None).unwrap();
    let arn = caller.session().principal_arn().as_str();
    assert_eq!(arn, "arn:aws:sts::123456789012:assumed-role/Admin/dev");
    assert_eq!(
        (caller.session().expires_at(), caller.session().is_temporary()),
        (None, false)
    );
    assert_eq!(caller.session().token_issued_at(), Some(at(START)));
    let token = token_of(&house, KEY, None);
    assert_eq!(code(with_key(&house, "test", Some(&token))), "unknown-key");
    assert_eq!(code(with_key(&house, "tesT", None)), "unknown-key");
    assert_eq!(code(with_key(&house, KEY, Some(&token))), "valid");
    let mut wrong = Draft::new("");
    wrong.key = "test";
    wrong.headers.retain(|(name, _)| name != "x-amz-security-token");
    wrong.signed = "host;x-amz-date".to_owned();
    wrong.sign().method = "PUT";
    assert_eq!(code(wrong.send(&house, START)), "bad-signature");
}

#[test]
fn fixed_credentials_exist_in_development_only() {
    let (mut credentials, role) = fixed();
    let name = || "dev".parse().unwrap();
    let refused = authenticator(1).with_fixed_credentials(
        &credentials,
        (&role, name()),
        Attestation::Measured,
        at(START),
    );
    assert_eq!(refused.err(), Some(FixedCredentialsError::NotDevelopment));
    credentials.account = "210987654321".parse().unwrap();
    let refused = authenticator(1).with_fixed_credentials(
        &credentials,
        (&role, name()),
        Attestation::Development,
        at(START),
    );
    assert_eq!(refused.err(), Some(FixedCredentialsError::OtherAccount));
}

#[test]
fn what_is_remembered_of_a_token_is_of_that_very_token() {
    let house = authenticator(1);
    let (mine, theirs) = (
        token_of(&house, KEY, None),
        token_of(&house, "ASIAEXAMPLEEXAMPLE23", None),
    );
    for _ in 0..2 {
        assert_eq!(code(with_key(&house, KEY, Some(&mine))), "valid");
        assert_eq!(code(with_key(&house, KEY, Some(&theirs))), "unknown-key");
        assert_eq!(
            code(with_key(&house, "ASIAEXAMPLEEXAMPLE23", Some(&mine))),
            "unknown-key"
        );
        assert_eq!(
            code(with_key(&house, "ASIAEXAMPLEEXAMPLE23", Some(&theirs))),
            "valid"
        );
    }
    let ended = Draft::new(&mine)
        .set("x-amz-date", &at(START + 3600).iso8601_basic())
        .clone();
    let mut ended = ended;
    ended.scope.0 = at(START + 3600).basic_date();
    assert_eq!(code(ended.sign().send(&house, START + 3600)), "expired");
}

#[test]
fn iam_does_not_know_what_users_made_of_their_credentials() {
    let house = authenticator(1);
    let principals = [
        (Principal::User(user()), "unknown-key"),
        (
            Principal::FederatedUser {
                name: "eve".parse().unwrap(),
                user: user(),
            },
            "unknown-key",
        ),
        (
            Principal::AssumedRole {
                role: developer(),
                session_name: "me".parse().unwrap(),
            },
            "valid",
        ),
    ];
    for (principal, by_iam) in principals {
        let terms = Terms::new(Some(KEY.parse().unwrap()), at(START), Some(at(START + 60)));
        let session = Session::new("123456789012".parse().unwrap(), principal, terms).unwrap();
        let secret = Secret::new(SECRET.as_bytes().to_vec());
        let token = house
            .tokens
            .seal(&session, &secret, &Counting(AtomicU8::new(0)))
            .unwrap();
        let mut draft = Draft::new(std::str::from_utf8(token.expose()).unwrap());
        assert_eq!(code(draft.sign().send(&house, START)), "valid");
        draft.scope.2 = "iam";
        draft.sign();
        let result = draft.head(&draft.headers, |head| {
            house.authenticate(head, &[SigningName::Iam], at(START))
        });
        assert_eq!(code(result), by_iam);
    }
}
