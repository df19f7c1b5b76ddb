//! Bearer keys and session tokens: nothing that we did not seal passes for one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moho_iam::authn::hostile_input::{long_term_key, token_contents};
use moho_iam::authn::{Authenticator, HttpHead, SigningName};
use moho_terms::{Secret, Timestamp};

/// The bytes as a bearer key of either kind, as the text within one, as a session token, and as the inside of one.
pub fn credentials(data: &[u8]) {
    let text = super::text(data);
    let encoded = STANDARD.encode(data);
    for authorization in [
        format!("Bearer {text}"),
        format!("Bearer bedrock-api-key-{encoded}"),
        format!("Bearer ABSK{encoded}"),
        text.to_string(),
    ] {
        nobody_gets_in(&[("authorization", &authorization)], "");
    }
    let query = format!("X-Amz-Security-Token={encoded}&{}", text.trim_start_matches('?'));
    nobody_gets_in(&[], &query);
    for key in [text.to_string(), format!("ABSK{encoded}")] {
        if let Some((id, secret)) = long_term_key(&key) {
            let inside = STANDARD.encode(format!("{id}:{secret}"));
            assert_eq!(key, format!("ABSK{inside}"), "a key is its id and its secret");
        }
    }
    if let Some(printed) = token_contents(data) {
        assert_eq!(
            token_contents(&printed).as_ref(),
            Some(&printed),
            "a token's inside prints back"
        );
    }
}

fn nobody_gets_in(headers: &[(&str, &str)], raw_query: &str) {
    let head = HttpHead {
        method: "POST",
        raw_path: "/v1/responses",
        raw_query,
        authority: "localhost:8443",
        headers,
        body_sha256: &[0; 32],
    };
    refused(&head);
}

/// Whatever a head says: without a secret of ours nobody is authenticated, and what is refused early is refused late.
pub(crate) fn refused(head: &HttpHead<'_>) {
    let services = [
        SigningName::BedrockMantle,
        SigningName::Bedrock,
        SigningName::Sts,
        SigningName::Iam,
    ];
    let now = Timestamp::from_unix_seconds(super::NOW);
    let authenticator = super::REGION
        .parse()
        .ok()
        .and_then(|region| Authenticator::new(&Secret::new(vec![0x5a; 32]), region).ok());
    let Some(authenticator) = authenticator else {
        return;
    };
    assert!(
        authenticator.precheck(head, &services, now).is_err(),
        "nobody is worth a body"
    );
    let refused = authenticator.authenticate(head, &services, now).err();
    assert!(
        refused.is_some_and(|error| !error.to_string().is_empty()),
        "nobody is authenticated"
    );
}

/// Whether the bytes are the inside of a session token.
#[must_use]
pub fn is_token_inside(data: &[u8]) -> bool {
    token_contents(data).is_some()
}
