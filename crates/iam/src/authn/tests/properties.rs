//! Whatever is sent, nothing panics, and what was sealed opens to the same.

use super::*;
use crate::session::{PolicyRef, SessionTags, UserRef};

const NAME: &str = "[A-Za-z0-9+=,.@_-]{2,64}";

/// Any session that a token can carry, with names and paths as long as they may be.
fn any_session() -> impl Strategy<Value = Session> {
    let path = prop_oneof![Just("/".to_owned()), "/[a-zA-Z0-9/]{1,500}/"];
    let principal = (0..3_u8, path, NAME, NAME).prop_map(|(kind, path, name, other)| match kind {
        0 => Principal::AssumedRole {
            role: RoleRef {
                path,
                name: name.parse().unwrap(),
                id: "AROAEXAMPLEEXAMPLE222".to_owned(),
            },
            session_name: other.parse().unwrap(),
        },
        1 => Principal::User(user(path, &name)),
        _ => Principal::FederatedUser {
            name: other.parse().unwrap(),
            user: user(path, &name),
        },
    });
    let tags = proptest::collection::btree_map("[a-z\u{e4}]{1,128}", "[ -.0-9A-Za-z\u{4e2d}]{0,256}", 0..12);
    let tags = (tags, any::<bool>()).prop_map(|(tags, transitive)| {
        let tags = tags
            .into_iter()
            .filter(|(_, value)| value.chars().all(|c| c.is_alphanumeric() || c == ' '));
        let tags: Vec<_> = tags.collect();
        let kept: Vec<_> = tags
            .iter()
            .filter(|_| transitive)
            .map(|(key, _)| key.clone())
            .collect();
        SessionTags::parse(tags, kept).unwrap()
    });
    let narrowing = (
        any::<bool>(),
        proptest::collection::vec("[A-Za-z0-9/]{1,80}", 0..5),
    )
        .prop_map(|(inline, arns)| {
            let inline =
                inline.then(|| PolicyDocument::parse(PolicyKind::Session, builtin::BOOTSTRAP).unwrap());
            let managed = arns.iter().map(|name| PolicyRef {
                arn: format!("arn:aws:iam::aws:policy/{name}").parse().unwrap(),
                id: format!("ANPA{name}"),
            });
            Narrowing::new(inline, managed.collect()).unwrap()
        });
    let source = proptest::option::of(NAME);
    let more = (source, proptest::option::of("[ -~]{1,255}"), any::<bool>());
    let times = (0_u64..9_000_000_000, 0_u64..130_000);
    ("[0-9]{12}", principal, (narrowing, tags, more), times).prop_map(
        |(account, principal, (narrowing, tags, (source, provider, chained)), (issued, seconds))| {
            let terms = Terms {
                narrowing,
                tags,
                source_identity: source.map(|name| name.parse().unwrap()),
                federated_provider: provider,
                chained,
                ..Terms::new(Some(KEY.parse().unwrap()), at(issued), Some(at(issued + seconds)))
            };
            Session::new(account.parse().unwrap(), principal, terms).unwrap()
        },
    )
}

fn user(path: String, name: &str) -> UserRef {
    UserRef {
        path,
        name: name.parse().unwrap(),
        id: "AIDAEXAMPLEEXAMPLE222".to_owned(),
    }
}

proptest! {
    #[test]
    fn any_authorization_never_panics(value in "(AWS4-HMAC-SHA256 |Bearer |Bearer bedrock-api-key-)?\\PC{0,120}") {
        prop_assert!(present(&authenticator(1), &value, START).is_err());
    }

    #[test]
    fn almost_authorizations_never_panic(
        credential in "[A-Za-z0-9/]{0,40}", signed in "[a-z;-]{0,20}", signature in "[0-9a-f]{63,65}",
    ) {
        let value = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}");
        prop_assert!(present(&authenticator(1), &value, START).is_err());
    }

    #[test]
    fn almost_bearer_keys_never_panic(url in "(bedrock\\.amazonaws\\.com/\\?)?[A-Za-z0-9=&%-]{0,80}(&Version=1)?") {
        let value = format!("Bearer bedrock-api-key-{}", STANDARD.encode(url));
        prop_assert!(present(&authenticator(1), &value, START).is_err());
    }

    #[test]
    fn a_token_opens_to_what_was_sealed(session in any_session(), secret in "[A-Za-z0-9/+]{40}") {
        let authenticator = authenticator(1);
        let sealed = authenticator.tokens
            .seal(&session, &Secret::new(secret.clone().into_bytes()), &Counting(AtomicU8::new(0)));
        match sealed {
            Ok(sealed) => {
                prop_assert!(sealed.len() <= 8192);
                let opened = authenticator.tokens.open(std::str::from_utf8(sealed.expose()).unwrap()).unwrap();
                prop_assert_eq!(opened.secret_access_key.expose(), secret.as_bytes());
                prop_assert_eq!(format!("{:?}", opened.session), format!("{session:?}"));
            }
            Err(refused) => {
                let percent = token::packed_percent(&session).unwrap();
                prop_assert!(percent > 100, "{refused}");
            }
        }
    }

    #[test]
    fn any_token_never_panics(token in "\\PC{0,120}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let authenticator = authenticator(1);
        prop_assert!(authenticator.tokens.open(&token).is_none());
        prop_assert!(authenticator.tokens.open(&STANDARD.encode(bytes)).is_none());
    }
}
