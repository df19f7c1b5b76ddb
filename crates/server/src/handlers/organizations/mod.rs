//! Organizations' operations, once they may be: between typed requests and the store.

pub(crate) mod accounts;
pub(crate) mod policies;
pub(crate) mod shown;
pub(crate) mod tags;
pub(crate) mod units;

use std::sync::Arc;

use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_store::organizations::{NodeId, Organisation, OrganisationError};
use moho_wire::aws::ops::Service;
use moho_wire::{Failure, Reply};

use self::shown::from_organisation;
use super::Asked;
use super::paging::{BadMarker, Listing, NoMarker};
use crate::startup::Platform;

/// How many things a page has at most: AWS's own number.
const PAGE: usize = 20;

/// Lets the store act, on a thread that may wait for the disk.
async fn act<T: Send + 'static>(
    asked: &Asked,
    act: impl FnOnce(&Platform) -> Result<T, OrganisationError> + Send + 'static,
) -> Result<T, Failure> {
    let platform = Arc::clone(&asked.platform);
    tokio::task::spawn_blocking(move || act(&platform).map_err(|error| from_organisation(&error)))
        .await
        .unwrap_or(Err(Failure::Internal))
}

/// The organisation as it is.
async fn organisation<A: Action>(
    asked: &Asked,
    permit: Permit<A>,
) -> Result<(Arc<Organisation>, Permit<A>), Failure> {
    act(asked, move |platform| {
        Ok((platform.store.organisation(&permit)?, permit))
    })
    .await
}

/// The root, unit or account that a permit is for.
fn named<A: Action>(permit: &Permit<A>) -> Result<NodeId, Failure> {
    let last = permit
        .resource()
        .resource()
        .rsplit('/')
        .next()
        .unwrap_or_default();
    last.parse().map_err(|_never| Failure::Internal)
}

/// The reply of an operation that says nothing.
fn done(asked: &Asked, operation: &str) -> Result<Reply, Failure> {
    Service::Organizations.done(operation, &asked.request)
}

/// A page of a list, as a request asks for it.
struct Asking<'a> {
    operation: &'a str,
    /// What else makes it this list.
    parts: &'a [&'a str],
    token: Option<&'a str>,
    most: Option<i64>,
}

/// The page that is asked for of `all`, which has its keys in order, and where the list goes on.
fn page<A: Action, T>(
    asked: &Asked,
    permit: &Permit<A>,
    asking: &Asking<'_>,
    all: impl Iterator<Item = (String, T)>,
) -> Result<(Vec<T>, Option<String>), Failure> {
    let platform = &asked.platform;
    let listing = Listing::new(permit.session().account(), asking.operation, asking.parts);
    let now = platform.clock.now();
    let after = asking
        .token
        .map(|token| platform.paging.open(&listing, token, now))
        .transpose()
        .map_err(|BadMarker| shown::bad_token())?;
    let limit = asking
        .most
        .and_then(|most| usize::try_from(most).ok())
        .map_or(PAGE, |most| most.clamp(1, PAGE));
    let mut rest = all.filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
    let mut items = Vec::with_capacity(limit);
    let mut last = None;
    for (key, item) in rest.by_ref().take(limit) {
        last = Some(key);
        items.push(item);
    }
    let next = match (rest.next(), last) {
        (Some(_), Some(last)) => {
            let sealed = platform.paging.seal(&listing, &last, now, &*platform.entropy);
            Some(sealed.map_err(|NoMarker| Failure::Unavailable)?)
        }
        _ => None,
    };
    Ok((items, next))
}
