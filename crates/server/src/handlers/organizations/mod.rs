//! Organizations' operations, once they may be: between typed requests and the store.

pub(crate) mod accounts;
pub(crate) mod policies;
pub(crate) mod shown;
pub(crate) mod tags;
pub(crate) mod units;

use std::str::FromStr;
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

/// What a permit is for: a root, unit or account, or a policy.
fn named<A: Action, Id: FromStr>(permit: &Permit<A>) -> Result<Id, Failure> {
    let resource = permit.resource().resource();
    let last = resource.rsplit('/').next().unwrap_or_default();
    last.parse().map_err(|_never| Failure::Internal)
}

/// The root or unit that a permit is for.
fn parent<A: Action>(whole: &Organisation, permit: &Permit<A>) -> Result<NodeId, Failure> {
    let parent = named(permit)?;
    if !whole.can_hold(&parent) {
        return Err(from_organisation(&OrganisationError::ParentNotFound));
    }
    Ok(parent)
}

/// The root, unit or account that a permit is for, as what policies bind.
fn target<A: Action>(whole: &Organisation, permit: &Permit<A>) -> Result<NodeId, Failure> {
    let target = named(permit)?;
    if !whole.has(&target) {
        return Err(shown::no_such_target());
    }
    Ok(target)
}

/// The reply of an operation that says nothing.
fn done(asked: &Asked, operation: &str) -> Result<Reply, Failure> {
    Service::Organizations.done(operation, &asked.request)
}

/// A page of the list that a permit is for, as a request asks for it.
struct Asking<'a> {
    /// What else makes it this list.
    filter: &'a str,
    token: Option<String>,
    most: Option<i64>,
}

impl Asking<'_> {
    /// A page of all there is.
    fn all(token: Option<String>, most: Option<i64>) -> Self {
        let filter = "";
        Self { filter, token, most }
    }
}

/// The page that is asked for of `all`, which has its keys in order, and where the list goes on.
fn page<A: Action, T>(
    asked: &Asked,
    permit: &Permit<A>,
    asking: &Asking<'_>,
    all: impl Iterator<Item = (String, T)>,
) -> Result<(Vec<T>, Option<String>), Failure> {
    let platform = &asked.platform;
    let listing = Listing::of_permit(permit, &[asking.filter]);
    let now = platform.clock.now();
    let open = |token: &String| platform.paging.open(&listing, token, now);
    let token = asking.token.as_ref();
    let after = token
        .map(open)
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
