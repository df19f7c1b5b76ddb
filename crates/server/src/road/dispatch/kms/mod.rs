//! KMS's operations: which action each takes, on what, and what conditions can ask about it.

mod aliases;
mod asymmetric;
mod conditions;
mod encryption;
mod grants;
mod keys;
mod material;
mod named;
pub(super) mod overview;
mod release;
mod rotation;

use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_wire::aws::ops::kms::Request;
use moho_wire::{Failure, Reply};

use super::Trip;
use crate::handlers::kms::{shown, tokens};
use crate::net::Outbound;
use crate::road::reply;

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let used = trip.platform.key_use.begin(&trip.facts.request_id);
    let replied = match request {
        Request::Encryption(request) => encryption::dispatch(trip, request).await,
        Request::Asymmetric(request) => asymmetric::dispatch(trip, request).await,
        Request::Keys(request) => keys::dispatch(trip, request).await,
        Request::Aliases(request) => aliases::dispatch(trip, request).await,
        Request::Grants(request) => grants::dispatch(trip, request).await,
        Request::Rotation(request) => rotation::dispatch(trip, request).await,
        Request::Material(request) => material::dispatch(trip, request).await,
    };
    if replied.is_ok() {
        used.succeeded();
    }
    replied.map(reply::whole).map_err(shown::in_kms_words)
}

/// The permit, if every grant token that came with the request is of the key that it is for. A token gives nothing that
/// its grant does not give anyway.
fn with_tokens<A: Action>(
    trip: &Trip<'_>,
    permit: Permit<A>,
    tokens: Option<&Vec<String>>,
) -> Result<Permit<A>, Failure> {
    for token in tokens.into_iter().flatten() {
        tokens::check(trip.platform, permit.resource(), token)?;
    }
    Ok(permit)
}

/// What a handler answers.
type Replied = Result<Reply, Failure>;
