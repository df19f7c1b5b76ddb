//! CloudWatch Logs, once it may: groups and streams, their events, and what is said about them.

pub(crate) mod events;
pub(crate) mod filters;
pub(crate) mod groups;
pub(crate) mod policies;
pub(crate) mod shown;
pub(crate) mod streams;

use std::sync::Arc;

use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_store::StoreError;
use moho_terms::Content;
use moho_wire::Failure;

use super::paging::Listing;
use super::{Asked, blocking};
use crate::road::from_store;
use crate::startup::Platform;

/// Things of a list in one page at most, and if nobody asked for fewer.
const PAGE: usize = 50;

/// Asks the store where it may wait.
async fn stored<T: Send + 'static>(
    asked: &Asked,
    work: impl FnOnce(&Platform) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Failure> {
    let platform = Arc::clone(&asked.platform);
    blocking(move || work(&platform).map_err(|error| from_store(&error))).await
}

/// How many things a page has.
fn page_of(limit: Option<i64>) -> usize {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    limit.unwrap_or(PAGE).clamp(1, PAGE)
}

/// After what a list goes on.
fn after(asked: &Asked, listing: &Listing, token: Option<&Content>) -> Result<Option<String>, Failure> {
    let platform = &asked.platform;
    let open = |token: &Content| {
        platform
            .paging
            .open(listing, token.expose(), platform.clock.now())
    };
    token
        .map(open)
        .transpose()
        .map_err(|_bad| shown::invalid("The specified nextToken is invalid."))
}

/// The token of the page after this one.
fn token(asked: &Asked, listing: &Listing, last: &str) -> Result<String, Failure> {
    let platform = &asked.platform;
    let sealed = platform
        .paging
        .seal(listing, last, platform.clock.now(), &*platform.entropy);
    sealed.map_err(|_none| Failure::Unavailable)
}

/// A list that a permit is for.
fn listing<A: Action>(permit: &Permit<A>, filters: &[&str]) -> Listing {
    Listing::of_permit(permit, filters)
}

/// Now, in milliseconds since 1970.
fn now(asked: &Asked) -> i64 {
    shown::milliseconds(asked.platform.clock.now())
}
