//! What holds for any token, key set and text.

use proptest::prelude::*;

use super::signer::{Signer, claims, encoded, set, verify};
use super::*;

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(IdToken::parse(&text));
        drop(KeySet::parse("https://i", &bytes));
        drop(Discovery::parse("https://i", text.as_bytes()));
    }

    #[test]
    fn no_header_and_claims_panic(header in "\\PC{0,80}", body in "\\PC{0,80}") {
        drop(IdToken::parse(&format!("{}.{}.AA", encoded(header), encoded(body))));
    }

    #[test]
    fn no_object_says_something_twice(name in "[a-z]{1,4}", other in "[a-z]{1,4}") {
        let text = format!(r#"{{"{name}":1,"{other}":2}}"#);
        prop_assert_eq!(hostile_input::printed(text.as_bytes()).is_some(), name != other);
    }

    #[test]
    fn what_is_read_prints_and_reads_the_same(text in r#"[\[\]{}",:a-c0-9.e-]{0,60}"#) {
        if let Some(printed) = hostile_input::printed(format!("{{\"x\":{text}}}").as_bytes()) {
            let again = hostile_input::printed(printed.as_bytes());
            prop_assert_eq!(again.as_ref(), Some(&printed));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_byte_of_a_token_can_be_changed(place in any::<prop::sample::Index>(), with in "[A-Za-z0-9_-]") {
        let signer = Signer::ed();
        let keys = set(&[signer.jwk("")]);
        let token = signer.token(r#"{"alg":"EdDSA"}"#, &claims(&[]));
        let place = place.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(place..=place, &with);
        prop_assert!(verify(&token, &keys).is_ok());
        prop_assert_eq!(verify(&changed, &keys).is_ok(), changed == token, "{}", changed);
    }
}
