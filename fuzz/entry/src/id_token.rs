//! Identity tokens, their issuers' keys and descriptions: nothing that an issuer did not sign passes for its word.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moho_iam::oidc::hostile_input::{describes, keys, printed};
use moho_iam::oidc::{IdToken, KeySet};

/// An issuer with one key of each kind, whose private halves nobody has.
const ISSUER: &str = "https://login.example.com";
const KEYS: &str = r#"{"keys":[
    {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"ed"},
    {"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"ec"}]}"#;

/// The bytes as a token, as its header and its claims (a line each), as a set of keys and as a description.
pub fn id_token(data: &[u8]) {
    let text = super::text(data);
    let (header, claims) = text.split_once('\n').unwrap_or((&text, "{}"));
    let encoded = |part: &str| URL_SAFE_NO_PAD.encode(part);
    let made = format!("{}.{}.{}", encoded(header), encoded(claims), encoded("signature"));
    proves_nothing(&text);
    proves_nothing(&made);
    if let Some(count) = keys(data) {
        assert!(count <= 128, "nobody has so many keys");
    }
    if describes(ISSUER, data) {
        assert!(
            !describes("https://elsewhere.example.com", data),
            "it is of one issuer"
        );
    }
    if let Some(once) = printed(data) {
        assert_eq!(
            printed(once.as_bytes()).as_ref(),
            Some(&once),
            "an object prints back"
        );
    }
}

fn proves_nothing(token: &str) {
    let Ok(set) = KeySet::parse(ISSUER, KEYS.as_bytes()) else {
        return;
    };
    assert_eq!(set.len(), 2, "both keys are taken");
    match IdToken::parse(token) {
        Ok(token) => assert!(token.check_signature(&set).is_err(), "nobody signed it"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
