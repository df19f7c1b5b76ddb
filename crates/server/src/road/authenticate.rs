//! Who is it? Made once for every request, and journaled when the answer is "nobody we know".

use aws_lc_rs::digest;
use http::{HeaderName, Uri};
use moho_iam::authn::{
    Authenticated, AuthnError, HttpHead, Payload, Prechecked, SigningName, held_of_payload,
};
use moho_iam::authz::{JournalUnavailable, RequestFacts};
use moho_wire::{ErrorShape, Failure, Route};

use super::{failure, objects};
use crate::net::pool::Sharer;
use crate::net::{Admission, Head, Inbound, Peer, Taking};
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
        Peer::Network(_) | Peer::Local { .. } => {
            let body = sha256(inbound.body.expose());
            signed(head, &body, |signed| {
                platform
                    .authenticator
                    .authenticate(signed, &services(route), head.received)
            })
            .map_err(|error| refused(platform, (head.peer, facts), &error))
        }
    }
}

/// Who sent a head that says what its body will be, and what that is.
pub(super) fn sender(
    platform: &Platform,
    head: &Head,
    facts: &RequestFacts,
) -> Result<(Authenticated, Payload), Failure> {
    signed(head, &[0; 32], |signed| {
        platform
            .authenticator
            .authenticate_head(signed, head.via.is_secure(), head.received)
    })
    .map_err(|error| {
        entered(platform, (head.peer, facts), &error)
            .err()
            .unwrap_or_else(|| objects::from_authn(head, &error))
    })
}

/// Turns strangers away before a byte of their body is read: whoever has no credentials of ours can hold no memory,
/// except for the little that an identity provider's token takes. It is told how long the body may be, and by whose leave.
pub(super) fn precheck(
    platform: &Platform,
    head: &Head,
    route: &Route,
    facts: &RequestFacts,
) -> Result<Admission, Failure> {
    let (body, claims) = (route.body_limit(), None);
    let taking = taking(head, route);
    if let Some(body) = unsigned_limit(head, route) {
        return Ok(Admission { body, claims, taking });
    }
    match head.peer {
        Peer::Door { .. } => Ok(Admission { body, claims, taking }),
        Peer::Network(_) | Peer::Local { .. } => signed(head, &[0; 32], |signed| {
            platform
                .authenticator
                .precheck(signed, &services(route), head.received)
        })
        .map(|prechecked| match prechecked {
            Prechecked::Proven => Admission { body, claims, taking },
            Prechecked::Claims(key) => Admission {
                body,
                claims: Some(key),
                taking,
            },
        })
        .map_err(|error| {
            entered(platform, (head.peer, facts), &error)
                .err()
                .unwrap_or_else(|| {
                    if route.error_shape() == ErrorShape::S3 {
                        objects::from_authn(head, &error)
                    } else {
                        failure::from_authn(&error)
                    }
                })
        }),
    }
}

/// The longest body of a request that brings no credentials, if it may bring an identity provider's token.
pub(super) fn unsigned_limit(head: &Head, route: &Route) -> Option<usize> {
    let from_a_socket = matches!(head.peer, Peer::Door { .. });
    let signed = head.headers.contains_key(http::header::AUTHORIZATION)
        || moho_iam::authn::is_presigned(&head.raw_query);
    route.unsigned_limit().filter(|_| !from_a_socket && !signed)
}

/// Whether so many of this peer's proofs failed just now that no more are looked at.
pub(super) fn has_failed_too_often(platform: &Platform, peer: Peer) -> bool {
    platform
        .strangers
        .has_failed_too_often(Sharer::of(peer), platform.clock.now())
}

/// Whether a token of such a peer is looked at, as somebody else may share its address.
pub(super) fn gets_second_look(platform: &Platform, peer: Peer) -> bool {
    platform
        .strangers
        .gets_second_look(Sharer::of(peer), platform.clock.now())
}

/// Counts a proof of this peer's that failed, at the second look or the first.
pub(super) fn proof_failed(platform: &Platform, peer: Peer, at_second_look: bool) {
    platform
        .strangers
        .proof_failed(Sharer::of(peer), at_second_look, platform.clock.now());
}

/// How a route takes its bodies.
fn taking(head: &Head, route: &Route) -> Taking {
    if !route.is_streamed() {
        return Taking::Whole;
    }
    let declared = head.headers.get("x-amz-content-sha256");
    let held = held_of_payload(declared.and_then(|declared| declared.to_str().ok()));
    let (made, gathered) = gathered(head);
    Taking::Streamed {
        held: held.saturating_add(made),
        gathered,
    }
}

/// How much is made and how much is gathered of a body that comes in pieces. A document is gathered whole, and as much again
/// is made of it. Neither is more than is in the chunks of a body that comes in such.
pub(super) fn gathered(head: &Head) -> (usize, usize) {
    let line = format!("{}?{}", head.raw_path, head.raw_query);
    // What is no address is refused before anything of its body is read.
    let largest = line.parse::<Uri>().ok();
    let largest = largest.and_then(|uri| moho_s3::largest_document(&head.method, &uri));
    let (made, gathered) = largest.map_or((0, moho_s3::GATHERED), |largest| (largest, largest));
    let most = in_chunks(head).unwrap_or(usize::MAX);
    (made.min(most), gathered.min(most))
}

/// How much is in the chunks of a body, if it comes in such: of any other that header says nothing.
fn in_chunks(head: &Head) -> Option<usize> {
    let said = |name| head.headers.get(name)?.to_str().ok();
    said("x-amz-content-sha256")?
        .starts_with("STREAMING-")
        .then(|| said("x-amz-decoded-content-length")?.parse().ok())?
}

fn services(route: &Route) -> Vec<SigningName> {
    let names = route.signing_names().iter();
    names.filter_map(|name| SigningName::from_scope(name)).collect()
}

/// The head as `iam` takes it. A header that is not text is left out, all values of its name: it cannot have been signed
/// by the rules, and one that was named as signed is then missing. An `x-amz-` header has to be signed, so one that is not
/// text is refused.
fn signed<T>(
    head: &Head,
    body_sha256: &[u8; 32],
    read: impl FnOnce(&HttpHead<'_>) -> Result<T, AuthnError>,
) -> Result<T, AuthnError> {
    let text = |name: &HeaderName| {
        head.headers
            .get_all(name)
            .iter()
            .all(|value| value.to_str().is_ok())
    };
    let mut amazons = head
        .headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-amz-"));
    if !amazons.all(text) {
        return Err(AuthnError::Malformed(
            "A header whose name begins with 'x-amz-' has characters that no signed header has.",
        ));
    }
    let headers: Vec<(&str, &str)> = head
        .headers
        .iter()
        .filter(|(name, _)| text(name))
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    read(&HttpHead {
        method: head.method.as_str(),
        raw_path: &head.raw_path,
        raw_query: &head.raw_query,
        authority: &head.authority,
        headers: &headers,
        body_sha256,
    })
}

fn through_the_door(platform: &Platform, uid: u32, facts: &RequestFacts) -> Result<Authenticated, Failure> {
    let provider = platform
        .store
        .identity_provider()
        .map_err(|error| failure::from_store(&error))?;
    let admitted = moho_iam::bootstrap::Door::open(platform.attestation, provider)
        .and_then(|door| door.admit(uid, platform.own_uid, platform.account, platform.clock.now()));
    admitted.map_err(|closed| {
        platform.telemetry.door_was_closed();
        match platform.authorizer.journal_door_closed(facts, &closed) {
            Ok(_position) => Failure::AccessDenied(closed.to_string()),
            Err(unavailable) => without_journal(&unavailable),
        }
    })
}

pub(super) fn refused(platform: &Platform, whose: (Peer, &RequestFacts), error: &AuthnError) -> Failure {
    entered(platform, whose, error)
        .err()
        .unwrap_or_else(|| failure::from_authn(error))
}

/// Counts and journals a proof that failed.
///
/// # Errors
/// The [`Failure`] to tell instead, if it cannot be journaled.
pub(super) fn entered(
    platform: &Platform,
    (peer, facts): (Peer, &RequestFacts),
    error: &AuthnError,
) -> Result<(), Failure> {
    platform.telemetry.authentication_failed(error);
    if !platform
        .strangers
        .gets_entry(Sharer::of(peer), &facts.request_id, platform.clock.now())
    {
        return Ok(());
    }
    match platform.authorizer.journal_authn_failure(facts, error) {
        Ok(_position) => Ok(()),
        Err(unavailable) => Err(without_journal(&unavailable)),
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
