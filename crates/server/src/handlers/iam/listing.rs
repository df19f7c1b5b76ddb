//! Pages of IAM's lists: what a request asks for, and where the list goes on.

use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_store::iam::{IamError, Listed, Page};
use moho_wire::Failure;

use super::act;
use crate::handlers::Asked;
use crate::handlers::paging::{Asking, Listing};
use crate::startup::Platform;

/// A page, as it is answered.
pub(crate) struct Answered<T> {
    /// What is on it.
    pub(crate) items: Vec<T>,
    /// `IsTruncated`
    pub(crate) is_truncated: Option<bool>,
    /// `Marker`
    pub(crate) marker: Option<String>,
}

/// Which page a request asks for: by its marker and its number of items, of a list with this filter.
pub(crate) struct Wanted {
    /// What else than the permit's resource makes it this list, such as a path prefix.
    pub(crate) filter: String,
    /// `Marker`
    pub(crate) marker: Option<String>,
    /// `MaxItems`
    pub(crate) most: Option<i64>,
}

impl Wanted {
    /// A page of a list without a filter.
    pub(crate) fn all(marker: Option<String>, most: Option<i64>) -> Self {
        Self {
            filter: String::new(),
            marker,
            most,
        }
    }
}

/// A page of the list that the permit is for.
pub(crate) async fn page<A: Action, T: Send + 'static>(
    asked: &Asked,
    permit: Permit<A>,
    wanted: Wanted,
    look: impl FnOnce(&Platform, &Permit<A>, &str, Page<'_>) -> Result<Listed<T>, IamError> + Send + 'static,
) -> Result<Answered<T>, Failure> {
    let listing = Listing::of_permit(&permit, &[&wanted.filter]);
    let marker = wanted.marker.as_deref();
    let asking = Asking::of_iam(&asked.platform, listing, marker, wanted.most)?;
    let (after, limit) = (asking.after.clone(), asking.limit);
    let listed = act(asked, move |platform| {
        let after = after.as_deref();
        look(platform, &permit, &wanted.filter, Page { after, limit })
    })
    .await?;
    let (is_truncated, marker) = asking.next(&asked.platform, listed.last.as_deref())?;
    Ok(Answered {
        items: listed.items,
        is_truncated,
        marker,
    })
}
