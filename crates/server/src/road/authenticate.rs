//! Who is it? Made once for every request, and journaled when the answer is "nobody we know".

use aws_lc_rs::digest;
use moho_iam::authn::{Authenticated, AuthnError, HttpHead, SigningName};
use moho_iam::authz::{JournalUnavailable, RequestFacts};
use moho_wire::{Failure, Route};

use super::failure;
use crate::net::{Head, Inbound, Peer};
use crate::startup::Platform;

/// The caller of a whole request.
pub(super) fn caller(
    platform: &Platform,
    inbound: &Inbound,
    route: &Route,
    facts: &RequestFacts,
) -> Result<Authenticated, Failure> {
    let head = &inbound.head;
    match head.peer {
        Peer::Door { uid } => through_the_door(platform, uid, facts),
        Peer::Network(_) => {
            let services: Vec<SigningName> = route
                .signing_names()
                .iter()
                .filter_map(|name| SigningName::from_scope(name))
                .collect();
            with_signature(platform, head, inbound.body.expose(), &services)
                .map_err(|error| refused(platform, facts, &error))
        }
    }
}

/// Turns strangers away before a byte of their body is read.
pub(super) fn credentials_present(
    platform: &Platform,
    head: &Head,
    facts: &RequestFacts,
) -> Result<(), Failure> {
    let stranger = matches!(head.peer, Peer::Network(_)) && !head.headers.contains_key("authorization");
    if stranger {
        Err(refused(platform, facts, &AuthnError::Missing))
    } else {
        Ok(())
    }
}

fn with_signature(
    platform: &Platform,
    head: &Head,
    body: &[u8],
    services: &[SigningName],
) -> Result<Authenticated, AuthnError> {
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| value.to_str().map(|value| (name.as_str(), value)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_not_ascii| AuthnError::Malformed("Header values must be visible ASCII."))?;
    platform.authenticator.authenticate(
        &HttpHead {
            method: head.method.as_str(),
            raw_path: &head.raw_path,
            raw_query: &head.raw_query,
            authority: &head.authority,
            headers: &headers,
            body_sha256: &sha256(body),
        },
        services,
        head.received,
    )
}

fn through_the_door(platform: &Platform, uid: u32, facts: &RequestFacts) -> Result<Authenticated, Failure> {
    let provider = platform
        .store
        .identity_provider()
        .map_err(|error| failure::from_store(&error))?;
    let admitted = moho_iam::bootstrap::Door::open(platform.attestation, provider)
        .and_then(|door| door.admit(uid, platform.own_uid, platform.account, platform.clock.now()));
    admitted.map_err(
        |closed| match platform.authorizer.journal_door_closed(facts, &closed) {
            Ok(_position) => Failure::AccessDenied(closed.to_string()),
            Err(unavailable) => without_journal(&unavailable),
        },
    )
}

fn refused(platform: &Platform, facts: &RequestFacts, error: &AuthnError) -> Failure {
    match platform.authorizer.journal_authn_failure(facts, error) {
        Ok(_position) => failure::from_authn(error),
        Err(unavailable) => without_journal(&unavailable),
    }
}

fn without_journal(unavailable: &JournalUnavailable) -> Failure {
    tracing::error!(error = %unavailable, "the journal cannot be written: requests are refused");
    Failure::Unavailable
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    sum
}
