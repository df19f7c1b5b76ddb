//! IAM's operations, once they may be: between typed requests and the store.

pub(crate) mod access_keys;
pub(crate) mod account;
pub(crate) mod account_details;
pub(crate) mod alias;
pub(crate) mod credentials;
pub(crate) mod groups;
pub(crate) mod identity_policies;
pub(crate) mod instance_profiles;
mod listing;
pub(crate) mod policies;
pub(crate) mod providers;
pub(crate) mod role_policies;
pub(crate) mod roles;
pub(crate) mod service_use;
mod shown;
pub(crate) mod simulation;
pub(crate) mod tagged;
pub(crate) mod users;

use std::sync::Arc;

use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_iam::policy::{PolicyDocument, PolicyError, PolicyKind};
use moho_store::Store;
use moho_store::iam::{EntityKind, IamCode, IamError, IdKind, unique_id};
use moho_wire::aws::ops::Service;
use moho_wire::{Failure, Reply};

use super::Asked;
use crate::road::from_store;
use crate::startup::Platform;

/// Lets the store act, on a thread that may wait for the disk.
pub(crate) async fn act<T: Send + 'static>(
    asked: &Asked,
    act: impl FnOnce(&Platform) -> Result<T, IamError> + Send + 'static,
) -> Result<T, Failure> {
    let platform = Arc::clone(&asked.platform);
    tokio::task::spawn_blocking(move || act(&platform).map_err(|error| from_iam(&error)))
        .await
        .unwrap_or(Err(Failure::Internal))
}

/// A refusal of the store's, in IAM's words.
pub(crate) fn from_iam(error: &IamError) -> Failure {
    match error {
        IamError::Store(error) => from_store(error),
        IamError::Refused { code, message } => refusal(*code, message.clone()),
    }
}

/// A refusal in IAM's words.
pub(crate) fn refusal(code: IamCode, message: impl Into<String>) -> Failure {
    Failure::Service {
        code: code.as_str(),
        message: message.into(),
        status: code.status(),
    }
}

/// The operation that an action is for, such as `PutUserPolicy`.
fn operation<A: Action>() -> &'static str {
    A::NAME.split_once(':').map_or("", |(_, operation)| operation)
}

/// Lets the store do what the permit is for; the operation's reply says nothing.
async fn carry_out<A: Action>(
    asked: &Asked,
    permit: Permit<A>,
    change: impl FnOnce(&Store, &Permit<A>) -> Result<(), IamError> + Send + 'static,
) -> Result<Reply, Failure> {
    act(asked, move |platform| change(&platform.store, &permit)).await?;
    Service::Iam.done(operation::<A>(), &asked.request)
}

/// A document that a request brings; longer than its kind may be is beyond `quota`.
pub(crate) fn document(kind: PolicyKind, text: &str, quota: &str) -> Result<PolicyDocument, Failure> {
    PolicyDocument::parse(kind, text).map_err(|error| match error {
        PolicyError::TooLong { limit } => refusal(
            IamCode::LimitExceeded,
            format!("Cannot exceed quota for {quota}: {limit}"),
        ),
        PolicyError::Syntax { .. } | PolicyError::Grammar(_) => malformed(&error),
    })
}

/// An inline policy that a request brings for the role, user or group of this name, of which it has so many bytes at most.
fn inline((kind, of): (PolicyKind, EntityKind), name: &str, text: &str) -> Result<PolicyDocument, Failure> {
    PolicyDocument::parse(kind, text).map_err(|error| match error {
        PolicyError::TooLong { .. } => {
            let (bytes, of) = (of.inline_bytes(), of.as_str());
            let sentence = format!("Maximum policy size of {bytes} bytes exceeded for {of} {name}");
            refusal(IamCode::LimitExceeded, sentence)
        }
        PolicyError::Syntax { .. } | PolicyError::Grammar(_) => malformed(&error),
    })
}

fn malformed(error: &PolicyError) -> Failure {
    refusal(IamCode::MalformedPolicyDocument, error.to_string())
}

/// A new unique id.
pub(crate) fn new_id(asked: &Asked, kind: IdKind) -> Result<String, Failure> {
    unique_id(kind, &*asked.platform.entropy).map_err(|_none| Failure::Unavailable)
}

/// A document as IAM's replies have it: every byte but letters, digits and `-_.~` as `%XX` (RFC 3986).
pub(super) fn encoded(document: &str) -> String {
    document
        .bytes()
        .fold(String::with_capacity(document.len()), |mut text, byte| {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_encoded_as_rfc_3986_says() {
        assert_eq!(
            encoded("{\"a b\": \"ü~-_.*\"}"),
            "%7B%22a%20b%22%3A%20%22%C3%BC~-_.%2A%22%7D"
        );
    }

    #[test]
    fn a_document_that_is_too_long_is_beyond_a_quota_and_a_bad_one_malformed() {
        let code = |text: &str| match document(PolicyKind::Identity, text, "PolicySize") {
            Err(Failure::Service { code, .. }) => code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code(&"x".repeat(7000)), "LimitExceeded");
        assert_eq!(code("{"), "MalformedPolicyDocument");
        assert_eq!(code(r#"{"Version":"2012-10-17"}"#), "MalformedPolicyDocument");
    }

    #[test]
    fn an_inline_policy_that_is_too_long_is_told_as_it_is_at_aws() {
        for (kind, of, sentence) in [
            (
                PolicyKind::Inline,
                EntityKind::Role,
                "Maximum policy size of 10240 bytes exceeded for role me",
            ),
            (
                PolicyKind::Identity,
                EntityKind::User,
                "Maximum policy size of 2048 bytes exceeded for user me",
            ),
        ] {
            let expected = refusal(IamCode::LimitExceeded, sentence);
            assert_eq!(
                inline((kind, of), "me", &"x".repeat(11_000)).err(),
                Some(expected)
            );
            let Err(Failure::Service { code, .. }) = inline((kind, of), "me", "{") else {
                panic!("{sentence}")
            };
            assert_eq!(code, "MalformedPolicyDocument");
        }
    }
}
