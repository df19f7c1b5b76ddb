//! Whatever is sent, nothing panics, and what was sealed opens to the same.

use super::*;

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
    fn a_token_opens_to_what_was_sealed(
        account in "[1-9][0-9]{11}", role in "[A-Za-z0-9+=,.@_-]{1,64}", name in "[A-Za-z0-9+=,.@_-]{2,64}",
        key in "ASIA[A-Z2-7]{16}", secret in "[A-Za-z0-9/+]{40}", issued in 0_u64..9_000_000_000, seconds in 0_u64..50_000,
        chained: bool, narrowed: bool,
    ) {
        let authenticator = authenticator(1);
        let policy = narrowed.then(|| PolicyDocument::parse(PolicyKind::Session, builtin::BOOTSTRAP).unwrap());
        let terms = Terms {
            access_key_id: key.parse().unwrap(),
            issued_at: at(issued),
            expires_at: at(issued + seconds),
            session_policy: policy,
            chained,
        };
        let (account, role, name) = (account.parse().unwrap(), role.parse().unwrap(), name.parse().unwrap());
        let session = RoleSession::of_role(account, role, name, terms).unwrap();
        let sealed = authenticator.tokens
            .seal(&session, &Secret::new(secret.clone().into_bytes()), &Counting(AtomicU8::new(0)))
            .unwrap();
        let opened = authenticator.tokens.open(std::str::from_utf8(sealed.expose()).unwrap()).unwrap();
        prop_assert_eq!(opened.secret_access_key.expose(), secret.as_bytes());
        prop_assert_eq!(format!("{:?}", opened.session), format!("{session:?}"));
    }

    #[test]
    fn any_token_never_panics(token in "\\PC{0,120}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let authenticator = authenticator(1);
        prop_assert!(authenticator.tokens.open(&token).is_err());
        prop_assert!(authenticator.tokens.open(&STANDARD.encode(bytes)).is_err());
    }
}
